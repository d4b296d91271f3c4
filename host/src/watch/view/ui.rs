//! What the user has chosen to look at.

use crate::watch::Watched;

/// Failures that a page key moves by.
const PAGE: usize = 10;

/// A key, as far as it means something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Next,
    Previous,
    Run(usize),
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ui {
    /// The run that was chosen; otherwise the newest.
    chosen: Option<String>,
    /// Failures below those that are seen.
    pub back: usize,
    pub colour: bool,
}

impl Ui {
    #[must_use]
    pub fn new(colour: bool) -> Self {
        Self {
            colour,
            ..Self::default()
        }
    }

    /// Position of the run that is seen.
    #[must_use]
    pub fn selected(&self, runs: &[Watched]) -> usize {
        let chosen = self.chosen.as_ref();
        chosen
            .and_then(|id| runs.iter().position(|run| run.id == *id))
            .unwrap_or(runs.len().saturating_sub(1))
    }

    pub fn press(&mut self, key: Key, runs: &[Watched]) {
        let at = self.selected(runs);
        let count = runs.len().max(1);
        let failures = runs.get(at).map_or(0, |run| run.run.failures.len());
        let last = failures.saturating_sub(1);
        let choose = match key {
            Key::Next => Some((at + 1) % count),
            Key::Previous => Some((at + count - 1) % count),
            Key::Run(number) => Some(number),
            _ => None,
        };
        if let Some(run) = choose.and_then(|at| runs.get(at)) {
            self.chosen = Some(run.id.clone());
            self.back = 0;
        }
        self.back = match key {
            Key::Up => self.back + 1,
            Key::PageUp => self.back + PAGE,
            Key::Down => self.back.saturating_sub(1),
            Key::PageDown => self.back.saturating_sub(PAGE),
            Key::First => last,
            Key::Last => 0,
            _ => self.back,
        }
        .min(last);
    }
}
