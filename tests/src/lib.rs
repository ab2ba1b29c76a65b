//! Scenarios: the real binary in the local Lambda, against sinks that behave as sinks do.
//!
//! # How to write a scenario
//!
//! One file in `scenarios/` for each situation, one function for each thing that must hold. Over each two lines: what
//! happens, and what must hold. A [`FakeBackend`](backend::FakeBackend) plays the destination, a
//! [`Scenario`](harness::Scenario) is the environment with its configuration, a [`Life`](harness::Life) is lived
//! invocation by invocation, and its [`End`](harness::End) has all that can be known afterwards: what the platform
//! sent, what the ledger says, how long each invocation was held. One of them, whole:
//!
//! ```no_run
//! use tapline::local::{Script, Step};
//! use tapline_tests::backend::{Answer, FakeBackend};
//! use tapline_tests::harness::Scenario;
//!
//! # async fn scenario() {
//! /// The destination answers 503 once and is well again.
//! /// Every record is there once, and the function was not harmed.
//! # const _: () = ();
//! let backend = FakeBackend::start(Answer::OK);
//! backend.next([Answer::status(503)]);
//! let mut life = Scenario::new(&backend.sink("out")).begin().await;
//! life.invoke(Script::new(vec![Step::Log("hello".into())])).await;
//! let end = life.end().await;
//! end.assert_unharmed();
//! end.assert_all_arrived(&backend.lines());
//! backend.finish();
//! # }
//! ```
//!
//! Nobody sleeps until something has surely happened: [`until`](harness::until) asks for the fact, with a deadline.
//! Random traffic comes from a seed that is printed; see [`traffic`].
//!
//! What is not proven here: AWS itself, TLS, names, and time that jumps.

pub mod backend;
pub mod binary;
pub mod canary;
pub mod harness;
pub mod listener;
pub mod traffic;

#[cfg(test)]
mod scenarios;
