//! The headers and credentials that a sink's table sets.

use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use tapline_core::config::{
    Data, Field, FieldKind, Fields, Kind, Reader, Secret, Severity, Spanned,
};

use super::aws;
use super::signed::Signed;
use super::sigv4::Scope;

/// Headers that the client sets itself, or that would change how a request is read.
const RESERVED: [&str; 12] = [
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-tapline-batch",
];

/// The keys of `auth`.
pub(crate) const AUTH_FIELDS: Fields = &[
    Field {
        name: "bearer",
        kind: FieldKind::Secret,
        default: "",
        required: false,
        doc: "Token that is sent as `Authorization: Bearer …`.",
    },
    Field {
        name: "basic",
        kind: FieldKind::Table(BASIC_FIELDS),
        default: "",
        required: false,
        doc: "User and password that are sent as `Authorization: Basic …`.",
    },
    Field {
        name: "sigv4",
        kind: FieldKind::Table(SIGV4_FIELDS),
        default: "",
        required: false,
        doc: "Signature with the credentials of the function, or of a role, for services of AWS.",
    },
];

const SIGV4_FIELDS: Fields = &[
    Field {
        name: "service",
        kind: FieldKind::Text,
        default: "",
        required: true,
        doc: "Name that the service signs under, for example `es`, `aoss`, `logs` or `execute-api`.",
    },
    aws::REGION,
    aws::ROLE_ARN,
    aws::EXTERNAL_ID,
];

const BASIC_FIELDS: Fields = &[
    Field {
        name: "user",
        kind: FieldKind::Text,
        default: "",
        required: true,
        doc: "Name of the user, without a colon.",
    },
    Field {
        name: "password",
        kind: FieldKind::Secret,
        default: "",
        required: true,
        doc: "Password of the user.",
    },
];

/// Whether a header, named in lower case, cannot be set.
pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// Reads the headers under `headers` and the credentials under `auth`. `None` after it reported what is wrong.
pub(crate) fn read(reader: &Reader<'_>) -> Option<HeaderMap> {
    let headers = read_map(reader);
    if !reader.has("auth") {
        return headers;
    }
    let authorization = read_auth(reader);
    let mut headers = headers?;
    if let Some(None) = authorization {
        return Some(headers);
    }
    if let (true, Some(span)) = (headers.contains_key(AUTHORIZATION), reader.key_span("auth")) {
        let help = "leave out `auth` or the header `authorization`";
        reader.error(span, "`auth` and `headers` both set `authorization`", help);
        return None;
    }
    headers.insert(AUTHORIZATION, authorization??);
    Some(headers)
}

/// Reads the headers under `headers`. `None` after it reported what is wrong.
pub(crate) fn read_map(reader: &Reader<'_>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    let secrets = reader.map_of_secrets("headers");
    // What is missing of them was reported.
    let mut right = match reader.raw("headers").map(|value| &value.data) {
        None => true,
        Some(Data::Table(entries)) => entries.len() == secrets.len(),
        Some(_) => false,
    };
    for (name, secret) in &secrets {
        right &= add(reader, &mut headers, name, secret);
    }
    right.then_some(headers)
}

/// Adds one header; says whether it could be.
fn add(
    reader: &Reader<'_>,
    headers: &mut HeaderMap,
    name: &Spanned<String>,
    secret: &Spanned<Secret>,
) -> bool {
    let Ok(header) = HeaderName::from_bytes(name.value.as_bytes()) else {
        let help = "write letters, digits and `-`, without spaces and colon";
        reader.error(name.span.clone(), "this is no name of a header", help);
        return false;
    };
    if is_reserved(header.as_str()) {
        let message = format!("the header `{header}` is set by Tapline alone");
        reader.error(name.span.clone(), message, "leave it out");
        return false;
    }
    if headers.contains_key(&header) {
        let message = format!("the header `{header}` is there twice");
        let help = "write it once; upper and lower case are the same";
        reader.error(name.span.clone(), message, help);
        return false;
    }
    if secret.value.waits_for().is_some() {
        // It is added to each request.
        return true;
    }
    let what = format!("the value of the header `{header}`");
    match value(reader, &what, secret.value.expose().as_bytes(), secret) {
        Some(value) => headers.insert(header, value).is_none(),
        None => false,
    }
}

