//! Platform events as the lines that Lambda itself writes to CloudWatch Logs where a function's log format is text.
//!
//! ```text
//! START RequestId: 5e2f9b64-… Version: $LATEST
//! END RequestId: 5e2f9b64-…
//! REPORT RequestId: 5e2f9b64-…⇥Duration: 12.34 ms⇥Billed Duration: 13 ms⇥Memory Size: 128 MB⇥Max Memory Used: 75 MB⇥
//! ```
//!
//! An event without a line in that format has none here. What the platform does not tell cannot be written either:
//! the last words of a runtime that crashed, and the entry point of an image that does not start.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/nodejs-logging.html>,
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html> and
//! <https://docs.aws.amazon.com/lambda/latest/dg/snapstart-monitoring.html>, read 2026-11-24.

use std::borrow::Cow;
use std::io::Write as _;

use tapline_core::json;

/// Appends the line of an event, its type `kind` and its record as raw JSON. `false`, with nothing appended, where
/// there is none.
pub fn line(kind: &[u8], record: &[u8], out: &mut Vec<u8>) -> bool {
    let fields = Fields(record);
    let written = match kind {
        b"platform.initStart" => runtime("INIT_START", &fields, out),
        b"platform.initReport" => init_report(&fields, out),
        b"platform.restoreStart" => runtime("RESTORE_START", &fields, out),
        b"platform.restoreReport" => restore_report(&fields, out),
        b"platform.start" => start(&fields, out),
        b"platform.runtimeDone" | b"platform.end" => end(&fields, out),
        b"platform.report" => report(&fields, out),
        b"platform.extension" => named("EXTENSION", "Events", &fields, out),
        b"platform.telemetrySubscription" => named("TELEMETRY", "Types", &fields, out),
        b"platform.logsSubscription" => named("LOGS", "Types", &fields, out),
        _ => None,
    };
    written.is_some()
}

/// Appends the line about an invocation whose time was over: `2026-… <request id> Task timed out after 3.00 seconds`.
/// `false` where the event says no such thing.
pub fn timed_out(kind: &[u8], time: &[u8], record: &[u8], out: &mut Vec<u8>) -> bool {
    let fields = Fields(record);
    let over = fields
        .text("status")
        .is_some_and(|status| status.eq_ignore_ascii_case("timeout"));
    let Some(id) = fields
        .text("requestId")
        .filter(|_| kind == b"platform.runtimeDone" && over)
    else {
        return false;
    };
    out.extend_from_slice(time);
    push(out, format_args!(" {id} Task timed out"));
    if let Some(duration) = fields.metric("durationMs") {
        push(
            out,
            format_args!(" after {:.2} seconds", duration / 1_000.0),
        );
    }
    true
}

fn start(fields: &Fields<'_>, out: &mut Vec<u8>) -> Option<()> {
    let id = fields.text("requestId")?;
    push(out, format_args!("START RequestId: {id}"));
    if let Some(version) = fields.text("version") {
        push(out, format_args!(" Version: {version}"));
    }
    Some(())
}

fn end(fields: &Fields<'_>, out: &mut Vec<u8>) -> Option<()> {
    let id = fields.text("requestId")?;
    push(out, format_args!("END RequestId: {id}"));
    Some(())
}

/// A part of a report whose number is missing is left out; each part is followed by a tab.
fn report(fields: &Fields<'_>, out: &mut Vec<u8>) -> Option<()> {
    let id = fields.text("requestId")?;
    push(out, format_args!("REPORT RequestId: {id}\t"));
    let mut part = |name: &str, metric: &str, unit: &str, decimals: usize| {
        if let Some(value) = fields.metric(metric) {
            push(out, format_args!("{name}: {value:.decimals$} {unit}\t"));
        }
    };
    part("Duration", "durationMs", "ms", 2);
    part("Billed Duration", "billedDurationMs", "ms", 0);
    part("Memory Size", "memorySizeMB", "MB", 0);
    part("Max Memory Used", "maxMemoryUsedMB", "MB", 0);
    part("Init Duration", "initDurationMs", "ms", 2);
    part("Restore Duration", "restoreDurationMs", "ms", 2);
    part(
        "Billed Restore Duration",
        "billedRestoreDurationMs",
        "ms",
        0,
    );
    failure(fields, "", "\t", out);
    trace(fields, out);
    Some(())
}

