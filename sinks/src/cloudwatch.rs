//! `cloudwatch`: events into one stream of CloudWatch Logs, by PutLogEvents.
//!
//! Protocol: JSON over HTTP/1.1, signed; requests filled within the limits of [`pack`], oldest record first, up to
//! [`LANES`] at once over connections that are kept. No sequence token, no Describe. Messages are as [`message`] says.
//!
//! Guarantee: at least once. CloudWatch knows no request again: where an answer was lost the events are there twice.
//!
//! - 200: stored, but for the events that `rejectedLogEventsInfo` names: those are rejected as `too_old`, `expired` or
//!   `too_new`, and never sent again. An answer that is not CloudWatch's own stores nothing.
//! - Throttling (with status 400, too), 429, 5xx, timeout, no connection: those events are tried again, not before
//!   `x-amz-retry-after` or `Retry-After`; other requests of the call keep what they reached.
//! - `ResourceNotFoundException`: stream and group are made once, and the same bytes are sent again at once.
//! - Credentials or permissions refused: denied, with the action to allow; the records are kept.
//! - Any other error: rejected, with its code as reason.
//!
//! # Limits
//!
//! A call takes 10,000 records or 4 MiB. At most [`LANES`] requests are held at once, one where memory is short.

use std::time::Duration;

