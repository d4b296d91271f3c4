//! The host that dispatches pytest events to WebAssembly guests.

pub mod api;
pub mod build;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod core;
pub mod dispatch;
pub mod guest;
pub mod intake;
pub mod job;
pub mod journal;
pub mod live;
pub mod orchestration;
pub mod pause;
pub mod protocol;
pub mod replay;
mod secrets;
pub mod state;
mod text;
pub mod topic;
pub mod trial;
pub mod watch;
