//! `tapline check FILE`: validates a configuration offline and says what it would do.

use std::io::{self, Write};

use tapline_core::config::{Diagnostics, size_text};
use tapline_core::facts::Facts;

use crate::settings::{self, Api, Kinds, Load, Place, Settings, SinkPlan};

/// Checks a file and writes every problem with its place and remedy, then a line that sums up, then what the file
/// would do where it is good. Unknown keys are errors here. Variables are those of this machine.
///
/// Gives the exit code: 0 good, 1 errors, 2 where the file cannot be read.
pub fn check(
    path: &str,
    kinds: &Kinds,
    variable: &dyn Fn(&str) -> Option<String>,
    out: &mut dyn Write,
) -> u8 {
    let (text, code) = match settings::read_file(path) {
        Ok(bytes) => examine(path, &bytes, kinds, variable),
        Err(error) => (format!("tapline: `{path}` cannot be read: {error}\n"), 2),
    };
    // Nobody reads the text any more; the code is still theirs.
    out.write_all(text.as_bytes()).ok();
    code
}

fn examine(
    path: &str,
    bytes: &[u8],
    kinds: &Kinds,
    variable: &dyn Fn(&str) -> Option<String>,
) -> (String, u8) {
    let mut facts = Facts::default();
    let (mut diagnostics, settings) =
        match settings::load(path, bytes, kinds, &mut facts, variable, Place::Offline) {
            Load::Runs(mut settings) => (std::mem::take(&mut settings.diagnostics), Some(settings)),
            Load::Parked(diagnostics) => (diagnostics, None),
        };
    diagnostics.strict();
    let good = settings.filter(|_| !diagnostics.has_errors());
    let mut text = diagnostics.render();
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&summary(path, &diagnostics, good.is_some()));
    let code = u8::from(good.is_none());
    if let Some(settings) = good {
        let mut lines = Vec::new();
        plan(&settings, &mut lines).expect("a Vec takes every write");
        text.push_str(&String::from_utf8_lossy(&lines));
    }
    (text, code)
}

fn summary(path: &str, diagnostics: &Diagnostics, good: bool) -> String {
    let found = diagnostics.summary();
    match (good, found.is_empty()) {
        (true, true) => format!("{path} is good\n"),
        (true, false) => format!("{path} is good, with {found}\n"),
        (false, _) => format!("{path} cannot be used: {found}\n"),
    }
}

fn plan(settings: &Settings, out: &mut Vec<u8>) -> io::Result<()> {
    let receiver = &settings.receiver;
    let api = match receiver.api {
        Api::Telemetry => "Telemetry API",
        Api::Logs => "Logs API",
    };
    let types = [
        ("platform", receiver.platform),
        ("function", receiver.function),
        ("extension", receiver.extension),
    ];
    let types: Vec<&str> = types
        .iter()
        .filter(|(_, on)| *on)
        .map(|(word, _)| *word)
        .collect();
    writeln!(out, "\nreceive    {} from the {api}", types.join(", "))?;
    for (index, transform) in settings.transforms.iter().enumerate() {
        let note = if transform.enabled {
            ""
        } else {
            ", switched off"
        };
        let lead = if index == 0 { "transform" } else { "" };
        let kind = transform.kind;
        if transform.name.ends_with(')') {
            writeln!(out, "{lead:<10} {}{note}", transform.name)?;
        } else {
            writeln!(out, "{lead:<10} {} ({kind}){note}", transform.name)?;
        }
    }
    for (index, sink) in settings.sinks.iter().enumerate() {
        let lead = if index == 0 { "sink" } else { "" };
        writeln!(out, "{lead:<10} {}", sink_line(settings, sink))?;
    }
    let queues: u64 = settings
        .sinks
        .iter()
        .map(|s| s.delivery.queue_bytes_max as u64)
        .sum();
    let memory = settings.memory;
    let rest = size_text(memory.saturating_sub(queues));
    let (memory, queues) = (size_text(memory), size_text(queues));
    writeln!(
        out,
        "memory     {memory}: at most {queues} in queues, {rest} for what is under way"
    )
}

fn sink_line(settings: &Settings, sink: &SinkPlan) -> String {
    let passed = match sink.after {
        _ if settings.stages.is_empty() => String::new(),
        after if after == settings.stages.len() => ", after all transforms".to_owned(),
        0 => ", before all transforms".to_owned(),
        after => format!(", after {}", settings.stages[after - 1].name),
    };
    let when = sink
        .when
        .as_ref()
        .map_or_else(String::new, |when| format!(", when {}", when.source()));
    let queue = size_text(sink.delivery.queue_bytes_max as u64);
    format!("{} ({}){passed}{when}, queue {queue}", sink.name, sink.kind)
}
