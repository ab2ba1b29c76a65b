//! Who signs: the function's own credentials, and those of a role that they may take on.
//!
//! Looked for in this order, each time anew when they expire or are refused:
//!
//! 1. `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`; an empty variable is unset.
//! 2. `AWS_CONTAINER_CREDENTIALS_FULL_URI` or `…_RELATIVE_URI` with `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE` or
//!    `AWS_CONTAINER_AUTHORIZATION_TOKEN`: what a function with SnapStart has in place of the first, so that no
//!    snapshot holds credentials.
//! 3. With `role_arn` those sign one request to STS, which gives the role's own.
//!
//! Credentials with an end are read anew 5 min before it, with a role up to 5 min earlier at random. A renewal that
//! fails leaves those that are still good. Each sink has its own and makes one call at a time, so nothing is asked for
//! twice at once.
//!
//! Source: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html> and
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>, read 2026-11-25.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use tapline_core::config::Secret;
use tapline_core::sink::{Call, Verdict};
use tapline_core::time::parse_rfc3339_ms;
use tapline_core::world::World;

use super::endpoint::{self, STS};
use super::fault::{Fault, Remedy, member};
use super::http::{Client, Failure, Outgoing};
use super::sigv4::{Credentials, Scope, encode_into};
use super::tls::Tls;
use super::url::{self, Url};
use super::xml;

/// Time before their end at which credentials are read anew.
const RENEW_BEFORE_MS: i64 = 300_000;

/// How much earlier a role's may be renewed, so that environments do not all ask at once.
const RENEW_JITTER_MS: u64 = 300_000;

/// Time between two tries to renew what is still good.
const RENEW_AGAIN_MS: i64 = 30_000;

/// How long a role is taken on for: the longest for credentials that are a role's themselves.
const ROLE_SECONDS: u32 = 3_600;

/// Longest time for a connection to the endpoint of credentials or to STS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Largest file with a token, in bytes.
const TOKEN_BYTES_MAX: u64 = 16 << 10;

/// Addresses beside loopback at which plain HTTP may hand out credentials: of containers and of EKS.
const CONTAINER_HOSTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];

/// A role that is taken on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Role {
    /// `arn:aws:iam::123456789012:role/name`.
    pub arn: String,
    /// What the role's owner wants to hear.
    pub external_id: Option<String>,
}

/// Why there are no credentials.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Not now.
    Failed(Failure),
    /// Not before somebody changes something, and what.
    Refused(String),
}

impl From<Missing> for Verdict {
    fn from(missing: Missing) -> Verdict {
        match missing {
            Missing::Failed(failure) => failure.into(),
            Missing::Refused(line) => Verdict::Denied { why: line.into() },
        }
    }
}

impl From<Failure> for Missing {
    fn from(failure: Failure) -> Missing {
        Missing::Failed(failure)
    }
}

/// Credentials and their end, in milliseconds of the wall clock.
#[derive(Debug, Clone)]
struct Known {
    credentials: Rc<Credentials>,
    renew_ms: i64,
    end_ms: i64,
}

/// Gives credentials that are good now. Holds at most two sets.
#[derive(Debug, Default)]
pub(crate) struct Provider {
    role: Option<Role>,
    own: Option<Known>,
    of_role: Option<Known>,
}

impl Provider {
    /// The function's own credentials, or those of a role.
    pub fn new(role: Option<Role>) -> Provider {
        Provider {
            role,
            ..Provider::default()
        }
    }

    /// Credentials that are good at this moment of the wall clock, set right. A role is taken on at the STS of
    /// `region`.
    pub async fn get(
        &mut self,
        call: &Call<'_>,
        wall_ms: i64,
        region: &str,
    ) -> Result<Rc<Credentials>, Missing> {
        let Some(role) = self.role.clone() else {
            return self.own(call, wall_ms).await;
        };
        if let Some(known) = fresh(&self.of_role, wall_ms) {
            return Ok(known);
        }
        let own = self.own(call, wall_ms).await?;
        match assume(&role, region, &own, call, wall_ms).await {
            Ok(known) => Ok(self.of_role.insert(known).credentials.clone()),
            Err(missing) => still_good(&mut self.of_role, wall_ms, missing),
        }
    }

    /// Lets go of what is known: it was refused.
    pub fn forget(&mut self) {
        self.own = None;
        self.of_role = None;
    }

