//! The command line: one file a subcommand. Never part of a layer.

pub mod check;
mod elements;
pub mod run;
pub mod simulate;

use std::io::Write;
use std::process::ExitCode;

use tapline_core::suggest::closest;

use crate::settings::Kinds;
use crate::world;

const USAGE: &str = "\
tapline: a telemetry pipeline that runs inside AWS Lambda as an external extension

usage:
  tapline check FILE                    validate a configuration, and say what it would do
  tapline run FILE [--input F|-]        send telemetry from a file or standard input through it
  tapline simulate FILE [-- COMMAND]    run it in a local Lambda, with a scripted function or COMMAND
  tapline --help | --version

Without an argument and with AWS_LAMBDA_RUNTIME_API set it is the extension.
exit: 0 good, 1 errors, 2 wrong usage
";

/// The subcommands of this version.
const COMMANDS: [&str; 3] = ["check", "run", "simulate"];

/// Subcommands that the documentation names and this version does not have.
const LATER: [&str; 5] = ["test", "explain", "schema", "exec", "replay"];

/// What the arguments ask for.
#[derive(Debug, PartialEq, Eq)]
enum Command {
    Help,
    Version,
    Check {
        file: String,
    },
    Run {
        file: String,
        /// `None` and `-`: standard input.
        input: Option<String>,
    },
    Simulate {
        file: String,
        /// Empty: a scripted function.
        command: Vec<String>,
    },
}

/// Runs a subcommand; `arguments` are those after the program's name.
pub fn main(kinds: &Kinds, arguments: Vec<String>) -> ExitCode {
    let mut out = std::io::stdout().lock();
    let code = match parse(&arguments) {
        Ok(command) => execute(command, kinds, &mut out),
        Err(message) => wrong_usage(&message),
    };
    // A reader that has gone away, as `head` does, is no error of ours.
    out.flush().ok();
    ExitCode::from(code)
}

fn execute(command: Command, kinds: &Kinds, out: &mut dyn Write) -> u8 {
    match command {
        Command::Help => print(out, USAGE),
        Command::Version => print(out, concat!("tapline ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::Check { file } => check::check(&file, kinds, &world::variable, out),
        Command::Run { file, input } => run::run(&file, input.as_deref(), kinds),
        Command::Simulate { file, command } => simulate::main(&file, command, out),
    }
}

fn print(out: &mut dyn Write, text: &str) -> u8 {
    // As in `main`.
    out.write_all(text.as_bytes()).ok();
    0
}

fn wrong_usage(message: &str) -> u8 {
    world::write_line(format!("tapline: {message}; see `tapline --help`").as_bytes());
    2
}

fn parse(arguments: &[String]) -> Result<Command, String> {
    let Some((command, rest)) = arguments.split_first() else {
        return Err("a subcommand is missing".to_owned());
    };
    let asks_for_help = rest
        .iter()
        .take_while(|a| *a != "--")
        .any(|a| a == "--help" || a == "-h");
    match command.as_str() {
        "--help" | "-h" | "help" => Ok(Command::Help),
        "--version" | "-V" => Ok(Command::Version),
        word if asks_for_help && COMMANDS.contains(&word) => Ok(Command::Help),
        "check" => parse_check(rest),
        "run" => parse_run(rest),
        "simulate" => parse_simulate(rest),
        word if LATER.contains(&word) => Err(format!("`{word}` is not in this version")),
        word => Err(unknown("subcommand", word, &COMMANDS)),
    }
}

fn parse_check(rest: &[String]) -> Result<Command, String> {
    let mut file = None;
    for argument in rest {
        take_file("check", &mut file, argument, &[])?;
    }
    let file = file.ok_or("`check` wants a file: `tapline check tapline.toml`")?;
    Ok(Command::Check { file })
}

fn parse_run(rest: &[String]) -> Result<Command, String> {
    let (mut file, mut input) = (None, None);
    let mut rest = rest.iter();
    while let Some(argument) = rest.next() {
        let value = match argument.strip_prefix("--input=") {
            Some(value) => Some(value.to_owned()),
            None if argument == "--input" => {
                let value = rest
                    .next()
                    .ok_or("`--input` wants a file, or `-` for standard input")?;
                Some(value.clone())
            }
            None => None,
        };
        match value {
            Some(value) => input = Some(value),
            None => take_file("run", &mut file, argument, &["--input"])?,
        }
    }
    let file =
        file.ok_or("`run` wants a file: `tapline run tapline.toml --input telemetry.json`")?;
    let input = input.filter(|input| input != "-");
    Ok(Command::Run { file, input })
}

fn parse_simulate(rest: &[String]) -> Result<Command, String> {
    let end = rest
        .iter()
        .position(|argument| argument == "--")
        .unwrap_or(rest.len());
    let mut file = None;
    for argument in &rest[..end] {
        take_file("simulate", &mut file, argument, &[])?;
    }
    let file = file.ok_or("`simulate` wants a file: `tapline simulate tapline.toml`")?;
    let command = rest.get(end + 1..).unwrap_or_default().to_vec();
    if end < rest.len() && command.is_empty() {
        return Err("after `--` a command is missing".to_owned());
    }
    Ok(Command::Simulate { file, command })
}

/// Takes an argument as the file; there is one, and it is no option.
fn take_file(
    command: &str,
    file: &mut Option<String>,
    argument: &str,
    options: &[&str],
) -> Result<(), String> {
    if argument.starts_with('-') && argument.len() > 1 {
        return Err(unknown(
            &format!("option of `{command}`"),
            argument,
            options,
        ));
    }
    if file.is_some() {
        return Err(format!(
            "`{command}` takes one file; `{argument}` is one too many"
        ));
    }
    *file = Some(argument.to_owned());
    Ok(())
}

fn unknown(what: &str, word: &str, known: &[&str]) -> String {
    let meant = closest(word, known).map(|known| format!("; did you mean `{known}`?"));
    format!("`{word}` is no {what}{}", meant.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse(&arguments)
    }

    #[test]
    fn each_form_of_the_usage_is_understood() {
        let file = || "f".to_owned();
        let run = |input: Option<&str>| Command::Run {
            file: file(),
            input: input.map(str::to_owned),
        };
        let simulate = |command: &[&str]| Command::Simulate {
            file: file(),
            command: command.iter().map(|&word| word.to_owned()).collect(),
        };
        for (line, wanted) in [
            ("--help", Command::Help),
            ("check --help", Command::Help),
            ("-V", Command::Version),
            ("check f", Command::Check { file: file() }),
            ("run f", run(None)),
            ("run f --input -", run(None)),
            ("run --input in f", run(Some("in"))),
            ("run f --input=in", run(Some("in"))),
            ("simulate f", simulate(&[])),
            ("simulate f -- node --help", simulate(&["node", "--help"])),
        ] {
            assert_eq!(parsed(line), Ok(wanted), "{line}");
        }
    }

    #[test]
    fn wrong_usage_says_what_is_wrong() {
        for (line, wanted) in [
            ("", "a subcommand is missing"),
            ("chekc f", "did you mean `check`?"),
            ("test f", "not in this version"),
            ("check", "wants a file"),
            ("check a b", "`b` is one too many"),
            ("check --strict f", "no option of `check`"),
            ("run f --inptu x", "did you mean `--input`?"),
            ("run f --input", "wants a file, or `-`"),
            ("simulate f --", "a command is missing"),
        ] {
            let message = parsed(line).unwrap_err();
            assert!(message.contains(wanted), "{line}: {message}");
        }
    }
}
