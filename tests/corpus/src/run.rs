//! Runs the corpus through `redact` and says what it found, rule by rule.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tapline_core::batch::Batch;
use tapline_core::budget::Budget;
use tapline_core::config::{Context as Loading, Document, Reader, Scope};
use tapline_core::expr::Names;
use tapline_core::facts::Facts;
use tapline_core::invocation::Invocations;
use tapline_core::ledger::Ledger;
use tapline_core::port::Identity;
use tapline_core::registry::Build;
use tapline_core::test_util::{self, VirtualWorld};
use tapline_core::transform::{Context, Transform};
use tapline_core::view::Scratch;

use crate::noise;
use crate::random::Random;
use crate::values::{Made, Row, rows};

/// Records of one batch.
const BATCH: usize = 500;

/// `redact` alone in a pipeline.
pub struct Redact {
    transform: Box<dyn Transform>,
    world: VirtualWorld,
    /// Counts of its matches by rule.
    pub ledger: Ledger,
    facts: Facts,
    invocations: Invocations,
    identity: Identity,
    budget: Budget,
    scratch: Scratch,
}

impl Redact {
    /// With these rules, written as in the configuration.
    pub fn new(rules: &str) -> Redact {
        let config = format!("rules = [{rules}]");
        let loading = Loading::new(&|_| None);
        let document =
            Document::parse(&loading, "corpus.toml", config.as_bytes()).expect("it is TOML");
        let kinds = tapline_transforms::kinds().iter();
        let kind = kinds
            .clone()
            .find(|kind| kind.name == "redact")
            .expect("the feature is on");
        let reader = Reader::root(&loading, &document, kind.fields)
            .with_scope(Scope::Redact, "transform `corpus`");
        let facts = Facts::default();
        let build = Build {
            names: Names { env: &[] },
            facts: &facts,
            memory: 16 << 20,
        };
        let transform =
            kind.build.expect("the feature is on")(&reader, &build).expect("the rules exist");
        Redact {
            transform,
            world: VirtualWorld::new(1),
            ledger: Ledger::default(),
            facts,
            invocations: Invocations::default(),
            identity: Identity::new(test_util::INSTANCE),
            budget: Budget::new(64 << 20),
            scratch: Scratch::default(),
        }
    }

    /// The raw JSON of each record afterwards.
    pub fn apply(&mut self, records: &[String]) -> Vec<String> {
        let mut out = Vec::with_capacity(records.len());
        for part in records.chunks(BATCH) {
            let rows: Vec<_> = part
                .iter()
                .map(|raw| ("function", raw.as_str(), None))
                .collect();
            let batch = test_util::batch_of(&self.budget, &rows);
            for batch in self.through(batch) {
                let values = batch
                    .records()
                    .iter()
                    .map(|record| batch.bytes(record.value));
                out.extend(values.map(|bytes| String::from_utf8_lossy(bytes).into_owned()));
            }
        }
        assert_eq!(out.len(), records.len(), "every record comes out");
        out
    }

    fn through(&mut self, batch: Batch) -> Vec<Batch> {
        let context = Context {
            world: &self.world,
            facts: &self.facts,
            invocations: &self.invocations,
            identity: &self.identity,
            budget: &self.budget,
            ledger: &self.ledger,
            scratch: &self.scratch,
        };
        let mut output = Vec::new();
        self.transform.apply(batch, &context, &mut output);
        output
    }
}

/// What one rule did with its own values.
#[derive(Debug, Clone, Copy, Default)]
pub struct Recall {
    /// Lines that held a value.
    pub lines: u64,
    /// Of those, how many came out as they should: the value gone, all else there.
    pub right: u64,
}

/// A record with a value, and what must come of it.
struct Case {
    raw: String,
    wanted: Value,
    secret: String,
}

/// Recall of every rule, `each` records for each way of writing and each of the four forms. Every record goes through
/// its rule alone, and must come out exact, and through all rules together, and must not show the value.
///
/// # Errors
///
/// Lines that tell of each value that was missed, at most a few for each rule.
pub fn recall(seed: u64, each: usize) -> (BTreeMap<&'static str, Recall>, Vec<String>) {
    let mut random = Random::seeded(seed);
    let mut all = Redact::new("'@all', 'HighEntropy'");
    let (mut found, mut missed) = (BTreeMap::<_, Recall>::new(), Vec::new());
    for row in rows() {
        let cases: Vec<Case> = (0..each * FORMS.len())
            .map(|turn| case(&mut random, row, FORMS[turn % FORMS.len()]))
            .collect();
        let raws: Vec<String> = cases.iter().map(|case| case.raw.clone()).collect();
        let alone = Redact::new(&format!("'{}'", row.rule)).apply(&raws);
        let together = all.apply(&raws);
        let recall = found.entry(row.rule).or_default();
        let mut told = 0;
        for ((case, alone), together) in cases.iter().zip(alone).zip(together) {
            let out: Value = serde_json::from_str(&alone).unwrap_or_default();
            let gone = !shows(
                &serde_json::from_str(&together).unwrap_or_default(),
                &case.secret,
            );
            recall.lines += 1;
            if peeled(&out) == case.wanted && gone {
                recall.right += 1;
            } else if told < 3 {
                told += 1;
                missed.push(format!(
                    "{}: {} -> {alone} / {together}, wanted {}",
                    row.rule, case.raw, case.wanted
                ));
            }
        }
    }
    (found, missed)
}

/// How a value is put into a record.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Json,
    Nested,
    Escaped,
}

