//! What an answer of AWS that is no success means: its error code first, its status second.
//!
//! A code comes in the header `x-amzn-errortype`, in JSON as `code` or `__type` (`ns#Code:http://…`), or in XML as
//! `<Code>`. Throttling, to name one, comes with status 400.

use std::time::Duration;

use hyper::header::{HeaderMap, RETRY_AFTER};
use tapline_core::json;
use tapline_core::sink::Verdict;

use super::http::Answer;
use super::retry_after;
use super::xml;

/// Longest code that is taken for one, in bytes. A code stands in the ledger.
const CODE_BYTES_MAX: usize = 64;

/// An error as AWS tells it; a text that it does not tell is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// `ThrottlingException`; letters, digits, `.`, `_` and `-` alone.
    pub code: String,
    /// A sentence. It may quote what was signed, so it is never logged.
    pub message: String,
    status: u16,
}

/// What is to be done about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Try again later.
    Wait,
    /// Set the clock right, or read the credentials anew.
    SignAnew,
    /// A permission is missing, and trying again changes nothing.
    Allow,
    /// What was sent cannot be accepted.
    Refused,
}

impl Fault {
    /// The error that an answer tells.
    pub fn of(answer: &Answer) -> Fault {
        let body = answer.body.as_slice();
        let from_header = header_text(&answer.headers, "x-amzn-errortype");
        let code = from_header
            .or_else(|| member(body, &["code", "__type"]))
            .or_else(|| xml::text_of(body, "Code"));
        let message = member(body, &["message", "Message", "errorMessage"])
            .or_else(|| xml::text_of(body, "Message"));
        Fault {
            code: code.map_or_else(String::new, |code| bare(&code)),
            message: message.unwrap_or_default(),
            status: answer.status.as_u16(),
        }
    }

    /// The code, where it is one that AWS is known to give; else the status. It stands in the ledger and in the log, and
    /// whoever answers may write into a code what was sent.
    pub fn reason(&self) -> String {
        let code = self.code.as_str();
        if OTHERS.contains(&code) || remedy_of_code(code).is_some() {
            code.to_owned()
        } else {
            self.status.to_string()
        }
    }

    /// What is to be done about it.
    pub fn remedy(&self) -> Remedy {
        remedy_of_code(&self.code).unwrap_or_else(|| self.remedy_of_status())
    }

    fn remedy_of_status(&self) -> Remedy {
        match self.status {
            501 | 505 => Remedy::Refused,
            408 | 425 | 429 | 500..=599 => Remedy::Wait,
            // OpenSearch and gateways say no more than this when a token has expired.
            401 | 403 if self.code.is_empty() => Remedy::SignAnew,
            401 | 403 => Remedy::Allow,
            _ => Remedy::Refused,
        }
    }
}

/// What is to be done about an error with this code, where that is not the status's to say.
///
/// Source: retry classifiers of aws-runtime 1.10.2; "Common errors" of the CloudWatch Logs and S3 API references,
/// read 2026-11-25.
fn remedy_of_code(code: &str) -> Option<Remedy> {
    let remedy = match code {
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "TooManyRequestsException"
        | "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded"
        | "BandwidthLimitExceeded"
        | "PriorRequestNotComplete"
        | "SlowDown"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "InternalError"
        | "InternalFailure"
        | "InternalServerError"
        | "InternalServiceError"
        | "RequestTimeout"
        | "RequestTimeoutException"
        | "OperationAborted"
        | "OperationAbortedException"
        | "ConditionalRequestConflict"
        | "InvalidSequenceTokenException" => Remedy::Wait,
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidToken"
        | "TokenRefreshRequired"
        | "RequestTimeTooSkewed"
        | "RequestInTheFuture"
        | "RequestExpired"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "AuthFailure" => Remedy::SignAnew,
        "AccessDenied"
        | "AccessDeniedException"
        | "AllAccessDisabled"
        | "AccountProblem"
        | "NotAuthorized"
        | "UnauthorizedOperation"
        | "OptInRequired" => Remedy::Allow,
        _ => return None,
    };
    Some(remedy)
}

