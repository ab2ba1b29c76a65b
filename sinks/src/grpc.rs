//! Unary gRPC calls to one origin, over one HTTP/2 connection that is kept between calls.
//!
//! As with HTTP/1.1 ([`crate::shared::http`]) there is no task behind it: what hyper wants to have spawned is kept here
//! and polled together with the call, so that a call that is dropped takes its connection with it, and a frozen process
//! has nothing to catch up with.
//!
//! # Limits
//!
//! An answer may have 64 KiB of headers, 64 KiB of body and 1 s for the body. One call at a time.
//!
//! Source: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>, read 2026-11-25.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http2::{Builder, Connection, SendRequest};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TE};
use hyper::rt::Executor;
use hyper::{Method, Request, Response, Uri, Version};
use tapline_core::sink::Call;
use tapline_core::world::{Boxed, World, before};

use crate::otlp::reply::Reply;
use crate::shared::doubt::{Used, Usual, unless_silent};
use crate::shared::http::{Client as Dialer, Failure};
use crate::shared::io::Io;
use crate::shared::late::LateHeaders;
use crate::shared::tls::Tls;
use crate::shared::url::Url;

#[cfg(test)]
mod tests;

/// This build speaks gRPC.
pub(crate) const BUILT: bool = true;

/// A connection that rested longer than this is not used again, in running time. See the client of HTTP/1.1.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// Headers of an answer, in bytes.
const HEAD_BYTES_MAX: u32 = 64 << 10;

/// Body of an answer, and what may be on its way to us at once, in bytes.
const BODY_BYTES_MAX: u32 = 64 << 10;

/// What may wait in hyper to be written, in bytes.
const SEND_BYTES_MAX: usize = 256 << 10;

/// Longest time for the rest of an answer that has begun.
const BODY_TIME_MAX: Duration = Duration::from_secs(1);

/// `5` is one byte that says whether the message is compressed, and four of its length.
const PREFIX_BYTES: usize = 5;

const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// Calls one method of one origin.
pub(crate) struct Client {
    dialer: Dialer,
    target: Uri,
    late: LateHeaders,
    kept: Option<Live>,
    usual: Usual,
}

impl Client {
    /// A client that connects with its first call. `method` is `/package.Service/Method`; the path of the URL is not
    /// used, as the protocol has none.
    pub fn new(
        url: Url,
        method: &str,
        connect_timeout: Duration,
        tls: Tls,
        late: LateHeaders,
    ) -> Option<Client> {
        let scheme = if url.https { "https" } else { "http" };
        let authority = url.host_header.to_str().ok()?;
        Some(Client {
            target: format!("{scheme}://{authority}{method}").parse().ok()?,
            dialer: Dialer::new(url, connect_timeout, tls.over_http2()),
            late,
            kept: None,
            usual: Usual::default(),
        })
    }

    /// Calls the method with one encoded message, until the call's deadline.
    ///
    /// A call that fails on a kept connection before the head of an answer is made once more, at once, on a fresh one:
    /// the other side had most likely closed it while it rested. So is one that nobody answers after a rest, see
    /// [`crate::shared::doubt`].
    pub async fn call(
        &mut self,
        call: &Call<'_>,
        headers: &HeaderMap,
        message: &Bytes,
        coding: Option<&'static str>,
    ) -> Result<Reply, Failure> {
        let late = self.late.headers(call).await?;
        let reply = self.call_with(call, headers, &late, message, coding);
        let reply = reply.await?;
        if self.late.is_empty() || !reply.is_refusal() {
            return Ok(reply);
        }
        match self.late.changed(&late, call).await {
            Some(late) => self.call_with(call, headers, &late, message, coding).await,
            None => Ok(reply),
        }
    }

    async fn call_with(
        &mut self,
        call: &Call<'_>,
        headers: &HeaderMap,
        late: &HeaderMap,
        message: &Bytes,
        coding: Option<&'static str>,
    ) -> Result<Reply, Failure> {
        let mut headers = headers.clone();
        headers.extend(late.clone());
        if let Some(live) = self.take_kept(call.world).await {
            let request = self.request(call, &headers, message, coding);
            let patience = self.usual.patience(&live.used, message.len(), call);
            let received = live.received.clone();
            let exchange = self.exchange(live, call, request);
            match unless_silent(call.world, patience, &received, exchange).await {
                None | Some(Err(_)) => {}
                Some(reply) => return reply,
            }
        }
        let live = self.connect(call.world).await?;
        let request = self.request(call, &headers, message, coding);
        self.exchange(live, call, request).await
    }

    async fn take_kept(&mut self, world: &dyn World) -> Option<Live> {
        let mut live = self.kept.take()?;
        let fresh = live.thaws == world.thaws() && live.used.running(world) <= IDLE_MAX;
        (fresh && live.is_open().await).then_some(live)
    }

    async fn connect(&mut self, world: &dyn World) -> Result<Live, Failure> {
        let thaws = world.thaws();
        let stream = self.dialer.dial(world).await?;
        let received = Rc::new(Cell::new(0));
        let tasks = Tasks::default();
        let (sender, connection) = Builder::new(tasks.clone())
            .initial_stream_window_size(BODY_BYTES_MAX)
            .initial_connection_window_size(BODY_BYTES_MAX)
            .max_header_list_size(HEAD_BYTES_MAX)
            .max_send_buf_size(SEND_BYTES_MAX)
            .handshake(Io::new(stream, received.clone()))
            .await
            .map_err(|_| Failure::unanswered("closed"))?;
        Ok(Live {
            sender,
            connection: Box::pin(connection),
            tasks,
            received,
            ended: false,
            thaws,
            used: Used::now(world),
        })
    }

