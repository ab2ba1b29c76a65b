//! What an answer means for the records: a pure function over one table, error code first, status second.
//!
//! A protocol with words of its own adds rows to [`ROWS`]; where it has no row the status speaks, as HTTP defines it.
//! A sink that can put something right by itself (credentials, the clock, a region) looks at the [`Class`] and tries
//! once more within the same call; the loop in `tapline-core` does the rest with the [`Verdict`].

use std::time::Duration;

use hyper::header::{HeaderMap, RETRY_AFTER};
use tapline_core::sink::Verdict;

use super::http::Answer;
use super::retry_after;

/// What an answer means.
#[allow(
    dead_code,
    reason = "which of them are used depends on the sinks in the build"
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// The destination took the records.
    Accepted,
    /// Refused for good: the same request would be refused again.
    Rejected,
    /// Worth another attempt.
    Retry,
    /// Worth another attempt, and not soon.
    Throttled,
    /// Too much for one request.
    TooLarge,
    /// Wrong credentials, a missing permission, a destination that is not there: one loud line, then tried rarely.
    Disable,
    /// Our clock and theirs differ by more than a signature may.
    ClockSkew,
    /// The credentials are over; fresh ones may do.
    CredentialsExpired,
}

/// Whose codes and statuses are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP as such: statuses alone.
    Http,
}

/// One row: this code, or where it is `None` any status from the first to the last, means that.
struct Row {
    protocol: Protocol,
    code: Option<&'static str>,
    statuses: (u16, u16),
    class: Class,
}

const fn status(protocol: Protocol, first: u16, last: u16, class: Class) -> Row {
    Row {
        protocol,
        code: None,
        statuses: (first, last),
        class,
    }
}

/// The first row that fits decides.
///
/// Source of the statuses: RFC 9110 §15, RFC 8470 §5.2 (425), RFC 6585 §4 (429), read 2026-11-23. 401, 403 and 404
/// speak of credentials, permissions and the address, not of the records: those stay. 407 is a proxy's 401.
const ROWS: &[Row] = &[
    status(Protocol::Http, 200, 299, Class::Accepted),
    status(Protocol::Http, 401, 401, Class::Disable),
    status(Protocol::Http, 403, 404, Class::Disable),
    status(Protocol::Http, 407, 407, Class::Disable),
    status(Protocol::Http, 408, 408, Class::Retry),
    status(Protocol::Http, 413, 413, Class::TooLarge),
    status(Protocol::Http, 425, 425, Class::Retry),
    status(Protocol::Http, 429, 429, Class::Throttled),
    status(Protocol::Http, 501, 501, Class::Rejected),
    status(Protocol::Http, 503, 503, Class::Throttled),
    status(Protocol::Http, 505, 505, Class::Rejected),
    status(Protocol::Http, 500, 599, Class::Retry),
    status(Protocol::Http, 0, u16::MAX, Class::Rejected),
];

/// What a code, where the answer has one, and a status mean. A code that no row names leaves it to the status.
pub(crate) fn classify(protocol: Protocol, code: Option<&str>, status: u16) -> Class {
    let by_code = code.and_then(|code| {
        ROWS.iter()
            .find(|row| row.protocol == protocol && row.code == Some(code))
    });
    let by_status = |protocol: Protocol| {
        ROWS.iter().find(|row| {
            let (first, last) = row.statuses;
            row.protocol == protocol && row.code.is_none() && (first..=last).contains(&status)
        })
    };
    let row = by_code
        .or_else(|| by_status(protocol))
        .or_else(|| by_status(Protocol::Http));
    row.map_or(Class::Rejected, |row| row.class)
}

/// The verdict of a class. `word` names it in the ledger: a code or a status; `after` is what the destination asked to
/// wait.
pub(crate) fn verdict(class: Class, word: &str, after: Option<Duration>) -> Verdict {
    let why = || word.to_owned().into();
    match class {
        Class::Accepted => Verdict::Accepted,
        Class::Rejected => Verdict::Rejected(why()),
        Class::TooLarge => Verdict::TooLarge,
        Class::Disable => Verdict::Denied { why: why() },
        Class::Retry | Class::Throttled | Class::ClockSkew | Class::CredentialsExpired => {
            Verdict::Retry {
                why: why(),
                after,
                answered: true,
            }
        }
    }
}

/// The verdict of an answer whose status says all, for all records of a request. `wall_ms` is the wall clock, for a
/// `Retry-After` that is a date.
pub(crate) fn by_status(answer: &Answer, wall_ms: i64) -> Verdict {
    let class = classify(Protocol::Http, None, answer.status.as_u16());
    let after = wait(&answer.headers, wall_ms);
    verdict(class, answer.status.as_str(), after)
}

/// What `Retry-After` asks to wait, in seconds or as a date.
pub(crate) fn wait(headers: &HeaderMap, wall_ms: i64) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?;
    retry_after::parse(value.as_bytes(), wall_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_of_http_has_one_meaning() {
        let of = |status: u16| classify(Protocol::Http, None, status);
        for retried in [408, 425, 500, 502, 504, 506, 507, 520, 529, 599] {
            assert_eq!(of(retried), Class::Retry, "{retried}");
        }
        for throttled in [429, 503] {
            assert_eq!(of(throttled), Class::Throttled, "{throttled}");
        }
        for denied in [401, 403, 404, 407] {
            assert_eq!(of(denied), Class::Disable, "{denied}");
        }
        let rejected = [
            100, 101, 300, 301, 302, 303, 304, 307, 308, 400, 402, 405, 406, 409, 410, 411, 414,
            415, 422, 431, 451, 499, 501, 505, 600, 999,
        ];
        for rejected in rejected {
            assert_eq!(of(rejected), Class::Rejected, "{rejected}");
        }
        assert!((200..300).all(|status| of(status) == Class::Accepted));
        assert_eq!(of(413), Class::TooLarge);
    }

    #[test]
    fn an_unknown_code_leaves_it_to_the_status() {
        assert_eq!(classify(Protocol::Http, Some("Odd"), 429), Class::Throttled);
    }

    #[test]
    fn each_class_has_a_verdict_that_keeps_or_counts_the_records() {
        let after = Some(Duration::from_secs(3));
        let retry = Verdict::Retry {
            why: "503".into(),
            after,
            answered: true,
        };
        let rows = [
            (Class::Accepted, Verdict::Accepted),
            (Class::Rejected, Verdict::Rejected("503".into())),
            (Class::TooLarge, Verdict::TooLarge),
            (Class::Disable, Verdict::Denied { why: "503".into() }),
            (Class::Retry, retry.clone()),
            (Class::Throttled, retry.clone()),
            (Class::ClockSkew, retry.clone()),
            (Class::CredentialsExpired, retry),
        ];
        for (class, wanted) in rows {
            assert_eq!(verdict(class, "503", after), wanted, "{class:?}");
        }
    }

    /// A row behind one that takes all its statuses would never be reached.
    #[test]
    fn every_row_is_reached() {
        for (position, row) in ROWS.iter().enumerate() {
            let reached = match row.code {
                Some(code) => ROWS[..position]
                    .iter()
                    .all(|other| other.protocol != row.protocol || other.code != Some(code)),
                None => (row.statuses.0..=row.statuses.1).any(|status| {
                    ROWS[..position].iter().all(|other| {
                        other.protocol != row.protocol
                            || other.code.is_some()
                            || !(other.statuses.0..=other.statuses.1).contains(&status)
                    })
                }),
            };
            assert!(reached, "row {position}");
        }
    }
}
