//! What observations become, in raw bytes and as somebody else's decoder reads it.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use std::sync::Arc;
use tapline_core::batch::Batch;
use tapline_core::body::Body as Bytes;
use tapline_core::facts::Facts;
use tapline_core::invocation::Trace;
use tapline_core::observation::{Observation, What};
use tapline_core::platform::Status;
use tapline_core::test_util::INSTANCE;

use super::*;
use crate::test_world::select;

const HEADER: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
const END_MS: i64 = 1_773_480_413_589;

fn observation(what: What) -> Observation {
    Observation {
        what,
        request_id: match what {
            What::Invocation | What::Report => "r-1".to_owned(),
            _ => String::new(),
        },
        end_ms: END_MS,
        duration_ms: Some(250.0),
        status: Some(Status::Success),
        failed: false,
        cold_start: false,
        error_type: String::new(),
        memory_used: None,
        trace: Some(Trace::parse(HEADER)),
        span_id: String::new(),
        overhead: None,
    }
}

fn selection(observations: Vec<Observation>) -> Selection {
    let budget = Budget::new(1 << 20);
    let (body, _) = Bytes::new(Vec::new(), budget.charge_over(0));
    let mut sequence = 0;
    select(Batch::of_observations(
        Arc::new(body),
        INSTANCE,
        END_MS,
        observations,
        || {
            sequence += 1;
            sequence
        },
    ))
}

fn facts() -> Facts {
    Facts {
        function_name: "orders".to_owned(),
        instance: "i".to_owned(),
        ..Facts::default()
    }
}

