//! Connections in memory and virtual time: a network whose servers misbehave as told.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use hyper::rt::Executor;
use tapline_core::level::Level;
use tapline_core::test_util::VirtualWorld;
use tapline_core::world::{Boxed, Instant, Stream, World};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use super::server::{self, Peer};
use super::table::Fault;

/// What may be on its way in one direction, in bytes: about what a socket's buffers hold.
const WIRE_BYTES: usize = 64 << 10;

/// Connections after which a sink is in a hot loop, whatever else it does.
const CONNECTS_MAX: u64 = 100_000;

/// What servers run on: polled whenever one of them can get on.
#[derive(Clone, Default)]
pub(super) struct Tasks(Rc<Inner>);

#[derive(Default)]
struct Inner {
    running: RefCell<Vec<Boxed<'static, ()>>>,
    waker: RefCell<Option<Waker>>,
}

impl Tasks {
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.0.running.borrow_mut().push(Box::pin(task));
        if let Some(waker) = self.0.waker.take() {
            waker.wake();
        }
    }

    /// Runs them; never ends.
    pub async fn run(self) {
        std::future::poll_fn(move |context| {
            self.0.waker.replace(Some(context.waker().clone()));
            let mut tasks = self.0.running.take();
            tasks.retain_mut(|task| task.as_mut().poll(context).is_pending());
            // What was spawned meanwhile has woken this task.
            self.0.running.borrow_mut().extend(tasks);
            Poll::<()>::Pending
        })
        .await;
    }
}

impl<F: Future<Output = ()> + 'static> Executor<F> for Tasks {
    fn execute(&self, task: F) {
        self.spawn(task);
    }
}

/// Virtual time with a network, an environment, and a wall clock that may be wrong.
#[derive(Clone)]
pub(super) struct NetWorld {
    pub time: VirtualWorld,
    pub tasks: Tasks,
    pub variables: Rc<RefCell<BTreeMap<&'static str, String>>>,
    /// How far our wall clock is ahead of everybody else's, in milliseconds.
    pub ahead_ms: Rc<Cell<i64>>,
    peers: Rc<RefCell<BTreeMap<String, Rc<Peer>>>>,
}

impl NetWorld {
    pub fn new(seed: u64) -> NetWorld {
        NetWorld {
            time: VirtualWorld::new(seed),
            tasks: Tasks::default(),
            variables: Rc::default(),
            ahead_ms: Rc::default(),
            peers: Rc::default(),
        }
    }

    /// Puts a server at a host name.
    pub fn serve(&self, host: &str, peer: Rc<Peer>) {
        self.peers.borrow_mut().insert(host.to_owned(), peer);
    }

    /// The wall clock of everybody else.
    pub fn true_ms(&self) -> i64 {
        self.time.wall_ms()
    }
}

impl World for NetWorld {
    fn now(&self) -> Instant {
        self.time.now()
    }

    fn wall_ms(&self) -> i64 {
        self.time.wall_ms() + self.ahead_ms.get()
    }

    fn sleep_until(&self, at: Instant) -> Boxed<'static, ()> {
        self.time.sleep_until(at)
    }

    fn random(&self) -> u64 {
        self.time.random()
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.borrow().get(name).cloned()
    }

    fn connect(&self, host: &str, _: u16) -> Boxed<'static, io::Result<Box<dyn Stream>>> {
        let peer = self.peers.borrow()[host].clone();
        peer.connects.set(peer.connects.get() + 1);
        assert!(peer.connects.get() < CONNECTS_MAX, "a hot loop");
        let error = match peer.fault.get() {
            Some(Fault::ConnectHangs) => return Box::pin(std::future::pending()),
            Some(Fault::Refused) => Some(io::ErrorKind::ConnectionRefused.into()),
            Some(Fault::NoName) => Some(io::Error::other("no such name")),
            _ => None,
        };
        if let Some(error) = error {
            return Box::pin(std::future::ready(Err(error)));
        }
        let (near, far) = tokio::io::duplex(WIRE_BYTES);
        self.tasks
            .spawn(server::serve(peer.clone(), far, self.clone()));
        let wire = Wire { near, peer };
        Box::pin(std::future::ready(Ok(Box::new(wire) as Box<dyn Stream>)))
    }

    fn log(&self, level: Level, message: &str) {
        self.time.log(level, message);
    }
}

/// The client's end of a connection: counts what it reads, and says "reset" where the server broke off.
struct Wire {
    near: DuplexStream,
    peer: Rc<Peer>,
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.near).poll_read(context, buffer);
        let read = buffer.filled().len() - before;
        self.peer.given.set(self.peer.given.get() + read as u64);
        let ended = matches!(polled, Poll::Ready(Ok(()))) && read == 0;
        if ended && self.peer.fault.get() == Some(Fault::ResetInAnswer) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        polled
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.near).poll_write(context, bytes);
        if let Poll::Ready(Ok(written)) = polled {
            self.peer.taken.set(self.peer.taken.get() + written as u64);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.near).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.near).poll_shutdown(context)
    }
}
