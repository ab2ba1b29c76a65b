//! The house rules that a machine can check, as a test. Clippy has the rest.
//!
//! Each rule gives one line for each place that breaks it, so that all are seen at once.

use std::fs;
use std::path::{Path, PathBuf};

/// `STYLE.md`, 2.
const LINES_MAX: usize = 800;

/// Files beside a crate's `lib.rs` that may ask for a feature, and why.
const FEATURE_FILES: [&str; 1] = [
    // The whole file tests the local Lambda, which is part of the command line.
    "extension/tests/local.rs",
];

/// A text file of the project: its path from the root, and what it holds.
struct File {
    path: String,
    text: String,
}

impl File {
    /// Numbered lines of code that a user runs: none of `tests`, and nothing from the first `#[cfg(test)]` on.
    fn product(&self) -> impl Iterator<Item = (usize, &str)> {
        let for_tests = !self.path.contains("/src/")
            || self.path.starts_with("tests/")
            || self.path.contains("/tests")
            || self.path.contains("_test");
        self.code()
            .take_while(move |(_, line)| !for_tests && *line != "#[cfg(test)]")
    }

    /// Numbered lines of code, without comments of their own.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        lines
            .map(|(index, line)| (index + 1, line.trim()))
            .filter(|(_, line)| !line.starts_with("//"))
    }

    fn at(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Every file with one of these endings, but for what is built or hidden.
fn files(endings: &[&str]) -> Vec<File> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).expect("the checkout can be read") {
            let entry = entry.expect("the checkout can be read");
            let name = entry
                .file_name()
                .into_string()
                .expect("the checkout can be read");
            let path = folder.join(&name);
            if name.starts_with('.') || name == "target" || name == "node_modules" {
                continue;
            }
            if entry
                .file_type()
                .expect("the checkout can be read")
                .is_dir()
            {
                folders.push(path);
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let text =
                    fs::read_to_string(root().join(&path)).expect("the checkout can be read");
                let path = path.to_str().expect("the checkout can be read").to_owned();
                found.push(File { path, text });
            }
        }
    }
    assert!(!found.is_empty(), "no file ends with {endings:?}");
    found
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_default()
}

fn assert_none(broken: Vec<String>) {
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn a_file_ends_within_800_lines_and_its_first_line_says_what_it_is() {
    let mut broken = Vec::new();
    for file in files(&[".rs"]) {
        let lines = file.text.lines().count();
        if lines > LINES_MAX {
            broken.push(file.at(lines, "the file is too long: split it"));
        }
        // `x/tests.rs` is the test module of `x.rs`, which says what `x` is.
        if !file.text.starts_with("//! ") && !file.path.ends_with("/tests.rs") {
            broken.push(file.at(1, "the first line does not say what the file is"));
        }
    }
    assert_none(broken);
}

/// `STYLE.md`, 13 and 33, and no work left for later without a number.
#[test]
fn nothing_is_unbounded_unreasoned_or_left_for_later() {
    let (later, fixme) = (concat!("TO", "DO"), concat!("FIX", "ME"));
    let endless = concat!("un", "bounded");
    let mut broken = Vec::new();
    for file in files(&[".rs", ".md", ".toml", ".py"]) {
        for (index, line) in file.text.lines().enumerate() {
            let marked = line.contains(&format!("{later}:")) || line.contains(&format!("{later}("));
            if (marked || line.contains(fixme)) && !line.contains('#') {
                broken.push(file.at(index + 1, "work for later has the number of an issue"));
            }
        }
        if !file.path.ends_with(".rs") {
            continue;
        }
        for (number, line) in file.code() {
            if line.contains(&format!("{endless}(")) || line.contains(&format!("{endless}_channel"))
            {
                broken.push(file.at(number, "every queue has a bound"));
            }
        }
        for (number, line) in file.product() {
            if let Some((_, rest)) = line.split_once(".expect(\"")
                && !rest.split('"').next().unwrap_or_default().contains(' ')
            {
                broken.push(file.at(number, "`expect` says why it cannot happen"));
            }
        }
    }
    assert_none(broken);
}

/// `STYLE.md`, 7.
#[test]
fn features_gate_modules_and_rows_and_never_code_inside_a_file() {
    let mut broken = Vec::new();
    for file in files(&[".rs"]) {
        let allowed = file.path.ends_with("/src/lib.rs")
            || file.path.starts_with("tests/tidy/")
            || FEATURE_FILES.contains(&file.path.as_str());
        for (number, line) in file.code().filter(|_| !allowed) {
            if line.contains("feature = \"") && line.contains("cfg") && !line.contains("test-util")
            {
                broken.push(file.at(number, "features gate `mod` lines and rows of a table"));
            }
        }
    }
    assert_none(broken);
}

/// `core` opens no socket and reads no file, `transforms` never wait: the invariants of `ARCHITECTURE.md`.
#[test]
fn core_does_no_input_and_transforms_never_wait() {
    let mut broken = Vec::new();
    for file in files(&[".rs"]) {
        let words: &[&str] = match file.path.split('/').next() {
            Some("core") => &[
                "TcpStream",
                "UdpSocket",
                "std::fs",
                "tokio::net",
                "tokio::fs",
                "File::open",
                "env::var",
            ],
            Some("transforms") => &[
                "async ",
                ".await",
                "TcpStream",
                "UdpSocket",
                "std::fs",
                "tokio",
            ],
            _ => continue,
        };
        for (number, line) in file.code() {
            for word in words.iter().filter(|word| line.contains(**word)) {
                broken.push(file.at(number, &format!("`{word}` has no place in this crate")));
            }
        }
    }
    assert_none(broken);
}

/// What `docs/extending.md` asks of whoever adds a kind.
#[test]
fn every_kind_has_its_feature_page_reference_and_line_in_the_readme() {
    let sinks = tapline_sinks::kinds().iter();
    let sinks = sinks.map(|kind| ("sinks", "[sink.", kind.name, kind.feature));
    let transforms = tapline_transforms::kinds().iter();
    let transforms =
        transforms.map(|kind| ("transforms", "[[transform]]", kind.name, kind.feature));
    let (readme, reference) = (read("README.md"), read("config-examples/reference.toml"));
    let mut broken = Vec::new();
    for (group, header, name, feature) in sinks.chain(transforms) {
        let mut want = |holds: bool, what: String| {
            if !holds {
                broken.push(format!("`{name}` of {group} has no {what}"));
            }
        };
        // The console needs nothing and is always there.
        if name != "console" {
            for manifest in [
                format!("{group}/Cargo.toml"),
                "extension/Cargo.toml".to_owned(),
            ] {
                let line = format!("\n{feature} = [");
                want(
                    read(&manifest).contains(&line),
                    format!("feature in {manifest}"),
                );
            }
        }
        let page = format!("docs/{group}/{name}.md");
        want(!read(&page).is_empty(), format!("page {page}"));
        want(readme.contains(&page), "line in README.md".to_owned());
        let table = reference.split(header).skip(1);
        let typed = format!("\ntype = \"{name}\"");
        let found = table.into_iter().any(|table| table.contains(&typed));
        want(found, "table in config-examples/reference.toml".to_owned());
    }
    assert_none(broken);
}

/// Whatever a page, a comment or a script names is in the repository, or is public.
#[test]
fn nothing_names_a_place_outside_of_the_repository() {
    let places = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("../sha", "red"),
    ];
    let mut broken = Vec::new();
    for file in files(&[".md", ".rs", ".toml", ".py", ".json"]) {
        for (index, line) in file.text.lines().enumerate() {
            for place in places.iter().filter(|place| line.contains(**place)) {
                broken.push(file.at(index + 1, &format!("`{place}` is on one machine only")));
            }
        }
    }
    assert_none(broken);
}