    async fn own(&mut self, call: &Call<'_>, wall_ms: i64) -> Result<Rc<Credentials>, Missing> {
        if let Some(known) = fresh(&self.own, wall_ms) {
            return Ok(known);
        }
        match read(call, wall_ms).await {
            Ok(known) => Ok(self.own.insert(known).credentials.clone()),
            Err(missing) => still_good(&mut self.own, wall_ms, missing),
        }
    }
}

fn fresh(known: &Option<Known>, wall_ms: i64) -> Option<Rc<Credentials>> {
    let known = known.as_ref().filter(|known| wall_ms < known.renew_ms)?;
    Some(known.credentials.clone())
}

/// What is known goes on where it has not ended, and is renewed a little later.
fn still_good(
    known: &mut Option<Known>,
    wall_ms: i64,
    missing: Missing,
) -> Result<Rc<Credentials>, Missing> {
    match known.as_mut().filter(|known| wall_ms < known.end_ms) {
        Some(known) => {
            known.renew_ms = wall_ms + RENEW_AGAIN_MS;
            Ok(known.credentials.clone())
        }
        None => Err(missing),
    }
}

async fn read(call: &Call<'_>, wall_ms: i64) -> Result<Known, Missing> {
    let world = call.world;
    let key = world.variable("AWS_ACCESS_KEY_ID");
    if let (Some(key_id), Some(secret)) = (key, world.variable("AWS_SECRET_ACCESS_KEY")) {
        return Ok(Known {
            credentials: Rc::new(Credentials {
                key_id,
                secret: Secret::new(secret),
                token: world.variable("AWS_SESSION_TOKEN").map(Secret::new),
            }),
            renew_ms: i64::MAX,
            end_ms: i64::MAX,
        });
    }
    match container_url(world)? {
        Some(url) => from_container(url, call, wall_ms).await,
        None => Err(refused(
            "there are no AWS credentials: neither `AWS_ACCESS_KEY_ID` with `AWS_SECRET_ACCESS_KEY` nor \
             `AWS_CONTAINER_CREDENTIALS_FULL_URI` is set",
        )),
    }
}

fn refused(line: impl Into<String>) -> Missing {
    Missing::Refused(line.into())
}

/// Where a container hands out credentials, if anywhere.
fn container_url(world: &dyn World) -> Result<Option<Url>, Missing> {
    let (name, text) = match (
        world.variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
        world.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    ) {
        (Some(path), _) => (
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            format!("http://169.254.170.2{path}"),
        ),
        (None, Some(url)) => ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url),
        (None, None) => return Ok(None),
    };
    match url::parse(&text) {
        Ok(url) if url.https || is_near(&url.host) => Ok(Some(url)),
        Ok(_) => Err(refused(format!(
            "`{name}` leads neither to https nor to this machine, so no token is sent there"
        ))),
        Err(_) => Err(refused(format!("`{name}` holds no URL"))),
    }
}

fn is_near(host: &str) -> bool {
    let loopback = host
        .parse::<std::net::IpAddr>()
        .is_ok_and(|address| address.is_loopback());
    loopback || host == "localhost" || CONTAINER_HOSTS.contains(&host)
}

async fn from_container(url: Url, call: &Call<'_>, wall_ms: i64) -> Result<Known, Missing> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(token) = container_token(call.world)? {
        headers.insert(AUTHORIZATION, token);
    }
    let outgoing = Outgoing {
        method: Method::GET,
        headers,
        body: Bytes::new(),
    };
    let mut client = Client::new(url, CONNECT_TIMEOUT, Tls::default());
    let answer = client.send(call, &outgoing).await?;
    let text = |name| member(&answer.body, &[name]).filter(|text| !text.is_empty());
    if let (200, Some(key_id), Some(secret)) = (
        answer.status.as_u16(),
        text("AccessKeyId"),
        text("SecretAccessKey"),
    ) {
        let credentials = Credentials {
            key_id,
            secret: Secret::new(secret),
            token: text("Token").map(Secret::new),
        };
        return Ok(known(
            credentials,
            text("Expiration").as_deref(),
            wall_ms,
            0,
        ));
    }
    match Fault::of(&answer).remedy() {
        Remedy::Wait => Err(Missing::Failed(Failure {
            why: "credentials",
            answered: true,
        })),
        _ => Err(refused(format!(
            "the container's endpoint gives no credentials, it answers {}",
            Fault::of(&answer).reason()
        ))),
    }
}

