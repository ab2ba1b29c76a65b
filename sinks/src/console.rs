//! `console`: lines on standard output or in a file. The sink to copy from.
//!
//! Protocol: the line of [`tapline_core::line`] for each record, in the order in which they were written, each ended
//! by a newline. A call writes whole lines in one go; where the other side takes only part of them, the rest follows.
//!
//! Guarantee: at least once. After an attempt that was cut short the lines are written again, on a fresh line; the
//! piece of a line before it stays.
//!
//! There is no 429 and no 5xx. A reader that has gone away (`EPIPE`) rejects with the reason `closed`, for ever after;
//! a file that cannot be opened or written is tried again, and named once. A non-blocking output that is full is asked
//! again every 5 ms until the call's deadline.
//!
//! # Limits
//!
//! For local use. Standard output that is a blocking pipe which nobody reads stops the process at its 64 KiB of
//! buffer: in Lambda it is the platform's, which always reads. A file is never rotated and never synced to disk.
//! One call takes 1,000 records or 256 KiB.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use tapline_core::config::{Field, FieldKind, Fields, Reader};
use tapline_core::level::Level;
use tapline_core::line;
use tapline_core::registry::{Build, SinkKind};
use tapline_core::sink::{Call, CallLimits, Outcome, Selection, Sink, Verdict};
use tapline_core::world::{Boxed, World};

use crate::buffer::{Buffer, lines_bytes};

/// The row of this sink.
pub(crate) const KIND: SinkKind = SinkKind {
    name: "console",
    feature: "console",
    fields: FIELDS,
    build: Some(build),
};

const FIELDS: Fields = &[Field {
    name: "path",
    kind: FieldKind::Text,
    default: "",
    required: false,
    doc: "File that lines are added to, in place of standard output. It is created for its owner alone (mode 0600).",
}];

/// How long a full output is left alone before it is asked again.
const FULL_WAIT: Duration = Duration::from_millis(5);

const LIMITS: CallLimits = CallLimits {
    records_max: 1_000,
    bytes_max: 256 << 10,
};

/// Writes lines to standard output or to a file.
struct Console {
    path: Option<PathBuf>,
    /// Opened with the first call.
    output: Option<Box<dyn Write>>,
    buffer: Buffer,
    /// The last call ended inside a line.
    torn: bool,
    /// A trouble with the file was named.
    named: bool,
}

fn build(reader: &Reader<'_>, _: &Build<'_>) -> Option<Box<dyn Sink>> {
    let path = reader.text("path");
    if reader.has("path") && path.is_none() {
        return None;
    }
    if let Some(path) = path.as_ref().filter(|path| path.value.is_empty()) {
        let help = "write a path, or leave the key out for standard output";
        reader.error(path.span.clone(), "`path` is empty", help);
        return None;
    }
    Some(Box::new(Console::new(
        path.map(|path| PathBuf::from(path.value)),
    )))
}

impl Console {
    fn new(path: Option<PathBuf>) -> Console {
        Console {
            path,
            output: None,
            buffer: Buffer::default(),
            torn: false,
            named: false,
        }
    }

    fn encode(&mut self, records: &Selection, call: &Call<'_>) {
        self.buffer.bytes.clear();
        self.buffer.reserve(lines_bytes(records) + 1, call.budget);
        if self.torn {
            self.buffer.bytes.push(b'\n');
        }
        for (batch, record) in records.records() {
            line::write(batch, record, &mut self.buffer.bytes);
            self.buffer.bytes.push(b'\n');
        }
        self.buffer.settle(call.budget);
    }

    /// Writes the buffer to its end.
    async fn write(&mut self, world: &dyn World) -> io::Result<()> {
        let output = match &mut self.output {
            Some(output) => output,
            empty => empty.insert(open(self.path.as_ref())?),
        };
        let mut rest = self.buffer.bytes.as_slice();
        loop {
            let step = if rest.is_empty() {
                output.flush().map(|()| 0)
            } else {
                output.write(rest)
            };
            match step {
                Ok(0) if rest.is_empty() => return Ok(()),
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.torn = true;
                    rest = &rest[written..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    world.sleep_until(world.now() + FULL_WAIT).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn verdict(&mut self, written: io::Result<()>, world: &dyn World) -> Verdict {
        let Err(error) = written else {
            self.torn = false;
            return Verdict::Accepted;
        };
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Verdict::Rejected("closed".into());
        }
        // The file may have been moved away or its disk be full: it is opened anew.
        self.output = None;
        if !self.named {
            self.named = true;
            let place = match &self.path {
                Some(path) => format!("`{}`", path.display()),
                None => "standard output".to_owned(),
            };
            let message = format!("a console sink cannot write to {place}: {error}");
            world.log(Level::Warn, &message);
        }
        Verdict::Retry {
            why: "write".into(),
            after: None,
            answered: true,
        }
    }
}

impl Sink for Console {
    fn limits(&self) -> CallLimits {
        LIMITS
    }

    fn deliver<'a>(&'a mut self, records: &'a Selection, call: Call<'a>) -> Boxed<'a, Outcome> {
        Box::pin(async move {
            self.encode(records, &call);
            let written = self.write(call.world).await;
            self.buffer.rest(call.budget);
            self.verdict(written, call.world).into()
        })
    }
}

fn open(path: Option<&PathBuf>) -> io::Result<Box<dyn Write>> {
    let Some(path) = path else {
        return Ok(Box::new(io::stdout()));
    };
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // `O_NONBLOCK`, so that a pipe without a reader is an error and a full one is waited for without blocking. The
    // same number on x86-64 and arm64. Source: include/uapi/asm-generic/fcntl.h of Linux, read 2026-11-23.
    #[cfg(target_os = "linux")]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, 0o4000);
    Ok(Box::new(options.open(path)?))
}

#[cfg(test)]
mod tests;