/// Links of pages to files of the repository lead somewhere.
#[test]
fn links_between_pages_lead_somewhere() {
    let mut broken = Vec::new();
    for file in files(&[".md"]) {
        let folder = Path::new(&file.path).parent().unwrap();
        for (index, line) in file.text.lines().enumerate() {
            for rest in line.split("](").skip(1) {
                let target = rest.split([')', '#']).next().unwrap_or_default();
                let outside = target.contains("://") || target.starts_with("mailto:");
                if !outside && !target.is_empty() && !root().join(folder).join(target).exists() {
                    broken.push(file.at(index + 1, &format!("`{target}` does not exist")));
                }
            }
        }
    }
    assert_none(broken);
}

/// The list of what sinks must do names tests: each of them exists, and no requirement is without one or a reason.
#[test]
fn every_requirement_of_a_sink_names_a_test_that_exists_or_says_why_not() {
    const PAGE: &str = "docs/development/sinks.md";
    let sources = files(&[".rs", ".py"]);
    let is_there = |named: &str| {
        let Some((place, name)) = named.split_once("::") else {
            return false;
        };
        sources.iter().any(|file| {
            let of_place = format!("/{}", file.path).contains(&format!("/{place}"));
            of_place && is_defined(&file.text, name)
        })
    };
    let (mut broken, mut rows) = (Vec::new(), 0);
    for (index, line) in read(PAGE).lines().enumerate() {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
        if !line.starts_with("| ") || cells[1..] == ["Shown by "] {
            continue;
        }
        rows += 1;
        let [_, shown] = cells[..] else {
            broken.push(format!("{PAGE}:{}: a row has two cells", index + 1));
            continue;
        };
        let named: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
        let tests = named.iter().filter(|word| word.contains("::"));
        let missing: Vec<_> = tests.clone().filter(|named| !is_there(named)).collect();
        if !missing.is_empty() {
            broken.push(format!("{PAGE}:{}: there is no {missing:?}", index + 1));
        }
        if tests.count() == 0 && !shown.trim().starts_with("**Not:** ") {
            broken.push(format!("{PAGE}:{}: neither a test nor a reason", index + 1));
        }
    }
    assert!(rows >= 100, "the page was read: {rows} rows");
    assert_none(broken);
}

/// Whether a function of this name is in a source file, for tests: of Rust with a test in it, or of Python.
fn is_defined(text: &str, name: &str) -> bool {
    let has_tests = text.contains("#[test]") || text.contains("#[tokio::test");
    (has_tests && text.contains(&format!("fn {name}("))) || text.contains(&format!("def {name}("))
}
