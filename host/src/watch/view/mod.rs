//! The view in a terminal.

mod draw;
mod screen;
mod ui;

pub use draw::{Scene, draw};
pub use screen::show;
pub use ui::{Key, Ui};
