//! Decides what starts when in an orchestrated test, and what that comes to.
//!
//! A function of the description, the seed and the calls made so far; it has no clock and
//! no threads. So a plan of three days is tested in milliseconds, and a host that was
//! started again gets where it was by making the same calls.
//!
//! [`description`] reads the file, [`plan`] says when an event is to run, [`conductor`]
//! puts both into practice. All of it is tested natively.

#[cfg(target_family = "wasm")]
mod component;
pub mod conductor;
pub mod description;
mod event;
pub mod fault;
pub mod plan;
mod reader;
pub mod step;
mod words;

#[cfg(test)]
mod tests;
