//! The Extensions API `2020-01-01`: register, next, errors.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>, read 2026-11-23.

use hyper::Method;
use serde::Deserialize;

use crate::api::{Answer, ApiError, Client};

const BASE: &str = "/2020-01-01/extension";
const IDENTIFIER: &str = "lambda-extension-identifier";

/// What the platform said when the extension registered.
#[derive(Debug, Clone, Default)]
pub struct Registration {
    /// Names the extension in every later request.
    pub identifier: String,
    /// The account of the function.
    pub account_id: Option<String>,
    /// The name of the function.
    pub function_name: Option<String>,
    /// The version of the function.
    pub function_version: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Registered {
    account_id: Option<String>,
    function_name: Option<String>,
    function_version: Option<String>,
}

/// An event of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextEvent {
    /// An invocation begins.
    Invoke {
        /// Its request id.
        request_id: String,
        /// When it times out: wall clock, milliseconds since 1970.
        deadline_ms: i64,
        /// The ARN as invoked.
        function_arn: String,
    },
    /// The environment ends.
    Shutdown {
        /// When it is killed: wall clock, milliseconds since 1970. `None`: not said.
        deadline_ms: Option<i64>,
        /// `spindown`, `timeout` or `failure`, in any case.
        reason: String,
    },
    /// An event of a kind that is not known: answered by asking for the next.
    Unknown,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Event {
    event_type: Option<String>,
    deadline_ms: Option<i64>,
    request_id: Option<String>,
    invoked_function_arn: Option<String>,
    shutdown_reason: Option<String>,
}

/// The extension's side of the Extensions API.
pub struct ExtensionsApi {
    client: Client,
    identifier: String,
}

impl ExtensionsApi {
    /// Registers under the binary's own file name: another one would make it an internal extension.
    ///
    /// # Errors
    ///
    /// When the platform refuses, or does not answer.
    pub async fn register(
        mut client: Client,
        name: &str,
        events: &[&str],
    ) -> Result<(ExtensionsApi, Registration), ApiError> {
        let headers = [
            ("lambda-extension-name", name),
            ("lambda-extension-accept-feature", "accountId"),
        ];
        let body = serde_json::json!({ "events": events })
            .to_string()
            .into_bytes();
        let path = format!("{BASE}/register");
        let answer = client.request(Method::POST, &path, &headers, body).await?;
        if answer.status != 200 {
            return Err(ApiError(format!(
                "register was refused: {}",
                answer.describe()
            )));
        }
        let identifier = answer.header(IDENTIFIER).unwrap_or_default().to_owned();
        if identifier.is_empty() {
            return Err(ApiError(
                "register was answered without an identifier".to_owned(),
            ));
        }
        let known: Registered = serde_json::from_slice(&answer.body).unwrap_or_default();
        let registration = Registration {
            identifier: identifier.clone(),
            account_id: known.account_id,
            function_name: known.function_name,
            function_version: known.function_version,
        };
        Ok((ExtensionsApi { client, identifier }, registration))
    }

    /// Names the extension in every request.
    pub fn identifier(&self) -> &str {
        &self.identifier
    }

    /// The connection, for requests to the other APIs of the same endpoint.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Says that all is done, and waits for what comes next. A 403 means that the environment is going down.
    ///
    /// # Errors
    ///
    /// When the connection breaks or the platform answers with anything else.
    pub async fn next(&mut self) -> Result<NextEvent, ApiError> {
        let path = format!("{BASE}/event/next");
        let answer = self
            .client
            .long_poll(&path, &[(IDENTIFIER, &self.identifier)])
            .await?;
        match answer.status {
            200 => Ok(read_event(&answer)),
            403 => Ok(NextEvent::Shutdown {
                deadline_ms: None,
                reason: "refused".to_owned(),
            }),
            _ => Err(ApiError(format!(
                "next was answered with {}",
                answer.describe()
            ))),
        }
    }

    /// Reports that the extension cannot start. Its process has to end after that.
    ///
    /// # Errors
    ///
    /// When the platform does not take it.
    pub async fn init_error(&mut self, error_type: &str, message: &str) -> Result<(), ApiError> {
        self.report("init/error", error_type, message).await
    }

    /// Reports that the extension cannot go on. Its process has to end after that.
    ///
    /// # Errors
    ///
    /// When the platform does not take it.
    pub async fn exit_error(&mut self, error_type: &str, message: &str) -> Result<(), ApiError> {
        self.report("exit/error", error_type, message).await
    }

