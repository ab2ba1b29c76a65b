//! A destination that keeps what it gets and misbehaves as told.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;
use tapline::local::clock::{self, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Pause between two bytes of an answer that comes byte by byte.
const BYTE_PAUSE: Duration = Duration::from_millis(40);

/// What a request is answered with, once all of it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A status, headers, and no body.
    Status(u16, Vec<(&'static str, String)>),
    /// A status and a body.
    Said(u16, String),
    /// The connection is reset.
    Reset,
    /// The connection is closed without a byte.
    Close,
    /// Nothing, and the connection stays.
    Never,
    /// A head that goes on and on, byte by byte.
    HeadByteByByte,
    /// 200 at once, and a body that comes byte by byte.
    BodyByteByByte,
}

impl Answer {
    /// 200.
    pub const OK: Answer = Answer::Status(200, Vec::new());

    /// Any status.
    pub fn status(code: u16) -> Answer {
        Answer::Status(code, Vec::new())
    }

    /// 429 that asks to wait.
    pub fn too_many(retry_after_s: u32) -> Answer {
        Answer::Status(429, vec![("Retry-After", retry_after_s.to_string())])
    }

    /// Whether the sender may take its records for delivered.
    pub fn accepts(&self) -> bool {
        match self {
            Answer::Status(code, _) | Answer::Said(code, _) => (200..300).contains(code),
            Answer::BodyByteByByte => true,
            _ => false,
        }
    }
}

/// One request, read to its end.
#[derive(Debug, Clone)]
pub struct Request {
    /// When its last byte came.
    pub at: Instant,
    /// Number of its connection, from 0.
    pub connection: u32,
    /// Method and path.
    pub target: String,
    /// Its headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Its body as sent.
    pub raw: Vec<u8>,
    /// Its body, decoded.
    pub body: Vec<u8>,
    /// What it was answered with.
    pub answer: Answer,
}

impl Request {
    /// The header that is the same on every attempt.
    pub fn batch(&self) -> &str {
        self.headers
            .get("x-tapline-batch")
            .map_or("", String::as_str)
    }

    /// Its records.
    ///
    /// # Panics
    ///
    /// When a line is no record.
    pub fn lines(&self) -> Vec<Line> {
        let text = std::str::from_utf8(&self.body).expect("the body is UTF-8");
        assert!(
            text.is_empty() || text.ends_with('\n'),
            "each line is ended: {text}"
        );
        text.lines().map(Line::parse).collect()
    }
}

/// One record, as it was written.
#[derive(Debug, Clone)]
pub struct Line {
    /// `id`.
    pub id: String,
    /// `time`.
    pub time: String,
    /// `type`.
    pub kind: String,
    /// `level`, where there is one.
    pub level: Option<String>,
    /// `request_id`, where there is one.
    pub request_id: Option<String>,
    /// `record`: its exact bytes.
    pub record: String,
    /// `attributes`, null where there are none.
    pub attributes: Value,
}

impl Line {
    /// Reads a line.
    ///
    /// # Panics
    ///
    /// Where it is none.
    pub fn parse(text: &str) -> Line {
        let mut members: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("no record: {error}: {text}"));
        let mut word = |key: &str| {
            let raw = members.remove(key)?;
            Some(serde_json::from_str::<String>(raw.get()).expect("a string"))
        };
        let (id, time, kind) = (word("id"), word("time"), word("type"));
        let (level, request_id) = (word("level"), word("request_id"));
        Line {
            id: id.expect("every record has an id"),
            time: time.expect("every record has a time"),
            kind: kind.expect("every record has a type"),
            level,
            request_id,
            record: members
                .remove("record")
                .expect("every line has a record")
                .get()
                .to_owned(),
            attributes: members.remove("attributes").map_or(Value::Null, |raw| {
                serde_json::from_str(raw.get()).expect("JSON")
            }),
        }
    }

    /// The record as a JSON value.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.record).expect("a record is JSON")
    }

    /// The record as text, without its last newline; empty where it is no string.
    pub fn text(&self) -> String {
        self.value()
            .as_str()
            .unwrap_or_default()
            .trim_end_matches('\n')
            .to_owned()
    }
}