/// A header value that is never shown; reports what cannot be one, without showing it.
pub(crate) fn value(
    reader: &Reader<'_>,
    what: &str,
    bytes: &[u8],
    place: &Spanned<Secret>,
) -> Option<HeaderValue> {
    match HeaderValue::from_bytes(bytes) {
        Ok(mut value) => {
            value.set_sensitive(true);
            Some(value)
        }
        Err(_) => {
            let message = format!("{what} holds a line break or another control character");
            let help = "take it out; a secret read from a file often ends with a line break";
            reader.error(place.span.clone(), message, help);
            None
        }
    }
}

/// The value of `authorization`, if it is the same on every request. `None` after it reported what is wrong.
fn read_auth(reader: &Reader<'_>) -> Option<Option<HeaderValue>> {
    let auth = reader.table("auth")?;
    let value = match (auth.has("bearer"), auth.has("basic"), auth.has("sigv4")) {
        (false, false, true) => return Some(None),
        (true, false, false) => {
            let token = auth.any_secret("bearer")?;
            if token.value.waits_for().is_some() {
                return Some(None);
            }
            let text = format!("Bearer {}", token.value.expose());
            value(reader, "`bearer`", text.as_bytes(), &token)
        }
        (false, true, false) => {
            let basic = auth.table("basic")?;
            let (user, password) = (basic.text("user"), basic.any_secret("password"));
            let (user, password) = (user?, password?);
            if user.value.contains(':') {
                let help = "a colon ends the name of a user; take it out";
                // What follows it is most likely the password.
                reader.hide(user.span.clone());
                reader.error(user.span, "`user` holds a colon", help);
                return None;
            }
            if password.value.waits_for().is_some() {
                return Some(None);
            }
            let pair = format!("{}:{}", user.value, password.value.expose());
            let mut text = b"Basic ".to_vec();
            base64_into(pair.as_bytes(), &mut text);
            value(reader, "`basic`", &text, &password)
        }
        _ => {
            let help = "write `{ bearer = … }`, `{ basic = { user = …, password = … } }` or `{ sigv4 = { service = … } }`";
            reader.error(auth.header(), "`auth` takes exactly one of its keys", help);
            None
        }
    };
    value.map(Some)
}

/// What signs the requests, where `auth.sigv4` is there. `None` after it reported what is wrong.
pub(crate) fn read_signed(reader: &Reader<'_>) -> Option<Option<Signed>> {
    if !reader.has("auth") {
        return Some(None);
    }
    let auth = reader.table("auth")?;
    if !auth.has("sigv4") {
        return Some(None);
    }
    let sigv4 = auth.table("sigv4")?;
    let (service, region) = (sigv4.text("service"), aws::read_region(&sigv4));
    let provider = aws::read_provider(&sigv4);
    let service = service?;
    // It becomes part of a header; what signs under it is AWS's to say.
    let is_service = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if service.value.is_empty() || !service.value.bytes().all(is_service) {
        let help = "write the name that the service signs under, for example `es` or `aoss`";
        reader.error(service.span, "this is no name of a service", help);
        return None;
    }
    let scope = Scope {
        region: region?,
        service: service.value,
    };
    Some(Some(Signed::new(scope, provider?)))
}

/// Reports a key or value that the contract knows and this version does not.
#[allow(dead_code, reason = "which sinks lack something depends on the build")]
pub(crate) fn not_built(reader: &Reader<'_>, span: std::ops::Range<usize>, what: &str) {
    let message = format!("{what} is not in this version");
    let help = "leave it out";
    reader.report(Severity::Error, Kind::NotBuilt, span, message, help);
}

/// Bytes as Base64; see [`base64_into`].
pub(crate) fn base64(bytes: &[u8]) -> String {
    let mut text = Vec::new();
    base64_into(bytes, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Appends bytes as Base64: RFC 4648 §4, with padding.
pub(crate) fn base64_into(bytes: &[u8], out: &mut Vec<u8>) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    out.reserve(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            if at > chunk.len() {
                out.push(b'=');
            } else {
                let index = group >> (18 - 6 * at) & 63;
                out.push(ALPHABET[index as usize]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of RFC 4648 §10.
    #[test]
    fn base64_is_as_its_standard_shows_it() {
        let rows = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, encoded) in rows {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }
}