use hyper::Method;
use hyper::header::{
    CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use tapline_core::level::Level;
use tapline_core::registry::SinkKind;
use tapline_core::sink::{Call, CallLimits, Outcome, Selection, Sink, Verdict};
use tapline_core::world::{Boxed, before};

use crate::buffer::Buffer;
use crate::shared::credentials::Missing;
use crate::shared::endpoint::{self, Service};
use crate::shared::fault::{CREDENTIALS, Fault, Remedy, denied, verdict_of_wait};
use crate::shared::gzip::Gzip;
use crate::shared::http::{AGENT, Answer, Client, Failure, Outgoing};
use crate::shared::signed::Signed;
use crate::shared::tls::Tls;
use crate::shared::url::Url;
use answer::{Fates, Stored};
use join::join_all;
use message::Writer;
use pack::{Oversize, Packer, Request};
use target::{Names, Target};

mod answer;
mod config;
mod create;
mod join;
mod message;
mod pack;
mod target;
#[cfg(test)]
mod tests;

/// The row of this sink.
pub(crate) const KIND: SinkKind = SinkKind {
    name: "cloudwatch",
    feature: "cloudwatch",
    fields: config::FIELDS,
    build: Some(config::build),
};

/// Requests that are under way at once. A stream takes any number; more than a few gain nothing where a function's
/// share of a processor is the bound.
const LANES: usize = 4;

/// How often requests are sent within one call: first, after the stream was made or the clock set, and once more.
const PASSES: usize = 3;

const LIMITS: CallLimits = CallLimits {
    records_max: pack::REQUEST_EVENTS_MAX,
    bytes_max: LANES * pack::REQUEST_BYTES_MAX,
};

const LOGS: Service = Service {
    prefix: "logs",
    variable: "CLOUDWATCH_LOGS",
    government_is_fips: true,
};

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");

/// Sends events to one stream.
struct CloudWatch {
    target: Target,
    writer: Writer,
    oversize: Oversize,
    gzip: Option<Gzip>,
    packed: Buffer,
    /// Where `endpoint` says; else found with the first call.
    endpoint: Option<Url>,
    connect_timeout: Duration,
    clients: Vec<Client>,
    signed: Signed,
}

/// A request that is on its way, or waits to be sent again in the same call.
struct Sent {
    outgoing: Outgoing,
    positions: Vec<u32>,
    /// What the body is charged to.
    _charge: Buffer,
}

/// What an answer asks for.
enum Meaning {
    /// The events that were refused, by their number, with the reason.
    Stored(Stored),
    /// The stream or the group is missing.
    Make,
    /// The signature was not liked.
    SignAnew(Answer),
    /// The same for all events.
    All(Verdict),
}

impl CloudWatch {
    async fn send(&mut self, records: &Selection, call: &Call<'_>) -> Outcome {
        let Some(first) = records.records().next() else {
            return Verdict::Accepted.into();
        };
        if let Err(verdict) = self.open(call) {
            return verdict.into();
        }
        let names = self.target.names(call, first);
        let wall_ms = self.signed.wall_ms(call);
        let head = names.head.clone();
        let mut packer = Packer::new(records, wall_ms, self.oversize, head);
        let mut fates = Fates::default();
        let mut stop = None;
        while stop.is_none() {
            let sent = self.fill(&mut packer, call);
            if sent.is_empty() {
                break;
            }
            stop = self.round(sent, &names, &mut fates, call).await;
        }
        if let Some(verdict) = stop {
            fates.add_all(packer.rest(), &verdict);
        }
        for (position, why) in packer.refused {
            fates.refuse(position, why);
        }
        self.packed.rest(call.budget);
        fates.outcome()
    }

    /// Makes what needs the environment: the endpoint, and a client for each request that may be under way.
    fn open(&mut self, call: &Call<'_>) -> Result<(), Verdict> {
        if !self.clients.is_empty() {
            return Ok(());
        }
        let region = match self.signed.scope.region.as_str() {
            "" => call.facts.region.clone(),
            region => region.to_owned(),
        };
        let variable = |name: &str| call.world.variable(name);
        let url = match &self.endpoint {
            Some(url) => url.clone(),
            None => endpoint::find(LOGS, &region, &variable).map_err(|wrong| Verdict::Denied {
                why: wrong.0.into(),
            })?,
        };
        self.clients = (0..LANES)
            .map(|_| Client::new(url.clone(), self.connect_timeout, Tls::default()))
            .collect();
        Ok(())
    }

    /// As many requests as may be under way at once.
    fn fill(&mut self, packer: &mut Packer<'_>, call: &Call<'_>) -> Vec<Sent> {
        let mut sent = Vec::new();
        while sent.len() < LANES && (sent.is_empty() || !call.budget.is_tight()) {
            let Some(request) = packer.next(&mut self.writer, call.budget) else {
                break;
            };
            sent.push(self.outgoing(request, call));
        }
        sent
    }

    fn outgoing(&mut self, request: Request, call: &Call<'_>) -> Sent {
        let Request {
            mut body,
            positions,
        } = request;
        let mut headers = headers("PutLogEvents");
        if let Some(gzip) = &mut self.gzip
            && gzip.pack(&body.bytes, &mut self.packed, call.budget)
        {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            body = std::mem::take(&mut self.packed);
        }
        let bytes = std::mem::take(&mut body.bytes);
        Sent {
            outgoing: Outgoing {
                method: Method::POST,
                headers,
                body: bytes.into(),
            },
            positions,
            _charge: body,
        }
    }

    /// Sends requests at once until each has an answer that stands. A verdict: sending more is of no use now.
    async fn round(
        &mut self,
        mut sent: Vec<Sent>,
        names: &Names,
        fates: &mut Fates,
        call: &Call<'_>,
    ) -> Option<Verdict> {
        let mut stop = None;
        for pass in 0..PASSES {
            let answers = self.send_once(&mut sent, call).await;
            let mut again = Vec::new();
            let (mut make, mut sign_anew) = (false, None);
            for (sent, answer) in sent.into_iter().zip(answers) {
                match self.meaning(answer, call) {
                    Meaning::Stored(stored) => self.store(&sent, stored, fates, call),
                    Meaning::Make => {
                        make = true;
                        again.push(sent);
                    }
                    Meaning::SignAnew(answer) => {
                        sign_anew = Some(answer);
                        again.push(sent);
                    }
                    Meaning::All(verdict) => {
                        fates.add_all(sent.positions.into_iter(), &verdict);
                        stop = stop.or(Some(verdict).filter(is_of_all));
                    }
                }
            }
            sent = again;
            if sent.is_empty() {
                return stop;
            }
            let mended = match sign_anew {
                _ if pass + 1 == PASSES => Err(retry("ResourceNotFoundException")),
                Some(answer) => self.sign_anew(&answer, names, call).await,
                None if make => self.make(names, call).await,
                None => Ok(()),
            };
            if let Err(verdict) = mended {
                fates.add_all(sent.into_iter().flat_map(|sent| sent.positions), &verdict);
                return Some(verdict);
            }
        }
        stop
    }

    async fn send_once(
        &mut self,
        sent: &mut [Sent],
        call: &Call<'_>,
    ) -> Vec<Result<Answer, Missing>> {
        for sent in sent.iter_mut() {
            let url = self.clients[0].url().clone();
            if let Err(missing) = self.signed.sign(&url, call, &mut sent.outgoing).await {
                // What one request lacks they all lack.
                let first = std::iter::once(Err(missing));
                let others = std::iter::repeat_with(|| {
                    Err(Missing::Failed(Failure::unanswered("credentials")))
                });
                return first.chain(others).take(LANES).collect();
            }
        }
        let requests = self.clients.iter_mut().zip(sent.iter());
        let requests = requests.map(|(client, sent)| -> Boxed<'_, _> {
            Box::pin(async move {
                let sending = client.send(call, &sent.outgoing);
                let answer = before(call.world, call.deadline, sending).await;
                answer
                    .unwrap_or(Err(Failure::unanswered("timeout")))
                    .map_err(Missing::Failed)
            })
        });
        join_all(requests.collect()).await
    }

    fn meaning(&mut self, answer: Result<Answer, Missing>, call: &Call<'_>) -> Meaning {
        let answer = match answer {
            Ok(answer) => answer,
            Err(missing) => return Meaning::All(missing.into()),
        };
        if answer.status.is_success() {
            return match Stored::read(&answer) {
                Some(stored) => Meaning::Stored(stored),
                None => Meaning::All(retry("not_cloudwatch")),
            };
        }
        let fault = Fault::of(&answer);
        if fault.code == "ResourceNotFoundException" {
            return Meaning::Make;
        }
        if fault.code == "DataAlreadyAcceptedException" {
            return Meaning::Stored(Stored::default());
        }
        Meaning::All(match fault.remedy() {
            Remedy::Wait => verdict_of_wait(&fault, &answer, self.signed.wall_ms(call)),
            Remedy::SignAnew => return Meaning::SignAnew(answer),
            Remedy::Allow => denied(
                &fault,
                "allow `logs:PutLogEvents` on the group's streams to the function's role",
            ),
            Remedy::Refused if answer.status.as_u16() == 413 => Verdict::TooLarge,
            Remedy::Refused => Verdict::Rejected(fault.reason().into()),
        })
    }

    fn store(&mut self, sent: &Sent, stored: Stored, fates: &mut Fates, call: &Call<'_>) {
        for (event, position) in sent.positions.iter().enumerate() {
            if let Some(why) = stored.refusal(event) {
                fates.refuse(*position, why);
            }
        }
        if let Some(why) = stored.entity_refused
            && self.target.entity.is_some()
        {
            self.target.drop_entity();
            let message =
                format!("CloudWatch Logs refuses the `entity`: {why}; records go on without it");
            call.world.log(Level::Warn, &message);
        }
    }

    async fn sign_anew(
        &mut self,
        answer: &Answer,
        names: &Names,
        call: &Call<'_>,
    ) -> Result<(), Verdict> {
        if self.signed.mend(call, answer).await {
            return Ok(());
        }
        let line = format!(
            "{CREDENTIALS}, and allow `logs:PutLogEvents` on `{}`",
            names.group
        );
        Err(denied(&Fault::of(answer), &line))
    }
}

/// Whether what one request met, the others will meet too.
fn is_of_all(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Retry { .. } | Verdict::Denied { .. })
}

fn retry(why: &'static str) -> Verdict {
    Verdict::Retry {
        why: why.into(),
        after: None,
        answered: true,
    }
}

/// The headers of an action, but for those of the signature.
fn headers(action: &str) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(USER_AGENT, AGENT);
    let json = HeaderValue::from_static("application/x-amz-json-1.1");
    headers.insert(CONTENT_TYPE, json);
    if let Ok(target) = HeaderValue::from_str(&format!("Logs_20140328.{action}")) {
        headers.insert(TARGET, target);
    }
    headers
}

impl Sink for CloudWatch {
    fn limits(&self) -> CallLimits {
        LIMITS
    }

    fn deliver<'a>(&'a mut self, records: &'a Selection, call: Call<'a>) -> Boxed<'a, Outcome> {
        Box::pin(async move { self.send(records, &call).await })
    }
}
