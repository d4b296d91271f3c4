//! Folders: where runs are kept, and where a core is reached.

pub mod archive;
mod private;
pub mod prune;
mod runs;
mod runtime;
mod serving;
mod temporary;

pub use private::private_folder;
pub use runs::{RunFolder, StateFolder};
pub use runtime::RuntimeFolder;
pub use serving::{NotAlone, Only, Serving, Shown};
pub use temporary::{Alone, Staging, Wait};
