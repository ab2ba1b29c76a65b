//! The matrix: what each sink makes of each fault.

use super::dialect::Dialect::{self, *};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The connection is refused.
    Refused,
    /// The name is not known.
    NoName,
    /// The connection is never made.
    ConnectHangs,
    /// TLS: nothing answers the first message.
    TlsHangs,
    /// TLS: the certificate is another host's.
    TlsWrongHost,
    /// Who answers does not speak HTTP.
    Garbage,
    /// The connection is reset in the middle of the answer's head.
    ResetInAnswer,
    /// The request is read, and that is all.
    Silent,
    /// The head of the answer comes a byte a second, for ever.
    HeadDrips,
    /// Success at once, and then a body that comes a byte a second, for ever.
    BodyDrips,
    /// Success, and a body of 4 GiB.
    EndlessSuccess,
    /// 503, and a body of 4 GiB.
    EndlessFailure,
    /// 503.
    Busy,
    /// Too many requests: come back in 90 s.
    BusyFor,
    /// Too many requests: come back at a date 90 s ahead.
    BusyUntil,
    /// 500.
    Broken,
    /// The key or the token is wrong.
    WrongSecret,
    /// The caller may not do this.
    NoPermission,
    /// No such bucket, group, stream, index or path.
    NotThere,
    /// The session token has expired; an hour later the environment has a fresh one.
    Expired,
    /// Our clock is an hour ahead.
    Skewed,
    /// The destination is in another region than the one that is signed for.
    WrongRegion,
    /// Success, and errors inside.
    ErrorsInside,
}

/// All of them, each as `docs/faults.md` names it.
pub(super) const FAULTS: [(Fault, &str); 23] = [
    (Fault::Refused, "the connection is refused"),
    (Fault::NoName, "the name is not known"),
    (Fault::ConnectHangs, "the connection is never made"),
    (Fault::TlsHangs, "the TLS handshake hangs"),
    (
        Fault::TlsWrongHost,
        "TLS with a certificate for another host",
    ),
    (Fault::Garbage, "the answer is not HTTP"),
    (Fault::ResetInAnswer, "a reset in the middle of the answer"),
    (Fault::Silent, "no answer"),
    (Fault::HeadDrips, "the answer's head comes a byte a second"),
    (
        Fault::BodyDrips,
        "success, and a body that comes a byte a second",
    ),
    (Fault::EndlessSuccess, "success, and a body of 4 GiB"),
    (Fault::EndlessFailure, "503, and a body of 4 GiB"),
    (Fault::Busy, "503 for an hour"),
    (Fault::BusyFor, "throttled, with `Retry-After` in seconds"),
    (Fault::BusyUntil, "throttled, with `Retry-After` as a date"),
    (Fault::Broken, "500"),
    (Fault::WrongSecret, "wrong secret"),
    (Fault::NoPermission, "missing permission"),
    (Fault::NotThere, "no such bucket, group, index, path"),
    (Fault::Expired, "expired token"),
    (Fault::Skewed, "our clock is off by an hour"),
    (Fault::WrongRegion, "wrong region"),
    (Fault::ErrorsInside, "success with errors inside"),
];