    async fn report(
        &mut self,
        what: &str,
        error_type: &str,
        message: &str,
    ) -> Result<(), ApiError> {
        let headers = [
            (IDENTIFIER, self.identifier.as_str()),
            ("lambda-extension-function-error-type", error_type),
        ];
        let body = serde_json::json!({ "errorMessage": message, "errorType": error_type, "stackTrace": [] });
        let path = format!("{BASE}/{what}");
        let answer = self
            .client
            .request(Method::POST, &path, &headers, body.to_string().into_bytes())
            .await?;
        if (200..300).contains(&answer.status) {
            return Ok(());
        }
        Err(ApiError(format!(
            "{what} was refused: {}",
            answer.describe()
        )))
    }
}

fn read_event(answer: &Answer) -> NextEvent {
    let Ok(event) = serde_json::from_slice::<Event>(&answer.body) else {
        return NextEvent::Unknown;
    };
    match event
        .event_type
        .unwrap_or_default()
        .to_ascii_uppercase()
        .as_str()
    {
        "INVOKE" => NextEvent::Invoke {
            request_id: event.request_id.unwrap_or_default(),
            deadline_ms: event.deadline_ms.unwrap_or(0),
            function_arn: event.invoked_function_arn.unwrap_or_default(),
        },
        "SHUTDOWN" => NextEvent::Shutdown {
            deadline_ms: event.deadline_ms,
            reason: event
                .shutdown_reason
                .unwrap_or_default()
                .to_ascii_lowercase(),
        },
        _ => NextEvent::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(body: &str) -> NextEvent {
        read_event(&Answer {
            status: 200,
            headers: Default::default(),
            body: body.to_owned().into(),
        })
    }

    #[test]
    fn events_are_read_leniently() {
        let invoke = r#"{"eventType":"INVOKE","deadlineMs":1760000003123,"requestId":"r","invokedFunctionArn":"arn","tracing":{"type":"X-Amzn-Trace-Id","value":"Root=1"},"new":1}"#;
        let expected = NextEvent::Invoke {
            request_id: "r".into(),
            deadline_ms: 1_760_000_003_123,
            function_arn: "arn".into(),
        };
        assert_eq!(event(invoke), expected);
        let shutdown =
            r#"{"eventType":"SHUTDOWN","deadlineMs":676051,"shutdownReason":"SPINDOWN"}"#;
        assert_eq!(
            event(shutdown),
            NextEvent::Shutdown {
                deadline_ms: Some(676_051),
                reason: "spindown".into()
            }
        );
        let sparse = event(r#"{"eventType":"SHUTDOWN","deadlineMs":null,"shutdownReason":null}"#);
        assert!(matches!(
            sparse,
            NextEvent::Shutdown {
                deadline_ms: None,
                ..
            }
        ));
        assert_eq!(event(r#"{"eventType":"RESUME"}"#), NextEvent::Unknown);
        assert_eq!(event("<html>"), NextEvent::Unknown);
    }

    /// Answers every request with the next of these, and gives what was asked.
    async fn fake(
        answers: &'static [&'static str],
    ) -> (String, tokio::task::JoinHandle<Vec<String>>) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = tokio::task::spawn_local(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            for answer in answers {
                let mut bytes = vec![0; 4_096];
                let mut length = 0;
                loop {
                    length += stream.read(&mut bytes[length..]).await.unwrap();
                    let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                    // Bodies here are JSON objects, and end with their brace.
                    if text.ends_with('}')
                        || text.ends_with("\r\n\r\n") && !text.contains("content-length")
                    {
                        asked.push(text);
                        break;
                    }
                }
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            asked
        });
        (address, server)
    }

    /// The wire forms of register, next, init/error and exit/error, on one kept connection.
    #[tokio::test(flavor = "current_thread")]
    async fn requests_have_the_documented_form() {
        const ACCEPTED: &str =
            "HTTP/1.1 202 Accepted\r\ncontent-length: 16\r\n\r\n{\"status\":\"OK\"}\n";
        let local = tokio::task::LocalSet::new();
        let life = local.run_until(async {
            let (address, server) = fake(&[
                "HTTP/1.1 200 OK\r\nLambda-Extension-Identifier: id-1\r\ncontent-length: 28\r\n\r\n{\"accountId\":\"123456789012\"}",
                "HTTP/1.1 200 OK\r\ncontent-length: 51\r\n\r\n{\"eventType\":\"SHUTDOWN\",\"shutdownReason\":\"failure\"}",
                ACCEPTED,
                ACCEPTED,
                "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\n{}",
            ])
            .await;
            let client = Client::new(&address, crate::world::RealWorld::new());
            let (mut api, registration) = ExtensionsApi::register(client, "tapline", &["INVOKE", "SHUTDOWN"]).await.unwrap();
            assert_eq!(registration.account_id.as_deref(), Some("123456789012"));
            assert!(matches!(api.next().await.unwrap(), NextEvent::Shutdown { reason, .. } if reason == "failure"));
            api.init_error("Extension.ConfigInvalid", "no sink").await.unwrap();
            api.exit_error("Extension.Broken", "gone").await.unwrap();
            assert!(matches!(api.next().await.unwrap(), NextEvent::Shutdown { .. }), "403 is a shutdown");
            server.await.unwrap()
        });
        let asked = tokio::time::timeout(std::time::Duration::from_secs(10), life)
            .await
            .unwrap();
        let lower: Vec<String> = asked.iter().map(|text| text.to_ascii_lowercase()).collect();
        assert!(asked[0].starts_with("POST /2020-01-01/extension/register HTTP/1.1\r\n"));
        assert!(lower[0].contains("lambda-extension-name: tapline\r\n"));
        assert!(lower[0].contains("lambda-extension-accept-feature: accountid\r\n"));
        assert!(asked[0].ends_with("{\"events\":[\"INVOKE\",\"SHUTDOWN\"]}"));
        assert!(asked[1].starts_with("GET /2020-01-01/extension/event/next HTTP/1.1\r\n"));
        assert!(lower[1].contains("lambda-extension-identifier: id-1\r\n"));
        assert!(asked[2].starts_with("POST /2020-01-01/extension/init/error HTTP/1.1\r\n"));
        assert!(
            lower[2].contains("lambda-extension-function-error-type: extension.configinvalid\r\n")
        );
        assert!(asked[3].starts_with("POST /2020-01-01/extension/exit/error HTTP/1.1\r\n"));
        assert!(asked[3].contains("\"errorMessage\":\"gone\""));
    }
}
