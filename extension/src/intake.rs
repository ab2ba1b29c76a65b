//! What is left out before the first transform: what `[receiver] types` does not name, and Tapline's own output.

use tapline_core::batch::{Batch, Fate, Origin};

/// Decides on records as they come in.
#[derive(Debug, Clone, Copy)]
pub struct Intake {
    /// `[receiver] types` names `platform`. The platform is subscribed to all the same: joins and the lifecycle need
    /// its events.
    pub platform: bool,
    /// It names `function`.
    pub function: bool,
    /// It names `extension`.
    pub extension: bool,
}

impl Intake {
    /// Marks what is left out as filtered.
    pub fn apply(self, batch: &mut Batch) {
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
            }
        }
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

    fn fates(platform: bool, rows: &[(&str, &str)]) -> Vec<Fate> {
        let rows: Vec<_> = rows
            .iter()
            .map(|(kind, value)| (*kind, *value, None))
            .collect();
        let mut batch = test_util::batch_of(&Budget::new(1 << 20), &rows);
        Intake {
            platform,
            function: true,
            extension: true,
        }
        .apply(&mut batch);
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
}
