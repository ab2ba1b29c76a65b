//! The one task that fetches secrets of AWS: `{ secret = "arn:…" }`.
//!
//! From Secrets Manager or the Parameter Store of Systems Manager, in the region that the ARN names; for the first time
//! through the Parameters and Secrets extension on localhost where that answers, since it may know them already. What
//! cannot be fetched is said once, and tried again every minute of running time.
//!
//! The values are kept in memory alone and are never logged.
//!
//! Source: <https://docs.aws.amazon.com/secretsmanager/latest/userguide/retrieving-secrets_lambda.html>,
//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html> and
//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html>, read 2026-11-25.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use tapline_core::budget::Budget;
use tapline_core::config::{Late, LateSecrets};
use tapline_core::json;
use tapline_core::level::Level;
use tapline_core::port::Identity;
use tapline_core::sink::Call;
use tapline_core::world::{Instant, World, before, either};

use crate::shared::credentials::{Missing, Provider};
use crate::shared::endpoint::{self, Service};
use crate::shared::fault::{Fault, Remedy, member};
use crate::shared::http::{AGENT, Answer, Client, Outgoing};
use crate::shared::signed::Signed;
use crate::shared::sigv4::{Scope, encode_into};
use crate::shared::tls::Tls;
use crate::shared::url::{self, Url};

/// Longest time for one request.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(3);

/// Longest time for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Requests for one secret before it counts as failed.
const ATTEMPTS_MAX: u32 = 4;

/// Pause after the first request that failed; it doubles.
const PAUSE: Duration = Duration::from_millis(200);

/// Messages that are told apart and remembered; further ones are not said.
const MESSAGES_MAX: usize = 64;

/// What failed is tried again after this much running time.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

const SECRETS_MANAGER: Service = Service {
    prefix: "secretsmanager",
    variable: "SECRETS_MANAGER",
    government_is_fips: false,
};

const SYSTEMS_MANAGER: Service = Service {
    prefix: "ssm",
    variable: "SSM",
    government_is_fips: true,
};

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const EXTENSION_TOKEN: HeaderName = HeaderName::from_static("x-aws-parameters-secrets-token");

/// Fetches secrets for as long as the process runs.
pub(crate) async fn fetch(
    secrets: LateSecrets,
    world: Rc<dyn World>,
    identity: Rc<Identity>,
    budget: Budget,
) {
    let mut fetcher = Fetcher {
        world,
        identity,
        budget,
        said: Vec::new(),
        fetched: Vec::new(),
    };
    loop {
        let rung = secrets.rung();
        for late in secrets.wanted() {
            fetcher.settle(&late).await;
        }
        let failed = secrets
            .iter()
            .any(|late| !late.is_wanted() && late.text().is_none());
        let again = match failed {
            true => fetcher.world.now() + AGAIN_AFTER,
            false => Instant::NEVER,
        };
        either(rung, fetcher.world.sleep_until(again)).await;
        if fetcher.world.now() >= again {
            let failed = secrets.iter().filter(|late| late.text().is_none());
            failed.for_each(Late::want);
        }
    }
}

struct Fetcher {
    world: Rc<dyn World>,
    identity: Rc<Identity>,
    budget: Budget,
    /// What was said, so that it is not said again.
    said: Vec<String>,
    /// ARNs that were fetched before: the extension's cache may be old.
    fetched: Vec<String>,
}

/// Why a secret could not be fetched.
enum Trouble {
    /// Worth another request.
    Again(String),
    /// Somebody has to change something.
    Lasting(String),
}

impl From<Missing> for Trouble {
    fn from(missing: Missing) -> Trouble {
        match missing {
            Missing::Failed(failure) => Trouble::Again(failure.why.to_owned()),
            Missing::Refused(line) => Trouble::Lasting(line),
        }
    }
}

impl Fetcher {
    /// Fetches one, or gives it up for now.
    async fn settle(&mut self, late: &Late) {
        let mut pause = PAUSE;
        for attempt in 1..=ATTEMPTS_MAX {
            match self.get(late.arn()).await {
                Ok(text) => {
                    if !self.is_fetched(late.arn()) {
                        self.fetched.push(late.arn().to_owned());
                    }
                    return late.set(&text);
                }
                Err(Trouble::Again(_)) if attempt < ATTEMPTS_MAX => {
                    self.world.sleep_until(self.world.now() + pause).await;
                    pause *= 2;
                }
                Err(Trouble::Again(why) | Trouble::Lasting(why)) => {
                    let message = format!("the secret `{}` cannot be read: {why}", late.arn());
                    if self.said.len() < MESSAGES_MAX && !self.said.contains(&message) {
                        self.world.log(Level::Error, &message);
                        self.said.push(message);
                    }
                    return late.fail();
                }
            }
        }
    }

    fn is_fetched(&self, arn: &str) -> bool {
        self.fetched.iter().any(|known| known == arn)
    }

