//! What a record becomes, in raw bytes and as somebody else's decoder reads it.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use proptest::prelude::*;
use prost::Message as _;
use tapline_core::batch::Batch;
use tapline_core::facts::Facts;
use tapline_core::test_util;

use super::*;
use crate::test_world::select;

fn facts() -> Facts {
    Facts {
        function_name: "orders".to_owned(),
        function_memory: Some(128 << 20),
        ..Facts::default()
    }
}

fn protobuf(records: &Selection, body: Body) -> Vec<u8> {
    let mut out = Vec::new();
    let mut scratch = Scratch::default();
    logs::write(&mut Proto(&mut out), records, &facts(), body, &mut scratch);
    out
}

fn json(records: &Selection, body: Body) -> Vec<u8> {
    let mut out = Vec::new();
    let mut scratch = Scratch::default();
    logs::write(&mut Json(&mut out), records, &facts(), body, &mut scratch);
    out
}

/// The request as `opentelemetry-proto` reads it, from both forms, which must say the same.
fn decoded(records: &Selection, body: Body) -> ExportLogsServiceRequest {
    let bytes = protobuf(records, body);
    let request = ExportLogsServiceRequest::decode(bytes.as_slice()).unwrap();
    let text = json(records, body);
    let same: ExportLogsServiceRequest = serde_json::from_slice(&text)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&text)));
    assert_eq!(same, request, "{}", String::from_utf8_lossy(&text));
    request
}

fn records_of(request: ExportLogsServiceRequest) -> Vec<LogRecord> {
    let [resource] = request.resource_logs.try_into().unwrap();
    let [scope] = resource.scope_logs.try_into().unwrap();
    scope.log_records
}

/// One record with this JSON value.
fn batch(kind: &str, value: &str, level: Option<tapline_core::level::Level>) -> Batch {
    test_util::batch_of(&Budget::new(64 << 20), &[(kind, value, level)])
}

fn one(batch: Batch, body: Body) -> LogRecord {
    let [record] = records_of(decoded(&select(batch), body))
        .try_into()
        .unwrap();
    record
}

fn line(value: &str) -> LogRecord {
    one(batch("function", value, None), Body::Message)
}

/// A value as short text: `s:x`, `i:1`, `d:1.5`, `b:true`, `[…]`, `{k=…}`, `-`.
fn show(value: &AnyValue) -> String {
    match &value.value {
        None => "-".to_owned(),
        Some(Value::StringValue(text)) => format!("s:{text}"),
        Some(Value::IntValue(number)) => format!("i:{number}"),
        Some(Value::DoubleValue(number)) => format!("d:{number}"),
        Some(Value::BoolValue(value)) => format!("b:{value}"),
        Some(Value::ArrayValue(array)) => {
            let values: Vec<_> = array.values.iter().map(show).collect();
            format!("[{}]", values.join(","))
        }
        Some(Value::KvlistValue(list)) => format!("{{{}}}", pairs(&list.values)),
        other => panic!("{other:?}"),
    }
}

fn pairs(list: &[KeyValue]) -> String {
    let pair = |pair: &KeyValue| format!("{}={}", pair.key, shown(pair));
    list.iter().map(pair).collect::<Vec<_>>().join(",")
}

fn shown(pair: &KeyValue) -> String {
    pair.value.as_ref().map_or("-".to_owned(), show)
}

/// Body and attributes, without those that every record has.
fn parts(record: &LogRecord) -> (String, String) {
    let own = ["log.record.uid", "tapline.type"];
    let (always, others): (Vec<_>, Vec<_>) = record
        .attributes
        .iter()
        .cloned()
        .partition(|pair| own.contains(&pair.key.as_str()));
    assert_eq!(always.len(), 2);
    let body = record.body.as_ref().map_or("none".to_owned(), show);
    (body, pairs(&others))
}

