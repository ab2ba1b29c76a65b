//! What is left out before the first transform, and the form that platform events take on their way in.
//!
//! Left out is what `[receiver] types` does not name, and Tapline's own output.

use std::rc::Rc;

use tapline_core::batch::{Batch, Fate, Origin, Record};
use tapline_core::json;
use tapline_core::level::Level;
use tapline_core::port::Identity;

use crate::decode::classic;
use crate::settings::{PlatformFormat, ReceiverSettings};

/// Decides on records as they come in.
#[derive(Debug)]
pub struct Intake {
    /// `[receiver] types` names `platform`. The platform is subscribed to all the same: joins and the lifecycle need
    /// its events.
    platform: bool,
    /// It names `function`.
    function: bool,
    /// It names `extension`.
    extension: bool,
    format: PlatformFormat,
    /// Gives ids to lines that stand for no event alone.
    identity: Rc<Identity>,
    /// The request id of the last END that was written: the Logs API tells of the same end twice.
    ended: Vec<u8>,
    /// A line, until it is quoted.
    line: Vec<u8>,
}

impl Intake {
    /// What a configuration asks for.
    pub fn new(settings: &ReceiverSettings, identity: Rc<Identity>) -> Intake {
        Intake {
            platform: settings.platform,
            function: settings.function,
            extension: settings.extension,
            format: settings.platform_format,
            identity,
            ended: Vec::new(),
            line: Vec::new(),
        }
    }

    /// Marks what is left out as filtered, and turns platform events into text where that is asked for. A timeout then
    /// adds a record of its own, since Lambda writes two lines where the API delivers one event.
    pub fn apply(&mut self, batch: &mut Batch) {
        for position in 0..batch.records().len() {
            let record = &batch.records()[position];
            let left_out = match record.origin {
                Origin::Platform => !self.platform,
                Origin::Function => !self.function,
                // With `extension` in `types`, what Tapline prints would come back, and be printed again.
                Origin::Extension => {
                    !self.extension || is_own(batch.bytes(record.value), batch.instance())
                }
                _ => false,
            };
            if left_out {
                batch.records_mut()[position].fate = Fate::Filtered;
            } else if record.origin == Origin::Platform && self.format == PlatformFormat::Text {
                self.write_line(batch, position);
            }
        }
    }

    /// Puts the line of a platform event in the place of its JSON.
    fn write_line(&mut self, batch: &mut Batch, position: usize) {
        let record = batch.records()[position].clone();
        let (kind, value) = (batch.bytes(record.kind), batch.bytes(record.value));
        let is_end = kind == b"platform.end";
        if is_end && batch.bytes(record.request_id) == self.ended {
            batch.records_mut()[position].fate = Fate::Filtered;
            return;
        }
        self.line.clear();
        if !classic::line(kind, value, &mut self.line) {
            // What came as text is the line already.
            batch.records_mut()[position].as_line = json::string_inside(value).is_some();
            return;
        }
        if is_end || kind == b"platform.runtimeDone" {
            self.ended.clear();
            self.ended.extend_from_slice(batch.bytes(record.request_id));
        }
        let text = batch.keep_with(|side| json::quote_into(&self.line, side));
        batch.records_mut()[position].value = text;
        batch.records_mut()[position].as_line = true;
        self.write_timeout(batch, record);
    }

    /// Adds the line about a timeout, where the event says so.
    fn write_timeout(&mut self, batch: &mut Batch, event: Record) {
        let (kind, value) = (batch.bytes(event.kind), batch.bytes(event.value));
        self.line.clear();
        if !classic::timed_out(kind, batch.bytes(event.time), value, &mut self.line) {
            return;
        }
        let value = batch.keep_with(|side| json::quote_into(&self.line, side));
        let kind = batch.keep(b"platform.fault");
        batch.push(Record {
            sequence: self.identity.next(),
            origin: Origin::Tapline,
            level: Some(Level::Error),
            as_line: true,
            kind,
            value,
            ..event
        });
    }
}

