//! What CloudWatch's answer to PutLogEvents means for each event.

use std::borrow::Cow;
use std::collections::BTreeMap;

use tapline_core::json;
use tapline_core::sink::{Outcome, Verdict};

use crate::shared::fault::member;
use crate::shared::http::Answer;

/// Why an entity is refused. Anything else stays out of the log: whoever answers may write there what was sent.
///
/// Source: `RejectedEntityInfo` of the API reference, read 2026-11-25.
const ENTITY_ERRORS: [&str; 7] = [
    "EntitySizeTooLarge",
    "InvalidAttributes",
    "InvalidEntity",
    "InvalidKeyAttributes",
    "InvalidTypeValue",
    "MissingRequiredFields",
    "UnsupportedLogGroupType",
];

/// The members of an answer.
///
/// Source: response syntax of PutLogEvents in the API reference, read 2026-11-25.
const MEMBERS: [&str; 3] = [
    "nextSequenceToken",
    "rejectedEntityInfo",
    "rejectedLogEventsInfo",
];

/// Events of one request that were not stored. They are in order of time, so that the old are in front.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stored {
    /// The events before this one are older than 14 days.
    too_old_before: usize,
    /// The events before this one are older than the group keeps them.
    expired_before: usize,
    /// This event and those behind it are more than 2 h ahead.
    too_new_from: Option<usize>,
    /// The entity was refused, and why; the events were stored without it.
    pub entity_refused: Option<&'static str>,
}

impl Stored {
    /// Reads the answer to a request that succeeded. `None` where it is none of CloudWatch's.
    ///
    /// What lies between the old and the new was stored.
    ///
    /// Source: `RejectedLogEventsInfo` of the API reference, read 2026-11-25: the end of the old is exclusive, the start
    /// of the new inclusive. How `expiredLogEventEndIndex` differs is not documented; other clients take it for the
    /// exclusive end of a prefix, as here.
    pub fn read(answer: &Answer) -> Option<Stored> {
        let body = answer.body.as_slice();
        let object = json::whole_value(body).filter(|whole| body[whole.start] == b'{');
        let has_id = answer.headers.contains_key("x-amzn-requestid");
        let Some(object) = object else {
            // Of an answer that broke off nobody knows what it would have refused.
            let says_nothing = body.is_empty() && answer.whole && has_id;
            return says_nothing.then(Stored::default);
        };
        let mut stored = Stored::default();
        for (key, value) in json::members(body, object) {
            let value = &body[value];
            let is_own = |name: &str| json::key_is(&body[key.clone()], name);
            // Gateways and copies of the service leave the id out, but they say nothing else.
            if !has_id && !MEMBERS.iter().any(|name| is_own(name)) {
                return None;
            }
            if is_own("rejectedLogEventsInfo") {
                stored.too_old_before = index(value, "tooOldLogEventEndIndex").unwrap_or(0);
                stored.expired_before = index(value, "expiredLogEventEndIndex").unwrap_or(0);
                stored.too_new_from = index(value, "tooNewLogEventStartIndex");
            }
            if is_own("rejectedEntityInfo") && value != b"null" {
                let why = member(value, &["errorType"]).unwrap_or_default();
                let known = ENTITY_ERRORS.iter().find(|known| **known == why);
                stored.entity_refused = Some(known.copied().unwrap_or("unknown"));
            }
        }
        Some(stored)
    }

    /// Why an event was not stored.
    pub fn refusal(&self, event: usize) -> Option<&'static str> {
        if event < self.too_old_before {
            Some("too_old")
        } else if event < self.expired_before {
            Some("expired")
        } else if self.too_new_from.is_some_and(|from| event >= from) {
            Some("too_new")
        } else {
            None
        }
    }
}

/// A member that is a number. A negative one says nothing.
fn index(object: &[u8], name: &str) -> Option<usize> {
    let whole = json::whole_value(object)?;
    let mut members = json::members(object, whole);
    let (_, value) = members.find(|(key, _)| json::key_is(&object[key.clone()], name))?;
    std::str::from_utf8(&object[value]).ok()?.parse().ok()
}

/// What became of the records of one call; those that are not in it were stored.
#[derive(Debug, Default)]
pub(super) struct Fates {
    of: BTreeMap<u32, Verdict>,
}

impl Fates {
    /// Adds what became of a part of a record. A record is as badly off as the worst of its parts: refused, to be sent
    /// again, stored.
    pub fn add(&mut self, position: u32, verdict: Verdict) {
        let kept = self.of.get(&position);
        if !matches!(kept, Some(Verdict::Rejected(_))) && verdict != Verdict::Accepted {
            self.of.insert(position, verdict);
        }
    }

    /// Adds one verdict for many.
    pub fn add_all(&mut self, positions: impl Iterator<Item = u32>, verdict: &Verdict) {
        positions.for_each(|position| self.add(position, verdict.clone()));
    }

