//! The counts, and the law that ties them: no record is lost in silence.
//!
//! For each sink: received + generated + inherited = delivered + filtered + sampled + merged + rejected + dropped +
//! in flight. Each side is counted where it happens; neither is computed from the other.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use crate::batch::Fate;
use crate::port::Port;

/// Why a record was dropped. The words stand in the ledger and in loss reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// The sink's queue was full.
    QueueFull,
    /// The memory budget was full.
    Memory,
    /// All attempts of a batch were used up.
    Attempts,
    /// What may be sent within an hour was used up, up to the end.
    Ceiling,
    /// The destination did not let us, up to the end.
    Denied,
    /// The time of SHUTDOWN was over.
    Shutdown,
    /// The sink is disabled by an error in its configuration.
    Disabled,
    /// A transform or a sink broke.
    Broken,
}

impl DropReason {
    /// The word in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            DropReason::QueueFull => "queue_full",
            DropReason::Memory => "memory",
            DropReason::Attempts => "attempts",
            DropReason::Ceiling => "ceiling",
            DropReason::Denied => "denied",
            DropReason::Shutdown => "shutdown",
            DropReason::Disabled => "disabled",
            DropReason::Broken => "broken",
        }
    }
}

/// The counts of one sink. Kept by the one thread that runs everything.
#[derive(Debug, Default)]
pub struct SinkCounts {
    /// Taken by the destination.
    pub delivered: Cell<u64>,
    /// Left out by a filter, or by the sink's `when`.
    pub filtered: Cell<u64>,
    /// Left out by sampling.
    pub sampled: Cell<u64>,
    /// Became part of another record.
    pub merged: Cell<u64>,
    /// Refused by the destination for good.
    pub rejected: Cell<u64>,
    /// Made by Tapline for this sink.
    pub generated: Cell<u64>,
    /// Dead letters of other sinks, taken over.
    pub inherited: Cell<u64>,
    /// Queued, or being sent.
    pub in_flight: Cell<u64>,
    /// Requests that were sent.
    pub attempts: Cell<u64>,
    dropped: RefCell<BTreeMap<DropReason, u64>>,
    rejected_why: RefCell<BTreeMap<String, u64>>,
    unreported: RefCell<BTreeMap<String, u64>>,
}

/// Distinct reasons of a destination that are told apart; further ones are counted as `other`.
const REASONS_MAX: usize = 16;

impl SinkCounts {
    /// Counts records that the tap did not let through.
    pub fn left_out(&self, fate: Fate, count: u64) {
        match fate {
            Fate::Live => {}
            Fate::Filtered => add(&self.filtered, count),
            Fate::Sampled => add(&self.sampled, count),
            Fate::Merged => add(&self.merged, count),
            Fate::Lost => self.dropped(DropReason::Broken, count),
        }
    }

    /// Counts records that are lost to this sink, for the ledger and for the next loss report.
    pub fn dropped(&self, reason: DropReason, count: u64) {
        if count == 0 {
            return;
        }
        *self.dropped.borrow_mut().entry(reason).or_default() += count;
        *self
            .unreported
            .borrow_mut()
            .entry(reason.as_str().to_owned())
            .or_default() += count;
    }

    /// Counts records that the destination refused for good.
    pub fn rejected(&self, reason: &str, count: u64) {
        if count == 0 {
            return;
        }
        add(&self.rejected, count);
        let mut why = self.rejected_why.borrow_mut();
        let key = if why.len() >= REASONS_MAX && !why.contains_key(reason) {
            "other"
        } else {
            reason
        };
        *why.entry(key.to_owned()).or_default() += count;
        let label = format!("rejected_{key}");
        *self.unreported.borrow_mut().entry(label).or_default() += count;
    }

    /// Whether nothing was refused for this reason yet, among those that are told apart.
    pub fn is_new_rejection(&self, reason: &str) -> bool {
        let why = self.rejected_why.borrow();
        why.len() < REASONS_MAX && !why.contains_key(reason)
    }

    /// Losses since the last report, to be reported now. Empty when there are none.
    pub fn take_unreported(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut *self.unreported.borrow_mut())
    }

    /// Puts back what was taken, in place of what was lost since.
    pub fn put_back_unreported(&self, losses: BTreeMap<String, u64>) {
        self.unreported.replace(losses);
    }

    /// Whether there are losses that no report has named yet.
    pub fn has_unreported(&self) -> bool {
        !self.unreported.borrow().is_empty()
    }

    /// All drops, by reason.
    pub fn drops(&self) -> BTreeMap<DropReason, u64> {
        self.dropped.borrow().clone()
    }

    /// All that were refused, by reason.
    pub fn rejections(&self) -> BTreeMap<String, u64> {
        self.rejected_why.borrow().clone()
    }

    /// The right side of the law.
    pub fn accounted(&self) -> u64 {
        let dropped: u64 = self.dropped.borrow().values().sum();
        self.delivered.get()
            + self.filtered.get()
            + self.sampled.get()
            + self.merged.get()
            + self.rejected.get()
            + self.in_flight.get()
            + dropped
    }
}

