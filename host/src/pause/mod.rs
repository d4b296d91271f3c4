//! Pauses from the outside: those in files, those that cores know of, and how to
//! answer them.

mod file_answer;
mod find;
mod record;
mod tree;

pub use file_answer::answer_by_file;
pub use find::{Found, Ways, default_folder};
pub use record::{Record, Status};
pub use tree::{RunState, Tree};
