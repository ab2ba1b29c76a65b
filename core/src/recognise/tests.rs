//! Lines as runtimes and loggers write them, and what is found in each.

use super::*;

const ID: &str = "5e2f9b64-8d3c-4c1a-9f77-0b6a41d2c3e8";

type Found<'t> = (Option<Level>, Option<&'t str>, Option<&'t str>);

fn found(text: &str) -> Found<'_> {
    let found = if text.starts_with('{') {
        in_object(text.as_bytes(), 0..text.len())
    } else {
        in_text(text.as_bytes())
    };
    (
        found.level,
        found.request_id.map(|range| &text[range]),
        found.message.map(|range| &text[range]),
    )
}

const TRACE: Option<Level> = Some(Level::Trace);
const DEBUG: Option<Level> = Some(Level::Debug);
const INFO: Option<Level> = Some(Level::Info);
const WARN: Option<Level> = Some(Level::Warn);
const ERROR: Option<Level> = Some(Level::Error);
const FATAL: Option<Level> = Some(Level::Fatal);

/// Each row: a line with `ID` for the request id, its level, whether the id is found, its message (`""`: all of it).
fn check(rows: &[(&str, Option<Level>, bool, &str)]) {
    for (line, level, with_id, message) in rows {
        let line = line.replace("ID", ID);
        let message = (!message.is_empty()).then_some(*message);
        assert_eq!(
            found(&line),
            (*level, with_id.then_some(ID), message),
            "{line:?}"
        );
    }
}

