//! Observations as `ExportMetricsServiceRequest`.
//!
//! | Metric | Form, unit | From |
//! |---|---|---|
//! | `faas.invoke_duration` | histogram, s | the duration of each invocation |
//! | `faas.init_duration` | histogram, s | the duration of each init and restore |
//! | `faas.mem_usage` | histogram, By | the most memory used, as each report says |
//! | `faas.coldstarts` | sum, `{coldstart}` | first invocations of on-demand environments |
//! | `faas.invocations` | sum, `{invocation}` | invocations that went well |
//! | `faas.errors` | sum, `{error}` | invocations that failed, also where the handler threw |
//! | `faas.timeouts` | sum, `{timeout}` | invocations that ran into their timeout |
//!
//! A request is made from the observations of one call and what earlier calls left, which changes only once a request
//! was taken: so every attempt sends the same.
//!
//! Source: <https://opentelemetry.io/docs/specs/semconv/faas/faas-metrics/>, read 2026-11-25.

use tapline_core::facts::Facts;
use tapline_core::observation::{Observation, What};
use tapline_core::platform::Status;
use tapline_core::sink::{Call, CallLimits, Outcome, Selection, Sink, Verdict};
use tapline_core::world::Boxed;

use super::exporter::{Exporter, Form};
use super::resource;
use super::wire::{Json, Key, Proto, Text, Wire};

const RESOURCE_METRICS: Key = Key::roomy(1, "resourceMetrics", 2);
const SCOPE_METRICS: Key = Key::roomy(2, "scopeMetrics", 2);
const METRICS: Key = Key::roomy(2, "metrics", 2);

const NAME: Key = Key::new(1, "name");
const UNIT: Key = Key::new(3, "unit");
const SUM: Key = Key::new(7, "sum");
const HISTOGRAM: Key = Key::roomy(9, "histogram", 2);

const POINTS: Key = Key::roomy(1, "dataPoints", 2);
const TEMPORALITY: Key = Key::new(2, "aggregationTemporality");
const MONOTONIC: Key = Key::new(3, "isMonotonic");

const START: Key = Key::new(2, "startTimeUnixNano");
const TIME: Key = Key::new(3, "timeUnixNano");
const COUNT: Key = Key::new(4, "count");
const HISTOGRAM_SUM: Key = Key::new(5, "sum");
const AS_INTEGER: Key = Key::new(6, "asInt");
const BUCKETS: Key = Key::new(6, "bucketCounts");
const BOUNDS: Key = Key::new(7, "explicitBounds");
const MIN: Key = Key::new(11, "min");
const MAX: Key = Key::new(12, "max");

/// The buckets that the conventions ask for, in seconds.
const SECONDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

const MIB: f64 = 1_048_576.0;

/// Buckets for memory, in bytes: twice as much each, up to what a function can have.
const BYTES: &[f64] = &[
    32.0 * MIB,
    64.0 * MIB,
    128.0 * MIB,
    256.0 * MIB,
    512.0 * MIB,
    1_024.0 * MIB,
    2_048.0 * MIB,
    4_096.0 * MIB,
    8_192.0 * MIB,
];

const BUCKETS_MAX: usize = SECONDS.len() + 1;
const _: () = assert!(BYTES.len() < BUCKETS_MAX);

/// What numbers count from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Temporality {
    /// From the request before.
    Delta,
    /// From the start of the environment.
    Cumulative,
}

/// A distribution.
#[derive(Debug, Clone)]
struct Histogram {
    bounds: &'static [f64],
    buckets: [u64; BUCKETS_MAX],
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
}

impl Histogram {
    fn new(bounds: &'static [f64]) -> Histogram {
        Histogram {
            bounds,
            buckets: [0; BUCKETS_MAX],
            count: 0,
            sum: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }

    fn add(&mut self, value: f64) {
        // A bound belongs to the bucket below it.
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.buckets[bucket] += 1;
        self.count += 1;
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }
}

/// All metrics, over some time.
#[derive(Debug, Clone)]
struct Totals {
    invoke: Histogram,
    init: Histogram,
    memory: Histogram,
    coldstarts: u64,
    invocations: u64,
    errors: u64,
    timeouts: u64,
}

impl Default for Totals {
    fn default() -> Totals {
        Totals {
            invoke: Histogram::new(SECONDS),
            init: Histogram::new(SECONDS),
            memory: Histogram::new(BYTES),
            coldstarts: 0,
            invocations: 0,
            errors: 0,
            timeouts: 0,
        }
    }
}

impl Totals {
    fn add(&mut self, observation: &Observation) {
        let seconds = observation.duration_ms.map(|ms| ms.max(0.0) / 1_000.0);
        match observation.what {
            What::Init | What::Restore => seconds.into_iter().for_each(|s| self.init.add(s)),
            What::Report => {
                let memory = observation.memory_used;
                memory
                    .into_iter()
                    .for_each(|bytes| self.memory.add(bytes as f64));
            }
            What::Invocation => {
                seconds.into_iter().for_each(|s| self.invoke.add(s));
                self.coldstarts += u64::from(observation.cold_start);
                let counter = match observation.status {
                    Some(Status::Timeout) => &mut self.timeouts,
                    _ if observation.failed => &mut self.errors,
                    _ => &mut self.invocations,
                };
                *counter += 1;
            }
        }
    }

    fn sums(&self) -> [(&'static str, &'static str, u64); 4] {
        [
            ("faas.coldstarts", "{coldstart}", self.coldstarts),
            ("faas.invocations", "{invocation}", self.invocations),
            ("faas.errors", "{error}", self.errors),
            ("faas.timeouts", "{timeout}", self.timeouts),
        ]
    }

