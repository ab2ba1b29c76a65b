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

    /// Makes room for `bytes`: least important lanes first, and first from the sink with the most; what waits for
    /// another attempt goes before the last lane. Says whether there is room now. What is dropped is counted at its
    /// sink.
    pub fn make(&self, bytes: u64) -> bool {
        for step in [
            Step::Lane(Lane::Low),
            Step::Lane(Lane::Middle),
            Step::Attempts,
            Step::Lane(Lane::High),
        ] {
            while !self.budget.fits(bytes) {
                let fullest = self.ports.iter().max_by_key(|port| port.held());
                let dropped = fullest.is_some_and(|port| step.evict(port))
                    || self.ports.iter().any(|port| step.evict(port));
                if !dropped {
                    break;
                }
            }
        }
        self.budget.fits(bytes)
    }
}

/// What is let go of, in this order.
#[derive(Clone, Copy)]
enum Step {
    Lane(Lane),
    Attempts,
}

impl Step {
    fn evict(self, port: &Port) -> bool {
        match self {
            Step::Lane(lane) => port.evict(lane),
            Step::Attempts => port.evict_attempt(),
        }
    }
}