/// The counts of the whole extension.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Records taken in.
    pub received: Cell<u64>,
    /// POSTs that were redelivered.
    pub duplicates: Cell<u64>,
    /// POSTs that were read to their end and let go, for want of memory or for their size.
    pub bodies_dropped: Cell<u64>,
    /// Bytes of all bodies with the right token.
    pub bytes_in: Cell<u64>,
    /// Records that the platform said it dropped.
    pub lost_by_platform: Cell<u64>,
    /// Records that could not be read, and went on as they were.
    pub malformed: Cell<u64>,
    /// Places of invalid UTF-8 that became U+FFFD.
    pub invalid_utf8: Cell<u64>,
    /// POSTs taken on `/`, where the platform drops the path and with it the token.
    pub unauthenticated: Cell<u64>,
    /// POSTs refused for a wrong token.
    pub refused: Cell<u64>,
    /// Records joined from two POSTs.
    pub joined: Cell<u64>,
    /// Comparisons of unlike kinds in expressions.
    pub unlike: Cell<u64>,
    /// Records that a sample could not decide on, for want of its key, and kept.
    pub sample_key_missing: Cell<u64>,
    /// Invocations that were decided before their end, for want of room to hold their lines.
    pub tail_overflow: Cell<u64>,
    /// Invocations that were decided before their end, because they took too long.
    pub tail_max_wait: Cell<u64>,
    /// Keys that a limit forgot before their allowance was whole again, for want of room.
    pub limit_evicted: Cell<u64>,
    /// Texts that a `parse` could not read, and kept as they were.
    pub unparsed: Cell<u64>,
    /// Attributes that `enrich` left out of a record, for their size or for want of memory.
    pub attributes_left_out: Cell<u64>,
    /// Batches that a transform broke on.
    pub broken_stages: Cell<u64>,
    redactions: RefCell<BTreeMap<String, u64>>,
}

impl Ledger {
    /// Counts matches of a redaction rule.
    pub fn redacted(&self, rule: &str, count: u64) {
        let mut redactions = self.redactions.borrow_mut();
        match redactions.get_mut(rule) {
            Some(total) => *total += count,
            None => {
                redactions.insert(rule.to_owned(), count);
            }
        }
    }

    /// Matches by redaction rule.
    pub fn redactions(&self) -> BTreeMap<String, u64> {
        self.redactions.borrow().clone()
    }

    /// The conservation law for one sink.
    ///
    /// # Errors
    ///
    /// Both sides, where they differ.
    pub fn check(&self, name: &str, sink: &SinkCounts) -> Result<(), String> {
        self.balanced(name, self.received.get(), sink)
    }

    /// The same for what takes observations: all that it gets is made by Tapline.
    ///
    /// # Errors
    ///
    /// Both sides, where they differ.
    pub fn check_port(&self, port: &Port) -> Result<(), String> {
        let received = if port.observes {
            0
        } else {
            self.received.get()
        };
        self.balanced(&port.name, received, &port.counts)
    }

    fn balanced(&self, name: &str, received: u64, sink: &SinkCounts) -> Result<(), String> {
        let taken = received + sink.generated.get() + sink.inherited.get();
        let accounted = sink.accounted();
        if taken == accounted {
            return Ok(());
        }
        Err(format!(
            "sink `{name}`: {taken} records taken in, {accounted} accounted for: {sink:?}"
        ))
    }

    /// The line that is printed at shutdown: the ports in the order of the configuration, and apart from them those that
    /// take observations, which are no records.
    pub fn line_of<'p>(&self, mode: &str, ports: impl Iterator<Item = &'p Port>) -> String {
        let (observers, sinks): (Vec<_>, Vec<_>) = ports.partition(|port| port.observes);
        let named = |ports: Vec<&'p Port>| -> Vec<(&'p str, &'p SinkCounts)> {
            let named = ports.into_iter();
            named
                .map(|port| (port.name.as_str(), &port.counts))
                .collect()
        };
        let mut line = self.line(mode, &named(sinks));
        let observers = named(observers);
        if !observers.is_empty() {
            line.pop();
            line.push_str(",\"observations\":{");
            line.push_str(&objects(&observers));
            line.push_str("}}");
        }
        line
    }

    /// The line that is printed at shutdown. `sinks` in the order of the configuration.
    pub fn line(&self, mode: &str, sinks: &[(&str, &SinkCounts)]) -> String {
        let mut out = String::from("{\"tapline\":\"ledger\"");
        let mut member = |name: &str, value: u64| out.push_str(&format!(",\"{name}\":{value}"));
        member("received", self.received.get());
        member("duplicates", self.duplicates.get());
        member("bodies_dropped", self.bodies_dropped.get());
        member("bytes_in", self.bytes_in.get());
        member("lost_by_platform", self.lost_by_platform.get());
        let rare = [
            ("malformed", &self.malformed),
            ("joined", &self.joined),
            ("invalid_utf8", &self.invalid_utf8),
            ("unauthenticated", &self.unauthenticated),
            ("refused", &self.refused),
            ("unlike", &self.unlike),
            ("sample_key_missing", &self.sample_key_missing),
            ("tail_overflow", &self.tail_overflow),
            ("tail_max_wait", &self.tail_max_wait),
            ("limit_evicted", &self.limit_evicted),
            ("unparsed", &self.unparsed),
            ("attributes_left_out", &self.attributes_left_out),
            ("broken_stages", &self.broken_stages),
        ];
        for (name, value) in rare {
            if value.get() > 0 {
                member(name, value.get());
            }
        }
        if mode != "on" {
            out.push_str(&format!(",\"mode\":{}", quoted(mode)));
        }
        out.push_str(",\"sinks\":{");
        out.push_str(&objects(sinks));
        out.push_str("},\"redactions\":");
        out.push_str(&map(self
            .redactions
            .borrow()
            .iter()
            .map(|(rule, count)| (rule.as_str(), *count))));
        out.push('}');
        out
    }
}