/// Codes about which the status says what is to be done; they are known, so that they may be said.
///
/// Source: the errors of PutLogEvents, PutObject, AssumeRole, GetSecretValue, GetParameter and PutRecordBatch in their
/// API references, read 2026-11-25.
const OTHERS: [&str; 50] = [
    "AuthorizationHeaderMalformed",
    "BadDigest",
    "DataAlreadyAcceptedException",
    "DecryptionFailure",
    "EntityTooLarge",
    "EntityTooSmall",
    "HierarchyLevelLimitExceededException",
    "IllegalLocationConstraintException",
    "InvalidArgument",
    "InvalidArgumentException",
    "InvalidBucketName",
    "InvalidDigest",
    "InvalidEncryptionAlgorithmError",
    "InvalidKMSResourceException",
    "InvalidKeyId",
    "InvalidObjectState",
    "InvalidParameterException",
    "InvalidParameterValue",
    "InvalidRequest",
    "InvalidRequestException",
    "InvalidSourceException",
    "InvalidStorageClass",
    "KMS.DisabledException",
    "KMS.KMSInvalidStateException",
    "KMS.NotFoundException",
    "KeyTooLongError",
    "LimitExceededException",
    "MalformedHttpRequestException",
    "MalformedPolicyDocument",
    "MalformedXML",
    "MethodNotAllowed",
    "MissingContentLength",
    "NoSuchBucket",
    "NoSuchKey",
    "NotImplemented",
    "PackedPolicyTooLarge",
    "ParameterNotFound",
    "ParameterVersionNotFound",
    "PermanentRedirect",
    "PreconditionFailed",
    "Redirect",
    "RegionDisabledException",
    "ResourceAlreadyExistsException",
    "ResourceNotFoundException",
    "SerializationException",
    "TemporaryRedirect",
    "UnknownOperationException",
    "ValidationError",
    "ValidationException",
    "XAmzContentSHA256Mismatch",
];

/// What to look at where AWS does not like a signature: it does not say which of them is wrong.
pub(crate) const CREDENTIALS: &str =
    "the credentials are refused; look at the keys, the region and the clock";

/// The verdict where a permission is missing or credentials are refused: what AWS says, and what to allow.
pub(crate) fn denied(fault: &Fault, line: &str) -> Verdict {
    Verdict::Denied {
        why: format!("{}: {line}", fault.reason()).into(),
    }
}

/// The verdict where another attempt is worth it: not before `x-amz-retry-after` (milliseconds) or `Retry-After`.
pub(crate) fn verdict_of_wait(fault: &Fault, answer: &Answer, wall_ms: i64) -> Verdict {
    let ms =
        header_text(&answer.headers, "x-amz-retry-after").and_then(|ms| ms.trim().parse().ok());
    let after = || {
        let value = answer.headers.get(RETRY_AFTER)?;
        retry_after::parse(value.as_bytes(), wall_ms)
    };
    Verdict::Retry {
        why: fault.reason().into(),
        after: ms.map(Duration::from_millis).or_else(after),
        answered: true,
    }
}

/// `ns#Code:http://…` is `Code`; what can be no code is none.
fn bare(code: &str) -> String {
    let code = code.split(':').next().unwrap_or_default();
    let code = code.rsplit('#').next().unwrap_or_default().trim();
    let is_code = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if code.len() <= CODE_BYTES_MAX && code.bytes().all(is_code) {
        code.to_owned()
    } else {
        String::new()
    }
}

