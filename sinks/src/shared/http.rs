//! One HTTP/1.1 client for all sinks: one connection to one origin, kept between calls.
//!
//! There is no task behind it. hyper's connection is polled together with the request that travels on it, and rests
//! when there is none; so a call that is dropped takes its connection with it, and a frozen process has nothing to
//! catch up with.
//!
//! # Limits
//!
//! An answer may have 64 KiB of headers and gives at most its first 64 KiB of body, or more where the client says so;
//! after a longer body, or one that takes longer than 1 s, the connection is closed. Redirects are never followed; `Content-Encoding` of an answer is
//! not undone (none is asked for).

use std::cell::Cell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper::header::{HOST, HeaderMap, HeaderValue, PROXY_AUTHORIZATION};
use hyper::{Method, Request, Response, StatusCode, Uri};
use tapline_core::sink::{Call, Verdict};
use tapline_core::world::{Stream, World, before};

use super::doubt::{Used, Usual, unless_silent};
use super::io::Io;
use super::late::LateHeaders;
use super::proxy::{self, Proxy};
use super::tls::Tls;
use super::url::Url;

/// A connection that rested longer than this is not used again, in running time. Common idle limits of servers and
/// balancers begin at 20 s (S3) to 60 s (ALB).
const IDLE_MAX: Duration = Duration::from_secs(20);

/// Headers of an answer, in bytes.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Body of an answer, in bytes, unless a client takes more.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Longest time for the body of an answer whose status is known.
const BODY_TIME_MAX: Duration = Duration::from_secs(1);

/// What `User-Agent` says.
pub(crate) const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("tapline/", env!("CARGO_PKG_VERSION")));

/// Sends requests to one origin.
pub(crate) struct Client {
    url: Url,
    connect_timeout: Duration,
    tls: Tls,
    /// For a proxy that is spoken to by TLS itself.
    proxy_tls: Tls,
    kept: Option<Live>,
    usual: Usual,
    answer_bytes_max: usize,
    late: LateHeaders,
}

/// What a sink sends. Host and length are the client's.
pub(crate) struct Outgoing {
    /// The method.
    pub method: Method,
    /// All other headers, in this order.
    pub headers: HeaderMap,
    /// The body, as it travels.
    pub body: Bytes,
}

/// What came back.
#[allow(
    dead_code,
    reason = "which of it is read depends on the sinks in the build"
)]
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, or its beginning where there is more.
    pub body: Vec<u8>,
    /// The body came whole.
    pub whole: bool,
    /// The request was sent twice: the first time on a kept connection, without any answer.
    #[allow(
        dead_code,
        reason = "not every build has a sink to which a second request says something else"
    )]
    pub resent: bool,
}

/// Why nothing came back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// A word: `connect`, `connect_timeout`, `tls`, `closed`, `malformed`, `proxy`, or one that lasts.
    pub why: &'static str,
    /// At least one byte came back.
    pub answered: bool,
}

impl Failure {
    /// Not one byte came back.
    pub fn unanswered(why: &'static str) -> Failure {
        Failure {
            why,
            answered: false,
        }
    }
}

/// Failures that do not pass by themselves: somebody has to put a certificate, a key or a proxy right.
const LASTING: [&str; 4] = ["certificate", "tls_files", "proxy_variable", "proxy_denied"];

impl From<Failure> for Verdict {
    fn from(failure: Failure) -> Verdict {
        if LASTING.contains(&failure.why) {
            return Verdict::Denied {
                why: failure.why.into(),
            };
        }
        Verdict::Retry {
            why: failure.why.into(),
            after: None,
            answered: failure.answered,
        }
    }
}

impl Outgoing {
    /// The same request with more headers.
    fn with(&self, more: &HeaderMap) -> Outgoing {
        let mut headers = self.headers.clone();
        headers.extend(more.clone());
        Outgoing {
            method: self.method.clone(),
            headers,
            body: self.body.clone(),
        }
    }
}

impl Client {
    /// A client that connects with its first request.
    pub fn new(url: Url, connect_timeout: Duration, tls: Tls) -> Client {
        Client {
            url,
            connect_timeout,
            proxy_tls: tls.without_identity(),
            tls,
            kept: None,
            usual: Usual::default(),
            answer_bytes_max: ANSWER_BYTES_MAX,
            late: LateHeaders::default(),
        }
    }

    /// Adds headers to each request that are not there yet.
    pub fn with_late(mut self, late: LateHeaders) -> Client {
        self.late = late;
        self
    }

    /// Where it sends to.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Sends what follows to another path and query of the same origin.
    pub fn aim(&mut self, target: Uri) {
        self.url.target = target;
    }

