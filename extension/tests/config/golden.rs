//! What is said about wrong files, to the letter.

use tapline::settings::{Load, Place};

use super::load;

/// What a run in Lambda, and `check` where the file begins with `# check`, say about a file.
fn said(text: &str) -> String {
    let checked = text.starts_with("# check");
    let place = if checked {
        Place::Offline
    } else {
        Place::Lambda
    };
    let (mut diagnostics, end) = match load("tapline.toml", text, place) {
        Load::Runs(settings) => (settings.diagnostics, "runs"),
        Load::Parked(diagnostics) => (diagnostics, "parked"),
    };
    if checked {
        diagnostics.strict();
    }
    let end = match checked && diagnostics.has_errors() {
        true => "refused",
        false => end,
    };
    format!("{}=> {end}\n", diagnostics.render())
}

/// Every diagnostic of `golden.txt`: a case is the text of a file, `---`, what is printed for it, and what becomes of
/// the extension. A failure leaves the text as it would be now in the folder that it names.
#[test]
fn diagnostics_read_as_written_down() {
    let golden = include_str!("golden.txt");
    let (mut now, mut cases_count) = (String::new(), 0);
    for case in golden.split("=====\n").filter(|case| !case.is_empty()) {
        let (text, _) = case.split_once("---\n").expect("a case has both parts");
        now.push_str(&format!("=====\n{text}---\n{}", said(text)));
        cases_count += 1;
    }
    assert!(cases_count >= 25, "{cases_count}");
    if now != golden {
        let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/golden.txt");
        std::fs::write(path, &now).expect("it can be written");
        let differs = golden
            .lines()
            .zip(now.lines())
            .position(|(was, is)| was != is);
        let line = differs.unwrap_or_default();
        let excerpt: Vec<&str> = now.lines().skip(line.saturating_sub(5)).take(20).collect();
        panic!(
            "from line {} on it differs from {path}:\n{}",
            line + 1,
            excerpt.join("\n")
        );
    }
}