const FORMS: [Form; 4] = [Form::Text, Form::Json, Form::Nested, Form::Escaped];

fn case(random: &mut Random, row: &Row, form: Form) -> Case {
    let made = (row.make)(random);
    let label = format!("[{}]", row.rule);
    let (text, redacted) = if row.words.is_empty() {
        let before = *random.pick(&["", "saw ", "(", "v: ", "<"]);
        let behind = *random.pick(if row.open_ended {
            &["", " ok"][..]
        } else {
            &["", " ok", ")", ", next", "."]
        });
        let around = |value: &str| format!("{before}{}{value}{}{behind}", made.before, made.after);
        (around(&made.secret), around(&label))
    } else {
        let word = *random.pick(row.words);
        // A third of the JSON says it in the key alone.
        if matches!(form, Form::Json | Form::Nested) && random.below(3) == 0 {
            return keyed(random, word, &made, &label, form);
        }
        let (before, behind) = match random.below(5) {
            0 => (format!("{word}: "), String::new()),
            1 => (format!("{word} "), " ok".to_owned()),
            2 => (format!("({word}: "), ")".to_owned()),
            3 => ("the ".to_owned(), format!(" is my {word}")),
            _ => (format!("{word} of joe: "), ", ok".to_owned()),
        };
        let around = |value: &str| format!("{before}{}{value}{}{behind}", made.before, made.after);
        (around(&made.secret), around(&label))
    };
    let line = |text: &str| json!({ "level": "INFO", "message": text, "n": 7 });
    let (value, wanted) = match form {
        Form::Text | Form::Escaped => (Value::from(text), Value::from(redacted)),
        Form::Json => (line(&text), line(&redacted)),
        Form::Nested => {
            let outer = |text: &str| json!({ "body": line(text).to_string() });
            (outer(&text), json!({ "body": line(&redacted) }))
        }
    };
    let raw = value.to_string();
    Case {
        raw: if matches!(form, Form::Escaped) {
            escaped(random, &raw)
        } else {
            raw
        },
        wanted,
        secret: made.secret,
    }
}

/// The value alone, under a key that says what it is, directly or one step further out.
fn keyed(random: &mut Random, word: &str, made: &Made, label: &str, form: Form) -> Case {
    let far = random.below(2) == 0;
    let around = |value: &str| {
        let text = format!("{}{value}{}", made.before, made.after);
        if far {
            json!({ word: { "value": text } })
        } else {
            json!({ word: text })
        }
    };
    let (value, wanted) = (around(&made.secret), around(label));
    let (value, wanted) = match form {
        Form::Nested => (
            json!({ "body": value.to_string() }),
            json!({ "body": wanted }),
        ),
        _ => (value, wanted),
    };
    Case {
        raw: value.to_string(),
        wanted,
        secret: made.secret.clone(),
    }
}

/// The same JSON text, with every third letter or so of its strings as `\u00XX`.
fn escaped(random: &mut Random, raw: &str) -> String {
    let mut out = String::new();
    let mut letters = raw.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                out.push('\\');
                out.extend(letters.next());
            }
            letter if letter != '"' && letter.is_ascii() && random.below(3) == 0 => {
                out.push_str(&format!("\\u{:04x}", u32::from(letter)));
            }
            letter => out.push(letter),
        }
    }
    out
}

/// A value whose strings that hold JSON objects are those objects.
fn peeled(value: &Value) -> Value {
    match value {
        Value::String(text) if text.starts_with('{') => match serde_json::from_str(text) {
            Ok(inner) => peeled(&inner),
            Err(_) => value.clone(),
        },
        Value::Array(items) => items.iter().map(peeled).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| (key.clone(), peeled(value)))
            .collect(),
        other => other.clone(),
    }
}

fn shows(value: &Value, secret: &str) -> bool {
    match peeled(value) {
        Value::String(text) => text.contains(secret),
        Value::Array(items) => items.iter().any(|item| shows(item, secret)),
        Value::Object(members) => members.values().any(|value| shows(value, secret)),
        _ => false,
    }
}

/// Lines without a secret that all rules together changed, with each match by rule.
#[derive(Debug, Default)]
pub struct Noise {
    /// Lines that went in.
    pub lines: u64,
    /// Lines that came out changed.
    pub changed: u64,
    /// Matches by rule.
    pub by_rule: BTreeMap<String, u64>,
    /// Some of the lines that changed, before and after.
    pub examples: Vec<String>,
}

/// Puts lines of noise through these rules.
pub fn precision(seed: u64, lines: usize, rules: &str, make: fn(&mut Random) -> String) -> Noise {
    let mut random = Random::seeded(seed);
    let mut redact = Redact::new(rules);
    let mut noise = Noise::default();
    while noise.lines < lines as u64 {
        let count = (lines - noise.lines as usize).min(BATCH);
        let raws: Vec<String> = (0..count).map(|_| raw(&make(&mut random))).collect();
        for (before, after) in raws.iter().zip(redact.apply(&raws)) {
            noise.lines += 1;
            if *before != after {
                noise.changed += 1;
                if noise.examples.len() < 40 {
                    noise.examples.push(format!("{before} -> {after}"));
                }
            }
        }
    }
    noise.by_rule = redact.ledger.redactions();
    noise
}

/// A line as the Telemetry API delivers it: an object as it is, anything else as a string.
fn raw(line: &str) -> String {
    if line.starts_with('{') {
        return line.to_owned();
    }
    Value::from(line).to_string()
}

/// Noise of all kinds.
pub fn any_noise(random: &mut Random) -> String {
    noise::line(random)
}
