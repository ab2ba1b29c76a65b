use super::*;
use crate::test_kit::{Kit, made, problems, value};
use tapline_core::invocation::Invocations;
use tapline_core::level::Level;
use tapline_core::platform::{PlatformEvent, Status};

/// A function, its transform, and what came out of it so far.
struct Bench {
    kit: Kit,
    transform: Box<dyn Transform>,
    /// Text of each record that went on, in order of appearance.
    out: Vec<String>,
    merged: usize,
    given: usize,
}

impl Bench {
    fn new(config: &str) -> Bench {
        let mut kit = Kit::new();
        kit.invocations = Invocations::new(false, true);
        Bench {
            kit,
            transform: made(&KIND, config),
            out: Vec::new(),
            merged: 0,
            given: 0,
        }
    }

    fn start(&mut self, id: &str) {
        self.kit.invocations.observe(&PlatformEvent::Start {
            request_id: id.to_owned(),
            trace: None,
        });
    }

    fn done(&mut self, id: &str) {
        self.kit.invocations.observe(&PlatformEvent::RuntimeDone {
            request_id: id.to_owned(),
            status: Some(Status::Success),
            duration_ms: None,
            time_ms: None,
        });
    }

    /// A POST with these lines of these invocations.
    fn post(&mut self, lines: &[(&str, &str)]) {
        let quoted: Vec<String> = lines
            .iter()
            .map(|(_, line)| match line.strip_prefix("raw:") {
                Some(raw) => raw.to_owned(),
                None => {
                    let mut text = Vec::new();
                    json::quote_into(format!("{line}\n").as_bytes(), &mut text);
                    String::from_utf8(text).unwrap()
                }
            })
            .collect();
        let rows: Vec<_> = quoted
            .iter()
            .map(|text| ("function", text.as_str(), None))
            .collect();
        let mut batch = self.kit.batch(&rows);
        for (record, (id, line)) in batch.records_mut().iter_mut().zip(lines) {
            record.invocation = self.kit.invocations.by_request_id(id.as_bytes());
            let found = recognise::in_text(line.as_bytes());
            record.level = found.level;
            record.embedded_metrics = line.contains("\"_aws\"");
        }
        self.given += lines.len();
        let output = self.kit.apply_all(&mut *self.transform, batch);
        self.take(output);
    }

    fn take(&mut self, batches: Vec<Batch>) {
        for batch in batches {
            for record in batch.records() {
                match record.fate {
                    Fate::Merged => self.merged += 1,
                    Fate::Live => {
                        let raw = batch.bytes(record.value);
                        let text = json::string_inside(raw).map_or_else(
                            || String::from_utf8_lossy(raw).into_owned(),
                            |inside| String::from_utf8_lossy(&json::unescape(inside)).into_owned(),
                        );
                        self.out.push(text.trim_end().to_owned());
                    }
                    fate => panic!("{fate:?}"),
                }
            }
        }
        // What came in went on, became part of another one, or is held.
        let held = self.transform.holding().held as usize;
        assert_eq!(
            self.given,
            self.out.len() + self.merged + held,
            "{:?}",
            self.out
        );
    }

    fn expire(&mut self) {
        let mut output = Vec::new();
        self.transform.expire(&self.kit.context(), &mut output);
        self.take(output);
    }

    fn drain(&mut self) {
        let mut output = Vec::new();
        self.transform.release(&self.kit.context(), &mut output);
        self.take(output);
        assert_eq!(self.transform.holding().held, 0);
    }
}

const TRACE: [&str; 4] = [
    "java.lang.IllegalStateException: boom",
    "\tat app.Handler.run(Handler.java:7)",
    "Caused by: java.io.IOException: x",
    "\t... 7 more",
];

fn of<'l>(id: &'static str, lines: &[&'l str]) -> Vec<(&'static str, &'l str)> {
    lines.iter().map(|line| (id, *line)).collect()
}

