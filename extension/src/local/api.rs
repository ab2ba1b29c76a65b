//! The three local APIs behind one address: routes, headers and bodies; the decisions are those of `state`.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Shared;
use super::clock::{self, Instant};
use super::element::{Audience, Subscribed, error_body, json};
use super::post;
use super::settings::{Offer, Schema};
use super::state::{Answer, FunctionError, RESPONSE_BYTES_MAX, Refusal, RuntimeStage, Stage};
use super::subscription::{Api, Destination, parse};
use crate::io::Io;

/// Connections at one time; further ones wait in the kernel.
const CONNECTIONS_MAX: usize = 256;

/// Body of a registration or a subscription.
const REQUEST_BYTES_MAX: usize = 1024 * 1024;

const JSON: &str = "application/json";

const SHUTDOWN_START: &[u8] = br#"{"eventType":"SHUTDOWN""#;

type Reply = Response<Full<Bytes>>;

/// Serves the APIs, and runs the delivery to every subscriber, until it is aborted.
pub(crate) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut subscribed: mpsc::Receiver<usize>,
) {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if tasks.len() < CONNECTIONS_MAX => {
                if let Ok((stream, _)) = accepted {
                    tasks.spawn(connection(stream, shared.clone()));
                }
            }
            Some(index) = subscribed.recv() => {
                tasks.spawn(post::run(shared.clone(), index));
            }
            Some(_) = tasks.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(move |request| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(route(shared, request).await) }
    });
    // A client that goes away is no error of the server.
    hyper::server::conn::http1::Builder::new()
        .serve_connection(Io(stream), service)
        .await
        .ok();
}

async fn route(shared: Arc<Shared>, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    let path = head.uri.path().trim_end_matches('/').to_owned();
    let outcome = match (&head.method, path.as_str()) {
        (&Method::POST, "/2020-01-01/extension/register") => {
            register(&shared, &head.headers, body).await
        }
        (&Method::GET, "/2020-01-01/extension/event/next") => {
            next_event(&shared, &head.headers).await
        }
        (&Method::POST, "/2020-01-01/extension/init/error") => {
            extension_error(&shared, &head.headers, Stage::InitError)
        }
        (&Method::POST, "/2020-01-01/extension/exit/error") => {
            extension_error(&shared, &head.headers, Stage::ExitError)
        }
        (&Method::PUT, "/2022-07-01/telemetry") => {
            subscribe(&shared, Api::Telemetry, &head.headers, body).await
        }
        (&Method::PUT, "/2020-08-15/logs") if !shared.settings.managed() => {
            subscribe(&shared, Api::Logs, &head.headers, body).await
        }
        (&Method::GET, "/2018-06-01/ping") => Ok(reply(200, "text/plain", "pong")),
        (&Method::GET, "/2018-06-01/runtime/invocation/next") => next_invocation(&shared).await,
        (&Method::POST, "/2018-06-01/runtime/init/error") => init_error(&shared, body).await,
        (&Method::POST, path) => match invocation_path(path) {
            Some((id, failed)) => answer(&shared, id, failed, &head.headers, body).await,
            None => Ok(not_found()),
        },
        _ => Ok(not_found()),
    };
    outcome.unwrap_or_else(|refusal| {
        reply(
            refusal.status,
            JSON,
            error_body(refusal.kind, &refusal.message),
        )
    })
}

/// Request id of `…/invocation/ID/response` and `…/invocation/ID/error`, and whether it is the latter.
fn invocation_path(path: &str) -> Option<(&str, bool)> {
    let rest = path.strip_prefix("/2018-06-01/runtime/invocation/")?;
    match rest.split_once('/')? {
        (id, "response") => Some((id, false)),
        (id, "error") => Some((id, true)),
        _ => None,
    }
}

fn reply(status: u16, kind: &str, body: impl Into<Bytes>) -> Reply {
    let built = Response::builder()
        .status(status)
        .header("content-type", kind)
        .body(Full::new(body.into()));
    built.expect("status and header are constants of this file")
}

fn not_found() -> Reply {
    reply(404, "text/plain; charset=utf-8", "404 page not found\n")
}

fn accepted() -> Reply {
    reply(202, JSON, "{\"status\":\"OK\"}\n")
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .filter(|value| !value.is_empty())
}

fn identifier(headers: &HeaderMap) -> Option<String> {
    header(headers, "lambda-extension-identifier").map(str::to_owned)
}