/// The second line of a report, where the invocation was traced.
fn trace(fields: &Fields<'_>, out: &mut Vec<u8>) -> Option<()> {
    let tracing = Fields(fields.raw("tracing")?);
    let header = tracing.text("value")?;
    let part = |name: &str| {
        let mut parts = header
            .split(';')
            .filter_map(|part| part.trim().split_once('='));
        parts.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let root = part("Root")?;
    let segment = tracing.text("spanId");
    let segment = segment.as_deref().or_else(|| part("Parent"));
    push(out, format_args!("\nXRAY TraceId: {root}\t"));
    if let Some(segment) = segment {
        push(out, format_args!("SegmentId: {segment}\t"));
    }
    if let Some(sampled) = part("Sampled") {
        push(out, format_args!("Sampled: {}\t", sampled == "1"));
    }
    Some(())
}

fn runtime(word: &str, fields: &Fields<'_>, out: &mut Vec<u8>) -> Option<()> {
    let version = fields
        .text("runtimeVersion")
        .filter(|version| !version.is_empty())?;
    push(out, format_args!("{word} Runtime Version: {version}"));
    if let Some(arn) = fields.text("runtimeVersionArn") {
        push(out, format_args!("\tRuntime Version ARN: {arn}"));
    }
    Some(())
}

/// Lambda writes it for an init that failed, and for one that no invocation waited for.
fn init_report(fields: &Fields<'_>, out: &mut Vec<u8>) -> Option<()> {
    let on_demand = fields
        .text("initializationType")
        .is_none_or(|kind| kind == "on-demand");
    if on_demand && !fields.failed() {
        return None;
    }
    let duration = fields.metric("durationMs")?;
    push(
        out,
        format_args!("INIT_REPORT Init Duration: {duration:.2} ms"),
    );
    if let Some(phase) = fields.text("phase") {
        push(out, format_args!("\tPhase: {phase}"));
    }
    failure(fields, "\t", "", out);
    Some(())
}

fn restore_report(fields: &Fields<'_>, out: &mut Vec<u8>) -> Option<()> {
    let duration = fields.metric("durationMs")?;
    push(
        out,
        format_args!("RESTORE_REPORT Restore Duration: {duration:.2} ms"),
    );
    failure(fields, "\t", "", out);
    Some(())
}

fn failure(fields: &Fields<'_>, before: &str, after: &str, out: &mut Vec<u8>) {
    if !fields.failed() {
        return;
    }
    for (name, key) in [("Status", "status"), ("Error Type", "errorType")] {
        if let Some(word) = fields.text(key) {
            push(out, format_args!("{before}{name}: {word}{after}"));
        }
    }
}

/// `EXTENSION⇥Name: my-ext⇥State: Ready⇥Events: [INVOKE, SHUTDOWN]`
fn named(word: &str, list: &str, fields: &Fields<'_>, out: &mut Vec<u8>) -> Option<()> {
    let (name, state) = (fields.text("name")?, fields.text("state")?);
    let items = fields.raw(&list.to_ascii_lowercase()).unwrap_or(b"[]");
    push(
        out,
        format_args!("{word}\tName: {name}\tState: {state}\t{list}: ["),
    );
    for (position, item) in json::elements(items, 0..items.len()).enumerate() {
        let Some(item) = text(&items[item]) else {
            continue;
        };
        let comma = if position > 0 { ", " } else { "" };
        let mut letters = item.chars();
        // The subscription says `platform`, the line `Platform`; events are in capitals already.
        match letters.next() {
            Some(first) if word == "TELEMETRY" => {
                push(
                    out,
                    format_args!("{comma}{}{}", first.to_ascii_uppercase(), letters.as_str()),
                );
            }
            _ => push(out, format_args!("{comma}{item}")),
        }
    }
    out.push(b']');
    if let Some(error) = fields.text("errorType") {
        push(out, format_args!("\tError Type: {error}"));
    }
    Some(())
}

/// The record of an event.
struct Fields<'r>(&'r [u8]);

impl<'r> Fields<'r> {
    fn raw(&self, name: &str) -> Option<&'r [u8]> {
        let mut members = json::members(self.0, 0..self.0.len());
        members
            .find(|(key, _)| json::key_is(&self.0[key.clone()], name))
            .map(|(_, value)| &self.0[value])
    }

    fn text(&self, name: &str) -> Option<Cow<'r, str>> {
        text(self.raw(name)?)
    }

    fn metric(&self, name: &str) -> Option<f64> {
        let raw = Fields(self.raw("metrics")?).raw(name)?;
        let digits = json::string_inside(raw).unwrap_or(raw);
        let number: f64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
        number.is_finite().then_some(number)
    }

    fn failed(&self) -> bool {
        self.text("status")
            .is_some_and(|status| !status.eq_ignore_ascii_case("success"))
    }
}

