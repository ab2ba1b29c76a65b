//! What happens to records between the receiver and the sinks: filter, redact, sample, enrich, parse.
//!
//! # The life of a record
//!
//! 1. The pipeline hands a batch to each transform of the file in turn; its `when` has set aside what is not meant.
//! 2. `filter` and `sample` give records a [`Fate`](tapline_core::batch::Fate); they keep their place and are counted
//!    at each sink.
//! 3. `redact` looks at the decoded text of every value and writes a changed record beside the body. An unchanged one
//!    keeps its bytes and costs no allocation.
//! 4. `enrich` writes attributes beside the record, or values into its JSON.
//!
//! Each kind is one module and one row of [`kinds`]; a row whose feature is not in the build keeps its name, so that
//! the loader can say what is missing.

#[cfg(any(feature = "sample", feature = "enrich"))]
mod attributes;
#[cfg(feature = "enrich")]
mod enrich;
#[cfg(feature = "filter")]
mod filter;
#[cfg(feature = "parse")]
mod parse;
#[cfg(feature = "redact")]
mod redact;
#[cfg(feature = "sample")]
mod sample;
#[cfg(test)]
#[allow(dead_code, reason = "a build of one transform needs part of it")]
mod test_kit;

#[cfg(all(feature = "redact", feature = "test-util"))]
pub use redact::UNGATED;
#[cfg(feature = "redact")]
pub use redact::{BuiltInRule, built_in_rules};
use tapline_core::registry::TransformKind;

/// The kinds of transforms, in the order of the contract.
pub fn kinds() -> &'static [TransformKind] {
    KINDS
}

static KINDS: &[TransformKind] = &[
    #[cfg(feature = "filter")]
    filter::KIND,
    #[cfg(not(feature = "filter"))]
    absent("filter"),
    #[cfg(feature = "redact")]
    redact::KIND,
    #[cfg(not(feature = "redact"))]
    TransformKind {
        redacts: true,
        ..absent("redact")
    },
    #[cfg(feature = "sample")]
    sample::KIND,
    #[cfg(not(feature = "sample"))]
    absent("sample"),
    #[cfg(feature = "enrich")]
    enrich::KIND,
    #[cfg(not(feature = "enrich"))]
    absent("enrich"),
    #[cfg(feature = "parse")]
    parse::KIND,
    #[cfg(not(feature = "parse"))]
    absent("parse"),
];

/// A kind that this build does not have; its feature bears its name.
#[allow(
    dead_code,
    reason = "a build with every feature has no row without a transform"
)]
const fn absent(name: &'static str) -> TransformKind {
    TransformKind {
        name,
        feature: name,
        fields: &[],
        build: None,
        redacts: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tapline_core::config::check_fields;

    #[test]
    fn every_row_is_sound() {
        let names: Vec<&str> = kinds().iter().map(|kind| kind.name).collect();
        assert_eq!(names, ["filter", "redact", "sample", "enrich", "parse"]);
        for kind in kinds() {
            assert_eq!(check_fields(kind.fields), Ok(()), "{}", kind.name);
            assert_eq!(kind.redacts, kind.name == "redact");
        }
    }
}
