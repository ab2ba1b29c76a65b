//! A life in words: what went in, what each sink made of it, what it cost the function, and whether the books balance.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde_json::Value;

use super::element::Record;
use super::scenario::Life;
use super::{Journal, ProcessEnd, Status};

/// Lines of samples and of output that are shown.
const LINES_MAX: usize = 40;

/// Characters of a line that are shown.
const WIDTH_MAX: usize = 160;

/// What an extension wrote into its ledger line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// Records that it received.
    pub received: u64,
    /// POSTs that it knew already.
    pub duplicates: u64,
    /// Per sink, by name.
    pub sinks: Vec<(String, SinkLedger)>,
}

/// One sink's share of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkLedger {
    /// Everything that was to be accounted for: received, generated and inherited.
    pub due: u64,
    /// Where it ended, in the ledger's words; `dropped` with its reason.
    pub ends: Vec<(String, u64)>,
}

impl SinkLedger {
    /// Records that are still on their way.
    pub fn in_flight(&self) -> u64 {
        let found = self.ends.iter().find(|(name, _)| name == "in_flight");
        found.map_or(0, |(_, count)| *count)
    }

    /// Whether every record ended in exactly one place.
    pub fn balances(&self) -> bool {
        self.in_flight() == 0 && self.due == self.ends.iter().map(|(_, count)| count).sum::<u64>()
    }
}

impl Ledger {
    /// Reads a line of stderr: `{"tapline":"ledger","received":3,"sinks":{"out":{"delivered":3,…}},…}`.
    pub fn parse(line: &str) -> Option<Ledger> {
        let value: Value = serde_json::from_str(line).ok()?;
        if value["tapline"] != "ledger" {
            return None;
        }
        let received = value["received"].as_u64()?;
        let sinks = value["sinks"].as_object()?.iter();
        let sinks = sinks.map(|(name, sink)| (name.clone(), SinkLedger::read(&value, sink)));
        Some(Ledger {
            received,
            duplicates: value["duplicates"].as_u64().unwrap_or(0),
            sinks: sinks.collect(),
        })
    }
}

impl SinkLedger {
    fn read(ledger: &Value, sink: &Value) -> SinkLedger {
        let number = |value: &Value| value.as_u64().unwrap_or(0);
        let own = |key: &str| sink[key].as_u64().unwrap_or_else(|| number(&ledger[key]));
        let due = number(&ledger["received"]) + own("generated") + own("inherited");
        let mut ends = Vec::new();
        for key in [
            "delivered",
            "filtered",
            "sampled",
            "merged",
            "rejected",
            "dropped",
            "in_flight",
        ] {
            match &sink[key] {
                Value::Object(reasons) => ends.extend(
                    reasons
                        .iter()
                        .map(|(reason, count)| (format!("{key} ({reason})"), number(count))),
                ),
                count => ends.push((key.to_owned(), number(count))),
            }
        }
        ends.retain(|(_, count)| *count > 0);
        SinkLedger { due, ends }
    }
}

/// Everything that was not as it should be; empty is good.
pub fn problems(life: &Life) -> Vec<String> {
    let mut found = Vec::new();
    if life.init.status != Status::Success {
        let why = life
            .init
            .fatal
            .as_ref()
            .map_or_else(String::new, |f| format!(": {}: {}", f.kind, f.message));
        found.push(format!("init ended with {}{why}", life.init.status.word()));
    }
    for invoked in life.invoked.iter().filter(|invoked| !invoked.as_expected()) {
        let outcome = &invoked.outcome;
        let why = outcome
            .fatal
            .as_ref()
            .map_or_else(String::new, |f| format!(": {}: {}", f.kind, f.message));
        found.push(format!(
            "`{}` ended with {}{why}",
            invoked.title,
            outcome.status.word()
        ));
    }
    for process in &life.processes {
        if process.killed {
            found.push(format!(
                "{} {} had to be killed",
                process.name, process.generation
            ));
        }
    }
    let extensions = life
        .processes
        .iter()
        .filter(|process| process.name != "runtime");
    for process in extensions {
        let place = format!("{} {}", process.name, process.generation);
        let Some(ledger) = ledger(process) else {
            found.push(format!("{place} printed no ledger"));
            continue;
        };
        for (name, sink) in ledger.sinks.iter().filter(|(_, sink)| !sink.balances()) {
            found.push(format!(
                "the ledger of {place} does not balance for sink `{name}`: {}",
                account(sink)
            ));
        }
    }
    found
}