/// Both forms say the same, and a strict reader takes the one in JSON.
#[test]
fn half_a_character_is_replaced_in_both_forms() {
    let record = line(r#"{"message":"\udead","a\ud83d":["\ud83d","\ud83d\ude00"],"b":"\\ud83d"}"#);
    let (body, attributes) = parts(&record);
    assert_eq!(body, "s:\u{FFFD}");
    assert_eq!(attributes, "a\u{FFFD}=[s:\u{FFFD},s:😀],b=s:\\ud83d");
}

#[test]
fn the_message_is_the_body_and_the_other_members_are_attributes() {
    let rows = [
        (r#""plain\n""#, "s:plain", ""),
        (r#""""#, "s:", ""),
        (
            r#""caf\u00e9 \ud83e\udd80 \"q\"\t.""#,
            "s:café 🦀 \"q\"\t.",
            "",
        ),
        (r#""[INFO] hello\n""#, "s:hello", ""),
        (
            r#""2026-01-02T03:04:05.123Z\t5e2f9b64-8d3c-4c1a-9f77-0b6a41d2c3e8\tWARN\tslow\tquery\n""#,
            "s:slow\tquery",
            "",
        ),
        (
            r#"{"message":"a\"b","n":1,"ok":true}"#,
            "s:a\"b",
            "n=i:1,ok=b:true",
        ),
        (
            r#""{\"msg\":\"in \\\"text\\\"\",\"n\":1}\n""#,
            "s:in \"text\"",
            "n=i:1",
        ),
        (
            r#"{"msg":"worse","message":"better"}"#,
            "s:better",
            "msg=s:worse",
        ),
        (
            r#"{"errorMessage":"e","errorType":"T"}"#,
            "s:e",
            "errorType=s:T",
        ),
        (
            r#"{"message":{"a":[1,null]},"b":null}"#,
            "{a=[i:1,-]}",
            "b=-",
        ),
        (
            r#"{"fields":{"message":"rust","a":1},"target":"t"}"#,
            "s:rust",
            "target=s:t,fields={a=i:1}",
        ),
        (r#"{"fields":{"message":"rust"}}"#, "s:rust", ""),
        (r#"{"fields":{"a":1},"msg":"m"}"#, "s:m", "fields={a=i:1}"),
        // Without a message the record stays whole.
        (r#"{"a":{"b":{}},"c":[]}"#, "{a={b={}},c=[]}", ""),
        ("{}", "{}", ""),
        (r#""{\"a\":1}""#, "{a=i:1}", ""),
        // No object after all.
        (r#""{\"message\":\"x\",}""#, "s:{\"message\":\"x\",}", ""),
        (r#""{not json}\n""#, "s:{not json}", ""),
        (r#"[1,"a"]"#, "[i:1,s:a]", ""),
        ("null", "none", ""),
        ("7", "i:7", ""),
        // The last of equal keys wins, also where one of them is written with an escape.
        (r#"{"a":1,"message":"m","a":2}"#, "s:m", "a=i:2"),
        (
            r#"{"\u0061":1,"message":"m","a":2,"b":3}"#,
            "s:m",
            "a=i:2,b=i:3",
        ),
        // Numbers that 64 bits do not hold keep their digits.
        (
            r#"{"message":"m","i":-9223372036854775808,"j":9223372036854775808,"d":1.50,"e":1e3,"f":1e999}"#,
            "s:m",
            "i=i:-9223372036854775808,j=s:9223372036854775808,d=d:1.5,e=d:1000,f=s:1e999",
        ),
    ];
    for (value, body, attributes) in rows {
        let got = parts(&line(value));
        assert_eq!(got, (body.to_owned(), attributes.to_owned()), "{value}");
    }
}

/// Whoever writes such a record must not have the function pay for it: eight times the members are about eight times
/// the work, and not sixty-four times.
#[test]
fn the_work_for_a_record_grows_with_its_members_and_not_with_their_square() {
    let of = |count: usize| {
        let members = (0..count).map(|number| format!("\"k{number}\":{number}"));
        let value = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
        let record = line(&value);
        let Some(Value::KvlistValue(list)) = record.body.unwrap().value else {
            panic!("it has no message");
        };
        assert_eq!(list.values.len(), count);
        select(batch("function", &value, None))
    };
    let took = |records: &Selection| {
        let start = tokio::time::Instant::now();
        protobuf(records, Body::Message);
        start.elapsed()
    };
    // Others on the machine only slow a round down: the fastest of each counts, and more are run until they tell.
    let (few, many) = (of(2_000), of(16_000));
    let (mut least_few, mut least_many) = (took(&few), took(&many));
    for round in 0..50 {
        if round >= 3 && least_many < least_few * 25 {
            return;
        }
        least_few = least_few.min(took(&few));
        least_many = least_many.min(took(&many));
    }
    panic!("{least_few:?} {least_many:?}");
}

#[test]
fn with_body_record_nothing_is_taken_apart() {
    let rows = [
        (r#""[INFO] hello\n""#, "s:[INFO] hello\n"),
        (r#"{"message":"m","n":1}"#, "{message=s:m,n=i:1}"),
    ];
    for (value, body) in rows {
        let got = parts(&one(batch("function", value, None), Body::Record));
        assert_eq!(got, (body.to_owned(), String::new()), "{value}");
    }
}

#[test]
fn attributes_of_enrich_and_ids_stand_beside_the_record_and_no_key_is_there_twice() {
    let mut batch = batch(
        "function",
        r#"{"message":"m","team":"x","faas.invocation_id":"y","n":1}"#,
        None,
    );
    let (request, trace, span) = (
        batch.keep(b"r-1"),
        batch.keep(b"5759e988bd862e3fe1be46a994272793"),
        batch.keep(b"53995c3f42cd8ad8"),
    );
    let attributes = batch.keep(br#""team":"payments","sample_weight":20,"log.record.uid":"z""#);
    let record = &mut batch.records_mut()[0];
    (record.request_id, record.trace_id, record.span_id) = (request, trace, span);
    record.attributes = attributes;
    let record = one(batch, Body::Message);
    let all = "log.record.uid=s:0123456789abcdef0123456789abcdef-0,tapline.type=s:function,\
               faas.invocation_id=s:r-1,team=s:payments,sample_weight=i:20,n=i:1";
    assert_eq!(pairs(&record.attributes), all);
    assert_eq!(record.trace_id[..3], [0x57, 0x59, 0xe9]);
    assert_eq!((record.trace_id.len(), record.span_id.len()), (16, 8));
    assert_eq!(record.span_id[7], 0xd8);
}

#[test]
fn ids_of_zeros_are_left_out() {
    let mut batch = batch("function", "\"x\"", None);
    let (trace, span) = (batch.keep(&[b'0'; 32]), batch.keep(&[b'0'; 16]));
    let record = &mut batch.records_mut()[0];
    (record.trace_id, record.span_id) = (trace, span);
    let record = one(batch, Body::Message);
    assert!(record.trace_id.is_empty() && record.span_id.is_empty());
}

#[test]
fn every_level_has_its_number_and_an_unknown_one_has_none() {
    use tapline_core::level::Level;
    let rows = [
        (Some(Level::Trace), 1, "TRACE"),
        (Some(Level::Debug), 5, "DEBUG"),
        (Some(Level::Info), 9, "INFO"),
        (Some(Level::Warn), 13, "WARN"),
        (Some(Level::Error), 17, "ERROR"),
        (Some(Level::Fatal), 21, "FATAL"),
        (None, 0, ""),
    ];
    for (level, number, text) in rows {
        let record = one(
            batch("function", r#"{"level":"odd","message":"m"}"#, level),
            Body::Message,
        );
        assert_eq!(
            (record.severity_number, record.severity_text.as_str()),
            (number, text)
        );
        assert_eq!(parts(&record).1, "level=s:odd", "the text is kept");
    }
}

#[test]
fn a_platform_event_is_an_event_and_keeps_its_record() {
    let record = one(
        batch(
            "platform.report",
            r#"{"requestId":"r","metrics":{"durationMs":1.5}}"#,
            None,
        ),
        Body::Message,
    );
    assert_eq!(record.event_name, "platform.report");
    assert_eq!(
        parts(&record).0,
        "{requestId=s:r,metrics={durationMs=d:1.5}}"
    );
    assert_eq!(line("\"x\"").event_name, "");
}

#[test]
fn both_times_are_there_to_the_nanosecond() {
    let record = line("\"x\"");
    assert_eq!(record.time_unix_nano, 1_773_480_413_589_000_000);
    assert_eq!(record.observed_time_unix_nano, 1_773_480_413_589_000_000);
    let rows: [(&[u8], Option<u64>); 8] = [
        (b"2026-03-14T09:26:53Z", Some(1_773_480_413_000_000_000)),
        (b"2026-03-14T09:26:53.5Z", Some(1_773_480_413_500_000_000)),
        (
            b"2026-03-14T09:26:53.589123Z",
            Some(1_773_480_413_589_123_000),
        ),
        (
            b"2026-03-14T09:26:53.589123456Z",
            Some(1_773_480_413_589_123_456),
        ),
        (
            b"2026-03-14T09:26:53.5891234567Z",
            Some(1_773_480_413_589_123_456),
        ),
        (
            b"2026-03-14T10:26:53.0000001+01:00",
            Some(1_773_480_413_000_000_100),
        ),
        (b"1970-01-01T00:00:00Z", Some(0)),
        (b"yesterday", None),
    ];
    for (text, wanted) in rows {
        assert_eq!(
            logs::time_ns(text),
            wanted,
            "{}",
            String::from_utf8_lossy(text)
        );
    }
}

#[test]
fn resource_and_scope_stand_once_around_all_records() {
    let request = decoded(&selection(&["a", "b", "c"]), Body::Message);
    assert_eq!(request.resource_logs.len(), 1);
    let resource = &request.resource_logs[0];
    let attributes = pairs(&resource.resource.as_ref().unwrap().attributes);
    assert!(attributes.contains("faas.name=s:orders"), "{attributes}");
    assert!(attributes.contains("service.name=s:orders"), "{attributes}");
    assert!(
        attributes.contains("faas.max_memory=i:134217728"),
        "{attributes}"
    );
    let scope = resource.scope_logs[0].scope.as_ref().unwrap();
    assert_eq!(
        (scope.name.as_str(), scope.version.as_str()),
        ("tapline", env!("CARGO_PKG_VERSION"))
    );
    let uids: Vec<_> = records_of(request)
        .iter()
        .map(|record| show(record.attributes[0].value.as_ref().unwrap()))
        .collect();
    let uid = |number: usize| format!("s:0123456789abcdef0123456789abcdef-{number}");
    assert_eq!(uids, [uid(0), uid(1), uid(2)]);
}

/// Decoders stop at 100 messages inside each other: a batch must not be lost for one deep record.
#[test]
fn what_is_nested_deeper_than_decoders_go_travels_as_text() {
    for depth in [15, 16, 17, 400] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let value = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let got = parts(&line(&format!("{{\"message\":\"m\",\"deep\":{value}}}"))).1;
            assert_eq!(got.contains("s:"), depth > 16, "{depth} {got}");
        }
    }
}

/// Every byte of one request, with the fields in the order in which they are written.
#[test]
fn one_record_is_these_bytes() {
    let records = select(batch(
        "function",
        r#"{"level":"WARN","message":"hi","n":-1}"#,
        Some(tapline_core::level::Level::Warn),
    ));
    let mut out = Vec::new();
    let facts = Facts::default();
    logs::write(
        &mut Proto(&mut out),
        &records,
        &facts,
        Body::Message,
        &mut Scratch::default(),
    );
    let hex: String = out.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex,
        include_str!("one_record.hex")
            .split_whitespace()
            .collect::<String>()
    );
    let mut out = Vec::new();
    logs::write(
        &mut Json(&mut out),
        &records,
        &facts,
        Body::Message,
        &mut Scratch::default(),
    );
    assert_eq!(
        String::from_utf8(out).unwrap(),
        include_str!("one_record.json").trim_end()
    );
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        // Eighths, because the decoder in these tests rounds others.
        any::<i32>().prop_map(|eighths| (f64::from(eighths) / 8.0).into()),
        "\\PC{0,12}".prop_map(Into::into),
        "[\\x00-\\x7f]{0,200}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map("[a-z\"\\\\é]{1,8}|message|msg|fields", inner, 0..6)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

fn back(value: &AnyValue) -> serde_json::Value {
    match &value.value {
        None => serde_json::Value::Null,
        Some(Value::StringValue(text)) => text.as_str().into(),
        Some(Value::IntValue(number)) => (*number).into(),
        Some(Value::DoubleValue(number)) => (*number).into(),
        Some(Value::BoolValue(value)) => (*value).into(),
        Some(Value::ArrayValue(array)) => array.values.iter().map(back).collect(),
        Some(Value::KvlistValue(list)) => {
            let pairs = list.values.iter().map(|pair| {
                (
                    pair.key.clone(),
                    pair.value.as_ref().map_or(serde_json::Value::Null, back),
                )
            });
            pairs.collect::<serde_json::Map<_, _>>().into()
        }
        other => panic!("{other:?}"),
    }
}

proptest! {
    /// Whatever a record is, both forms decode, to the same, and give the record back.
    #[test]
    fn any_value_comes_back_from_both_forms(value in any_json()) {
        let text = value.to_string();
        let record = one(batch("function", &text, None), Body::Record);
        if let serde_json::Value::String(inner) = &value
            && inner.trim_ascii().starts_with('{')
        {
            return Ok(());
        }
        let body = record.body.as_ref();
        prop_assert_eq!(body.map_or(serde_json::Value::Null, back), value);
        one(batch("function", &text, None), Body::Message);
    }

    /// Bytes that are no JSON break nothing either: the records of a request stay decodable.
    #[test]
    fn any_text_decodes(text in "\\PC{0,40}|\\{[\\x20-\\x7e]{0,40}\\}") {
        let quoted = serde_json::Value::from(text).to_string();
        one(batch("function", &quoted, None), Body::Message);
    }
}
