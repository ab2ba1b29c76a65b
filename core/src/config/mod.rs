//! The configuration file: reading, checking and explaining what is wrong with it.
//!
//! A file becomes a [`Document`], a tree that knows where each value stands. A component describes its keys in a
//! constant table of [`Field`]s and reads them through a [`Reader`], which applies defaults, checks types, ranges and
//! units, replaces variables of the environment and collects every problem instead of stopping at the first.
//! [`Context::finish`] gives all of them back as [`Diagnostics`].
//!
//! ```
//! use std::time::Duration;
//! use tapline_core::config::{Context, Document, Field, FieldKind, Fields, Reader};
//!
//! const FIELDS: Fields = &[
//!     Field {
//!         name: "url",
//!         kind: FieldKind::Text,
//!         default: "",
//!         required: true,
//!         doc: "Where requests go.",
//!     },
//!     Field {
//!         name: "timeout",
//!         kind: FieldKind::Duration { min: Duration::from_millis(1), max: Duration::from_secs(60) },
//!         default: "\"5s\"",
//!         required: false,
//!         doc: "Longest time that a request may take.",
//!     },
//! ];
//!
//! struct Beacon {
//!     url: String,
//!     timeout: Duration,
//! }
//!
//! impl Beacon {
//!     fn read(reader: &Reader<'_>) -> Option<Beacon> {
//!         Some(Beacon { url: reader.text("url")?.value, timeout: reader.duration("timeout")?.value })
//!     }
//! }
//!
//! let environment = |name: &str| (name == "STAGE").then(|| "prod".to_owned());
//! let context = Context::new(&environment);
//! let text = "url = \"https://${STAGE}.example.com\"\ntimout = \"1s\"\n";
//! let document = Document::parse(&context, "tapline.toml", text.as_bytes()).expect("this is TOML");
//! let reader = Reader::root(&context, &document, FIELDS);
//! let beacon = Beacon::read(&reader).expect("its keys are right");
//! reader.finish();
//!
//! assert_eq!(beacon.url, "https://prod.example.com");
//! assert_eq!(beacon.timeout, Duration::from_secs(5));
//! let diagnostics = context.finish();
//! assert_eq!(diagnostics.summary(), "1 warning");
//! assert!(diagnostics.render().contains("^^^^^^ did you mean `timeout`?"));
//! ```
//!
//! # Secrets
//!
//! Diagnostics go to stderr, which Lambda keeps. What came from the environment is never part of a message; values of
//! [`FieldKind::Secret`] and of keys that sound like credentials are shown as `…` in the line of source.

mod check;
mod diagnostic;
mod document;
mod field;
mod hide;
mod interpolate;
mod late;
mod reader;
mod secret;
mod source;
#[cfg(test)]
mod tests;
mod value;

pub use check::check_fields;
pub use diagnostic::{Diagnostic, Diagnostics, Kind, Scope, Severity};
pub use document::{Context, Document, FILE_BYTES_MAX};
pub use field::{Field, FieldKind, Fields, duration_text, size_text, words_list};
pub use late::{Late, LateSecrets};
pub use reader::Reader;
pub use secret::Secret;
pub use source::Source;
pub use value::{Data, Entry, Spanned, Value};