/// A trace in one POST, with what comes before and after it.
#[test]
fn a_trace_in_one_delivery_is_one_record() {
    let mut bench = Bench::new("");
    bench.start("a");
    let mut lines = of("a", &["before"]);
    lines.extend(of("a", &TRACE));
    lines.extend(of("a", &["after"]));
    bench.post(&lines);
    assert_eq!(bench.out, ["before", &TRACE.join("\n"), "after"]);
    assert_eq!(bench.merged, 3);
    assert_eq!(
        bench.transform.holding().held,
        0,
        "nothing more is expected"
    );
}

/// The joined record is the first one: its sequence, its level, its time. Where that has no level, all of it may tell.
#[test]
fn the_joined_record_keeps_what_the_first_one_says() {
    let kit = Kit::new();
    let mut transform = made(&KIND, "");
    let rows = [
        ("function", "\"[WARN] slow\\n\"", Some(Level::Warn)),
        ("function", "\"\\tat a.B.c(B.java:1)\\n\"", None),
        ("function", "\"x: java.lang.Error\\n\"", None),
        ("function", "\"\\tat a.B.c(B.java:1)\\n\"", None),
        ("function", "\"end\\n\"", None),
    ];
    let batch = kit.apply(&mut *transform, kit.batch(&rows));
    let records = batch.records();
    assert_eq!(
        value(&batch, &records[0]),
        "\"[WARN] slow\\n\\tat a.B.c(B.java:1)\""
    );
    assert_eq!(
        (records[0].sequence, records[0].level),
        (0, Some(Level::Warn))
    );
    assert_eq!(records[2].level, Some(Level::Error));
    assert_eq!(records[1].fate, Fate::Merged);
}

/// A trace that is cut over two and three POSTs, at each place.
#[test]
fn a_trace_over_several_deliveries_is_one_record() {
    for cut in 1..4 {
        for again in cut..4 {
            let mut bench = Bench::new("");
            bench.start("a");
            bench.post(&of("a", &TRACE[..cut]));
            assert_eq!(bench.transform.holding().held, 1);
            assert!(bench.transform.holding().due.is_some());
            if again > cut {
                bench.post(&of("a", &TRACE[cut..again]));
            }
            let mut rest = of("a", &TRACE[again..]);
            rest.push(("a", "after"));
            bench.post(&rest);
            assert_eq!(bench.out, [&TRACE.join("\n"), "after"], "{cut} {again}");
        }
    }
}

/// What has line breaks of its own came through a framed channel, whole: nothing is waited for.
#[test]
fn a_record_of_several_lines_is_not_held() {
    for text in [
        "[ERROR] E: x\rTraceback (most recent call last):\r  File",
        "Traceback (most recent call last):\n  x",
    ] {
        let mut bench = Bench::new("");
        bench.start("a");
        bench.post(&of("a", &[text]));
        assert_eq!(bench.transform.holding().held, 0, "{text}");
    }
}

/// The rest does not come: the wait ends, or the invocation does, or everything.
#[test]
fn what_is_held_comes_out_in_time() {
    let mut bench = Bench::new("wait = '200ms'");
    bench.start("a");
    bench.post(&of("a", &TRACE[..2]));
    assert_eq!(bench.transform.holding().due, Some(Instant(200_000_000)));
    bench.kit.clock.set_ms(199);
    bench.expire();
    assert_eq!(bench.out, [""; 0]);
    bench.kit.clock.set_ms(200);
    bench.expire();
    assert_eq!(bench.out, [TRACE[..2].join("\n")]);

    let mut bench = Bench::new("");
    bench.start("a");
    bench.post(&of("a", &TRACE[..2]));
    bench.done("a");
    bench.post(&[]);
    assert_eq!(bench.out, [TRACE[..2].join("\n")], "the invocation is over");
    bench.post(&of("a", &TRACE[..2]));
    assert_eq!(
        bench.transform.holding().held,
        0,
        "nothing is held behind its end"
    );

    let mut bench = Bench::new("");
    bench.start("a");
    bench.post(&of("a", &TRACE[..3]));
    bench.drain();
    assert_eq!(bench.out, [TRACE[..3].join("\n")]);
}

