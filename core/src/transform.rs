//! What a transform is.

use crate::batch::{Batch, Lane};
use crate::budget::Budget;
use crate::config::Late;
use crate::facts::Facts;
use crate::invocation::Invocations;
use crate::ledger::Ledger;
use crate::port::Identity;
use crate::view::{Scratch, Surroundings};
use crate::world::{Instant, World};

/// What a transform may look at, and where it counts.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Time, randomness and environment.
    pub world: &'a dyn World,
    /// The function and its environment.
    pub facts: &'a Facts,
    /// The invocations that are known.
    pub invocations: &'a Invocations,
    /// Gives ids to records that are made.
    pub identity: &'a Identity,
    /// What is held back or made is charged to it.
    pub budget: &'a Budget,
    /// Redactions, comparisons of unlike kinds.
    pub ledger: &'a Ledger,
    /// Buffers to decode into.
    pub scratch: &'a Scratch,
}

impl<'a> Context<'a> {
    /// What a [`View`](crate::view::View) of a record needs.
    pub fn surroundings(&self) -> Surroundings<'a> {
        Surroundings {
            facts: self.facts,
            invocations: self.invocations,
            scratch: self.scratch,
        }
    }
}

/// What a transform holds back, and what it has made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holding {
    /// Records that came in and have not gone out yet. They are in flight for every sink behind it.
    pub held: u64,
    /// Records that it made and gave out, since the start. They are generated for every sink behind it.
    pub made: u64,
    /// When it wants to give something out without being given anything, in running time; `None` while nothing is due.
    pub due: Option<Instant>,
}

/// Edits batches in place, on the pipeline's own task.
///
/// No input or output, no waiting, no allocation for a record that it leaves alone. Records that it takes out keep
/// their place and get a [`Fate`](crate::batch::Fate); records that an earlier step took out are not looked at.
/// Records that it holds back leave the batch, move into a [`Store`](crate::store::Store) and come out later, in
/// batches of their own; [`holding`](Transform::holding) says how many there are.
/// When it panics, the live records of the batch and all that it holds are lost to every sink after it, and counted.
pub trait Transform {
    /// Takes a batch and gives out what goes on: usually the same batch.
    fn apply(&mut self, batch: Batch, context: &Context<'_>, output: &mut Vec<Batch>);

    /// Does slow work that could wait until the platform was told that the extension is ready: compiling regexes that
    /// are known to compile. Without it the first record pays.
    fn prepare(&mut self) {}

    /// A secret that it needs. Records wait in front of all transforms until it was fetched or could not be, for a
    /// bounded time: a transform must also know what to do without.
    fn waits_for(&self) -> Option<&Late> {
        None
    }

    /// What it holds back. A transform that holds nothing and makes nothing has nothing to say.
    fn holding(&self) -> Holding {
        Holding::default()
    }

    /// Gives out what is due.
    fn expire(&mut self, context: &Context<'_>, output: &mut Vec<Batch>) {
        let _ = (context, output);
    }

    /// Frees memory: lets go of some of what it holds back of one lane, the oldest first, and says how many records
    /// that were. Each call frees something or gives 0.
    fn evict(&mut self, lane: Lane) -> u64 {
        let _ = lane;
        0
    }

    /// Gives out all that it holds back, because everything ends, or may end: the function is about to time out.
    fn release(&mut self, context: &Context<'_>, output: &mut Vec<Batch>) {
        let _ = (context, output);
    }
}
