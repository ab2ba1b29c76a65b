//! What stands around the records, metrics and spans of a request: the resource and the scope, once each.

use tapline_core::facts::Facts;
use tapline_core::resource::{self, Value};

use super::value;
use super::wire::{Key, Text, Wire};

const RESOURCE: Key = Key::roomy(1, "resource", 2);
const ATTRIBUTES: Key = Key::new(1, "attributes");
const SCOPE: Key = Key::new(1, "scope");
const NAME: Key = Key::new(1, "name");
const VERSION: Key = Key::new(2, "version");

/// Writes the one `ResourceLogs`, `ResourceMetrics` or `ResourceSpans` of a request, and in it the one scope.
pub(super) fn around<W: Wire>(
    wire: &mut W,
    resources: Key,
    scopes: Key,
    facts: &Facts,
    inside: impl FnOnce(&mut W),
) {
    wire.list(resources, |wire| {
        wire.item(resources, |wire| {
            wire.message(RESOURCE, |wire| {
                wire.list(ATTRIBUTES, |wire| write_attributes(wire, facts));
            });
            wire.list(scopes, |wire| {
                wire.item(scopes, |wire| {
                    wire.message(SCOPE, |wire| {
                        wire.text(NAME, Text::Plain(b"tapline"));
                        let version = env!("CARGO_PKG_VERSION").as_bytes();
                        wire.text(VERSION, Text::Plain(version));
                    });
                    inside(wire);
                });
            });
        });
    });
}

fn write_attributes<W: Wire>(wire: &mut W, facts: &Facts) {
    for (key, value) in resource::attributes(facts) {
        match value {
            Value::Text(text) => {
                value::text_attribute(wire, ATTRIBUTES, key, Text::Plain(text.as_bytes()));
            }
            Value::Integer(number) => value::integer_attribute(wire, ATTRIBUTES, key, number),
        }
    }
}