fn objects(sinks: &[(&str, &SinkCounts)]) -> String {
    let objects = sinks
        .iter()
        .map(|(name, counts)| format!("{}:{}", quoted(name), sink_object(counts)));
    objects.collect::<Vec<_>>().join(",")
}

fn sink_object(counts: &SinkCounts) -> String {
    let mut out = String::new();
    let always = [
        ("delivered", &counts.delivered),
        ("filtered", &counts.filtered),
        ("sampled", &counts.sampled),
        ("rejected", &counts.rejected),
    ];
    for (name, value) in always {
        out.push_str(&format!(
            "{}\"{name}\":{}",
            if out.is_empty() { "{" } else { "," },
            value.get()
        ));
    }
    let dropped = counts.dropped.borrow();
    out.push_str(",\"dropped\":");
    out.push_str(&map(dropped
        .iter()
        .map(|(reason, count)| (reason.as_str(), *count))));
    out.push_str(&format!(",\"in_flight\":{}", counts.in_flight.get()));
    for (name, value) in [
        ("generated", &counts.generated),
        ("inherited", &counts.inherited),
        ("merged", &counts.merged),
    ] {
        if value.get() > 0 {
            out.push_str(&format!(",\"{name}\":{}", value.get()));
        }
    }
    let why = counts.rejected_why.borrow();
    if !why.is_empty() {
        out.push_str(",\"rejected_why\":");
        out.push_str(&map(why
            .iter()
            .map(|(reason, count)| (reason.as_str(), *count))));
    }
    out.push('}');
    out
}

fn map<'a>(entries: impl Iterator<Item = (&'a str, u64)>) -> String {
    let body: Vec<String> = entries
        .map(|(key, count)| format!("{}:{count}", quoted(key)))
        .collect();
    format!("{{{}}}", body.join(","))
}

fn quoted(text: &str) -> String {
    let mut out = Vec::new();
    crate::json::quote_into(text.as_bytes(), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// Adds to a count.
pub fn add(cell: &Cell<u64>, count: u64) {
    cell.set(cell.get().saturating_add(count));
}

/// Takes from a count.
pub fn subtract(cell: &Cell<u64>, count: u64) {
    debug_assert!(cell.get() >= count, "a count went below zero");
    cell.set(cell.get().saturating_sub(count));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_law_holds_or_is_said_to_be_broken() {
        let (ledger, sink) = (Ledger::default(), SinkCounts::default());
        ledger.received.set(3);
        sink.delivered.set(2);
        assert!(ledger.check("out", &sink).is_err());
        sink.dropped(DropReason::Memory, 1);
        assert_eq!(ledger.check("out", &sink), Ok(()));
    }

    #[test]
    fn the_line_is_json_in_the_order_of_the_contract() {
        let (ledger, sink) = (Ledger::default(), SinkCounts::default());
        ledger.received.set(2);
        ledger.redacted("CreditCardNumber", 1);
        sink.delivered.set(1);
        sink.rejected("400", 1);
        let line = ledger.line("on", &[("o\"ut", &sink)]);
        assert_eq!(
            line,
            "{\"tapline\":\"ledger\",\"received\":2,\"duplicates\":0,\"bodies_dropped\":0,\"bytes_in\":0,\
             \"lost_by_platform\":0,\"sinks\":{\"o\\\"ut\":{\"delivered\":1,\"filtered\":0,\"sampled\":0,\
             \"rejected\":1,\"dropped\":{},\"in_flight\":0,\"rejected_why\":{\"400\":1}}},\
             \"redactions\":{\"CreditCardNumber\":1}}"
        );
        assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok());
    }

    #[test]
    fn losses_are_reported_once() {
        let sink = SinkCounts::default();
        sink.dropped(DropReason::QueueFull, 2);
        assert_eq!(
            sink.take_unreported(),
            BTreeMap::from([("queue_full".to_owned(), 2)])
        );
        assert!(!sink.has_unreported());
    }
}