/// A line of the own log or ledger, or one that a console sink of this environment wrote; as text or as an object.
fn is_own(value: &[u8], instance: &[u8]) -> bool {
    let start: Vec<u8> = value
        .iter()
        .take(80)
        .copied()
        .filter(|byte| *byte != b'\\')
        .collect();
    let start = start.strip_prefix(b"\"").unwrap_or(&start);
    let id = start.strip_prefix(b"{\"id\":\"");
    start.starts_with(b"{\"tapline\":") || id.is_some_and(|id| id.starts_with(instance))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tapline_core::budget::Budget;
    use tapline_core::test_util;

    use crate::settings::Api;

    fn intake(platform: bool, format: PlatformFormat) -> Intake {
        let settings = ReceiverSettings {
            api: Api::Telemetry,
            platform,
            function: true,
            extension: true,
            platform_format: format,
            env: Vec::new(),
        };
        Intake::new(&settings, Rc::new(Identity::new([b'0'; 32])))
    }

    fn fates(platform: bool, rows: &[(&str, &str)]) -> Vec<Fate> {
        let rows: Vec<_> = rows
            .iter()
            .map(|(kind, value)| (*kind, *value, None))
            .collect();
        let mut batch = test_util::batch_of(&Budget::new(1 << 20), &rows);
        intake(platform, PlatformFormat::Json).apply(&mut batch);
        batch.records().iter().map(|record| record.fate).collect()
    }

    #[test]
    fn platform_events_that_nobody_asked_for_are_filtered() {
        let rows = [("platform.start", "{}"), ("function", "\"x\"")];
        assert_eq!(fates(true, &rows), [Fate::Live, Fate::Live]);
        assert_eq!(fates(false, &rows), [Fate::Filtered, Fate::Live]);
    }

    /// A console sink with `extension` in `types` would otherwise print its own lines for ever.
    #[test]
    fn own_output_is_never_taken_in_again() {
        let console = r#""{\"id\":\"0123456789abcdef0123456789abcdef-7\",\"time\":\"t\"}\n""#;
        let log = r#""{\"tapline\":\"warn\",\"message\":\"x\"}\n""#;
        let object = r#"{"tapline":"ledger","received":1}"#;
        let others = r#""{\"id\":\"someone-else\"}""#;
        let rows = [
            ("extension", console),
            ("extension", log),
            ("extension", object),
            ("extension", others),
        ];
        assert_eq!(
            fates(true, &rows),
            [Fate::Filtered, Fate::Filtered, Fate::Filtered, Fate::Live]
        );
        assert_eq!(
            fates(true, &[("function", log)]),
            [Fate::Live],
            "only extensions can be us"
        );
    }

    /// Values and fates of what comes in, as text.
    fn texts(rows: &[(&str, &str)]) -> Vec<(Fate, String)> {
        let rows: Vec<_> = rows
            .iter()
            .map(|(kind, value)| (*kind, *value, None))
            .collect();
        let mut batch = test_util::batch_of(&Budget::new(1 << 20), &rows);
        for position in 0..batch.records().len() {
            batch.records_mut()[position].origin = Origin::Platform;
            let id = batch.keep(b"r-1");
            batch.records_mut()[position].request_id = id;
        }
        intake(true, PlatformFormat::Text).apply(&mut batch);
        let read = |record: &Record| {
            let value = String::from_utf8_lossy(batch.bytes(record.value)).into_owned();
            (record.fate, value)
        };
        batch.records().iter().map(read).collect()
    }

    #[test]
    fn platform_events_become_text_and_a_timeout_two_records() {
        let timeout = r#"{"requestId":"r-1","status":"timeout","metrics":{"durationMs":3000.5}}"#;
        let said = texts(&[
            ("platform.start", r#"{"requestId":"r-1","version":"3"}"#),
            ("platform.runtimeDone", timeout),
            ("platform.initRuntimeDone", r#"{"status":"success"}"#),
        ]);
        let live = |text: &str| (Fate::Live, text.to_owned());
        assert_eq!(
            said,
            [
                live(r#""START RequestId: r-1 Version: 3""#),
                live(r#""END RequestId: r-1""#),
                live(r#"{"status":"success"}"#),
                live(r#""2026-03-14T09:26:53.589Z r-1 Task timed out after 3.00 seconds""#),
            ]
        );
    }

    /// The Logs API tells of an end as `platform.runtimeDone` and as `platform.end`.
    #[test]
    fn an_invocation_ends_once() {
        let end = r#"{"requestId":"r-1"}"#;
        let said = texts(&[("platform.runtimeDone", end), ("platform.end", end)]);
        assert_eq!(said[0].1, r#""END RequestId: r-1""#);
        assert_eq!(said[1], (Fate::Filtered, end.to_owned()));
        let alone = texts(&[("platform.end", end)]);
        assert_eq!(alone[0], (Fate::Live, r#""END RequestId: r-1""#.to_owned()));
    }
}
