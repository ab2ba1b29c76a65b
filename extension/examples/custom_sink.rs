//! A Tapline with one more sink: `tcp` writes lines of JSON to a TCP connection.
//!
//! ```toml
//! [sink.lines]
//! type    = "tcp"
//! address = "127.0.0.1:5170"
//! ```
//!
//! Protocol: the line of [`tapline_core::line`] for each record, each ended by a newline. Guarantee: none that deserves
//! the name, since nothing is answered; what was written counts as delivered. No 429 and no 5xx; a connection that
//! cannot be opened or breaks is tried again.
//!
//! `cargo run -p tapline --example custom_sink -- check FILE` knows it, and so does the extension that it is in Lambda.

use std::process::ExitCode;

use tapline::Tapline;
use tapline_core::config::{Field, FieldKind, Fields, Reader};
use tapline_core::line;
use tapline_core::registry::{Build, SinkKind};
use tapline_core::sink::{Call, CallLimits, Outcome, Selection, Sink, Verdict};
use tapline_core::world::{Boxed, Stream};
use tokio::io::AsyncWriteExt as _;

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

fn main() -> ExitCode {
    Tapline::new().sink(KIND).main()
}

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
