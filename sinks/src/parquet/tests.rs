use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::Field;
use proptest::prelude::*;
use tapline_core::level::Level;
use tapline_core::test_util;

use super::*;

/// A row as a reader gives it: nulls are left out.
type Read = Vec<(String, Field)>;

fn rows_of(batch: &Batch) -> Bytes {
    let mut rows = Vec::new();
    for record in batch.records() {
        push(batch, record, &mut rows);
    }
    rows.into()
}

fn encoded(batch: &Batch) -> Vec<u8> {
    let budget = Budget::new(64 << 20);
    let mut packed = Buffer::default();
    encode(rows_of(batch), &mut packed, &budget).unwrap();
    std::mem::take(&mut packed.bytes)
}

fn read(file: Vec<u8>) -> Vec<Read> {
    let reader = SerializedFileReader::new(Bytes::from(file)).unwrap();
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(|row| {
        let row = row.unwrap();
        let fields = row.get_column_iter();
        let there = fields.filter(|(_, field)| **field != Field::Null);
        there
            .map(|(name, field)| (name.clone(), field.clone()))
            .collect()
    })
    .collect()
}

fn text(row: &Read, name: &str) -> Option<String> {
    row.iter()
        .find(|(known, _)| known == name)
        .map(|(_, field)| match field {
            Field::Str(text) => text.clone(),
            other => panic!("{name} is {other:?}"),
        })
}

/// The line of a row, made again from its columns alone.
fn line_of(row: &Read) -> serde_json::Value {
    let mut line = serde_json::Map::new();
    let field = |name: &str| row.iter().find(|(known, _)| known == name);
    for name in ["id", "type", "level", "request_id", "trace_id"] {
        if let Some(text) = text(row, name) {
            line.insert(name.to_owned(), text.into());
        }
    }
    let mut time = Vec::new();
    if let Some((_, Field::TimestampMillis(moment))) = field("time") {
        write_rfc3339(*moment, &mut time);
    }
    let time = text(row, "time_text").unwrap_or(String::from_utf8(time).unwrap());
    if !time.is_empty() {
        line.insert("time".to_owned(), time.into());
    }
    let record = text(row, "record").unwrap();
    let Some((_, Field::Bool(is_json))) = field("is_json") else {
        panic!("it is always there");
    };
    let value = match is_json {
        true => serde_json::from_str(&record).unwrap(),
        false => record.into(),
    };
    line.insert("record".to_owned(), value);
    if let Some(attributes) = text(row, "attributes") {
        let value = serde_json::from_str(&attributes).unwrap();
        line.insert("attributes".to_owned(), value);
    }
    line.into()
}

/// Every record of a batch comes back as its line has it, in its order.
fn assert_comes_back(batch: &Batch) -> Vec<Read> {
    let read = read(encoded(batch));
    assert_eq!(read.len(), batch.records().len());
    for (record, row) in batch.records().iter().zip(&read) {
        let mut line = Vec::new();
        line::write(batch, record, &mut line);
        let wanted: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(line_of(row), wanted);
    }
    read
}

fn batch_of(rows: &[(&str, &str, Option<Level>)]) -> Batch {
    test_util::batch_of(&Budget::new(64 << 20), rows)
}

/// Sets what a record of the test's batch does not have by itself.
fn set(batch: &mut Batch, at: usize, ids: [&str; 2], attributes: &str, time: &str) {
    let kept = [ids[0], ids[1], attributes, time].map(|text| batch.keep(text.as_bytes()));
    let record = &mut batch.records_mut()[at];
    (record.request_id, record.trace_id) = (kept[0], kept[1]);
    (record.attributes, record.time) = (kept[2], kept[3]);
}

