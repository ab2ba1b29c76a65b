//! What the status of an answer means for the records, where a destination has no words of its own.

use hyper::StatusCode;
use hyper::header::{HeaderMap, RETRY_AFTER};
use tapline_core::sink::Verdict;

use super::retry_after;

/// The verdict of a status: 2xx accepts; 408, 425, 429 and 5xx other than 501 and 505 are worth another attempt, not
/// before `Retry-After`; 413 asks for less at once; anything else, redirects too, refuses for good.
///
/// `wall_ms` is the wall clock, for a `Retry-After` that is a date.
///
/// Source: RFC 9110 §15, RFC 8470 §5.2 (425), RFC 6585 §4 (429), read 2026-11-23.
pub(crate) fn classify(status: StatusCode, headers: &HeaderMap, wall_ms: i64) -> Verdict {
    match status.as_u16() {
        200..=299 => Verdict::Accepted,
        413 => Verdict::TooLarge,
        501 | 505 => Verdict::Rejected(word(status).into()),
        408 | 425 | 429 | 500..=599 => Verdict::Retry {
            why: word(status).into(),
            after: headers
                .get(RETRY_AFTER)
                .and_then(|value| retry_after::parse(value.as_bytes(), wall_ms)),
            answered: true,
        },
        _ => Verdict::Rejected(word(status).into()),
    }
}

fn word(status: StatusCode) -> String {
    status.as_str().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn every_status_has_one_meaning() {
        let retried = [408, 425, 429, 500, 502, 503, 504, 506, 507, 520, 529, 599];
        let rejected = [
            100, 101, 300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 406, 409,
            410, 411, 414, 415, 422, 431, 451, 499, 501, 505, 600, 999,
        ];
        let verdict = |status: u16, headers: &HeaderMap| {
            classify(StatusCode::from_u16(status).unwrap(), headers, 0)
        };
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, "3".parse().unwrap());
        for status in retried {
            let wanted = Verdict::Retry {
                why: status.to_string().into(),
                after: Some(Duration::from_secs(3)),
                answered: true,
            };
            assert_eq!(verdict(status, &headers), wanted);
        }
        headers.clear();
        for status in rejected {
            let wanted = Verdict::Rejected(status.to_string().into());
            assert_eq!(verdict(status, &headers), wanted);
        }
        for status in 200..300 {
            assert_eq!(verdict(status, &headers), Verdict::Accepted);
        }
        assert_eq!(verdict(413, &headers), Verdict::TooLarge);
        for status in 100..=999 {
            verdict(status, &headers);
        }
    }
}
