//! A Tapline with a transform and a sink that panic with the text of a record in their mouth: what a bug in one of one's
//! own could do. A record says where: `transform panics`, `call panics`, `answer panics`.

use std::process::ExitCode;

use tapline::Tapline;
use tapline_core::batch::Batch;
use tapline_core::config::Reader;
use tapline_core::registry::{Build, SinkKind, TransformKind};
use tapline_core::sink::{Call, CallLimits, Outcome, Selection, Sink, Verdict};
use tapline_core::transform::{Context, Transform};
use tapline_core::world::Boxed;

fn main() -> ExitCode {
    let sink = SinkKind {
        name: "clumsy",
        feature: "clumsy",
        fields: &[],
        build: Some(sink),
    };
    let transform = TransformKind {
        name: "clumsy",
        feature: "clumsy",
        fields: &[],
        build: Some(transform),
        redacts: false,
    };
    Tapline::new().sink(sink).transform(transform).main()
}

fn sink(_: &Reader<'_>, _: &Build<'_>) -> Option<Box<dyn Sink>> {
    Some(Box::new(Clumsy))
}

fn transform(_: &Reader<'_>, _: &Build<'_>) -> Option<Box<dyn Transform>> {
    Some(Box::new(Clumsy))
}

struct Clumsy;

impl Transform for Clumsy {
    fn apply(&mut self, batch: Batch, _: &Context<'_>, output: &mut Vec<Batch>) {
        for record in batch.records() {
            let text = String::from_utf8_lossy(batch.bytes(record.value));
            assert!(!text.contains("transform panics"), "no place for {text}");
        }
        output.push(batch);
    }
}

impl Sink for Clumsy {
    fn limits(&self) -> CallLimits {
        CallLimits {
            records_max: 1,
            bytes_max: 1 << 20,
        }
    }

    fn deliver<'a>(&'a mut self, records: &'a Selection, _: Call<'a>) -> Boxed<'a, Outcome> {
        let texts = records
            .records()
            .map(|(batch, record)| String::from_utf8_lossy(batch.bytes(record.value)));
        let text: String = texts.collect();
        if text.contains("call panics") {
            std::panic::panic_any(text);
        }
        Box::pin(async move {
            assert!(!text.contains("answer panics"), "no place for {text}");
            Verdict::Accepted.into()
        })
    }
}