/// A trace that comes behind the end of its invocation, with the freezer ahead: running time stops there, so that a wait
/// would last until the next invocation, hours later, or for ever. In an init the rest may be on its way.
#[test]
fn a_trace_behind_the_end_of_its_invocation_is_not_held() {
    let mut bench = Bench::new("");
    bench.post(&[("", TRACE[0]), ("", TRACE[1])]);
    assert_eq!(bench.transform.holding().held, 1, "an init runs");
    let mut bench = Bench::new("");
    bench.start("a");
    bench.post(&[("a", "line")]);
    bench.done("a");
    bench.post(&[("", TRACE[0]), ("", TRACE[1])]);
    assert_eq!(bench.transform.holding().held, 0);
    assert_eq!(bench.out, ["line", &TRACE[..2].join("\n")]);
}

#[test]
fn without_a_wait_nothing_is_held() {
    let mut bench = Bench::new("wait = '0s'");
    bench.start("a");
    bench.post(&of("a", &TRACE[..2]));
    bench.post(&of("a", &TRACE[2..]));
    assert_eq!(bench.out, [TRACE[..2].join("\n"), TRACE[2..].join("\n")]);
}

/// One invocation ends in the middle of a trace, and the next one begins with what looks like the rest.
#[test]
fn invocations_are_never_joined() {
    let mut bench = Bench::new("");
    bench.start("a");
    bench.post(&of("a", &TRACE[..2]));
    bench.done("a");
    bench.start("b");
    bench.post(&of("b", &TRACE[2..]));
    bench.drain();
    assert_eq!(bench.out, [TRACE[..2].join("\n"), TRACE[2..].join("\n")]);
}

/// Two invocations write traces at the same time, as on Managed Instances. A line without an id is nobody's.
#[test]
fn lines_of_other_invocations_between_do_not_matter() {
    let mut bench = Bench::new("");
    bench.kit.invocations = Invocations::new(true, false);
    bench.start("a");
    bench.start("b");
    let mut lines = Vec::new();
    for line in TRACE {
        lines.extend([("a", line), ("b", line), ("", line)]);
    }
    bench.post(&lines[..5]);
    bench.post(&lines[5..]);
    bench.drain();
    let whole = TRACE.join("\n");
    let mut expected: Vec<String> = TRACE.map(str::to_owned).to_vec();
    expected.extend([whole.clone(), whole]);
    expected.sort();
    bench.out.sort();
    assert_eq!(bench.out, expected);
    assert_eq!(bench.merged, 6);
}

/// JSON between the lines of a trace is a record, and ends it; so does one that a filter left out not.
#[test]
fn another_record_ends_a_trace() {
    let mut bench = Bench::new("");
    bench.start("a");
    bench.post(&[
        ("a", TRACE[0]),
        ("a", TRACE[1]),
        ("a", "raw:{\"level\":\"info\"}"),
        ("a", TRACE[1]),
        ("a", "plain"),
    ]);
    assert_eq!(
        bench.out,
        [
            TRACE[..2].join("\n").as_str(),
            "{\"level\":\"info\"}",
            TRACE[1].trim_end(),
            "plain"
        ]
    );
}

#[test]
fn limits_begin_another_record() {
    let frames = ["\tat a.B.c(B.java:1)"; 10];
    let mut lines = vec![("a", "boom: Error")];
    lines.extend(frames.map(|frame| ("a", frame)));
    let mut bench = Bench::new("max_lines = 4");
    bench.start("a");
    bench.post(&lines);
    bench.drain();
    let counts: Vec<usize> = bench.out.iter().map(|text| text.lines().count()).collect();
    assert_eq!(counts, [4, 4, 3]);

    let long = format!("\tat {}", "x".repeat(500));
    let mut bench = Bench::new("max_bytes = '1KiB'");
    bench.start("a");
    bench.post(&of("a", &["boom: Error", &long, &long, &long]));
    bench.drain();
    assert!(
        bench.out.iter().all(|text| text.len() <= 1024),
        "{:?}",
        bench.out
    );
    assert_eq!(bench.out.len(), 2);
}

