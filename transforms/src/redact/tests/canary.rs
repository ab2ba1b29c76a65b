//! Properties: what must not come out does not, whatever hides it; what holds nothing comes out as it went in.

use std::cell::RefCell;
use std::thread::LocalKey;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// Escapes characters of a JSON text's strings at random, where `choices` says so.
pub fn escape_randomly(json: &str, choices: &[bool]) -> String {
    let mut out = String::new();
    let mut inside = false;
    let mut escaped = false;
    for (position, character) in json.chars().enumerate() {
        let plain = character.is_ascii_alphanumeric() || "@.-_ ".contains(character);
        if inside && !escaped && plain && choices[position % choices.len()] {
            out.push_str(&format!("\\u{:04x}", u32::from(character)));
            continue;
        }
        if character == '"' && !escaped {
            inside = !inside;
        }
        escaped = inside && !escaped && character == '\\';
        out.push(character);
    }
    out
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0u32..10_000).prop_map(Value::from),
        "[a-zA-Zéß\"\\\\\n{}\\[\\]: ]{0,12}".prop_map(Value::from),
    ]
}

fn tree(secret: &'static str) -> impl Strategy<Value = Value> {
    let start = prop_oneof![4 => leaf(), 1 => "[a-z ]{0,8}".prop_map(move |text| Value::from(format!("{text} {secret} x")))];
    start.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[a-z\"é]{1,6}", inner.clone(), 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
            inner.prop_map(|value| Value::from(value.to_string())),
        ]
    })
}

/// Whether a value shows the secret to a reader who parses strings again and again.
fn shows(value: &Value, secret: &str) -> bool {
    match value {
        Value::String(text) => {
            text.contains(secret)
                || serde_json::from_str::<Value>(text)
                    .is_ok_and(|value| !value.is_number() && shows(&value, secret))
        }
        Value::Array(items) => items.iter().any(|item| shows(item, secret)),
        Value::Object(map) => map
            .iter()
            .any(|(key, value)| key.contains(secret) || shows(value, secret)),
        _ => false,
    }
}

thread_local! {
    static SECRETS: RefCell<Box<dyn Transform>> = RefCell::new(made(&KIND, "rules = ['@secrets']"));
    static KEYS: RefCell<Box<dyn Transform>> = RefCell::new(made(&KIND, "keys = ['pass_word']"));
    static ALL: RefCell<Box<dyn Transform>> = RefCell::new(made(&KIND, "rules = ['@all']\nkeys = ['a*']"));
}

/// Compiling the rules for each case would take longer than all cases.
fn through(transform: &'static LocalKey<RefCell<Box<dyn Transform>>>, raw: &str) -> String {
    let kit = Kit::new();
    let batch = transform.with_borrow_mut(|transform| kit.apply(&mut **transform, kit.one(raw)));
    value(&batch, &batch.records()[0]).to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_secret_never_survives(value in tree(AKIA), choices in prop::collection::vec(any::<bool>(), 1..40)) {
        let raw = escape_randomly(&value.to_string(), &choices);
        prop_assert_eq!(&serde_json::from_str::<Value>(&raw).unwrap(), &value, "the test escapes rightly");
        let out = through(&SECRETS, &raw);
        let parsed: Value = serde_json::from_str(&out).unwrap();
        prop_assert!(!shows(&parsed, AKIA), "{raw} -> {out}");
        if !shows(&value, AKIA) && !raw.contains("IOSFODNN7") {
            prop_assert_eq!(out, raw);
        }
    }

    #[test]
    fn the_value_of_a_key_never_survives(value in tree("hunter2"), choices in prop::collection::vec(any::<bool>(), 1..40)) {
        let held = serde_json::json!({ "a": [value], "Pass_Word": "canary7" });
        for nested in 0..3 {
            let mut held = held.clone();
            for _ in 0..nested {
                held = serde_json::json!({ "in": held.to_string() });
            }
            let raw = escape_randomly(&held.to_string(), &choices);
            let parsed: Value = serde_json::from_str(&through(&KEYS, &raw)).unwrap();
            prop_assert!(!shows(&parsed, "canary7"));
        }
    }

    #[test]
    fn any_text_comes_out_as_valid_json(text: String) {
        let raw = serde_json::to_string(&text).unwrap();
        let out = through(&ALL, &raw);
        prop_assert!(serde_json::from_str::<String>(&out).is_ok());
    }
}

/// Lines of numbers that real logs are full of.
#[test]
fn twenty_thousand_lines_of_numbers_are_no_cards() {
    let kit = Kit::new();
    let mut redact = made(&KIND, "rules = ['CreditCardNumber', 'Ssn-US', 'Iban']");
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..20 {
        let lines: Vec<String> = (0..1_000)
            .map(|_| {
                let (a, b) = (random(), random());
                let ms = 1_600_000_000_000 + a % 300_000_000_000;
                format!(
                    "\"{ms} {ms}000 {:08x}-{:04x}-4{:03x}-a{:03x}-{:012x} {a:016x}{b:016x} order-{:08} {:09}\"",
                    a >> 32, a & 0xffff, b & 0xfff, (b >> 12) & 0xfff, b >> 16, a % 100_000_000, b % 1_000_000_000
                )
            })
            .collect();
        let rows: Vec<_> = lines
            .iter()
            .map(|line| ("function", line.as_str(), None))
            .collect();
        kit.apply(&mut *redact, kit.batch(&rows));
    }
    assert!(
        kit.ledger.redactions().is_empty(),
        "{:?}",
        kit.ledger.redactions()
    );
}
