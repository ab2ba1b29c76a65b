//! Level, message and ids as the managed runtimes and common loggers write them: in text and in JSON.
//!
//! Nothing here changes a record: what is found is a range of its text. What is not known stays unknown; a guess
//! would hide records from level filters, or let them through.

pub mod logfmt;
mod object;
#[cfg(test)]
mod tests;
mod text;

use std::ops::Range;

pub(crate) use object::Reading;
pub use object::{in_object, in_whole_object};
pub use text::in_text;

use crate::level::Level;

/// What was found in a record's text. Ranges are offsets into that text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recognised {
    /// The severity.
    pub level: Option<Level>,
    /// The request id, without quotes.
    pub request_id: Option<Range<usize>>,
    /// The trace id or X-Ray root as written, without quotes.
    pub trace_id: Option<Range<usize>>,
    /// The span id as written, without quotes.
    pub span_id: Option<Range<usize>>,
    /// The message. In JSON: a raw value, with its quotes where it is a string.
    pub message: Option<Range<usize>>,
    /// The text is JSON with `_aws` at its root: CloudWatch's embedded metric format.
    pub embedded_metrics: bool,
}

/// Request ids are UUIDs. Outside an invocation Node.js writes `undefined`, and Python nothing, where they stand; any
/// other text is the developer's own, and may be something that must not leave the record unredacted.
fn usable_id(text: &[u8], range: Range<usize>) -> Option<Range<usize>> {
    is_uuid(text.get(range.clone())?).then_some(range)
}

fn is_uuid(id: &[u8]) -> bool {
    let is_dash = |position: usize| matches!(position, 8 | 13 | 18 | 23);
    id.len() == 36
        && id.iter().enumerate().all(|(position, byte)| {
            if is_dash(position) {
                *byte == b'-'
            } else {
                byte.is_ascii_hexdigit()
            }
        })
}
