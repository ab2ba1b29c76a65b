//! What `otlp` sends and makes of answers. What is to be tested of OTLP, and where:
//!
//! | Of | Tested by |
//! |---|---|
//! | both forms, 64 bits, ids, enums, empty values, nesting | `encoding`, `observations`, and `tests/otlp/check.py` with decoders in Python and a collector in Rust |
//! | URLs, variables of the environment, blank ones | `config` |
//! | headers, percent-encoding, those that are refused | `config` |
//! | which statuses are tried again, `Retry-After` | `answers`; over gRPC `replies` |
//! | partial success in every form | `answers`, `replies`, `delivery`, `check_partial` |
//! | a large answer cut off | not here: the client's limits are tested with it, in `http` |
//! | GOAWAY, RST_STREAM, trailers-only replies, windows, messages over 4 MiB, a freeze | `grpc/tests.rs`, with a server of h2; codes `replies` |
//! | no empty request, one resource | `observations`, `encoding`, and the server of `check.py`, which refuses an empty one |
//! | 64 MiB | cannot be reached: a request holds 1 MiB, or one record of 8 |
//! | severities, X-Ray headers, times and durations | `encoding`, `observations`, and `core`, which reads levels and headers |
//! | delta and cumulative metrics, clocks that go back | `observations` |
//! | own CA, certificates of the client | `mutual_tls`; the TLS of all sinks in `shared` |
//! | `INSECURE` over https | with a scheme the variable is not read, see `config` |
use tapline_core::budget::Budget;
use tapline_core::config::{Context, Document};
use tapline_core::sink::Verdict;

use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use super::answer::{Meaning, meaning};
use super::exporter::Transport;
use super::*;
use crate::shared::test_server::Step::*;
use crate::shared::test_server::{Server, Step};
use crate::test_world::{TestWorld, selection};

mod answers;
mod config;
mod delivery;
mod encoding;
mod mutual_tls;
mod observations;
mod replies;

/// Variables of an environment.
type Variables = &'static [(&'static str, &'static str)];

/// A sink read from its table, and what is said about it.
fn read_with(text: &str, variables: Variables) -> (Option<Otlp>, String) {
    let environment = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let context = Context::new(&environment);
    let document = Document::parse(&context, "t.toml", text.as_bytes()).unwrap();
    let reader = Reader::root(&context, &document, FIELDS);
    let sink = read(&reader);
    reader.finish();
    drop(reader);
    (sink, context.finish().render())
}

/// A sink about which nothing is said.
fn sink(text: &str, variables: Variables) -> Otlp {
    let (sink, said) = read_with(text, variables);
    assert_eq!(said, "");
    sink.unwrap()
}

fn to(server: &Server, more: &str) -> Otlp {
    let port = server.port;
    sink(
        &format!("endpoint = \"http://127.0.0.1:{port}\"\n{more}"),
        &[],
    )
}
