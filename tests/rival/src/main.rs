//! Redaction beside `dd-sensitive-data-scanner`: what a clean line costs in each, and whether what that finds by a
//! checksum is found by ours.
//!
//! `rival` prints nanoseconds a line, which say something about one machine only, and judges ratios that hold on any:
//! against the rival with the same 10 rules, and against `memchr` looking for a byte that is not there. It exits with 1
//! where a ratio is missed five times in a row, or something that the rival finds is not found.
//! `rival count LINES RULES` only redacts, so that instructions can be counted from outside.

mod corpus;
mod oracle;
mod ours;
mod theirs;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use corpus::Corpus;
use ours::Ours;

/// Lines of a corpus, and how often all of them are timed; the fastest round counts, since others on the machine can
/// only slow one down.
const LINES: usize = 2_000;
const ROUNDS: usize = 41;

/// How much faster than the rival a clean line with 10 rules must be. Measured are 19 and more.
const RIVAL_RATIO_MIN: f64 = 14.0;

/// How many passes of `memchr` a clean line with 20 rules may cost. Measured are 4 on a busy machine and up to 9 on a
/// quiet one, as `memchr` itself is slowed down more than anything by others.
const MEMCHR_RATIO_MAX: f64 = 15.0;

/// Measurements before a missed ratio is believed.
const TRIES: usize = 5;

const TEN: &[&str] = &[
    "Ssn-US",
    "EmailAddress",
    "CreditCardNumber",
    "AwsAccessKeyId",
    "Jwt",
    "GitHubToken",
    "SlackToken",
    "Iban",
    "PkcsPrivateKey",
    "StripeKey",
];

const TEN_MORE: &[&str] = &[
    "OpenSshPrivateKey",
    "AwsSecretKey",
    "GitLabToken",
    "GoogleApiKey",
    "AnthropicKey",
    "OpenAiKey",
    "NpmToken",
    "UrlCredentials",
    "AuthorizationHeader",
    "KeyValueSecret",
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, lines, rules] = arguments.as_slice()
        && word == "count"
    {
        return count(lines, rules);
    }
    let oracle = oracle::agrees();
    for _ in 0..TRIES {
        if measure() {
            return ExitCode::from(u8::from(!oracle));
        }
    }
    ExitCode::FAILURE
}

/// Redacts so many lines with so many rules, or with `all`.
fn count(lines: &str, rules: &str) -> ExitCode {
    let Ok(lines) = lines.parse::<usize>() else {
        return ExitCode::from(2);
    };
    let twenty = [TEN, TEN_MORE].concat();
    let rules = match rules.parse::<usize>() {
        Ok(rules) => &twenty[..rules.min(twenty.len())],
        Err(_) if rules == "all" => &["@all"],
        Err(_) => return ExitCode::from(2),
    };
    let mut ours = Ours::new(rules);
    let corpus = corpus::clean(LINES);
    for _ in 0..lines / LINES {
        ours.redact(&corpus);
    }
    ExitCode::SUCCESS
}

fn measure() -> bool {
    let twenty = [TEN, TEN_MORE].concat();
    let all = ["@all"];
    let corpora = [
        ("clean JSON", corpus::clean(LINES)),
        ("clean text", corpus::text(LINES)),
        ("clean JSON in text", corpus::escaped(LINES)),
        ("one line in 20 dirty", corpus::dirty(LINES)),
    ];
    let mut sets = [
        ("10", Ours::new(TEN)),
        ("20", Ours::new(&twenty)),
        ("all", Ours::new(&all)),
    ];
    let mut rival = theirs::Theirs::ten();
    println!("ns a line, fastest of {ROUNDS} rounds of {LINES} lines");
    println!(
        "{:22} {:>5} {:>8} {:>8} {:>8} {:>8} {:>9}",
        "", "bytes", "memchr", "10 rules", "20 rules", "@all", "rival, 10"
    );
    let mut judged = true;
    for (name, corpus) in &corpora {
        let mut best = [f64::MAX; 5];
        for _ in 0..ROUNDS {
            let mut note = |at: usize, run: &mut dyn FnMut()| {
                let start = Instant::now();
                run();
                best[at] = best[at].min(start.elapsed().as_nanos() as f64 / LINES as f64);
            };
            note(0, &mut || memchr_all(corpus));
            for (at, (_, ours)) in sets.iter_mut().enumerate() {
                note(at + 1, &mut || ours.redact(corpus));
            }
        }
        // The rival is slow enough for fewer rounds to tell.
        for _ in 0..ROUNDS / 5 {
            let start = Instant::now();
            rival.redact(corpus);
            best[4] = best[4].min(start.elapsed().as_nanos() as f64 / LINES as f64);
        }
        println!(
            "{name:22} {:5} {:8.1} {:8.1} {:8.1} {:8.1} {:9.0}",
            corpus.bytes() / LINES,
            best[0],
            best[1],
            best[2],
            best[3],
            best[4]
        );
        if *name == "clean JSON" {
            let (rivals, passes) = (best[4] / best[1], best[2] / best[0]);
            println!(
                "  {rivals:.1} times faster than the rival with 10 rules (at least {RIVAL_RATIO_MIN})"
            );
            println!("  {passes:.1} passes of memchr with 20 rules (at most {MEMCHR_RATIO_MAX})");
            judged = rivals >= RIVAL_RATIO_MIN && passes <= MEMCHR_RATIO_MAX;
        }
    }
    judged
}

fn memchr_all(corpus: &Corpus) {
    for line in corpus.lines() {
        black_box(memchr::memchr(0, black_box(line.as_bytes())));
    }
}