#[test]
fn text_of_the_managed_runtimes_is_taken_apart() {
    check(&[
        // Node.js, also outside an invocation, and its report of an uncaught error.
        (
            "2026-01-02T03:04:05.123Z\tID\tWARN\tslow\tquery\n",
            WARN,
            true,
            "slow\tquery\n",
        ),
        (
            "2026-01-02T03:04:05.123Z\tundefined\tINFO\tcold",
            INFO,
            false,
            "cold",
        ),
        (
            "2026-01-02T03:04:05.123Z\tID\tERROR\tInvoke Error \t{\"errorType\":\"Error\"}",
            ERROR,
            true,
            "Invoke Error \t{\"errorType\":\"Error\"}",
        ),
        // Python, with and without an id, and its bootstrap.
        (
            "[ERROR]\t2026-01-02T03:04:05.123Z\tID\tboom",
            ERROR,
            true,
            "boom",
        ),
        (
            "[INFO]\t2026-01-02T03:04:05.123Z\t\tcold",
            INFO,
            false,
            "cold",
        ),
        (
            "[ERROR] KeyError: 'sku'\rTraceback",
            ERROR,
            false,
            "KeyError: 'sku'\rTraceback",
        ),
        // Java: the logger of the context, log4j in AWS's pattern, and an uncaught error.
        ("[INFO] hello", INFO, false, "hello"),
        (
            "2026-01-02 03:04:05 ID INFO  App:23 - hello",
            INFO,
            true,
            "App:23 - hello",
        ),
        (
            "2026-01-02 03:04:05 ID ERROR App - boom",
            ERROR,
            true,
            "App - boom",
        ),
        (
            "boom: java.lang.RuntimeException\njava.lang.RuntimeException: boom\n\tat app.Handler.run(Handler.java:7)",
            ERROR,
            false,
            "",
        ),
        // .NET.
        (
            "2026-01-02T03:04:05.123Z\tID\tinfo\thello",
            INFO,
            true,
            "hello",
        ),
        (
            "2026-01-02T03:04:05.123Z\tID\tfail\tSystem.Exception: boom\n   at App.Run()",
            ERROR,
            true,
            "System.Exception: boom\n   at App.Run()",
        ),
        (
            "2026-01-02T03:04:05.123Z\t\tcrit\tboom",
            FATAL,
            false,
            "boom",
        ),
        (
            "warn: Microsoft.Hosting[14] slow",
            WARN,
            false,
            "Microsoft.Hosting[14] slow",
        ),
        // Ruby, as Lambda's logger writes it, and as any other.
        (
            "I, [2026-01-02T03:04:05.123456 #8]  INFO ID -- : hello",
            INFO,
            true,
            "hello",
        ),
        (
            "E, [2026-01-02T03:04:05.123456 #8] ERROR -- : boom",
            ERROR,
            false,
            "boom",
        ),
        (
            "W, [2026-01-02T03:04:05.123456 #8]  WARN -- shop: slow",
            WARN,
            false,
            "shop: slow",
        ),
        (
            "A, [2026-01-02T03:04:05.123456 #8]   ANY -- : x",
            INFO,
            false,
            "x",
        ),
        (
            "Error raised from handler method\n{\"errorMessage\":\"boom\"}",
            ERROR,
            false,
            "",
        ),
        // Go: `log`, `log/slog` behind it, slog's text, an uncaught error.
        ("2026/01/02 03:04:05 hello", None, false, "hello"),
        ("2026/01/02 03:04:05.123456 hello", None, false, "hello"),
        (
            "2026/01/02 03:04:05 INFO hello count=3",
            INFO,
            false,
            "hello count=3",
        ),
        (
            "2026/01/02 03:04:05 main.go:23: [WARN] slow",
            WARN,
            false,
            "",
        ),
        (
            "time=2026-01-02T03:04:05.123Z level=ERROR msg=\"no stock\" sku=42 requestId=ID",
            ERROR,
            true,
            "",
        ),
        (
            "time=2026-01-02T03:04:05.123Z level=DEBUG-2 msg=x",
            DEBUG,
            false,
            "",
        ),
        (
            "time=\"2026-01-02T03:04:05Z\" level=warning msg=\"slow\"",
            WARN,
            false,
            "",
        ),
        (
            "2026/01/02 03:04:05 {\"errorMessage\":\"boom\",\"errorType\":\"errorString\"}",
            ERROR,
            false,
            "{\"errorMessage\":\"boom\",\"errorType\":\"errorString\"}",
        ),
        (
            "panic: runtime error: index out of range [5]",
            FATAL,
            false,
            "runtime error: index out of range [5]",
        ),
        // Rust: tracing, plain, in colours, inside the span of AWS's runtime.
        (
            "2026-01-02T03:04:05.123456Z  INFO shop::cart: hello n=3",
            INFO,
            false,
            "shop::cart: hello n=3",
        ),
        (
            "2026-01-02T03:04:05.123456Z ERROR Lambda runtime invoke{requestId=\"ID\" xrayTraceId=\"Root=1\"}: boom",
            ERROR,
            true,
            "Lambda runtime invoke{requestId=\"5e2f9b64-8d3c-4c1a-9f77-0b6a41d2c3e8\" xrayTraceId=\"Root=1\"}: boom",
        ),
        (
            "\u{1b}[2m2026-01-02T03:04:05.123456Z\u{1b}[0m \u{1b}[33m WARN\u{1b}[0m \u{1b}[2mshop\u{1b}[0m: slow",
            WARN,
            false,
            "shop\u{1b}[0m: slow",
        ),
        (" INFO not at the start", None, false, ""),
        // The platform's own words for a crash.
        (
            "RequestId: ID Error: Runtime exited with error: signal: killed\nRuntime.ExitError",
            ERROR,
            true,
            "Error: Runtime exited with error: signal: killed\nRuntime.ExitError",
        ),
    ]);
}

