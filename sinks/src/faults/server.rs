//! One server of the network: what it was sent, and how it treats a connection.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tapline_core::world::{Instant, Stream, World};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::dialect::{Dialect, records_in};
use super::network::NetWorld;
use super::table::Fault;
use super::{grpc_server, secret};

/// Largest answer that anybody could send: an endless one stops here, where a client reads on and on.
const ANSWER_BYTES: u64 = 4 << 30;

/// A server: its protocol, its fault, and all that can be known of what reached it.
pub(super) struct Peer {
    pub dialect: Dialect,
    pub fault: Cell<Option<Fault>>,
    pub tls: Option<Arc<ServerConfig>>,
    /// The session token that it takes, where its protocol has one.
    pub token: RefCell<String>,
    /// How often each record was taken.
    pub stored: RefCell<BTreeMap<String, u32>>,
    /// When each request came.
    pub requests: RefCell<Vec<Instant>>,
    pub connects: Cell<u64>,
    /// Bytes that its clients read.
    pub given: Cell<u64>,
    /// Bytes that its clients wrote.
    pub taken: Cell<u64>,
}

/// A request.
pub(super) struct Request {
    /// `POST /path?query`.
    pub target: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// An answer.
pub(super) struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// Records of the request that it took.
    pub stored: Vec<String>,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Reply {
        Reply {
            status,
            headers: Vec::new(),
            body: body.into(),
            stored: Vec::new(),
        }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Reply {
        self.headers.push((name, value.into()));
        self
    }

    /// The same, and the records of the request that pass are kept.
    pub fn storing(mut self, request: &Request, keep: impl Fn(&str) -> bool) -> Reply {
        self.stored = records_in(&request.body);
        self.stored.retain(|record| keep(record));
        self
    }
}

impl Peer {
    pub fn new(dialect: Dialect, tls: Option<Arc<ServerConfig>>) -> Peer {
        Peer {
            dialect,
            fault: Cell::new(None),
            tls,
            token: RefCell::new(secret("token")),
            stored: RefCell::default(),
            requests: RefCell::default(),
            connects: Cell::new(0),
            given: Cell::new(0),
            taken: Cell::new(0),
        }
    }

    /// Notes a request and answers it.
    pub fn answer(&self, request: &Request, world: &NetWorld) -> Reply {
        self.requests.borrow_mut().push(world.now());
        let reply = self.dialect.reply(self, request, world.true_ms());
        for record in &reply.stored {
            *self.stored.borrow_mut().entry(record.clone()).or_default() += 1;
        }
        reply
    }
}

/// Serves one connection.
pub(super) async fn serve(peer: Rc<Peer>, stream: DuplexStream, world: NetWorld) {
    let mut stream: Box<dyn Stream> = Box::new(stream);
    if peer.fault.get() == Some(Fault::TlsHangs) {
        return std::future::pending().await;
    }
    if let Some(config) = peer.tls.clone() {
        match TlsAcceptor::from(config).accept(stream).await {
            Ok(inside) => stream = Box::new(inside),
            Err(_) => return,
        }
    }
    match peer.fault.get() {
        // Who speaks first is not HTTP.
        Some(Fault::Garbage) => say(&mut stream, b"SSH-2.0-OpenSSH_9.6\r\n\0\x01\x02\r\n").await,
        Some(Fault::Silent) => {
            while stream.read_u8().await.is_ok() {}
            std::future::pending::<()>().await;
        }
        Some(Fault::HeadDrips) => {
            let head: &[u8] = match peer.dialect {
                // Settings, and then headers that would fill 16,128 bytes.
                Dialect::Grpc => &[0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0x3f, 0, 1, 0, 0, 0, 0, 1],
                _ => b"HTTP/1.1 200 OK\r\nx-slow: ",
            };
            if stream.read(&mut [0; 1_024]).await.is_ok() {
                drip(&mut stream, &world, head).await;
            }
        }
        Some(Fault::ResetInAnswer) => {
            if stream.read(&mut [0; 1_024]).await.is_ok() {
                say(&mut stream, b"HTTP/1.1 200 OK\r\ncont").await;
            }
        }
        _ if peer.dialect == Dialect::Grpc => grpc_server::serve(peer, stream, world).await,
        _ => serve_http(peer, stream, world).await,
    }
}

/// Writes, whether anybody listens or not.
async fn say(stream: &mut Box<dyn Stream>, bytes: &[u8]) {
    if stream.write_all(bytes).await.is_ok() {
        stream.flush().await.ok();
    }
}

/// A byte a second, for ever.
async fn drip(stream: &mut Box<dyn Stream>, world: &NetWorld, head: &[u8]) {
    for byte in head.iter().copied().chain(std::iter::repeat(b'a')) {
        if stream.write_all(&[byte]).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        world.time.sleep(Duration::from_secs(1)).await;
    }
}

async fn serve_http(peer: Rc<Peer>, mut stream: Box<dyn Stream>, world: NetWorld) {
    while let Some(request) = read(&mut stream).await {
        let reply = peer.answer(&request, &world);
        let endless = matches!(
            peer.fault.get(),
            Some(Fault::EndlessSuccess | Fault::EndlessFailure | Fault::BodyDrips)
        );
        let mut head = format!("HTTP/1.1 {} Said\r\n", reply.status);
        for (name, value) in &reply.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let length = if endless {
            ANSWER_BYTES
        } else {
            reply.body.len() as u64
        };
        if reply.status != 204 {
            head.push_str(&format!("content-length: {length}\r\n"));
        }
        head.push_str("\r\n");
        if stream.write_all(head.as_bytes()).await.is_err() {
            return;
        }
        match peer.fault.get() {
            Some(Fault::BodyDrips) => return drip(&mut stream, &world, b"").await,
            _ if endless => return flood(&mut stream).await,
            _ => {}
        }
        if stream.write_all(&reply.body).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

async fn flood(stream: &mut Box<dyn Stream>) {
    let mut left = ANSWER_BYTES;
    while left > 0 && stream.write_all(&[b'x'; 4_096]).await.is_ok() {
        left -= 4_096;
    }
}

async fn read(stream: &mut Box<dyn Stream>) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let target = lines
        .next()
        .unwrap()
        .trim_end_matches(" HTTP/1.1")
        .to_owned();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers["content-length"].parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request {
        target,
        headers,
        body,
    })
}
