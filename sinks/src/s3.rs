//! `s3`: objects of lines in a bucket, one PUT each.
//!
//! Protocol: PutObject over HTTP/1.1, signed with the hash of the body. An object is the lines of
//! [`tapline_core::line`], each ended by a newline, compressed as the key's suffix says, or with `.parquet` the same in
//! columns. It grows over calls, and over invocations, until it has its size or its age.
//!
//! Guarantee: at least once, and with `conditional` exactly one object: the key of an object is made once, and
//! `If-None-Match: *` lets only the first PUT win. A 412 after an attempt whose answer was lost says that it won.
//!
//! - 200: stored. One with an error inside is that error; one with anything else inside is none of S3's, and tried again.
//! - 412 on the first attempt: another object has the key; the next number is taken, at once.
//! - `SlowDown`, `RequestTimeout`, 409, 429, 5xx, timeout, no connection: tried again with the same key and bytes.
//! - 301, 307, `AuthorizationHeaderMalformed`: the bucket's region is learned, and the request is signed anew and sent
//!   once more, at once. Credentials never sign for a host outside of AWS's own.
//! - `AccessDenied`, `NoSuchBucket` and the like: denied; the object is kept.
//! - Any other error: rejected, with its code as reason.
//!
//! # Limits
//!
//! An object is held once uncompressed while it grows, and once as it travels until it is stored.

use std::time::Duration;

use hyper::Method;
use hyper::header::{
    CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, LOCATION, USER_AGENT,
};
use tapline_core::level::Level;
use tapline_core::registry::SinkKind;
use tapline_core::sink::{Call, CallLimits, Holding, Outcome, Selection, Sink, Verdict};
use tapline_core::world::{Boxed, World};

use crate::shared::endpoint::{self, Service, is_region, suffixes};
use crate::shared::fault::{CREDENTIALS, Fault, Remedy, denied, header_text, verdict_of_wait};
use crate::shared::http::{AGENT, Answer, Client, Outgoing};
use crate::shared::signed::Signed;
use crate::shared::sigv4::encode_into;
use crate::shared::tls::Tls;
use crate::shared::url::{self, Url};
use crate::shared::xml;
use object::{Object, Sealed};

mod config;
mod object;
#[cfg(test)]
mod tests;

/// The row of this sink.
pub(crate) const KIND: SinkKind = SinkKind {
    name: "s3",
    feature: "s3",
    fields: config::FIELDS,
    build: Some(config::build),
};

const S3: Service = Service {
    prefix: "s3",
    variable: "S3",
    government_is_fips: false,
};

/// Most bytes of records that one call adds to the object.
const CALL_BYTES_MAX: usize = 1 << 20;

/// Requests for one object within one call: first, after the region was learned, with another key.
const PASSES: usize = 4;

/// Puts objects into one bucket.
struct S3Sink {
    bucket: String,
    object: Object,
    /// The headers that are the same for every object.
    headers: HeaderMap,
    /// Only the first PUT of a key wins.
    conditional: bool,
    /// `None`: where the bucket has dots, or the endpoint is another.
    path_style: Option<bool>,
    endpoint: Option<Url>,
    connect_timeout: Duration,
    client: Option<Client>,
    /// Path of the client's requests as far as the key.
    base: String,
    signed: Signed,
}

/// What an answer asks for.
enum Meaning {
    Verdict(Verdict),
    /// The bucket is elsewhere.
    Moved(Moved),
    /// Another object has the key.
    Taken,
}

/// Where the bucket is.
#[derive(Debug)]
enum Moved {
    Region(String),
    Host(Url),
}