/// More traces are open than are remembered: the oldest goes out, and nothing is lost.
#[test]
fn the_oldest_gives_way() {
    let mut bench = Bench::new("");
    bench.kit.invocations = Invocations::new(true, false);
    let ids: Vec<String> = (0..OPEN_MAX + 5)
        .map(|number| format!("id-{number}"))
        .collect();
    for id in &ids {
        bench.start(id);
        let leaked: &'static str = id.clone().leak();
        bench.post(&[(leaked, TRACE[0])]);
    }
    assert_eq!(bench.transform.holding().held, OPEN_MAX as u64);
    assert_eq!(bench.out.len(), 5);
    assert_eq!(bench.transform.evict(Lane::High), 0);
    assert_eq!(bench.transform.evict(Lane::Middle), 1);
    assert_eq!(bench.transform.holding().held, OPEN_MAX as u64 - 1);
}

/// What is held is charged, and given back.
#[test]
fn what_is_held_is_charged() {
    let mut bench = Bench::new("");
    bench.start("a");
    let before = bench.kit.budget.used();
    bench.post(&of("a", &TRACE[..3]));
    assert!(bench.kit.budget.used() > before);
    bench.drain();
    assert_eq!(bench.kit.budget.used(), before);
}

#[test]
fn carriage_returns_become_lines() {
    let run = |raw: &str| {
        let kit = Kit::new();
        let batch = kit.run(&KIND, "wait = '0s'", kit.one(raw));
        value(&batch, &batch.records()[0]).to_owned()
    };
    assert_eq!(
        run(
            r#""[ERROR] KeyError: 'sku'\rTraceback (most recent call last):\r\u00a0\u00a0File \"a.py\", line 1\r\n""#
        ),
        r#""[ERROR] KeyError: 'sku'\nTraceback (most recent call last):\n  File \"a.py\", line 1\r\n""#
    );
    assert_eq!(run(r#""a\r\nb\rc\n""#), r#""a\nb\nc\n""#);
    for same in [
        r#""a\\r b\n""#,
        r#""a\r\n""#,
        r#""plain""#,
        r#"{"a":"x\ry"}"#,
    ] {
        assert_eq!(run(same), same);
    }
    let kit = Kit::new();
    let batch = kit.run(&KIND, "join = false\nformat = 'json'", kit.one(r#""a\rb""#));
    assert_eq!(value(&batch, &batch.records()[0]), r#""a\rb""#);
}

#[test]
fn formats_of_ones_own_are_joined() {
    let mut bench = Bench::new("start = '^#\\d+ '");
    bench.start("a");
    bench.post(&of("a", &["#1 one", "more", "  even more", "#2 two"]));
    bench.post(&of("a", &["rest", "#3 three"]));
    bench.drain();
    assert_eq!(
        bench.out,
        ["#1 one\nmore\n  even more", "#2 two\nrest", "#3 three"]
    );

    let mut bench = Bench::new("continue = '^ *\\|'");
    bench.start("a");
    bench.post(&of(
        "a",
        &["a | b", "| 1", " | 2", "c", TRACE[0], TRACE[1], "d"],
    ));
    bench.drain();
    assert_eq!(
        bench.out,
        ["a | b\n| 1\n | 2", "c", &TRACE[..2].join("\n"), "d"]
    );

    let mut bench = Bench::new("start = '^\\|0'\ncontinue = '^\\|'");
    bench.start("a");
    bench.post(&of("a", &["x", "|1", "|0", "|2", "y"]));
    bench.drain();
    assert_eq!(bench.out, ["x\n|1", "|0\n|2", "y"]);
}

fn parsed(config: &str, raw: &str) -> (String, Option<Level>, u64) {
    let kit = Kit::new();
    let batch = kit.run(&KIND, config, kit.one(raw));
    let record = &batch.records()[0];
    (
        value(&batch, record).to_owned(),
        record.level,
        kit.ledger.unparsed.get(),
    )
}

#[test]
fn text_is_read_into_fields_and_what_cannot_be_is_kept_and_counted() {
    let (text, level, unparsed) = parsed(
        "format = 'logfmt'",
        r#""lvl=warn msg=\"a \\\"b\\\"\" n=1\n""#,
    );
    assert_eq!(text, r#"{"lvl":"warn","msg":"a \"b\"","n":1}"#);
    assert_eq!((level, unparsed), (Some(Level::Warn), 0));

    // Behind what the runtime put there.
    let line = r#""[INFO]\t2026-01-02T03:04:05.123Z\t5e2f9b64-8d3c-4c1a-9f77-0b6a41d2c3e8\tid=42 ok=true\n""#;
    assert_eq!(
        parsed("format = 'logfmt'", line).0,
        r#"{"id":42,"ok":true}"#
    );
    let line = r#""2026-01-02T03:04:05.123Z\tundefined\tINFO\t{\"a\":{\"b\":1}}\n""#;
    assert_eq!(parsed("format = 'json'", line).0, r#"{"a":{"b":1}}"#);
    let line = r#""{\"level\":\"error\",\"a\":1}\n""#;
    assert_eq!(
        parsed("format = 'json'", line),
        (
            r#"{"level":"error","a":1}"#.to_owned(),
            Some(Level::Error),
            0
        )
    );
    let line = r#""stored id=42\n""#;
    assert_eq!(
        parsed("format = 'key_value'", line).0,
        r#"{"message":"stored id=42","id":42}"#
    );

    for format in ["json", "logfmt", "key_value"] {
        let plain = r#""nothing to see\n""#;
        assert_eq!(
            parsed(&format!("format = '{format}'"), plain),
            (plain.to_owned(), None, 1)
        );
        // What is no text is not asked.
        let object = r#"{"a": 1}"#;
        assert_eq!(
            parsed(&format!("format = '{format}'"), object),
            (object.to_owned(), None, 0)
        );
    }
}

/// Powertools' metrics survive, whatever is set.
#[test]
fn metric_lines_are_left_alone() {
    let line = r#""{\"_aws\":{\"Timestamp\":1},\"n\":\"a=1\\rb\"}\n""#;
    let kit = Kit::new();
    let mut batch = kit.one(line);
    batch.records_mut()[0].embedded_metrics = true;
    let batch = kit.run(&KIND, "format = 'json'", batch);
    assert_eq!(value(&batch, &batch.records()[0]), line);
}

/// Platform events and other sources are no lines of the function.
#[test]
fn only_the_functions_own_lines_are_joined() {
    let kit = Kit::new();
    let rows = [
        ("extension", "\"x: Error\\n\"", None),
        ("extension", "\"\\tat a\\n\"", None),
        ("platform.start", "{}", None),
        ("unknown", "\"\\tat a\\n\"", None),
    ];
    let batch = kit.run(&KIND, "", kit.batch(&rows));
    assert!(
        batch
            .records()
            .iter()
            .all(|record| record.fate == Fate::Live)
    );
}

#[test]
fn what_is_wrong_is_said() {
    for (config, part) in [
        ("start = '['", "does not compile"),
        ("continue = 5", "continue"),
        ("max_lines = 1", "max_lines"),
        ("max_bytes = '1B'", "max_bytes"),
        ("wait = '1h'", "wait"),
        ("format = 'xml'", "format"),
        ("join = false", "does nothing"),
        (
            "join = false\nwait = '1s'\nformat = 'json'",
            "has no effect",
        ),
    ] {
        let said = problems(&KIND, config);
        assert!(
            said.iter().any(|line| line.contains(part)),
            "{config}: {said:?}"
        );
    }
}