/// A header that is text.
pub(crate) fn header_text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// The text of the first of these members of a JSON object that is there and is a string.
pub(crate) fn member(body: &[u8], names: &[&str]) -> Option<String> {
    let whole = json::whole_value(body)?;
    names.iter().find_map(|name| {
        let mut members = json::members(body, whole.clone());
        let (_, value) = members.find(|(key, _)| json::key_is(&body[key.clone()], name))?;
        let inside = json::string_inside(&body[value])?;
        Some(String::from_utf8_lossy(&json::unescape(inside)).into_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::StatusCode;
    use proptest::prelude::*;

    fn answer(status: u16, header: Option<&str>, body: &str) -> Answer {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert("x-amzn-errortype", header.parse().unwrap());
        }
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: body.as_bytes().to_vec(),
            whole: true,
            resent: false,
        }
    }

    #[test]
    fn a_code_is_found_in_every_form() {
        let rows = [
            (None, r#"{"__type":"X","message":"m"}"#, "X", "m"),
            (
                None,
                r#"{"__type":"com.amazonaws#X","Message":"m"}"#,
                "X",
                "m",
            ),
            (
                None,
                r#"{"code":"X:http://a/b","errorMessage":"m"}"#,
                "X",
                "m",
            ),
            (None, r#"{"code":"ns#X:http://a","message":"é"}"#, "X", "é"),
            (Some("ns#X:http://a"), r#"{"__type":"Y"}"#, "X", ""),
            (
                None,
                "<Error><Code>X</Code><Message>m</Message></Error>",
                "X",
                "m",
            ),
            (None, "<html><b>busy</b></html>", "", ""),
            (None, "", "", ""),
            (None, r#"{"__type":"X"#, "", ""),
            (None, r#"{"__type":"two words","message":7}"#, "", ""),
        ];
        for (header, body, code, message) in rows {
            let fault = Fault::of(&answer(400, header, body));
            assert_eq!(
                (fault.code.as_str(), fault.message.as_str()),
                (code, message),
                "{body}"
            );
        }
        assert_eq!(Fault::of(&answer(418, None, "")).reason(), "418");
    }

    /// A code is taken from an answer, and an answer may quote a record.
    #[test]
    fn only_a_known_code_is_a_reason() {
        for (code, wanted) in [
            ("ThrottlingException", "ThrottlingException"),
            ("NoSuchBucket", "NoSuchBucket"),
            ("4111111111111111", "400"),
            ("CANARY-7f3a", "400"),
        ] {
            let body = format!("{{\"__type\":\"ns#{code}\"}}");
            assert_eq!(Fault::of(&answer(400, None, &body)).reason(), wanted);
        }
    }

    #[test]
    fn the_code_decides_before_the_status_does() {
        let rows = [
            (400, "ThrottlingException", Remedy::Wait),
            (400, "RequestTimeout", Remedy::Wait),
            (409, "OperationAbortedException", Remedy::Wait),
            (400, "ExpiredTokenException", Remedy::SignAnew),
            (403, "RequestTimeTooSkewed", Remedy::SignAnew),
            (403, "SignatureDoesNotMatch", Remedy::SignAnew),
            (400, "AccessDeniedException", Remedy::Allow),
            (403, "SomethingNew", Remedy::Allow),
            (403, "", Remedy::SignAnew),
            (503, "", Remedy::Wait),
            (500, "SomethingNew", Remedy::Wait),
            (501, "NotImplemented", Remedy::Refused),
            (400, "InvalidParameterException", Remedy::Refused),
            (404, "NoSuchBucket", Remedy::Refused),
            (301, "PermanentRedirect", Remedy::Refused),
        ];
        for (status, code, wanted) in rows {
            let body = format!("{{\"__type\":\"{code}\"}}");
            let fault = Fault::of(&answer(status, None, &body));
            assert_eq!(fault.remedy(), wanted, "{status} {code}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_breaks_it(body in "\\PC{0,80}", json in "[{}\":,a_typecode#<>/C]{0,60}") {
            for body in [body, json] {
                let fault = Fault::of(&answer(400, None, &body));
                prop_assert!(fault.code.len() <= CODE_BYTES_MAX);
            }
        }
    }
}
