//! One budget of bytes for all that Tapline holds back: bodies, indexes, changed texts, encoded requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A bound on memory, shared by all that charge to it.
#[derive(Debug, Clone)]
pub struct Budget {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limit: u64,
    used: AtomicU64,
    peak: AtomicU64,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: u64) -> Budget {
        Budget {
            shared: Arc::new(Shared {
                limit,
                used: AtomicU64::new(0),
                peak: AtomicU64::new(0),
            }),
        }
    }

    /// Bytes that may be held in all.
    pub fn limit(&self) -> u64 {
        self.shared.limit
    }

    /// Bytes held now.
    pub fn used(&self) -> u64 {
        self.shared.used.load(Ordering::Relaxed)
    }

    /// The most that was ever held, in bytes.
    pub fn peak(&self) -> u64 {
        self.shared.peak.load(Ordering::Relaxed)
    }

    /// Whether `bytes` more fit.
    pub fn fits(&self, bytes: u64) -> bool {
        self.used().saturating_add(bytes) <= self.limit()
    }

    /// Whether more than half is used: time to let go of what can be sent.
    pub fn is_tight(&self) -> bool {
        self.used() > self.limit() / 2
    }

    /// Bytes that may still be charged.
    pub fn room(&self) -> u64 {
        self.limit().saturating_sub(self.used())
    }

    /// Takes `bytes` out of the budget, or `None` when they do not fit.
    #[must_use]
    pub fn charge(&self, bytes: usize) -> Option<Charge> {
        let mut charge = Charge {
            budget: self.clone(),
            bytes: 0,
        };
        charge.grow(bytes).then_some(charge)
    }

    /// Takes `bytes` whether they fit or not: for what is already in memory and about to leave it.
    pub fn charge_over(&self, bytes: usize) -> Charge {
        // Relaxed: the counter guards no other memory.
        let used = self.shared.used.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        self.shared.peak.fetch_max(used, Ordering::Relaxed);
        Charge {
            budget: self.clone(),
            bytes: bytes as u64,
        }
    }
}

/// Bytes taken out of a budget; dropping it gives them back.
#[derive(Debug)]
pub struct Charge {
    budget: Budget,
    bytes: u64,
}

impl Charge {
    /// Takes more out of the same budget. Returns whether it fitted; nothing is taken when it did not.
    #[must_use]
    pub fn grow(&mut self, bytes: usize) -> bool {
        if bytes == 0 {
            return true;
        }
        let bytes = bytes as u64;
        let shared = &self.budget.shared;
        // Relaxed on both sides: the counter guards no other memory, it only has to add up.
        let taken = shared
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|sum| *sum <= shared.limit)
            });
        match taken {
            Ok(before) => {
                shared.peak.fetch_max(before + bytes, Ordering::Relaxed);
                self.bytes += bytes;
                true
            }
            Err(_) => false,
        }
    }

    /// Bytes held by this charge.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The budget that this charge belongs to.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Takes more whether it fits or not: what was already built must be counted before it can be let go.
    pub fn grow_over(&mut self, bytes: usize) {
        let shared = &self.budget.shared;
        // Relaxed: see `grow`.
        let used = shared.used.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        shared.peak.fetch_max(used, Ordering::Relaxed);
        self.bytes += bytes as u64;
    }

    /// Gives back all but `bytes`.
    pub fn shrink_to(&mut self, bytes: usize) {
        let keep = (bytes as u64).min(self.bytes);
        self.budget
            .shared
            .used
            .fetch_sub(self.bytes - keep, Ordering::Relaxed);
        self.bytes = keep;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget
            .shared
            .used
            .fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_fits_up_to_the_last_byte_and_comes_back_when_dropped() {
        let budget = Budget::new(100);
        let mut first = budget.charge(60).unwrap();
        assert!(budget.charge(41).is_none(), "just over");
        assert!(first.grow(40), "just under");
        assert!(!first.grow(1));
        assert_eq!(budget.used(), 100);
        first.shrink_to(10);
        assert_eq!(budget.used(), 10);
        drop(first);
        assert_eq!((budget.used(), budget.peak()), (0, 100));
    }
}
