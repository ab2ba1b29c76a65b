//! Text made to be judged over and over: what it costs grows as the text does, and what is not judged goes.
//!
//! What is looked at is counted by `work`, never timed. A build with optimisation takes the longest texts that there
//! are, and every rule for every text.

use super::super::work::counted;
use super::gate::{Random, generate, parsed};
use super::*;

type Make = fn(usize) -> String;

/// What comes out where all rules are at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// What went in.
    Stays,
    /// Nothing of what was repeated.
    Goes,
    /// Nothing of this, which it was full of.
    Without(&'static str),
    /// Its beginning; what one rule would judge is too much from there on, and goes.
    Capped,
}

use Fate::{Capped, Goes, Stays, Without};

/// Ways to fill so many bytes of a text.
const TEXTS: &[(&str, Fate, Make)] = &[
    ("digits", Stays, |n| "1".repeat(n)),
    ("ats", Stays, |n| "@".repeat(n)),
    ("braces", Stays, |n| "{".repeat(n)),
    ("backslashes", Stays, |n| "\\".repeat(n)),
    ("starts of tokens", Stays, |n| "eyJ".repeat(n / 3)),
    ("tokens without an end", Stays, |n| {
        "eyJhbGciOi.".repeat(n / 11)
    }),
    ("starts of keys", Stays, |n| "-----BEGIN".repeat(n / 10)),
    ("starts of keys, spaced", Stays, |n| {
        "-----BEGIN ".repeat(n / 11)
    }),
    ("keys without an end", Goes, |n| {
        "-----BEGIN PRIVATE KEY-----".repeat(n / 27)
    }),
    ("groups of digits", Stays, |n| "1111 ".repeat(n / 5)),
    ("mails", Stays, |n| "a@1.".repeat(n / 4)),
    ("mails without a name", Stays, |n| "a@".repeat(n / 2)),
    ("URLs", Goes, |n| "://a:".repeat(n / 5) + "@"),
    ("passwords", Goes, |n| "password=".repeat(n / 9)),
    ("nothing secret", Stays, |n| "token=null ".repeat(n / 11)),
    ("nested objects", Goes, |n| "{\"a\":".repeat(n / 5)),
    ("objects in strings", Without("{\"a\":\"{"), |n| {
        "{\"a\":\"{\\\"a\\\":\\\"".repeat(n / 13)
    }),
    ("one key again and again", Without("\"a\":1"), |n| {
        format!("{{{}\"a\":1}}", "\"a\":1,".repeat(n / 6))
    }),
    ("digits and ats", Stays, |n| "1@1 eyJ".repeat(n / 7)),
    ("colons", Capped, |n| "1:".repeat(n / 2)),
    ("quotes", Stays, |n| "\"".repeat(n)),
    ("spaces", Stays, |n| " ".repeat(n)),
    ("line breaks", Stays, |n| "\r\n".repeat(n / 2)),
    ("letters", Stays, |n| "a".repeat(n)),
    ("capitals", Stays, |n| "A".repeat(n)),
    ("hex digits", Stays, |n| "0a1b2c3d4e5f6789".repeat(n / 16)),
    ("base64", Stays, |n| "aB3+xY7/".repeat(n / 8)),
    ("words of 40", Without("aB3xY7qR9tKd"), |n| {
        "aB3xY7qR9tKd2LmNpW4zVc6sHg8jFb5eTu1oQi0Z aws ".repeat(n / 45)
    }),
    ("letters and digits in turn", Stays, |n| "A1".repeat(n / 2)),
    ("key=value", Stays, |n| "key=value ".repeat(n / 10)),
    ("keys and values", Stays, |n| "a=".repeat(n / 2)),
    ("passwords that are told", Without("abc123def"), |n| {
        "password: abc123def ".repeat(n / 20)
    }),
    (
        "quoted keys",
        Without("\":'\"password\":'\"password"),
        |n| "\"password\":'".repeat(n / 12),
    ),
    ("keys, spaces, no colon", Stays, |n| {
        "\"password\"        ".repeat(n / 18)
    }),
    ("schemes", Stays, |n| "://".repeat(n / 3)),
    ("URLs without a password", Stays, |n| {
        "https://a/?b=".repeat(n / 13)
    }),
    ("URLs with one", Without("pw12"), |n| {
        "https://u:pw12@h ".repeat(n / 17)
    }),
    ("equals signs", Stays, |n| "=".repeat(n)),
    ("labels", Stays, |n| "a.".repeat(n / 2)),
    ("labels and dashes", Stays, |n| "a-b.".repeat(n / 4)),
    ("dashes", Stays, |n| "-".repeat(n)),
    ("digits and dashes", Stays, |n| "1-".repeat(n / 2)),
    ("digits, dashes and spaces", Stays, |n| {
        "12 3-4 ".repeat(n / 7)
    }),
    ("nines", Stays, |n| "123456789 ".repeat(n / 10)),
    ("nines with a word", Without("ssn 123456789"), |n| {
        format!("ssn {}", "123456789 ".repeat(n / 10))
    }),
    ("numbers of 16 digits", Stays, |n| {
        "4111111111111112 ".repeat(n / 17)
    }),
    ("cards", Without("4111111111111111"), |n| {
        "4111111111111111 ".repeat(n / 17)
    }),
    ("cards between JSON", Without("4111111111111111"), |n| {
        "{\"n\":1} 4111111111111111 ".repeat(n / 25)
    }),
    ("cards in JSON", Without("4111111111111111"), |n| {
        "{\"n\":4111111111111111} ".repeat(n / 23)
    }),
    ("starts of IBANs", Stays, |n| "DE89".repeat(n / 4)),
    ("addresses", Stays, |n| "1.1.1.".repeat(n / 6)),
    ("long addresses", Capped, |n| "::1".repeat(n / 3)),
    ("hardware addresses", Capped, |n| "00:".repeat(n / 3)),
    ("dates", Without("2001-01-01"), |n| {
        "dob 2001-01-01 ".repeat(n / 15)
    }),
    ("telephones", Stays, |n| "+1 (555) ".repeat(n / 9)),
    ("pluses", Stays, |n| "+1".repeat(n / 2)),
    ("headers", Without("Authorization: Authorization"), |n| {
        "Authorization: ".repeat(n / 15)
    }),
    ("headers with a scheme", Stays, |n| {
        "Bearer Basic ".repeat(n / 13)
    }),
    ("magnetic stripes", Stays, |n| "%B4111^".repeat(n / 7)),
    ("percent signs", Stays, |n| "a%40".repeat(n / 4)),
    ("beyond ASCII", Stays, |n| "\u{e9}\u{1f600}".repeat(n / 6)),
    ("brackets", Stays, |n| "[{\"".repeat(n / 3)),
    ("lists", Stays, |n| "[[1],".repeat(n / 5)),
    ("lines of all kinds", Stays, |n| {
        "1-1 a@1. eyJ. ://a: key= -----BEGIN 12:12 ::1 {\"a\" +1 A1B2 ".repeat(n / 59)
    }),
];

