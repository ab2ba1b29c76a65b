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

    /// The level that a word names, in any case: the words of AWS's runtimes, of syslog-like loggers and of .NET.
    ///
    /// Source: AWS Lambda developer guide, "Configuring advanced logging controls", read 2026-11-23; the .NET words
    /// are those of `Microsoft.Extensions.Logging` and of its console formatter (`trce`, `fail`, `crit`).
    pub fn from_word(word: &[u8]) -> Option<Level> {
        const WORDS: [(&str, Level); 26] = [
            ("INFO", Level::Info),
            ("ERROR", Level::Error),
            ("WARN", Level::Warn),
            ("WARNING", Level::Warn),
            ("DEBUG", Level::Debug),
            ("TRACE", Level::Trace),
            ("FATAL", Level::Fatal),
            ("CRITICAL", Level::Fatal),
            ("INFORMATION", Level::Info),
            ("VERBOSE", Level::Trace),
            ("NOTICE", Level::Info),
            ("SEVERE", Level::Error),
            ("EMERGENCY", Level::Fatal),
            ("ALERT", Level::Fatal),
            ("ERR", Level::Error),
            ("CRIT", Level::Fatal),
            ("EMERG", Level::Fatal),
            ("PANIC", Level::Fatal),
            ("FAIL", Level::Error),
            ("TRCE", Level::Trace),
            ("DBUG", Level::Debug),
            ("FINE", Level::Debug),
            ("FINER", Level::Trace),
            ("FINEST", Level::Trace),
            ("SILLY", Level::Trace),
            ("HTTP", Level::Debug),
        ];
        if word.len() < 3 || word.len() > 11 {
            return None;
        }
        WORDS
            .iter()
            .find(|(name, _)| {
                name.len() == word.len() && name.as_bytes().eq_ignore_ascii_case(word)
            })
            .map(|(_, level)| *level)
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
        ] {
            assert_eq!(Level::from_word(word.as_bytes()), Some(level), "{word}");
        }
        assert_eq!(Level::from_word(b"inof"), None);
        assert_eq!(Level::from_word(b""), None);
    }

    #[test]
    fn pino_numbers_are_levels() {
        assert_eq!(Level::from_number(30), Some(Level::Info));
        assert_eq!(Level::from_number(35), Some(Level::Info));
        assert_eq!(Level::from_number(9), None);
        assert_eq!(Level::from_number(70), None);
    }
}
