//! Real processes: their environment, their output line by line, stop, go on, kill, and how they ended.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Shared;
use super::clock::{self, Instant};
use super::settings::Extension;
use super::state::Exit;

/// A line that a process prints is split here: the size at which the platform was seen to split.
///
/// Source: <https://github.com/DataDog/dd-trace-js/issues/967>.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// Bytes of output that are kept for each stream of a process, 16 MiB; later lines are telemetry only.
pub const OUTPUT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Time for the output of a process that has ended.
const OUTPUT_WAIT_MAX: Duration = Duration::from_millis(300);

/// How a process ended, and what it said.
#[derive(Debug, Clone)]
pub struct ProcessEnd {
    /// File name of the extension; `runtime` for the runtime.
    pub name: String,
    /// Generation of the environment, from 1.
    pub generation: u32,
    /// Exit code or signal; `None` if it could not be seen.
    pub exit: Option<Exit>,
    /// Whether the platform had to kill it.
    pub killed: bool,
    /// Largest resident size in KiB (`VmHWM`), as last seen.
    pub rss_kib_max: Option<u64>,
    /// Standard output, line by line.
    pub stdout: Vec<String>,
    /// Standard error, line by line.
    pub stderr: Vec<String>,
}

#[derive(Debug, Default)]
struct Output {
    stdout: Vec<String>,
    stderr: Vec<String>,
    stdout_bytes: usize,
    stderr_bytes: usize,
}

/// A process that runs, or ran, in this generation.
#[derive(Debug)]
pub(crate) struct Process {
    pub name: String,
    pub extension: bool,
    pub started_at: Instant,
    pub killed: bool,
    /// Killing it is the ordinary end, as for a runtime that knows no SIGTERM.
    pub expendable: bool,
    generation: u32,
    group: Pid,
    output: Arc<watch::Sender<Output>>,
    exit: watch::Receiver<Option<Exit>>,
    readers: Vec<JoinHandle<()>>,
    rss_kib_max: Option<u64>,
}

impl Process {
    /// Starts an extension.
    pub(crate) fn extension(
        shared: &Arc<Shared>,
        extension: &Extension,
        generation: u32,
    ) -> io::Result<Process> {
        let mut command = Command::new(&extension.path);
        command
            .env_clear()
            .args(&extension.args)
            .envs(extension_environment(shared));
        command.envs(extension.env.iter().map(|(key, value)| (key, value)));
        spawn(shared, command, extension.name(), true, generation)
    }

