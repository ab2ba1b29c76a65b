//! What of the file and of the environment becomes a sink, and what is said about the rest.

use super::*;
use crate::grpc;

/// Scheme, host, port and target of a sink's URL.
fn url(text: &str, variables: Variables) -> String {
    let logs = sink(text, variables).logs.unwrap();
    let url = logs.transport.url().unwrap().clone();
    let scheme = if url.https { "https" } else { "http" };
    format!("{scheme} {} {} {}", url.host, url.port, url.target)
}

#[test]
fn a_base_gets_the_path_of_the_signal_and_an_exact_one_stays_as_it_is() {
    let rows = [
        ("endpoint = \"http://h:4318\"", "http h 4318 /v1/logs"),
        ("endpoint = \"http://h:4318/\"", "http h 4318 /v1/logs"),
        ("endpoint = \"https://h/base\"", "https h 443 /base/v1/logs"),
        ("endpoint = \"http://h/base/\"", "http h 80 /base/v1/logs"),
        (
            "endpoint = \"https://h/a?b=c\"",
            "https h 443 /a/v1/logs?b=c",
        ),
        ("logs_endpoint = \"https://h\"", "https h 443 /"),
        (
            "logs_endpoint = \"https://h/in?b=c\"",
            "https h 443 /in?b=c",
        ),
        (
            "endpoint = \"http://other\"\nlogs_endpoint = \"https://h/in/\"",
            "https h 443 /in/",
        ),
        ("", "http localhost 4318 /v1/logs"),
    ];
    for (text, wanted) in rows {
        assert_eq!(url(text, &[]), wanted, "{text}");
    }
}

#[test]
fn the_environment_stands_in_for_keys_that_are_not_there_and_the_signal_wins() {
    const BASE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://base/x");
    const LOGS: (&str, &str) = ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "https://logs/x");
    const BLANK: (&str, &str) = ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "");
    assert_eq!(url("", &[BASE]), "https base 443 /x/v1/logs");
    assert_eq!(url("", &[BASE, LOGS]), "https logs 443 /x");
    assert_eq!(url("", &[BASE, BLANK]), "https base 443 /x/v1/logs");
    let own = "endpoint = \"http://own\"";
    assert_eq!(
        url(own, &[BASE, LOGS]),
        "http own 80 /v1/logs",
        "the file wins"
    );

    let of = |text: &str, variables: Variables| {
        let sink = sink(text, variables);
        {
            let logs = sink.logs.unwrap();
            (logs.form, sink.timeout, logs.packer.coding())
        }
    };
    let given: Variables = &[
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10000"),
        ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "2500"),
    ];
    let ms = |ms| Some(Duration::from_millis(ms));
    assert_eq!(of("", &[]), (Form::Protobuf, None, Some("gzip")));
    assert_eq!(of("", given), (Form::Json, ms(2_500), None));
    let own = "protocol = \"http/protobuf\"\ncompression = \"gzip\"";
    assert_eq!(of(own, given), (Form::Protobuf, ms(2_500), Some("gzip")));
}

/// Pairs of name and value of the headers that are the same on every request.
fn header_list(text: &str, variables: Variables) -> Vec<(String, String)> {
    let sink = sink(text, variables);
    let logs = sink.logs.unwrap();
    let pairs = logs.headers.iter().map(|(name, value)| {
        let value = value.to_str().unwrap().to_owned();
        (name.to_string(), value)
    });
    pairs
        .filter(|(name, _)| name.starts_with("x-") || name == "authorization")
        .collect()
}

#[test]
fn headers_of_the_environment_are_decoded() {
    let list = |variables: Variables| header_list("", variables);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        list(&[(
            "OTEL_EXPORTER_OTLP_HEADERS",
            "X-A=1, x-b = two%20words ,,x-c=a=="
        )]),
        [
            pair("x-a", "1"),
            pair("x-b", "two words"),
            pair("x-c", "a==")
        ]
    );
    assert_eq!(
        list(&[
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-a=1"),
            (
                "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
                "authorization=Basic%20YTpi,x-d=100%"
            )
        ]),
        [pair("authorization", "Basic YTpi"), pair("x-d", "100%")]
    );
    let own = "headers = { x-own = \"1\" }";
    let given: Variables = &[("OTEL_EXPORTER_OTLP_HEADERS", "x-a=1")];
    assert_eq!(header_list(own, given), [pair("x-own", "1")]);
}

