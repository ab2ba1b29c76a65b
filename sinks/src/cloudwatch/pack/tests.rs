use super::*;
use crate::cloudwatch::message::Format;
use crate::test_world::select;
use proptest::prelude::*;
use tapline_core::test_util;

/// 2026-03-14T09:26:53.589Z, the time of every made record.
const NOW_MS: i64 = 1_773_480_413_589;
const HEAD: &[u8] = b"{\"logGroupName\":\"g\",\"logStreamName\":\"s\",\"logEvents\":[";

#[derive(Debug, PartialEq, Eq)]
struct Event {
    time_ms: i64,
    text: String,
    position: u32,
}

/// Records with these times and texts.
fn records(rows: &[(i64, &str)]) -> Selection {
    let texts: Vec<&str> = rows.iter().map(|(_, text)| *text).collect();
    let mut batch = test_util::batch(&texts);
    for (position, (time_ms, _)) in rows.iter().enumerate() {
        let time = batch.keep_with(|out| tapline_core::time::write_rfc3339(*time_ms, out));
        batch.records_mut()[position].time = time;
    }
    select(batch)
}

fn events(request: &Request) -> Vec<Event> {
    let body: serde_json::Value = serde_json::from_slice(&request.body.bytes).unwrap();
    let events = body["logEvents"].as_array().unwrap();
    assert_eq!(events.len(), request.positions.len());
    let events = events.iter().zip(&request.positions);
    events
        .map(|(event, position)| Event {
            time_ms: event["timestamp"].as_i64().unwrap(),
            text: event["message"].as_str().unwrap().to_owned(),
            position: *position,
        })
        .collect()
}

/// Every limit of the API, and that nothing is missing in front or behind.
fn assert_within_limits(events: &[Event]) {
    let bytes: usize = events.iter().map(|event| event.text.len() + 26).sum();
    assert!(bytes <= 1_048_576, "{bytes} bytes");
    assert!((1..=10_000).contains(&events.len()));
    assert!(
        events
            .windows(2)
            .all(|two| two[0].time_ms <= two[1].time_ms)
    );
    assert!(events.last().unwrap().time_ms - events[0].time_ms <= 86_400_000);
    assert!(events.iter().all(|event| !event.text.is_empty()));
}

