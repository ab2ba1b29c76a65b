//! Every bound of Tapline in one place, with its unit and its source.

use std::time::Duration;

/// Largest POST body that is kept; a larger one is read to its end, counted and answered, in bytes.
///
/// Lambda sends at most twice `buffering.maxBytes` (1 MiB at most) plus metadata; the rest is room for joined records.
pub const BODY_BYTES_MAX: usize = 8 << 20;

/// Nesting of arrays and objects up to which a record counts as well-formed JSON.
pub const JSON_DEPTH_MAX: usize = 512;

/// Longest first half of a cut record that waits for its second half, in bytes.
pub const FRAGMENT_BYTES_MAX: usize = 4 << 20;

/// How long a first half waits for its second.
pub const FRAGMENT_WAIT: Duration = Duration::from_secs(1);

/// Redelivered POSTs are recognised among this many last ones.
pub const REDELIVERY_WINDOW: usize = 64;

/// Bodies that may wait between the receiver and the pipeline.
pub const INGRESS_BODIES_MAX: usize = 64;

/// Batches that may wait in one lane of one sink's queue.
pub const LANE_BATCHES_MAX: usize = 256;

/// Invocations that are remembered at once: open ones on Managed Instances, late reports elsewhere.
pub const INVOCATIONS_MAX: usize = 256;

/// Least and most memory budget when none is configured, in bytes.
pub const MEMORY_BYTES_MIN: u64 = 4 << 20;
/// See [`MEMORY_BYTES_MIN`].
pub const MEMORY_BYTES_MAX: u64 = 32 << 20;

/// What a sink that never answers may cost in held time over the life of an environment.
pub const UNANSWERED_HOLD_MAX: Duration = Duration::from_secs(2);

/// Time before the deadline of SHUTDOWN at which all must have ended.
pub const SHUTDOWN_MARGIN: Duration = Duration::from_millis(200);

/// Part of the shutdown time that is kept for the loss report.
pub const LOSS_REPORT_TIME: Duration = Duration::from_millis(150);

/// Part of the shutdown time in which a sink's dead letters are delivered: it gives up that much sooner.
pub const DEAD_LETTER_TIME: Duration = Duration::from_millis(400);

/// Attributes that `enrich` may leave on one record, in bytes of rendered JSON.
pub const ATTRIBUTES_BYTES_MAX: usize = 64 << 10;

/// How long records wait for a secret that a transform needs, in running time. Nearly as long as it is asked for.
pub const SECRET_WAIT_MAX: Duration = Duration::from_secs(10);

/// Batches that may wait for it.
pub const SECRET_WAIT_BATCHES_MAX: usize = 256;

const _: () = assert!(FRAGMENT_BYTES_MAX <= BODY_BYTES_MAX);
const _: () = assert!(
    BODY_BYTES_MAX as u64 <= u32::MAX as u64 / 2,
    "slices are 31-bit offsets"
);
const _: () = assert!(REDELIVERY_WINDOW.is_power_of_two());