    /// Adds records that were refused with a word.
    pub fn refuse(&mut self, position: u32, why: &'static str) {
        self.add(position, Verdict::Rejected(Cow::Borrowed(why)));
    }

    /// The outcome of the call.
    pub fn outcome(self) -> Outcome {
        Outcome {
            verdict: Verdict::Accepted,
            exceptions: self.of.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::StatusCode;
    use hyper::header::HeaderMap;

    fn read(header: bool, body: &str) -> Option<Stored> {
        read_of(header, body, true)
    }

    fn read_of(header: bool, body: &str, whole: bool) -> Option<Stored> {
        let mut headers = HeaderMap::new();
        if header {
            headers.insert("x-amzn-requestid", "1".parse().unwrap());
        }
        Stored::read(&Answer {
            status: StatusCode::OK,
            headers,
            body: body.as_bytes().to_vec(),
            whole,
            resent: false,
        })
    }

    /// The reasons of five events.
    fn reasons(info: &str) -> [&'static str; 5] {
        let body = format!("{{\"nextSequenceToken\":\"1\",\"rejectedLogEventsInfo\":{info}}}");
        let stored = read(true, &body).unwrap();
        std::array::from_fn(|event| stored.refusal(event).unwrap_or("-"))
    }

    #[test]
    fn each_field_and_each_combination_is_counted_to_the_event() {
        let rows = [
            ("{}", ["-"; 5]),
            ("null", ["-"; 5]),
            (
                r#"{"tooOldLogEventEndIndex":2}"#,
                ["too_old", "too_old", "-", "-", "-"],
            ),
            (
                r#"{"expiredLogEventEndIndex":1}"#,
                ["expired", "-", "-", "-", "-"],
            ),
            (
                r#"{"tooNewLogEventStartIndex":4}"#,
                ["-", "-", "-", "-", "too_new"],
            ),
            // The index 0 is there: all of them.
            (r#"{"tooNewLogEventStartIndex":0}"#, ["too_new"; 5]),
            (r#"{"tooOldLogEventEndIndex":0}"#, ["-"; 5]),
            (
                r#"{"tooOldLogEventEndIndex":1,"expiredLogEventEndIndex":2,"tooNewLogEventStartIndex":4}"#,
                ["too_old", "expired", "-", "-", "too_new"],
            ),
            (
                r#"{"tooOldLogEventEndIndex":99,"tooNewLogEventStartIndex":99}"#,
                ["too_old"; 5],
            ),
            (
                r#"{"tooOldLogEventEndIndex":-1,"tooNewLogEventStartIndex":-1}"#,
                ["-"; 5],
            ),
            (
                r#"{"tooOldLogEventEndIndex":99999999999999999999999}"#,
                ["-"; 5],
            ),
        ];
        for (info, wanted) in rows {
            assert_eq!(reasons(info), wanted, "{info}");
        }
    }

    #[test]
    fn an_answer_that_is_not_cloudwatchs_stores_nothing() {
        assert_eq!(read(true, ""), Some(Stored::default()));
        for body in ["{}", "{\"nextSequenceToken\":\"1\"}"] {
            assert_eq!(read(false, body), Some(Stored::default()), "{body}");
        }
        for body in ["<html>log in</html>", "[]", "{\"a\":", "ok"] {
            assert_eq!(read(true, body), None, "{body}");
            assert_eq!(read(false, body), None, "{body}");
        }
        // A portal speaks JSON, too.
        for body in [
            "",
            "{\"error\":\"log in\"}",
            "{\"rejectedLogEventsInfo\":null,\"a\":1}",
        ] {
            assert_eq!(read(false, body), None, "{body}");
        }
        assert_eq!(read(true, "{\"later\":1}"), Some(Stored::default()));
        assert_eq!(
            read_of(true, "", false),
            None,
            "what it would have refused is lost"
        );
    }

    #[test]
    fn a_refused_entity_is_told_apart_from_refused_events() {
        let body = r#"{"rejectedEntityInfo":{"errorType":"InvalidEntity"}}"#;
        let stored = read(true, body).unwrap();
        assert_eq!(stored.entity_refused, Some("InvalidEntity"));
        assert_eq!(stored.refusal(0), None);
    }

    #[test]
    fn a_record_is_as_badly_off_as_the_worst_of_its_parts() {
        let retry = Verdict::Retry {
            why: "503".into(),
            after: None,
            answered: true,
        };
        let mut fates = Fates::default();
        for position in 0..3 {
            fates.add(position, Verdict::Accepted);
        }
        fates.add(1, retry.clone());
        fates.add(1, Verdict::Accepted);
        fates.refuse(2, "too_old");
        fates.add(2, retry.clone());
        let outcome = fates.outcome();
        let refused = Verdict::Rejected("too_old".into());
        assert_eq!(outcome.exceptions, [(1, retry), (2, refused)]);
    }
}
