//! `tapline simulate FILE [-- COMMAND]`: this extension in a local Lambda, from cold start to shutdown.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use crate::local::{Extension, Function, Lambda, Settings, report, scenario};

/// Function timeout of the scripted life; one of its invocations runs into it.
const TIMEOUT_SCRIPTED: Duration = Duration::from_secs(1);

/// Function timeout for a real function.
const TIMEOUT_REAL: Duration = Duration::from_secs(3);

/// What is simulated.
#[derive(Debug, Clone, Default)]
pub struct SimulateOptions {
    /// The configuration that the extension gets in `TAPLINE_CONFIG`.
    pub config: PathBuf,
    /// The extension's executable; this very program if `None`. Its file name is the name that it registers.
    pub extension: Option<PathBuf>,
    /// A function with its runtime client, such as `python3 -m awslambdaric app.handler`. Empty: a scripted function.
    pub command: Vec<String>,
    /// Event of every invocation of COMMAND, in JSON; `{}` if `None`.
    pub payload: Option<String>,
    /// Handler, for `_HANDLER` and the register answer.
    pub handler: Option<String>,
    /// Function timeout; default 1 s for the scripted function, 3 s for COMMAND.
    pub timeout: Option<Duration>,
}

/// How a simulation came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every invocation ended as it should, nothing had to be killed, and every ledger balances.
    Good,
    /// Something of that is not so; the output says what.
    Bad,
}

impl Verdict {
    /// The exit code: 0 or 1.
    pub fn code(self) -> u8 {
        match self {
            Verdict::Good => 0,
            Verdict::Bad => 1,
        }
    }
}

/// Runs the command; gives its exit code.
pub fn main(file: &str, command: Vec<String>, out: &mut dyn Write) -> u8 {
    let options = SimulateOptions {
        config: file.into(),
        command,
        ..SimulateOptions::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime.and_then(|runtime| runtime.block_on(simulate(options, out))) {
        Ok(verdict) => verdict.code(),
        Err(error) => {
            crate::world::write_line(format!("tapline: {error}").as_bytes());
            1
        }
    }
}

/// Plays the standard life and writes what happened, without colour.
///
/// It needs a tokio runtime with all drivers on (`enable_all`).
/// The processes get the caller's environment, but of AWS only endpoints (`AWS_ENDPOINT_URL` and its like): the
/// credentials are made up.
///
/// # Errors
///
/// The configuration file or the executable cannot be found, loopback has no port, `out` does not take the report, or
/// the user interrupts ([`io::ErrorKind::Interrupted`]).
pub async fn simulate(options: SimulateOptions, out: &mut dyn Write) -> io::Result<Verdict> {
    let config = std::fs::canonicalize(&options.config).map_err(|e| {
        io::Error::new(
            e.kind(),
            format!("cannot read `{}`: {e}", options.config.display()),
        )
    })?;
    let path = match &options.extension {
        Some(path) => std::fs::canonicalize(path)?,
        None => std::env::current_exe()?,
    };
    let mut environment = caller_environment();
    environment.push(("TAPLINE_CONFIG".to_owned(), config.display().to_string()));
    let scripted = options.command.is_empty();
    let (function, acts, usual) = if scripted {
        (
            Function::Scripted(Vec::new()),
            scenario::scripted(),
            TIMEOUT_SCRIPTED,
        )
    } else {
        let payload = options.payload.as_deref().unwrap_or("{}");
        (
            Function::Command(options.command.clone()),
            scenario::real(payload),
            TIMEOUT_REAL,
        )
    };
    let mut settings = Settings {
        timeout: options.timeout.unwrap_or(usual),
        extensions: vec![Extension::new(path)],
        function,
        environment,
        ..Settings::default()
    };
    if let Some(handler) = options.handler {
        settings.handler = handler;
    }
    writeln!(
        out,
        "A local Lambda with {}: {}",
        config.display(),
        described(&options.command)
    )?;
    writeln!(out)?;
    out.flush()?;
    let lambda = Lambda::start(settings).await?;
    // Dropping the life kills its processes: they are groups of their own, which the terminal's signal does not reach.
    let life = tokio::select! {
        life = scenario::play(lambda, acts) => life,
        _ = tokio::signal::ctrl_c() => return Err(io::ErrorKind::Interrupted.into()),
    };
    out.write_all(report::render(&life).as_bytes())?;
    out.flush()?;
    let good = report::problems(&life).is_empty();
    Ok(if good { Verdict::Good } else { Verdict::Bad })
}

fn described(command: &[String]) -> String {
    if command.is_empty() {
        "a scripted function".to_owned()
    } else {
        command.join(" ")
    }
}

/// The caller's variables, as a function's own would be: without those of Lambda, those of AWS but endpoints, and what
/// the platform sets itself.
fn caller_environment() -> Vec<(String, String)> {
    let variables = std::env::vars_os().filter_map(|(key, value)| {
        let key = key.into_string().ok()?;
        let value = value.into_string().ok()?;
        let kept = (!key.starts_with("AWS_") || key.starts_with("AWS_ENDPOINT_URL"))
            && !key.starts_with("LAMBDA_")
            && !key.starts_with('_')
            && !matches!(
                key.as_str(),
                "PATH" | "TMPDIR" | "LANG" | "TZ" | "TAPLINE_CONFIG"
            );
        kept.then_some((key, value))
    });
    variables.collect()
}
