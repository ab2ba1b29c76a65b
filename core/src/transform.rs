//! What a transform is.

use crate::batch::Batch;
use crate::facts::Facts;
use crate::invocation::Invocations;
use crate::ledger::Ledger;
use crate::view::{Scratch, Surroundings};
use crate::world::World;

/// What a transform may look at, and where it counts.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Time, randomness and environment.
    pub world: &'a dyn World,
    /// The function and its environment.
    pub facts: &'a Facts,
    /// The invocations that are known.
    pub invocations: &'a Invocations,
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

/// Edits batches in place, on the pipeline's own task.
///
/// No input or output, no waiting, no allocation for a record that it leaves alone. Records that it takes out keep
/// their place and get a [`Fate`](crate::batch::Fate); records that an earlier step took out are not looked at.
/// When it panics, the live records of the batch are lost to every sink after it, and counted.
pub trait Transform {
    /// Takes a batch and gives out what goes on: usually the same batch.
    fn apply(&mut self, batch: Batch, context: &Context<'_>, output: &mut Vec<Batch>);

    /// Does slow work that could wait until the platform was told that the extension is ready: compiling regexes that
    /// are known to compile. Without it the first record pays.
    fn prepare(&mut self) {}

    /// Gives out what was held back, because everything ends.
    fn drain(&mut self, context: &Context<'_>, output: &mut Vec<Batch>) {
        let _ = (context, output);
    }
}
