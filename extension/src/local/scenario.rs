//! The life that `tapline simulate` shows: everything that happens to an extension in Lambda, in a few seconds.

use std::time::Duration;

use serde_json::json;
use tapline_core::level::Level;

use super::script::{End, Script, Stamp, Step};
use super::settings::Reason;
use super::{
    InitOutcome, Invocation, InvokeOutcome, Journal, Lambda, ProcessEnd, ShutdownOutcome, Status,
};

/// Idle gap in the middle of the life.
const GAP: Duration = Duration::from_secs(1);

/// How an invocation should end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// In the platform's eyes well; what a real function throws is its own business.
    Success,
    /// The handler throws, and the environment lives on.
    Thrown,
    /// The function timeout, and a reset.
    Timeout,
}

/// One part of a life.
#[derive(Debug, Clone)]
pub enum Act {
    /// An invocation.
    Invoke {
        /// What it shows.
        title: &'static str,
        /// The invocation.
        invocation: Invocation,
        /// How it should end.
        expected: Expected,
    },
    /// An idle gap, frozen.
    Freeze(Duration),
}

/// An invocation that was played.
#[derive(Debug, Clone)]
pub struct Invoked {
    /// What it shows.
    pub title: &'static str,
    /// How it should have ended.
    pub expected: Expected,
    /// How it ended.
    pub outcome: InvokeOutcome,
}

impl Invoked {
    /// Whether it ended as it should.
    pub fn as_expected(&self) -> bool {
        let outcome = &self.outcome;
        match self.expected {
            Expected::Success => outcome.status == Status::Success,
            Expected::Thrown => {
                outcome.status == Status::Success && outcome.function_error.is_some()
            }
            Expected::Timeout => outcome.timed_out(),
        }
    }
}

/// A whole life.
#[derive(Debug, Clone)]
pub struct Life {
    /// The first init.
    pub init: InitOutcome,
    /// The invocations; none where init failed.
    pub invoked: Vec<Invoked>,
    /// The end.
    pub shutdown: ShutdownOutcome,
    /// Every process that ran.
    pub processes: Vec<ProcessEnd>,
    /// What the platform generated and delivered.
    pub journal: Journal,
}

/// Plays a life to its end.
pub async fn play(mut lambda: Lambda, acts: Vec<Act>) -> Life {
    let init = lambda.init().await;
    let mut invoked = Vec::new();
    if init.status == Status::Success {
        for act in acts {
            match act {
                Act::Freeze(gap) => lambda.freeze_for(gap).await,
                Act::Invoke {
                    title,
                    invocation,
                    expected,
                } => {
                    let outcome = lambda.invoke(invocation).await;
                    invoked.push(Invoked {
                        title,
                        expected,
                        outcome,
                    });
                }
            }
        }
    }
    let shutdown = lambda.shutdown(Reason::Spindown).await;
    let processes = lambda.ended().to_vec();
    Life {
        init,
        invoked,
        shutdown,
        processes,
        journal: lambda.journal(),
    }
}

/// The standard life with a scripted function: logs in text and JSON with made-up secrets, an error, a timeout with its
/// reset, a gap. About 4 s with a function timeout of 1 s.
pub fn scripted() -> Vec<Act> {
    let node = |steps| Script::new(steps).stamped(Stamp::Node);
    let invoke = |title, script, expected| Act::Invoke {
        title,
        invocation: Invocation::script(script),
        expected,
    };
    let pause = Step::Sleep(Duration::from_millis(30));
    // In parts, so that no scanner takes them for real.
    let access_key = ["AKIA", "IOSFODNN7", "EXAMPLE"].concat();
    let card = ["4111", "1111", "1111", "1111"].join(" ");
    let bearer = [
        "Bearer ",
        "eyJhbGciOiJub25lIn0",
        ".eyJzdWIiOiJkZW1vIn0",
        ".c2lnbmF0dXJl",
    ]
    .concat();
    let text = node(vec![
        Step::Log("order 42 accepted".into()),
        Step::Log(format!(
            "paid with card {card}, receipt to jane.doe@example.com"
        )),
        Step::LogAt(Level::Debug, "cache miss for customer 7".into()),
        pause.clone(),
        Step::LogAt(
            Level::Warn,
            format!("using static credentials {access_key}"),
        ),
    ]);
    let structured = Script::new(vec![
        Step::LogJson(json!({
            "level": "INFO", "message": "charge", "order": 43,
            "user": { "email": "john.roe@example.com", "password": "hunter2" },
            "authorization": bearer,
        })),
        Step::LogJson(json!({ "level": "DEBUG", "message": "charged", "latency_ms": 12 })),
        pause.clone(),
    ]);
    let error = node(vec![Step::LogAt(
        Level::Error,
        format!("card {card} was declined"),
    )])
    .ending(End::Throw {
        kind: "PaymentError".into(),
        message: "the bank did not answer".into(),
    });
    let hang = node(vec![Step::Log("waiting for the warehouse".into())]).ending(End::Hang);
    let plain = |line: &str| node(vec![Step::Log(line.into()), pause.clone()]);
    vec![
        invoke("cold start, text logs", text, Expected::Success),
        invoke("structured logs", structured, Expected::Success),
        invoke("the handler throws", error, Expected::Thrown),
        invoke("the function times out", hang, Expected::Timeout),
        invoke(
            "after the reset",
            plain("order 44 accepted"),
            Expected::Success,
        ),
        Act::Freeze(GAP),
        invoke(
            "after a frozen gap",
            plain("order 45 accepted"),
            Expected::Success,
        ),
    ]
}

/// The same number of invocations for a real function, with `payload` each.
pub fn real(payload: &str) -> Vec<Act> {
    let invoke = |title| Act::Invoke {
        title,
        invocation: Invocation::payload(payload),
        expected: Expected::Success,
    };
    vec![
        invoke("cold start"),
        invoke("second"),
        invoke("third"),
        invoke("fourth"),
        invoke("fifth"),
        Act::Freeze(GAP),
        invoke("after a frozen gap"),
    ]
}
