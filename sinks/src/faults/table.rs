//! The matrix: what each sink makes of each fault.

use super::dialect::Dialect::{self, *};
use super::services;

use Class::{Delivered, Denied, Kept, Partly, Rejected};

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
    /// What was sent cannot be taken.
    Refusal,
    /// The quota of the account is used up.
    OverQuota,
    /// Success, and errors inside.
    ErrorsInside,
}

/// All of them, each as `docs/faults.md` names it.
pub(super) const FAULTS: [(Fault, &str); 25] = [
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
    (Fault::Refusal, "the request is refused as wrong"),
    (Fault::OverQuota, "the quota of the account is used up"),
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
    let own = match sink {
        CloudWatch => of_cloudwatch(fault).or_else(|| of_aws(fault)),
        Firehose => of_firehose(fault).or_else(|| of_aws(fault)),
        OtlpSigned => of_otlp_signed(fault)
            .or_else(|| of_aws(fault))
            .or_else(|| of_otlp(fault)),
        S3 => of_s3(fault),
        Otlp => of_otlp(fault),
        Grpc => of_grpc(fault),
        // Nothing says what its answers mean.
        Http => (fault == Fault::ErrorsInside).then_some(Delivered),
        Preset(name) => {
            let cells = services::find(name).cells;
            let own = cells.iter().find(|(own, _)| *own == fault);
            own.map(|(_, class)| *class)
        }
    };
    own.or_else(|| of_network(fault)).or_else(|| of_http(fault))
}

fn of_network(fault: Fault) -> Option<Class> {
    Some(match fault {
        Fault::Refused | Fault::NoName => Kept("connect"),
        Fault::ConnectHangs | Fault::TlsHangs => Kept("connect_timeout"),
        Fault::TlsWrongHost => Denied("certificate"),
        Fault::Garbage => Kept("malformed"),
        Fault::ResetInAnswer => Kept("closed"),
        Fault::Silent | Fault::HeadDrips => Kept("timeout"),
        _ => return None,
    })
}

/// Where the status says all.
fn of_http(fault: Fault) -> Option<Class> {
    Some(match fault {
        Fault::BodyDrips | Fault::EndlessSuccess => Delivered,
        Fault::EndlessFailure | Fault::Busy => Kept("503"),
        Fault::BusyFor | Fault::BusyUntil => Kept("429"),
        Fault::Broken => Kept("500"),
        Fault::WrongSecret => Denied("401"),
        Fault::NoPermission => Denied("403"),
        Fault::NotThere => Denied("404"),
        Fault::Refusal => Rejected("400"),
        _ => return None,
    })
}

/// Of the services of AWS that speak JSON.
fn of_aws(fault: Fault) -> Option<Class> {
    Some(match fault {
        Fault::Busy => Kept("ServiceUnavailableException"),
        Fault::BusyFor | Fault::BusyUntil => Kept("ThrottlingException"),
        Fault::Broken => Kept("InternalFailure"),
        Fault::WrongSecret | Fault::WrongRegion => {
            Denied("InvalidSignatureException: the credentials are refused; look at")
        }
        Fault::Expired => Denied("ExpiredTokenException: the credentials are refused"),
        Fault::Skewed => Delivered,
        Fault::Refusal => Rejected("InvalidParameterException"),
        _ => return None,
    })
}

fn of_cloudwatch(fault: Fault) -> Option<Class> {
    Some(match fault {
        Fault::BodyDrips | Fault::EndlessSuccess => Kept("not_cloudwatch"),
        Fault::NoPermission => Denied("AccessDeniedException: allow `logs:PutLogEvents`"),
        Fault::NotThere => Denied("AccessDeniedException: `/g` in `eu-west-1` has no stream"),
        Fault::ErrorsInside => Partly("too_old"),
        _ => return None,
    })
}

fn of_firehose(fault: Fault) -> Option<Class> {
    Some(match fault {
        Fault::BodyDrips | Fault::EndlessSuccess => Kept("malformed"),
        Fault::NoPermission => Denied("AccessDeniedException: allow the function's role to write"),
        Fault::NotThere => Denied("ResourceNotFoundException: there is no such resource"),
        Fault::ErrorsInside => Kept("ServiceUnavailableException"),
        _ => return None,
    })
}

fn of_otlp_signed(fault: Fault) -> Option<Class> {
    Some(match fault {
        Fault::NoPermission => Denied("AccessDeniedException: allow the function's role to write"),
        Fault::NotThere => Denied("ResourceNotFoundException: make the log group and the stream"),
        Fault::Refusal => Rejected("400"),
        _ => return None,
    })
}

fn of_otlp(fault: Fault) -> Option<Class> {
    Some(match fault {
        Fault::BodyDrips | Fault::EndlessSuccess => Kept("not_otlp"),
        Fault::Broken => Rejected("500"),
        Fault::ErrorsInside => Partly("partial_success"),
        _ => return None,
    })
}

fn of_grpc(fault: Fault) -> Option<Class> {
    Some(match fault {
        Fault::Garbage => Kept("closed"),
        Fault::BodyDrips | Fault::EndlessSuccess | Fault::EndlessFailure => Kept("UNAVAILABLE"),
        Fault::Busy | Fault::BusyUntil => Kept("UNAVAILABLE"),
        Fault::BusyFor => Kept("RESOURCE_EXHAUSTED"),
        Fault::Broken => Rejected("INTERNAL"),
        Fault::WrongSecret => Denied("UNAUTHENTICATED"),
        Fault::NoPermission => Denied("PERMISSION_DENIED"),
        Fault::NotThere => Denied("UNIMPLEMENTED"),
        Fault::Refusal => Rejected("INVALID_ARGUMENT"),
        Fault::ErrorsInside => Partly("partial_success"),
        _ => return None,
    })
}

fn of_s3(fault: Fault) -> Option<Class> {
    Some(match fault {
        Fault::BodyDrips | Fault::EndlessSuccess => Kept("not_s3"),
        Fault::Busy | Fault::BusyFor | Fault::BusyUntil => Kept("SlowDown"),
        Fault::Broken | Fault::ErrorsInside => Kept("InternalError"),
        Fault::WrongSecret => Denied("SignatureDoesNotMatch: the credentials are refused; look at"),
        Fault::NoPermission => {
            Denied("AccessDenied: allow `s3:PutObject` on `arn:aws:s3:::acme-logs/*`")
        }
        Fault::NotThere => Denied("NoSuchBucket: there is no bucket `acme-logs` in `eu-west-1`"),
        Fault::Expired => Denied("ExpiredToken: the credentials are refused"),
        Fault::Skewed | Fault::WrongRegion => Delivered,
        Fault::Refusal => Rejected("InvalidRequest"),
        _ => return None,
    })
}
