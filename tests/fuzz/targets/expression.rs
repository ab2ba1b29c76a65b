//! Any text as an expression and as a template, asked of any record: no panic, and errors stand inside the source.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tapline_core::budget::Budget;
use tapline_core::expr::{Expression, Names, Problem, Unlike};
use tapline_core::facts::Facts;
use tapline_core::invocation::Invocations;
use tapline_core::template::{Allow, Moment, Template};
use tapline_core::test_util::batch_of;
use tapline_core::view::{Scratch, Surroundings, View};

fn inside(problems: &[Problem], source: &str) {
    assert!(!problems.is_empty());
    for problem in problems {
        assert!(source.get(problem.span.clone()).is_some(), "{problem:?}");
    }
}

/// The first line is the source, the rest is the record, as JSON would stand in a body.
fuzz_target!(|data: &str| {
    let (source, record) = data
        .split_once('\n')
        .unwrap_or((data, r#"{"a":{"b":[1,"x"]}}"#));
    let env = ["STAGE".to_owned()];
    let names = Names { env: &env };
    let facts = Facts::default();
    let invocations = Invocations::new(false, true);
    let scratch = Scratch::default();
    let batch = batch_of(&Budget::new(1 << 20), &[("function", record, None)]);
    let around = Surroundings {
        facts: &facts,
        invocations: &invocations,
        scratch: &scratch,
    };
    let view = View::new(&batch, &batch.records()[0], around);
    match Expression::parse(source, &names) {
        Ok(expression) => {
            let mut first = Unlike::default();
            let mut second = Unlike::default();
            assert_eq!(
                expression.matches(&view, &mut first),
                expression.matches(&view, &mut second)
            );
            assert_eq!((expression.source(), first), (source, second));
        }
        Err(problems) => inside(&problems, source),
    }
    for allow in [Allow::Environment, Allow::Record] {
        match Template::parse(source, &names, allow) {
            Ok(template) => template.render(
                &view,
                &Moment {
                    time_ms: 1_773_480_413_589,
                    seq: 0,
                },
                &mut Vec::new(),
            ),
            Err(problems) => inside(&problems, source),
        }
    }
});
