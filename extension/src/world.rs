//! The real world: tokio's timers and sockets, the system's clocks and environment, and a running clock that stops
//! while the process is parked between events.

use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use tapline_core::bell::Bell;
use tapline_core::json;
use tapline_core::level::Level;
use tapline_core::world::{Boxed, Instant, Stream, World, either};
use tokio::net::TcpStream;

/// A pause this long may have killed idle connections without a sign: load balancers and NAT forget them.
const THAW_GAP: Duration = Duration::from_secs(5);

/// A timer this late was not late, but frozen.
const LATE: Duration = Duration::from_secs(1);

/// The world of a process in Lambda, or at a command line.
#[derive(Clone)]
pub struct RealWorld {
    shared: Rc<Shared>,
}

struct Shared {
    start: std::time::Instant,
    /// Nanoseconds that running time left out.
    frozen: Cell<u64>,
    parked: Cell<Option<Parked>>,
    /// Since when the next event is waited for: the environment may be frozen, be running time parked or not.
    asked: Cell<Option<Parked>>,
    unparked: Bell,
    thaws: Cell<u64>,
    random: RandomState,
    drawn: Cell<u64>,
    log_level: Level,
}

#[derive(Clone, Copy)]
struct Parked {
    running: Instant,
    wall_ms: i64,
}

impl RealWorld {
    /// The world as it is now. The log level comes from `TAPLINE_LOG`, default `warn`.
    pub fn new() -> RealWorld {
        let level = variable("TAPLINE_LOG").and_then(|word| Level::from_word(word.as_bytes()));
        RealWorld {
            shared: Rc::new(Shared {
                start: monotonic(),
                frozen: Cell::new(0),
                parked: Cell::new(None),
                asked: Cell::new(None),
                unparked: Bell::default(),
                thaws: Cell::new(0),
                random: RandomState::new(),
                drawn: Cell::new(0),
                log_level: level.unwrap_or(Level::Warn),
            }),
        }
    }

    fn elapsed_ns(&self) -> u64 {
        let elapsed = monotonic().duration_since(self.shared.start).as_nanos();
        u64::try_from(elapsed).unwrap_or(u64::MAX)
    }

    /// Stops running time: the environment may be frozen from now on.
    pub fn park(&self) {
        if self.shared.parked.get().is_none() {
            self.shared.parked.set(Some(Parked {
                running: self.now(),
                wall_ms: self.wall_ms(),
            }));
        }
    }

    /// The next event was asked for.
    pub fn event_asked(&self) {
        self.shared.asked.set(Some(Parked {
            running: self.now(),
            wall_ms: self.wall_ms(),
        }));
    }

    /// The next event has come: running time goes on.
    pub fn event_came(&self) {
        let asked = self.shared.asked.take();
        if self.shared.parked.get().is_some() {
            self.unpark();
        } else if let Some(asked) = asked {
            // Something was thought to run meanwhile, so there was no saying when the freezer came.
            self.count_thaw(self.now().since(asked.running), asked.wall_ms);
        }
    }

    fn count_thaw(&self, gap: Duration, wall_ms: i64) {
        // Sources disagree on whether the monotonic clock goes on in the freezer; the wall clock does.
        let wall_gap = Duration::from_millis(u64::try_from(self.wall_ms() - wall_ms).unwrap_or(0));
        if gap.max(wall_gap) >= THAW_GAP {
            self.shared.thaws.set(self.shared.thaws.get() + 1);
        }
    }

    /// A timer that fires late while an event is waited for says that the environment was frozen meanwhile: that time
    /// did not run. Without that, every request in flight would time out at the thaw.
    fn leave_out(&self, before: Instant, planned: Duration) {
        let late = self.now().since(before).saturating_sub(planned);
        if self.shared.asked.get().is_some() && self.shared.parked.get().is_none() && late >= LATE {
            let gap = self.now().since(before).as_nanos();
            let frozen = self
                .shared
                .frozen
                .get()
                .saturating_add(u64::try_from(gap).unwrap_or(0));
            self.shared.frozen.set(frozen);
        }
    }

    /// Lets running time go on after [`Self::park`].
    pub fn unpark(&self) {
        let Some(parked) = self.shared.parked.take() else {
            return;
        };
        let running_if_unparked = self.elapsed_ns().saturating_sub(self.shared.frozen.get());
        let gap = running_if_unparked.saturating_sub(parked.running.0);
        self.shared.frozen.set(self.shared.frozen.get() + gap);
        self.count_thaw(Duration::from_nanos(gap), parked.wall_ms);
        self.shared.unparked.ring();
    }

