//! Subscribes to the function's logs and the platform's events: by the Telemetry API, or by the older Logs API where
//! only that answers.

use serde_json::json;
use tapline_core::level::Level;
use tapline_core::world::World;

use crate::api::{Answer, ApiError, Client};
use crate::logs_api;
use crate::settings::Api;
use crate::telemetry_api;

/// Streams that the platform may be asked for. `platform` is always among them: joins and lifecycle need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streams {
    /// Lines of the function.
    pub function: bool,
    /// Lines of extensions, this one's among them.
    pub extension: bool,
}

impl Streams {
    fn names(self) -> Vec<&'static str> {
        let mut names = vec!["platform"];
        names.extend(self.function.then_some("function"));
        names.extend(self.extension.then_some("extension"));
        names
    }
}

/// What to ask the platform for.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// As the platform named this extension.
    pub identifier: &'a str,
    /// Where it is to deliver: `http://sandbox.localdomain:<port>/<token>`.
    pub uri: &'a str,
    /// Which streams.
    pub streams: Streams,
    /// Longest time that the platform may gather records before it delivers them, in milliseconds; 25 to 30,000.
    pub timeout_ms: u32,
}

impl Request<'_> {
    /// The parts that both APIs share. Buffering: at most 1,000 records and 1 MiB, so that few records are cut.
    ///
    /// Source: <https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api-reference.html>, read 2026-11-23.
    pub fn body(&self, schema: &str) -> serde_json::Value {
        json!({
            "schemaVersion": schema,
            "types": self.streams.names(),
            "buffering": { "maxItems": 1_000, "maxBytes": 1_048_576, "timeoutMs": self.timeout_ms },
            "destination": { "protocol": "HTTP", "URI": self.uri },
        })
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subscribed {
    /// Telemetry will come.
    Yes {
        /// The schema that was accepted.
        schema: &'static str,
    },
    /// A local emulator without telemetry: nothing will come, which is neither success nor a reason to stop.
    NotSupported,
    /// Every form was refused.
    No,
}

/// Asks with the preferred API, newest schema first, then with the other one.
pub async fn subscribe(
    client: &mut Client,
    request: &Request<'_>,
    prefer: Api,
    managed: bool,
    world: &dyn World,
) -> Subscribed {
    let telemetry: Vec<Form> = telemetry_api::SCHEMAS
        .into_iter()
        .take(if managed {
            1
        } else {
            telemetry_api::SCHEMAS.len()
        })
        .map(|schema| (telemetry_api::PATH, schema))
        .collect();
    // Managed Instances have no Logs API.
    let logs = logs_api::SCHEMAS
        .into_iter()
        .filter(|_| !managed)
        .map(|schema| (logs_api::PATH, schema));
    let forms: Vec<Form> = match prefer {
        Api::Telemetry => telemetry.into_iter().chain(logs).collect(),
        Api::Logs => logs.chain(telemetry).collect(),
    };
    let mut last = String::new();
    for (path, schema) in forms {
        match ask(client, request, path, schema).await {
            Ok(answer) => match verdict(&answer) {
                Some(false) => return not_supported(world, &answer),
                Some(true) => return Subscribed::Yes { schema },
                None => last = answer.describe(),
            },
            // An endpoint that does not answer will not answer another form either, and init has its limit.
            Err(error) => {
                last = error.to_string();
                break;
            }
        }
    }
    world.log(
        Level::Error,
        &format!("no telemetry will come: every subscription was refused, the last with {last}"),
    );
    Subscribed::No
}

type Form = (&'static str, &'static str);

async fn ask(
    client: &mut Client,
    request: &Request<'_>,
    path: &str,
    schema: &str,
) -> Result<Answer, ApiError> {
    let headers = [("lambda-extension-identifier", request.identifier)];
    let body = request.body(schema).to_string().into_bytes();
    client
        .request(hyper::Method::PUT, path, &headers, body)
        .await
}

/// `Some(true)`: subscribed; `Some(false)`: answered by an emulator that delivers nothing; `None`: refused.
fn verdict(answer: &Answer) -> Option<bool> {
    match answer.status {
        202 => Some(false),
        200..=299 => Some(true),
        _ => None,
    }
}

fn not_supported(world: &dyn World, answer: &Answer) -> Subscribed {
    let message = format!(
        "no telemetry will come: this environment does not deliver any ({})",
        answer.describe()
    );
    world.log(Level::Warn, &message);
    Subscribed::NotSupported
}
