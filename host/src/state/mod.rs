//! Folders: where runs are kept, and where a core is reached.

mod private;
mod runs;
mod runtime;

pub use private::private_folder;
pub use runs::{RunFolder, StateFolder};
pub use runtime::RuntimeFolder;
