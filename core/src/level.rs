//! Severity levels, and how the loggers of the field spell them.

use std::fmt;

/// A severity, from the least to the most severe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    /// Finest detail.
    Trace = 1,
    /// For the developer.
    Debug = 2,
    /// Normal operation.
    Info = 3,
    /// Unexpected, and handled.
    Warn = 4,
    /// An operation failed.
    Error = 5,
    /// The process cannot go on.
    Fatal = 6,
}

/// Longest word of a level, in bytes.
const WORD_BYTES_MAX: usize = 13;

impl Level {
    /// Every level, least severe first.
    pub const ALL: [Level; 6] = [
        Level::Trace,
        Level::Debug,
        Level::Info,
        Level::Warn,
        Level::Error,
        Level::Fatal,
    ];

    /// The level that a word names, in any case: the words of AWS's runtimes, of syslog, and of
    /// the loggers of Java, .NET, Python, Go and Node.js.
    ///
    /// Source: AWS Lambda developer guide, "Configuring advanced logging controls", read 2026-11-23; the .NET words
    /// are those of `Microsoft.Extensions.Logging`, of its console formatter (`trce`, `fail`, `crit`) and of Serilog
    /// (`VRB` to `FTL`); `FINE` and `CONFIG` are `java.util.logging`'s, `DEFAULT` is Google's, `DPANIC` zap's.
    pub fn from_word(word: &[u8]) -> Option<Level> {
        let mut lower = [0; WORD_BYTES_MAX];
        let lower = lower.get_mut(..word.len())?;
        lower.copy_from_slice(word);
        lower.make_ascii_lowercase();
        Some(match &*lower {
            b"info" | b"information" | b"informational" | b"notice" | b"inf" | b"default"
            | b"success" => Level::Info,
            b"error" | b"err" | b"severe" | b"fail" | b"erro" => Level::Error,
            b"warn" | b"warning" | b"wrn" => Level::Warn,
            b"debug" | b"dbug" | b"dbg" | b"fine" | b"http" | b"config" => Level::Debug,
            b"trace" | b"trce" | b"trc" | b"verbose" | b"vrb" | b"finer" | b"finest" | b"silly" => {
                Level::Trace
            }
            b"fatal" | b"critical" | b"crit" | b"emergency" | b"emerg" | b"alert" | b"panic"
            | b"dpanic" | b"ftl" | b"pnc" => Level::Fatal,
            _ => return None,
        })
    }

    /// The level behind a number as pino and bunyan write it, from 10 trace to 60 fatal; a value between two steps
    /// counts as the lower step.
    pub fn from_number(number: u32) -> Option<Level> {
        match number {
            10..=19 => Some(Level::Trace),
            20..=29 => Some(Level::Debug),
            30..=39 => Some(Level::Info),
            40..=49 => Some(Level::Warn),
            50..=59 => Some(Level::Error),
            60..=69 => Some(Level::Fatal),
            _ => None,
        }
    }

    /// The level behind a number of Python's `logging`, from 10 DEBUG to 50 CRITICAL; a value between two steps counts
    /// as the lower step.
    pub fn from_python(number: u32) -> Option<Level> {
        match number {
            1..=9 => Some(Level::Trace),
            10..=19 => Some(Level::Debug),
            20..=29 => Some(Level::Info),
            30..=39 => Some(Level::Warn),
            40..=49 => Some(Level::Error),
            50..=59 => Some(Level::Fatal),
            _ => None,
        }
    }

    /// The level behind a number of OpenTelemetry, from 1 TRACE to 24 FATAL4.
    ///
    /// Source: <https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber>, read 2026-11-24.
    pub fn from_otel(number: u32) -> Option<Level> {
        let step = number.checked_sub(1)? / 4;
        Level::ALL.get(step as usize).copied()
    }

    /// The level behind a number of syslog, from 0 emergency to 7 debug.
    ///
    /// Source: RFC 5424, section 6.2.1.
    pub fn from_syslog(number: u32) -> Option<Level> {
        match number {
            0..=2 => Some(Level::Fatal),
            3 => Some(Level::Error),
            4 => Some(Level::Warn),
            5 | 6 => Some(Level::Info),
            7 => Some(Level::Debug),
            _ => None,
        }
    }

    /// The word that Tapline writes: `TRACE` … `FATAL`.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Trace => "TRACE",
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
            Level::Fatal => "FATAL",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_every_runtime_are_known_in_any_case() {
        for (word, level) in [
            ("info", Level::Info),
            ("Information", Level::Info),
            ("WARNING", Level::Warn),
            ("Critical", Level::Fatal),
            ("fail", Level::Error),
            ("Verbose", Level::Trace),
            ("FTL", Level::Fatal),
            ("informational", Level::Info),
        ] {
            assert_eq!(Level::from_word(word.as_bytes()), Some(level), "{word}");
        }
        assert_eq!(Level::from_word(b"inof"), None);
        assert_eq!(Level::from_word(b""), None);
        assert_eq!(Level::from_word(b"informationals"), None);
    }

    #[test]
    fn numbers_of_opentelemetry_and_syslog_are_levels() {
        let otel = [0, 1, 4, 5, 9, 16, 17, 24, 25].map(Level::from_otel);
        let (trace, debug, info) = (Some(Level::Trace), Some(Level::Debug), Some(Level::Info));
        let (warn, error, fatal) = (Some(Level::Warn), Some(Level::Error), Some(Level::Fatal));
        assert_eq!(
            otel,
            [None, trace, trace, debug, info, warn, error, fatal, None]
        );
        let syslog = [0, 3, 4, 6, 7, 8].map(Level::from_syslog);
        assert_eq!(syslog, [fatal, error, warn, info, debug, None]);
    }

    #[test]
    fn pino_numbers_are_levels() {
        assert_eq!(Level::from_number(30), Some(Level::Info));
        assert_eq!(Level::from_number(35), Some(Level::Info));
        assert_eq!(Level::from_number(9), None);
        assert_eq!(Level::from_number(70), None);
    }
}