fn text(raw: &[u8]) -> Option<Cow<'_, str>> {
    Some(match json::unescape(json::string_inside(raw)?) {
        Cow::Borrowed(text) => String::from_utf8_lossy(text),
        Cow::Owned(text) => Cow::Owned(String::from_utf8_lossy(&text).into_owned()),
    })
}

fn push(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to a vector cannot fail.
    out.write_fmt(text).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5e2f9b64-8d3c-4c1a-9f77-0b6a41d2c3e8";

    fn written(kind: &str, record: &str) -> Option<String> {
        let mut out = Vec::new();
        line(
            kind.as_bytes(),
            record.replace("ID", ID).as_bytes(),
            &mut out,
        )
        .then(|| String::from_utf8(out).unwrap())
    }

    /// Each line stands here as CloudWatch shows it, tabs included.
    #[test]
    fn lines_read_as_lambda_writes_them() {
        let rows = [
            (
                "platform.initStart",
                r#"{"initializationType":"on-demand","phase":"init","runtimeVersion":"nodejs:22.v11","runtimeVersionArn":"arn:aws:lambda:eu-west-1::runtime:0f7c"}"#,
                "INIT_START Runtime Version: nodejs:22.v11\tRuntime Version ARN: arn:aws:lambda:eu-west-1::runtime:0f7c",
            ),
            (
                "platform.start",
                r#"{"requestId":"ID","version":"$LATEST","tracing":{"value":"Root=1-a;Sampled=1"}}"#,
                "START RequestId: ID Version: $LATEST",
            ),
            (
                "platform.runtimeDone",
                r#"{"requestId":"ID","status":"success"}"#,
                "END RequestId: ID",
            ),
            ("platform.end", r#"{"requestId":"ID"}"#, "END RequestId: ID"),
            (
                "platform.report",
                r#"{"requestId":"ID","status":"success","metrics":{"durationMs":12.337,"billedDurationMs":13,"memorySizeMB":128,"maxMemoryUsedMB":75}}"#,
                "REPORT RequestId: ID\tDuration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 75 MB\t",
            ),
            (
                "platform.report",
                r#"{"requestId":"ID","metrics":{"durationMs":140,"billedDurationMs":321,"memorySizeMB":128,"maxMemoryUsedMB":75,"initDurationMs":180.0123},"tracing":{"spanId":"07f5dcfc2d1f6f85","type":"X-Amzn-Trace-Id","value":"Root=1-5e34a614-10bd0b7bf1fb44f07bc535a1;Parent=53995c3f42cd8ad8;Sampled=1"}}"#,
                "REPORT RequestId: ID\tDuration: 140.00 ms\tBilled Duration: 321 ms\tMemory Size: 128 MB\tMax Memory Used: 75 MB\tInit Duration: 180.01 ms\t\nXRAY TraceId: 1-5e34a614-10bd0b7bf1fb44f07bc535a1\tSegmentId: 07f5dcfc2d1f6f85\tSampled: true\t",
            ),
            (
                "platform.report",
                r#"{"requestId":"ID","metrics":{"durationMs":2,"billedDurationMs":3,"memorySizeMB":128,"maxMemoryUsedMB":75,"restoreDurationMs":500.8,"billedRestoreDurationMs":53}}"#,
                "REPORT RequestId: ID\tDuration: 2.00 ms\tBilled Duration: 3 ms\tMemory Size: 128 MB\tMax Memory Used: 75 MB\tRestore Duration: 500.80 ms\tBilled Restore Duration: 53 ms\t",
            ),
            (
                "platform.report",
                r#"{"requestId":"ID","status":"error","errorType":"Runtime.ExitError","metrics":{"durationMs":3.5,"billedDurationMs":4,"memorySizeMB":128,"maxMemoryUsedMB":75}}"#,
                "REPORT RequestId: ID\tDuration: 3.50 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 75 MB\tStatus: error\tError Type: Runtime.ExitError\t",
            ),
            (
                "platform.report",
                r#"{"requestId":"ID","metrics":{"durationMs":7.25}}"#,
                "REPORT RequestId: ID\tDuration: 7.25 ms\t",
            ),
            (
                "platform.initReport",
                r#"{"initializationType":"on-demand","phase":"init","status":"timeout","metrics":{"durationMs":10008.12}}"#,
                "INIT_REPORT Init Duration: 10008.12 ms\tPhase: init\tStatus: timeout",
            ),
            (
                "platform.initReport",
                r#"{"initializationType":"on-demand","phase":"init","status":"error","errorType":"Extension.Crash","metrics":{"durationMs":146.41}}"#,
                "INIT_REPORT Init Duration: 146.41 ms\tPhase: init\tStatus: error\tError Type: Extension.Crash",
            ),
            (
                "platform.restoreStart",
                r#"{"runtimeVersion":"java:21.v9","runtimeVersionArn":"arn:x"}"#,
                "RESTORE_START Runtime Version: java:21.v9\tRuntime Version ARN: arn:x",
            ),
            (
                "platform.restoreReport",
                r#"{"status":"success","metrics":{"durationMs":398.97}}"#,
                "RESTORE_REPORT Restore Duration: 398.97 ms",
            ),
            (
                "platform.extension",
                r#"{"name":"my-ext","state":"LaunchError","events":[],"errorType":"PermissionDenied"}"#,
                "EXTENSION\tName: my-ext\tState: LaunchError\tEvents: []\tError Type: PermissionDenied",
            ),
            (
                "platform.extension",
                r#"{"name":"my-ext","state":"Ready","events":["INVOKE","SHUTDOWN"]}"#,
                "EXTENSION\tName: my-ext\tState: Ready\tEvents: [INVOKE, SHUTDOWN]",
            ),
            (
                "platform.telemetrySubscription",
                r#"{"name":"my-ext","state":"Subscribed","types":["platform","function"]}"#,
                "TELEMETRY\tName: my-ext\tState: Subscribed\tTypes: [Platform, Function]",
            ),
            (
                "platform.logsSubscription",
                r#"{"name":"my-ext","state":"Already subscribed","types":["platform"]}"#,
                "LOGS\tName: my-ext\tState: Already subscribed\tTypes: [platform]",
            ),
        ];
        for (kind, record, line) in rows {
            assert_eq!(
                written(kind, record),
                Some(line.replace("ID", ID)),
                "{kind} {record}"
            );
        }
    }

    #[test]
    fn what_has_no_line_has_none_here() {
        for (kind, record) in [
            ("platform.initRuntimeDone", r#"{"status":"success"}"#),
            (
                "platform.initReport",
                r#"{"initializationType":"on-demand","status":"success","metrics":{"durationMs":1}}"#,
            ),
            (
                "platform.initStart",
                r#"{"initializationType":"on-demand"}"#,
            ),
            ("platform.logsDropped", r#"{"droppedRecords":1}"#),
            ("platform.start", "{}"),
            ("platform.report", r#""text""#),
            ("platform.end", r#"{"requestId":7}"#),
            ("platform.unheardOf", r#"{"requestId":"ID"}"#),
        ] {
            assert_eq!(written(kind, record), None, "{kind}");
        }
    }

    #[test]
    fn a_timeout_is_said_with_the_time_it_took() {
        let said = |kind: &str, record: &str| {
            let mut out = Vec::new();
            let time = b"2026-01-02T03:04:08.123Z";
            timed_out(
                kind.as_bytes(),
                time,
                record.replace("ID", ID).as_bytes(),
                &mut out,
            )
            .then(|| String::from_utf8(out).unwrap())
        };
        let done = "platform.runtimeDone";
        assert_eq!(
            said(
                done,
                r#"{"requestId":"ID","status":"timeout","metrics":{"durationMs":3000.512}}"#
            ),
            Some(format!(
                "2026-01-02T03:04:08.123Z {ID} Task timed out after 3.00 seconds"
            ))
        );
        assert_eq!(
            said(done, r#"{"requestId":"ID","status":"timeout"}"#),
            Some(format!("2026-01-02T03:04:08.123Z {ID} Task timed out"))
        );
        assert_eq!(said(done, r#"{"requestId":"ID","status":"error"}"#), None);
        assert_eq!(
            said(
                "platform.report",
                r#"{"requestId":"ID","status":"timeout"}"#
            ),
            None
        );
    }
}
