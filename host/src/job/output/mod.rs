//! What a process printed: written by its shim, read by everybody else.
//!
//! The bytes of a process are counted from 0. `output` has the first of them, and each
//! file `output.N` those from the byte N on. Files only grow, and only the oldest of the
//! latter go, so a reader needs nothing else to know what it has.

mod pieces;
mod read;
mod write;

pub use pieces::Pieces;
pub use read::{Chunk, Output};
pub use write::Writer;

/// The name of the file with the first bytes.
const FIRST: &str = "output";
