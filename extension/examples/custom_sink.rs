//! A Tapline with one more sink and one more transform: `tcp` writes lines of JSON to a TCP connection, `shout` puts
//! text records into capital letters.
//!
//! ```toml
//! [[transform]]
//! type = "shout"
//! mark = "!"
//!
//! [sink.lines]
//! type    = "tcp"
//! address = "127.0.0.1:5170"
//! ```
//!
//! Protocol: the line of [`tapline_core::line`] for each record, each ended by a newline. Guarantee: none that deserves
//! the name, since nothing is answered; what was written counts as delivered. No 429 and no 5xx; a connection that
//! cannot be opened or breaks is tried again.
//!
//! `cargo run --example custom_sink -- check extension/examples/custom_sink.toml` knows both, and so does the extension
//! that it is in Lambda. `tests/outside` runs them in a crate of its own.

use std::process::ExitCode;

use tapline::Tapline;
use tapline_core::batch::Batch;
use tapline_core::config::{Field, FieldKind, Fields, Reader};
use tapline_core::json;
use tapline_core::line;
use tapline_core::registry::{Build, SinkKind, TransformKind};
use tapline_core::sink::{Call, CallLimits, Outcome, Selection, Sink, Verdict};
use tapline_core::transform::{Context, Transform};
use tapline_core::world::{Boxed, Stream};
use tokio::io::AsyncWriteExt as _;

fn main() -> ExitCode {
    program().main()
}

/// Tapline with the kinds of this file.
pub fn program() -> Tapline {
    Tapline::new().sink(KIND).transform(SHOUT)
}

/// The row of this sink: all that the rest needs to know.
const KIND: SinkKind = SinkKind {
    name: "tcp",
    feature: "tcp",
    fields: FIELDS,
    build: Some(build),
};

/// Its keys, beside those that every sink has.
const FIELDS: Fields = &[Field {
    name: "address",
    kind: FieldKind::Text,
    default: "",
    required: true,
    doc: "Where to connect, `host:port`.",
}];

/// Writes lines to one connection, which is kept between calls.
struct Tcp {
    host: String,
    port: u16,
    stream: Option<Box<dyn Stream>>,
}

fn build(reader: &Reader<'_>, _: &Build<'_>) -> Option<Box<dyn Sink>> {
    let address = reader.text("address")?;
    let parts = address.value.rsplit_once(':');
    let parsed = parts.and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
    let Some((host, port)) = parsed else {
        let message = format!("{} is no address", reader.quote(&address));
        reader.error(address.span, message, "write `host:port`");
        return None;
    };
    Some(Box::new(Tcp {
        host,
        port,
        stream: None,
    }))
}

impl Tcp {
    async fn write(&mut self, lines: &[u8], call: &Call<'_>) -> std::io::Result<()> {
        // Taken out first: a call may be dropped at any await, and half a line must not be followed by another.
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => call.world.connect(&self.host, self.port).await?,
        };
        stream.write_all(lines).await?;
        stream.flush().await?;
        self.stream = Some(stream);
        Ok(())
    }
}

impl Sink for Tcp {
    fn limits(&self) -> CallLimits {
        CallLimits {
            records_max: 1_000,
            bytes_max: 256 << 10,
        }
    }

    fn deliver<'a>(&'a mut self, records: &'a Selection, call: Call<'a>) -> Boxed<'a, Outcome> {
        Box::pin(async move {
            let mut lines = Vec::new();
            for (batch, record) in records.records() {
                line::write(batch, record, &mut lines);
                lines.push(b'\n');
            }
            // In memory already and about to leave it: counted while it is held.
            let _charge = call.budget.charge_over(lines.capacity());
            let verdict = match self.write(&lines, &call).await {
                Ok(()) => Verdict::Accepted,
                Err(_) => Verdict::Retry {
                    why: "connection".into(),
                    after: None,
                    answered: false,
                },
            };
            verdict.into()
        })
    }
}

/// The row of the transform.
const SHOUT: TransformKind = TransformKind {
    name: "shout",
    feature: "shout",
    fields: SHOUT_FIELDS,
    build: Some(build_shout),
    redacts: false,
};

const SHOUT_FIELDS: Fields = &[Field {
    name: "mark",
    kind: FieldKind::Text,
    default: "\"!\"",
    required: false,
    doc: "What a record ends with.",
}];

fn build_shout(reader: &Reader<'_>, _: &Build<'_>) -> Option<Box<dyn Transform>> {
    let mark = reader.text("mark")?.value;
    Some(Box::new(Shout { mark }))
}

/// Changes text records, and leaves alone what is no text, is out, or is not meant by its `when`.
struct Shout {
    mark: String,
}

impl Transform for Shout {
    fn apply(&mut self, mut batch: Batch, context: &Context<'_>, output: &mut Vec<Batch>) {
        let mut text = context.scratch.take();
        for position in 0..batch.records().len() {
            let record = &batch.records()[position];
            let inside = json::string_inside(batch.bytes(record.value));
            let Some(inside) = inside.filter(|_| record.is_live()) else {
                continue;
            };
            text.clear();
            json::unescape_into(inside, &mut text);
            text.make_ascii_uppercase();
            text.extend_from_slice(self.mark.as_bytes());
            let value = batch.keep_with(|side| json::quote_into(&text, side));
            batch.records_mut()[position].value = value;
        }
        context.scratch.give_back(text);
        output.push(batch);
    }
}