    /// Fresh randomness of the system, for tokens and ids: 32 hex digits.
    pub fn fresh_hex(&self) -> [u8; 32] {
        let mut bytes = [0u8; 16];
        let read =
            std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
        if read.is_err() {
            bytes[..8].copy_from_slice(&self.random().to_le_bytes());
            bytes[8..].copy_from_slice(&self.random().to_le_bytes());
        }
        let mut hex = [0u8; 32];
        for (position, byte) in bytes.iter().enumerate() {
            hex[position * 2] = b"0123456789abcdef"[usize::from(byte >> 4)];
            hex[position * 2 + 1] = b"0123456789abcdef"[usize::from(byte & 15)];
        }
        hex
    }
}

impl Default for RealWorld {
    fn default() -> RealWorld {
        RealWorld::new()
    }
}

impl World for RealWorld {
    fn now(&self) -> Instant {
        match self.shared.parked.get() {
            Some(parked) => parked.running,
            None => Instant(self.elapsed_ns().saturating_sub(self.shared.frozen.get())),
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the wall clock is read"
    )]
    fn wall_ms(&self) -> i64 {
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    fn sleep_until(&self, at: Instant) -> Boxed<'static, ()> {
        let world = self.clone();
        Box::pin(async move {
            loop {
                let unparked = world.shared.unparked.rung();
                let now = world.now();
                if at <= now {
                    return;
                }
                if world.shared.parked.get().is_some() || at == Instant::NEVER {
                    unparked.await;
                } else {
                    either(tokio::time::sleep(at.since(now)), unparked).await;
                    world.leave_out(now, at.since(now));
                }
            }
        })
    }

    fn random(&self) -> u64 {
        let drawn = self.shared.drawn.get();
        self.shared.drawn.set(drawn.wrapping_add(1));
        self.shared.random.hash_one(drawn)
    }

    fn variable(&self, name: &str) -> Option<String> {
        variable(name)
    }

    fn connect(&self, host: &str, port: u16) -> Boxed<'static, io::Result<Box<dyn Stream>>> {
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        Box::pin(async move {
            let stream = TcpStream::connect((host.as_str(), port)).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }

    fn log(&self, level: Level, message: &str) {
        if level >= self.shared.log_level {
            let word = level.as_str().to_ascii_lowercase();
            let mut line = format!("{{\"tapline\":\"{word}\",\"message\":").into_bytes();
            json::quote_into(message.as_bytes(), &mut line);
            line.push(b'}');
            write_line(&line);
        }
    }

    fn thaws(&self) -> u64 {
        self.shared.thaws.get()
    }
}

/// Lets a panic say only where it happened: its text may quote what was being worked on.
pub fn hide_texts_of_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |place| {
            format!("{}:{}", place.file(), place.line())
        });
        write_line(
            format!("{{\"tapline\":\"error\",\"message\":\"a bug at {place}\"}}").as_bytes(),
        );
    }));
}

/// Writes one line to stderr. A closed stderr must not end the process, so a failure is let go.
pub fn write_line(line: &[u8]) {
    let mut bytes = line.to_vec();
    bytes.push(b'\n');
    let mut stderr = io::stderr().lock();
    if stderr.write_all(&bytes).is_ok() {
        stderr.flush().ok();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is where the monotonic clock is read"
)]
fn monotonic() -> std::time::Instant {
    std::time::Instant::now()
}

/// A variable of the environment; an empty one counts as unset.
#[expect(
    clippy::disallowed_methods,
    reason = "this is where the environment is read"
)]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn running_time_and_timers_stop_while_parked() {
        let world = RealWorld::new();
        let before = world.now();
        world.park();
        let at = world.now() + Duration::from_millis(5);
        let mut sleep = world.sleep_until(at);
        let early = tokio::time::timeout(Duration::from_millis(40), sleep.as_mut()).await;
        assert!(early.is_err(), "a parked timer does not fire");
        world.unpark();
        assert!(
            world.now().since(before) < Duration::from_millis(30),
            "the pause is left out"
        );
        sleep.await;
        assert!(world.now() >= at);
        assert_eq!(world.thaws(), 0, "a short pause kills no connection");
    }

    #[test]
    fn fresh_ids_differ() {
        let world = RealWorld::new();
        assert_ne!(world.fresh_hex(), world.fresh_hex());
        assert!(world.fresh_hex().iter().all(u8::is_ascii_hexdigit));
    }
}