    fn request(
        &self,
        call: &Call<'_>,
        headers: &HeaderMap,
        message: &Bytes,
        coding: Option<&'static str>,
    ) -> Request<Message> {
        let mut request = Request::new(Message::new(message.clone(), coding));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.target.clone();
        *request.version_mut() = Version::HTTP_2;
        let map = request.headers_mut();
        map.extend(headers.clone());
        map.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        map.insert(TE, HeaderValue::from_static("trailers"));
        if let Some(coding) = coding {
            map.insert(ENCODING, HeaderValue::from_static(coding));
        }
        // At most eight digits; a day is longer than any deadline here.
        let left = call
            .deadline
            .since(call.world.now())
            .as_millis()
            .min(86_400_000);
        if let Ok(timeout) = HeaderValue::from_str(&format!("{left}m")) {
            map.insert(TIMEOUT, timeout);
        }
        request
    }

    async fn exchange(
        &mut self,
        mut live: Live,
        call: &Call<'_>,
        request: Request<Message>,
    ) -> Result<Reply, Failure> {
        let received = live.received.get();
        let sent = call.world.now();
        let Some(answer) = live.head(request).await else {
            return Err(Failure {
                why: "closed",
                answered: live.received.get() > received,
            });
        };
        self.usual.answered(call.world.now().since(sent));
        let (head, body) = answer.into_parts();
        let mut reply = Reply::new(head.status, head.headers);
        if live.finish(body, &mut reply, call).await {
            live.thaws = call.world.thaws();
            live.used = Used::now(call.world);
            self.kept = Some(live);
        }
        Ok(reply)
    }
}

/// A connection that is open, as far as is known.
struct Live {
    sender: SendRequest<Message>,
    connection: Pin<Box<Connection<Io, Message, Tasks>>>,
    tasks: Tasks,
    received: Rc<Cell<u64>>,
    /// hyper has closed it; it must not be polled again.
    ended: bool,
    /// See [`World::thaws`]; as of its last use.
    thaws: u64,
    used: Used,
}

impl Live {
    /// Whether the connection can take a call: the other side has not said goodbye meanwhile.
    async fn is_open(&mut self) -> bool {
        std::future::poll_fn(|context| {
            self.poll(context);
            let ready = self.sender.poll_ready(context);
            Poll::Ready(!self.ended && matches!(ready, Poll::Ready(Ok(()))))
        })
        .await
    }

    fn poll(&mut self, context: &mut Context<'_>) {
        self.ended = self.ended || self.connection.as_mut().poll(context).is_ready();
        self.tasks.poll(context);
    }

    /// Sends a request and reads the head of its answer.
    async fn head(&mut self, request: Request<Message>) -> Option<Response<Incoming>> {
        let answer = self.sender.send_request(request);
        self.drive(answer).await?.ok()
    }

    /// Reads the rest of an answer into `reply`, within limits. Says whether the connection can be kept.
    async fn finish(&mut self, body: Incoming, reply: &mut Reply, call: &Call<'_>) -> bool {
        let now = call.world.now();
        let until = now + BODY_TIME_MAX.min(call.deadline.since(now) / 2);
        let whole = before(call.world, until, self.drive(read(body, reply))).await;
        whole == Some(Some(true)) && self.is_open().await
    }

    /// Polls `work` together with the connection that it needs. `None`: the connection ended and left it undone.
    async fn drive<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        std::future::poll_fn(move |context| {
            if let Poll::Ready(value) = work.as_mut().poll(context) {
                return Poll::Ready(Some(value));
            }
            self.poll(context);
            // What the connection has just taken in is there for `work` now, and what `work` gave it may be sent.
            match work.as_mut().poll(context) {
                Poll::Ready(value) => Poll::Ready(Some(value)),
                Poll::Pending if self.ended => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}

/// Reads a body and its trailers. Says whether that was its end.
async fn read(mut body: Incoming, reply: &mut Reply) -> bool {
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        match frame.into_data() {
            Ok(data) => {
                let room = (BODY_BYTES_MAX as usize).saturating_sub(reply.body.len());
                reply.body.extend_from_slice(&data[..data.len().min(room)]);
                if data.len() > room {
                    return false;
                }
            }
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    reply.trailers(trailers);
                }
            }
        }
    }
    true
}

/// What hyper wants to have spawned: it is polled with the connection and dropped with it.
#[derive(Clone, Default)]
struct Tasks(Rc<RefCell<Vec<Boxed<'static, ()>>>>);

impl Tasks {
    fn poll(&self, context: &mut Context<'_>) {
        // Taken out while they are polled: a task may spawn another one.
        let mut tasks = self.0.take();
        tasks.retain_mut(|task| task.as_mut().poll(context).is_pending());
        self.0.borrow_mut().splice(0..0, tasks);
    }
}

impl<F: Future<Output = ()> + 'static> Executor<F> for Tasks {
    fn execute(&self, task: F) {
        self.0.borrow_mut().push(Box::pin(task));
    }
}

/// The one message of a call, with its prefix.
struct Message {
    prefix: Option<Bytes>,
    message: Option<Bytes>,
    left: u64,
}

impl Message {
    fn new(message: Bytes, coding: Option<&'static str>) -> Message {
        let mut prefix = [0; PREFIX_BYTES];
        prefix[0] = u8::from(coding.is_some());
        prefix[1..].copy_from_slice(&(message.len() as u32).to_be_bytes());
        Message {
            left: (PREFIX_BYTES + message.len()) as u64,
            prefix: Some(Bytes::copy_from_slice(&prefix)),
            message: Some(message),
        }
    }
}

impl Body for Message {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.prefix.take().or_else(|| self.message.take());
        if let Some(bytes) = &next {
            self.left -= bytes.len() as u64;
        }
        Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.message.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