fn packed(records: &Selection, oversize: Oversize) -> (Vec<Vec<Event>>, Vec<(u32, &'static str)>) {
    let budget = Budget::new(256 << 20);
    let mut writer = Writer::new(Format::Bare);
    let mut packer = Packer::new(records, NOW_MS, oversize, HEAD.into());
    let mut requests = Vec::new();
    while let Some(request) = packer.next(&mut writer, &budget) {
        let events = events(&request);
        assert_within_limits(&events);
        assert!(budget.used() >= request.body.bytes.len() as u64);
        requests.push(events);
    }
    assert_eq!(budget.used(), 0);
    (requests, std::mem::take(&mut packer.refused))
}

fn counts(rows: &[(i64, &str)]) -> Vec<usize> {
    let (requests, refused) = packed(&records(rows), Oversize::Split);
    assert_eq!(refused, []);
    requests.iter().map(Vec::len).collect()
}

#[test]
fn the_body_is_the_wire_form_to_the_byte() {
    let records = records(&[(NOW_MS, "b\n"), (NOW_MS - 1, "a \"quoted\"\tä")]);
    let mut writer = Writer::new(Format::Bare);
    let mut packer = Packer::new(&records, NOW_MS, Oversize::Split, HEAD.into());
    let request = packer.next(&mut writer, &Budget::new(1 << 20)).unwrap();
    assert_eq!(
        String::from_utf8(request.body.bytes.clone()).unwrap(),
        "{\"logGroupName\":\"g\",\"logStreamName\":\"s\",\"logEvents\":[\
         {\"timestamp\":1773480413588,\"message\":\"a \\\"quoted\\\"\\tä\"},\
         {\"timestamp\":1773480413589,\"message\":\"b\"}]}"
    );
}

#[test]
fn ten_thousand_events_are_one_request_and_one_more_are_two() {
    let row = (NOW_MS, "x");
    assert_eq!(counts(&vec![row; 10_000]), [10_000]);
    assert_eq!(counts(&vec![row; 10_001]), [10_000, 1]);
}

#[test]
fn a_request_is_filled_to_the_last_byte_as_utf_8_and_before_escaping() {
    // Two quarters and a half, with 26 bytes for each of the three.
    for unit in ["x", "ä", "\"", "\n", "😀"] {
        let part = |bytes: usize| unit.repeat(bytes / unit.len()) + &"y".repeat(bytes % unit.len());
        let (quarter, half) = (part(262_144 - 26), part(524_288 - 26));
        let rows = [
            (NOW_MS, quarter.as_str()),
            (NOW_MS, quarter.as_str()),
            (NOW_MS, half.as_str()),
        ];
        // A newline at the very end would be taken off, so the last byte is another.
        let ended: Vec<(i64, String)> = rows
            .iter()
            .map(|(time, text)| (*time, format!("{}.", &text[..floor(text)])))
            .collect();
        let full: Vec<(i64, String)> = ended
            .iter()
            .zip(rows)
            .map(|((time, text), (_, wanted))| {
                (
                    *time,
                    format!("{text}{}", "z".repeat(wanted.len() - text.len())),
                )
            })
            .collect();
        let full: Vec<(i64, &str)> = full
            .iter()
            .map(|(time, text)| (*time, text.as_str()))
            .collect();
        assert_eq!(
            full.iter().map(|(_, text)| text.len() + 26).sum::<usize>(),
            1_048_576
        );
        assert_eq!(counts(&full), [3], "{unit:?}");
        let longer = format!("{}z", full[2].1);
        assert_eq!(
            counts(&[full[0], full[1], (NOW_MS, &longer)]),
            [2, 1],
            "{unit:?}"
        );
    }
}

/// The end of the last character but one.
fn floor(text: &str) -> usize {
    text.char_indices().next_back().map_or(0, |(at, _)| at)
}

#[test]
fn twenty_four_hours_are_one_request_and_a_millisecond_more_are_two() {
    const DAY: i64 = 86_400_000;
    assert_eq!(counts(&[(NOW_MS - DAY, "a"), (NOW_MS, "b")]), [2]);
    assert_eq!(counts(&[(NOW_MS - DAY - 1, "a"), (NOW_MS, "b")]), [1, 1]);
    let days: Vec<(i64, &str)> = (0..14).rev().map(|day| (NOW_MS - day * DAY, "x")).collect();
    assert_eq!(counts(&days), [2; 7]);
}

#[test]
fn what_is_too_old_or_too_new_is_not_sent() {
    const LIMITS: (i64, i64) = (14 * 86_400_000, 7_200_000);
    let rows = [
        (NOW_MS - LIMITS.0 - 1, "older"),
        (NOW_MS - LIMITS.0, "old"),
        (NOW_MS + LIMITS.1, "new"),
        (NOW_MS + LIMITS.1 + 1, "newer"),
    ];
    let (requests, refused) = packed(&records(&rows), Oversize::Split);
    assert_eq!(refused, [(0, "too_old"), (3, "too_new")]);
    let texts: Vec<&str> = requests
        .iter()
        .flatten()
        .map(|event| event.text.as_str())
        .collect();
    assert_eq!(texts, ["old", "new"]);
}

#[test]
fn records_are_sorted_by_time_and_those_of_one_time_stay_in_order() {
    let rows = [
        (NOW_MS, "b"),
        (NOW_MS - 5, "a"),
        (NOW_MS, "c"),
        (NOW_MS - 5, "aa"),
        (NOW_MS, "d"),
    ];
    let (requests, _) = packed(&records(&rows), Oversize::Split);
    let got: Vec<(&str, u32)> = requests[0]
        .iter()
        .map(|event| (event.text.as_str(), event.position))
        .collect();
    assert_eq!(got, [("a", 1), ("aa", 3), ("b", 0), ("c", 2), ("d", 4)]);
}

#[test]
fn a_time_that_is_none_is_that_of_the_arrival() {
    let mut batch = test_util::batch(&["x", "y"]);
    let wrong = batch.keep(b"NaN");
    batch.records_mut()[0].time = wrong;
    batch.records_mut()[1].time = Default::default();
    let (requests, refused) = packed(&select(batch), Oversize::Split);
    assert_eq!(refused, []);
    assert!(requests[0].iter().all(|event| event.time_ms == NOW_MS));
}

/// Whatever a record says of its time, it is in one request or refused, and no request breaks a limit.
#[test]
fn no_time_breaks_a_request() {
    let times = [
        "0000-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999Z",
        "1970-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999Z",
        "18446744073709551615",
        "-9223372036854775808",
        "NaN",
        "",
    ];
    for wall_ms in [0, NOW_MS, i64::MIN, i64::MAX] {
        let mut batch = test_util::batch(&["x"; 8]);
        for (position, time) in times.iter().enumerate() {
            let time = batch.keep(time.as_bytes());
            batch.records_mut()[position].time = time;
        }
        let selection = select(batch);
        let mut writer = Writer::new(Format::Bare);
        let mut packer = Packer::new(&selection, wall_ms, Oversize::Split, HEAD.into());
        let budget = Budget::new(1 << 20);
        let mut sent = 0;
        while let Some(request) = packer.next(&mut writer, &budget) {
            assert_within_limits(&events(&request));
            sent += request.positions.len();
        }
        assert_eq!(sent + packer.refused.len(), times.len(), "{wall_ms}");
    }
}

#[test]
fn the_largest_message_goes_whole_and_alone() {
    let text = "x".repeat(1_048_550);
    let rows = [(NOW_MS, "a"), (NOW_MS, &text), (NOW_MS, "b")];
    assert_eq!(counts(&rows), [1, 1, 1]);
}

#[test]
fn a_larger_message_is_split_between_characters_and_no_byte_is_lost() {
    for unit in ["x", "ä", "€", "😀", "e\u{301}"] {
        let text = unit.repeat(2_500_000 / unit.len());
        let rows = [(NOW_MS, "a"), (NOW_MS, text.as_str()), (NOW_MS, "b")];
        let (requests, refused) = packed(&records(&rows), Oversize::Split);
        assert_eq!(refused, []);
        let parts: Vec<&Event> = requests
            .iter()
            .flatten()
            .filter(|event| event.position == 1)
            .collect();
        assert_eq!(parts.len(), 3);
        let joined: String = parts.iter().map(|event| event.text.as_str()).collect();
        assert!(joined == text, "{unit}");
        let others: usize = requests
            .iter()
            .flatten()
            .filter(|event| event.position != 1)
            .count();
        assert_eq!(others, 2);
    }
}

#[test]
fn a_larger_message_is_cut_off_with_its_missing_bytes_told() {
    for unit in ["x", "ä", "€", "😀"] {
        let text = unit.repeat(1_200_000 / unit.len());
        let (requests, _) = packed(&records(&[(NOW_MS, text.as_str())]), Oversize::Truncate);
        let cut = &requests[0][0].text;
        assert!(
            cut.len() <= 1_048_550 && cut.len() > 1_048_540,
            "{}",
            cut.len()
        );
        let (kept, marker) = cut.split_once("...[truncated ").unwrap();
        assert!(text.starts_with(kept));
        let missing: usize = marker.trim_end_matches(" bytes]").parse().unwrap();
        assert_eq!(kept.len() + missing, text.len(), "{unit}");
    }
    let just = "x".repeat(1_048_551);
    let (requests, _) = packed(&records(&[(NOW_MS, just.as_str())]), Oversize::Truncate);
    assert!(requests[0][0].text.ends_with(" bytes]"));
}

#[test]
fn a_larger_message_can_be_left_out_and_the_others_go() {
    let text = "x".repeat(1_048_551);
    let rows = [(NOW_MS, "a"), (NOW_MS, text.as_str()), (NOW_MS, "b")];
    let (requests, refused) = packed(&records(&rows), Oversize::Drop);
    assert_eq!(refused, [(1, "too_large")]);
    assert_eq!(requests.iter().map(Vec::len).collect::<Vec<_>>(), [2]);
    let (requests, refused) = packed(&records(&rows[1..2]), Oversize::Drop);
    assert_eq!((requests, refused), (vec![], vec![(0, "too_large")]));
}

/// Control characters take six bytes each in JSON.
#[test]
fn the_json_of_a_request_is_bounded_too() {
    let text = "\u{1}".repeat(100_000);
    let rows = vec![(NOW_MS, text.as_str()); 10];
    let selection = records(&rows);
    let budget = Budget::new(256 << 20);
    let mut writer = Writer::new(Format::Bare);
    let mut packer = Packer::new(&selection, NOW_MS, Oversize::Split, HEAD.into());
    let mut sizes = Vec::new();
    while let Some(request) = packer.next(&mut writer, &budget) {
        sizes.push(request.positions.len());
        assert!(request.body.bytes.len() <= JSON_BYTES_MAX + 100);
    }
    assert_eq!(sizes, [6, 4]);
}

proptest! {
    // Megabytes a case.
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever comes, each request is within the limits, and every record is in them once, whole and in order.
    #[test]
    fn nothing_is_lost_or_twice(
        rows in proptest::collection::vec((0..1_200_000_000i64, 0..3usize, 0..400_000usize), 1..12),
    ) {
        let rows: Vec<(i64, String)> = rows
            .into_iter()
            .map(|(age, unit, length)| {
                let unit = ["x", "\"", "ä"][unit];
                (NOW_MS - age, unit.repeat(length.max(1)))
            })
            .collect();
        let borrowed: Vec<(i64, &str)> = rows.iter().map(|(time, text)| (*time, text.as_str())).collect();
        let (requests, refused) = packed(&records(&borrowed), Oversize::Split);
        let mut seen = vec![String::new(); rows.len()];
        for event in requests.iter().flatten() {
            seen[event.position as usize].push_str(&event.text);
        }
        for (position, (time, text)) in rows.iter().enumerate() {
            if refused.iter().any(|(refused, _)| *refused == position as u32) {
                prop_assert!(NOW_MS - time > 14 * 86_400_000);
            } else {
                prop_assert!(&seen[position] == text);
            }
        }
    }
}
