//! What was generated, and the buffer of every subscriber: batches by items, bytes and time, cuts, losses.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::clock::{self, Instant};
use super::element::{Audience, Dropped, Element, LineForm, Record, json};
use super::subscription::{Destination, Subscription};

/// Elements that the journal lists; later ones are delivered and not listed.
pub const JOURNAL_ELEMENTS_MAX: usize = 200_000;

/// Bytes of elements that the journal lists, 64 MiB.
pub const JOURNAL_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A cut leaves at least so much of a record in a POST, so that each POST moves on. 4 KiB.
const PIECE_BYTES_MIN: usize = 4096;

const SLOW_CLASSIC: &str =
    "Consumer seems to have fallen behind as it has not acknowledged receipt of logs.";
const SLOW_MANAGED: &str = "Some logs were dropped because the downstream consumer is slower than the logs production rate";

/// One element on its way to one subscriber.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Type of the element.
    pub kind: String,
    /// The element's exact JSON; empty once the journal is full.
    pub json: Bytes,
    /// POSTs with all of it that were answered with 2xx.
    pub delivered: u32,
    /// Whether it was dropped for want of room, or by Managed Instances.
    pub dropped: bool,
}

/// Everything about one subscription.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The extension's name.
    pub extension: String,
    /// Generation of the environment, from 1.
    pub generation: u32,
    /// As it was accepted.
    pub subscription: Subscription,
    /// Elements in the order of generation.
    pub sent: Vec<Sent>,
    /// POSTs that were answered with 2xx.
    pub n_posts: u32,
    /// POSTs that failed, and were tried again unless on Managed Instances.
    pub n_failed_posts: u32,
}

impl Delivery {
    /// Elements that reached the subscriber at least once.
    pub fn delivered(&self) -> impl Iterator<Item = &Sent> {
        self.sent.iter().filter(|sent| sent.delivered > 0)
    }

    /// Elements that were dropped.
    pub fn dropped(&self) -> impl Iterator<Item = &Sent> {
        self.sent.iter().filter(|sent| sent.dropped)
    }
}

/// What was generated, and what became of it.
#[derive(Debug, Clone)]
pub struct Journal {
    /// All elements in the order of generation, also those that nobody subscribed to.
    pub elements: Vec<Element>,
    /// Per subscription.
    pub deliveries: Vec<Delivery>,
    /// Elements beyond the journal's limits.
    pub n_unlisted: u64,
}

#[derive(Debug)]
struct Waiting {
    sent: usize,
    json: Bytes,
    at: Instant,
    /// Bytes of the record that went out already, where it was cut.
    cut_at: usize,
}

#[derive(Debug)]
struct Subscriber {
    delivery: Delivery,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    in_flight: bool,
    dropped_records: u64,
    dropped_bytes: u64,
    /// Gets no further elements: the generation is over.
    retired: bool,
}

/// A body, and which elements it ends.
#[derive(Debug)]
pub(crate) struct Batch {
    pub body: Bytes,
    pub sent: Vec<usize>,
}

/// What a delivery task is to do.
#[derive(Debug)]
pub(crate) enum Take {
    Batch(Batch),
    /// Nothing before this moment, or before something changes.
    Wait(Option<Instant>),
    /// Nothing any more.
    Finished,
}

/// The telemetry of a local Lambda.
#[derive(Debug)]
pub(crate) struct Relay {
    form: LineForm,
    managed: bool,
    cut_oversized: bool,
    buffer_bytes_max: usize,
    elements: Vec<Element>,
    elements_bytes: usize,
    n_unlisted: u64,
    /// Where the journal begins for a subscriber that comes during this init.
    replay_from: usize,
    /// Everything leaves at once: the environment ends.
    pub draining: bool,
    subscribers: Vec<Subscriber>,
}

impl Relay {
    pub(crate) fn new(settings: &super::settings::Settings) -> Self {
        let managed = settings.managed();
        Relay {
            form: LineForm {
                format: settings.log_format,
                newline: settings.newline == super::settings::Newline::Kept && !managed,
            },
            managed,
            cut_oversized: settings.faults.cut_oversized,
            buffer_bytes_max: settings.buffer_bytes_max,
            elements: Vec::new(),
            elements_bytes: 0,
            n_unlisted: 0,
            replay_from: 0,
            draining: false,
            subscribers: Vec::new(),
        }
    }

    pub(crate) fn journal(&self) -> Journal {
        Journal {
            elements: self.elements.clone(),
            deliveries: self
                .subscribers
                .iter()
                .map(|s| s.delivery.clone())
                .collect(),
            n_unlisted: self.n_unlisted,
        }
    }

    /// A new generation: what follows is replayed to those who subscribe in it, and the old ones get nothing more.
    pub(crate) fn begin_init(&mut self) {
        self.replay_from = self.elements.len();
        self.draining = false;
        for subscriber in &mut self.subscribers {
            subscriber.retired = true;
        }
    }