fn ledger(process: &ProcessEnd) -> Option<Ledger> {
    process
        .stderr
        .iter()
        .rev()
        .find_map(|line| Ledger::parse(line))
}

/// The whole report.
pub fn render(life: &Life) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    times(&mut out, life).ok();
    went_in(&mut out, &life.journal).ok();
    for process in &life.processes {
        came_out(&mut out, process).ok();
    }
    let found = problems(life);
    if found.is_empty() {
        writeln!(
            out,
            "\nGood: every invocation ended as it should, nothing was killed, the ledger balances."
        )
        .ok();
    } else {
        writeln!(out, "\nNot good:").ok();
        for problem in found {
            writeln!(out, "  - {problem}").ok();
        }
    }
    out
}

fn millis(duration: Duration) -> String {
    format!("{:.0} ms", duration.as_secs_f64() * 1e3)
}

fn times(out: &mut String, life: &Life) -> std::fmt::Result {
    let init = &life.init;
    writeln!(
        out,
        "Init: {}, {}",
        millis(init.duration),
        init.status.word()
    )?;
    for start in &init.extensions {
        let after = |time: Option<Duration>| time.map_or_else(|| "never".to_owned(), millis);
        let registered = after(start.registered_after);
        let ready = after(start.ready_after);
        writeln!(
            out,
            "  {}: registered after {registered}, ready after {ready}",
            start.name
        )?;
    }
    writeln!(
        out,
        "\n{:<24} {:<9} {:>9} {:>9} {:>9}  ",
        "Invocation", "status", "function", "held", "init"
    )?;
    for invoked in &life.invoked {
        let outcome = &invoked.outcome;
        let held = outcome.held.iter().map(|(_, held)| *held).max();
        let dash = || "-".to_owned();
        writeln!(
            out,
            "{:<24} {:<9} {:>9} {:>9} {:>9}  {}",
            invoked.title,
            outcome.status.word(),
            millis(outcome.duration),
            held.map_or_else(dash, millis),
            outcome
                .suppressed_init
                .as_ref()
                .map_or_else(dash, |init| millis(init.duration)),
            outcome
                .function_error
                .as_ref()
                .map_or("", |error| error.kind.as_str()),
        )?;
    }
    let resets = life
        .invoked
        .iter()
        .filter_map(|invoked| invoked.outcome.reset.as_ref());
    for end in resets.chain([&life.shutdown]) {
        writeln!(
            out,
            "Shutdown ({}): {}",
            end.reason.word(),
            millis(end.duration)
        )?;
    }
    Ok(())
}