/// A body with the moments of its first and last byte. `None`: longer than `bytes_max`.
async fn read(mut body: Incoming, bytes_max: usize) -> Option<(Vec<u8>, Instant, Instant)> {
    let mut bytes = Vec::new();
    let mut first = None;
    while let Some(Ok(frame)) = body.frame().await {
        first.get_or_insert_with(clock::now);
        if let Some(data) = frame.data_ref() {
            bytes.extend_from_slice(data);
        }
        if bytes.len() > bytes_max {
            return None;
        }
    }
    let last = clock::now();
    Some((bytes, first.unwrap_or(last), last))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Registration {
    events: Option<Vec<String>>,
    configuration_keys: Option<Vec<serde_json::Value>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Registered<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
    function_name: &'a str,
    function_version: &'a str,
    handler: &'a str,
}

async fn register(shared: &Shared, headers: &HeaderMap, body: Incoming) -> Result<Reply, Refusal> {
    let bad = |message: String| Refusal::new(403, "InvalidRequestFormat", message);
    let name = header(headers, "lambda-extension-name").unwrap_or_default();
    let (bytes, ..) = read(body, REQUEST_BYTES_MAX)
        .await
        .ok_or_else(|| bad("body is too large".into()))?;
    if bytes.is_empty() {
        return Err(bad("unexpected end of JSON input".into()));
    }
    let asked: Registration = serde_json::from_slice(&bytes).map_err(|e| bad(e.to_string()))?;
    if asked
        .configuration_keys
        .is_some_and(|keys| !keys.is_empty())
    {
        let message = "configurationKeys are deprecated; use environment variables instead";
        return Err(bad(message.into()));
    }
    let events = asked.events.unwrap_or_default();
    let id = shared.with_state(|state| state.register(name, &events))?;
    let settings = &shared.settings;
    let features = header(headers, "lambda-extension-accept-feature").unwrap_or_default();
    let account = features
        .split(',')
        .any(|feature| feature.trim() == "accountId");
    let told = Registered {
        account_id: account.then_some(settings.account_id.as_str()),
        function_name: &settings.function_name,
        function_version: &settings.function_version,
        handler: &settings.handler,
    };
    let mut reply = reply(200, JSON, json(&told) + "\n");
    if let Ok(id) = id.parse() {
        reply
            .headers_mut()
            .insert("lambda-extension-identifier", id);
    }
    Ok(reply)
}

/// Blocks until there is an event: the API demands that it may take hours.
async fn next_event(shared: &Shared, headers: &HeaderMap) -> Result<Reply, Refusal> {
    let id = identifier(headers);
    shared.with_state(|state| state.ready(id.as_deref()))?;
    let mut changes = shared.state.subscribe();
    loop {
        changes.mark_unchanged();
        let id = id.as_deref();
        let Some(event) =
            shared.with_state_if(|state| state.fetch(id), |r| matches!(r, Ok(Some(_))))?
        else {
            changes.changed().await.ok();
            continue;
        };
        if event.starts_with(SHUTDOWN_START) {
            // AWS's own core writes this event without the identifier, and leaves the type to be guessed.
            return Ok(reply(200, "text/plain; charset=utf-8", event));
        }
        let mut reply = reply(200, JSON, event);
        if let Ok(value) = clock::uuid().parse() {
            reply
                .headers_mut()
                .insert("lambda-extension-event-identifier", value);
        }
        return Ok(reply);
    }
}

fn extension_error(shared: &Shared, headers: &HeaderMap, to: Stage) -> Result<Reply, Refusal> {
    let id = identifier(headers);
    let kind = header(headers, "lambda-extension-function-error-type");
    shared.with_state(|state| state.report_error(id.as_deref(), to, kind))?;
    Ok(accepted())
}

async fn subscribe(
    shared: &Arc<Shared>,
    api: Api,
    headers: &HeaderMap,
    body: Incoming,
) -> Result<Reply, Refusal> {
    let settings = &shared.settings;
    let (offer, kind, word) = match api {
        Api::Telemetry => (settings.apis.telemetry, "Telemetry", "Telemetry API"),
        Api::Logs => (settings.apis.logs, "Logs", "Logs API"),
    };
    if offer == Offer::NotSupported {
        let body = error_body(
            &format!("{kind}.NotSupported"),
            &format!("{word} is not supported"),
        );
        return Ok(reply(202, JSON, body));
    }
    let id = identifier(headers);
    let name = shared.with_state(|state| state.identify(id.as_deref()))?;
    let (open, generation) = {
        let state = shared.state.borrow();
        (state.subscription_open, state.generation)
    };
    let earlier = shared
        .relay
        .borrow()
        .find(&name, generation)
        .map(|s| s.schema.of_logs_api());
    if !open && earlier.is_none() {
        return Err(closed(api, settings.managed()));
    }
    let (bytes, ..) = read(body, REQUEST_BYTES_MAX)
        .await
        .ok_or_else(|| Refusal::new(400, "ValidationError", "body is too large"))?;
    let accepted = parse(api, &bytes, settings.apis, settings.managed())?;
    if let Some(logs) = earlier {
        return again(logs == (api == Api::Logs), settings.managed());
    }
    if let Destination::Tcp { port } = accepted.destination
        && !post::listens(port).await
    {
        let message = format!("Invalid destination: could not TCP dial 127.0.0.1:{port}");
        return Err(Refusal::new(400, "ValidationError", message));
    }
    let types = accepted.types.clone();
    let mut index = None;
    shared
        .relay
        .send_modify(|relay| index = relay.subscribe(&name, generation, accepted));
    if let Some(index) = index {
        announce(shared, api, &name, &types);
        // The receiver lives as long as the server that runs this.
        shared.subscribed.send(index).await.ok();
    }
    Ok(reply(200, JSON, "\"OK\""))
}

fn closed(api: Api, managed: bool) -> Refusal {
    let (kind, message) = match api {
        Api::Telemetry if managed => (
            "Telemetry.SubscriptionClosed",
            "Telemetry API subscription is closed",
        ),
        Api::Telemetry => (
            "Telemetry.SubscriptionClosed",
            "Telemetry API subscription is closed already",
        ),
        Api::Logs => (
            "Logs.SubscriptionClosed",
            "Logs API subscription is closed already",
        ),
    };
    Refusal::new(403, kind, message)
}

/// A second subscription changes nothing; Managed Instances refuse it, and so does the API that was not the first.
fn again(same_api: bool, managed: bool) -> Result<Reply, Refusal> {
    match (managed, same_api) {
        (true, _) => Err(Refusal::new(
            500,
            "InternalServerError",
            "Internal Server Error",
        )),
        (false, true) => Ok(reply(200, JSON, "\"OK\"")),
        (false, false) => {
            let message = "the extension has subscribed to the other API";
            Err(Refusal::new(400, "ValidationError", message))
        }
    }
}

fn announce(shared: &Shared, api: Api, name: &str, types: &[String]) {
    let record = json(&Subscribed {
        name,
        state: "Subscribed",
        types,
    });
    match api {
        Api::Telemetry => {
            shared.platform("telemetrySubscription", record, Audience::Telemetry);
        }
        Api::Logs => {
            shared.platform("logsSubscription", record, Audience::Logs(Schema::Logs2020));
        }
    }
}

async fn next_invocation(shared: &Shared) -> Result<Reply, Refusal> {
    shared.with_state(|state| {
        let outcome = state.runtime.ready();
        outcome.map(|()| state.runtime.releases)
    })?;
    let mut changes = shared.state.subscribe();
    let running = changes
        .wait_for(|state| state.runtime.stage == RuntimeStage::Running)
        .await;
    let work = running
        .ok()
        .and_then(|state| state.runtime.work.clone())
        .unwrap_or_default();
    let mut reply = reply(200, JSON, work.payload);
    for (name, value) in &work.headers {
        if let Ok(value) = value.parse() {
            reply.headers_mut().insert(*name, value);
        }
    }
    Ok(reply)
}

/// `{"errorMessage":…,"errorType":…}` of a runtime, as far as it is that.
fn function_error(headers: &HeaderMap, body: &[u8]) -> FunctionError {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |key: &str| body[key].as_str().map(str::to_owned);
    let told = header(headers, "lambda-runtime-function-error-type").map(str::to_owned);
    FunctionError {
        kind: text("errorType")
            .or(told)
            .unwrap_or_else(|| "Runtime.Unknown".into()),
        message: text("errorMessage").unwrap_or_default(),
    }
}

async fn answer(
    shared: &Shared,
    id: &str,
    failed: bool,
    headers: &HeaderMap,
    body: Incoming,
) -> Result<Reply, Refusal> {
    let Some((bytes, first_byte_at, last_byte_at)) = read(body, RESPONSE_BYTES_MAX).await else {
        let message =
            format!("Exceeded maximum allowed payload size ({RESPONSE_BYTES_MAX} bytes).");
        let now = clock::now();
        let error = FunctionError {
            kind: "Function.ResponseSizeTooLarge".into(),
            message: message.clone(),
        };
        let answer = Answer {
            result: Err(error),
            first_byte_at: now,
            last_byte_at: now,
        };
        shared.with_state(|state| state.runtime.answer(id, answer))?;
        return Err(Refusal::new(413, "RequestEntityTooLarge", message));
    };
    let result = if failed {
        Err(function_error(headers, &bytes))
    } else {
        Ok(Bytes::from(bytes))
    };
    let answer = Answer {
        result,
        first_byte_at,
        last_byte_at,
    };
    shared.with_state(|state| state.runtime.answer(id, answer))?;
    Ok(accepted())
}

async fn init_error(shared: &Shared, body: Incoming) -> Result<Reply, Refusal> {
    let bytes = read(body, REQUEST_BYTES_MAX)
        .await
        .map(|(bytes, ..)| bytes)
        .unwrap_or_default();
    let error = function_error(&HeaderMap::new(), &bytes);
    shared.with_state(|state| {
        state.runtime.init_error()?;
        state.fail(&error.kind, error.message);
        Ok(())
    })?;
    Ok(accepted())
}