    /// Sends a request and waits for its answer, until the call's deadline. See [`super::late`] for headers that come
    /// later.
    pub async fn send(&mut self, call: &Call<'_>, outgoing: &Outgoing) -> Result<Answer, Failure> {
        if self.late.is_empty() {
            return self.send_as_is(call, outgoing).await;
        }
        let late = self.late.headers(call).await?;
        let answer = self.send_as_is(call, &outgoing.with(&late)).await?;
        if !matches!(answer.status.as_u16(), 401 | 403) {
            return Ok(answer);
        }
        match self.late.changed(&late, call).await {
            Some(late) => self.send_as_is(call, &outgoing.with(&late)).await,
            None => Ok(answer),
        }
    }

    /// A request that fails on a kept connection before any byte of an answer is sent once more, at once, on a fresh
    /// one: the destination had most likely closed it while it rested. So is one that nobody answers after a rest, see
    /// [`super::doubt`].
    async fn send_as_is(
        &mut self,
        call: &Call<'_>,
        outgoing: &Outgoing,
    ) -> Result<Answer, Failure> {
        let kept = self.take_kept(call.world).await;
        let resent = kept.is_some();
        if let Some(live) = kept {
            let patience = self.usual.patience(&live.used, outgoing.body.len(), call);
            let received = live.received.clone();
            let exchange = self.exchange(live, call, outgoing);
            match unless_silent(call.world, patience, &received, exchange).await {
                None
                | Some(Err(Failure {
                    answered: false, ..
                })) => {}
                Some(answer) => return answer,
            }
        }
        let live = self.connect(call.world).await?;
        let answer = self.exchange(live, call, outgoing).await?;
        Ok(Answer { resent, ..answer })
    }

    /// The kept connection, where it is probably still good.
    async fn take_kept(&mut self, world: &dyn World) -> Option<Live> {
        let mut live = self.kept.take()?;
        let fresh = live.thaws == world.thaws() && live.used.running(world) <= IDLE_MAX;
        (fresh && live.is_open().await).then_some(live)
    }

    /// A fresh connection, with TLS where the URL asks for it; through a proxy it is a tunnel always.
    #[allow(dead_code, reason = "for protocols other than HTTP/1.1")]
    pub async fn dial(&mut self, world: &dyn World) -> Result<Box<dyn Stream>, Failure> {
        let deadline = world.now() + self.connect_timeout;
        let dialing = async {
            match self.open(world).await? {
                (stream, None) => Ok(stream),
                (stream, Some(proxy)) => proxy.tunnel(stream, &self.url).await,
            }
        };
        before(world, deadline, dialing)
            .await
            .unwrap_or(Err(Failure::unanswered("connect_timeout")))
    }

    async fn connect(&mut self, world: &dyn World) -> Result<Live, Failure> {
        // Read before the first packet: a freeze while connecting makes the connection suspect too.
        let thaws = world.thaws();
        let deadline = world.now() + self.connect_timeout;
        let (stream, forwarded) = match before(world, deadline, self.open(world)).await {
            Some(opened) => opened?,
            None => return Err(Failure::unanswered("connect_timeout")),
        };
        let received = Rc::new(Cell::new(0));
        let (sender, connection) = Builder::new()
            .max_buf_size(HEAD_BYTES_MAX)
            .handshake(Io::new(stream, received.clone()))
            .await
            .map_err(|_| Failure::unanswered("closed"))?;
        Ok(Live {
            sender,
            connection: Box::pin(connection),
            received,
            forwarded,
            ended: false,
            thaws,
            used: Used::now(world),
        })
    }

    /// Opens a connection. The second value is the proxy that forwards requests, where one does.
    async fn open(
        &mut self,
        world: &dyn World,
    ) -> Result<(Box<dyn Stream>, Option<Proxy>), Failure> {
        let proxy = proxy::route(world, &self.url)?;
        let near = proxy.as_ref().map_or(&self.url, |proxy| &proxy.url);
        let mut stream = world
            .connect(&near.host, near.port)
            .await
            .map_err(|_| Failure::unanswered("connect"))?;
        if let Some(proxy) = proxy {
            if proxy.url.https {
                stream = self.proxy_tls.wrap(world, &proxy.url.host, stream).await?;
            }
            if !self.url.https {
                return Ok((stream, Some(proxy)));
            }
            stream = proxy.tunnel(stream, &self.url).await?;
        }
        if self.url.https {
            stream = self.tls.wrap(world, &self.url.host, stream).await?;
        }
        Ok((stream, None))
    }

