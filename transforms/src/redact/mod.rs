//! Placeholder.
use tapline_core::registry::TransformKind;
pub const KIND: TransformKind = TransformKind {
    name: "redact",
    feature: "redact",
    fields: &[],
    build: None,
    redacts: true,
};