#[test]
fn what_the_environment_says_wrongly_is_said_by_name_and_never_shown() {
    let rows: [(Variables, &str); 7] = [
        (
            &[("OTEL_EXPORTER_OTLP_HEADERS", "s3cret")],
            "cannot be a header",
        ),
        (
            &[("OTEL_EXPORTER_OTLP_HEADERS", "x=s3cret%0d%0ay: 1")],
            "cannot be a header",
        ),
        (
            &[("OTEL_EXPORTER_OTLP_HEADERS", "x=s3cret%ff")],
            "cannot be a header",
        ),
        (
            &[("OTEL_EXPORTER_OTLP_HEADERS", "Content-Type=s3cret")],
            "cannot be a header",
        ),
        (&[("OTEL_EXPORTER_OTLP_PROTOCOL", "s3cret")], "is not known"),
        (
            &[("OTEL_EXPORTER_OTLP_COMPRESSION", "s3cret")],
            "is not known",
        ),
        (
            &[("OTEL_EXPORTER_OTLP_TIMEOUT", "s3cret")],
            "is no time-out",
        ),
    ];
    for (variables, words) in rows {
        let (sink, said) = read_with("", variables);
        assert!(sink.is_some(), "{variables:?}");
        assert!(
            said.contains(words) && said.contains(variables[0].0),
            "{said}"
        );
        assert!(
            said.starts_with("warning") && !said.contains("s3cret"),
            "{said}"
        );
    }
    let (sink, said) = read_with(
        "",
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "s3cret.example:4318")],
    );
    assert!(sink.is_none());
    assert!(
        said.contains("`OTEL_EXPORTER_OTLP_ENDPOINT`: the URL has no scheme"),
        "{said}"
    );
    assert!(!said.contains("s3cret"), "{said}");
}

#[test]
fn keys_that_cannot_be_are_named() {
    let rows = [
        ("protocol = \"http\"", "`protocol`"),
        ("signals = []", "names nothing"),
        ("signals = [\"profiles\"]", "profiles"),
        ("auth = \"sigv4\"", "`sigv4` is for AWS's own endpoints"),
        (
            "auth = \"sigv4\"\nprotocol = \"grpc\"\nendpoint = \"https://logs.eu-west-1.amazonaws.com\"",
            "do not take gRPC",
        ),
        (
            "auth = \"sigv4\"\ncompression = \"zstd\"\nendpoint = \"https://logs.eu-west-1.amazonaws.com\"",
            "do not take zstd",
        ),
        (
            "signals = [\"metrics\"]\nmetrics_endpoint = \"m.example\"",
            "scheme",
        ),
        ("temporality = \"total\"", "`temporality`"),
        ("endpoint = \"collector:4318\"", "scheme"),
        ("logs_endpoint = \"https://u:p@h/\"", "credentials"),
        ("compression = \"brotli\"", "`compression`"),
        (
            "headers = { Content-Type = \"a\" }",
            "`content-type` is set by Tapline alone",
        ),
        (
            "headers = { Content-Encoding = \"a\" }",
            "`content-encoding` is set by Tapline alone",
        ),
        (
            "headers = { grpc-timeout = \"a\" }",
            "`grpc-timeout` is set by Tapline alone",
        ),
        (
            "tls = { cert = \"x\" }",
            "`cert` is of no use without `key`",
        ),
    ];
    for (text, words) in rows {
        let (sink, said) = read_with(text, &[]);
        assert!(sink.is_none(), "{text}");
        assert!(said.contains(words), "{text}: {said}");
    }
}