    /// Starts a runtime.
    pub(crate) fn runtime(
        shared: &Arc<Shared>,
        words: &[String],
        generation: u32,
    ) -> io::Result<Process> {
        let Some((program, args)) = words.split_first() else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the command is empty",
            ));
        };
        let mut command = Command::new(program);
        command
            .env_clear()
            .args(args)
            .envs(runtime_environment(shared));
        spawn(shared, command, "runtime".into(), false, generation)
    }

    /// The group's id, which is that of its first process.
    pub(crate) fn id(&self) -> i32 {
        self.group.as_raw_nonzero().get()
    }

    pub(crate) fn alive(&self) -> bool {
        self.exit.borrow().is_none()
    }

    /// A signal to the whole group. A group that has gone meanwhile is no error.
    fn signal(&self, signal: Signal) {
        kill_process_group(self.group, signal).ok();
    }

    pub(crate) fn stop(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// SIGTERM to the first process alone, as the platform does with a runtime.
    pub(crate) fn terminate(&self) {
        if self.alive() {
            kill_process(self.group, Signal::TERM).ok();
        }
    }

    /// SIGKILL to the group, also where its first process has ended and left others.
    pub(crate) fn kill(&mut self) {
        self.sample();
        self.killed |= self.alive() && !self.expendable;
        self.signal(Signal::KILL);
    }

    /// Looks how much memory the process has taken.
    pub(crate) fn sample(&mut self) {
        if let Some(size) = high_water(self.id()).filter(|_| self.alive()) {
            self.rss_kib_max = Some(size);
        }
    }

    /// The largest resident size seen so far, in KiB.
    pub(crate) fn rss_kib_max(&self) -> u64 {
        self.rss_kib_max.unwrap_or(0)
    }

    /// Waits for the exit, without end: the caller brings the deadline, or has killed it.
    pub(crate) async fn exited(&self) {
        self.exit.clone().wait_for(Option::is_some).await.ok();
    }

    /// What is left to say about it. Waits a moment for its last output.
    pub(crate) async fn finish(mut self) -> ProcessEnd {
        let deadline = clock::now() + OUTPUT_WAIT_MAX;
        tokio::time::timeout_at(deadline, self.exited()).await.ok();
        for reader in &mut self.readers {
            if tokio::time::timeout_at(deadline, &mut *reader)
                .await
                .is_err()
            {
                reader.abort();
            }
        }
        let exit = *self.exit.borrow();
        let mut output = Output::default();
        self.output
            .send_modify(|kept| output = std::mem::take(kept));
        ProcessEnd {
            name: self.name.clone(),
            generation: self.generation,
            exit,
            killed: self.killed,
            rss_kib_max: self.rss_kib_max,
            stdout: output.stdout,
            stderr: output.stderr,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.alive() {
            self.signal(Signal::KILL);
        }
    }
}

fn spawn(
    shared: &Arc<Shared>,
    mut command: Command,
    name: String,
    extension: bool,
    generation: u32,
) -> io::Result<Process> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command.spawn()?;
    let id = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw);
    let Some(group) = id else {
        return Err(io::Error::other("the process has no id"));
    };
    let output = Arc::new(watch::Sender::new(Output::default()));
    let mut readers = Vec::new();
    let streams = (child.stdout.take(), child.stderr.take());
    if let (Some(stdout), Some(stderr)) = streams {
        let kind = if extension { "extension" } else { "function" };
        let (out, err) = (output.clone(), output.clone());
        readers.push(tokio::spawn(lines(
            shared.clone(),
            stdout,
            kind,
            move |line| {
                out.send_modify(|kept| keep(&mut kept.stdout, &mut kept.stdout_bytes, line));
            },
        )));
        readers.push(tokio::spawn(lines(
            shared.clone(),
            stderr,
            kind,
            move |line| {
                err.send_modify(|kept| keep(&mut kept.stderr, &mut kept.stderr_bytes, line));
            },
        )));
    }
    let (exit_sender, exit) = watch::channel(None);
    let told = extension.then(|| name.clone());
    tokio::spawn(watch_exit(
        shared.clone(),
        child,
        told,
        generation,
        exit_sender,
    ));
    Ok(Process {
        name,
        extension,
        started_at: clock::now(),
        killed: false,
        expendable: false,
        generation,
        group,
        output,
        exit,
        readers,
        rss_kib_max: None,
    })
}

/// Keeps a line as it was printed: telemetry splits long ones, here they are whole.
fn keep(lines: &mut Vec<String>, bytes: &mut usize, part: Part) {
    *bytes += part.text.len();
    if *bytes > OUTPUT_BYTES_MAX {
        return;
    }
    match lines.last_mut() {
        Some(last) if part.continued => last.push_str(&part.text),
        _ => lines.push(part.text),
    }
}

/// A line, or a part of one that is too long.
struct Part {
    text: String,
    /// It belongs to the line before.
    continued: bool,
}

async fn watch_exit(
    shared: Arc<Shared>,
    mut child: Child,
    name: Option<String>,
    generation: u32,
    told: watch::Sender<Option<Exit>>,
) {
    let exit = match child.wait().await {
        Ok(status) => {
            let signal = std::os::unix::process::ExitStatusExt::signal(&status);
            Exit {
                code: status.code(),
                signal,
            }
        }
        Err(_) => Exit {
            code: None,
            signal: None,
        },
    };
    told.send_replace(Some(exit));
    shared
        .state
        .send_modify(|state| state.exited(generation, name.as_deref(), exit));
}

/// Reads a stream line by line; every line is telemetry and is kept for display.
async fn lines<R: AsyncRead + Unpin>(
    shared: Arc<Shared>,
    stream: R,
    kind: &'static str,
    keep: impl Fn(Part),
) {
    let mut reader = BufReader::with_capacity(LINE_BYTES_MAX, stream);
    let mut line = Vec::new();
    let mut continued = false;
    loop {
        let (used, ended) = match reader.fill_buf().await {
            Ok([]) | Err(_) => break,
            Ok(bytes) => take_line(bytes, &mut line),
        };
        reader.consume(used);
        if ended || line.len() == LINE_BYTES_MAX {
            tell(&shared, kind, &mut line, continued, &keep);
            continued = !ended;
        }
    }
    if !line.is_empty() {
        tell(&shared, kind, &mut line, continued, &keep);
    }
}