#[test]
fn text_of_common_loggers_is_taken_apart() {
    check(&[
        ("WARNING:root:slow", WARN, false, "root:slow"),
        ("ERROR:app:boom", ERROR, false, "app:boom"),
        (
            "2026-01-02 03:04:05,123 - root - INFO - hello",
            INFO,
            false,
            "",
        ),
        ("2026-01-02 03:04:05,123 INFO hello", INFO, false, "hello"),
        (
            "2026-01-02 03:04:05.123 | WARNING  | shop:pay:12 - slow",
            WARN,
            false,
            "shop:pay:12 - slow",
        ),
        (
            "2026-01-02 03:04:05 [info     ] hello          n=3",
            INFO,
            false,
            "hello          n=3",
        ),
        (
            "03:04:05.123 [main] ERROR com.x.App - boom",
            ERROR,
            false,
            "",
        ),
        (
            "2026-01-02T03:04:05.123Z  INFO 8 --- [main] c.x.App : hello",
            INFO,
            false,
            "8 --- [main] c.x.App : hello",
        ),
        (
            "2026-01-02 03:04:05,123 [main] WARN  com.x.App - slow",
            WARN,
            false,
            "",
        ),
        (
            "Jan 02, 2026 3:04:05 AM com.x.App main\nSEVERE: boom",
            ERROR,
            false,
            "",
        ),
        (
            "2026-01-02 03:04:05.1234|ERROR|App|boom",
            ERROR,
            false,
            "App|boom",
        ),
        ("[03:04:05 ERR] boom", ERROR, false, "boom"),
        (
            "2026-01-02 03:04:05.123 +00:00 [WRN] slow",
            WARN,
            false,
            "slow",
        ),
        (
            "2026-01-02T03:04:05.123Z\tdebug\tmain.go:12\tdeep\t{\"n\": 3}",
            DEBUG,
            false,
            "main.go:12\tdeep\t{\"n\": 3}",
        ),
        ("1767323045.123\tERROR\tboom", ERROR, false, "boom"),
        ("3:04PM INF hello n=3", INFO, false, "hello n=3"),
        (
            "I0102 03:04:05.123456       1 main.go:23] hello",
            INFO,
            false,
            "",
        ),
        (
            "E0102 03:04:05.123456       1 main.go:23] boom",
            ERROR,
            false,
            "",
        ),
        ("[2026-01-02T03:04:05Z TRACE shop] deep", TRACE, false, ""),
        (
            "[2026-01-02T03:04:05.123+00:00] app.CRITICAL: boom {} []",
            FATAL,
            false,
            "",
        ),
        ("error: boom {\"n\":3}", ERROR, false, "boom {\"n\":3}"),
        ("\u{1b}[32minfo\u{1b}[39m: hello", INFO, false, "hello"),
        ("ERROR boom", ERROR, false, "boom"),
        ("WARN - slow", WARN, false, "slow"),
        (
            "level=info ts=2026-01-02T03:04:05Z caller=main.go:3 msg=hello",
            INFO,
            false,
            "",
        ),
    ]);
}

#[test]
fn other_text_is_left_alone() {
    for text in [
        "",
        "[",
        "[INF",
        "[1, 2]",
        "2026",
        "plain",
        "[NOTALEVEL] x",
        "2026-01-02T03:04:05.123Z x",
        "\t\t\t",
        "HTTP 200 OK",
        "SUCCESS stored",
        "INFORMED consent",
        "Information about orders",
        "fine: thanks",
        "Error in the log: none",
        "2026-01-02 03:04:05 reading the ERROR queue",
        "level of water=3",
        "12345678 INFO",
        "A, B",
        "RequestId: none Error: x",
        "I, [",
        "a=1 b=2",
        "=info",
        "|",
        "\u{1b}[",
        "\u{1b}[31",
        "1:2",
        "- - -",
        "    at Object.<anonymous> (/var/task/index.js:3:9)",
        "Traceback (most recent call last):",
        "2026/01/0",
        "I0102 0",
    ] {
        assert_eq!(in_text(text.as_bytes()), Recognised::default(), "{text:?}");
    }
}

