//! The files of `config-examples`.

use tapline::cli::check::check;
use tapline::settings::{Load, MINIMAL, Place};

use super::{environment, example, kinds, load};

fn text(name: &str) -> String {
    std::fs::read_to_string(example(name)).expect("the example is there")
}

#[test]
fn every_example_is_good() {
    let mut files_count = 0;
    for entry in std::fs::read_dir(example("")).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let mut out = Vec::new();
        let code = check(&path.to_string_lossy(), &kinds(), &environment, &mut out);
        assert_eq!(code, 0, "{}", String::from_utf8_lossy(&out));
        files_count += 1;
    }
    assert!(files_count >= 4, "{files_count}");
}

#[test]
fn the_smallest_one_is_what_the_extension_shows() {
    assert_eq!(text("minimal.toml"), MINIMAL);
}

#[test]
fn the_readme_names_every_example() {
    let readme = text("README.md");
    for name in [
        "minimal.toml",
        "local.toml",
        "http.toml",
        "invocations.toml",
        "loki.toml",
        "elasticsearch.toml",
        "reference.toml",
    ] {
        assert!(readme.contains(&format!("[{name}]({name})")), "{name}");
    }
}

#[test]
fn a_good_file_shows_its_plan() {
    let mut out = Vec::new();
    let path = example("local.toml");
    assert_eq!(
        check(&path.to_string_lossy(), &kinds(), &environment, &mut out),
        0
    );
    let shown = String::from_utf8_lossy(&out);
    for wanted in [
        "local.toml is good",
        "receive    platform, function from the Telemetry API",
        "transform  quiet (filter)",
        "           pii (redact)",
        "sink       out (console), after all transforms, queue 4MiB",
        "           errors (console), after all transforms, when level >= error, queue 4MiB",
        "memory     32MiB: at most 8MiB in queues, 24MiB for what is under way",
    ] {
        assert!(shown.contains(wanted), "{wanted}\n{shown}");
    }
}

#[test]
fn exit_codes_are_those_of_the_contract() {
    let bad = concat!(env!("CARGO_TARGET_TMPDIR"), "/bad.toml");
    std::fs::write(bad, format!("{MINIMAL}pth = \"x\"\n")).expect("it can be written");
    for (path, code) in [(bad, 1), ("/does/not/exist.toml", 2)] {
        let mut out = Vec::new();
        assert_eq!(check(path, &kinds(), &environment, &mut out), code);
        assert!(!out.is_empty());
    }
}

/// What `check` refuses may still run: an unknown key must not cost the records.
#[test]
fn an_unknown_key_is_no_reason_to_park() {
    let text = format!("{MINIMAL}pth = \"x\"\n");
    assert!(matches!(load("f", &text, Place::Lambda), Load::Runs(_)));
}
