//! Which lines belong to the one before: the shapes of stack traces.
//!
//! | language | a trace | goes on with |
//! |---|---|---|
//! | Java, Node.js, .NET | any text, then a frame | `\tat …`, `... 7 more`, `Caused by: …`, `--- End of …`; behind a frame whatever is indented, and a closing brace |
//! | Python | `Traceback (most recent call last):` | what is indented, then the line that names the error; `During handling of …` and the next one |
//! | Go | `panic: …`, `fatal error: …` | everything up to a line of a logger |
//! | Rust | `thread '…' panicked at …` | the message, `note: …`, `stack backtrace:` and what is indented |
//! | Ruby | `app.rb:3:in 'f': boom (RuntimeError)` | `\tfrom …` |
//! | PHP | `PHP Fatal error: …` | `Stack trace:`, `#0 …`, `thrown in …` |

use tapline_core::recognise;

/// What was read so far of a record that may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trace {
    /// Any text.
    Text,
    /// At least one frame of Java, Node.js, .NET, Ruby or PHP.
    Frames,
    /// Python's `Traceback`, whose error has not come yet.
    Python,
    /// The line with Python's error has come.
    PythonError,
    /// Go's panic: all that the runtime says is one thing.
    Go,
    /// Rust's panic, and how many of its own lines may still come unindented.
    Rust(u8),
}

/// Lines that Rust writes without indentation behind the first: message and note.
const RUST_LINES: u8 = 6;

impl Trace {
    /// What the first line of a record is.
    pub fn of_head(line: &[u8]) -> Trace {
        let contains = |part: &str| memchr::memmem::find(line, part.as_bytes()).is_some();
        if is_traceback(line) || line.ends_with(b"Traceback (most recent call last):") {
            Trace::Python
        } else if line.starts_with(b"panic: ") || line.starts_with(b"fatal error: ") {
            Trace::Go
        } else if line.starts_with(b"thread '") && contains("' panicked at ") {
            Trace::Rust(RUST_LINES)
        } else {
            Trace::Text
        }
    }

    /// Whether more may be expected behind a text, so that it is worth waiting for.
    pub fn may_go_on(self, text: &[u8]) -> bool {
        let contains = |part: &str| memchr::memmem::find(text, part.as_bytes()).is_some();
        self != Trace::Text || contains("Error") || contains("Exception")
    }

    /// Whether a line belongs to what was read, and what is read then. `None`: it does not.
    pub fn next(self, line: &[u8]) -> Option<Trace> {
        let indented = line
            .first()
            .is_some_and(|byte| matches!(byte, b' ' | b'\t'))
            || line.starts_with("\u{a0}".as_bytes());
        let blank = line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
        match self {
            Trace::Python if blank || indented => Some(Trace::Python),
            // Python's error has any name; what a logger wrote is a record of its own.
            Trace::Python if is_group(line) => Some(Trace::Python),
            Trace::Python => (!is_stamped(line)).then_some(Trace::PythonError),
            Trace::PythonError if blank || is_chained(line) => Some(Trace::PythonError),
            Trace::PythonError if is_traceback(line) => Some(Trace::Python),
            Trace::PythonError => None,
            Trace::Go => (blank || indented || !is_logged(line)).then_some(Trace::Go),
            Trace::Rust(left) if blank || indented => Some(Trace::Rust(left)),
            Trace::Rust(left) if left > 0 && !is_logged(line) => Some(Trace::Rust(left - 1)),
            Trace::Rust(_) => None,
            Trace::Frames if blank => None,
            Trace::Frames if indented || is_frame(line) || is_closing(line) => Some(Trace::Frames),
            Trace::Text if is_frame(line) => Some(Trace::Frames),
            Trace::Text | Trace::Frames => None,
        }
    }
}

fn is_traceback(line: &[u8]) -> bool {
    line.starts_with(b"Traceback (most recent call last)") || is_group(line)
}

/// `  + Exception Group Traceback (most recent call last):` and its frame of dashes.
fn is_group(line: &[u8]) -> bool {
    let line = line.trim_ascii_start();
    line.starts_with(b"+ Exception Group Traceback") || line.starts_with(b"+-")
}

fn is_chained(line: &[u8]) -> bool {
    line.starts_with(b"During handling of the above exception")
        || line.starts_with(b"The above exception was the direct cause")
}

/// A line of a stack, or one that joins two stacks. Not every indented line is one: tables and JSON are indented too.
fn is_frame(line: &[u8]) -> bool {
    let bare = line.trim_ascii_start();
    let indented = bare.len() < line.len();
    let starts = |part: &str| bare.starts_with(part.as_bytes());
    let more = || {
        let rest = bare.strip_prefix(b"... ");
        rest.is_some_and(|rest| {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            digits > 0
                && (rest[digits..].starts_with(b" more")
                    || rest[digits..].starts_with(b" common frames"))
        })
    };
    let numbered = || {
        let digits = bare
            .iter()
            .skip(1)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        starts("#") && digits > 0 && bare.get(digits + 1) == Some(&b' ')
    };
    (indented && (starts("at ") || starts("from ") || starts("thrown in ")))
        || starts("Caused by: ")
        || (indented && starts("Suppressed: "))
        || starts("--- End of ")
        || bare == b"Stack trace:"
        || numbered()
        || more()
}

