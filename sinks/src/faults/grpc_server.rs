//! A server of gRPC over one connection, by hyper's own HTTP/2.

use std::cell::Cell;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper::{Request as Http, Response};
use tapline_core::world::Stream;

use super::network::NetWorld;
use super::server::{Peer, Reply, Request};
use super::table::Fault;
use crate::shared::io::Io;

/// A message, what stands behind it, or bytes without an end.
struct Answer {
    frames: Vec<Frame<Bytes>>,
    then: Then,
}

#[derive(Clone, Copy)]
enum Then {
    End,
    Nothing,
    MoreBytes,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(frame) = self.frames.pop() {
            return Poll::Ready(Some(Ok(frame)));
        }
        match self.then {
            Then::End => Poll::Ready(None),
            Then::Nothing => Poll::Pending,
            Then::MoreBytes => {
                let bytes = Bytes::from_static(&[b'x'; 4_096]);
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
        }
    }
}

pub(super) async fn serve(peer: Rc<Peer>, stream: Box<dyn Stream>, world: NetWorld) {
    let tasks = world.tasks.clone();
    let service = service_fn(move |request: Http<Incoming>| {
        let (peer, world) = (peer.clone(), world.clone());
        async move {
            let request = read(request).await;
            let reply = peer.answer(&request, &world);
            let then = match peer.fault.get() {
                Some(Fault::BodyDrips) => Then::Nothing,
                Some(Fault::EndlessSuccess | Fault::EndlessFailure) => Then::MoreBytes,
                _ => Then::End,
            };
            Ok::<_, Infallible>(response(reply, then))
        }
    });
    let io = Io::new(stream, Rc::new(Cell::new(0)));
    let served = Builder::new(tasks)
        .auto_date_header(false)
        .serve_connection(io, service)
        .await;
    // A client that goes away is no error of this server.
    drop(served);
}

async fn read(request: Http<Incoming>) -> Request {
    let (head, body) = request.into_parts();
    let headers = head.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    let headers = headers.collect();
    let body = body.collect().await.map(|body| body.to_bytes());
    Request {
        target: format!("{} {}", head.method, head.uri.path()),
        headers,
        body: body.unwrap_or_default().to_vec(),
    }
}

/// The headers of a reply whose name begins with `grpc-` are its trailers.
fn response(reply: Reply, then: Then) -> Response<Answer> {
    let mut trailers = HeaderMap::new();
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        match name.starts_with("grpc-") {
            true => {
                let value = HeaderValue::from_str(&value).unwrap();
                trailers.insert(HeaderName::from_static(name), value);
            }
            false => response = response.header(name, value),
        }
    }
    let mut frames = vec![Frame::data(Bytes::from(reply.body))];
    if !trailers.is_empty() && matches!(then, Then::End) {
        frames.insert(0, Frame::trailers(trailers));
    }
    response.body(Answer { frames, then }).unwrap()
}