#[test]
fn columns_hold_what_the_line_holds_and_what_is_absent_is_null() {
    let mut batch = batch_of(&[
        ("function", r#""a\ntext""#, Some(Level::Info)),
        ("function", r#"{"a": 1.0,"b":"\u0041"}"#, None),
        ("platform.start", "null", None),
    ]);
    let time = "2026-03-14T09:26:53.589Z";
    set(&mut batch, 0, ["r-1", "abc"], r#""team":"pay\"s""#, time);
    set(&mut batch, 1, ["", ""], "", "2026-03-14T09:26:53.589123Z");
    set(&mut batch, 2, ["", ""], "", "yesterday");
    let read = assert_comes_back(&batch);
    let string = |text: &str| Field::Str(text.to_owned());
    let id = |number: u32| {
        let id = format!("0123456789abcdef0123456789abcdef-{number}");
        ("id".to_owned(), Field::Str(id))
    };
    let named = |fields: Vec<(&str, Field)>, number: u32| -> Read {
        let fields = fields.into_iter();
        std::iter::once(id(number))
            .chain(fields.map(|(name, field)| (name.to_owned(), field)))
            .collect()
    };
    let moment = ("time", Field::TimestampMillis(1_773_480_413_589));
    let first = vec![
        moment.clone(),
        ("type", string("function")),
        ("level", string("INFO")),
        ("request_id", string("r-1")),
        ("trace_id", string("abc")),
        ("is_json", Field::Bool(false)),
        ("record", string("a\ntext")),
        ("attributes", string(r#"{"team":"pay\"s"}"#)),
    ];
    let second = vec![
        moment,
        ("type", string("function")),
        ("is_json", Field::Bool(true)),
        ("record", string(r#"{"a": 1.0,"b":"\u0041"}"#)),
        ("time_text", string("2026-03-14T09:26:53.589123Z")),
    ];
    let third = vec![
        ("type", string("platform.start")),
        ("is_json", Field::Bool(true)),
        ("record", string("null")),
        ("time_text", string("yesterday")),
    ];
    assert_eq!(read, [named(first, 0), named(second, 1), named(third, 2)]);
}

/// Nothing that a function can print breaks the file or another record.
#[test]
fn hostile_records_come_back_beside_their_neighbours() {
    let large = format!("\"{}\"", "x".repeat(1 << 20));
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let batch = batch_of(&[
        ("function", r#""half \ud83d, whole \ud83d\ude00""#, None),
        ("function", r#"{"a\udead":["\ud83d"]}"#, None),
        ("function", r#""nothing \u0000 here""#, None),
        ("function", &large, None),
        ("function", r#""""#, None),
        ("function", "{}", None),
        (
            "function",
            "[1e400, -0, 123456789012345678901234567890]",
            None,
        ),
        ("function", &deep, None),
        ("function", "\"\u{7f}\u{2028}\u{10ffff}\"", None),
        ("", "", None),
    ]);
    let read = read(encoded(&batch));
    let record = |at: usize| text(&read[at], "record").unwrap();
    assert_eq!(read.len(), 10);
    assert_eq!(record(0), "half \u{FFFD}, whole \u{1F600}");
    assert_eq!(record(1), r#"{"a\ufffd":["\ufffd"]}"#);
    assert_eq!(record(2), "nothing \0 here");
    assert_eq!(record(3).len(), 1 << 20);
    assert_eq!(record(4), "");
    assert_eq!(record(5), "{}");
    assert_eq!(record(6), "[1e400, -0, 123456789012345678901234567890]");
    assert_eq!(record(7), deep);
    assert_eq!(record(8), "\u{7f}\u{2028}\u{10ffff}");
    assert_eq!(record(9), "null");
    assert_eq!(text(&read[9], "type"), None);
}

/// A second attempt, and a second environment with the same records, send the same bytes.
#[test]
fn the_same_records_make_the_same_file() {
    let texts: Vec<String> = (0..3_000).map(|n| format!("\"order {n} paid\"")).collect();
    let rows: Vec<_> = texts
        .iter()
        .map(|text| ("function", text.as_str(), Some(Level::Warn)))
        .collect();
    let batch = batch_of(&rows);
    let first = encoded(&batch);
    assert_eq!(first, encoded(&batch));
    assert_eq!(&first[..4], b"PAR1");
    assert_eq!(&first[first.len() - 4..], b"PAR1");
    assert!(first.len() < rows_of(&batch).len() / 5, "{}", first.len());
}

/// What encoding takes is charged before it is used, and given back.
#[test]
fn a_large_object_has_several_groups_and_its_memory_is_charged_and_given_back() {
    let noise = |seed: usize| -> String {
        let mut state = seed as u64;
        let letters = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            char::from(b' ' + 3 + (state >> 58) as u8)
        });
        let text: String = letters.take(400_000).collect();
        format!("\"{}\"", text.replace('\\', "/"))
    };
    let texts: Vec<String> = (0..30).map(noise).collect();
    let rows: Vec<_> = texts
        .iter()
        .map(|text| ("function", text.as_str(), None))
        .collect();
    let batch = batch_of(&rows);
    let (rows, budget) = (rows_of(&batch), Budget::new(64 << 20));
    let mut packed = Buffer::default();
    encode(rows.clone(), &mut packed, &budget).unwrap();
    let reader = SerializedFileReader::new(Bytes::from(packed.bytes.clone())).unwrap();
    assert_eq!(reader.metadata().num_row_groups(), 3);
    let peak = budget.peak() as usize;
    assert!(peak > ENCODER_BYTES + packed.bytes.len(), "{peak}");
    assert!(
        peak < ENCODER_BYTES + rows.len() + GROUP_BYTES,
        "{peak}: no more than another copy"
    );
    assert_eq!(budget.used() as usize, packed.bytes.capacity());
    drop(packed);
    assert_eq!(budget.used(), 0);
    assert_comes_back(&batch);
}

fn json_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        any::<String>().prop_map(|text| serde_json::Value::from(text).to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        Just("null".to_owned()),
        Just(r#""\ud83d\ude00 \u0000 \ud83d""#.to_owned()),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop::collection::vec(inner, 0..4).prop_map(|values| {
            let members = values
                .iter()
                .enumerate()
                .map(|(n, value)| format!("\"k{n}\" : {value}"));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_records_come_back_exactly(
        rows in prop::collection::vec(
            (json_text(), any::<Option<bool>>(), any::<Option<u32>>(), 0i64..4_102_444_800_000), 1..600,
        ),
    ) {
        let levels = |level: Option<bool>| level.map(|high| if high { Level::Error } else { Level::Debug });
        let records: Vec<_> = rows
            .iter()
            .map(|(value, level, _, _)| ("function", value.as_str(), levels(*level)))
            .collect();
        let mut batch = batch_of(&records);
        for (at, (_, _, id, moment)) in rows.iter().enumerate() {
            let id = id.map_or(String::new(), |id| format!("r-{id}"));
            let attributes = id.strip_prefix("r-").map_or(String::new(), |id| format!("\"weight\":{id}"));
            let mut time = Vec::new();
            write_rfc3339(*moment, &mut time);
            let mut time = String::from_utf8(time).unwrap();
            if moment % 3 == 0 {
                time = time.replace('Z', "123Z");
            }
            set(&mut batch, at, [&id, ""], &attributes, &time);
        }
        assert_comes_back(&batch);
    }
}

/// One figure of this process in bytes.
fn status(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    let kilobytes: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes << 10
}

/// The most that the process ever held while it encoded, beside the rows, against what was charged for it. As every test
/// has a process of its own, nobody else allocates; records of all sizes, each column with values that differ.
#[test]
fn encoding_takes_no_more_memory_than_is_charged() {
    let rows = {
        let mut rows = Vec::new();
        for number in 0u64..20_000 {
            let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let id = format!("{random:016x}-{:016x}", random.rotate_left(31));
            let long = if number % 1_000 == 0 {
                200_000
            } else {
                number % 300
            };
            let value = format!("\"{id} {}\\n\"", "paid ".repeat(long as usize / 5));
            let mut one = batch_of(&[("function", &value, Some(Level::Info))]);
            let attributes = format!("\"order\":\"{id}\"");
            set(&mut one, 0, [&id, &id], &attributes, &id);
            push(&one, &one.records()[0], &mut rows);
        }
        Bytes::from(rows)
    };
    assert!(rows.len() > 2 * GROUP_BYTES, "{}", rows.len());
    // The pages of the program itself are there before anything is measured.
    encoded(&batch_of(&[("function", "\"x\"", Some(Level::Info))]));
    let (budget, mut packed) = (Budget::new(64 << 20), Buffer::default());
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = status("VmRSS:");
    encode(rows.clone(), &mut packed, &budget).unwrap();
    let grown = status("VmHWM:").saturating_sub(before);
    println!(
        "{} bytes of rows, {} of Parquet, {grown} bytes more",
        rows.len(),
        packed.bytes.len()
    );
    assert!(
        grown <= ENCODER_BYTES + packed.bytes.len(),
        "{grown} bytes, {} of them the file",
        packed.bytes.len()
    );
}