/// Decides on a request by itself.
struct Judge(Box<dyn FnMut(&Request) -> Answer + Send + Sync>);

impl std::fmt::Debug for Judge {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Judge")
    }
}

#[derive(Debug)]
struct State {
    usual: Answer,
    judge: Option<Judge>,
    script: VecDeque<Answer>,
    requests: Vec<Request>,
    connections: u32,
    /// Counts up: connections that rest are closed.
    closings: u32,
    /// Counts up: connections that are older are never answered on again.
    silences: u32,
    stopped: bool,
}

/// The destination. It listens on 127.0.0.1, on a port and a thread of its own.
#[derive(Debug)]
pub struct FakeBackend {
    state: Arc<watch::Sender<State>>,
    address: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl FakeBackend {
    /// Starts one that answers so, unless a script says otherwise.
    pub fn start(usual: Answer) -> FakeBackend {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .expect("loopback has a free port");
        listener
            .set_nonblocking(true)
            .expect("a socket can be told so");
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::new(watch::Sender::new(State {
            usual,
            judge: None,
            script: VecDeque::new(),
            requests: Vec::new(),
            connections: 0,
            closings: 0,
            silences: 0,
            stopped: false,
        }));
        let shared = state.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(serve(listener, shared));
        });
        FakeBackend {
            state,
            address,
            thread: Some(thread),
        }
    }

    /// Starts one that answers what a service would, by what it is sent.
    pub fn judging(judge: impl FnMut(&Request) -> Answer + Send + Sync + 'static) -> FakeBackend {
        let backend = FakeBackend::start(Answer::OK);
        backend
            .state
            .send_modify(|state| state.judge = Some(Judge(Box::new(judge))));
        backend
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The table of an `http` sink that sends here.
    pub fn sink(&self, name: &str) -> String {
        format!(
            "[sink.{name}]\ntype = \"http\"\nurl = \"{}/{name}\"\n",
            self.url()
        )
    }

    /// Answers so from now on.
    pub fn usually(&self, answer: Answer) {
        self.state.send_modify(|state| state.usual = answer);
    }

    /// Answers the next requests so, one after the other.
    pub fn next(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state.send_modify(|state| state.script.extend(answers));
    }

    /// Closes every connection on which no request is being read or answered.
    pub fn close_idle(&self) {
        self.state.send_modify(|state| state.closings += 1);
    }

    /// Never answers again on the connections that there are, and does not close them: as when a box in between
    /// forgot about them.
    pub fn forget_connections(&self) {
        self.state.send_modify(|state| state.silences += 1);
    }

    /// Connections that were made so far.
    pub fn connections(&self) -> u32 {
        self.state.borrow().connections
    }

    /// Every request that came whole, in that order.
    pub fn requests(&self) -> Vec<Request> {
        self.state.borrow().requests.clone()
    }

    /// The records of all requests that were answered with 2xx, in that order.
    pub fn lines(&self) -> Vec<Line> {
        let requests = self.requests();
        requests
            .iter()
            .filter(|request| request.answer.accepts())
            .flat_map(Request::lines)
            .collect()
    }

    /// Ends it. Whatever panicked inside panics here.
    pub fn finish(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        self.state.send_modify(|state| state.stopped = true);
        if let Some(thread) = self.thread.take()
            && let Err(panic) = thread.join()
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Drop for FakeBackend {
    fn drop(&mut self) {
        self.stop();
    }
}

type Shared = Arc<watch::Sender<State>>;

async fn serve(listener: std::net::TcpListener, shared: Shared) {
    let listener = TcpListener::from_std(listener).expect("it does not block");
    let mut stopped = shared.subscribe();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted.expect("loopback accepts");
                let mut number = 0;
                shared.send_modify(|state| {
                    number = state.connections;
                    state.connections += 1;
                });
                connections.spawn(connection(stream, number, shared.clone()));
            }
            _ = stopped.wait_for(|state| state.stopped) => break,
        }
    }
    connections.abort_all();
    while let Some(joined) = connections.join_next().await {
        if let Err(error) = joined
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

/// A sender that goes away in the middle is no error here.
async fn connection(mut stream: TcpStream, number: u32, shared: Shared) {
    stream.set_nodelay(true).ok();
    let (closings, silences) = (shared.borrow().closings, shared.borrow().silences);
    let mut closed = shared.subscribe();
    let mut buffer = Vec::new();
    loop {
        if buffer.is_empty() {
            let mut first = [0; 64 << 10];
            tokio::select! {
                read = stream.read(&mut first) => match read {
                    Ok(count @ 1..) => buffer.extend_from_slice(&first[..count]),
                    _ => return,
                },
                _ = closed.wait_for(|state| state.closings > closings) => return,
            }
        }
        if shared.borrow().silences > silences {
            while !matches!(stream.read(&mut [0; 4096]).await, Ok(0) | Err(_)) {}
            return;
        }
        let Ok(Some(mut request)) = read_request(&mut stream, &mut buffer, number).await else {
            return;
        };
        let mut answer = Answer::OK;
        shared.send_modify(|state| {
            answer = match (state.script.pop_front(), &mut state.judge) {
                (Some(answer), _) => answer,
                (None, Some(Judge(judge))) => judge(&request),
                (None, None) => state.usual.clone(),
            };
            request.answer = answer.clone();
            state.requests.push(request);
        });
        if !matches!(give(&mut stream, &answer).await, Ok(true)) {
            return;
        }
    }
}

async fn read_request(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    number: u32,
) -> io::Result<Option<Request>> {
    let head_end = loop {
        if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8(buffer[..head_end].to_vec()).expect("a head is ASCII");
    let mut lines = head.split("\r\n");
    let target = lines
        .next()
        .unwrap_or_default()
        .trim_end_matches(" HTTP/1.1")
        .to_owned();
    let headers: BTreeMap<String, String> = lines
        .map(|line| line.split_once(": ").expect("a header has a colon"))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers
        .get("content-length")
        .expect("requests tell their length")
        .parse()
        .expect("a number");
    let body_start = head_end + 4;
    while buffer.len() < body_start + length {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    let raw = buffer[body_start..body_start + length].to_vec();
    buffer.drain(..body_start + length);
    let body = match headers.get("content-encoding").map(String::as_str) {
        None => raw.clone(),
        Some("gzip") => {
            let mut body = Vec::new();
            flate2::read::GzDecoder::new(&raw[..])
                .read_to_end(&mut body)
                .expect("it is gzip");
            body
        }
        Some(other) => panic!("`{other}` was not agreed on"),
    };
    Ok(Some(Request {
        at: clock::now(),
        connection: number,
        target,
        headers,
        raw,
        body,
        answer: Answer::OK,
    }))
}

/// Answers. Says whether another request may follow.
async fn give(stream: &mut TcpStream, answer: &Answer) -> io::Result<bool> {
    match answer {
        Answer::Status(code, headers) => {
            let headers: String = headers
                .iter()
                .map(|(name, value)| format!("{name}: {value}\r\n"))
                .collect();
            let head = format!("HTTP/1.1 {code} -\r\n{headers}content-length: 0\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            return Ok(true);
        }
        Answer::Said(code, body) => {
            let length = body.len();
            let text = format!("HTTP/1.1 {code} -\r\ncontent-length: {length}\r\n\r\n{body}");
            stream.write_all(text.as_bytes()).await?;
            return Ok(true);
        }
        Answer::Reset => stream.set_zero_linger()?,
        Answer::Close => {}
        Answer::Never => {
            stream.read_u8().await?;
        }
        Answer::HeadByteByByte => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nx-slow: ").await?;
            dribble(stream).await?;
        }
        Answer::BodyByteByByte => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
                .await?;
            dribble(stream).await?;
        }
    }
    Ok(false)
}

async fn dribble(stream: &mut TcpStream) -> io::Result<()> {
    loop {
        stream.write_all(b"x").await?;
        sleep(BYTE_PAUSE).await;
    }
}