/// Spans as `opentelemetry-proto` reads them, from both forms, which must say the same.
fn spans(observations: Vec<Observation>) -> Vec<Span> {
    let records = selection(observations);
    let (mut bytes, mut text) = (Vec::new(), Vec::new());
    traces::write(&mut Proto(&mut bytes), &records, &facts());
    traces::write(&mut Json(&mut text), &records, &facts());
    let request = ExportTraceServiceRequest::decode(bytes.as_slice()).unwrap();
    let same: ExportTraceServiceRequest = serde_json::from_slice(&text).unwrap();
    assert_eq!(same, request, "{}", String::from_utf8_lossy(&text));
    let [resource] = request.resource_spans.try_into().unwrap();
    let [scope] = resource.scope_spans.try_into().unwrap();
    scope.spans
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn an_invocation_is_a_span_of_the_trace_that_it_was_called_in() {
    let mut failed = observation(What::Invocation);
    (failed.failed, failed.cold_start) = (true, true);
    let [good, bad] = spans(vec![observation(What::Invocation), failed])
        .try_into()
        .unwrap();
    assert_eq!(hex(&good.trace_id), "5759e988bd862e3fe1be46a994272793");
    assert_eq!(hex(&good.parent_span_id), "53995c3f42cd8ad8");
    assert_eq!((good.name.as_str(), good.kind), ("orders", 2));
    let ns = |ms: i64| ms as u64 * 1_000_000;
    assert_eq!(good.start_time_unix_nano, ns(END_MS - 250));
    assert_eq!(good.end_time_unix_nano, ns(END_MS));
    assert_eq!((good.status, good.attributes.len()), (None, 2));
    assert_eq!(bad.status.unwrap().code, 2);
    let error = bad.attributes.iter().find(|pair| pair.key == "error.type");
    assert!(format!("{error:?}").contains("\"error\""), "{error:?}");
    assert_eq!(bad.span_id, good.span_id, "the same on every attempt");
    assert_ne!(bad.span_id, [0; 8]);
}

#[test]
fn the_platforms_own_span_is_used_and_the_overhead_is_its_child() {
    let mut invocation = observation(What::Invocation);
    invocation.span_id = "6f1e2d3c4b5a6978".to_owned();
    let mut report = observation(What::Report);
    report.span_id.clone_from(&invocation.span_id);
    report.overhead = Some((END_MS, 59.25));
    let [invocation, overhead] = spans(vec![invocation, report]).try_into().unwrap();
    assert_eq!(hex(&invocation.span_id), "6f1e2d3c4b5a6978");
    assert_eq!(overhead.parent_span_id, invocation.span_id);
    assert_eq!(
        (overhead.name.as_str(), overhead.kind),
        ("extension overhead", 1)
    );
    let length = overhead.end_time_unix_nano - overhead.start_time_unix_nano;
    assert_eq!(length, 59_250_000);
    let made = spans(vec![observation(What::Invocation)]);
    let mut report = observation(What::Report);
    report.overhead = Some((END_MS, 1.0));
    assert_eq!(spans(vec![report])[0].parent_span_id, made[0].span_id);
}

#[test]
fn init_and_restore_are_spans_and_what_was_not_sampled_is_none() {
    let names: Vec<String> = spans(vec![observation(What::Init), observation(What::Restore)])
        .into_iter()
        .map(|span| span.name)
        .collect();
    assert_eq!(names, ["init", "restore"]);
    for header in [
        "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0",
        "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8",
        "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=?",
        "Root=nonsense;Sampled=1",
        "",
    ] {
        let mut unsampled = observation(What::Invocation);
        unsampled.trace = Some(Trace::parse(header));
        assert_eq!(spans(vec![unsampled]).len(), 0, "{header}");
    }
    let mut without = observation(What::Invocation);
    without.trace = None;
    assert_eq!(spans(vec![without, observation(What::Report)]).len(), 0);
    let mut alone = observation(What::Init);
    alone.trace = Some(Trace::parse(
        "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1;Lineage=a:1",
    ));
    assert!(spans(vec![alone])[0].parent_span_id.is_empty());
}

const TAKEN: Step =
    Say("HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n");
const LATER: Step = Say("HTTP/1.1 503 x\r\ncontent-length: 0\r\n\r\n");

fn metrics(server: &Server, temporality: &str) -> Box<dyn Sink> {
    let port = server.port;
    let text = format!(
        "endpoint = \"http://127.0.0.1:{port}\"\ncompression = \"none\"\nsignals = [\"metrics\"]\n\
         temporality = \"{temporality}\""
    );
    let (_, sink) = sink(&text, &[]).companions().remove(0);
    sink
}

/// `name start end value` of every metric of a request; of a histogram its count and sum.
fn show(request: &[u8]) -> Vec<String> {
    let end = request.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = request.split_at(end.unwrap() + 4);
    assert!(head.starts_with(b"POST /v1/metrics HTTP/1.1\r\n"));
    let request = ExportMetricsServiceRequest::decode(body).unwrap();
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    let ms = |ns: u64| ns as i64 / 1_000_000 - END_MS;
    let shown = metrics
        .iter()
        .map(|metric| match metric.data.as_ref().unwrap() {
            Data::Sum(sum) => {
                assert!(sum.is_monotonic);
                let point = &sum.data_points[0];
                let Some(Value::AsInt(value)) = point.value else {
                    panic!("{point:?}")
                };
                let (start, end) = (ms(point.start_time_unix_nano), ms(point.time_unix_nano));
                let how = sum.aggregation_temporality;
                format!(
                    "{} {start} {end} {value} {} {how}",
                    metric.name, metric.unit
                )
            }
            Data::Histogram(histogram) => {
                let point = &histogram.data_points[0];
                assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
                assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count);
                let (start, end) = (ms(point.start_time_unix_nano), ms(point.time_unix_nano));
                let sum = point.sum.unwrap();
                let how = histogram.aggregation_temporality;
                format!(
                    "{} {start} {end} {}x{sum} {} {how}",
                    metric.name, point.count, metric.unit
                )
            }
            other => panic!("{other:?}"),
        });
    shown.collect()
}

fn later(mut observation: Observation, ms: i64) -> Observation {
    observation.end_ms += ms;
    observation
}

async fn deliver(sink: &mut Box<dyn Sink>, observations: Vec<Observation>) -> Verdict {
    let (world, budget) = (TestWorld::new(), Budget::new(1 << 20));
    let records = selection(observations);
    let outcome = sink.deliver(&records, world.call(&budget)).await;
    outcome.verdict
}

