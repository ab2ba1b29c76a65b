//! A small HTTP client for the platform's own endpoint, `AWS_LAMBDA_RUNTIME_API`. Never through a proxy.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Method, Request};
use tapline_core::world::{World, before};
use tokio::net::TcpStream;

use crate::io::Io;
use crate::world::RealWorld;

/// Largest answer that is read, in bytes. Real ones have less than 2 KiB.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Longest wait for an answer that is not a long poll.
const ANSWER_TIME: Duration = Duration::from_secs(2);

/// What the platform answered.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Answer {
    /// The header's value, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// `403 Extension.InvalidExtensionState: …`, for messages: the platform's answers hold no secrets.
    pub fn describe(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        format!(
            "{} {}",
            self.status,
            body.trim().chars().take(300).collect::<String>()
        )
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub struct ApiError(pub String);

impl std::fmt::Display for ApiError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for ApiError {}

impl From<hyper::Error> for ApiError {
    fn from(error: hyper::Error) -> ApiError {
        ApiError(error.to_string())
    }
}

/// One connection to the platform, opened again when it broke.
pub struct Client {
    endpoint: String,
    world: RealWorld,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    /// A client for `host:port`. Connects with the first request.
    pub fn new(endpoint: &str, world: RealWorld) -> Client {
        Client {
            endpoint: endpoint.to_owned(),
            world,
            connection: None,
        }
    }

    /// Sends a request and waits for its answer, 2 s at most.
    ///
    /// # Errors
    ///
    /// When there is no whole answer in time. A request on a connection that had gone stale is sent once more.
    pub async fn request(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer, ApiError> {
        let world = self.world.clone();
        let until = world.now() + ANSWER_TIME;
        let exchange = self.exchange(method, path, headers, body.into());
        match before(&world, until, exchange).await {
            Some(answer) => answer,
            None => {
                self.connection = None;
                Err(ApiError(format!(
                    "no answer to `{path}` within {ANSWER_TIME:?}"
                )))
            }
        }
    }

    /// Sends a request that the platform answers when something happens: hours later, and after a freeze.
    ///
    /// There is no deadline, because the platform demands that: one would end the environment.
    /// Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>, read 2026-11-23.
    ///
    /// # Errors
    ///
    /// When the connection breaks.
    pub async fn long_poll(
        &mut self,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Answer, ApiError> {
        self.exchange(Method::GET, path, headers, Bytes::new())
            .await
    }

    async fn exchange(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> Result<Answer, ApiError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.endpoint);
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(body))
            .map_err(|error| ApiError(format!("request to `{path}`: {error}")))?;
        let mut sender = match self.connection.take() {
            Some(mut sender) => match sender.ready().await {
                Ok(()) => sender,
                Err(_) => self.connect().await?,
            },
            None => self.connect().await?,
        };
        let answer = sender.send_request(request).await?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX)
            .collect()
            .await
            .map_err(|error| ApiError(format!("answer to `{path}`: {error}")))?;
        self.connection = Some(sender);
        Ok(Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.to_bytes(),
        })
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, ApiError> {
        let failed = |error: &dyn std::fmt::Display| {
            ApiError(format!("cannot connect to `{}`: {error}", self.endpoint))
        };
        let stream = TcpStream::connect(&self.endpoint)
            .await
            .map_err(|error| failed(&error))?;
        stream.set_nodelay(true).map_err(|error| failed(&error))?;
        let (sender, connection) = handshake(Io(stream)).await?;
        tokio::task::spawn_local(async move {
            // The request that rode on the connection reports its failure.
            connection.await.ok();
        });
        Ok(sender)
    }
}