    async fn exchange(
        &mut self,
        mut live: Live,
        call: &Call<'_>,
        outgoing: &Outgoing,
    ) -> Result<Answer, Failure> {
        let received = live.received.get();
        let request = self.request(outgoing, live.forwarded.as_ref())?;
        let sent = call.world.now();
        let answer = match live.head(request).await {
            Ok(answer) => {
                self.usual.answered(call.world.now().since(sent));
                answer
            }
            Err(why) => {
                return Err(Failure {
                    why,
                    answered: live.received.get() > received,
                });
            }
        };
        let (head, body) = answer.into_parts();
        let mut read = Vec::new();
        let whole = live
            .finish(body, &mut read, self.answer_bytes_max, call)
            .await;
        if whole && live.is_open().await {
            live.thaws = call.world.thaws();
            live.used = Used::now(call.world);
            self.kept = Some(live);
        }
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: read,
            whole,
            resent: false,
        })
    }

    fn request(
        &self,
        outgoing: &Outgoing,
        proxy: Option<&Proxy>,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let mut request = Request::new(Full::new(outgoing.body.clone()));
        *request.method_mut() = outgoing.method.clone();
        let target = match proxy {
            None => self.url.target.clone(),
            Some(_) => self.absolute_target()?,
        };
        *request.uri_mut() = target;
        let headers = request.headers_mut();
        headers.reserve(outgoing.headers.len() + 2);
        headers.insert(HOST, self.url.host_header.clone());
        if let Some(authorization) = proxy.and_then(|proxy| proxy.authorization.clone()) {
            headers.insert(PROXY_AUTHORIZATION, authorization);
        }
        headers.extend(outgoing.headers.clone());
        Ok(request)
    }

    /// What a proxy is told that forwards a request: where it goes, and all the rest.
    fn absolute_target(&self) -> Result<Uri, Failure> {
        let authority = self.url.host_header.to_str().unwrap_or_default();
        let target = format!("http://{authority}{}", self.url.target);
        target.parse().map_err(|_| Failure::unanswered("proxy"))
    }
}

/// A connection that is open, as far as is known.
struct Live {
    sender: SendRequest<Full<Bytes>>,
    connection: Pin<Box<Connection<Io, Full<Bytes>>>>,
    received: Rc<Cell<u64>>,
    /// The proxy that forwards requests; `None` where nobody or a tunnel does.
    forwarded: Option<Proxy>,
    /// hyper has closed it; it must not be polled again.
    ended: bool,
    /// See [`World::thaws`]; as of its last use.
    thaws: u64,
    used: Used,
}

impl Live {
    /// Whether the connection can take a request: nothing came in meanwhile, not even its end.
    async fn is_open(&mut self) -> bool {
        std::future::poll_fn(|context| {
            self.ended = self.ended || self.connection.as_mut().poll(context).is_ready();
            let ready = self.sender.poll_ready(context);
            Poll::Ready(!self.ended && matches!(ready, Poll::Ready(Ok(()))))
        })
        .await
    }

    /// Sends a request and reads the head of its answer.
    async fn head(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, &'static str> {
        let answer = self.sender.send_request(request);
        match drive(&mut self.connection, &mut self.ended, answer).await {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(error)) if error.is_parse() => Err("malformed"),
            _ => Err("closed"),
        }
    }

    /// Reads the body, within limits. Says whether it came whole.
    async fn finish(
        &mut self,
        body: Incoming,
        into: &mut Vec<u8>,
        bytes_max: usize,
        call: &Call<'_>,
    ) -> bool {
        let now = call.world.now();
        // The status decides what becomes of the records; a body that drips must not cost the deadline.
        let until = now + BODY_TIME_MAX.min(call.deadline.since(now) / 2);
        let reading = read_body(body, into, bytes_max);
        let reading = drive(&mut self.connection, &mut self.ended, reading);
        before(call.world, until, reading).await == Some(Some(true))
    }
}

/// Reads a body to its end, or to its limit. Says whether that was its end.
async fn read_body(mut body: Incoming, into: &mut Vec<u8>, bytes_max: usize) -> bool {
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        let Some(data) = frame.data_ref() else {
            continue;
        };
        let fits = data.len().min(bytes_max - into.len());
        into.extend_from_slice(&data[..fits]);
        if fits < data.len() {
            return false;
        }
    }
    true
}

/// Polls `work` together with the connection that it needs. `None`: the connection ended and left it undone.
async fn drive<T>(
    connection: &mut Pin<Box<Connection<Io, Full<Bytes>>>>,
    ended: &mut bool,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = pin!(work);
    std::future::poll_fn(move |context| {
        if let Poll::Ready(value) = work.as_mut().poll(context) {
            return Poll::Ready(Some(value));
        }
        *ended = *ended || connection.as_mut().poll(context).is_ready();
        // What the connection has just taken in is there for `work` now.
        match work.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if *ended => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
