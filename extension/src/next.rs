//! Keeps the long poll for the next event in a task of its own, so that records are taken in meanwhile.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tapline_core::bell::Bell;
use tapline_core::level::Level;
use tapline_core::world::World;

use crate::extensions_api::{ExtensionsApi, NextEvent};
use crate::world::RealWorld;

/// Polls that may break in a row before the environment counts as gone.
const BROKEN_MAX: u32 = 3;

/// Pause after a poll that broke.
const PAUSE: Duration = Duration::from_millis(50);

/// What the engine and the polling task share.
#[derive(Debug, Default)]
pub struct Next {
    asked: Cell<bool>,
    /// An event was asked for at least once.
    begun: Cell<bool>,
    event: RefCell<Option<NextEvent>>,
    ask_bell: Bell,
    /// Rings when an event has come.
    pub bell: Bell,
}

impl Next {
    /// Asks for the next event: says to the platform that everything before is done.
    pub fn ask(&self) {
        self.asked.set(true);
        self.begun.set(true);
        self.ask_bell.ring();
    }

    /// Ends when an event was asked for: what comes before that makes init longer.
    pub async fn begun(&self) {
        while !self.begun.get() {
            self.ask_bell.rung().await;
        }
    }

    /// The event that has come.
    pub fn take(&self) -> Option<NextEvent> {
        self.event.take()
    }

    /// Polls whenever it is asked to. Ends with SHUTDOWN.
    pub async fn run(self: Rc<Next>, mut api: ExtensionsApi, world: RealWorld) {
        loop {
            while !self.asked.take() {
                self.ask_bell.rung().await;
            }
            let event = poll(&mut api, &world).await;
            // An event of an unknown kind is answered by the next poll.
            if event == NextEvent::Unknown {
                self.asked.set(true);
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            let last = matches!(event, NextEvent::Shutdown { .. });
            self.event.replace(Some(event));
            self.bell.ring();
            if last {
                return;
            }
        }
    }
}

/// One poll, tried again where the connection broke.
pub async fn poll(api: &mut ExtensionsApi, world: &RealWorld) -> NextEvent {
    for _ in 0..BROKEN_MAX {
        match api.next().await {
            Ok(event) => return event,
            Err(error) => {
                world.log(
                    Level::Warn,
                    &format!("the poll for the next event broke: {error}"),
                );
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    NextEvent::Shutdown {
        deadline_ms: None,
        reason: "unreachable".to_owned(),
    }
}
