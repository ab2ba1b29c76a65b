//! The services that are known by name, a row each.

use super::preset::Preset;

mod axiom;
mod better_stack;
mod clickhouse;
mod coralogix;
mod datadog;
mod dynatrace;
mod elasticsearch;
mod firehose;
mod honeycomb;
mod logzio;
mod loki;
mod newrelic;
mod openobserve;
mod splunk_hec;
mod sumo_logic;
mod victorialogs;

/// Every preset, in the order of the alphabet.
pub(super) const PRESETS: &[&Preset] = &[
    &axiom::PRESET,
    &better_stack::PRESET,
    &clickhouse::PRESET,
    &coralogix::PRESET,
    &datadog::PRESET,
    &dynatrace::PRESET,
    &elasticsearch::PRESET,
    &firehose::PRESET,
    &honeycomb::PRESET,
    &logzio::PRESET,
    &loki::PRESET,
    &newrelic::PRESET,
    &openobserve::PRESET,
    &splunk_hec::PRESET,
    &sumo_logic::PRESET,
    &victorialogs::PRESET,
];

/// Their names, which `preset` takes.
pub(super) const NAMES: &[&str] = &[
    "axiom",
    "better_stack",
    "clickhouse",
    "coralogix",
    "datadog",
    "dynatrace",
    "elasticsearch",
    "firehose",
    "honeycomb",
    "logzio",
    "loki",
    "newrelic",
    "openobserve",
    "splunk_hec",
    "sumo_logic",
    "victorialogs",
];

/// The preset of a name.
pub(super) fn find(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tapline_core::config::check_fields;

    #[test]
    fn every_row_can_be_read_and_is_named() {
        let names: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
        assert_eq!(names, NAMES);
        assert!(names.is_sorted());
        for preset in PRESETS {
            assert_eq!(check_fields(preset.options), Ok(()), "{}", preset.name);
        }
    }
}
