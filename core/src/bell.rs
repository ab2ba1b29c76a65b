//! Tells tasks of the one thread that something changed.

use std::cell::{Cell, RefCell};
use std::task::{Poll, Waker};

/// Rings for everybody who waits at that moment. The state that changed is looked at again by the one who was woken.
#[derive(Debug, Default)]
pub struct Bell {
    rings: Cell<u64>,
    waiting: RefCell<Vec<Waker>>,
}

impl Bell {
    /// Wakes everybody who waits.
    pub fn ring(&self) {
        self.rings.set(self.rings.get().wrapping_add(1));
        for waker in self.waiting.take() {
            waker.wake();
        }
    }

    /// Ends with the next ring after this call.
    pub fn rung(&self) -> impl Future<Output = ()> + '_ {
        let heard = self.rings.get();
        std::future::poll_fn(move |context| {
            if self.rings.get() != heard {
                return Poll::Ready(());
            }
            let mut waiting = self.waiting.borrow_mut();
            // One entry a task, however often it is polled.
            if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
    }
}
