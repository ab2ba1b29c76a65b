//! Signing of requests to AWS: Signature Version 4 with HMAC-SHA-256, our own.
//!
//! Every header that is set when [`Scope::sign`] is called is signed, but for those that a hop may change. A request is
//! signed just before it is sent, and anew for every attempt: a signature is good for some five minutes.
//!
//! ```text
//! canonical = METHOD \n PATH \n QUERY \n (name:value\n)* \n name;name;… \n hex(sha256(body))
//! to_sign   = AWS4-HMAC-SHA256 \n YYYYMMDDTHHMMSSZ \n YYYYMMDD/region/service/aws4_request \n hex(sha256(canonical))
//! key       = H(H(H(H("AWS4" + secret, YYYYMMDD), region), service), "aws4_request")
//! ```
//!
//! The derived key is not kept: its four hashes cost less than hashing 512 bytes of the body.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>, read
//! 2026-11-23.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest as _, Sha256};
use tapline_core::config::Secret;
use tapline_core::time::civil;

use super::fault::header_text;
use super::http::Outgoing;
use super::url::Url;

/// Headers that a hop may change or add, or that carry the signature itself.
const UNSIGNED: [&str; 9] = [
    "authorization",
    "connection",
    "content-length",
    "expect",
    "te",
    "transfer-encoding",
    "user-agent",
    "x-amzn-trace-id",
    "x-tapline-batch",
];

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
const CONTENT_HASH: HeaderName = HeaderName::from_static("x-amz-content-sha256");

/// What proves who sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// The id of the key, which is no secret.
    pub key_id: String,
    /// The key itself.
    pub secret: Secret,
    /// Comes with the key of a role, and never with that of a user.
    pub token: Option<Secret>,
}

/// How the path of a service is written in what is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paths {
    /// As it was sent: S3.
    AsSent,
    /// Dots and doubled slashes resolved, and encoded once more: all others.
    EncodedAgain,
}

/// What a signature is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Region of the endpoint, `eu-west-1`.
    pub region: String,
    /// Name that the service signs under: `logs`, `s3`, `aoss`.
    pub service: String,
}

/// The credentials hold something that no header may hold.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unusable;

impl Scope {
    /// Signs a request as of a moment of the wall clock: sets `x-amz-date`, `x-amz-security-token` and
    /// `authorization`, in place of those from an earlier attempt. S3 and OpenSearch Serverless also get
    /// `x-amz-content-sha256`, which they want; where it is there already it is the body's hash, known from before.
    pub fn sign(
        &self,
        credentials: &Credentials,
        wall_ms: i64,
        url: &Url,
        outgoing: &mut Outgoing,
    ) -> Result<(), Unusable> {
        let date = date(wall_ms);
        let headers = &mut outgoing.headers;
        let body = header_text(headers, CONTENT_HASH.as_str());
        let body = body.unwrap_or_else(|| hex(&Sha256::digest(&outgoing.body)));
        for name in [DATE, TOKEN, AUTHORIZATION] {
            headers.remove(name);
        }
        headers.insert(DATE, plain(&date)?);
        if let Some(token) = &credentials.token {
            headers.insert(TOKEN, sensitive(token.expose())?);
        }
        if self.wants_content_hash() {
            headers.insert(CONTENT_HASH, plain(&body)?);
        }
        let (block, names) = canonical_headers(headers, &url.host_header);
        let method = outgoing.method.as_str();
        let path = canonical_path(url.target.path(), self.paths());
        let query = canonical_query(url.target.query().unwrap_or_default());
        let mut canonical = format!("{method}\n{path}\n{query}\n").into_bytes();
        canonical.extend_from_slice(&block);
        canonical.extend_from_slice(format!("\n{names}\n{body}").as_bytes());
        let day = &date[..8];
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let hash = hex(&Sha256::digest(&canonical));
        let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{hash}");
        let signature = hex(&mac(
            &self.key(&credentials.secret, day),
            to_sign.as_bytes(),
        ));
        let key_id = &credentials.key_id;
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
        );
        outgoing
            .headers
            .insert(AUTHORIZATION, sensitive(&authorization)?);
        Ok(())
    }

    fn key(&self, secret: &Secret, day: &str) -> [u8; 32] {
        let first = format!("AWS4{}", secret.expose());
        let words = [day, &self.region, &self.service, "aws4_request"];
        let mut key = first.into_bytes();
        for word in words {
            key = mac(&key, word.as_bytes()).to_vec();
        }
        key.try_into().expect("a hash has 32 bytes")
    }

    fn paths(&self) -> Paths {
        match self.service.as_str() {
            "s3" | "s3express" => Paths::AsSent,
            _ => Paths::EncodedAgain,
        }
    }

    fn wants_content_hash(&self) -> bool {
        matches!(self.service.as_str(), "s3" | "s3express" | "aoss")
    }
}