    fn histograms(&self) -> [(&'static str, &'static str, &Histogram); 3] {
        [
            ("faas.invoke_duration", "s", &self.invoke),
            ("faas.init_duration", "s", &self.init),
            ("faas.mem_usage", "By", &self.memory),
        ]
    }

    fn is_empty(&self) -> bool {
        self.sums().iter().all(|(.., value)| *value == 0)
            && self
                .histograms()
                .iter()
                .all(|(.., histogram)| histogram.count == 0)
    }
}

/// Sends metrics. Holds the totals, and when they begin.
pub(super) struct Metrics {
    exporter: Exporter,
    temporality: Temporality,
    since_ms: Option<i64>,
    totals: Totals,
}

impl Metrics {
    /// Metrics that begin with the first observation.
    pub fn new(exporter: Exporter, temporality: Temporality) -> Metrics {
        Metrics {
            exporter,
            temporality,
            since_ms: None,
            totals: Totals::default(),
        }
    }

    async fn send(&mut self, records: &Selection, call: &Call<'_>) -> Outcome {
        let mut totals = self.totals.clone();
        records
            .observations()
            .for_each(|observation| totals.add(observation));
        if totals.is_empty() {
            return Verdict::Accepted.into();
        }
        let first = records.observations().map(Observation::start_ms).min();
        let last = records
            .observations()
            .map(|observation| observation.end_ms)
            .max();
        let since_ms = self.since_ms.or(first).unwrap_or_default();
        // Times of observations may stand still or go back; an interval may not.
        let until_ms = last.unwrap_or_default().max(since_ms + 1);
        let request = Request {
            totals: &totals,
            temporality: self.temporality,
            since_ms,
            until_ms,
        };
        let facts = call.facts;
        let outcome = self
            .exporter
            .send(call, REQUEST_BYTES, records.len(), |out, form| match form {
                Form::Json => request.write(&mut Json(out), facts),
                Form::Protobuf | Form::Grpc => request.write(&mut Proto(out), facts),
            })
            .await;
        if outcome.verdict == Verdict::Accepted {
            match self.temporality {
                Temporality::Delta => self.since_ms = Some(until_ms),
                Temporality::Cumulative => {
                    self.since_ms = Some(since_ms);
                    self.totals = totals;
                }
            }
        }
        outcome
    }
}

/// About how long a request is, in bytes.
const REQUEST_BYTES: usize = 4 << 10;

impl Sink for Metrics {
    fn limits(&self) -> CallLimits {
        CallLimits {
            records_max: 10_000,
            bytes_max: 1 << 20,
        }
    }

    fn deliver<'a>(&'a mut self, records: &'a Selection, call: Call<'a>) -> Boxed<'a, Outcome> {
        Box::pin(async move { self.send(records, &call).await })
    }
}

/// What one request says.
struct Request<'a> {
    totals: &'a Totals,
    temporality: Temporality,
    since_ms: i64,
    until_ms: i64,
}

impl Request<'_> {
    fn write<W: Wire>(&self, wire: &mut W, facts: &Facts) {
        wire.root(|wire| {
            resource::around(wire, RESOURCE_METRICS, SCOPE_METRICS, facts, |wire| {
                wire.list(METRICS, |wire| {
                    for (name, unit, histogram) in self.totals.histograms() {
                        if histogram.count > 0 {
                            self.metric(wire, name, unit, |wire| self.histogram(wire, histogram));
                        }
                    }
                    for (name, unit, value) in self.totals.sums() {
                        if value > 0 {
                            self.metric(wire, name, unit, |wire| self.sum(wire, value));
                        }
                    }
                });
            });
        });
    }

    fn metric<W: Wire>(&self, wire: &mut W, name: &str, unit: &str, data: impl FnOnce(&mut W)) {
        wire.item(METRICS, |wire| {
            wire.text(NAME, Text::Plain(name.as_bytes()));
            wire.text(UNIT, Text::Plain(unit.as_bytes()));
            data(wire);
        });
    }

    fn times<W: Wire>(&self, wire: &mut W) {
        wire.fixed(START, ns(self.since_ms));
        wire.fixed(TIME, ns(self.until_ms));
    }

    fn temporality(&self) -> u32 {
        match self.temporality {
            Temporality::Delta => 1,
            Temporality::Cumulative => 2,
        }
    }

    fn sum<W: Wire>(&self, wire: &mut W, value: u64) {
        wire.message(SUM, |wire| {
            wire.list(POINTS, |wire| {
                wire.item(POINTS, |wire| {
                    self.times(wire);
                    wire.fixed(AS_INTEGER, value);
                });
            });
            wire.number(TEMPORALITY, self.temporality());
            wire.boolean(MONOTONIC, true);
        });
    }

    fn histogram<W: Wire>(&self, wire: &mut W, histogram: &Histogram) {
        wire.message(HISTOGRAM, |wire| {
            wire.list(POINTS, |wire| {
                wire.item(POINTS, |wire| {
                    self.times(wire);
                    wire.fixed(COUNT, histogram.count);
                    wire.double(HISTOGRAM_SUM, histogram.sum);
                    wire.fixed_list(BUCKETS, &histogram.buckets[..=histogram.bounds.len()]);
                    wire.double_list(BOUNDS, histogram.bounds);
                    wire.double(MIN, histogram.min);
                    wire.double(MAX, histogram.max);
                });
            });
            wire.number(TEMPORALITY, self.temporality());
        });
    }
}

/// Milliseconds as OTLP's nanoseconds; nothing before 1970.
pub(super) fn ns(ms: i64) -> u64 {
    (ms.max(0) as u64).saturating_mul(1_000_000)
}