/// What the container's endpoint wants as `Authorization`. A file is read each time, as it is renewed.
fn container_token(world: &dyn World) -> Result<Option<HeaderValue>, Missing> {
    let name = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
    let token = match world.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
        None => world.variable(name),
        Some(path) => {
            use std::io::Read as _;
            let mut text = String::new();
            let read = std::fs::File::open(path)
                .and_then(|file| file.take(TOKEN_BYTES_MAX).read_to_string(&mut text));
            if read.is_err() {
                let line = "the file of `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE` cannot be read";
                return Err(refused(line));
            }
            Some(text.trim_end_matches(['\r', '\n']).to_owned())
        }
    };
    let Some(token) = token else {
        return Ok(None);
    };
    match HeaderValue::from_str(&token) {
        Ok(mut value) => {
            value.set_sensitive(true);
            Ok(Some(value))
        }
        Err(_) => Err(refused(
            "the container's authorization token holds a line break",
        )),
    }
}

/// Credentials with their end; those whose end cannot be read are asked for again in 5 min.
fn known(credentials: Credentials, end: Option<&str>, wall_ms: i64, earlier_ms: i64) -> Known {
    let (renew_ms, end_ms) = match end.map(|text| parse_rfc3339_ms(text.as_bytes())) {
        None => (i64::MAX, i64::MAX),
        Some(None) => (wall_ms + RENEW_BEFORE_MS, i64::MAX),
        Some(Some(end_ms)) => {
            // Short-lived ones are used for half of their life at least.
            let half = wall_ms.saturating_add(end_ms.saturating_sub(wall_ms) / 2);
            (half.max(end_ms - RENEW_BEFORE_MS - earlier_ms), end_ms)
        }
    };
    Known {
        credentials: Rc::new(credentials),
        renew_ms,
        end_ms,
    }
}

async fn assume(
    role: &Role,
    region: &str,
    own: &Credentials,
    call: &Call<'_>,
    wall_ms: i64,
) -> Result<Known, Missing> {
    let variable = |name: &str| call.world.variable(name);
    let url = endpoint::find(STS, region, &variable).map_err(|wrong| refused(wrong.0))?;
    let mut headers = HeaderMap::new();
    let form = HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8");
    headers.insert(CONTENT_TYPE, form);
    let mut outgoing = Outgoing {
        method: Method::POST,
        headers,
        body: form_of(role, &call.facts.function_name).into(),
    };
    let scope = Scope {
        region: region.to_owned(),
        service: "sts".to_owned(),
    };
    scope
        .sign(own, wall_ms, &url, &mut outgoing)
        .map_err(|_| unusable())?;
    let mut client = Client::new(url, CONNECT_TIMEOUT, Tls::default());
    let answer = client.send(call, &outgoing).await?;
    let text = |name| xml::text_of(&answer.body, name).filter(|text| !text.is_empty());
    if let (200, Some(key_id), Some(secret), Some(token)) = (
        answer.status.as_u16(),
        text("AccessKeyId"),
        text("SecretAccessKey"),
        text("SessionToken"),
    ) {
        let credentials = Credentials {
            key_id,
            secret: Secret::new(secret),
            token: Some(Secret::new(token)),
        };
        let earlier_ms = (call.world.random() % RENEW_JITTER_MS) as i64;
        let end = text("Expiration");
        return Ok(known(credentials, end.as_deref(), wall_ms, earlier_ms));
    }
    let fault = Fault::of(&answer);
    match fault.remedy() {
        Remedy::Wait => Err(Missing::Failed(Failure {
            why: "credentials",
            answered: true,
        })),
        _ => {
            let (reason, arn) = (fault.reason(), &role.arn);
            let line = format!(
                "the role `{arn}` cannot be taken on: {reason}; allow `sts:AssumeRole` on it to the function's role, \
                 and let the role's trust policy name that role"
            );
            Err(Missing::Refused(line))
        }
    }
}

/// The credentials hold what no header may hold.
pub(crate) fn unusable() -> Missing {
    refused("the AWS credentials hold a line break or another control character")
}

fn form_of(role: &Role, function: &str) -> String {
    let session: String = format!("tapline-{function}")
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || "_=,.@-".contains(*letter))
        .take(64)
        .collect();
    let mut form = "Action=AssumeRole&Version=2011-06-15".to_owned();
    let seconds = ROLE_SECONDS.to_string();
    let pairs = [
        ("RoleArn", Some(role.arn.as_str())),
        ("RoleSessionName", Some(session.as_str())),
        ("DurationSeconds", Some(seconds.as_str())),
        ("ExternalId", role.external_id.as_deref()),
    ];
    for (name, value) in pairs {
        if let Some(value) = value {
            form.push('&');
            form.push_str(name);
            form.push('=');
            encode_into(value.as_bytes(), b"", &mut form);
        }
    }
    form
}

#[cfg(test)]
mod tests;