fn plain(text: &str) -> Result<HeaderValue, Unusable> {
    HeaderValue::from_str(text).map_err(|_| Unusable)
}

fn sensitive(text: &str) -> Result<HeaderValue, Unusable> {
    let mut value = plain(text)?;
    value.set_sensitive(true);
    Ok(value)
}

/// `20150830T123600Z`.
fn date(wall_ms: i64) -> String {
    let at = civil(wall_ms);
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        at.year, at.month, at.day, at.hour, at.minute, at.second
    )
}

fn mac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

/// Lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a String takes every write");
    }
    text
}

/// The lines of the signed headers, and their names with `;` between, both sorted by name.
fn canonical_headers(headers: &HeaderMap, host: &HeaderValue) -> (Vec<u8>, String) {
    let mut rows: Vec<(&str, Vec<u8>)> = vec![(HOST.as_str(), one_spaced(host.as_bytes()))];
    for name in headers.keys() {
        if UNSIGNED.contains(&name.as_str()) || name == HOST {
            continue;
        }
        let values: Vec<Vec<u8>> = headers
            .get_all(name)
            .iter()
            .map(|value| one_spaced(value.as_bytes()))
            .collect();
        rows.push((name.as_str(), values.join(&b',')));
    }
    rows.sort_by_key(|(name, _)| *name);
    let names: Vec<&str> = rows.iter().map(|(name, _)| *name).collect();
    let mut block = Vec::new();
    for (name, value) in &rows {
        block.extend_from_slice(name.as_bytes());
        block.push(b':');
        block.extend_from_slice(value);
        block.push(b'\n');
    }
    (block, names.join(";"))
}

/// Without spaces at the ends, and with one space in place of several.
fn one_spaced(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    for byte in value.trim_ascii() {
        if *byte != b' ' || out.last() != Some(&b' ') {
            out.push(*byte);
        }
    }
    out
}

fn canonical_path(path: &str, paths: Paths) -> String {
    match paths {
        Paths::AsSent => path.to_owned(),
        Paths::EncodedAgain => {
            let mut out = String::with_capacity(path.len());
            encode_into(resolved(path).as_bytes(), b"/", &mut out);
            out
        }
    }
}

/// A path without `.`, `..` and doubled slashes.
///
/// Source: RFC 3986 §5.2.4, read 2026-11-23.
fn resolved(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    let ends_open = matches!(path.rsplit('/').next(), Some("" | "." | ".."));
    let slash = if ends_open && !segments.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{slash}", segments.join("/"))
}

/// The parameters decoded, encoded in AWS's way, and sorted by name and value.
fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encoded_anew(name), encoded_anew(value))
        })
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

fn encoded_anew(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.get(..2).filter(|_| *first == b'%');
        let decoded = escaped
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match decoded {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = after;
            }
        }
    }
    let mut out = String::with_capacity(text.len());
    encode_into(&bytes, b"", &mut out);
    out
}

/// Appends text with every byte as `%XX` but letters, digits, `-`, `.`, `_`, `~` and those of `keep`.
///
/// Source: RFC 3986 §2.3, read 2026-11-23.
pub(crate) fn encode_into(text: &[u8], keep: &[u8], out: &mut String) {
    for byte in text {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) || keep.contains(byte) {
            out.push(char::from(*byte));
        } else {
            write!(out, "%{byte:02X}").expect("a String takes every write");
        }
    }
}

#[cfg(test)]
mod tests;
