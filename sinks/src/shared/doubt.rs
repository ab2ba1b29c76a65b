//! Whether a kept connection is still there: it may have died without a sign while it rested.
//!
//! After a pause of 5 s or more it is not used at all (`World::thaws`). After a shorter one it mostly lives, and a new one
//! for each invocation would cost a handshake. So it is used, and doubted: where not one byte has come back after a
//! multiple of what the destination usually takes, a fresh one takes its place, which uses up no attempt. Where it was
//! slow and not dead, the destination gets the request twice; that is why the patience grows with what was seen.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tapline_core::sink::Call;
use tapline_core::world::{Instant, World, before};

/// A rest from which on a connection is doubted. Within less nothing in between forgets one, and nothing is frozen.
const REST_MIN: Duration = Duration::from_secs(1);

/// Least patience. The half of the default `max_hold`, so that the other half is left for the fresh connection.
const PATIENCE_MIN: Duration = Duration::from_millis(250);

/// How many times as long as usual a destination may take.
const PATIENCE_FACTOR: u32 = 4;

/// What a large request may take beside that, in bytes a second: a slow network of a small function.
const BYTES_A_SECOND: u64 = 2 << 20;

/// When a connection was last used, by both clocks: one of them may stop in the freezer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    running: Instant,
    wall_ms: i64,
}

impl Used {
    /// It is used now.
    pub fn now(world: &dyn World) -> Used {
        Used {
            running: world.now(),
            wall_ms: world.wall_ms(),
        }
    }

    /// How long it rested, in running time.
    pub fn running(&self, world: &dyn World) -> Duration {
        world.now().since(self.running)
    }

    fn is_doubted(&self, world: &dyn World) -> bool {
        let wall_ms = world.wall_ms().saturating_sub(self.wall_ms);
        let wall = Duration::from_millis(u64::try_from(wall_ms).unwrap_or(0));
        self.running(world).max(wall) >= REST_MIN
    }
}

/// What a destination usually takes until its first byte.
#[derive(Debug, Default)]
pub(crate) struct Usual {
    slowest: Duration,
}

impl Usual {
    /// A request was answered after this time. Slow ones are remembered for some requests.
    pub fn answered(&mut self, took: Duration) {
        self.slowest = took.max(self.slowest * 7 / 8);
    }

    /// How long a connection may keep silent about a request of this size; `None` where it is not doubted.
    pub fn patience(&self, used: &Used, bytes: usize, call: &Call<'_>) -> Option<Duration> {
        let large = Duration::from_millis(bytes as u64 * 1_000 / BYTES_A_SECOND);
        let patience = (self.slowest * PATIENCE_FACTOR).max(PATIENCE_MIN) + large;
        // A fresh connection needs time, too.
        let left = call.deadline.since(call.world.now()) / 2;
        used.is_doubted(call.world).then(|| patience.min(left))
    }
}

/// What `exchange` gives, unless `received` says after `patience` that not one byte has come back: then `None`.
pub(crate) async fn unless_silent<T>(
    world: &dyn World,
    patience: Option<Duration>,
    received: &Cell<u64>,
    exchange: impl Future<Output = T>,
) -> Option<T> {
    let Some(patience) = patience else {
        return Some(exchange.await);
    };
    let (mut exchange, already) = (pin!(exchange), received.get());
    let early = before(world, world.now() + patience, exchange.as_mut()).await;
    match early {
        Some(given) => Some(given),
        None if received.get() > already => Some(exchange.await),
        None => None,
    }
}
