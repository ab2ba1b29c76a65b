//! The invocations that are known: a bounded table that joins what records, events and expressions say of them.

use crate::level::Level;
use crate::limits::INVOCATIONS_MAX;
use crate::platform::{PlatformEvent, Status};

/// Refers to an invocation in the table; stays valid as a question after the invocation was forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slot(u32);

impl Slot {
    /// No invocation.
    pub const NONE: Slot = Slot(0);
}

/// The two ids of an X-Ray header, as OpenTelemetry writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// AWS's own form: the whole header.
    pub header: String,
    /// 32 hex digits; empty when the header has no usable root.
    pub trace_id: String,
    /// 16 hex digits; empty when the header has no parent.
    pub span_id: String,
    /// Whoever began the trace wants it recorded: `Sampled=1`.
    pub sampled: bool,
}

impl Trace {
    /// Reads `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`, parts in any order.
    ///
    /// Source: <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>,
    /// read 2026-11-23.
    pub fn parse(header: &str) -> Trace {
        let mut trace = Trace {
            header: header.chars().take(512).collect(),
            trace_id: String::new(),
            span_id: String::new(),
            sampled: false,
        };
        for part in header.split(';') {
            match part.trim().split_once('=') {
                Some(("Root", root)) => trace.trace_id = trace_id(root).unwrap_or_default(),
                Some(("Parent", parent)) if is_hex(parent, 16) => {
                    trace.span_id = parent.to_ascii_lowercase()
                }
                Some(("Sampled", decision)) => trace.sampled = decision == "1",
                _ => {}
            }
        }
        trace
    }
}

