//! Any bytes as a configuration, with every built-in kind: no panic, and what is wrong can be shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tapline::settings::{Kinds, Load, Place, load};
use tapline_core::facts::Facts;

fuzz_target!(|data: &[u8]| {
    let kinds = Kinds {
        sinks: tapline_sinks::kinds().to_vec(),
        transforms: tapline_transforms::kinds().to_vec(),
    };
    let variable = |name: &str| (name.len() < 8).then(|| "value".to_owned());
    for place in [Place::Lambda, Place::Offline] {
        let mut facts = Facts::default();
        let diagnostics = match load("fuzz.toml", data, &kinds, &mut facts, &variable, place) {
            Load::Parked(diagnostics) => {
                assert!(diagnostics.has_errors(), "parked without a reason");
                diagnostics
            }
            Load::Runs(settings) => {
                assert!(settings.sinks.iter().any(|sink| sink.sink.is_some()));
                settings.diagnostics
            }
        };
        assert_eq!(diagnostics.render().is_empty(), diagnostics.is_empty());
    }
});
