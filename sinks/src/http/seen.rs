//! One record as presets see it: times in the units of services, message, object, and templates rendered for it.

use std::borrow::Cow;

use tapline_core::batch::{Batch, Record};
use tapline_core::facts::Facts;
use tapline_core::invocation::Invocations;
use tapline_core::level::Level;
use tapline_core::template::{Moment, Template};
use tapline_core::time::{parse_rfc3339_ms, write_rfc3339};
use tapline_core::view::{NoRecord, Scratch, Surroundings, View, trim_newline};

/// What it takes to see records. Invocations are not known to sinks.
#[derive(Default)]
pub(super) struct Eyes {
    invocations: Invocations,
    scratch: Scratch,
}

/// A record and when it was written.
pub(super) struct Seen<'a> {
    pub batch: &'a Batch,
    pub record: &'a Record,
    pub time_ms: i64,
    view: View<'a>,
    scratch: &'a Scratch,
    /// The record's `time` is one.
    timed: bool,
}

impl Eyes {
    /// One record. A time that cannot be read is that of its arrival.
    pub fn see<'a>(&'a self, batch: &'a Batch, record: &'a Record, facts: &'a Facts) -> Seen<'a> {
        let around = Surroundings {
            facts,
            invocations: &self.invocations,
            scratch: &self.scratch,
        };
        let time_ms = parse_rfc3339_ms(batch.bytes(record.time));
        Seen {
            batch,
            record,
            time_ms: time_ms.unwrap_or(batch.arrived_ms()),
            view: View::new(batch, record, around),
            scratch: &self.scratch,
            timed: time_ms.is_some(),
        }
    }
}

impl Seen<'_> {
    /// Appends the time as RFC 3339, with every digit that it came with.
    pub fn write_time(&self, out: &mut Vec<u8>) {
        if self.timed {
            out.extend_from_slice(self.batch.bytes(self.record.time));
        } else {
            write_rfc3339(self.time_ms, out);
        }
    }

    /// Nanoseconds since 1970.
    pub fn time_ns(&self) -> i128 {
        let below_ms = match self.batch.bytes(self.record.time).get(19..) {
            Some([b'.', fraction @ ..]) if self.timed => nanoseconds(fraction) % 1_000_000,
            _ => 0,
        };
        i128::from(self.time_ms) * 1_000_000 + i128::from(below_ms)
    }

    /// The record's text: of a string the decoded inside without its final newline, of any other value its JSON.
    pub fn text(&self) -> &[u8] {
        trim_newline(self.view.text())
    }

    /// The raw JSON value.
    pub fn raw(&self) -> &[u8] {
        self.view.raw()
    }

    /// The message, where the record is text or JSON that has one.
    pub fn own_message(&self) -> Option<Cow<'_, [u8]>> {
        let message = self.view.message();
        let is_whole = message.len() == self.text().len();
        (!is_whole || self.object().is_none()).then_some(message)
    }

    /// The message, or all of the text.
    pub fn message(&self) -> Cow<'_, [u8]> {
        self.view.message()
    }

    /// The JSON object that the record is, or holds as text.
    pub fn object(&self) -> Option<&[u8]> {
        self.view
            .raw_at(&[])
            .filter(|raw| raw.first() == Some(&b'{'))
    }

    /// The severity, where one was found.
    pub fn level(&self) -> Option<Level> {
        self.record.level
    }

    /// Appends what a template says of this record.
    pub fn render(&self, template: &Template, out: &mut Vec<u8>) {
        let moment = Moment {
            time_ms: self.time_ms,
            seq: 0,
        };
        template.render(&self.view, &moment, out);
    }

    /// Calls a function with what a template says of this record.
    pub fn with_rendered<T>(&self, template: &Template, take: impl FnOnce(&[u8]) -> T) -> T {
        let mut text = self.scratch.take();
        self.render(template, &mut text);
        let taken = take(&text);
        self.scratch.give_back(text);
        taken
    }

    /// Calls a function with the attributes as a JSON object.
    pub fn with_attributes<T>(&self, take: impl FnOnce(&[u8]) -> T) -> T {
        let mut text = self.scratch.take();
        text.push(b'{');
        text.extend_from_slice(self.batch.bytes(self.record.attributes));
        text.push(b'}');
        let taken = take(&text);
        self.scratch.give_back(text);
        taken
    }
}

/// Renders a template that names no record, at a moment.
pub(super) fn render_fixed(template: &Template, facts: &Facts, time_ms: i64) -> Vec<u8> {
    let mut text = Vec::new();
    let moment = Moment { time_ms, seq: 0 };
    template.render(&NoRecord(facts), &moment, &mut text);
    text
}

/// The first nine digits of a fraction, as if zeros followed.
fn nanoseconds(fraction: &[u8]) -> u32 {
    let mut digits = fraction
        .iter()
        .map_while(|byte| byte.is_ascii_digit().then(|| u32::from(byte - b'0')));
    (0..9).fold(0, |number, _| number * 10 + digits.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_is_read_to_the_nanosecond() {
        for (fraction, wanted) in [
            ("589Z", 589_000_000),
            ("5Z", 500_000_000),
            ("123456Z", 123_456_000),
            ("1234567899Z", 123_456_789),
            ("000000001+01:00", 1),
            ("Z", 0),
        ] {
            assert_eq!(nanoseconds(fraction.as_bytes()), wanted, "{fraction}");
        }
    }
}