#[tokio::test]
async fn deltas_follow_each_other_without_a_gap_and_a_failed_attempt_changes_nothing() {
    let server = Server::start(vec![vec![Take, TAKEN, Take, LATER, Take, TAKEN]]).await;
    let mut sink = metrics(&server, "delta");
    let mut report = observation(What::Report);
    report.memory_used = Some(84 << 20);
    let mut failed = observation(What::Invocation);
    (failed.failed, failed.cold_start) = (true, true);
    let mut init = observation(What::Init);
    init.duration_ms = Some(500.0);
    let first = vec![later(init, -250), failed, later(report, 60)];
    assert_eq!(deliver(&mut sink, first).await, Verdict::Accepted);
    let mut timeout = observation(What::Invocation);
    (timeout.status, timeout.failed) = (Some(Status::Timeout), true);
    let second = || {
        vec![
            later(observation(What::Invocation), 1_000),
            later(timeout.clone(), 2_000),
        ]
    };
    assert!(matches!(
        deliver(&mut sink, second()).await,
        Verdict::Retry { .. }
    ));
    assert_eq!(deliver(&mut sink, second()).await, Verdict::Accepted);
    let requests = server.requests();
    assert_eq!(
        show(&requests[0]),
        [
            "faas.invoke_duration -750 60 1x0.25 s 1",
            "faas.init_duration -750 60 1x0.5 s 1",
            "faas.mem_usage -750 60 1x88080384 By 1",
            "faas.coldstarts -750 60 1 {coldstart} 1",
            "faas.errors -750 60 1 {error} 1",
        ]
    );
    let wanted = [
        "faas.invoke_duration 60 2000 2x0.5 s 1",
        "faas.invocations 60 2000 1 {invocation} 1",
        "faas.timeouts 60 2000 1 {timeout} 1",
    ];
    assert_eq!(show(&requests[1]), wanted);
    assert_eq!(show(&requests[2]), wanted);
}

#[tokio::test]
async fn cumulative_metrics_count_from_the_start_and_only_what_was_taken() {
    let server = Server::start(vec![vec![Take, TAKEN, Take, LATER, Take, TAKEN]]).await;
    let mut sink = metrics(&server, "cumulative");
    let one = |ms| vec![later(observation(What::Invocation), ms)];
    assert_eq!(deliver(&mut sink, one(0)).await, Verdict::Accepted);
    assert!(matches!(
        deliver(&mut sink, one(10)).await,
        Verdict::Retry { .. }
    ));
    assert_eq!(deliver(&mut sink, one(10)).await, Verdict::Accepted);
    let requests = server.requests();
    let shown: Vec<String> = requests
        .iter()
        .map(|request| show(request)[1].clone())
        .collect();
    let wanted = |end, count| format!("faas.invocations -250 {end} {count} {{invocation}} 2");
    assert_eq!(shown, [wanted(0, 1), wanted(10, 2), wanted(10, 2)]);
}

#[tokio::test]
async fn nothing_is_sent_for_nothing() {
    let server = Server::start(vec![]).await;
    let mut sink = metrics(&server, "delta");
    assert_eq!(
        deliver(&mut sink, vec![observation(What::Report)]).await,
        Verdict::Accepted
    );
    assert!(server.requests().is_empty());
}

/// A time that goes back, as clocks do, gives no interval that ends before it begins.
#[tokio::test]
async fn no_interval_is_empty_or_goes_back() {
    let server = Server::start(vec![vec![Take, TAKEN, Take, TAKEN]]).await;
    let mut sink = metrics(&server, "delta");
    deliver(&mut sink, vec![observation(What::Invocation)]).await;
    deliver(
        &mut sink,
        vec![later(observation(What::Invocation), -5_000)],
    )
    .await;
    let requests = server.requests();
    assert_eq!(
        show(&requests[1])[1],
        "faas.invocations 0 1 1 {invocation} 1"
    );
}
