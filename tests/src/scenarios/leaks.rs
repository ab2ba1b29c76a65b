//! No secret leaves: thousands of them, in every place of a record and of a body that was thought of, through the real
//! binary, and none is in anything that came out of it. `SEEDS` says how many lives each test has, `SEED` which.
//!
//! Left out is what is not promised: the halves of a secret that has a shape, where the platform lost the other half or
//! brought it more than a second late, or where the function itself printed it as two lines; base64 and percent
//! encoding; what `enrich` takes away from under its key before `redact` sees it.

mod configuration;
mod sinks;

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::{Value, json};
use tapline::local::{Freeze, Script, Step, clock};

use crate::backend::{FakeBackend, Line, Request};
use crate::binary;
use crate::canary::{Aviary, Canary, Search, Taker, escaped, record};
use crate::harness::{End, Folder, Ledger, Scenario};
use crate::listener::Listener;
use crate::traffic::Random;

/// Canaries in bodies that are as they should be.
const WHOLE: usize = 160;
/// Rules of one life.
const RULES: usize = 14;
/// What is known to `headers` and `options` alone.
const CREDENTIAL: &str = concat!("kx9", "QwvTrinket", "PlumeRxz40");

const XRAY: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=557abcec3ee5a047;Sampled=1";

/// Now: what is a day old is not sent everywhere.
static TIME: LazyLock<String> = LazyLock::new(|| clock::timestamp(clock::wall()));

/// One life with its canaries.
struct Cage {
    random: Random,
    aviary: Aviary,
    canaries: Vec<Canary>,
    marks: Vec<String>,
    listener: Listener,
    posted: u64,
}

impl Cage {
    fn sow(&mut self) -> Canary {
        let canary = self.aviary.any(&mut self.random);
        self.canaries.push(canary.clone());
        canary
    }

    fn sow_shaped(&mut self) -> Canary {
        let canary = self.aviary.shaped(&mut self.random);
        self.canaries.push(canary.clone());
        canary
    }

    /// A record with a canary in it.
    fn record(&mut self) -> String {
        let canary = self.sow();
        let mark = format!("mark{}q", self.canaries.len());
        let raw = record(&mut self.random, &canary, &mark);
        if serde_json::from_str::<Value>(&raw).is_ok_and(|value| value["mark"] == mark) {
            self.marks.push(mark);
        }
        raw
    }

    /// What is no secret is there: every record that has a mark, but for those that were sampled or lost.
    fn assert_arrived(&self, ledger: &Ledger, requests: &[Request]) {
        let to_out = requests
            .iter()
            .filter(|request| request.target.ends_with("/out") && request.answer.accepts());
        let mut lines: Vec<Line> = to_out.flat_map(Request::lines).collect();
        // On a busy machine an answer may come too late.
        lines.sort_by(|left, right| left.id.cmp(&right.id));
        lines.dedup_by(|left, right| left.id == right.id);
        assert!(
            lines.len() as u64 >= ledger.of("out", "delivered"),
            "{ledger:?}"
        );
        let there: BTreeSet<String> = lines
            .iter()
            .filter_map(|line| Some(line.value()["mark"].as_str()?.to_owned()))
            .collect();
        let missing = self.marks.iter().filter(|mark| !there.contains(*mark));
        let dropped: u64 = ledger.dropped("out").values().sum();
        let lost = ledger.of("out", "sampled") + dropped;
        assert!(missing.count() as u64 <= lost, "{ledger:?}");
        assert!(self.marks.len() > WHOLE / 3);
    }

    async fn post(&mut self, body: impl AsRef<[u8]>) {
        assert_eq!(self.listener.post(body.as_ref()).await, 200);
    }

    /// Bodies of elements as the platform sends them.
    async fn post_whole(&mut self) {
        for _ in 0..WHOLE / 20 {
            let mut elements = Vec::new();
            for _ in 0..20 {
                let kind =
                    *self
                        .random
                        .pick(&["function", "function", "extension", "platform.new"]);
                elements.push(element(kind, &self.record()));
            }
            self.posted += 20;
            self.post(format!("[{}]", elements.join(","))).await;
        }
    }

