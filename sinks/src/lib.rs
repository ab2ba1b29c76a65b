//! The destinations that Tapline can write to.
//!
//! # The life of a record in this crate
//!
//! 1. The loop of a sink in `tapline-core` takes records out of the queue and calls [`Sink::deliver`] with at most
//!    what [`Sink::limits`] allows.
//! 2. The sink encodes them in one pass into a buffer that it uses again; the buffer is charged to the budget.
//! 3. It writes them to a file (`console`) or sends them over the one HTTP client that all sinks share, through
//!    a connection of the [`World`].
//! 4. The answer becomes a [`Verdict`], by a pure function. Retries, deadlines and counting are the loop's.
//!
//! A sink is one file: its keys, its reading, its code and its tests; `console.rs` is the one to copy from. It is
//! listed in [`kinds`] and nowhere else.
//!
//! [`Sink::deliver`]: tapline_core::sink::Sink::deliver
//! [`Sink::limits`]: tapline_core::sink::Sink::limits
//! [`World`]: tapline_core::world::World
//! [`Verdict`]: tapline_core::sink::Verdict

use std::rc::Rc;

use tapline_core::budget::Budget;
#[cfg(not(feature = "_aws"))]
use tapline_core::config::Late;
use tapline_core::config::LateSecrets;
use tapline_core::port::Identity;
use tapline_core::registry::SinkKind;
use tapline_core::world::{Boxed, World};

mod buffer;
#[cfg(feature = "cloudwatch")]
mod cloudwatch;
mod console;
#[cfg(test)]
#[cfg(all(
    feature = "cloudwatch",
    feature = "http",
    feature = "otlp-grpc",
    feature = "s3"
))]
mod faults;
#[cfg(feature = "otlp-grpc")]
mod grpc;
#[cfg(all(feature = "otlp", not(feature = "otlp-grpc")))]
#[path = "grpc_absent.rs"]
mod grpc;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(all(feature = "s3", not(feature = "parquet")))]
#[path = "parquet_absent.rs"]
mod parquet;
#[cfg(feature = "s3")]
mod s3;
#[cfg(feature = "_aws")]
mod secrets;
#[cfg(feature = "_http")]
#[cfg_attr(
    not(all(
        feature = "http",
        feature = "cloudwatch",
        feature = "otlp",
        feature = "s3"
    )),
    allow(
        dead_code,
        reason = "a part that one sink alone needs is left out by the linker"
    )
)]
mod shared;
#[cfg(test)]
#[cfg_attr(
    not(feature = "_aws"),
    allow(dead_code, reason = "not every sink looks at its world as closely")
)]
mod test_world;
#[cfg(all(feature = "_http", feature = "zstd"))]
mod zstd;
#[cfg(all(feature = "_http", not(feature = "zstd")))]
#[path = "zstd_absent.rs"]
mod zstd;

const KINDS: &[SinkKind] = &[
    console::KIND,
    #[cfg(feature = "http")]
    http::KIND,
    #[cfg(not(feature = "http"))]
    absent("http"),
    #[cfg(feature = "cloudwatch")]
    cloudwatch::KIND,
    #[cfg(not(feature = "cloudwatch"))]
    absent("cloudwatch"),
    #[cfg(feature = "otlp")]
    otlp::KIND,
    #[cfg(not(feature = "otlp"))]
    absent("otlp"),
    #[cfg(feature = "s3")]
    s3::KIND,
    #[cfg(not(feature = "s3"))]
    absent("s3"),
];

/// Every kind of sink, those included whose feature is not in this build.
pub fn kinds() -> &'static [SinkKind] {
    KINDS
}

/// Whether this build can fetch secrets of AWS: with any sink that speaks HTTP.
pub const FETCHES_SECRETS: bool = cfg!(feature = "_aws");

/// Fetches the secrets of AWS that a configuration names, for as long as the process runs.
#[cfg(feature = "_aws")]
pub fn fetch_secrets(
    secrets: LateSecrets,
    world: Rc<dyn World>,
    identity: Rc<Identity>,
    budget: Budget,
) -> Boxed<'static, ()> {
    Box::pin(secrets::fetch(secrets, world, identity, budget))
}

/// Without a sink that speaks HTTP there is nothing to fetch secrets with, and the loader refuses them: see
/// [`FETCHES_SECRETS`].
#[cfg(not(feature = "_aws"))]
pub fn fetch_secrets(
    secrets: LateSecrets,
    _: Rc<dyn World>,
    _: Rc<Identity>,
    _: Budget,
) -> Boxed<'static, ()> {
    secrets.iter().for_each(Late::fail);
    Box::pin(std::future::ready(()))
}

/// Every preset of `http` with its options.
#[cfg(feature = "http")]
pub fn presets() -> impl Iterator<Item = (&'static str, tapline_core::config::Fields)> {
    http::presets()
}

/// The row of a kind whose feature is not in this build.
#[cfg(not(all(
    feature = "http",
    feature = "cloudwatch",
    feature = "otlp",
    feature = "s3"
)))]
const fn absent(name: &'static str) -> SinkKind {
    SinkKind {
        name,
        feature: name,
        fields: &[],
        build: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tapline_core::config::{Context, Document, Reader, check_fields};
    use tapline_core::expr::Names;
    use tapline_core::facts::Facts;
    use tapline_core::registry::Build;

    #[test]
    fn every_kind_has_its_own_name_and_fields_that_can_be_read() {
        for (index, kind) in kinds().iter().enumerate() {
            assert_eq!(check_fields(kind.fields), Ok(()), "{}", kind.name);
            let earlier = &kinds()[..index];
            assert!(earlier.iter().all(|other| other.name != kind.name));
        }
    }

    #[test]
    fn every_kind_in_this_build_is_built_from_its_table() {
        let context = Context::new(&|_| None);
        let facts = Facts::default();
        for kind in kinds() {
            let text = match kind.name {
                "http" => "url = \"https://a.example/\"",
                "cloudwatch" => "group = \"/app/orders\"",
                "s3" => "bucket = \"acme-logs\"",
                _ => "",
            };
            let document = Document::parse(&context, kind.name, text.as_bytes()).unwrap();
            let reader = Reader::root(&context, &document, kind.fields);
            let build = Build {
                names: Names { env: &[] },
                facts: &facts,
                memory: 16 << 20,
            };
            let built = kind.build.map(|make| make(&reader, &build).is_some());
            let wanted = match kind.name {
                "http" => cfg!(feature = "http").then_some(true),
                "otlp" => cfg!(feature = "otlp").then_some(true),
                "cloudwatch" => cfg!(feature = "cloudwatch").then_some(true),
                "s3" => cfg!(feature = "s3").then_some(true),
                _ => Some(true),
            };
            assert_eq!(built, wanted, "{}", kind.name);
        }
        assert_eq!(context.finish().render(), "");
    }

    /// The keys that every sink has are read elsewhere.
    #[test]
    fn no_kind_takes_a_key_that_all_sinks_have() {
        const COMMON: [&str; 8] = [
            "type",
            "when",
            "after",
            "queue",
            "retry",
            "breaker",
            "timeout",
            "unredacted",
        ];
        for field in kinds().iter().flat_map(|kind| kind.fields) {
            assert!(!COMMON.contains(&field.name), "{}", field.name);
        }
    }
}