    pub(crate) fn emit(&mut self, element: Element) {
        for index in 0..self.subscribers.len() {
            let subscriber = &self.subscribers[index];
            if !subscriber.retired && element.is_for(index, &subscriber.delivery.subscription) {
                self.enqueue(index, &element);
            }
        }
        self.list(element);
    }

    fn list(&mut self, element: Element) {
        let length = match &element.record {
            Record::Json(text) | Record::Line(text) => text.len(),
        };
        self.elements_bytes += length;
        if self.full() {
            self.n_unlisted += 1;
        } else {
            self.elements.push(element);
        }
    }

    fn full(&self) -> bool {
        self.elements.len() >= JOURNAL_ELEMENTS_MAX || self.elements_bytes > JOURNAL_BYTES_MAX
    }

    fn enqueue(&mut self, index: usize, element: &Element) {
        let full = self.full();
        let schema = self.subscribers[index].delivery.subscription.schema;
        let json = Bytes::from(element.render(schema, self.form));
        let subscriber = &mut self.subscribers[index];
        let room = subscriber.waiting_bytes + json.len() <= self.buffer_bytes_max;
        let kept = if full { Bytes::new() } else { json.clone() };
        let kind = element.kind.clone();
        subscriber.delivery.sent.push(Sent {
            kind,
            json: kept,
            delivered: 0,
            dropped: !room,
        });
        if !room {
            subscriber.dropped_records += 1;
            subscriber.dropped_bytes += json.len() as u64;
            return;
        }
        subscriber.waiting_bytes += json.len();
        let sent = subscriber.delivery.sent.len() - 1;
        subscriber.waiting.push_back(Waiting {
            sent,
            json,
            at: clock::now(),
            cut_at: 0,
        });
    }

    /// Adds a subscription, replays what init has generated so far, and gives its number; `None`: it is subscribed already.
    pub(crate) fn subscribe(
        &mut self,
        extension: &str,
        generation: u32,
        subscription: Subscription,
    ) -> Option<usize> {
        if self.find(extension, generation).is_some() {
            return None;
        }
        let index = self.subscribers.len();
        self.subscribers.push(Subscriber {
            delivery: Delivery {
                extension: extension.to_owned(),
                generation,
                subscription,
                sent: Vec::new(),
                n_posts: 0,
                n_failed_posts: 0,
            },
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            in_flight: false,
            dropped_records: 0,
            dropped_bytes: 0,
            retired: false,
        });
        let replayed = self.elements[self.replay_from..].to_vec();
        for element in &replayed {
            if element.is_for(index, &self.subscribers[index].delivery.subscription) {
                self.enqueue(index, element);
            }
        }
        Some(index)
    }

    /// The live subscription of an extension.
    pub(crate) fn find(&self, extension: &str, generation: u32) -> Option<&Subscription> {
        let of = |delivery: &Delivery| {
            delivery.extension == extension && delivery.generation == generation
        };
        let found = self.subscribers.iter().find(|s| of(&s.delivery));
        found.map(|subscriber| &subscriber.delivery.subscription)
    }

    /// Whether everything generated so far has reached its subscribers or was dropped.
    pub(crate) fn idle(&self) -> bool {
        self.subscribers
            .iter()
            .all(|s| s.waiting.is_empty() && !s.in_flight)
    }

    pub(crate) fn subscription(&self, index: usize) -> &Subscription {
        &self.subscribers[index].delivery.subscription
    }

    /// Whether the next batch of a subscriber may leave now.
    pub(crate) fn due(&self, index: usize) -> Result<(), Option<Instant>> {
        let subscriber = &self.subscribers[index];
        let limits = &subscriber.delivery.subscription;
        let Some(first) = subscriber.waiting.front() else {
            return Err(None);
        };
        let at = first.at + Duration::from_millis(limits.timeout_ms);
        let due = self.draining
            || subscriber.retired
            || first.cut_at > 0
            || subscriber.waiting.len() >= limits.items_max
            || subscriber.waiting_bytes >= limits.bytes_max
            || at <= clock::now();
        if due { Ok(()) } else { Err(Some(at)) }
    }

    /// The next batch of a subscriber, if it is time for one.
    pub(crate) fn take(&mut self, index: usize) -> Take {
        match self.due(index) {
            Err(None) if self.subscribers[index].retired => return Take::Finished,
            Err(at) => return Take::Wait(at),
            Ok(()) => {}
        }
        if self.subscribers[index].dropped_records > 0 {
            let reason = if self.managed {
                SLOW_MANAGED
            } else {
                SLOW_CLASSIC
            };
            self.report_dropped(index, reason);
        }
        let subscriber = &mut self.subscribers[index];
        // Nothing is known about cuts over TCP.
        let http = matches!(
            subscriber.delivery.subscription.destination,
            Destination::Http { .. }
        );
        let cut = self.cut_oversized && http;
        subscriber.in_flight = true;
        Take::Batch(subscriber.assemble(cut))
    }

