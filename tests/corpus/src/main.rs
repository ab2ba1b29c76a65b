//! Runs the corpus and compares the published table with what it finds.
//!
//! It fails where a value is missed, where more than one line of noise in a thousand is changed, where a card is found
//! among times and ids, or where the table in `docs/transforms/redact-rules.md` says something else. With `--write` it
//! writes the table.

use std::process::ExitCode;

use tapline_corpus::{noise, report, run};

/// Records for each way of writing a value, and for each of the four forms.
const EACH: usize = 130;

/// Lines of noise.
const NOISE: usize = 1_000_000;

/// The share of them that may be changed.
const CHANGED_MAX: f64 = 0.001;

fn main() -> ExitCode {
    let write = std::env::args()
        .nth(1)
        .is_some_and(|word| word == "--write");
    let (found, missed) = run::recall(1, EACH);
    let noise = run::precision(2, NOISE, "'@all', 'HighEntropy'", run::any_noise);
    let cards = run::precision(3, NOISE, "'CreditCardNumber'", noise::number);
    let table = report::table(&found, &noise, cards.changed);
    print!("{table}");
    let mut wrong = missed;
    if noise.changed as f64 > CHANGED_MAX * noise.lines as f64 {
        wrong.push(format!(
            "{} of {} lines of noise were changed:",
            noise.changed, noise.lines
        ));
        wrong.extend(noise.examples);
    }
    if cards.changed > 0 {
        wrong.push(format!(
            "{} cards were found where there are none:",
            cards.changed
        ));
        wrong.extend(cards.examples);
    }
    if let Err(what) = published(&table, write) {
        wrong.push(what);
    }
    if wrong.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("corpus: {}", wrong.join("\n"));
    ExitCode::FAILURE
}

/// Compares the table with the page, or writes it there.
fn published(table: &str, write: bool) -> Result<(), String> {
    let path = report::page();
    let shown = path.display();
    let page = std::fs::read_to_string(&path).map_err(|error| format!("{shown}: {error}"))?;
    let wanted = report::with_part(&page, table)
        .ok_or_else(|| format!("{shown} has no place for the table"))?;
    if write {
        return std::fs::write(&path, wanted).map_err(|error| format!("{shown}: {error}"));
    }
    if page == wanted {
        return Ok(());
    }
    Err(format!(
        "{shown} says something else; run it with --write and look at the difference"
    ))
}
