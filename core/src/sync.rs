//! Atomics and the bounded channel under the queues, or loom's model of them in `--cfg loom` tests.

#[cfg(not(loom))]
pub use std::sync::atomic::{AtomicUsize, Ordering};

#[cfg(loom)]
pub use loom::sync::atomic::{AtomicUsize, Ordering};

/// A bounded first-in-first-out channel without blocking. Crossbeam's array flavour, which is lock-free.
#[cfg(not(loom))]
#[derive(Debug)]
pub struct Channel<T> {
    sender: crossbeam_channel::Sender<T>,
    receiver: crossbeam_channel::Receiver<T>,
}

#[cfg(not(loom))]
impl<T> Channel<T> {
    /// A channel with room for `capacity` values, at least one.
    pub fn new(capacity: usize) -> Channel<T> {
        let (sender, receiver) = crossbeam_channel::bounded(capacity.max(1));
        Channel { sender, receiver }
    }

    /// Appends, or gives the value back when the channel is full.
    pub fn try_push(&self, value: T) -> Result<(), T> {
        self.sender
            .try_send(value)
            .map_err(|error| error.into_inner())
    }

    /// Takes the oldest value.
    pub fn try_pop(&self) -> Option<T> {
        self.receiver.try_recv().ok()
    }

    /// How many values wait.
    pub fn len(&self) -> usize {
        self.receiver.len()
    }
}

/// What the queue may rely on of a channel: each operation is one atomic step.
#[cfg(loom)]
#[derive(Debug)]
pub struct Channel<T> {
    values: loom::sync::Mutex<std::collections::VecDeque<T>>,
    capacity: usize,
}

#[cfg(loom)]
impl<T> Channel<T> {
    /// See the real one.
    pub fn new(capacity: usize) -> Channel<T> {
        Channel {
            values: loom::sync::Mutex::new(std::collections::VecDeque::new()),
            capacity,
        }
    }

    /// See the real one.
    pub fn try_push(&self, value: T) -> Result<(), T> {
        let mut values = self.values.lock().expect("no holder panics");
        if values.len() == self.capacity {
            return Err(value);
        }
        values.push_back(value);
        Ok(())
    }

    /// See the real one.
    pub fn try_pop(&self) -> Option<T> {
        self.values.lock().expect("no holder panics").pop_front()
    }

    /// See the real one.
    pub fn len(&self) -> usize {
        self.values.lock().expect("no holder panics").len()
    }
}