/// Ways to fill so many bytes of a record's JSON, and what must not be left of it.
const RECORDS: &[(&str, &str, Make)] = &[
    ("a long key over many numbers", "ssn 078051120", |n| {
        let numbers = "\"ssn 078051120\",".repeat(n / 32);
        format!("{{\"{}\":[{numbers}1]}}", "s".repeat(n / 2))
    }),
    ("a long key over many matches", "078051120", |n| {
        let numbers = "078051120 ".repeat(n / 20);
        format!("{{\"{}\":\"{numbers}, ssn\"}}", "s".repeat(n / 2))
    }),
    ("a long key of digits over cards", "4111111111111111", |n| {
        let numbers = "4111111111111111,".repeat(n / 34);
        format!("{{\"{}\":[{numbers}1]}}", "0".repeat(n / 2))
    }),
    ("a long key over keys", "\"c\":1", |n| {
        let members = "{\"c\":1},".repeat(n / 16);
        format!("{{\"{}\":[{members}1]}}", "ab".repeat(n / 4))
    }),
    ("many keys over many numbers", "078051120", |n| {
        let keys: String = (0..60)
            .map(|_| format!("{{\"{}\":", "s".repeat(n / 120)))
            .collect();
        let numbers = "\"078051120 ssn\",".repeat(n / 32);
        format!("{keys}[{numbers}1]{}", "}".repeat(60))
    }),
    ("numbers", "4111111111111111", |n| {
        format!("[{}1]", "4111111111111111,".repeat(n / 17))
    }),
    ("escapes", "\\u0034", |n| {
        let card = "\\u0034111\\u0031111111111\\u00311 ";
        format!("\"{}\"", card.repeat(n / card.len()))
    }),
    ("lists in lists", "4111111111111111", |n| {
        let inside = "4111111111111111,".repeat(n / 17);
        format!("{}{inside}1{}", "[".repeat(100), "]".repeat(100))
    }),
    ("JSON in strings", "4111111111111111", |n| {
        let list = format!("[{}1]", "\"4111111111111111\",".repeat(n / 40));
        let once = serde_json::to_string(&list).unwrap();
        serde_json::to_string(&format!("{{\"c\":{once}}}")).unwrap()
    }),
];

