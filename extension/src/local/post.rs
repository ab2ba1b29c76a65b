//! Delivery to one subscriber: one POST in flight, retries with back-off, nothing while the environment is frozen.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{self, SendRequest};
use serde::de::IgnoredAny;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::{sleep, sleep_until, timeout};

use super::Shared;
use super::relay::{Batch, Take};
use super::subscription::Destination;
use crate::io::Io;

/// Pause after a first failed POST; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// Longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Delivers until the subscriber is retired and empty.
pub(crate) async fn run(shared: Arc<Shared>, index: usize) {
    let destination = shared
        .relay
        .borrow()
        .subscription(index)
        .destination
        .clone();
    let mut link = Link {
        destination,
        http: None,
        tcp: None,
    };
    let mut changes = shared.relay.subscribe();
    let mut n_good = 0u32;
    loop {
        shared.thawed().await;
        changes.mark_unchanged();
        let mut take = Take::Finished;
        shared.relay.send_if_modified(|relay| {
            take = relay.take(index);
            matches!(take, Take::Batch(_))
        });
        match take {
            Take::Finished => return,
            Take::Wait(None) => {
                changes.changed().await.ok();
            }
            Take::Wait(Some(at)) => {
                tokio::select! {
                    _ = changes.changed() => {}
                    () = sleep_until(at) => {}
                }
            }
            Take::Batch(batch) if shared.settings.managed() => {
                once(&shared, index, &mut link, batch).await;
            }
            Take::Batch(batch) => {
                until_taken(&shared, index, &mut link, &batch.body).await;
                n_good += 1;
                shared
                    .relay
                    .send_modify(|relay| relay.delivered(index, &batch));
                let every = shared.settings.faults.redeliver_every;
                if every.is_some_and(|every| n_good.is_multiple_of(every.max(1))) {
                    shared.thawed().await;
                    if link.post(&shared, &batch.body).await.is_ok() {
                        shared
                            .relay
                            .send_modify(|relay| relay.delivered(index, &batch));
                    }
                }
            }
        }
    }
}

async fn until_taken(shared: &Shared, index: usize, link: &mut Link, body: &Bytes) {
    let mut pause = PAUSE_MIN;
    loop {
        shared.thawed().await;
        if link.post(shared, body).await.is_ok() {
            return;
        }
        shared.relay.send_modify(|relay| relay.failed(index));
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Managed Instances: one attempt, and what gets ready meanwhile is dropped.
async fn once(shared: &Shared, index: usize, link: &mut Link, batch: Batch) {
    let mut changes = shared.relay.subscribe();
    let outcome = {
        let post = link.post(shared, &batch.body);
        tokio::pin!(post);
        loop {
            changes.mark_unchanged();
            let due = shared.relay.borrow().due(index);
            let at = match due {
                Ok(()) => {
                    shared.relay.send_modify(|relay| relay.drop_waiting(index));
                    continue;
                }
                Err(at) => at,
            };
            let timer = async {
                match at {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                outcome = &mut post => break outcome,
                _ = changes.changed() => {}
                () = timer => {}
            }
        }
    };
    shared.relay.send_modify(|relay| match &outcome {
        Ok(()) => relay.delivered(index, &batch),
        Err(e) => {
            relay.failed(index);
            relay.lost(index, &batch, &e.to_string());
        }
    });
}

/// The connection to a subscriber, kept between POSTs.
struct Link {
    destination: Destination,
    http: Option<Wire>,
    tcp: Option<TcpStream>,
}

/// An HTTP connection; its task ends with it.
struct Wire {
    sender: SendRequest<Full<Bytes>>,
    driver: AbortHandle,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Link {
    /// One attempt. Time in which the environment is frozen does not count.
    async fn post(&mut self, shared: &Shared, body: &Bytes) -> io::Result<()> {
        let managed = shared.settings.managed();
        let attempt = self.attempt(body, managed);
        tokio::pin!(attempt);
        loop {
            match timeout(shared.settings.post_timeout, &mut attempt).await {
                Ok(outcome) => return outcome,
                Err(_) if *shared.frozen.borrow() => shared.thawed().await,
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
    }

    /// A connection that fails is not kept; one that was kept and turns out dead is replaced at once.
    async fn attempt(&mut self, body: &Bytes, managed: bool) -> io::Result<()> {
        let port = match &self.destination {
            Destination::Tcp { port } => {
                let stream = match self.tcp.take() {
                    Some(stream) => stream,
                    None => TcpStream::connect(address(*port)).await?,
                };
                self.tcp = Some(write_lines(stream, body).await?);
                return Ok(());
            }
            Destination::Http { port, .. } => *port,
        };
        let kept = self.http.take().filter(|wire| !wire.sender.is_closed());
        let answered = match kept {
            Some(mut wire) => wire
                .send(self.request(body)?)
                .await
                .map(|status| (wire, status)),
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        let (wire, status) = match answered {
            Ok(answered) => answered,
            Err(_) => {
                let mut wire = connect(port).await?;
                let status = wire.send(self.request(body)?).await?;
                (wire, status)
            }
        };
        self.http = Some(wire);
        let good = (200..300).contains(&status) || (managed && status < 400);
        if good {
            Ok(())
        } else {
            Err(io::Error::other(format!("status {status}")))
        }
    }

    fn request(&self, body: &Bytes) -> io::Result<Request<Full<Bytes>>> {
        let (path, host, method) = match &self.destination {
            Destination::Http {
                path, host, method, ..
            } => (path.as_str(), host.as_str(), *method),
            Destination::Tcp { .. } => ("/", "sandbox", "POST"),
        };
        Request::builder()
            .method(method)
            .uri(path)
            .header("host", host)
            .header("content-type", "application/json")
            .body(Full::new(body.clone()))
            .map_err(io::Error::other)
    }
}

impl Wire {
    async fn send(&mut self, request: Request<Full<Bytes>>) -> io::Result<u16> {
        self.sender.ready().await.map_err(io::Error::other)?;
        let answer = self
            .sender
            .send_request(request)
            .await
            .map_err(io::Error::other)?;
        let status = answer.status().as_u16();
        answer
            .into_body()
            .collect()
            .await
            .map_err(io::Error::other)?;
        Ok(status)
    }
}

/// Writes the elements of an array, one a line.
async fn write_lines(mut stream: TcpStream, body: &Bytes) -> io::Result<TcpStream> {
    let mut rest = &body[1..];
    while rest.len() > 1 {
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<IgnoredAny>();
        if !matches!(values.next(), Some(Ok(_))) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let (element, after) = rest.split_at(values.byte_offset());
        stream.write_all(element).await?;
        stream.write_all(b"\n").await?;
        rest = &after[1..];
    }
    stream.flush().await?;
    Ok(stream)
}

async fn connect(port: u16) -> io::Result<Wire> {
    let stream = TcpStream::connect(address(port)).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(Io(stream))
        .await
        .map_err(io::Error::other)?;
    // An error of the connection shows at the sender.
    let driver = tokio::spawn(async move { connection.await.ok() }).abort_handle();
    Ok(Wire { sender, driver })
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Whether somebody listens: what the platform asks at a subscription over TCP.
pub(crate) async fn listens(port: u16) -> bool {
    let dial = TcpStream::connect(address(port));
    matches!(timeout(Duration::from_secs(1), dial).await, Ok(Ok(_)))
}
