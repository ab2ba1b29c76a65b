//! Records, pipeline, delivery and configuration of Tapline, without any socket, file or AWS call.
//!
//! # The life of a record
//!
//! 1. A POST of the platform becomes a [`body::Body`]: its bytes, charged to the one [`budget::Budget`].
//! 2. `extension` splits it into a [`batch::Batch`]: an index of [`batch::Record`]s, each a handful of ranges into
//!    the body. From here on bytes are shared, never copied.
//! 3. The [`pipeline::Pipeline`] hands the batch to each [`transform::Transform`] in turn. What a transform takes out
//!    keeps its place and gets a [`batch::Fate`]; what it changes is written beside the body.
//! 4. At a sink's tap the records that are left and pass its `when` ([`expr::Expression`]) are queued as at most three
//!    parcels, one a lane, in its [`port::Port`]'s [`queue::Queue`].
//! 5. The sink's own [`delivery`] loop takes them out, calls the [`sink::Sink`], and decides on retry or drop
//!    ([`retry`], [`breaker`]).
//! 6. Whatever happens is counted, and the counts add up: [`ledger`].
//!
//! [`config`] reads the TOML file by tables of fields; [`registry`] lists the kinds of sinks and transforms;
//! [`world`] is all that comes in from outside; [`limits`] holds every bound.

pub mod batch;
pub mod bell;
pub mod body;
pub mod breaker;
pub mod budget;
pub mod ceiling;
pub mod config;
pub mod dead_letter;
pub mod delivery;
pub mod expr;
pub mod facts;
pub mod invocation;
pub mod json;
pub mod ledger;
pub mod level;
pub mod limits;
pub mod line;
pub mod observation;
mod parcel;
pub mod pipeline;
pub mod platform;
pub mod port;
pub mod queue;
pub mod quota;
pub mod recognise;
pub mod registry;
pub mod resource;
pub mod retry;
pub mod room;
pub mod sink;
pub mod store;
pub mod suggest;
mod sync;
pub mod template;
#[cfg(any(test, feature = "test-util"))]
pub mod test_util;
pub mod time;
pub mod transform;
pub mod units;
pub mod view;
pub mod world;
