//! The table of `docs/faults.md` is that of the matrix.

use super::dialect::DIALECTS;
use super::table::{Class, FAULTS, cell};

/// The table in Markdown: a row for each fault, a column for each sink.
fn table() -> String {
    let mut text = String::from("| |");
    for (_, name) in DIALECTS {
        text.push_str(&format!(" {name} |"));
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(DIALECTS.len()));
    for (fault, name) in FAULTS {
        text.push_str(&format!("\n| {name} |"));
        for (dialect, _) in DIALECTS {
            let word = cell(dialect, fault).map_or("", word);
            text.push_str(&format!(" {word} |"));
        }
    }
    text
}

fn word(class: Class) -> &'static str {
    match class {
        Class::Delivered => "delivered",
        Class::Kept(_) => "kept",
        Class::Denied(_) => "denied",
        Class::Rejected(_) => "rejected",
        Class::Partly(_) => "in part",
    }
}

#[test]
fn the_page_has_the_table_of_the_matrix() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/faults.md");
    let page = std::fs::read_to_string(path).unwrap();
    assert!(page.contains(&table()), "write this:\n\n{}\n", table());
}
