//! What the adapter and the host say to one another: `docs/protocol.md` in Rust.

pub mod control;
pub mod frame;
pub mod message;
pub mod orchestration;
pub mod pause;
pub mod segment;

/// The version of the protocol that this host speaks.
pub const PROTOCOL: u32 = 1;