    /// Records that come in two POSTs, cut anywhere.
    async fn post_cut(&mut self) {
        for _ in 0..24 {
            let raw = self.record();
            let whole = element("function", &raw);
            let value = whole.len() - raw.len() - 1;
            let bytes = whole.as_bytes();
            let cut = value + 1 + self.random.below(raw.len() as u64 - 1) as usize;
            let first = [b"[", &bytes[..cut], b"}]"].concat();
            let second = [b"[", &bytes[..value], &bytes[cut..], b"]"].concat();
            self.posted += 1;
            self.post(first).await;
            self.post(second).await;
        }
    }

    /// First parts whose second never comes, cut behind the secret, or inside it where its key stands before it.
    async fn post_halves(&mut self) {
        for turn in 0..18 {
            let (text, cut) = if turn % 3 == 0 {
                // What looks like an element inside of a record must stay in it, under its key.
                let canary = self.aviary.keyed(&mut self.random);
                let inside = element("function", &json!(canary.secret).to_string());
                let text = json!({ "n": [1, 2], "m": 1 })
                    .to_string()
                    .replace("2", &format!("2],\"password\":[1,{inside},{inside}"));
                self.canaries.push(canary);
                let cut = text.len() - 3;
                (text, cut)
            } else if turn % 3 == 1 {
                let canary = self.sow_shaped();
                let text = json!({ "a": [1], "message": canary.sentence }).to_string();
                let cut = text.len() - 3;
                (text, cut)
            } else {
                let canary = self.aviary.keyed(&mut self.random);
                let text = json!({ "a": [1], "password": canary.secret }).to_string();
                let cut = text.len() - 2 - self.random.below(10) as usize;
                self.canaries.push(canary);
                (text, cut)
            };
            let text = escaped(&mut self.random, &text[..cut]);
            let body = element("function", &text);
            self.posted += 1;
            self.post(format!("[{body}]")).await;
        }
    }

    /// Bodies that are no telemetry, in part or at all.
    async fn post_opaque(&mut self) {
        for turn in 0..40 {
            let canary = self.sow();
            let shaped = canary.taker != Taker::Key;
            let inner = match shaped {
                true => json!({ "message": canary.sentence }),
                false => json!({ "password": canary.secret }),
            };
            let inner = inner.to_string();
            let whole = element("function", &inner);
            let body = match turn % 9 {
                0 => inner,
                1 => format!("text before {inner}"),
                2 => format!("[{inner},[{inner}]]"),
                3 => format!("[{whole},{}]", &whole[1..]),
                4 => format!("[{}]", element("a b", &inner)),
                8 if shaped => {
                    let text = json!(canary.sentence);
                    format!("[{{\"time\":{text},\"type\":{text},\"record\":1}},1]")
                }
                5 => format!("[{}", &whole[..whole.len() - 2]),
                6 => format!("[{}]", whole.replacen(TIME.as_str(), "no time", 1)),
                _ => format!("{inner}\n{whole}\n"),
            };
            let mut body = body.into_bytes();
            if turn % 3 == 0 {
                body.splice(..0, *b"\xff\xc3 ");
            }
            if turn % 5 == 0 {
                body.extend(b" \xf0\x9f");
            }
            self.post(body).await;
        }
    }

    /// What platform events say, from which metrics and spans are made.
    async fn post_events(&mut self) {
        for turn in 0..12 {
            let canary = self.sow_shaped();
            let id = format!(
                "8476a536-e9f4-11e8-9739-{:012x}",
                self.random.below(1 << 40)
            );
            let text = canary.sentence;
            let report = json!({
                "requestId": id, "status": "error", "errorType": text,
                "metrics": { "durationMs": 7.5, "maxMemoryUsedMB": 80 },
                "tracing": { "spanId": text, "type": text, "value": if turn % 2 == 0 { XRAY } else { &text } },
                "spans": [{ "name": text, "start": *TIME, "durationMs": 1.5 }],
            });
            let kinds = [
                "report",
                "fault",
                "extension",
                "initReport",
                "runtimeDone",
                "restoreReport",
            ];
            let kind = &format!("platform.{}", kinds[turn % 12 / 2]);
            self.posted += 1;
            let body = format!("[{}]", element(kind, &report.to_string()));
            self.post(body).await;
        }
    }
}

