//! Tapline: a telemetry pipeline that runs inside AWS Lambda as an external extension.
//!
//! # The life of a record through this crate
//!
//! 1. [`receiver`]: a POST of the platform arrives on the address that [`address`] bound and [`subscription`] named,
//!    is read, charged and answered, and waits in the ingress queue.
//! 2. [`decode`]: the [`engine`] takes it out, recognises redelivery, and splits it into a batch of records and the
//!    platform events among them.
//! 3. [`intake`] leaves out what nobody asked for. The engine hands the batch to the pipeline of `tapline-core`, which queues it for the sinks.
//! 4. The events, and those of the Extensions API ([`next`]), go into the [`lifecycle`], a pure state machine. It says
//!    when sinks shall flush, how long an invocation is held, and when to ask for the next event.
//!
//! [`settings`] reads the configuration; [`Tapline`] is the builder to which sinks and transforms of one's own are
//! added; `cli` is the command line, `local` a Lambda on this machine (both with the feature `cli`).

pub mod address;
pub mod api;
#[cfg(feature = "cli")]
pub mod cli;
pub mod decode;
pub mod engine;
pub mod extension;
pub mod extensions_api;
pub mod flush;
pub mod intake;
pub mod io;
pub mod lifecycle;
#[cfg(feature = "cli")]
pub mod local;
pub mod logs_api;
pub mod next;
pub mod receiver;
pub mod settings;
pub mod subscription;
pub mod telemetry_api;
pub mod world;

use std::process::ExitCode;

use tapline_core::registry::{SinkKind, TransformKind};

use crate::settings::Kinds;

/// The program, with the kinds of sinks and transforms that it knows.
///
/// ```no_run
/// // A binary with one more sink: `type = "beacon"` in the configuration.
/// # fn kind() -> tapline_core::registry::SinkKind { unimplemented!() }
/// fn main() -> std::process::ExitCode {
///     tapline::Tapline::new().sink(kind()).main()
/// }
/// ```
pub struct Tapline {
    kinds: Kinds,
}

impl Tapline {
    /// The program with the built-in kinds.
    pub fn new() -> Tapline {
        Tapline {
            kinds: Kinds {
                sinks: tapline_sinks::kinds().to_vec(),
                transforms: tapline_transforms::kinds().to_vec(),
            },
        }
    }

    /// Adds a kind of sink. One with the name of an earlier one takes its place.
    #[must_use]
    pub fn sink(mut self, kind: SinkKind) -> Tapline {
        self.kinds.sinks.retain(|known| known.name != kind.name);
        self.kinds.sinks.push(kind);
        self
    }

    /// Adds a kind of transform. One with the name of an earlier one takes its place.
    #[must_use]
    pub fn transform(mut self, kind: TransformKind) -> Tapline {
        self.kinds
            .transforms
            .retain(|known| known.name != kind.name);
        self.kinds.transforms.push(kind);
        self
    }

    /// Runs: without an argument and with `AWS_LAMBDA_RUNTIME_API` set as the extension, else as the command line.
    pub fn main(self) -> ExitCode {
        world::hide_texts_of_panics();
        let arguments: Vec<String> = std::env::args_os()
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect();
        match world::variable("AWS_LAMBDA_RUNTIME_API") {
            Some(endpoint) if arguments.len() <= 1 => {
                let path = arguments.into_iter().next().unwrap_or_default();
                extension::main(self.kinds, &endpoint, &path)
            }
            _ => self.command_line(arguments),
        }
    }

    #[cfg(feature = "cli")]
    fn command_line(self, arguments: Vec<String>) -> ExitCode {
        cli::main(&self.kinds, arguments.into_iter().skip(1).collect())
    }

    #[cfg(not(feature = "cli"))]
    fn command_line(self, _: Vec<String>) -> ExitCode {
        world::write_line(
            b"tapline: this build is an extension for AWS Lambda; its command line is not built in",
        );
        ExitCode::from(2)
    }
}

impl Default for Tapline {
    fn default() -> Tapline {
        Tapline::new()
    }
}
