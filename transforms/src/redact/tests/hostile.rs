//! Text made to be judged over and over: what it costs grows as the text does, and what is not judged goes.

use super::*;

type Make = fn(usize) -> String;

/// Ways to fill so many bytes.
const HOSTILE: [(&str, Make); 21] = [
    ("digits", |n| "1".repeat(n)),
    ("ats", |n| "@".repeat(n)),
    ("braces", |n| "{".repeat(n)),
    ("backslashes", |n| "\\".repeat(n)),
    ("starts of tokens", |n| "eyJ".repeat(n / 3)),
    ("tokens without an end", |n| "eyJhbGciOi.".repeat(n / 11)),
    ("starts of keys", |n| "-----BEGIN".repeat(n / 10)),
    ("starts of keys, spaced", |n| "-----BEGIN ".repeat(n / 11)),
    ("keys without an end", |n| {
        "-----BEGIN PRIVATE KEY-----".repeat(n / 27)
    }),
    ("groups of digits", |n| "1111 ".repeat(n / 5)),
    ("mails", |n| "a@1.".repeat(n / 4)),
    ("mails without a name", |n| "a@".repeat(n / 2)),
    ("URLs", |n| "://a:".repeat(n / 5) + "@"),
    ("passwords", |n| "password=".repeat(n / 9)),
    ("nothing secret", |n| "token=null ".repeat(n / 11)),
    ("nested objects", |n| "{\"a\":".repeat(n / 5)),
    ("objects in strings", |n| {
        "{\"a\":\"{\\\"a\\\":\\\"".repeat(n / 13)
    }),
    ("one key again and again", |n| {
        format!("{{{}\"a\":1}}", "\"a\":1,".repeat(n / 6))
    }),
    ("digits and ats", |n| "1@1 eyJ".repeat(n / 7)),
    ("colons", |n| "1:".repeat(n / 2)),
    ("quotes", |n| "\"".repeat(n)),
];

/// The bytes that the gate, the searches and the checks look at for a text, and the text that comes out.
fn work(config: &str, text: &str) -> (usize, String) {
    let (transform, said) = load_redact(config);
    assert_eq!(said, Vec::<String>::new());
    let mut redact = transform.unwrap();
    let raw = serde_json::to_string(text).unwrap();
    let kit = Kit::new();
    let batch = kit.apply(&mut redact, kit.one(&raw));
    let out = serde_json::from_str(value(&batch, &batch.records()[0])).unwrap();
    (redact.scanner.work(), out)
}

fn grows_as_the_text(config: &str, small: usize, large: usize) {
    for (name, make) in HOSTILE {
        let (once, _) = work(config, &make(small));
        let (more, _) = work(config, &make(large));
        let (ratio, most) = (
            more as f64 / once as f64,
            1.15 * large as f64 / small as f64,
        );
        assert!(ratio <= most, "{name}: {once} -> {more}, {ratio} times");
        // What one rule may judge is bound by WORK_FREE and WORK_FACTOR; the rest is passes over the text.
        let each = more / large;
        assert!(each < 8_000, "{name}: {each} bytes looked at for each");
    }
}

/// With every rule.
#[test]
fn intricate_text_costs_in_proportion_to_its_length() {
    grows_as_the_text("rules = ['@all']\nkeys = ['a', 'b']", 4 << 10, 8 << 10);
}

/// Up to the longest text that is searched, and with the rules whose matches may be long or many.
#[test]
fn a_mebibyte_costs_four_times_what_a_quarter_does() {
    let rules = "['EmailAddress', 'CreditCardNumber', 'Jwt', 'PkcsPrivateKey', 'UrlCredentials', 'KeyValueSecret']";
    let config = format!("rules = {rules}\nkeys = ['b']");
    grows_as_the_text(&config, 256 << 10, (1 << 20) - 64);
}

/// What would cost too much to judge goes, and so does what lies behind the longest text that is searched.
#[test]
fn what_is_not_judged_is_masked() {
    let secret = "4111111111111111";
    for (name, make) in HOSTILE {
        let text = format!("{}\n{secret}\n", make((1 << 20) + 4096));
        let (_, out) = work("rules = ['CreditCardNumber']", &text);
        assert!(!out.contains(secret), "{name}");
        assert!(out.ends_with("[OVERSIZE]") || out.len() < 64, "{name}");
    }
    for (name, make) in HOSTILE {
        let text = format!("{} {secret}", make(64 << 10));
        let (_, out) = work("rules = ['CreditCardNumber']", &text);
        assert!(!out.contains(secret), "{name}");
    }
}

/// The transform itself, whose work can be asked for.
fn load_redact(config: &str) -> (Option<Redact>, Vec<String>) {
    let loading = tapline_core::config::Context::new(&|_| None);
    let document =
        tapline_core::config::Document::parse(&loading, "t.toml", config.as_bytes()).unwrap();
    let reader = Reader::root(&loading, &document, KIND.fields);
    let made = redact(&reader);
    reader.finish();
    let said = loading
        .finish()
        .iter()
        .map(|problem| problem.line())
        .collect();
    (made, said)
}
