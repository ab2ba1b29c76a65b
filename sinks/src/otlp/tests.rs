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