impl S3Sink {
    async fn put(&mut self, call: &Call<'_>) -> Verdict {
        let mut moved = false;
        for _ in 0..PASSES {
            if let Err(verdict) = self.open(call) {
                return verdict;
            }
            let sealed = match self.object.seal(call) {
                Ok(sealed) => sealed,
                Err(why) => return not_encoded(&why, call),
            };
            let again = sealed.attempts > 0;
            sealed.attempts += 1;
            let mut outgoing = outgoing(sealed, &self.headers, self.conditional);
            let Some(client) = &mut self.client else {
                return Verdict::Denied {
                    why: "no endpoint".into(),
                };
            };
            let mut target = self.base.clone();
            encode_into(sealed.key.as_bytes(), b"/", &mut target);
            let Ok(target) = target.parse() else {
                return Verdict::Rejected("key".into());
            };
            client.aim(target);
            let answer = match self.signed.send(client, call, &mut outgoing).await {
                Ok(answer) => answer,
                Err(missing) => return missing.into(),
            };
            match self.meaning(&answer, again || answer.resent, call) {
                Meaning::Verdict(verdict) => return verdict,
                Meaning::Taken => self.object.take_another_key(call.facts),
                Meaning::Moved(place) if !moved => {
                    moved = true;
                    self.move_to(place);
                }
                Meaning::Moved(_) => break,
            }
        }
        Verdict::Denied {
            why: format!("no region has the bucket `{}`", self.bucket).into(),
        }
    }

    /// Makes the client, where there is none for the region that is known by now.
    fn open(&mut self, call: &Call<'_>) -> Result<(), Verdict> {
        if self.client.is_some() {
            return Ok(());
        }
        let region = match self.signed.scope.region.as_str() {
            "" => call.facts.region.clone(),
            region => region.to_owned(),
        };
        let variable = |name: &str| call.world.variable(name);
        let own = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
        let is_own = self.endpoint.is_some() || own.iter().any(|name| variable(name).is_some());
        let base = match &self.endpoint {
            Some(url) => url.clone(),
            None => endpoint::find(S3, &region, &variable).map_err(|wrong| Verdict::Denied {
                why: wrong.0.into(),
            })?,
        };
        let path_style = self
            .path_style
            .unwrap_or(is_own || self.bucket.contains('.'));
        let url = addressed(&base, &self.bucket, path_style).ok_or(Verdict::Denied {
            why: "the bucket and the endpoint make no URL".into(),
        })?;
        self.base = url.target.path().to_owned();
        self.client = Some(Client::new(url, self.connect_timeout, Tls::default()));
        Ok(())
    }

    fn move_to(&mut self, place: Moved) {
        self.client = match place {
            Moved::Region(region) => {
                self.signed.scope.region = region;
                None
            }
            Moved::Host(url) => Some(Client::new(url, self.connect_timeout, Tls::default())),
        };
    }

    fn meaning(&self, answer: &Answer, again: bool, call: &Call<'_>) -> Meaning {
        let status = answer.status.as_u16();
        let fault = Fault::of(answer);
        match (status, fault.code.as_str()) {
            (200..=299, "") if !answer.whole || !answer.body.trim_ascii().is_empty() => {
                return Meaning::Verdict(not_s3());
            }
            (200..=299, "") => return Meaning::Verdict(Verdict::Accepted),
            (412, _) if again => return Meaning::Verdict(Verdict::Accepted),
            (412, _) => return Meaning::Taken,
            (301 | 307, _)
            | (_, "AuthorizationHeaderMalformed" | "PermanentRedirect" | "TemporaryRedirect") => {
                if let Some(moved) = moved(answer, &self.signed.scope.region) {
                    return Meaning::Moved(moved);
                }
            }
            _ => {}
        }
        let bucket = &self.bucket;
        Meaning::Verdict(match fault.remedy() {
            Remedy::Wait => verdict_of_wait(&fault, answer, self.signed.wall_ms(call)),
            Remedy::SignAnew => denied(&fault, CREDENTIALS),
            Remedy::Allow => {
                let line = format!(
                    "allow `s3:PutObject` on `arn:aws:s3:::{bucket}/*` to the function's role"
                );
                denied(&fault, &line)
            }
            Remedy::Refused if matches!(status, 301 | 307 | 404) => denied(
                &fault,
                &format!(
                    "there is no bucket `{bucket}` in `{}`",
                    self.signed.scope.region
                ),
            ),
            // Corrupted on its way, as it seems.
            Remedy::Refused
                if matches!(
                    fault.code.as_str(),
                    "BadDigest" | "XAmzContentSHA256Mismatch"
                ) =>
            {
                verdict_of_wait(&fault, answer, self.signed.wall_ms(call))
            }
            Remedy::Refused => Verdict::Rejected(fault.reason().into()),
        })
    }
}

