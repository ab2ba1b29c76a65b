//! A world whose time only passes when nothing else can happen: whole lives in microseconds, the same for each seed.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::level::Level;
use crate::world::{Boxed, Instant, Stream, World};

/// Wall clock at the start, in milliseconds since 1970: 2026-03-14T09:26:53Z.
pub const START_MS: i64 = 1_773_480_413_000;

/// Virtual time, seeded randomness, no environment, no connections.
#[derive(Debug, Clone)]
pub struct VirtualWorld {
    shared: Rc<Shared>,
}

#[derive(Debug)]
struct Shared {
    now: Cell<u64>,
    timers: RefCell<BTreeMap<(u64, u64), Waker>>,
    timer_count: Cell<u64>,
    random: Cell<u64>,
    log: RefCell<Vec<String>>,
}

impl VirtualWorld {
    /// A world at time zero. Equal seeds give equal worlds.
    pub fn new(seed: u64) -> VirtualWorld {
        VirtualWorld {
            shared: Rc::new(Shared {
                now: Cell::new(0),
                timers: RefCell::default(),
                timer_count: Cell::new(0),
                random: Cell::new(seed),
                log: RefCell::default(),
            }),
        }
    }

    /// What was logged.
    pub fn logged(&self) -> Vec<String> {
        self.shared.log.borrow().clone()
    }

    /// Waits in virtual time.
    pub fn sleep(&self, duration: Duration) -> Boxed<'static, ()> {
        self.sleep_until(self.now() + duration)
    }

    /// Runs `main` to its end, with `tasks` beside it. Panics where nothing can happen any more.
    pub fn run<T>(&self, main: impl Future<Output = T>, tasks: Vec<Boxed<'static, ()>>) -> T {
        let mut main = pin!(main);
        let main_flag = Arc::new(Flag::raised());
        let mut tasks: Vec<_> = tasks
            .into_iter()
            .map(|task| (Some(task), Arc::new(Flag::raised())))
            .collect();
        loop {
            let mut progress = false;
            if main_flag.lower() {
                progress = true;
                let waker = Waker::from(main_flag.clone());
                if let Poll::Ready(value) = main.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return value;
                }
            }
            for (task, flag) in &mut tasks {
                if let Some(running) = task.as_mut().filter(|_| flag.lower()) {
                    progress = true;
                    let waker = Waker::from(flag.clone());
                    if running
                        .as_mut()
                        .poll(&mut Context::from_waker(&waker))
                        .is_ready()
                    {
                        *task = None;
                    }
                }
            }
            if !progress {
                self.next_timer();
            }
        }
    }

    fn next_timer(&self) {
        let (at, wakers) = {
            let mut timers = self.shared.timers.borrow_mut();
            let (&(at, _), _) = timers
                .first_key_value()
                .expect("deadlock: nothing can happen any more");
            let later = timers.split_off(&(at + 1, 0));
            (at, std::mem::replace(&mut *timers, later))
        };
        self.shared.now.set(self.shared.now.get().max(at));
        wakers.into_values().for_each(Waker::wake);
    }
}

struct Flag(AtomicBool);

impl Flag {
    fn raised() -> Flag {
        Flag(AtomicBool::new(true))
    }

    fn lower(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Flag>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl World for VirtualWorld {
    fn now(&self) -> Instant {
        Instant(self.shared.now.get())
    }

    fn wall_ms(&self) -> i64 {
        START_MS + (self.shared.now.get() / 1_000_000) as i64
    }

    fn sleep_until(&self, at: Instant) -> Boxed<'static, ()> {
        let world = self.clone();
        let mut registered = None;
        Box::pin(std::future::poll_fn(move |context| {
            if at <= world.now() {
                return Poll::Ready(());
            }
            if at != Instant::NEVER {
                let number = *registered.get_or_insert_with(|| {
                    world
                        .shared
                        .timer_count
                        .set(world.shared.timer_count.get() + 1);
                    world.shared.timer_count.get()
                });
                world
                    .shared
                    .timers
                    .borrow_mut()
                    .insert((at.0, number), context.waker().clone());
            }
            Poll::Pending
        }))
    }

    fn random(&self) -> u64 {
        // SplitMix64.
        let state = self.shared.random.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.shared.random.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn connect(&self, _: &str, _: u16) -> Boxed<'static, io::Result<Box<dyn Stream>>> {
        Box::pin(std::future::ready(Err(
            io::ErrorKind::ConnectionRefused.into()
        )))
    }

    fn log(&self, level: Level, message: &str) {
        self.shared
            .log
            .borrow_mut()
            .push(format!("{level} {message}"));
    }
}