/// How long texts are, in bytes.
const SMALL: usize = if cfg!(debug_assertions) {
    8 << 10
} else {
    256 << 10
};
/// A little less, so that the longest text that is searched has room for a secret behind it.
const LARGE: usize = 4 * SMALL - 64;

const ALL_RULES: &str = "rules = ['@all']\nkeys = ['a', 'b', 'a*b.c']";

/// The transform itself, whose scanner can be asked.
fn load(config: &str) -> Redact {
    let loading = tapline_core::config::Context::new(&|_| None);
    let document =
        tapline_core::config::Document::parse(&loading, "t.toml", config.as_bytes()).unwrap();
    let reader = Reader::root(&loading, &document, KIND.fields);
    let made = redact(&reader);
    reader.finish();
    assert!(loading.finish().is_empty());
    let mut redact = made.unwrap();
    redact.prepare();
    redact
}

/// What is looked at for a record, and its JSON as it comes out.
fn work(redact: &mut Redact, raw: &str) -> (usize, String) {
    let kit = Kit::new();
    let (looked_at, batch) = counted(|| kit.apply(redact, kit.one(raw)));
    (looked_at, value(&batch, &batch.records()[0]).to_owned())
}

/// The same of a text.
fn work_of_text(redact: &mut Redact, text: &str) -> (usize, String) {
    let (looked_at, out) = work(redact, &serde_json::to_string(text).unwrap());
    (looked_at, serde_json::from_str(&out).unwrap())
}

/// Four times the text costs four times as much at most, and a bounded number of looks at each byte.
fn assert_linear(name: &str, once: usize, more: usize) {
    let ratio = more as f64 / once as f64;
    assert!(
        ratio <= RATIO_MAX,
        "{name}: {once} -> {more}, {ratio} times"
    );
    let each = more / LARGE;
    assert!(each < LOOKS_MAX, "{name}: {each} looks at each byte");
}

/// Where the longer one's JSON has over a mebibyte it is not looked at as a whole first, so all of its keys are.
const RATIO_MAX: f64 = 4.5;

/// Looks at each byte: at most one search for each of some 200 rules, and WORK_FACTOR times the text for what one judges,
/// with the words around it.
const LOOKS_MAX: usize = 1_000;

/// Each text with all rules that its gate opens to, and with every rule where that is not too slow.
fn grows_as_the_text(texts: &[(&str, Fate, Make)]) {
    let mut redact = load(ALL_RULES);
    for (name, fate, make) in texts {
        let (once, _) = work_of_text(&mut redact, &make(SMALL));
        let text = make(LARGE);
        let (more, out) = work_of_text(&mut redact, &text);
        assert_linear(name, once, more);
        match fate {
            Stays => assert_eq!(out, text, "{name}"),
            Goes => assert!(out.len() < 64 && out.contains('['), "{name}: {out}"),
            Without(secret) => assert!(text.contains(secret) && !out.contains(secret), "{name}"),
            Capped => {
                let kept = text
                    .bytes()
                    .zip(out.bytes())
                    .take_while(|(text, out)| text == out);
                assert!(
                    kept.count() + 64 >= out.len() && out.ends_with(']'),
                    "{name}: {out}"
                );
            }
        }
    }
}

/// With all rules, in three parts that run side by side.
#[test]
fn the_first_texts_cost_in_proportion_to_their_length() {
    grows_as_the_text(&TEXTS[..TEXTS.len() / 2]);
}

#[test]
fn the_last_texts_cost_in_proportion_to_their_length() {
    grows_as_the_text(&TEXTS[TEXTS.len() / 2..]);
}

