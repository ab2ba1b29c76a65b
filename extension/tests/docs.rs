//! The documentation against the code: its examples load, its tables hold every key, its links lead somewhere.
//!
//! Does not prove that the sentences are true.
#![cfg(all(
    feature = "http",
    feature = "filter",
    feature = "redact",
    feature = "sample",
    feature = "enrich"
))]

use std::path::{Path, PathBuf};

use tapline::settings::{self, Kinds, Load, Place, fields};
use tapline_core::config::{FieldKind, Fields};
use tapline_core::facts::Facts;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The pages at the root and all under `docs`.
fn pages() -> Vec<PathBuf> {
    let names = ["README.md", "ARCHITECTURE.md", "STYLE.md", "CHANGELOG.md"];
    let mut pages: Vec<PathBuf> = names.iter().map(|name| root().join(name)).collect();
    for folder in ["docs", "docs/sinks", "docs/transforms"] {
        let entries = std::fs::read_dir(root().join(folder)).expect("the folder is there");
        let paths = entries.map(|entry| entry.expect("it can be listed").path());
        pages.extend(paths.filter(|path| path.extension().is_some_and(|word| word == "md")));
    }
    pages
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every variable that is not AWS's own is set, and long enough for a hash key.
fn environment(name: &str) -> Option<String> {
    (!name.starts_with("AWS_")).then(|| "not-a-secret-".repeat(3))
}

fn kinds() -> Kinds {
    Kinds {
        sinks: tapline_sinks::kinds().to_vec(),
        transforms: tapline_transforms::kinds().to_vec(),
    }
}

/// What `tapline check` says of a file, where that is no praise.
fn problems(name: &str, text: &str) -> Option<String> {
    let mut facts = Facts::default();
    let mut diagnostics = match settings::load(
        name,
        text.as_bytes(),
        &kinds(),
        &mut facts,
        &environment,
        Place::Offline,
    ) {
        Load::Runs(settings) => settings.diagnostics,
        Load::Parked(diagnostics) => return Some(diagnostics.render()),
    };
    diagnostics.strict();
    diagnostics.has_errors().then(|| diagnostics.render())
}

/// A block of a page: the line on which it begins, the words after its fence, its text.
fn blocks(page: &str) -> Vec<(usize, String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String, String)> = None;
    for (index, line) in page.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(words), None) => open = Some((index + 1, words.to_owned(), String::new())),
            (None, Some((_, _, text))) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// A fragment gets a version before it and a sink behind it.
fn whole(words: &str, text: String) -> Option<String> {
    match words {
        "toml" => Some(text),
        "toml,fragment" => {
            let sink = "[sink.of_the_fragment]\ntype = \"console\"\n";
            Some(format!("version = 1\n{text}\n{sink}"))
        }
        words => {
            assert!(!words.starts_with("toml"), "what is `{words}`?");
            None
        }
    }
}

#[test]
fn every_example_passes_check() {
    let mut examples_count = 0;
    for page in pages() {
        for (line, words, block) in blocks(&text(&page)) {
            let Some(file) = whole(&words, block) else {
                continue;
            };
            let name = format!("{}:{line}", page.display());
            if let Some(problems) = problems(&name, &file) {
                panic!("the example at {name} is wrong:\n{problems}");
            }
            examples_count += 1;
        }
    }
    assert!(examples_count >= 10, "{examples_count}");
}

/// A wrong example must not pass unseen.
#[test]
fn a_wrong_example_is_seen() {
    let unknown = whole("toml,fragment", "memry = \"8MiB\"".to_owned()).expect("it is a fragment");
    assert!(problems("f", &unknown).is_some_and(|shown| shown.contains("memry")));
    let good = whole("toml,fragment", "memory = \"8MiB\"".to_owned()).expect("it is a fragment");
    assert_eq!(problems("f", &good), None);
}

/// The rows that a page must have: each key with its default, those of tables inside as `table.key`.
fn rows(prefix: &str, fields: Fields) -> Vec<(String, &'static str)> {
    let mut wanted = Vec::new();
    for field in fields {
        let key = format!("{prefix}{}", field.name);
        match field.kind {
            FieldKind::Table(inner) => wanted.extend(rows(&format!("{key}."), inner)),
            FieldKind::List(FieldKind::Table(inner)) => {
                wanted.extend(rows(&format!("{key}."), inner));
            }
            _ => wanted.push((key, field.default)),
        }
    }
    wanted
}

fn assert_rows(page: &str, prefix: &str, fields: Fields) {
    let text = text(&root().join(page));
    for (key, default) in rows(prefix, fields) {
        let start = format!("| `{key}` |");
        let row = text.lines().find(|line| line.starts_with(&start));
        let row = row.unwrap_or_else(|| panic!("{page} has no row `{key}`"));
        let shown = default.is_empty() || row.contains(&format!("`{default}`"));
        assert!(shown, "{page}: the default of `{key}` is {default}");
    }
}

#[test]
fn the_page_of_each_kind_has_every_key_and_its_default() {
    for kind in tapline_sinks::kinds() {
        assert_rows(&format!("docs/sinks/{}.md", kind.name), "", kind.fields);
    }
    for kind in tapline_transforms::kinds() {
        assert_rows(
            &format!("docs/transforms/{}.md", kind.name),
            "",
            kind.fields,
        );
    }
}

/// Each preset has a heading, an example, and a row for each option with its default.
#[test]
fn the_page_of_presets_has_every_option_and_an_example() {
    let page = text(&root().join("docs/sinks/presets.md"));
    for (name, options) in tapline_sinks::presets() {
        let section = page
            .split("\n## ")
            .find(|section| section.starts_with(&format!("`{name}`\n")))
            .unwrap_or_else(|| panic!("the page has no section `{name}`"));
        let example = section
            .lines()
            .any(|line| line.starts_with("preset ") && line.ends_with(&format!("= \"{name}\"")));
        assert!(example, "`{name}` has no example");
        for (key, default) in rows("", options) {
            let start = format!("| `{key}` |");
            let row = section.lines().find(|line| line.starts_with(&start));
            let row = row.unwrap_or_else(|| panic!("`{name}` has no row `{key}`"));
            let shown = default.is_empty() || row.contains(&format!("`{default}`"));
            assert!(shown, "the default of `{key}` of `{name}` is {default}");
        }
    }
}

#[test]
fn the_page_of_the_configuration_has_every_common_key_and_its_default() {
    let page = "docs/configuration.md";
    assert_rows(page, "receiver.", fields::RECEIVER);
    assert_rows(page, "flush.", fields::FLUSH);
    assert_rows(page, "", fields::TRANSFORM);
    assert_rows(page, "", fields::SINK);
    for key in ["version", "memory", "locked", "test"] {
        let only = fields::ROOT.iter().position(|field| field.name == key);
        let at = only.expect("it is a key of the file");
        assert_rows(page, "", &fields::ROOT[at..=at]);
    }
}

#[test]
fn every_link_to_a_file_leads_somewhere() {
    for page in pages() {
        let folder = page.parent().expect("a page is in a folder");
        for target in text(&page).split("](").skip(1) {
            let target = target.split(')').next().unwrap_or_default();
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || file.starts_with("https://") {
                continue;
            }
            let there = folder.join(file).exists();
            assert!(there, "{}: `{target}` is not there", page.display());
        }
    }
}