/// The verdict of an object that no file could be made of: another attempt would end the same.
fn not_encoded(why: &str, call: &Call<'_>) -> Verdict {
    let message = format!("an object could not be written as Parquet and is lost: {why}");
    call.world.log(Level::Error, &message);
    Verdict::Rejected("parquet".into())
}

/// The verdict of a success with a body, or without its end: S3 says nothing when it stored an object, but a captive
/// proxy does.
fn not_s3() -> Verdict {
    Verdict::Retry {
        why: "not_s3".into(),
        after: None,
        answered: true,
    }
}

/// Where the answer says that the bucket is: a region that is another than ours, or a host of AWS.
fn moved(answer: &Answer, region: &str) -> Option<Moved> {
    let named = header_text(&answer.headers, "x-amz-bucket-region")
        .or_else(|| xml::text_of(&answer.body, "Region"));
    if let Some(named) = named.filter(|named| is_name(named) && named != region) {
        return Some(Moved::Region(named));
    }
    let location = answer.headers.get(LOCATION)?.to_str().ok()?;
    let url = url::parse(location).ok()?;
    let (plain, _) = suffixes(region);
    let is_aws = url.https && url.port == 443 && url.host.ends_with(&format!(".{plain}"));
    is_aws.then_some(Moved::Host(url))
}

/// Whether a text has the form of AWS's own names, `us-gov-west-1`. It becomes a host's name and is said in the log, and
/// whoever answers may write there what was sent.
fn is_name(text: &str) -> bool {
    let Some((words, number)) = text.rsplit_once('-') else {
        return false;
    };
    let are_letters = |word: &str| word.bytes().all(|byte| byte.is_ascii_lowercase());
    is_region(text)
        && words.contains('-')
        && words
            .split('-')
            .all(|word| !word.is_empty() && are_letters(word))
        && words
            .split('-')
            .next()
            .is_some_and(|first| first.len() <= 4)
        && (1..=2).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// The URL of a bucket, its path ended by a slash.
fn addressed(base: &Url, bucket: &str, path_style: bool) -> Option<Url> {
    let scheme = if base.https { "https" } else { "http" };
    let authority = base.host_header.to_str().ok()?;
    let path = base.target.path().trim_end_matches('/');
    let text = match path_style {
        true => format!("{scheme}://{authority}{path}/{bucket}/"),
        false => format!("{scheme}://{bucket}.{authority}{path}/"),
    };
    url::parse(&text).ok()
}

fn outgoing(sealed: &Sealed, same: &HeaderMap, conditional: bool) -> Outgoing {
    let mut headers = HeaderMap::with_capacity(same.len() + 8);
    headers.insert(USER_AGENT, AGENT);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(sealed.content_type));
    if conditional {
        headers.insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
    }
    headers.extend(same.clone());
    if let Some((name, value)) = &sealed.checksum {
        headers.insert(HeaderName::from_static(name), value.clone());
    }
    headers.insert(
        HeaderName::from_static("x-amz-content-sha256"),
        sealed.sha256.clone(),
    );
    Outgoing {
        method: Method::PUT,
        headers,
        body: sealed.body.clone(),
    }
}

impl Sink for S3Sink {
    fn limits(&self) -> CallLimits {
        CallLimits {
            records_max: 10_000,
            bytes_max: self.object.size_max().min(CALL_BYTES_MAX),
        }
    }

    fn deliver<'a>(&'a mut self, records: &'a Selection, call: Call<'a>) -> Boxed<'a, Outcome> {
        Box::pin(async move {
            self.object.add(records, &call);
            Verdict::Held.into()
        })
    }

    fn holding(&self, _: &dyn World) -> Holding {
        self.object.holding()
    }

    fn flush<'a>(&'a mut self, call: Call<'a>) -> Boxed<'a, Outcome> {
        Box::pin(async move {
            let verdict = self.put(&call).await;
            if !matches!(verdict, Verdict::Retry { .. } | Verdict::Denied { .. }) {
                self.object.clear(call.budget);
            }
            verdict.into()
        })
    }

    fn forget(&mut self) {
        self.object.forget();
    }
}
