//! Scripted functions: what the code of an invocation does, and how its runtime would have written it down.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tapline_core::level::Level;
use tokio::time::sleep;

use super::Shared;
use super::clock;
use super::element::{Audience, Element, Record, quoted};
use super::settings::LogFormat;
use super::state::{Answer, FunctionError};

/// Lines of a burst between two chances for delivery: about a pipe full of short ones.
const LINES_AT_ONCE: u32 = 256;

/// One thing that the function's code does.
#[derive(Debug, Clone)]
pub enum Step {
    /// Logs a text at level INFO, in the form of the script's [`Stamp`].
    Log(String),
    /// Logs a text at a level.
    LogAt(Level, String),
    /// Prints a JSON value as one line of its own, as a structured logger does.
    LogJson(Value),
    /// Prints a line exactly so.
    Line(String),
    /// Prints `count` lines of `bytes` bytes each, numbered from 0.
    Burst {
        /// Lines.
        count: u32,
        /// Bytes of each line, its number included.
        bytes: usize,
    },
    /// Puts an element of any type, known or not, into the platform's stream; `record` is JSON.
    Element {
        /// Its `type`.
        kind: String,
        /// Its `record`.
        record: Value,
    },
    /// Waits.
    Sleep(Duration),
}

/// How an invocation ends.
#[derive(Debug, Clone)]
pub enum End {
    /// With this response.
    Return(String),
    /// With an uncaught error, which the runtime logs and posts to `/error`.
    Throw {
        /// `errorType`.
        kind: String,
        /// `errorMessage`.
        message: String,
    },
    /// The runtime's process ends with this exit code.
    Crash {
        /// 0 counts as a crash, too.
        exit: i32,
    },
    /// Not before the function timeout.
    Hang,
}

/// Whose log lines the function's look like.
///
/// Source: the runtime interface clients of AWS, `LogPatch.js` and `bootstrap.py`, read 2026-11-23.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stamp {
    /// The text and nothing else, as `provided` runtimes leave it.
    #[default]
    Raw,
    /// `2026-01-02T03:04:05.123Z\t<requestId>\tINFO\ttext`, or Node's JSON form.
    Node,
    /// `[INFO]\t2026-01-02T03:04:05.123Z\t<requestId>\ttext`, or Python's JSON form.
    Python,
}

/// What the function does in one invocation.
#[derive(Debug, Clone)]
pub struct Script {
    /// Form of its log lines.
    pub stamp: Stamp,
    /// In this order.
    pub steps: Vec<Step>,
    /// And then.
    pub end: End,
}

impl Default for Script {
    fn default() -> Self {
        Script {
            stamp: Stamp::Raw,
            steps: Vec::new(),
            end: End::Return("{}".into()),
        }
    }
}

impl Script {
    /// A script that returns `{}` in the end.
    pub fn new(steps: Vec<Step>) -> Self {
        Script {
            steps,
            ..Script::default()
        }
    }

    /// The same with another end.
    pub fn ending(self, end: End) -> Self {
        Script { end, ..self }
    }

    /// The same with the log lines of a runtime.
    pub fn stamped(self, stamp: Stamp) -> Self {
        Script { stamp, ..self }
    }
}

/// How a played script came out.
#[derive(Debug)]
pub(crate) enum Played {
    Answered(Answer),
    Crashed(i32),
}

/// Plays a script. Never comes back from [`End::Hang`]: the caller has the function timeout.
pub(crate) async fn play(shared: &Shared, request_id: &str, script: &Script) -> Played {
    let stamp = script.stamp;
    steps(shared, request_id, stamp, &script.steps).await;
    let result = match &script.end {
        End::Return(response) => Ok(Bytes::from(response.clone())),
        End::Throw { kind, message } => {
            let format = shared.settings.log_format;
            shared.line(
                "function",
                uncaught(stamp, format, request_id, kind, message),
            );
            Err(FunctionError {
                kind: kind.clone(),
                message: message.clone(),
            })
        }
        End::Crash { exit } => return Played::Crashed(*exit),
        End::Hang => std::future::pending().await,
    };
    let now = clock::now();
    Played::Answered(Answer {
        result,
        first_byte_at: now,
        last_byte_at: now,
    })
}