fn element(kind: &str, record: &str) -> String {
    let time = TIME.as_str();
    format!("{{\"time\":\"{time}\",\"type\":\"{kind}\",\"record\":{record}}}")
}

/// The stages: some before `redact`, where they see what nobody else may, and some behind it.
fn transforms(aviary: &Aviary, looked_up: &str) -> String {
    format!(
        r#"version = 1
[receiver]
types = ["platform", "function", "extension"]
[[transform]]
type = "enrich"
set = {{ noted = "got {{.note}} and {{message}}", ".copied" = "{{.said}}" }}
rename = {{ ".msg" = "said_by", ".from" = ".moved" }}
lookup = {{ by = ".level", table = {{ warn = {looked_up} }}, into = "looked_up" }}
[[transform]]
type = "parse"
[[transform]]
name = "pii"
type = "redact"
{}[[transform]]
type = "enrich"
set = {{ again = "{{message}}" }}
[[transform]]
type = "sample"
rate = 1.0
tail = {{ keep = 'failed', memory = "64KiB" }}
limit = {{ rate = "1/h", by = "message" }}
when = 'level == warn'
"#,
        aviary.rules()
    )
}

/// What `check` says of a file that is good.
fn check(folder: &Folder, config: &str) -> Vec<u8> {
    let path = folder.write("tapline.toml", config);
    let output = Command::new(binary::tapline())
        .arg("check")
        .arg(path)
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    [output.stdout, output.stderr].concat()
}

/// All that came out of a life: what each destination got, what was printed, and files.
fn outputs(
    end: &End,
    requests: &[Request],
    folders: &[&std::path::Path],
) -> Vec<(String, Vec<u8>)> {
    let mut outputs = Vec::new();
    for request in requests {
        let head = format!("{} {:?}", request.target, request.headers);
        outputs.push((format!("head of {}", request.target), head.into_bytes()));
        outputs.push((format!("body of {}", request.target), request.body.clone()));
    }
    for process in &end.processes {
        outputs.push(("stderr".to_owned(), process.stderr.join("\n").into_bytes()));
        outputs.push(("stdout".to_owned(), process.stdout.join("\n").into_bytes()));
    }
    for folder in folders {
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        for file in files.filter(|file| file.file_name() != "tapline.toml") {
            let bytes = std::fs::read(file.path()).unwrap_or_default();
            outputs.push((file.path().display().to_string(), bytes));
        }
    }
    outputs
}

/// Who delivers nothing has nothing to hide.
fn assert_all_deliver(ledger: &Ledger) {
    let sinks = ledger.0["sinks"].as_object().expect("there are sinks");
    for name in sinks.keys() {
        let delivered = ledger.of(name, "delivered");
        assert_eq!(delivered == 0, name.contains("ill"), "{name}: {ledger:?}");
    }
}

fn assert_clean<'a>(search: &Search, outputs: impl IntoIterator<Item = &'a (String, Vec<u8>)>) {
    let leaks: Vec<String> = outputs
        .into_iter()
        .flat_map(|(name, bytes)| {
            let seen = search.seen_in(bytes);
            seen.into_iter().map(move |seen| format!("{name}: {seen}"))
        })
        .collect();
    let shown = &leaks[..leaks.len().min(12)];
    assert!(
        leaks.is_empty(),
        "{} leaks:\n{}",
        leaks.len(),
        shown.join("\n\n")
    );
}

