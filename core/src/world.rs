//! What comes in from outside the pipeline: time, randomness, the environment and connections.
//!
//! Production gives the real ones, a simulation its own. Nothing else in the product reads a clock, rolls dice,
//! looks at the environment or opens a connection.

use std::future::Future;
use std::io;
use std::ops::{Add, Sub};
use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::level::Level;

/// A future on the heap, run by the one thread that made it.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A moment of running time, in nanoseconds since the process started, with the time in the freezer left out.
///
/// Time-outs, retries and breakers count running time. Deadlines of the platform are wall clock, see
/// [`World::wall_ms`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(pub u64);

impl Instant {
    /// A moment that never comes (584 years).
    pub const NEVER: Instant = Instant(u64::MAX);

    /// Time from `earlier` to this moment; zero when it is not earlier.
    pub fn since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;
    fn add(self, rhs: Duration) -> Instant {
        Instant(
            self.0
                .saturating_add(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)),
        )
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;
    fn sub(self, rhs: Duration) -> Instant {
        Instant(
            self.0
                .saturating_sub(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)),
        )
    }
}

/// A connection's two directions.
pub trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// The outside.
pub trait World {
    /// Running time.
    fn now(&self) -> Instant;

    /// Wall clock, in milliseconds since 1970-01-01 UTC. It may jump.
    fn wall_ms(&self) -> i64;

    /// Ends when running time reaches `at`. Does not keep the process awake while it is parked between events.
    fn sleep_until(&self, at: Instant) -> Boxed<'static, ()>;

    /// A random number: jitter, tokens, ids.
    fn random(&self) -> u64;

    /// A variable of the environment; an empty one counts as unset.
    fn variable(&self, name: &str) -> Option<String>;

    /// Opens a connection to a host name or address.
    ///
    /// # Errors
    ///
    /// Whatever resolving and connecting gave. There is no deadline here; the caller has one.
    fn connect(&self, host: &str, port: u16) -> Boxed<'static, io::Result<Box<dyn Stream>>>;

    /// Says something on the extension's own log. Never a body, a header value or a secret.
    fn log(&self, level: Level, message: &str);

    /// How often the process was thawed after a pause: a connection from before may be dead.
    fn thaws(&self) -> u64 {
        0
    }
}

/// Ends with `Some` when `future` does, or with `None` at `deadline`. A `future` that is ready wins.
pub async fn before<T>(
    world: &dyn World,
    deadline: Instant,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let mut timer = world.sleep_until(deadline);
    std::future::poll_fn(move |context| {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(context) {
            return std::task::Poll::Ready(Some(value));
        }
        timer.as_mut().poll(context).map(|()| None)
    })
    .await
}

/// Ends when either future does.
pub async fn either(first: impl Future<Output = ()>, second: impl Future<Output = ()>) {
    let mut first = std::pin::pin!(first);
    let mut second = std::pin::pin!(second);
    std::future::poll_fn(move |context| {
        if first.as_mut().poll(context).is_ready() {
            return std::task::Poll::Ready(());
        }
        second.as_mut().poll(context)
    })
    .await
}