/// A request id is copied beside the record, where redaction does not look.
#[test]
fn only_a_uuid_is_a_request_id() {
    for other in [
        "4111111111111111",
        "5e2f9b648d3c4c1a9f770b6a41d2c3e8",
        "not-an-id",
        "",
    ] {
        let json = format!(r#"{{"requestId":"{other}","message":"m"}}"#);
        let text = format!("2026-01-02T03:04:05.123Z\t{other}\tINFO\tx");
        let pair = format!("level=info requestId={other}");
        for line in [json, text, pair] {
            assert_eq!(found(&line).1, None, "{line}");
        }
    }
}

#[test]
fn json_of_the_runtimes_is_read() {
    check(&[
        (
            r#"{"timestamp":"t","level":"ERROR","requestId":"ID","message":{"a":1}}"#,
            ERROR,
            true,
            r#"{"a":1}"#,
        ),
        (
            r#"{"log_level":"ERROR","errorMessage":"'sku'","errorType":"KeyError","requestId":"ID"}"#,
            ERROR,
            true,
            r#""'sku'""#,
        ),
        (
            r#"{"level":"INFO","message":"ok","AWSRequestId":"ID"}"#,
            INFO,
            true,
            r#""ok""#,
        ),
        (
            r#"{"timestamp":"t","level":"Information","requestId":"ID","traceId":"x","message":"ok"}"#,
            INFO,
            true,
            r#""ok""#,
        ),
        // Powertools for Python and TypeScript, Java, .NET.
        (
            r#"{"level":"WARNING","location":"h:3","message":"slow","function_request_id":"ID","cold_start":true}"#,
            WARN,
            true,
            r#""slow""#,
        ),
        (
            r#"{"level":"Error","message":"boom","functionRequestId":"ID"}"#,
            ERROR,
            true,
            r#""boom""#,
        ),
        // What runtimes report of an uncaught error.
        (
            r#"{"errorMessage":"boom","errorType":"errorString"}"#,
            ERROR,
            false,
            r#""boom""#,
        ),
        (
            r#"{"message":"x","errorType":"kind"}"#,
            None,
            false,
            r#""x""#,
        ),
    ]);
}

#[test]
fn json_of_common_loggers_is_read() {
    check(&[
        // pino, and its companion for Lambda; bunyan.
        (
            r#"{"level":50,"time":1,"msg":"boom","awsRequestId":"ID"}"#,
            ERROR,
            true,
            r#""boom""#,
        ),
        (
            r#"{"name":"shop","hostname":"h","pid":1,"level":20,"msg":"deep","v":0}"#,
            DEBUG,
            false,
            r#""deep""#,
        ),
        // winston, plain and in colours.
        (
            r#"{"level":"silly","message":"deep"}"#,
            TRACE,
            false,
            r#""deep""#,
        ),
        (
            r#"{"level":"\u001b[33mwarn\u001b[39m","message":"slow"}"#,
            WARN,
            false,
            r#""slow""#,
        ),
        // Python: the numbers of `logging`, structlog, loguru.
        (r#"{"levelno":40,"msg":"x"}"#, ERROR, false, r#""x""#),
        (r#"{"levelname":30}"#, WARN, false, ""),
        (r#"{"level":40,"levelname":"ERROR"}"#, ERROR, false, ""),
        (
            r#"{"event":"hello","level":"info","timestamp":"t"}"#,
            INFO,
            false,
            r#""hello""#,
        ),
        (
            r#"{"event":{"httpMethod":"GET"},"level":"info"}"#,
            INFO,
            false,
            "",
        ),
        (
            r#"{"text":"t","record":{"level":{"icon":"x","name":"CRITICAL","no":50},"message":"boom"}}"#,
            FATAL,
            false,
            r#""boom""#,
        ),
        // Go: zap, zerolog, logrus, slog with levels of its own.
        (
            r#"{"level":"dpanic","ts":1.5,"caller":"m.go:1","msg":"boom"}"#,
            FATAL,
            false,
            r#""boom""#,
        ),
        (
            r#"{"level":"warn","time":1767323045,"message":"slow"}"#,
            WARN,
            false,
            r#""slow""#,
        ),
        (
            r#"{"level":"warning","msg":"slow","time":"t"}"#,
            WARN,
            false,
            r#""slow""#,
        ),
        (
            r#"{"time":"t","level":"INFO+2","msg":"x"}"#,
            INFO,
            false,
            r#""x""#,
        ),
        (
            r#"{"time":"t","level":"DEBUG-4","msg":"x"}"#,
            TRACE,
            false,
            r#""x""#,
        ),
        // .NET: Serilog compact and full, the JSON console, NLog.
        (
            r#"{"@t":"t","@mt":"order {Id}","@l":"Warning","Id":3}"#,
            WARN,
            false,
            r#""order {Id}""#,
        ),
        (
            r#"{"@t":"t","@m":"order 3","@mt":"order {Id}","@l":"Fatal"}"#,
            FATAL,
            false,
            r#""order 3""#,
        ),
        (
            r#"{"Timestamp":"t","Level":"Verbose","MessageTemplate":"x"}"#,
            TRACE,
            false,
            r#""x""#,
        ),
        (
            r#"{"EventId":0,"LogLevel":"Critical","Category":"c","Message":"boom"}"#,
            FATAL,
            false,
            r#""boom""#,
        ),
        // Java: log4j's JsonTemplateLayout, plain, Elastic's and Graylog's; logstash-logback-encoder.
        (
            r#"{"instant":{"epochSecond":1},"thread":"main","level":"ERROR","loggerName":"a","message":"boom"}"#,
            ERROR,
            false,
            r#""boom""#,
        ),
        (
            r#"{"@timestamp":"t","log.level":"WARN","message":"slow","trace.id":"x"}"#,
            WARN,
            false,
            r#""slow""#,
        ),
        (
            r#"{"@timestamp":"t","log":{"level":"error","logger":"a"},"message":"boom"}"#,
            ERROR,
            false,
            r#""boom""#,
        ),
        (
            r#"{"version":"1.1","host":"h","short_message":"boom","level":3}"#,
            ERROR,
            false,
            r#""boom""#,
        ),
        (
            r#"{"@timestamp":"t","@version":"1","message":"x","level":"DEBUG","level_value":10000}"#,
            DEBUG,
            false,
            r#""x""#,
        ),
        // Rust's tracing, with the span of AWS's runtime.
        (
            r#"{"level":"DEBUG","fields":{"message":"deep"},"target":"a","span":{"name":"Lambda runtime invoke","requestId":"ID"}}"#,
            DEBUG,
            true,
            r#""deep""#,
        ),
        // Google, OpenTelemetry.
        (
            r#"{"severity":"NOTICE","message":"x"}"#,
            INFO,
            false,
            r#""x""#,
        ),
        (
            r#"{"severityText":"WARN","severityNumber":17,"body":"slow"}"#,
            WARN,
            false,
            r#""slow""#,
        ),
        (
            r#"{"severityNumber":18,"body":"boom"}"#,
            ERROR,
            false,
            r#""boom""#,
        ),
        (r#"{"body":"of a request","level":"info"}"#, INFO, false, ""),
        // What only looks like it.
        (r#"{"level":3,"message":"x"}"#, None, false, r#""x""#),
        (r#"{"level":"high","severity":"SEV-1"}"#, None, false, ""),
        (r#"{"level":{"name":"ERROR"}}"#, None, false, ""),
        (
            r#"{"log":"GET /","record":7,"fields":[1],"span":null}"#,
            None,
            false,
            "",
        ),
    ]);
}

/// The caller's own id is no better than what Lambda's libraries write.
#[test]
fn ids_named_after_the_function_come_before_others() {
    let other = "00000000-0000-4000-8000-000000000000";
    let text = format!(r#"{{"requestId":"{other}","function_request_id":"{ID}"}}"#);
    assert_eq!(found(&text).1, Some(ID));
    let text = format!(r#"{{"aws_request_id":"{ID}","requestId":"{other}"}}"#);
    assert_eq!(found(&text).1, Some(ID));
}

#[test]
fn trace_and_span_ids_are_found_where_loggers_put_them() {
    let ids = |text: &str| {
        let found = in_object(text.as_bytes(), 0..text.len());
        let text_at = |range: Option<Range<usize>>| range.map(|range| text[range].to_owned());
        (text_at(found.trace_id), text_at(found.span_id))
    };
    let both = (Some("t".to_owned()), Some("s".to_owned()));
    for text in [
        r#"{"trace_id":"t","span_id":"s"}"#,
        r#"{"traceId":"t","spanId":"s"}"#,
        r#"{"trace.id":"t","span.id":"s"}"#,
        r#"{"trace":{"id":"t"},"span":{"id":"s"}}"#,
        r#"{"@tr":"t","@sp":"s"}"#,
        r#"{"span":{"xrayTraceId":"t","id":"s"}}"#,
    ] {
        assert_eq!(ids(text), both, "{text}");
    }
}

#[test]
fn embedded_metrics_are_known_by_their_root() {
    let text = br#"{"_aws":{"Timestamp":1},"latency":3}"#;
    assert!(in_object(text, 0..text.len()).embedded_metrics);
    for other in [r#"{"a":{"_aws":{}}}"#, r#"{"_aws":1}"#] {
        assert!(!in_object(other.as_bytes(), 0..other.len()).embedded_metrics);
    }
}

proptest::proptest! {
    /// Whatever the text: no panic, and every range lies in it.
    #[test]
    fn any_text_is_looked_at_safely(text in r#"(\x1b\[[0-9]{0,3}m?|[\[\]|:\-= \t\n{}"a-zA-Z0-9#,./\\]|INFO|error|2026-01-02|03:04:05|5e2f9b64-8d3c-4c1a-9f77-0b6a41d2c3e8){0,24}"#) {
        let found = if text.starts_with('{') {
            in_object(text.as_bytes(), 0..text.len())
        } else {
            in_text(text.as_bytes())
        };
        for range in [found.request_id, found.trace_id, found.span_id, found.message].into_iter().flatten() {
            proptest::prop_assert!(text.as_bytes().get(range).is_some());
        }
    }
}
