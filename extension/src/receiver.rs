//! The HTTP listener that Lambda delivers to. Answers at once; decoding and everything else comes after the answer.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use tapline_core::batch::Lane;
use tapline_core::budget::Charge;
use tapline_core::ledger::{Ledger, add};
use tapline_core::limits::{BODY_BYTES_MAX, INGRESS_BODIES_MAX};
use tapline_core::queue::{Overflow, Queue};
use tapline_core::room::Room;
use tapline_core::world::{World, before, either};
use tokio::net::{TcpListener, TcpStream};

use crate::io::Io;
use crate::world::RealWorld;

/// Connections served at once; the platform uses one or two.
const CONNECTIONS_MAX: usize = 32;

/// Longest time that one POST may take to arrive, in running time.
const BODY_TIME: Duration = Duration::from_secs(10);

/// A connection without a POST for this long, in running time, is closed.
const IDLE_TIME: Duration = Duration::from_secs(120);

/// Pause after a failed accept: the process is out of descriptors, and others need the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// One POST, answered and not yet decoded.
#[derive(Debug)]
pub struct Arrival {
    /// The body.
    pub bytes: Vec<u8>,
    /// What it counts for.
    pub charge: Charge,
    /// When it came: wall clock, milliseconds since 1970.
    pub arrived_ms: i64,
}

/// What the listener shares with the engine.
pub struct Receiver {
    /// The path that POSTs must have: a slash and the token.
    pub path: String,
    /// The platform drops the path: `/` is taken too, and counted.
    pub any_path: bool,
    /// Bodies that wait for the engine.
    pub ingress: Queue<Arrival>,
    /// The counts.
    pub ledger: Rc<Ledger>,
    /// Memory, and what may be dropped for it.
    pub room: Room,
    /// Time.
    pub world: RealWorld,
    connections: Cell<usize>,
}

impl Receiver {
    /// A receiver for POSTs to `/<token>`.
    pub fn new(
        token: &str,
        any_path: bool,
        ledger: Rc<Ledger>,
        room: Room,
        world: RealWorld,
    ) -> Receiver {
        let bytes_max = usize::try_from(room.budget().limit()).unwrap_or(usize::MAX);
        Receiver {
            path: format!("/{token}"),
            any_path,
            ingress: Queue::new(INGRESS_BODIES_MAX, bytes_max),
            ledger,
            room,
            world,
            connections: Cell::new(0),
        }
    }

    /// Serves connections for as long as the process lives.
    pub async fn serve(self: Rc<Receiver>, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) if self.connections.get() < CONNECTIONS_MAX => {
                    self.connections.set(self.connections.get() + 1);
                    let receiver = self.clone();
                    tokio::task::spawn_local(async move {
                        receiver.clone().connection(stream).await;
                        receiver.connections.set(receiver.connections.get() - 1);
                    });
                }
                // One too many: closed at once, and the platform tries again.
                Ok(_) => {}
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    async fn connection(self: Rc<Receiver>, stream: TcpStream) {
        stream.set_nodelay(true).ok();
        let used = Rc::new(Cell::new(self.world.now()));
        let (receiver, last_used) = (self.clone(), used.clone());
        let service = service_fn(move |request| {
            let (receiver, used) = (receiver.clone(), last_used.clone());
            async move {
                used.set(receiver.world.now());
                Ok::<_, Infallible>(receiver.answer(request).await)
            }
        });
        // A connection that breaks took its POST with it; the platform delivers that again.
        let serving = hyper::server::conn::http1::Builder::new()
            .max_buf_size(64 << 10)
            .serve_connection(Io(stream), service);
        let idle = async {
            while self.world.now() < used.get() + IDLE_TIME {
                self.world.sleep_until(used.get() + IDLE_TIME).await;
            }
        };
        either(async { drop(serving.await) }, idle).await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Empty<Bytes>> {
        if !matches!(*request.method(), Method::POST | Method::PUT) {
            return status(StatusCode::METHOD_NOT_ALLOWED);
        }
        let path = request.uri().path();
        if path != self.path {
            if !(self.any_path && path == "/") {
                add(&self.ledger.refused, 1);
                return status(StatusCode::FORBIDDEN);
            }
            add(&self.ledger.unauthenticated, 1);
        }
        let world = self.world.clone();
        let until = world.now() + BODY_TIME;
        match before(&world, until, self.read(request.into_body())).await {
            Some(true) => status(StatusCode::OK),
            // Half a body was all that came.
            Some(false) => status(StatusCode::BAD_REQUEST),
            None => status(StatusCode::REQUEST_TIMEOUT),
        }
    }

    /// Reads a body to its end; queues it, or counts it where it does not fit. False when it broke off.
    async fn read(&self, mut body: Incoming) -> bool {
        use hyper::body::Body as _;
        let arrived_ms = self.world.wall_ms();
        let announced =
            usize::try_from(body.size_hint().exact().unwrap_or(0)).unwrap_or(usize::MAX);
        let mut kept = self.start(announced);
        let mut length: u64 = 0;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return false };
            let Ok(data) = frame.into_data() else {
                continue;
            };
            length += data.len() as u64;
            kept = kept.and_then(|arrival| self.append(arrival, &data));
        }
        add(&self.ledger.bytes_in, length);
        if length == 0 {
            return true;
        }
        match kept {
            Some((bytes, charge)) => self.queue(Arrival {
                bytes,
                charge,
                arrived_ms,
            }),
            None => add(&self.ledger.bodies_dropped, 1),
        }
        true
    }

    /// Room for an announced length; `None` when it is too long or nothing more can be let go of.
    fn start(&self, announced: usize) -> Option<(Vec<u8>, Charge)> {
        if announced > BODY_BYTES_MAX || !self.room.make(announced.max(4 << 10) as u64) {
            return None;
        }
        let charge = self.room.budget().charge(announced)?;
        Some((Vec::with_capacity(announced), charge))
    }

    /// A body whose length was not announced grows in doubling steps, each of them charged.
    fn append(
        &self,
        (mut bytes, mut charge): (Vec<u8>, Charge),
        data: &[u8],
    ) -> Option<(Vec<u8>, Charge)> {
        let wanted = bytes.len() + data.len();
        if wanted > BODY_BYTES_MAX {
            return None;
        }
        if wanted > bytes.capacity() {
            let capacity = (bytes.capacity() * 2)
                .max(4 << 10)
                .clamp(wanted, BODY_BYTES_MAX);
            let more = capacity - charge.bytes() as usize;
            if !self.room.make(more as u64) || !charge.grow(more) {
                return None;
            }
            bytes.reserve_exact(capacity - bytes.len());
        }
        bytes.extend_from_slice(data);
        Some((bytes, charge))
    }

    fn queue(&self, arrival: Arrival) {
        let weight = arrival.bytes.len();
        let lost = self
            .ingress
            .push(Lane::Middle, weight, arrival, Overflow::DropNewest);
        add(&self.ledger.bodies_dropped, lost.len() as u64);
    }
}

fn status(code: StatusCode) -> Response<Empty<Bytes>> {
    let mut response = Response::new(Empty::new());
    *response.status_mut() = code;
    response
}
