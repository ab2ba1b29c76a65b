//! A bounded, lock-free queue of batches: three lanes, bound by slots and by weight, with eviction by the producer.
//!
//! One handle a batch goes through it, never one a record. The consumer takes the most important lane first.

use std::task::{Context, Poll, Waker};

use crate::batch::Lane;
use crate::sync::{AtomicUsize, Channel, Ordering};

/// What happens to a value that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// The new value is refused.
    DropNewest,
    /// The oldest of the same lane goes, then the oldest of less and of more important lanes.
    DropOldest,
    /// The oldest of the least important lane goes, up to the new value's own lane; then the new value is refused.
    DropLowest,
}

impl Overflow {
    /// The words of the configuration.
    pub const WORDS: [&'static str; 3] = ["drop_newest", "drop_oldest", "drop_lowest"];

    /// The policy that a word names.
    pub fn from_word(word: &str) -> Option<Overflow> {
        match word {
            "drop_newest" => Some(Overflow::DropNewest),
            "drop_oldest" => Some(Overflow::DropOldest),
            "drop_lowest" => Some(Overflow::DropLowest),
            _ => None,
        }
    }
}

#[derive(Debug)]
struct Entry<T> {
    weight: usize,
    value: T,
}

/// The queue. Any number of producers, one consumer that waits.
#[derive(Debug)]
pub struct Queue<T> {
    lanes: [Channel<Entry<T>>; 3],
    weights: [AtomicUsize; 3],
    weight_max: usize,
    slots: usize,
    waiting: Channel<Waker>,
}

impl<T> Queue<T> {
    /// A queue with `slots` places in each lane and room for `weight_max` in all (bytes, for queues of batches).
    ///
    /// A single value heavier than that is still taken when nothing else is queued.
    pub fn new(slots: usize, weight_max: usize) -> Queue<T> {
        Queue {
            lanes: std::array::from_fn(|_| Channel::new(slots)),
            weights: std::array::from_fn(|_| AtomicUsize::new(0)),
            weight_max,
            slots,
            waiting: Channel::new(1),
        }
    }

    /// Appends to a lane. Gives back every value that does not stay: evicted ones, or the new one.
    #[must_use = "what comes back was lost and has to be counted"]
    pub fn push(&self, lane: Lane, weight: usize, value: T, overflow: Overflow) -> Vec<T> {
        let mut lost = Vec::new();
        if !self.can_have_room(lane, weight, overflow) {
            return vec![value];
        }
        while !self.has_room(weight) {
            match self.victim(lane, overflow) {
                Some(evicted) => lost.push(evicted),
                None => {
                    lost.push(value);
                    return lost;
                }
            }
        }
        let mut entry = Entry { weight, value };
        // Relaxed: the weight orders nothing; the channel's own operations publish the entry. Counted before the
        // push, so that the consumer never takes off what was not yet put on.
        self.weights[lane as usize].fetch_add(weight, Ordering::Relaxed);
        loop {
            match self.lanes[lane as usize].try_push(entry) {
                Ok(()) => break,
                Err(back) => match self.full_lane_victim(lane, overflow) {
                    Some(evicted) => {
                        lost.push(evicted);
                        entry = back;
                    }
                    None => {
                        self.weights[lane as usize].fetch_sub(weight, Ordering::Relaxed);
                        lost.push(back.value);
                        return lost;
                    }
                },
            }
        }
        if let Some(waker) = self.waiting.try_pop() {
            waker.wake();
        }
        lost
    }

    fn has_room(&self, weight: usize) -> bool {
        let held = self.weight();
        held == 0 || held.saturating_add(weight) <= self.weight_max
    }

    /// Whether evicting what may be evicted for this lane is enough: otherwise nothing is evicted in vain.
    fn can_have_room(&self, lane: Lane, weight: usize, overflow: Overflow) -> bool {
        let stays: usize = match overflow {
            Overflow::DropNewest => self.weight(),
            Overflow::DropOldest => 0,
            Overflow::DropLowest => Lane::ALL
                .into_iter()
                .filter(|other| *other > lane)
                .map(|other| self.weight_of(other))
                .sum(),
        };
        stays == 0 || stays.saturating_add(weight) <= self.weight_max
    }

    fn weight_of(&self, lane: Lane) -> usize {
        self.weights[lane as usize].load(Ordering::Relaxed)
    }

    fn victim(&self, lane: Lane, overflow: Overflow) -> Option<T> {
        match overflow {
            Overflow::DropNewest => None,
            Overflow::DropLowest => Lane::ALL
                .into_iter()
                .filter(|other| *other <= lane)
                .find_map(|other| self.take(other)),
            Overflow::DropOldest => self.take(lane).or_else(|| self.evict_lowest()),
        }
    }

    /// A lane without a free slot can only be helped by one of its own.
    fn full_lane_victim(&self, lane: Lane, overflow: Overflow) -> Option<T> {
        match overflow {
            Overflow::DropNewest => None,
            Overflow::DropOldest | Overflow::DropLowest => self.take(lane),
        }
    }

    fn take(&self, lane: Lane) -> Option<T> {
        let entry = self.lanes[lane as usize].try_pop()?;
        // Relaxed: see `push`.
        self.weights[lane as usize].fetch_sub(entry.weight, Ordering::Relaxed);
        Some(entry.value)
    }

    /// Takes the oldest value of the most important lane that has one.
    pub fn pop(&self) -> Option<T> {
        Lane::ALL.into_iter().rev().find_map(|lane| self.take(lane))
    }

    /// Takes the oldest value of the least important lane that has one.
    pub fn evict_lowest(&self) -> Option<T> {
        Lane::ALL.into_iter().find_map(|lane| self.take(lane))
    }

    /// Takes the oldest value of one lane.
    pub fn evict(&self, lane: Lane) -> Option<T> {
        self.take(lane)
    }

    /// Whether a lane has no free slot.
    pub fn is_full(&self, lane: Lane) -> bool {
        self.lanes[lane as usize].len() >= self.slots
    }

    /// The weight of all that waits.
    pub fn weight(&self) -> usize {
        Lane::ALL.into_iter().map(|lane| self.weight_of(lane)).sum()
    }

    /// The weight that may wait.
    pub fn weight_max(&self) -> usize {
        self.weight_max
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.lanes.iter().all(|lane| lane.len() == 0)
    }

    /// Ready as soon as something waits. For one consumer; a second one would take the first one's waker.
    pub fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        if !self.is_empty() {
            return Poll::Ready(());
        }
        drop(self.waiting.try_pop());
        // A full slot cannot be: this is the only consumer, and it has just emptied it.
        drop(self.waiting.try_push(context.waker().clone()));
        // Looked at again after the waker stands there: a push in between saw no waker to wake.
        if self.is_empty() {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }

    /// Waits until something is queued.
    pub async fn ready(&self) {
        std::future::poll_fn(|context| self.poll_ready(context)).await;
    }
}

#[cfg(test)]
mod tests;
