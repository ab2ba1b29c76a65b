//! Makes room in the budget by dropping what waits for sinks.

use std::rc::Rc;

use crate::batch::Lane;
use crate::budget::Budget;
use crate::port::Port;

/// The budget and all that can be let go of when it is full.
#[derive(Debug, Clone)]
pub struct Room {
    budget: Budget,
    ports: Rc<[Rc<Port>]>,
}

impl Room {
    /// Room in `budget`, made at the expense of what waits for `ports`.
    pub fn new(budget: Budget, ports: impl IntoIterator<Item = Rc<Port>>) -> Room {
        Room {
            budget,
            ports: ports.into_iter().collect(),
        }
    }

    /// The budget.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Makes room for `bytes`: least important lanes first, and first from the sink with the most. Says whether
    /// there is room now. What is dropped is counted at its sink.
    pub fn make(&self, bytes: u64) -> bool {
        for lane in Lane::ALL {
            while self.budget.room() < bytes {
                let fullest = self.ports.iter().max_by_key(|port| port.queue.weight());
                let dropped = fullest.is_some_and(|port| port.evict(lane))
                    || self.ports.iter().any(|port| port.evict(lane));
                if !dropped {
                    break;
                }
            }
        }
        self.budget.room() >= bytes
    }
}