/// What closes the object that Node.js prints behind the frames of an error.
fn is_closing(line: &[u8]) -> bool {
    matches!(line, b"}" | b"]" | b"},")
}

/// Whether a line begins with a time, as loggers' lines do.
fn is_stamped(line: &[u8]) -> bool {
    line.first()
        .is_some_and(|byte| byte.is_ascii_digit() || *byte == b'[')
        && is_logged(line)
}

/// Whether a line is a record of its own: JSON, or text with a level or an id of its own.
fn is_logged(line: &[u8]) -> bool {
    let found = recognise::in_text(line);
    line.first() == Some(&b'{')
        || found.level.is_some()
        || found.request_id.is_some()
        || found.message.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of the lines behind the first belong to it.
    fn joined(text: &str) -> usize {
        let mut lines = text.split('\n').map(str::as_bytes);
        let mut trace = Trace::of_head(lines.next().unwrap());
        let mut count = 0;
        for line in lines {
            match trace.next(line) {
                Some(next) => trace = next,
                None => break,
            }
            count += 1;
        }
        count
    }

    fn whole(text: &str) {
        assert_eq!(joined(text), text.split('\n').count() - 1, "{text}");
        for after in [
            "2026-01-02T03:04:05.123Z\tundefined\tINFO\tnext",
            "[INFO] next",
            "{\"level\":\"info\"}",
        ] {
            let with = format!("{text}\n{after}");
            assert_eq!(joined(&with), text.split('\n').count() - 1, "{with}");
        }
    }

    #[test]
    fn traces_of_every_runtime_are_whole() {
        whole(
            "java.lang.IllegalStateException: boom\n\tat app.Handler.run(Handler.java:7)\n\tat app.Main.main(Main.java:3)\nCaused by: java.io.IOException: x\n\t... 7 more",
        );
        whole(
            "[ERROR] boom\n\tat app.Handler.run(Handler.java:7)\n\tSuppressed: java.lang.Error: y\n\t\tat a.B.c(B.java:1)",
        );
        whole(
            "TypeError: boom\n    at f (/var/task/index.js:3:9)\n    at process.run (node:internal:1:1) {\n  code: 'E_BOOM',\n  [cause]: Error: inner\n      at g (/var/task/index.js:4:9)\n}",
        );
        whole(
            "Traceback (most recent call last):\n  File \"/var/task/app.py\", line 12, in handler\n    raise KeyError('sku')\nKeyError: 'sku'",
        );
        whole(
            "Traceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 1\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"a.py\", line 2\nError: two",
        );
        whole(
            "[ERROR] ValueError: boom Traceback (most recent call last):\n  File \"a.py\", line 1\nValueError: boom",
        );
        whole(
            "Unhandled exception. System.Exception: boom\n   at App.Run() in /src/App.cs:line 3\n   --- End of inner exception stack trace ---\n   at App.Main()",
        );
        whole(
            "/var/task/app.rb:3:in 'f': boom (RuntimeError)\n\tfrom /var/task/app.rb:7:in 'g'\n\tfrom /var/task/app.rb:9:in '<main>'",
        );
        whole(
            "panic: runtime error: index out of range [5] with length 3\n\ngoroutine 1 [running]:\nmain.handler(0x0)\n\t/build/main.go:12 +0x1d\nmain.main()\n\t/build/main.go:20 +0x25\nexit status 2",
        );
        whole(
            "thread 'main' panicked at src/main.rs:3:5:\nboom\nnote: run with `RUST_BACKTRACE=1`\nstack backtrace:\n   0: std::panicking::begin_panic\n             at /rustc/std.rs:1",
        );
        whole(
            "PHP Fatal error:  Uncaught Exception: boom in /a.php:3\nStack trace:\n#0 /a.php(7): f()\n#1 {main}\n  thrown in /a.php on line 3",
        );
    }

    #[test]
    fn what_is_only_indented_or_only_looks_like_it_is_not_joined() {
        for (text, count) in [
            ("orders:\n  1 apple\n  2 pears", 0),
            ("{\n  \"a\": 1\n}", 0),
            ("started\nat the end", 0),
            (
                "Traceback (most recent call last):\n  File \"a\"\nE: x\nplain",
                2,
            ),
            ("boom\n\tat a.B.c(B.java:1)\nplain", 1),
            ("boom\n\tat a.B.c(B.java:1)\n\nplain", 1),
            (
                "panic: x\ngoroutine 1 [running]:\n2026/01/02 03:04:05 next",
                1,
            ),
            ("x\n#hash tag\n#1", 0),
        ] {
            assert_eq!(joined(text), count, "{text}");
        }
    }
}