/// `1-5759e988-bd862e3fe1be46a994272793` as 32 hex digits.
pub fn trace_id(root: &str) -> Option<String> {
    let mut parts = root.split('-');
    let (version, seconds, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let usable = version == "1" && is_hex(seconds, 8) && is_hex(rest, 24) && parts.next().is_none();
    usable.then(|| format!("{seconds}{rest}").to_ascii_lowercase())
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What is known of one invocation.
#[derive(Debug, Clone)]
pub struct Invocation {
    slot: Slot,
    /// Its request id.
    pub request_id: String,
    /// The trace that it belongs to.
    pub trace: Option<Trace>,
    /// The platform's word at its end.
    pub status: Option<Status>,
    /// It wrote a record of level error or above, or its runtime reported an uncaught error.
    pub wrote_error: bool,
    /// It is the first of an on-demand environment.
    pub cold_start: bool,
    /// How long it took, in milliseconds, once that is known.
    pub duration_ms: Option<f64>,
    /// The runtime is done with it.
    pub done: bool,
}

impl Invocation {
    /// Status is not success, or an error was written or reported.
    pub fn failed(&self) -> bool {
        self.wrote_error || self.status.is_some_and(|status| status != Status::Success)
    }
}

/// The table. Holds at most [`INVOCATIONS_MAX`]; the oldest that is done goes first.
#[derive(Debug, Default)]
pub struct Invocations {
    known: std::collections::VecDeque<Invocation>,
    next_slot: u32,
    overlapping: bool,
    on_demand: bool,
    seen_first: bool,
    /// No init runs: it was reported, or an invocation began.
    init_over: bool,
    ended: u64,
}

impl Invocations {
    /// An empty table. `overlapping`: many invocations share the environment (Managed Instances), so none is
    /// "the" open one. `on_demand`: the first invocation is a cold start.
    pub fn new(overlapping: bool, on_demand: bool) -> Invocations {
        Invocations {
            overlapping,
            on_demand,
            ..Invocations::default()
        }
    }

    /// Takes in what the platform said.
    pub fn observe(&mut self, event: &PlatformEvent) {
        match event {
            PlatformEvent::InitStart { suppressed, .. } => {
                self.init_over = false;
                if *suppressed {
                    self.seen_first = true;
                    // A reset: whatever ran is over.
                    self.end_all();
                }
            }
            PlatformEvent::InitReport { .. } => self.init_over = true,
            PlatformEvent::Start { request_id, trace } => {
                let cold_start = self.on_demand && !self.seen_first;
                if !self.overlapping {
                    // One at a time: an earlier one whose end was never seen is over.
                    self.end_all();
                }
                self.seen_first = true;
                self.init_over = true;
                let invocation = self.open(request_id);
                invocation.done = false;
                invocation.cold_start = cold_start;
                invocation.trace = trace.as_deref().map(Trace::parse);
            }
            PlatformEvent::RuntimeDone {
                request_id,
                status,
                duration_ms,
                ..
            } => {
                let invocation = self.end(request_id);
                invocation.status = status.or(invocation.status);
                invocation.duration_ms = duration_ms.or(invocation.duration_ms);
            }
            PlatformEvent::Report {
                request_id,
                status,
                duration_ms,
            } => {
                let invocation = self.end(request_id);
                invocation.status = invocation.status.or(*status);
                invocation.duration_ms = invocation.duration_ms.or(*duration_ms);
            }
            _ => {}
        }
    }

    /// A record of the invocation was seen with this level.
    pub fn observe_level(&mut self, slot: Slot, level: Level) {
        if level >= Level::Error
            && let Some(invocation) = self.known.iter_mut().rev().find(|known| known.slot == slot)
        {
            invocation.wrote_error = true;
        }
    }

    /// Ends of invocations that were seen since the start: a change says that one ended.
    pub fn ended(&self) -> u64 {
        self.ended
    }

    fn end(&mut self, request_id: &str) -> &mut Invocation {
        if !self.open(request_id).done {
            self.ended += 1;
        }
        let invocation = self.open(request_id);
        invocation.done = true;
        invocation
    }

    fn end_all(&mut self) {
        for invocation in self.known.iter_mut().filter(|known| !known.done) {
            invocation.done = true;
            self.ended += 1;
        }
    }

    fn open(&mut self, request_id: &str) -> &mut Invocation {
        let index = match self
            .known
            .iter()
            .rposition(|known| known.request_id == request_id)
        {
            Some(index) => index,
            None => {
                self.forget_one_if_full();
                self.next_slot = self.next_slot.wrapping_add(1).max(1);
                self.known.push_back(Invocation {
                    slot: Slot(self.next_slot),
                    request_id: request_id.chars().take(128).collect(),
                    trace: None,
                    status: None,
                    wrote_error: false,
                    cold_start: false,
                    duration_ms: None,
                    done: false,
                });
                self.known.len() - 1
            }
        };
        &mut self.known[index]
    }

    fn forget_one_if_full(&mut self) {
        if self.known.len() == INVOCATIONS_MAX {
            let oldest_done = self.known.iter().position(|known| known.done).unwrap_or(0);
            self.known.remove(oldest_done);
        }
    }

    /// The invocation that records without a request id belong to: the one that started last and is not done;
    /// none where invocations overlap.
    pub fn current(&self) -> Slot {
        if self.overlapping {
            return Slot::NONE;
        }
        let open = self.known.iter().rev().find(|known| !known.done);
        open.map_or(Slot::NONE, |open| open.slot)
    }

    /// Whether many invocations share the environment.
    pub fn overlapping(&self) -> bool {
        self.overlapping
    }

    /// The invocation with this request id.
    pub fn by_request_id(&self, request_id: &[u8]) -> Slot {
        self.known
            .iter()
            .rev()
            .find(|known| known.request_id.as_bytes() == request_id)
            .map_or(Slot::NONE, |known| known.slot)
    }

    /// What is known behind a slot, while it is remembered.
    pub fn get(&self, slot: Slot) -> Option<&Invocation> {
        if slot == Slot::NONE {
            return None;
        }
        self.known.iter().rev().find(|known| known.slot == slot)
    }

    /// Whether what a slot stands for still runs, so that more may come of it: an invocation that is known and not
    /// done, or for [`Slot::NONE`] the init.
    pub fn running(&self, slot: Slot) -> bool {
        match self.get(slot) {
            Some(invocation) => !invocation.done,
            None => slot == Slot::NONE && !self.init_over,
        }
    }

    /// Invocations that are remembered.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(request_id: &str) -> PlatformEvent {
        PlatformEvent::Start {
            request_id: request_id.to_owned(),
            trace: None,
        }
    }

    fn done(request_id: &str, status: Status) -> PlatformEvent {
        PlatformEvent::RuntimeDone {
            request_id: request_id.to_owned(),
            status: Some(status),
            duration_ms: Some(12.0),
            time_ms: None,
        }
    }

    #[test]
    fn records_belong_to_the_open_invocation_until_it_is_done() {
        let mut table = Invocations::new(false, true);
        assert_eq!(table.current(), Slot::NONE);
        table.observe(&start("a"));
        let slot = table.current();
        assert!(table.get(slot).unwrap().cold_start);
        table.observe_level(slot, Level::Error);
        table.observe(&done("a", Status::Success));
        assert_eq!(table.current(), Slot::NONE);
        assert!(
            table.get(slot).unwrap().failed(),
            "a handler that throws ends with success"
        );
        table.observe(&start("b"));
        assert!(!table.get(table.current()).unwrap().cold_start);
    }

    /// After a reset, the end of an invocation of the life before is delivered late.
    #[test]
    fn a_late_end_of_an_unknown_invocation_hides_nothing() {
        let mut table = Invocations::new(false, true);
        table.observe(&start("a"));
        table.observe(&done("from before", Status::Timeout));
        assert_eq!(table.get(table.current()).unwrap().request_id, "a");
        table.observe(&start("b"));
        table.observe(&done("b", Status::Success));
        assert_eq!(table.current(), Slot::NONE, "`a` never ended, but is over");
    }

    #[test]
    fn an_end_is_counted_once_and_a_reset_ends_all() {
        let mut table = Invocations::new(false, true);
        table.observe(&start("a"));
        assert_eq!(table.ended(), 0);
        table.observe(&done("a", Status::Success));
        table.observe(&done("a", Status::Success));
        assert_eq!(table.ended(), 1);
        table.observe(&start("b"));
        table.observe(&PlatformEvent::InitStart {
            init_type: None,
            suppressed: true,
            log_stream: None,
        });
        assert_eq!((table.ended(), table.current()), (2, Slot::NONE));
        table.observe(&start("c"));
        table.observe(&start("d"));
        assert_eq!(table.ended(), 3, "`c` is over, too");
    }

    #[test]
    fn what_runs_outside_of_invocations_is_an_init() {
        let mut table = Invocations::new(false, true);
        let init = |suppressed| PlatformEvent::InitStart {
            init_type: None,
            suppressed,
            log_stream: None,
        };
        let report = PlatformEvent::InitReport {
            status: None,
            duration_ms: None,
        };
        assert!(
            table.running(Slot::NONE),
            "before the platform's first word"
        );
        table.observe(&init(false));
        assert!(table.running(Slot::NONE));
        table.observe(&report);
        assert!(!table.running(Slot::NONE));
        table.observe(&start("a"));
        let slot = table.current();
        assert!(table.running(slot) && !table.running(Slot::NONE));
        table.observe(&done("a", Status::Success));
        assert!(!table.running(slot) && !table.running(Slot::NONE));
        table.observe(&init(true));
        assert!(table.running(Slot::NONE), "the init after a reset");
    }

    #[test]
    fn overlapping_invocations_have_no_current_one() {
        let mut table = Invocations::new(true, false);
        table.observe(&start("a"));
        table.observe(&start("b"));
        assert_eq!(table.current(), Slot::NONE);
        assert_eq!(
            table.get(table.by_request_id(b"a")).unwrap().request_id,
            "a"
        );
    }

    #[test]
    fn the_table_stays_bounded_and_forgets_what_is_done_first() {
        let mut table = Invocations::new(true, false);
        table.observe(&start("open"));
        for number in 0..2 * INVOCATIONS_MAX {
            table.observe(&start(&number.to_string()));
            table.observe(&done(&number.to_string(), Status::Success));
        }
        assert_eq!(table.len(), INVOCATIONS_MAX);
        assert_ne!(table.by_request_id(b"open"), Slot::NONE);
    }

    #[test]
    fn an_xray_header_gives_both_ids_or_none() {
        let trace = Trace::parse(
            "Root=1-5759e988-bd862e3fe1be46a994272793; Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a:0",
        );
        assert_eq!(trace.trace_id, "5759e988bd862e3fe1be46a994272793");
        assert_eq!(trace.span_id, "53995c3f42cd8ad8");
        assert_eq!(Trace::parse("Root=2-x;Parent=zz").trace_id, "");
        assert_eq!(
            Trace::parse("Root=1-5759e988-bd862e3fe1be46a994272793").span_id,
            ""
        );
    }
}
