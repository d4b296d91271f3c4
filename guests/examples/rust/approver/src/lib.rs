//! Approves checkpoints by name and time of day, and leaves the rest to people.
//!
//! ```toml
//! [pause.policy]
//! module = "approver.wasm"
//! utc-offset = 1.0                 # hours; times below are of that zone
//!
//! [[pause.policy.approve]]
//! task = "Switch on board *"       # `*` stands for anything
//! from = "08:00"
//! until = "18:00"                  # or earlier than `from`: over midnight
//! reason = "office hours"
//! ```
//!
//! What it decides by is in [`rule`], and tested natively.

#[cfg(target_family = "wasm")]
mod component;
pub mod rule;
