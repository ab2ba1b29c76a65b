//! `filter`: leaves records out, by one condition.
//!
//! `keep` lets through what the condition holds for, `drop` what it does not hold for. A comparison with a missing
//! value is false, so `keep` drops and `drop` keeps a record that lacks what is asked for; a missing `level` reads as
//! `info`. A record on which unlike kinds were compared is kept, whatever the condition gives, and counted as `unlike`:
//! what could not be decided leaves nothing out. Nothing can fail while it runs.
//!
//! A line in CloudWatch's embedded metric format is left alone where the condition names `level`: metrics have none.
//!
//! # Limits
//!
//! Those of [expressions](tapline_core::expr).

use tapline_core::batch::{Batch, Fate};
use tapline_core::config::{Field, FieldKind, Fields, Reader};
use tapline_core::expr::{Expression, Name, Unlike};
use tapline_core::ledger::add;
use tapline_core::registry::{Build, TransformKind};
use tapline_core::transform::{Context, Transform};
use tapline_core::view::View;

/// The row of the registry.
pub const KIND: TransformKind = TransformKind {
    name: "filter",
    feature: "filter",
    fields: FIELDS,
    build: Some(build),
    redacts: false,
};

/// Its keys.
const FIELDS: Fields = &[
    Field {
        name: "keep",
        kind: FieldKind::Expression,
        default: "",
        required: false,
        doc: "Records for which this holds go on, all others are left out. Exactly one of `keep` and `drop`.",
    },
    Field {
        name: "drop",
        kind: FieldKind::Expression,
        default: "",
        required: false,
        doc: "Records for which this holds are left out, all others go on. Exactly one of `keep` and `drop`.",
    },
];

fn build(reader: &Reader<'_>, build: &Build<'_>) -> Option<Box<dyn Transform>> {
    let (keep, drop) = (reader.key_span("keep"), reader.key_span("drop"));
    let key = match (keep, drop) {
        (Some(_), None) => "keep",
        (None, Some(_)) => "drop",
        (Some(keep), Some(drop)) => {
            let second = if keep.start > drop.start { keep } else { drop };
            let message = format!("{} has both `keep` and `drop`", reader.label());
            reader.error(
                second,
                message,
                "remove one; two filters in a row apply both",
            );
            return None;
        }
        (None, None) => {
            let message = format!("{} has neither `keep` nor `drop`", reader.label());
            let help = "add what goes on, `keep = 'level >= info'`, or what is left out, `drop = 'level < info'`";
            reader.error(reader.header(), message, help);
            return None;
        }
    };
    let condition = build.expression(reader, key)?;
    let names_level = condition.names().any(|name| *name == Name::Level);
    Some(Box::new(Filter {
        condition,
        passes: key == "keep",
        names_level,
    }))
}

struct Filter {
    condition: Expression,
    /// What the condition gives for a record that goes on.
    passes: bool,
    names_level: bool,
}

impl Transform for Filter {
    fn apply(&mut self, mut batch: Batch, context: &Context<'_>, output: &mut Vec<Batch>) {
        let mut unlike_count = 0;
        for position in 0..batch.records().len() {
            let record = &batch.records()[position];
            if !record.is_live() || (record.embedded_metrics && self.names_level) {
                continue;
            }
            let view = View::new(&batch, record, context.surroundings());
            let mut unlike = Unlike::default();
            let holds = self.condition.matches(&view, &mut unlike);
            drop(view);
            unlike_count += unlike.0;
            if holds != self.passes && unlike.0 == 0 {
                batch.records_mut()[position].fate = Fate::Filtered;
            }
        }
        add(&context.ledger.unlike, unlike_count);
        output.push(batch);
    }

    fn prepare(&mut self) {
        self.condition.prepare();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_kit::{Kit, problems};
    use tapline_core::batch::Record;
    use tapline_core::level::Level;

    const LINES: [(&str, &str, Option<Level>); 3] = [
        ("function", r#""quiet""#, Some(Level::Debug)),
        ("function", r#""loud""#, Some(Level::Error)),
        ("function", r#""plain""#, None),
    ];

    fn fates(config: &str) -> Vec<bool> {
        let kit = Kit::new();
        let batch = kit.run(&KIND, config, kit.batch(&LINES));
        let live = batch
            .records()
            .iter()
            .map(|record| record.fate == Fate::Live);
        live.collect()
    }

    #[test]
    fn keep_and_drop_are_each_others_opposite_and_a_missing_level_is_info() {
        assert_eq!(fates("keep = 'level >= info'"), [false, true, true]);
        assert_eq!(fates("drop = 'level >= info'"), [true, false, false]);
    }

    #[test]
    fn keep_drops_and_drop_keeps_where_the_value_is_missing() {
        assert_eq!(fates("keep = '.tenant == 7'"), [false; 3]);
        assert_eq!(fates("drop = '.tenant == 7'"), [true; 3]);
    }

    #[test]
    fn metric_lines_pass_conditions_on_level_only() {
        let kit = Kit::new();
        let run = |config: &str| {
            let mut batch = kit.batch(&LINES);
            batch.records_mut()[0].embedded_metrics = true;
            kit.run(&KIND, config, batch).records()[0].fate
        };
        assert_eq!(run("keep = 'level >= error'"), Fate::Live);
        assert_eq!(run("keep = 'message == \"x\"'"), Fate::Filtered);
    }

    #[test]
    fn records_that_are_out_or_set_aside_keep_their_fate() {
        let kit = Kit::new();
        let mut batch = kit.batch(&LINES);
        batch.records_mut()[0].fate = Fate::Sampled;
        batch.records_mut()[1].set_aside = true;
        let batch = kit.run(&KIND, "drop = 'type == \"function\"'", batch);
        let fates: Vec<Fate> = batch.records().iter().map(|record| record.fate).collect();
        assert_eq!(fates, [Fate::Sampled, Fate::Live, Fate::Filtered]);
    }

    #[test]
    fn what_cannot_be_compared_is_kept_and_counted() {
        for condition in [
            "keep = '.a > 5'",
            "drop = 'not (.a > 5)'",
            "keep = '.b == 2 and .a ~ \"x\"'",
            "drop = '.a != 5'",
        ] {
            let kit = Kit::new();
            let rows = [
                ("function", r#"{"a":true,"b":2}"#, None),
                ("function", r#"{"a":{},"b":2}"#, None),
            ];
            let batch = kit.run(&KIND, condition, kit.batch(&rows));
            let live = |record: &Record| record.fate == Fate::Live;
            assert!(batch.records().iter().all(live), "{condition}");
            assert_eq!(kit.ledger.unlike.get(), 2, "{condition}");
        }
        // What was decided before it came to that is decided.
        let kit = Kit::new();
        let batch = kit.run(
            &KIND,
            "keep = '.b == 3 and .a > 5'",
            kit.one(r#"{"a":true,"b":2}"#),
        );
        assert_eq!(batch.records()[0].fate, Fate::Filtered);
        assert_eq!(kit.ledger.unlike.get(), 0);
    }

    #[test]
    fn exactly_one_condition_is_wanted() {
        let none = problems(&KIND, "");
        assert!(none[0].contains("neither `keep` nor `drop`"), "{none:?}");
        let both = problems(&KIND, "keep = 'level > info'\ndrop = 'level > info'");
        assert!(
            both[0].contains(":2:1:") && both[0].contains("both"),
            "{both:?}"
        );
        let wrong = problems(&KIND, "keep = 'levl > info'");
        assert!(wrong[0].contains("level"), "{wrong:?}");
    }
}
