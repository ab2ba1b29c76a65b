//! What the platform says of the environment's work, in numbers: what metrics and spans are made of.

use crate::invocation::Trace;
use crate::platform::Status;

/// What was observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Init is over.
    Init,
    /// A snapshot was resumed.
    Restore,
    /// The runtime is done with an invocation.
    Invocation,
    /// An invocation is over for every extension too.
    Report,
}

/// One observation, as received: no filter, sample or `when` bears on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// What it is of.
    pub what: What,
    /// The invocation; empty for init and restore.
    pub request_id: String,
    /// When it ended, in milliseconds since 1970.
    pub end_ms: i64,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<f64>,
    /// How it ended.
    pub status: Option<Status>,
    /// The invocation failed: by its status, by an error that it wrote, or by one that its runtime reported.
    pub failed: bool,
    /// It is the first of an on-demand environment.
    pub cold_start: bool,
    /// The kind of error, as the platform names it.
    pub error_type: String,
    /// Most memory that was used so far, in bytes.
    pub memory_used: Option<u64>,
    /// The trace that it belongs to.
    pub trace: Option<Trace>,
    /// 16 hex digits: the span that the platform gave it; empty where it gave none.
    pub span_id: String,
    /// What extensions took after the runtime was done: its start in milliseconds since 1970, and how long.
    pub overhead: Option<(i64, f64)>,
}

impl Observation {
    /// When it began, in milliseconds since 1970, as far as is known.
    pub fn start_ms(&self) -> i64 {
        self.end_ms - self.duration_ms.map_or(0, |ms| ms.clamp(0.0, 1e12) as i64)
    }

    /// About how many bytes it holds.
    pub fn weight(&self) -> usize {
        let trace = self.trace.as_ref().map_or(0, |trace| {
            trace.header.len() + trace.trace_id.len() + trace.span_id.len()
        });
        let texts = self.request_id.len() + self.error_type.len() + self.span_id.len();
        std::mem::size_of::<Observation>() + texts + trace
    }
}
