//! Progress: what is done now, and how long it took.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// Runs steps one after another, each with a heading; the first that fails ends it.
pub struct Steps {
    started: Instant,
    done: Vec<(String, Duration)>,
}

impl Steps {
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            done: Vec::new(),
        }
    }

    /// # Errors
    ///
    /// The step's own, named after it.
    pub fn step<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        eprintln!("\n== {name} [{}]", shown(self.started.elapsed()));
        let started = Instant::now();
        let outcome = work().with_context(|| format!("step {name:?} failed"))?;
        self.done.push((name.to_owned(), started.elapsed()));
        Ok(outcome)
    }

    /// Says what took how long.
    pub fn summary(&self) {
        eprintln!("\n== done in {}", shown(self.started.elapsed()));
        for (name, took) in &self.done {
            eprintln!("   {:>8}  {name}", shown(*took));
        }
    }
}

fn shown(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        _ => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}
