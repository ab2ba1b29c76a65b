//! How much memory there is, and how the queues share it.

use tapline_core::config::{Reader, size_text};
use tapline_core::facts::Facts;
use tapline_core::limits::{MEMORY_BYTES_MAX, MEMORY_BYTES_MIN};

use super::{Place, SinkPlan};

/// Bytes that a shrunk queue is a multiple of, so that messages can name it.
const STEP: u64 = 1 << 10;

/// The budget of the file, or the default for this function, in bytes.
pub(super) fn budget(root: &Reader<'_>, facts: &Facts, place: Place) -> u64 {
    match root.size("memory") {
        Some(memory) => {
            let half = facts.function_memory.map(|bytes| bytes / 2);
            if let Some(half) = half.filter(|half| memory.value > *half) {
                let message = format!(
                    "`memory` is more than half of the function's memory ({})",
                    size_text(half * 2)
                );
                let help = "write less, or give the function more memory";
                root.warning(memory.span, message, help);
            }
            memory.value
        }
        None => default_budget(facts.function_memory, place),
    }
}

fn default_budget(function_memory: Option<u64>, place: Place) -> u64 {
    match (place, function_memory) {
        (Place::Offline, _) => MEMORY_BYTES_MAX,
        (Place::Lambda, None) => MEMORY_BYTES_MIN,
        (Place::Lambda, Some(bytes)) => (bytes / 10).clamp(MEMORY_BYTES_MIN, MEMORY_BYTES_MAX),
    }
}

/// Shrinks the queues in proportion where they want more than three quarters of the budget, and says so.
pub(super) fn share(root: &Reader<'_>, memory: u64, sinks: &mut [SinkPlan]) {
    let room = memory / 4 * 3;
    let wanted: u64 = sinks.iter().map(queue_bytes).sum();
    if wanted <= room {
        return;
    }
    for sink in sinks.iter_mut() {
        // u128: both factors may be beyond 2^32.
        let share = u128::from(queue_bytes(sink)) * u128::from(room) / u128::from(wanted);
        let share = u64::try_from(share).unwrap_or(room) / STEP * STEP;
        sink.delivery.queue_bytes_max = usize::try_from(share).unwrap_or(usize::MAX);
    }
    let message = format!(
        "the queues want {}, more than three quarters of `memory` ({}); they get {}",
        size_text(wanted),
        size_text(memory),
        split(sinks)
    );
    let span = root.key_span("memory").unwrap_or_else(|| root.header());
    let help = format!(
        "write a `memory` of {} or more, or smaller `queue.bytes`",
        size_text(round_up(wanted / 3 * 4 + 4))
    );
    root.warning(span, message, help);
}

/// `` `a` 2MiB, `b` 1MiB``: the ceiling of each queue.
pub(super) fn split(sinks: &[SinkPlan]) -> String {
    let parts = sinks
        .iter()
        .map(|sink| format!("`{}` {}", sink.name, size_text(queue_bytes(sink))));
    parts.collect::<Vec<_>>().join(", ")
}

fn queue_bytes(sink: &SinkPlan) -> u64 {
    sink.delivery.queue_bytes_max as u64
}

fn round_up(bytes: u64) -> u64 {
    const MIB: u64 = 1 << 20;
    bytes.div_ceil(MIB) * MIB
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_key_a_tenth_of_the_function_within_4_and_32_mib() {
        const MIB: u64 = 1 << 20;
        let lambda = |mib: u64| default_budget(Some(mib * MIB), Place::Lambda);
        assert_eq!(lambda(39), 4 * MIB, "just under");
        assert_eq!(lambda(50), 5 * MIB);
        assert_eq!(lambda(320), 32 * MIB);
        assert_eq!(lambda(10_240), 32 * MIB, "just over");
        assert_eq!(default_budget(None, Place::Lambda), 4 * MIB);
        assert_eq!(default_budget(Some(MIB), Place::Offline), 32 * MIB);
    }
}