    async fn get(&self, arn: &str) -> Result<String, Trouble> {
        let deadline = self.world.now() + REQUEST_TIME_MAX;
        let facts = self.identity.facts();
        let call = Call {
            world: &*self.world,
            budget: &self.budget,
            deadline,
            batch_id: "",
            facts: &facts,
        };
        if !self.is_fetched(arn)
            && let Some(text) = from_extension(arn, &call).await
        {
            return Ok(text);
        }
        match before(&*self.world, deadline, from_service(arn, &call)).await {
            Some(answer) => answer,
            None => Err(Trouble::Again("timeout".to_owned())),
        }
    }
}

/// The service and region of an ARN.
fn place(arn: &str) -> Option<(Service, &str)> {
    let mut parts = arn.split(':').skip(2);
    let service = match parts.next()? {
        "secretsmanager" => SECRETS_MANAGER,
        "ssm" => SYSTEMS_MANAGER,
        _ => return None,
    };
    Some((service, parts.next()?))
}

/// From the Parameters and Secrets extension. `None` where it is not there, not ready, or does not have it.
async fn from_extension(arn: &str, call: &Call<'_>) -> Option<String> {
    let token = call.world.variable("AWS_SESSION_TOKEN")?;
    let port = call
        .world
        .variable("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT");
    let port = port.unwrap_or_else(|| "2773".to_owned());
    let (service, _) = place(arn)?;
    let mut path = match service.prefix {
        "ssm" => "/systemsmanager/parameters/get?withDecryption=true&name=",
        _ => "/secretsmanager/get?secretId=",
    }
    .to_owned();
    encode_into(arn.as_bytes(), b"", &mut path);
    let url = url::parse(&format!("http://127.0.0.1:{port}{path}")).ok()?;
    let mut token = HeaderValue::from_str(&token).ok()?;
    token.set_sensitive(true);
    let mut headers = HeaderMap::new();
    headers.insert(EXTENSION_TOKEN, token);
    let outgoing = Outgoing {
        method: Method::GET,
        headers,
        body: Bytes::new(),
    };
    let mut client = Client::new(url, CONNECT_TIMEOUT, Tls::default());
    // A part of the time is left for the service itself.
    let until = call.world.now() + CONNECT_TIMEOUT;
    let answer = before(call.world, until, client.send(call, &outgoing))
        .await?
        .ok()?;
    (answer.status.as_u16() == 200)
        .then(|| text_of(&answer))
        .flatten()
}

async fn from_service(arn: &str, call: &Call<'_>) -> Result<String, Trouble> {
    let lasting = |why: &str| Trouble::Lasting(why.to_owned());
    let (service, region) = place(arn).ok_or_else(|| lasting("its ARN names no service"))?;
    let variable = |name: &str| call.world.variable(name);
    let url: Url =
        endpoint::find(service, region, &variable).map_err(|wrong| Trouble::Lasting(wrong.0))?;
    let (target, action, key) = match service.prefix {
        "ssm" => ("AmazonSSM.GetParameter", "ssm:GetParameter", "Name"),
        _ => (
            "secretsmanager.GetSecretValue",
            "secretsmanager:GetSecretValue",
            "SecretId",
        ),
    };
    let mut body = format!("{{\"{key}\":").into_bytes();
    json::quote_into(arn.as_bytes(), &mut body);
    if key == "Name" {
        body.extend_from_slice(b",\"WithDecryption\":true");
    }
    body.push(b'}');
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, AGENT);
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-amz-json-1.1"),
    );
    headers.insert(TARGET, HeaderValue::from_static(target));
    let mut outgoing = Outgoing {
        method: Method::POST,
        headers,
        body: body.into(),
    };
    let scope = Scope {
        region: region.to_owned(),
        service: service.prefix.to_owned(),
    };
    let mut client = Client::new(url, CONNECT_TIMEOUT, Tls::default());
    let mut signed = Signed::new(scope, Provider::new(None));
    let answer = signed.send(&mut client, call, &mut outgoing).await?;
    if answer.status.is_success() {
        return text_of(&answer).ok_or_else(|| lasting("it holds no text, or more than 64 KiB"));
    }
    let fault = Fault::of(&answer);
    Err(match fault.remedy() {
        Remedy::Wait => Trouble::Again(fault.reason()),
        Remedy::SignAnew | Remedy::Allow => Trouble::Lasting(format!(
            "{}; allow `{action}` on it to the function's role, and `kms:Decrypt` where it has a key of its own",
            fault.reason()
        )),
        Remedy::Refused => Trouble::Lasting(fault.reason()),
    })
}

/// `{"SecretString":"…"}` or `{"Parameter":{"Value":"…"}}`.
fn text_of(answer: &Answer) -> Option<String> {
    let body = answer.body.as_slice();
    if let Some(text) = member(body, &["SecretString"]) {
        return Some(text);
    }
    let whole = json::whole_value(body)?;
    let mut members = json::members(body, whole);
    let (_, parameter) = members.find(|(key, _)| json::key_is(&body[key.clone()], "Parameter"))?;
    member(&body[parameter], &["Value"])
}

#[cfg(test)]
mod tests;
