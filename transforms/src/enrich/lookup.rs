//! A table of texts, looked into by a value of the record.

use tapline_core::expr::Subject;
use tapline_core::json;
use tapline_core::view::View;

use super::Place;

/// One table, and where what stands there goes.
pub(super) struct Lookup {
    /// What is looked up.
    pub by: Subject,
    /// In the order of the keys.
    table: Box<[Row]>,
    /// Where a found value is set.
    pub into: Place,
}

struct Row {
    key: Box<str>,
    /// As JSON.
    value: Box<[u8]>,
}

impl Lookup {
    /// A lookup in entries of which no two have the same key.
    pub fn new(by: Subject, entries: Vec<(String, String)>, into: Place) -> Lookup {
        let mut table: Vec<Row> = entries.into_iter().map(row).collect();
        table.sort_unstable_by(|left, right| left.key.cmp(&right.key));
        Lookup {
            by,
            table: table.into(),
            into,
        }
    }

    /// What stands in the table for the record, as JSON. `text` is a buffer, empty.
    pub fn find(&self, view: &View<'_>, text: &mut Vec<u8>) -> Option<&[u8]> {
        if !view.write(&self.by, text) {
            return None;
        }
        let order = |row: &Row| row.key.as_bytes().cmp(text);
        let found = self.table.binary_search_by(order).ok()?;
        Some(&self.table[found].value)
    }
}

fn row((key, text): (String, String)) -> Row {
    let mut value = Vec::with_capacity(text.len() + 2);
    json::quote_into(text.as_bytes(), &mut value);
    Row {
        key: key.into(),
        value: value.into(),
    }
}