/// Plays steps that may be those of init, where there is no request id.
pub(crate) async fn steps(shared: &Shared, request_id: &str, stamp: Stamp, steps: &[Step]) {
    let format = shared.settings.log_format;
    for step in steps {
        match step {
            Step::Log(text) => {
                let line = logged(stamp, format, request_id, Level::Info, text);
                shared.line("function", line);
            }
            Step::LogAt(level, text) => {
                shared.line("function", logged(stamp, format, request_id, *level, text));
            }
            Step::LogJson(value) => shared.line("function", value.to_string()),
            Step::Line(line) => shared.line("function", line.clone()),
            Step::Burst { count, bytes } => {
                for number in 0..*count {
                    // The platform reads and delivers while the function prints.
                    if number % LINES_AT_ONCE == 0 {
                        tokio::task::yield_now().await;
                    }
                    let number = number.to_string();
                    let fill = "x".repeat(bytes.saturating_sub(number.len() + 1));
                    shared.line("function", format!("{number} {fill}"));
                }
            }
            Step::Element { kind, record } => shared.emit(Element {
                time: clock::timestamp(clock::wall()),
                kind: kind.clone(),
                record: Record::Json(record.to_string()),
                audience: Audience::Everyone,
            }),
            Step::Sleep(time) => sleep(*time).await,
        }
    }
}

fn word(level: Level, stamp: Stamp) -> &'static str {
    match (level, stamp) {
        (Level::Trace, _) => "TRACE",
        (Level::Debug, _) => "DEBUG",
        (Level::Info, _) => "INFO",
        (Level::Warn, Stamp::Python) => "WARNING",
        (Level::Warn, _) => "WARN",
        (Level::Error, _) => "ERROR",
        (Level::Fatal, Stamp::Python) => "CRITICAL",
        (Level::Fatal, _) => "FATAL",
    }
}

fn logged(stamp: Stamp, format: LogFormat, id: &str, level: Level, text: &str) -> String {
    let time = clock::timestamp(clock::wall());
    let level = word(level, stamp);
    let message = quoted(text);
    match (stamp, format) {
        (Stamp::Raw, _) => text.to_owned(),
        (Stamp::Node, LogFormat::Text) => {
            let id = if id.is_empty() { "undefined" } else { id };
            format!("{time}\t{id}\t{level}\t{}", text.replace('\n', "\r"))
        }
        (Stamp::Python, LogFormat::Text) => {
            format!("[{level}]\t{time}\t{id}\t{}", text.replace('\n', "\r"))
        }
        (Stamp::Node, LogFormat::Json) => format!(
            r#"{{"timestamp":"{time}","level":"{level}","requestId":"{id}","message":{message}}}"#
        ),
        (Stamp::Python, LogFormat::Json) => format!(
            r#"{{"timestamp":"{}Z","level":"{level}","message":{message},"logger":"root","requestId":"{id}"}}"#,
            &time[..19]
        ),
    }
}

fn uncaught(stamp: Stamp, format: LogFormat, id: &str, kind: &str, message: &str) -> String {
    let time = clock::timestamp(clock::wall());
    let stack = quoted(&format!("{kind}: {message}"));
    let (kind_json, message_json) = (quoted(kind), quoted(message));
    match (stamp, format) {
        (Stamp::Raw, _) => format!("{kind}: {message}"),
        (Stamp::Node, LogFormat::Text) => format!(
            "{time}\t{id}\tERROR\tInvoke Error \t{{\"errorType\":{kind_json},\"errorMessage\":{message_json},\
             \"stack\":[{stack},\"    at handler (/var/task/app.js:3:9)\"]}}"
        ),
        (Stamp::Python, LogFormat::Text) => format!(
            "[ERROR] {kind}: {message}\rTraceback (most recent call last):\r\u{a0}\u{a0}File \"/var/task/app.py\", \
             line 3, in handler\r\u{a0}\u{a0}\u{a0}\u{a0}raise {kind}({message_json})"
        ),
        (Stamp::Node, LogFormat::Json) => format!(
            r#"{{"timestamp":"{time}","level":"ERROR","requestId":"{id}","message":{{"errorType":{kind_json},"errorMessage":{message_json},"stackTrace":[{stack}]}}}}"#
        ),
        (Stamp::Python, LogFormat::Json) => format!(
            r#"{{"timestamp":"{}Z","log_level":"ERROR","errorMessage":{message_json},"errorType":{kind_json},"requestId":"{id}","stackTrace":["  File \"/var/task/app.py\", line 3, in handler\n"]}}"#,
            &time[..19]
        ),
    }
}
