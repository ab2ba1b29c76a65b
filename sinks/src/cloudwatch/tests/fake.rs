//! A CloudWatch Logs of our own that enforces every limit of PutLogEvents, which no emulator does.
//!
//! It keeps what it stored. It does not check signatures: the emulator in the test command does.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::rc::Rc;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The streams of a group, each with its events.
type Streams = BTreeMap<String, Vec<(i64, String)>>;

/// What the fake stored and was asked for.
pub(super) struct Fake {
    pub port: u16,
    pub state: Rc<State>,
}

#[derive(Default)]
pub(super) struct State {
    /// What its clock says.
    pub now_ms: Cell<i64>,
    /// Events older than this many milliseconds have expired.
    pub retention_ms: Cell<Option<i64>>,
    /// Groups, each with its streams, each with its events.
    pub groups: RefCell<BTreeMap<String, Streams>>,
    /// Every action, in the order of arrival.
    pub actions: RefCell<Vec<String>>,
    /// The bodies of actions that are no PutLogEvents.
    pub bodies: RefCell<Vec<Value>>,
    /// Answers in place of its own, for the actions that come next.
    pub script: RefCell<Vec<(&'static str, u16, &'static str)>>,
    /// Requests under way, and the most at once.
    open: Cell<u32>,
    pub open_max: Cell<u32>,
    /// Entities are refused.
    pub refuses_entities: Cell<bool>,
}

impl Fake {
    /// A server without any group. Runs in the current `LocalSet`.
    pub async fn start(now_ms: i64) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Rc::new(State::default());
        state.now_ms.set(now_ms);
        let shared = state.clone();
        tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::task::spawn_local(serve(stream, shared.clone()));
            }
        });
        Fake { port, state }
    }
}

impl State {
    /// All events of a stream.
    pub fn events(&self, group: &str, stream: &str) -> Vec<(i64, String)> {
        let groups = self.groups.borrow();
        groups
            .get(group)
            .and_then(|group| group.get(stream))
            .cloned()
            .unwrap_or_default()
    }

    /// Makes a group with a stream.
    pub fn make(&self, group: &str, stream: &str) {
        let mut groups = self.groups.borrow_mut();
        groups
            .entry(group.to_owned())
            .or_default()
            .insert(stream.to_owned(), Vec::new());
    }

    fn answer(&self, action: &str, body: &Value) -> (u16, Value) {
        self.actions.borrow_mut().push(action.to_owned());
        let scripted = self
            .script
            .borrow()
            .iter()
            .position(|(name, _, _)| *name == action);
        if let Some(at) = scripted {
            let (_, status, code) = self.script.borrow_mut().remove(at);
            return (status, json!({ "__type": code, "message": "scripted" }));
        }
        if action != "PutLogEvents" {
            self.bodies.borrow_mut().push(body.clone());
        }
        let result = match action {
            "PutLogEvents" => self.put(body),
            "CreateLogGroup" => self.create_group(body),
            "CreateLogStream" => self.create_stream(body),
            "PutRetentionPolicy" => Ok(Value::Null),
            _ => Err(("UnknownOperationException", action.to_owned())),
        };
        match result {
            Ok(value) => (200, value),
            Err((code, message)) => (400, json!({ "__type": code, "message": message })),
        }
    }

    fn create_group(&self, body: &Value) -> Result<Value, (&'static str, String)> {
        let name = text(body, "logGroupName");
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_-/.#".contains(&byte);
        if name.is_empty() || name.len() > 512 || !name.bytes().all(legal) {
            return Err(("InvalidParameterException", "group".to_owned()));
        }
        let mut groups = self.groups.borrow_mut();
        if groups.contains_key(&name) {
            return Err(("ResourceAlreadyExistsException", name));
        }
        groups.insert(name, BTreeMap::new());
        Ok(Value::Null)
    }

    fn create_stream(&self, body: &Value) -> Result<Value, (&'static str, String)> {
        let (group, name) = (text(body, "logGroupName"), text(body, "logStreamName"));
        if name.is_empty() || name.chars().count() > 512 || name.contains([':', '*']) {
            return Err(("InvalidParameterException", "stream".to_owned()));
        }
        let mut groups = self.groups.borrow_mut();
        let Some(streams) = groups.get_mut(&group) else {
            return Err(("ResourceNotFoundException", group));
        };
        if streams.contains_key(&name) {
            return Err(("ResourceAlreadyExistsException", name));
        }
        streams.insert(name, Vec::new());
        Ok(Value::Null)
    }

