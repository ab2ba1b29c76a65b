//! What the options of presets may say, and what is answered where they say something else.

use super::*;

#[test]
fn a_service_that_is_known_needs_no_url() {
    for (name, options, host, path) in [
        (
            "axiom",
            "token = \"t\", dataset = \"d\"",
            "api.axiom.co",
            "/v1/datasets/d/ingest",
        ),
        (
            "axiom",
            "token = \"t\", dataset = \"d\", domain = \"eu-central-1.aws.edge.axiom.co\"",
            "eu-central-1.aws.edge.axiom.co",
            "/v1/ingest/d",
        ),
        (
            "coralogix",
            "api_key = \"t\", application = \"a\", domain = \"eu2.coralogix.com\"",
            "ingress.eu2.coralogix.com",
            "/logs/v1/singles",
        ),
        (
            "datadog",
            "api_key = \"t\"",
            "http-intake.logs.datadoghq.com",
            "/api/v2/logs",
        ),
        (
            "datadog",
            "api_key = \"t\", site = \"datadoghq.eu\"",
            "http-intake.logs.datadoghq.eu",
            "/api/v2/logs",
        ),
        (
            "dynatrace",
            "token = \"t\", environment = \"abc12345\"",
            "abc12345.live.dynatrace.com",
            "/api/v2/logs/ingest",
        ),
        (
            "honeycomb",
            "api_key = \"t\", region = \"eu\"",
            "api.eu1.honeycomb.io",
            "/1/batch/orders",
        ),
        (
            "logzio",
            "token = \"t\"",
            "listener.logz.io",
            "/?token=t&type=lambda",
        ),
        (
            "firehose",
            "stream = \"s\", region = \"cn-north-1\"",
            "firehose.cn-north-1.amazonaws.com.cn",
            "/",
        ),
        (
            "newrelic",
            "license_key = \"t\"",
            "log-api.newrelic.com",
            "/log/v1",
        ),
        (
            "newrelic",
            "license_key = \"t\", region = \"gov\"",
            "gov-log-api.newrelic.com",
            "/log/v1",
        ),
    ] {
        let text = format!("preset = \"{name}\"\noptions = {{ {options} }}");
        let sink = sink(&text).unwrap_or_else(|error| panic!("{error}"));
        let url = sink.client.url();
        assert_eq!((url.host.as_str(), url.https), (host, true), "{name}");
        let (world, budget) = (world(), Budget::new(1 << 20));
        let service = sink.service.as_ref().unwrap();
        let target = service.target(&world.call(&budget), 0).unwrap();
        assert_eq!(target.to_string(), path, "{name}");
    }
}

/// A URL with a path is used as it is; one that is a base gets the path of the service.
#[tokio::test]
async fn a_url_may_be_whole() {
    for (path, wanted) in [
        ("", "/loki/api/v1/push"),
        ("/", "/loki/api/v1/push"),
        ("/proxy/", "/proxy/loki/api/v1/push"),
        ("/api/prom/push", "/api/prom/push"),
    ] {
        let server = Server::start(vec![vec![Take, OK]]).await;
        let base = format!("http://127.0.0.1:{}{path}", server.port);
        deliver(&mut preset_at("loki", "", &base), &world()).await;
        let request = String::from_utf8(server.requests()[0].clone()).unwrap();
        let line = request.lines().next().unwrap();
        assert_eq!(line, format!("POST {wanted} HTTP/1.1"));
    }
}

