//! Cuts a stream of telemetry elements, an array or one after the other, into pieces of whole elements.

use std::io::{self, Read};

use tapline_core::json;
use tapline_core::limits::BODY_BYTES_MAX;

/// A piece ends with the first element past this, in bytes.
const PIECE_BYTES: usize = 256 << 10;

/// Bytes that are read at once.
const READ_BYTES: usize = 64 << 10;

/// A scan that stops this near to what was read so far may only lack the rest.
const NEAR_END: usize = 8;

/// The stream.
pub struct Elements {
    source: Box<dyn Read>,
    buffer: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Elements {
    /// Elements of a stream: a JSON array of them, or one after the other with white space between.
    pub fn new(source: Box<dyn Read>) -> Elements {
        Elements {
            source,
            buffer: Vec::new(),
            at: 0,
            ended: false,
        }
    }

    /// The next whole elements, a line break after each; what cannot be read stands there as it is. `None` at the end.
    ///
    /// # Errors
    ///
    /// When the stream breaks, or one element is larger than 8 MiB.
    pub fn next_piece(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut piece = Vec::new();
        while piece.len() < PIECE_BYTES {
            self.skip_separators();
            if self.at == self.buffer.len() {
                if self.ended {
                    break;
                }
                self.read_more()?;
                continue;
            }
            match json::skip_value(&self.buffer, self.at) {
                Ok(end) if end < self.buffer.len() || self.ended => self.take(end, &mut piece),
                Err(stop) if self.ended || stop.at + NEAR_END < self.buffer.len() => {
                    let end = self.next_element(stop.at);
                    self.take(end, &mut piece);
                }
                _ => self.read_more()?,
            }
        }
        Ok((!piece.is_empty()).then_some(piece))
    }

    fn take(&mut self, end: usize, piece: &mut Vec<u8>) {
        // Line breaks between the tokens of an element are spaces here: one line is one element.
        let element = &self.buffer[self.at..end];
        piece.extend(element.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
        piece.push(b'\n');
        self.at = end;
    }

    /// Brackets and commas of an array around its elements.
    fn skip_separators(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t' | b',' | b'[' | b']') = self.buffer.get(self.at) {
            self.at += 1;
        }
    }

    /// Where the element after a broken one may begin: at the next line, or behind the next comma before a brace.
    fn next_element(&self, from: usize) -> usize {
        let rest = &self.buffer[from..];
        let line = memchr::memchr(b'\n', rest);
        let comma = memchr::memmem::find(rest, b",{\"");
        let found = [line, comma].into_iter().flatten().min();
        found.map_or(self.buffer.len(), |found| from + found).max(self.at + 1)
    }

    fn read_more(&mut self) -> io::Result<()> {
        self.buffer.drain(..self.at);
        self.at = 0;
        if self.buffer.len() > BODY_BYTES_MAX {
            return Err(io::Error::other("one element is larger than 8 MiB"));
        }
        let start = self.buffer.len();
        // As much again as is there already, so that a large element is not scanned over and over.
        let wanted = READ_BYTES.max(start);
        self.buffer.resize(start + wanted, 0);
        let read = loop {
            match self.source.read(&mut self.buffer[start..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.buffer.truncate(start + *read.as_ref().unwrap_or(&0));
        self.ended = read? == 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        let mut elements = Elements::new(Box::new(io::Cursor::new(text.as_bytes().to_vec())));
        let mut all = Vec::new();
        while let Some(piece) = elements.next_piece().unwrap() {
            all.extend(String::from_utf8(piece).unwrap().lines().map(str::to_owned));
        }
        all
    }

    #[test]
    fn arrays_and_lines_give_the_same_elements() {
        let expected = [r#"{"a":1}"#, r#"{"a":"],{"}"#];
        assert_eq!(lines(r#" [ {"a":1} , {"a":"],{"} ] "#), expected);
        assert_eq!(lines("{\"a\":1}\n{\"a\":\"],{\"}\n"), expected);
        assert_eq!(lines("{\"a\":1}{\"a\":\"],{\"}"), expected);
        assert_eq!(lines("{\"a\":\n1}"), ["{\"a\": 1}"]);
        assert!(lines("").is_empty());
    }

    #[test]
    fn a_broken_element_costs_no_neighbour() {
        assert_eq!(lines("{\"a\":1}\n{\"a\":oops}  \n{\"a\":2}\n"), ["{\"a\":1}", "{\"a\":oops}  ", "{\"a\":2}"]);
        assert_eq!(lines(r#"[{"a":1},{"a":oops},{"a":2}]"#), [r#"{"a":1}"#, r#"{"a":oops}"#, r#"{"a":2}"#]);
    }

    #[test]
    fn large_input_comes_in_pieces_of_whole_elements() {
        let element = format!("{{\"a\":\"{}\"}}", "x".repeat(100_000));
        let text = vec![element.as_str(); 20].join(",");
        assert_eq!(lines(&format!("[{text}]")), vec![element; 20]);
    }
}
