//! A world for tests: real time, real loopback connections, a wall clock and thaws that the test sets.

use std::cell::{Cell, RefCell};
use std::io;
use std::time::Duration;

use tapline_core::budget::Budget;
use tapline_core::facts::Facts;
use tapline_core::level::Level;
use tapline_core::sink::{Call, Parcel, Selection};
use tapline_core::test_util;
use tapline_core::world::{Boxed, Instant, Stream, World};

/// Real time and loopback. Every host name leads to 127.0.0.1.
pub(crate) struct TestWorld {
    start: tokio::time::Instant,
    /// What [`World::wall_ms`] says.
    pub wall_ms: Cell<i64>,
    /// What [`World::thaws`] says.
    pub thaws: Cell<u64>,
    /// Added to running time.
    pub ahead: Cell<Duration>,
    /// Connections that were asked for.
    pub connects: Cell<u32>,
    /// Connecting never ends.
    pub unreachable: Cell<bool>,
    /// What calls know of the function.
    pub facts: Facts,
    /// What [`World::variable`] knows.
    pub variables: RefCell<Vec<(String, String)>>,
    /// What was logged.
    pub messages: RefCell<Vec<String>>,
}

impl TestWorld {
    #[expect(
        clippy::disallowed_methods,
        reason = "the world of these tests is where time comes from"
    )]
    pub fn new() -> TestWorld {
        TestWorld {
            start: tokio::time::Instant::from_std(std::time::Instant::now()),
            wall_ms: Cell::new(1_773_480_413_589),
            thaws: Cell::new(0),
            ahead: Cell::new(Duration::ZERO),
            connects: Cell::new(0),
            unreachable: Cell::new(false),
            facts: Facts::default(),
            variables: RefCell::default(),
            messages: RefCell::default(),
        }
    }

    /// Sets a variable of the environment.
    pub fn set(&self, name: &str, value: &str) {
        let mut variables = self.variables.borrow_mut();
        variables.retain(|(known, _)| known != name);
        variables.push((name.to_owned(), value.to_owned()));
    }

    /// A call with ten seconds of time.
    pub fn call<'a>(&'a self, budget: &'a Budget) -> Call<'a> {
        Call {
            world: self,
            budget,
            deadline: self.now() + Duration::from_secs(10),
            batch_id: "0123456789abcdef0123456789abcdef-0-2",
            facts: &self.facts,
        }
    }
}

impl World for TestWorld {
    fn now(&self) -> Instant {
        Instant::default() + self.start.elapsed() + self.ahead.get()
    }

    fn wall_ms(&self) -> i64 {
        self.wall_ms.get()
    }

    fn sleep_until(&self, at: Instant) -> Boxed<'static, ()> {
        Box::pin(tokio::time::sleep(at.since(self.now())))
    }

    fn random(&self) -> u64 {
        7
    }

    fn variable(&self, name: &str) -> Option<String> {
        let variables = self.variables.borrow();
        let found = variables.iter().find(|(known, _)| known == name);
        found
            .map(|(_, value)| value.clone())
            .filter(|value| !value.is_empty())
    }

    fn connect(&self, _: &str, port: u16) -> Boxed<'static, io::Result<Box<dyn Stream>>> {
        self.connects.set(self.connects.get() + 1);
        if self.unreachable.get() {
            return Box::pin(std::future::pending());
        }
        Box::pin(async move {
            let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }

    fn log(&self, _: Level, message: &str) {
        self.messages.borrow_mut().push(message.to_owned());
    }

    fn thaws(&self) -> u64 {
        self.thaws.get()
    }
}

/// Bytes that no compressor makes smaller, the same each time.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u64;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// A selection of function records with these texts.
pub(crate) fn selection(texts: &[&str]) -> Selection {
    select(test_util::batch(texts))
}

/// A selection of all records of a batch.
pub(crate) fn select(batch: tapline_core::batch::Batch) -> Selection {
    let chosen = (0..batch.records().len() as u32).collect();
    let mut selection = Selection::default();
    selection.add(&Parcel {
        batch: std::sync::Arc::new(batch),
        chosen,
        lane: tapline_core::batch::Lane::Middle,
        weight: 1,
    });
    selection.sort();
    selection
}