    /// `platform.logsDropped` to the one that lost something, past the bound: it is one element a batch.
    fn report_dropped(&mut self, index: usize, reason: &str) {
        let subscriber = &mut self.subscribers[index];
        let record = Dropped {
            reason,
            dropped_records: std::mem::take(&mut subscriber.dropped_records),
            dropped_bytes: std::mem::take(&mut subscriber.dropped_bytes),
        };
        let element = Element {
            time: clock::timestamp(clock::wall()),
            kind: "platform.logsDropped".into(),
            record: Record::Json(json(&record)),
            audience: Audience::Subscriber(index),
        };
        if element.is_for(index, &subscriber.delivery.subscription) {
            let text =
                Bytes::from(element.render(subscriber.delivery.subscription.schema, self.form));
            let kind = element.kind.clone();
            let json = text.clone();
            subscriber.delivery.sent.push(Sent {
                kind,
                json,
                delivered: 0,
                dropped: false,
            });
            let sent = subscriber.delivery.sent.len() - 1;
            subscriber.waiting_bytes += text.len();
            subscriber.waiting.push_back(Waiting {
                sent,
                json: text,
                at: clock::now(),
                cut_at: 0,
            });
        }
        self.list(element);
    }

    /// A POST was answered with 2xx.
    pub(crate) fn delivered(&mut self, index: usize, batch: &Batch) {
        let subscriber = &mut self.subscribers[index];
        subscriber.in_flight = false;
        subscriber.delivery.n_posts += 1;
        for sent in &batch.sent {
            subscriber.delivery.sent[*sent].delivered += 1;
        }
    }

    /// A POST failed.
    pub(crate) fn failed(&mut self, index: usize) {
        self.subscribers[index].delivery.n_failed_posts += 1;
    }

    /// Managed Instances: a batch that could not be sent is gone.
    pub(crate) fn lost(&mut self, index: usize, batch: &Batch, why: &str) {
        let subscriber = &mut self.subscribers[index];
        subscriber.in_flight = false;
        for sent in &batch.sent {
            let sent = &mut subscriber.delivery.sent[*sent];
            sent.dropped = true;
            subscriber.dropped_records += 1;
            subscriber.dropped_bytes += sent.json.len() as u64;
        }
        self.report_dropped(index, &format!("could not send events: {why}"));
    }

    /// Managed Instances: a batch that is ready while another is unanswered is dropped as a whole.
    pub(crate) fn drop_waiting(&mut self, index: usize) {
        let subscriber = &mut self.subscribers[index];
        subscriber.waiting_bytes = 0;
        for waiting in subscriber.waiting.drain(..) {
            let sent = &mut subscriber.delivery.sent[waiting.sent];
            // The report of an earlier loss may be lost as well; it is not counted again.
            sent.dropped = true;
            if sent.kind != "platform.logsDropped" {
                subscriber.dropped_records += 1;
                subscriber.dropped_bytes += waiting.json.len() as u64;
            }
        }
    }
}

impl Subscriber {
    /// `[` elements `]`, up to the limits; an element over `maxBytes` is cut mid-value and goes on in the next body
    /// behind the same envelope, as the platform does.
    fn assemble(&mut self, cut: bool) -> Batch {
        let limits = &self.delivery.subscription;
        let mut body = Vec::with_capacity(self.waiting_bytes.min(2 * limits.bytes_max) + 2);
        let mut sent = Vec::new();
        let mut n_items = 0;
        body.push(b'[');
        while n_items < limits.items_max && body.len() < limits.bytes_max {
            let Some(front) = self.waiting.front_mut() else {
                break;
            };
            let (envelope, record) = parts(&front.json);
            let rest = &record[front.cut_at..];
            let room = limits
                .bytes_max
                .saturating_sub(body.len() + envelope.len() + 1);
            let oversized = cut && front.json.len() > limits.bytes_max && rest.len() > room;
            if oversized && room < PIECE_BYTES_MIN && n_items > 0 {
                break;
            }
            if n_items > 0 {
                body.push(b',');
            }
            body.extend_from_slice(envelope);
            n_items += 1;
            if oversized {
                let piece = room.max(PIECE_BYTES_MIN).min(rest.len());
                body.extend_from_slice(&rest[..piece]);
                body.push(b'}');
                front.cut_at += piece;
                break;
            }
            body.extend_from_slice(rest);
            body.push(b'}');
            sent.push(front.sent);
            self.waiting_bytes = self.waiting_bytes.saturating_sub(front.json.len());
            self.waiting.pop_front();
        }
        body.push(b']');
        Batch {
            body: Bytes::from(body),
            sent,
        }
    }
}

/// `{"time":…,"type":…,"record":` and the record's bytes without the brace that ends the element.
fn parts(json: &[u8]) -> (&[u8], &[u8]) {
    const KEY: &[u8] = b"\"record\":";
    let found = json.windows(KEY.len()).position(|window| window == KEY);
    let at = found.map_or(0, |at| at + KEY.len());
    (&json[..at], &json[at..json.len() - 1])
}

#[cfg(test)]
#[path = "relay_tests.rs"]
mod tests;
