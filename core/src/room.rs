//! Makes room in the budget by dropping what transforms hold back and what waits for sinks.

use std::cell::RefCell;
use std::rc::Rc;

use crate::batch::Lane;
use crate::budget::Budget;
use crate::pipeline::Pipeline;
use crate::port::Port;

/// The budget and all that can be let go of when it is full.
#[derive(Clone)]
pub struct Room {
    budget: Budget,
    pipeline: Rc<RefCell<Pipeline>>,
    ports: Rc<[Rc<Port>]>,
}

impl Room {
    /// Room in `budget`, made at the expense of what the pipeline holds back and of what waits for its sinks.
    pub fn new(budget: Budget, pipeline: Rc<RefCell<Pipeline>>) -> Room {
        let ports = pipeline.borrow().ports().cloned().collect();
        Room {
            budget,
            pipeline,
            ports,
        }
    }

    /// The budget.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Makes room for `bytes`: least important lanes first; of a lane first what transforms hold back, since it may be
    /// left out in the end, then from the sink with the most; what waits for another attempt goes before the last lane.
    /// Says whether there is room now. What is dropped is counted at its sink.
    pub fn make(&self, bytes: u64) -> bool {
        for step in [
            Step::Lane(Lane::Low),
            Step::Lane(Lane::Middle),
            Step::Attempts,
            Step::Lane(Lane::High),
        ] {
            while !self.budget.fits(bytes) {
                let held = match step {
                    // Borrowed only by a pipeline at work, which does not ask for room.
                    Step::Lane(lane) => self
                        .pipeline
                        .try_borrow_mut()
                        .is_ok_and(|mut p| p.evict(lane)),
                    Step::Attempts => false,
                };
                if held {
                    continue;
                }
                let fullest = self.ports.iter().max_by_key(|port| port.waiting_bytes());
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