/// What becomes of the records while it goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// All are delivered, as if nothing were.
    Delivered,
    /// They stay and are tried again; the breaker opens and says this word.
    Kept(&'static str),
    /// They stay; one loud line says this, and the destination is asked ever more rarely.
    Denied(&'static str),
    /// They are refused for good and counted under this word, which is said once.
    Rejected(&'static str),
    /// Those that the destination does not like are refused and counted under this word, the others delivered.
    Partly(&'static str),
}

/// The cell of a sink and a fault; `None` where there is no such thing.
pub(super) fn cell(sink: Dialect, fault: Fault) -> Option<Class> {
    use Class::*;
    let over_http = sink != Grpc;
    Some(match fault {
        Fault::Refused | Fault::NoName => Kept("connect"),
        Fault::ConnectHangs | Fault::TlsHangs => Kept("connect_timeout"),
        Fault::TlsWrongHost => Denied("certificate"),
        Fault::Garbage => Kept(if over_http { "malformed" } else { "closed" }),
        Fault::ResetInAnswer => Kept("closed"),
        Fault::Silent | Fault::HeadDrips => Kept("timeout"),
        Fault::BodyDrips | Fault::EndlessSuccess => success_that_breaks_off(sink),
        Fault::EndlessFailure | Fault::Busy | Fault::BusyFor | Fault::BusyUntil => {
            Kept(word_of_busy(sink, fault))
        }
        Fault::Broken => match sink {
            CloudWatch | Firehose => Kept("InternalFailure"),
            S3 => Kept("InternalError"),
            Otlp => Rejected("500"),
            Grpc => Rejected("INTERNAL"),
            Http | Loki | Elasticsearch | SplunkHec => Kept("500"),
        },
        Fault::WrongSecret => match sink {
            CloudWatch | Firehose => {
                Denied("InvalidSignatureException: the credentials are refused; look at")
            }
            S3 => Denied("SignatureDoesNotMatch: the credentials are refused; look at"),
            Grpc => Denied("UNAUTHENTICATED"),
            SplunkHec => Denied("403"),
            Otlp | Http | Loki | Elasticsearch => Denied("401"),
        },
        Fault::NoPermission => match sink {
            CloudWatch => Denied("AccessDeniedException: allow `logs:PutLogEvents`"),
            Firehose => Denied("AccessDeniedException: allow the function's role to write"),
            S3 => Denied("AccessDenied: allow `s3:PutObject` on `arn:aws:s3:::acme-logs/*`"),
            Grpc => Denied("PERMISSION_DENIED"),
            Otlp | Http | Loki | Elasticsearch | SplunkHec => Denied("403"),
        },
        Fault::NotThere => match sink {
            CloudWatch => Denied("AccessDeniedException: `/g` in `eu-west-1` has no stream"),
            Firehose => Denied("ResourceNotFoundException: there is no such resource"),
            S3 => Denied("NoSuchBucket: there is no bucket `acme-logs` in `eu-west-1`"),
            Grpc => Denied("UNIMPLEMENTED"),
            Otlp | Http | Loki | Elasticsearch | SplunkHec => Denied("404"),
        },
        Fault::Expired => match sink {
            CloudWatch | Firehose => Denied("ExpiredTokenException: the credentials are refused"),
            S3 => Denied("ExpiredToken: the credentials are refused"),
            _ => return None,
        },
        Fault::Skewed if sink.is_aws() => Delivered,
        Fault::WrongRegion => match sink {
            CloudWatch | Firehose => {
                Denied("InvalidSignatureException: the credentials are refused; look at")
            }
            S3 => Delivered,
            _ => return None,
        },
        Fault::Skewed => return None,
        Fault::ErrorsInside => match sink {
            CloudWatch => Partly("too_old"),
            Otlp | Grpc => Partly("partial_success"),
            Elasticsearch => Partly("document_parsing_exception"),
            SplunkHec => Partly("invalid_data"),
            Loki => Rejected("260"),
            Firehose => Kept("ServiceUnavailableException"),
            S3 => Kept("InternalError"),
            // Nothing says what its answers mean.
            Http => Delivered,
        },
    })
}

/// A success without its whole body is one where the status says all.
fn success_that_breaks_off(sink: Dialect) -> Class {
    match sink {
        CloudWatch => Class::Kept("not_cloudwatch"),
        S3 => Class::Kept("not_s3"),
        Elasticsearch | Firehose => Class::Kept("malformed"),
        Grpc => Class::Kept("UNAVAILABLE"),
        Otlp => Class::Kept("not_otlp"),
        Http | Loki | SplunkHec => Class::Delivered,
    }
}

fn word_of_busy(sink: Dialect, fault: Fault) -> &'static str {
    match (sink, fault) {
        (Grpc, Fault::BusyFor) => "RESOURCE_EXHAUSTED",
        (Grpc, _) => "UNAVAILABLE",
        (_, Fault::EndlessFailure) => "503",
        (CloudWatch | Firehose, Fault::Busy) => "ServiceUnavailableException",
        (CloudWatch | Firehose, _) => "ThrottlingException",
        (S3, _) => "SlowDown",
        (_, Fault::Busy) => "503",
        _ => "429",
    }
}
