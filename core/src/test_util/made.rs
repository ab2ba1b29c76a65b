//! Sinks and transforms from their tables, and a world in which nothing happens: for whoever looks at their work alone.

use std::io;

use crate::config::{Context, Document, Reader, Scope};
use crate::expr::Names;
use crate::facts::Facts;
use crate::level::Level;
use crate::registry::{Build, SinkKind, TransformKind};
use crate::sink::Sink;
use crate::transform::Transform;
use crate::world::{Boxed, Instant, Stream, World};

/// A world in which no time passes, nobody is reached, and whoever signs for AWS finds credentials. Its wall clock is
/// that of made records.
pub struct StillWorld;

impl World for StillWorld {
    fn now(&self) -> Instant {
        Instant(0)
    }

    fn wall_ms(&self) -> i64 {
        super::ARRIVED_MS
    }

    fn sleep_until(&self, _: Instant) -> Boxed<'static, ()> {
        Box::pin(std::future::pending())
    }

    fn random(&self) -> u64 {
        4
    }

    fn variable(&self, name: &str) -> Option<String> {
        let credentials = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
        credentials.contains(&name).then(|| "credential".to_owned())
    }

    fn connect(&self, _: &str, _: u16) -> Boxed<'static, io::Result<Box<dyn Stream>>> {
        let refused = io::ErrorKind::ConnectionRefused;
        Box::pin(std::future::ready(Err(refused.into())))
    }

    fn log(&self, _: Level, _: &str) {}
}

/// The sink of this name from its table.
///
/// # Panics
///
/// There is no such kind in the build, or the table is not sound.
pub fn sink(kinds: &[SinkKind], name: &str, table: &str) -> Box<dyn Sink> {
    let mut kinds = kinds.iter();
    let kind = kinds.find(|kind| kind.name == name);
    let kind = kind.expect("the kind is in the table of kinds");
    let context = Context::new(&|_| None);
    let document = Document::parse(&context, "t.toml", table.as_bytes()).expect("it is TOML");
    let reader = Reader::root(&context, &document, kind.fields);
    let build = kind.build.expect("the kind is in this build");
    build(&reader, &plain(&Facts::default())).expect("the table is sound")
}

/// The transform of this name from its table, with this environment and function.
///
/// # Panics
///
/// There is no such kind in the build, or the table is not sound.
pub fn transform(
    kinds: &[TransformKind],
    name: &str,
    table: &str,
    variable: &dyn Fn(&str) -> Option<String>,
    facts: &Facts,
) -> Box<dyn Transform> {
    let mut kinds = kinds.iter();
    let kind = kinds.find(|kind| kind.name == name);
    let kind = kind.expect("the kind is in the table of kinds");
    let context = Context::new(variable);
    let document = Document::parse(&context, "t.toml", table.as_bytes()).expect("it is TOML");
    let reader =
        Reader::root(&context, &document, kind.fields).with_scope(Scope::Redact, "transform `t`");
    let build = kind.build.expect("the kind is in this build");
    build(&reader, &plain(facts)).expect("the table is sound")
}

fn plain(facts: &Facts) -> Build<'_> {
    Build {
        names: Names { env: &[] },
        facts,
        memory: 32 << 20,
    }
}