    fn put(&self, body: &Value) -> Result<Value, (&'static str, String)> {
        let invalid = |message: String| Err(("InvalidParameterException", message));
        let (group, stream) = (text(body, "logGroupName"), text(body, "logStreamName"));
        let Some(events) = body["logEvents"].as_array() else {
            return invalid("no events".to_owned());
        };
        let events: Vec<(i64, String)> = events
            .iter()
            .map(|event| {
                (
                    event["timestamp"].as_i64().unwrap_or(-1),
                    text(event, "message"),
                )
            })
            .collect();
        let bytes: usize = events.iter().map(|(_, message)| message.len() + 26).sum();
        if bytes > 1_048_576 || events.is_empty() || events.len() > 10_000 {
            return invalid(format!("{bytes} bytes in {} events", events.len()));
        }
        if events
            .iter()
            .any(|(time, message)| *time < 0 || message.is_empty())
        {
            return invalid("an empty message or a negative time".to_owned());
        }
        if events.windows(2).any(|two| two[0].0 > two[1].0) {
            return invalid("not in order".to_owned());
        }
        let now = self.now_ms.get();
        let kept_ms = self.retention_ms.get().unwrap_or(i64::MAX);
        let reason = |time: i64| match now - time {
            age if age > 14 * 86_400_000 => Some("old"),
            age if age > kept_ms => Some("expired"),
            age if age < -7_200_000 => Some("new"),
            _ => None,
        };
        let valid: Vec<i64> = events
            .iter()
            .map(|e| e.0)
            .filter(|time| reason(*time).is_none())
            .collect();
        if let (Some(first), Some(last)) = (valid.first(), valid.last())
            && last - first > 86_400_000
        {
            return invalid("more than 24 hours".to_owned());
        }
        let mut groups = self.groups.borrow_mut();
        let Some(stored) = groups
            .get_mut(&group)
            .and_then(|group| group.get_mut(&stream))
        else {
            return Err(("ResourceNotFoundException", stream));
        };
        let mut info = serde_json::Map::new();
        let count = |reasons: &[&str]| {
            events
                .iter()
                .filter(|e| reason(e.0).is_some_and(|r| reasons.contains(&r)))
                .count()
        };
        if count(&["old"]) > 0 {
            info.insert("tooOldLogEventEndIndex".to_owned(), count(&["old"]).into());
        }
        if count(&["expired"]) > 0 {
            info.insert(
                "expiredLogEventEndIndex".to_owned(),
                count(&["old", "expired"]).into(),
            );
        }
        if count(&["new"]) > 0 {
            let start = events.len() - count(&["new"]);
            info.insert("tooNewLogEventStartIndex".to_owned(), start.into());
        }
        stored.extend(events.into_iter().filter(|event| reason(event.0).is_none()));
        let mut answer = json!({ "nextSequenceToken": "1" });
        if !info.is_empty() {
            answer["rejectedLogEventsInfo"] = info.into();
        }
        if self.refuses_entities.get() && !body["entity"].is_null() {
            answer["rejectedEntityInfo"] = json!({ "errorType": "InvalidEntity" });
        }
        Ok(answer)
    }
}

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_default().to_owned()
}

async fn serve(mut stream: TcpStream, state: Rc<State>) {
    while let Some((head, body)) = request(&mut stream).await {
        state.open.set(state.open.get() + 1);
        state
            .open_max
            .set(state.open_max.get().max(state.open.get()));
        // The others of a round arrive meanwhile.
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        let header = |name: &str| {
            let line = head.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().trim().to_owned()
        };
        let body = match header("content-encoding:").as_str() {
            "gzip" => {
                let mut plain = Vec::new();
                flate2::read::GzDecoder::new(body.as_slice())
                    .read_to_end(&mut plain)
                    .unwrap();
                plain
            }
            _ => body,
        };
        let action = header("x-amz-target:").replace("Logs_20140328.", "");
        let body: Value = serde_json::from_slice(&body).expect("the request is JSON");
        let (status, answer) = state.answer(&action, &body);
        let answer = if answer.is_null() {
            String::new()
        } else {
            answer.to_string()
        };
        let text = format!(
            "HTTP/1.1 {status} X\r\nx-amzn-requestid: 1\r\ncontent-length: {}\r\n\r\n{answer}",
            answer.len()
        );
        state.open.set(state.open.get() - 1);
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length?.parse().ok()?];
    stream.read_exact(&mut body).await.ok()?;
    Some((head, body))
}