#[test]
fn all_that_is_wrong_is_shown_at_once() {
    let (_, said) = read_with(
        "endpoint = \"x\"\nlogs_endpoint = 7\nprotocol = \"udp\"\ncompression = \"lz4\"\nbody = \"all\"\n",
        &[],
    );
    assert_eq!(said.matches("error: ").count(), 5, "{said}");
}

#[test]
fn each_signal_has_its_own_endpoint_and_logs_may_be_left_out() {
    let sink = |text| {
        let mut sink = sink(text, &[]);
        let names: Vec<_> = sink.companions().iter().map(|(name, _)| *name).collect();
        (sink.takes_records(), names)
    };
    assert_eq!(sink(""), (true, vec![]));
    let all = "signals = [\"traces\", \"logs\", \"metrics\"]";
    assert_eq!(sink(all), (true, vec!["metrics", "traces"]));
    assert_eq!(sink("signals = [\"traces\"]"), (false, vec!["traces"]));
    let exporter = |signal, text: &str| {
        let context = Context::new(&|_| None);
        let document = Document::parse(&context, "t.toml", text.as_bytes()).unwrap();
        let reader = Reader::root(&context, &document, FIELDS);
        let exporter = Exporter::read(&reader, signal).unwrap();
        exporter.transport.url().unwrap().target.to_string()
    };
    assert_eq!(exporter(Signal::Metrics, ""), "/v1/metrics");
    assert_eq!(exporter(Signal::Traces, ""), "/v1/traces");
    let own = "metrics_endpoint = \"https://m/in\"\ntraces_endpoint = \"https://t/\"";
    assert_eq!(exporter(Signal::Metrics, own), "/in");
    assert_eq!(exporter(Signal::Traces, own), "/");
    assert_eq!(exporter(Signal::Logs, own), "/v1/logs");
}

#[test]
fn the_endpoints_of_aws_say_what_requests_are_signed_for() {
    let text = "auth = \"sigv4\"\nlogs_endpoint = \"https://logs.eu-west-1.amazonaws.com/v1/logs\"";
    let logs = sink(text, &[]).logs.unwrap();
    let Transport::Http {
        signed: Some(signed),
        ..
    } = logs.transport
    else {
        panic!("it is not signed");
    };
    let scope = (signed.scope.service.as_str(), signed.scope.region.as_str());
    assert_eq!(scope, ("logs", "eu-west-1"));
}

#[test]
fn over_grpc_the_environment_may_leave_the_scheme_out() {
    let url = |variables: Variables| {
        let environment = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let context = Context::new(&environment);
        let document = Document::parse(&context, "t.toml", b"").unwrap();
        let reader = Reader::root(&context, &document, FIELDS);
        let url = exporter::read_url(&reader, Signal::Logs, true).unwrap();
        (url.https, url.host, url.port)
    };
    const BARE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317");
    const INSECURE: (&str, &str) = ("OTEL_EXPORTER_OTLP_INSECURE", "true");
    let collector = "collector".to_owned();
    assert_eq!(url(&[]), (false, "localhost".to_owned(), 4_317));
    assert_eq!(url(&[BARE]), (true, collector.clone(), 4_317));
    assert_eq!(url(&[BARE, INSECURE]), (false, collector.clone(), 4_317));
    let https = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4317");
    assert_eq!(
        url(Box::leak(Box::new([https, INSECURE]))),
        (true, collector, 4_317)
    );
}

/// What nobody would add to a request must not be taken.
#[test]
fn a_header_of_aws_is_taken_over_http_and_over_grpc() {
    for protocol in PROTOCOLS
        .iter()
        .filter(|word| grpc::BUILT || **word != "grpc")
    {
        let text = format!(
            "endpoint = \"http://127.0.0.1:4318\"\nprotocol = \"{protocol}\"\n\
             headers = {{ a = {{ secret = \"arn:aws:ssm:eu-west-1:123456789012:parameter/a\" }} }}\n"
        );
        let (sink, said) = read_with(&text, &[]);
        assert!(sink.is_some(), "{said}");
    }
}