/// Moves bytes into `line` up to a newline or to its limit: how many were used, and whether it was a newline.
fn take_line(bytes: &[u8], line: &mut Vec<u8>) -> (usize, bool) {
    let room = LINE_BYTES_MAX - line.len();
    match bytes.iter().take(room + 1).position(|byte| *byte == b'\n') {
        Some(at) => {
            line.extend_from_slice(&bytes[..at]);
            (at + 1, true)
        }
        None => {
            let used = bytes.len().min(room);
            line.extend_from_slice(&bytes[..used]);
            (used, false)
        }
    }
}

fn tell(shared: &Shared, kind: &str, line: &mut Vec<u8>, continued: bool, keep: &impl Fn(Part)) {
    let text = String::from_utf8_lossy(line).into_owned();
    line.clear();
    // The newline behind a line of exactly the limit is no line of its own.
    if !(continued && text.is_empty()) {
        shared.line(kind, text.clone());
    }
    keep(Part { text, continued });
}

/// `VmHWM` of a process in KiB.
fn high_water(id: i32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

type Variable = (String, OsString);

/// What both kinds of process get.
fn common_environment(shared: &Shared, customer: impl Fn(&str) -> bool) -> Vec<Variable> {
    let settings = &shared.settings;
    let own = settings.environment.iter().filter(|(key, _)| customer(key));
    let mut variables: Vec<Variable> = own
        .map(|(key, value)| (key.clone(), value.into()))
        .collect();
    let format = match settings.log_format {
        super::settings::LogFormat::Text => "Text",
        super::settings::LogFormat::Json => "JSON",
    };
    // Made up, and in parts, so that nobody takes them for real.
    let key = ["AKIA", "IOSFODNN7", "EXAMPLE"].concat();
    let secret = ["wJalrXUtnFEMI", "/K7MDENG/", "bPxRfiCYEXAMPLEKEY"].concat();
    let plain = [
        ("AWS_ACCESS_KEY_ID", key),
        ("AWS_SECRET_ACCESS_KEY", secret),
        ("AWS_SESSION_TOKEN", "local-session-token".to_owned()),
        ("AWS_REGION", settings.region.clone()),
        ("AWS_DEFAULT_REGION", settings.region.clone()),
        ("AWS_LAMBDA_FUNCTION_NAME", settings.function_name.clone()),
        (
            "AWS_LAMBDA_FUNCTION_VERSION",
            settings.function_version.clone(),
        ),
        (
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            settings.memory_mb.to_string(),
        ),
        (
            "AWS_LAMBDA_INITIALIZATION_TYPE",
            settings.init_type.word().to_owned(),
        ),
        ("AWS_LAMBDA_LOG_FORMAT", format.to_owned()),
        ("AWS_LAMBDA_RUNTIME_API", shared.address.to_string()),
        ("LANG", "en_US.UTF-8".to_owned()),
        ("TZ", ":UTC".to_owned()),
    ];
    variables.extend(
        plain
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into())),
    );
    let mut path = OsString::from("/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin");
    if let Some(host) = std::env::var_os("PATH") {
        path.push(":");
        path.push(host);
    }
    variables.push(("PATH".to_owned(), path));
    variables.push(("TMPDIR".to_owned(), shared.temp.clone().into()));
    variables
}

fn extension_environment(shared: &Shared) -> Vec<Variable> {
    common_environment(shared, |key| !key.starts_with('_'))
}

fn runtime_environment(shared: &Shared) -> Vec<Variable> {
    let settings = &shared.settings;
    let mut variables = common_environment(shared, |_| true);
    let root = std::env::current_dir().unwrap_or_else(|_| Path::new("/").to_owned());
    variables.push(("LAMBDA_TASK_ROOT".to_owned(), root.into()));
    for (name, value) in [
        ("_HANDLER", settings.handler.clone()),
        (
            "AWS_LAMBDA_LOG_GROUP_NAME",
            format!("/aws/lambda/{}", settings.function_name),
        ),
        ("AWS_LAMBDA_LOG_STREAM_NAME", shared.instance.clone()),
        ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR".to_owned()),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime".to_owned()),
    ] {
        variables.push((name.to_owned(), value.into()));
    }
    variables
}
