//! The least that an extension on tokio can be: it registers, subscribes and polls, and looks at nothing.
//!
//! Tapline's start is compared with this one's (`tests/startup`), so it is built with the same profile.

use std::io::{Error, Result};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn main() -> Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(life())
}

#[expect(
    clippy::disallowed_methods,
    reason = "there is no World where there is nothing"
)]
async fn life() -> Result<()> {
    let endpoint = std::env::var("AWS_LAMBDA_RUNTIME_API").map_err(Error::other)?;
    let name = std::env::args().next().unwrap_or_default();
    let name = name.rsplit('/').next().unwrap_or_default();
    let mut platform = TcpStream::connect(endpoint).await?;
    platform.set_nodelay(true)?;
    let answer = ask(
        &mut platform,
        "POST /2020-01-01/extension/register",
        &format!("lambda-extension-name: {name}\r\n"),
        r#"{"events":["INVOKE","SHUTDOWN"]}"#,
    )
    .await?;
    let id = header(&answer, "lambda-extension-identifier").ok_or(Error::other("no identifier"))?;
    let id = format!("lambda-extension-identifier: {id}\r\n");
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(answer_posts(listener));
    let wish = format!(
        r#"{{"schemaVersion":"2022-12-13","types":["platform","function"],"destination":{{"protocol":"HTTP","URI":"http://sandbox.localdomain:{port}/"}}}}"#
    );
    ask(&mut platform, "PUT /2022-07-01/telemetry", &id, &wish).await?;
    loop {
        let event = ask(
            &mut platform,
            "GET /2020-01-01/extension/event/next",
            &id,
            "",
        )
        .await?;
        if event.contains("SHUTDOWN") || event.is_empty() {
            return Ok(());
        }
    }
}

/// Sends a request and gives head and body of the answer as text.
async fn ask(stream: &mut TcpStream, line: &str, headers: &str, body: &str) -> Result<String> {
    let length = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nhost: lambda\r\n{headers}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    loop {
        if stream.read_buf(&mut answer).await? == 0 {
            return Ok(String::new());
        }
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let wanted = header(head, "content-length").and_then(|length| length.parse().ok());
        if body.len() >= wanted.unwrap_or(0) {
            return Ok(text.into_owned());
        }
    }
}

fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    answer
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

/// Takes whatever comes, one POST a connection, and says that it was good.
async fn answer_posts(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut buffer = vec![0; 64 << 10];
        if stream.read(&mut buffer).await.is_ok() {
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(answer).await.ok();
        }
    }
}