/// Secrets everywhere, in everything that can come in, to sinks of every kind, of which some refuse and say all that
/// they were sent.
/// None is in anything that leaves; what is no secret arrives; the ledger adds up.
#[tokio::test]
async fn no_secret_is_in_anything_that_leaves() {
    for random in Random::seeds(1) {
        let folder = Folder::new();
        lived(random, &folder, |url| sinks::of_every_kind(url, &folder)).await;
    }
}

/// The same to every preset of `http`, each of which takes what it gets, and once more refuses it. In two halves, since
/// a file has 32 sinks at most.
#[tokio::test]
async fn no_secret_is_in_anything_that_the_first_presets_send() {
    sent_by_presets(&sinks::PRESETS[..8]).await;
}

#[tokio::test]
async fn no_secret_is_in_anything_that_the_last_presets_send() {
    sent_by_presets(&sinks::PRESETS[8..]).await;
}

async fn sent_by_presets(presets: &[(&str, &str)]) {
    for random in Random::seeds(1) {
        let folder = Folder::new();
        let requests = lived(random, &folder, |url| sinks::of_presets(url, presets)).await;
        for (preset, _) in presets {
            for path in [format!("/{preset}/"), format!("/ill_{preset}/")] {
                let mut own = requests
                    .iter()
                    .filter(|request| request.target.contains(&path));
                assert!(
                    own.any(|request| request.body.len() > 1_000),
                    "nothing came to {path}"
                );
            }
        }
        let letters = Search::new(["dead_letter.sink"]);
        let mut bodies = requests.iter().map(|request| &request.body);
        assert!(
            bodies.any(|body| !letters.seen_in(body).is_empty()),
            "no dead letter came"
        );
    }
}

/// One life with secrets in everything that can come in.
async fn lived(
    mut random: Random,
    folder: &Folder,
    to: impl FnOnce(&str) -> String,
) -> Vec<Request> {
    let mut aviary = Aviary::new(&mut random, RULES);
    let backend = FakeBackend::judging(sinks::judge());
    let looked_up = aviary.shaped(&mut random);
    let mut config = transforms(&aviary, &json!(looked_up.sentence).to_string());
    config.push_str(&to(&backend.url()));
    let checked = check(folder, &config);
    let scenario = Scenario::new(&config)
        .variable("TAPLINE_LOG", "trace")
        .on(|platform| platform.freeze = Freeze::Never);
    let mut life = scenario.begin().await;
    life.invoke(Script::new(vec![Step::Log("first".into())]))
        .await;
    let listener = Listener::find(life.lambda.temp());
    let temp = life.lambda.temp().to_owned();
    let mut cage = Cage {
        random,
        aviary,
        canaries: vec![looked_up],
        marks: Vec::new(),
        listener,
        posted: 0,
    };
    cage.post_whole().await;
    cage.post_cut().await;
    cage.post_events().await;
    let line = cage.sow_shaped().sentence.replace('\n', " ");
    let object = cage.sow().sentence;
    let steps = vec![
        Step::Log(line),
        Step::LogJson(json!({ "level": "error", "password": object })),
    ];
    life.invoke(Script::new(steps)).await;
    cage.post_halves().await;
    cage.post_opaque().await;
    life.invoke(Script::new(vec![Step::Log("last".into())]))
        .await;
    let files = [folder.path(), &temp];
    let end = life.end().await;
    end.assert_ended_well();
    let requests = backend.requests();
    let mut outputs = outputs(&end, &requests, &files);
    outputs.push(("check".to_owned(), checked));
    assert_clean(
        &Search::new(cage.canaries.iter().map(|canary| canary.secret.as_str())),
        &outputs,
    );
    let search = Search::new([CREDENTIAL]);
    let heads = |output: &&(String, Vec<u8>)| !output.0.starts_with("head of");
    assert_clean(&search, outputs.iter().filter(heads));
    let ledger = end.ledger();
    assert!(ledger.count("received") >= cage.posted, "{ledger:?}");
    cage.assert_arrived(ledger, &requests);
    assert_all_deliver(ledger);
    backend.finish();
    requests
}