fn shorten(line: &str) -> String {
    let line = line.replace(['\n', '\r'], "⏎");
    match line.char_indices().nth(WIDTH_MAX) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

/// A line that a sink wrote for a record, for a person: time of day, type, level, the text, the attributes. Any other
/// line as it is.
fn plain(line: &str) -> String {
    let Ok(Value::Object(record)) = serde_json::from_str(line) else {
        return line.to_owned();
    };
    let (Some(time), Some(kind), Some(value)) =
        (record.get("time"), record.get("type"), record.get("record"))
    else {
        return line.to_owned();
    };
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let (time, kind) = (text(time), text(kind));
    let clock = time.get(11..23).unwrap_or(&time);
    let level = record.get("level").map(&text).unwrap_or_default();
    let attributes = record
        .get("attributes")
        .map(|attributes| format!("  {attributes}"))
        .unwrap_or_default();
    format!(
        "{clock} {kind} {level:<5} {}{attributes}",
        text(value).trim_end()
    )
}

fn went_in(out: &mut String, journal: &Journal) -> std::fmt::Result {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for sent in journal
        .deliveries
        .iter()
        .flat_map(|delivery| &delivery.sent)
    {
        *counts.entry(&sent.kind).or_default() += 1;
    }
    let total: usize = counts.values().sum();
    writeln!(out, "\nWhat went in: {total} records for subscribers")?;
    for (kind, count) in counts {
        writeln!(out, "  {count:>6}  {kind}")?;
    }
    let mut missed: BTreeMap<&str, usize> = BTreeMap::new();
    let sent = journal
        .deliveries
        .iter()
        .flat_map(|delivery| &delivery.sent);
    for sent in sent.filter(|sent| sent.delivered == 0) {
        *missed.entry(&sent.kind).or_default() += 1;
    }
    for (kind, count) in missed {
        // The report of an invocation that ended in a reset has no process left to go to.
        writeln!(out, "  of these {count} {kind} could not be delivered")?;
    }
    writeln!(out, "Lines of the function:")?;
    let lines = journal
        .elements
        .iter()
        .filter(|element| element.kind == "function");
    for element in lines.take(LINES_MAX) {
        if let Record::Line(line) = &element.record {
            writeln!(out, "  > {}", shorten(line))?;
        }
    }
    Ok(())
}

fn account(sink: &SinkLedger) -> String {
    let ends: Vec<String> = sink
        .ends
        .iter()
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    let ends = if ends.is_empty() {
        "nothing".to_owned()
    } else {
        ends.join(" + ")
    };
    let sign = if sink.balances() { "=" } else { "≠" };
    format!("{} {sign} {ends}", sink.due)
}

fn came_out(out: &mut String, process: &ProcessEnd) -> std::fmt::Result {
    let exit = process
        .exit
        .map_or_else(|| "unseen".to_owned(), |exit| exit.words());
    let memory = process
        .rss_kib_max
        .map_or_else(String::new, |kib| format!(", {} KiB at most", kib));
    writeln!(
        out,
        "\n{} (life {}): {exit}{memory}",
        process.name, process.generation
    )?;
    if process.name == "runtime" {
        return Ok(());
    }
    if let Some(ledger) = ledger(process) {
        writeln!(
            out,
            "  received {} records, {} redelivered POSTs",
            ledger.received, ledger.duplicates
        )?;
        for (name, sink) in &ledger.sinks {
            writeln!(out, "  sink {name}: {}", account(sink))?;
        }
    }
    let said = process
        .stderr
        .iter()
        .filter(|line| Ledger::parse(line).is_none());
    shown(out, "stderr", &said.collect::<Vec<_>>())?;
    shown(out, "stdout", &process.stdout.iter().collect::<Vec<_>>())
}

fn shown(out: &mut String, name: &str, lines: &[&String]) -> std::fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "  {name}, {} lines:", lines.len())?;
    for line in lines.iter().take(LINES_MAX) {
        writeln!(out, "  < {}", shorten(&plain(line)))?;
    }
    if lines.len() > LINES_MAX {
        writeln!(out, "  … {} more", lines.len() - LINES_MAX)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_shown_for_a_person() {
        let line = r#"{"id":"i-0","time":"2026-01-02T03:04:05.678Z","type":"function","level":"INFO","record":"card [CreditCardNumber]\n","attributes":{"team":"a"}}"#;
        assert_eq!(
            plain(line),
            r#"03:04:05.678 function INFO  card [CreditCardNumber]  {"team":"a"}"#
        );
        assert_eq!(plain("hello"), "hello");
        assert_eq!(plain("{}"), "{}");
    }

    #[test]
    fn a_ledger_balances_or_not() {
        let line = |in_flight| {
            format!(
                r#"{{"tapline":"ledger","received":10,"duplicates":1,"sinks":{{"out":{{"delivered":7,"filtered":2,"sampled":0,"rejected":0,"dropped":{{"queue_full":2}},"in_flight":{in_flight},"generated":1}}}},"redactions":{{}}}}"#
            )
        };
        let good = Ledger::parse(&line(0)).expect("a ledger");
        assert!(good.sinks[0].1.balances(), "{good:?}");
        assert_eq!(good.sinks[0].1.due, 11);
        assert_eq!(
            account(&good.sinks[0].1),
            "11 = 7 delivered + 2 filtered + 2 dropped (queue_full)"
        );
        assert!(
            !Ledger::parse(&line(1)).expect("a ledger").sinks[0]
                .1
                .balances()
        );
        assert_eq!(Ledger::parse(r#"{"tapline":"started"}"#), None);
        assert_eq!(Ledger::parse("hello"), None);
    }
}
