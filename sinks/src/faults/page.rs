//! The table of `docs/faults.md` is that of the matrix.

use super::dialect::{Dialect, SINKS, presets};
use super::table::{Class, FAULTS, cell};

/// One column: its heading, and the word of each fault. Sinks that make the same of every fault share one.
struct Column {
    heading: String,
    words: Vec<&'static str>,
}

fn columns(dialects: Vec<(Dialect, String)>) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for (dialect, name) in dialects {
        let words = FAULTS.map(|(fault, _)| cell(dialect, fault).map_or("", word));
        match columns.iter_mut().find(|column| column.words == words) {
            Some(column) => column.heading.push_str(&format!(", {name}")),
            None => columns.push(Column {
                heading: name,
                words: words.to_vec(),
            }),
        }
    }
    columns
}

/// A table in Markdown: a row for each fault that any of these sinks can meet.
fn table(dialects: Vec<(Dialect, String)>) -> String {
    let columns = columns(dialects);
    let mut text = String::from("| |");
    for column in &columns {
        text.push_str(&format!(" {} |", column.heading));
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(columns.len()));
    for (row, (_, name)) in FAULTS.iter().enumerate() {
        if columns.iter().all(|column| column.words[row].is_empty()) {
            continue;
        }
        text.push_str(&format!("\n| {name} |"));
        for column in &columns {
            text.push_str(&format!(" {} |", column.words[row]));
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
fn the_page_has_the_tables_of_the_matrix() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/faults.md");
    let page = std::fs::read_to_string(path).unwrap();
    let sinks = SINKS.map(|(dialect, name)| (dialect, name.to_owned()));
    for table in [table(sinks.to_vec()), table(presets())] {
        assert!(page.contains(&table), "write this:\n\n{table}\n");
    }
}
