//! The labelled corpus: well-formed values of every built-in rule of `redact`, and lines that hold none.
//!
//! The values are made here from the published definitions, check digits and all; nothing of the rules' patterns or
//! checks is used. Everything follows from the seeds.

mod chars;
mod contact;
mod europe;
mod health;
mod money;
pub mod noise;
mod persons;
pub mod random;
pub mod report;
pub mod run;
mod secrets;
#[cfg(test)]
mod tests;
pub mod values;
mod vendors;