#[tokio::test]
async fn credentials_of_a_preset_may_come_from_headers_or_auth() {
    let text = "preset = \"axiom\"\nurl = \"http://a/\"\noptions = { dataset = \"d\" }\nauth = { bearer = \"s3cret\" }";
    let built = sink(text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(built.headers["authorization"], "Bearer s3cret");
    let text = "preset = \"datadog\"\nheaders = { DD-API-KEY = { env = \"TOKEN\" } }";
    let built = sink(text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(built.headers["dd-api-key"], "s3cret");
    let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:dd-AbCdEf";
    let text =
        format!("preset = \"datadog\"\nheaders = {{ dd-api-key = {{ secret = \"{arn}\" }} }}");
    let built = sink(&text).unwrap_or_else(|error| panic!("{error}"));
    assert!(!built.headers.contains_key("dd-api-key"), "it comes later");
    let text = "preset = \"logzio\"\nurl = \"https://listener.logz.io:8071/?token=s3cret\"";
    assert!(sink(text).is_ok());
}

/// Each option that is a credential, with the header that it becomes.
const CREDENTIALS: [(&str, &str, &str); 9] = [
    ("axiom", "token", "authorization: Bearer s3cret\r\n"),
    ("better_stack", "token", "authorization: Bearer s3cret\r\n"),
    ("coralogix", "api_key", "authorization: Bearer s3cret\r\n"),
    ("datadog", "api_key", "dd-api-key: s3cret\r\n"),
    ("dynatrace", "token", "authorization: Api-Token s3cret\r\n"),
    (
        "elasticsearch",
        "api_key",
        "authorization: ApiKey s3cret\r\n",
    ),
    ("honeycomb", "api_key", "x-honeycomb-team: s3cret\r\n"),
    ("newrelic", "license_key", "api-key: s3cret\r\n"),
    ("splunk_hec", "token", "authorization: Splunk s3cret\r\n"),
];

/// As text, from the environment and from AWS: each time the same header arrives.
#[tokio::test]
async fn a_credential_of_a_preset_may_come_from_everywhere() {
    let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:it-AbCdEf#token";
    for (preset, key, header) in CREDENTIALS {
        for value in [
            "\"s3cret\"",
            "{ env = \"TOKEN\" }",
            &format!("{{ secret = \"{arn}\" }}"),
        ] {
            let server = Server::start(vec![vec![Take, OK]]).await;
            let text = format!(
                "preset = \"{preset}\"\nurl = \"http://127.0.0.1:{}\"\n\
                 options = {{ {} }}",
                server.port,
                options_of(preset).replace("\"t0ken\"", value),
            );
            assert!(text.contains(&format!("{key} = {value}")), "{text}");
            let environment = |name: &str| (name == "TOKEN").then(|| "s3cret".to_owned());
            let context = Context::new(&environment);
            let mut sink = sink_in(&context, &text).unwrap_or_else(|| panic!("{text}"));
            let secrets = context.late_secrets();
            assert_eq!(context.finish().render(), "");
            assert_eq!(secrets.wanted().len(), usize::from(value.contains("arn:")));
            for late in secrets.wanted() {
                late.set("{\"token\":\"s3cret\"}");
            }
            deliver(&mut sink, &world()).await;
            let request = String::from_utf8(server.requests().remove(0)).unwrap();
            assert_eq!(
                request.matches(header).count(),
                1,
                "{preset} {value}: {request}"
            );
        }
    }
}

#[test]
fn a_token_that_is_part_of_a_url_does_not_come_from_aws() {
    let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:it-AbCdEf";
    let text = format!("preset = \"logzio\"\noptions = {{ token = {{ secret = \"{arn}\" }} }}");
    let error = sink(&text).err().unwrap();
    assert!(error.contains("write `{ env = \"NAME\" }`"), "{error}");
}

#[test]
fn what_cannot_be_meant_is_refused_with_a_remedy() {
    let rows = [
        (
            "preset = \"lokki\"\noptions = { key = \"s3cret\" }",
            "did you mean `loki`?",
        ),
        ("preset = \"loki\"", "lacks the key `url`"),
        (
            "preset = \"better_stack\"\noptions = { token = \"s3cret\" }",
            "lacks the key `url`",
        ),
        (
            "preset = \"datadog\"",
            "`datadog` lacks the option `api_key`",
        ),
        (
            "preset = \"datadog\"\noptions = { api_key = { env = \"UNSET\" } }",
            "unset or empty",
        ),
        (
            "preset = \"datadog\"\noptions = { api_key = \"s3cret\\n\" }",
            "line break",
        ),
        (
            "preset = \"datadog\"\nurl = \"http://a/\"\noptions = { api_key = \"s3cret\", site = \"b\" }",
            "`url` and `site` both say where requests go",
        ),
        (
            "preset = \"honeycomb\"\nurl = \"http://a/\"\noptions = { api_key = \"s3cret\", region = \"eu\" }",
            "`url` and `region` both say where requests go",
        ),
        (
            "preset = \"datadog\"\noptions = { api_key = \"s3cret\", site = \"https://x\" }",
            "`site` is no host's name",
        ),
        (
            "preset = \"datadog\"\noptions = { api_key = \"s3cret\", sites = \"x\" }",
            "did you mean `site`?",
        ),
        (
            "preset = \"datadog\"\noptions = { api_key = \"s3cret\" }\nheaders = { dd-api-key = \"s3cret\" }",
            "both set `dd-api-key`",
        ),
        (
            "preset = \"axiom\"\noptions = { token = \"s3cret\" }",
            "lacks the key `dataset`",
        ),
        (
            "preset = \"axiom\"\noptions = { token = \"s3cret\", dataset = \"{type}\" }",
            "`type` differs from record to record",
        ),
        (
            "preset = \"axiom\"\noptions = { token = \"s3cret\", dataset = \"d\", fields = { id = \"x\" } }",
            "the field `id` is set by Tapline alone",
        ),
        (
            "preset = \"axiom\"\noptions = { token = \"s3cret\", dataset = \"d\", fields = { a = \"{cold_start}\" } }",
            "a sink does not know `cold_start`",
        ),
        (
            "preset = \"axiom\"\noptions = { token = \"s3cret\", dataset = 7 }",
            "expected a template in a string",
        ),
        (
            "preset = \"coralogix\"\noptions = { api_key = \"s3cret\", application = \"\" }",
            "`application` is empty",
        ),
        (
            "preset = \"clickhouse\"\nurl = \"http://a/\"\noptions = { table = \"a`; DROP\" }",
            "is no name of a table",
        ),
        ("preset = \"logzio\"", "`logzio` lacks the option `token`"),
        (
            "preset = \"sumo_logic\"\nurl = \"http://a/\"\noptions = { fields = { a = \"b,c\" } }",
            "holds `,` or `=`",
        ),
        (
            "preset = \"elasticsearch\"\nurl = \"http://a/\"\noptions = { api_key = \"s3cret\" }\nauth = { bearer = \"s3cret\" }",
            "both set `authorization`",
        ),
        (
            "preset = \"loki\"\nurl = \"http://a/\"\nframing = \"text\"",
            "`framing` is what the preset sets",
        ),
        (
            "preset = \"loki\"\nurl = \"http://a/\"\nmethod = \"PUT\"",
            "`method` is what the preset sets",
        ),
        (
            "preset = \"loki\"\nurl = \"http://a/\"\noptions = { labels = {} }",
            "a stream has 1 to 15 labels, found 0",
        ),
        (
            "preset = \"loki\"\nurl = \"http://a/\"\noptions = { labels = { \"a-b\" = \"x\" } }",
            "`a-b` is no name of a label",
        ),
        (
            "preset = \"loki\"\nurl = \"http://a/\"\noptions = { labels = { __a = \"x\" } }",
            "`__a` is no name of a label",
        ),
        (
            "preset = \"loki\"\nurl = \"http://a/\"\noptions = { labels = { r = \"{request_id}\" } }",
            "would open a stream for every request_id",
        ),
        (
            "preset = \"loki\"\nurl = \"http://a/\"\noptions = { labels = { r = \"{nonsense}\" } }",
            "there is no name `nonsense`",
        ),
        (
            "preset = \"loki\"\nurl = \"http://a/\"\noptions = \"s3cret\"",
            "expected a table",
        ),
        (
            "preset = \"firehose\"\noptions = { stream = \"s\" }",
            "no region of AWS is known",
        ),
        (
            "preset = \"firehose\"\noptions = { stream = \"s\", region = \"eu-west-1\" }\nauth = { bearer = \"s3cret\" }",
            "`firehose` signs its requests itself",
        ),
        (
            "preset = \"firehose\"\noptions = { stream = \"s\", region = \"eu-west-1\" }\ncompression = \"gzip\"",
            "`firehose` does not take `gzip`",
        ),
        (
            "preset = \"loki\"\nurl = \"http://a/\"\ncompression = \"zstd\"",
            "`loki` does not take `zstd`",
        ),
        (
            "url = \"http://a/\"\noptions = { key = \"s3cret\" }",
            "there is none",
        ),
    ];
    for (text, wanted) in rows {
        let Err(message) = sink(text) else {
            panic!("{text} was taken");
        };
        let warned = wanted.starts_with("did you mean `site`");
        assert!(warned || !message.starts_with("built"), "{text}: {message}");
        assert!(message.contains(wanted), "{text}: {message}");
        assert!(!message.contains("s3cret"), "{text}: {message}");
    }
}

#[test]
fn all_problems_of_options_are_shown_at_once() {
    let text = "preset = \"coralogix\"\noptions = { api_key = 7, domain = \"a b\", application = \"{nonsense}\", subsystem = \"\", wrong = 1 }\nmethod = \"PUT\"\n";
    let Err(message) = sink(text) else {
        panic!("it was taken");
    };
    for part in [
        "`api_key`",
        "`domain`",
        "`nonsense`",
        "`subsystem`",
        "`wrong`",
        "`method`",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

/// The only request that a preset with these options makes of records of each level.
async fn sent_with(name: &str, options: &str) -> String {
    let rows: Vec<_> = Level::ALL
        .iter()
        .map(|level| ("Käse Type", "\"x\"", Some(*level)))
        .collect();
    let server = Server::start(vec![vec![Take, OK]]).await;
    let base = format!("http://127.0.0.1:{}", server.port);
    let mut sink = preset_at(name, options, &base);
    let (world, budget) = (world(), Budget::new(64 << 20));
    let records = select(test_util::batch_of(&budget, &rows));
    sink.deliver(&records, world.call(&budget)).await;
    String::from_utf8(server.requests()[0].clone()).unwrap()
}

#[tokio::test]
async fn elasticsearch_leaves_out_ids_and_overwrites_where_it_is_told_to() {
    let request = sent_with(
        "elasticsearch",
        "index = \"-Logs/{type}\", action = \"index\", id = false",
    )
    .await;
    let action = "{\"index\":{\"_index\":\"xlogs_k__se_type\"}}\n{\"@timestamp\"";
    assert_eq!(request.matches(action).count(), 6, "{request}");
    assert!(!request.contains("\"_id\""));
    let empty = sent_with("elasticsearch", "index = \"{.missing}\"").await;
    assert!(
        empty.contains("{\"_index\":\"unknown\",\"_id\":"),
        "{empty}"
    );
}

#[tokio::test]
async fn coralogix_has_numbers_for_levels() {
    let request = sent_with("coralogix", "api_key = \"t\", application = \"a\"").await;
    let numbers = request.split("\"severity\":").skip(1);
    let numbers: Vec<&str> = numbers.map(|rest| &rest[..1]).collect();
    // Trace is verbose, which Coralogix counts above debug.
    assert_eq!(numbers, ["2", "1", "3", "4", "5", "6"]);
}

#[tokio::test]
async fn clickhouse_inserts_at_once_where_it_is_told_to() {
    let request = sent_with("clickhouse", "table = \"t\", async_insert = false").await;
    assert!(!request.contains("async_insert"), "{request}");
    assert!(request.contains("&wait_end_of_query=1&"), "{request}");
}