#[test]
fn records_cost_in_proportion_to_their_length() {
    let mut redact = load(ALL_RULES);
    for (name, secret, make) in RECORDS {
        let (once, _) = work(&mut redact, &make(SMALL));
        // With its brackets no longer than what is looked at as a whole.
        let raw = make(LARGE - 1024);
        let (more, out) = work(&mut redact, &raw);
        assert_linear(name, once, more);
        assert!(raw.contains(secret) && !out.contains(secret), "{name}");
    }
}

/// What no gate keeps away: every rule searches every text, whatever it is.
#[test]
fn texts_that_every_rule_searches_cost_in_proportion_to_their_length() {
    let mut redact = load(ALL_RULES);
    redact.scanner.open_gate();
    let small = if cfg!(debug_assertions) {
        4 << 10
    } else {
        32 << 10
    };
    let large = 4 * small;
    for (name, _, make) in TEXTS {
        let (once, _) = work_of_text(&mut redact, &make(small));
        let (more, _) = work_of_text(&mut redact, &make(large));
        assert!(more <= once * 9 / 2, "{name}: {once} -> {more}");
        assert!(more / large < LOOKS_MAX, "{name}: {more}");
    }
}

/// Of every rule's own pattern: what it matches, what breaks off before its end, and what differs in one byte, over and
/// over, and the last byte of that again and again.
#[test]
fn what_nearly_fits_a_rule_costs_in_proportion_to_its_length() {
    let seeds = if cfg!(debug_assertions) { 1 } else { 3 };
    for rule in RULES {
        let mut redact = load(&format!("rules = ['{}']", rule.id));
        redact.scanner.open_gate();
        let hir = parsed(rule.pattern);
        for seed in 0..seeds {
            let mut random = Random::new(seed);
            let mut fits = Vec::new();
            generate(&hir, &mut random, &mut fits);
            for (way, (head, repeated)) in near_misses(&fits, &mut random).into_iter().enumerate() {
                let scan = |redact: &mut Redact, bytes: usize| {
                    let body = repeated.iter().copied().cycle().take(bytes);
                    let text: Vec<u8> = head.iter().copied().chain(body).collect();
                    counted(|| redact.scanner.scan(&text, None, &mut Vec::new())).0
                };
                let [one, two, four] = [1, 2, 4].map(|times| scan(&mut redact, times * SMALL / 2));
                let (id, shown) = (rule.id, String::from_utf8_lossy(&repeated));
                // What the first few hundred bytes cost, in which a match is hoped for, is in none of the differences.
                assert!(
                    (four - two) as f64 <= 2.5 * (two - one) as f64 + 1024.0,
                    "{id}, seed {seed}, way {way}, {shown:?}: {one}, {two}, {four}"
                );
            }
        }
    }
}

/// Something that stands once, and what is repeated behind it.
fn near_misses(fits: &[u8], random: &mut Random) -> Vec<(Vec<u8>, Vec<u8>)> {
    let cut = 1 + random.below(fits.len());
    let (first, last) = (fits[..cut].to_vec(), fits[cut - 1]);
    let mut other = fits.to_vec();
    other[cut - 1] = *random.one_of(b"0a-_ .=:@/");
    vec![
        (Vec::new(), fits.to_vec()),
        (Vec::new(), [fits, b" "].concat()),
        (Vec::new(), first.clone()),
        (Vec::new(), other),
        (first.clone(), vec![last]),
        (Vec::new(), [vec![last; 64], first].concat()),
    ]
}

/// What would cost too much to judge goes, and so does what lies behind the longest text that is searched.
#[test]
fn what_is_not_judged_is_masked() {
    let secret = "4111111111111111";
    let mut redact = load("rules = ['CreditCardNumber']");
    // Without optimisation a mebibyte takes a while.
    let step = if cfg!(debug_assertions) { 4 } else { 1 };
    for (name, _, make) in TEXTS.iter().step_by(step) {
        let text = format!("{}\n{secret}\n", make((1 << 20) + 4096));
        let (_, out) = work_of_text(&mut redact, &text);
        assert!(!out.contains(secret), "{name}");
        assert!(out.ends_with("[OVERSIZE]") || out.len() < 64, "{name}");
    }
    for (name, _, make) in TEXTS {
        let text = format!("{} {secret}", make(64 << 10));
        let (_, out) = work_of_text(&mut redact, &text);
        assert!(!out.contains(secret), "{name}");
    }
}
