//! The one wasmtime engine of a process, and the clock that its deadlines count.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use wasmtime::{Config, Engine};

/// How often the epoch moves, and so how exact a guest's computing limit is.
pub const EPOCH_TICK: Duration = Duration::from_millis(10);

/// The engine all guests of this process are compiled and run with.
///
/// # Errors
///
/// Where this CPU or operating system cannot run wasmtime.
pub fn engine() -> Result<Engine, Arc<wasmtime::Error>> {
    static ENGINE: LazyLock<Result<Engine, Arc<wasmtime::Error>>> =
        LazyLock::new(|| build().map_err(Arc::new));
    ENGINE.clone()
}

fn build() -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config.epoch_interruption(true);
    // Component-model concurrency costs two to four times as much a call, and
    // the contract's functions are all synchronous.
    config.concurrency_support(false);
    let engine = Engine::new(&config)?;
    let ticking = engine.weak();
    std::thread::Builder::new()
        .name("epoch".into())
        .spawn(move || {
            while let Some(engine) = ticking.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(EPOCH_TICK);
            }
        })?;
    Ok(engine)
}

/// The number of epoch ticks in `time`, at least one.
#[must_use]
pub fn ticks(time: Duration) -> u64 {
    let ticks = time.as_millis() / EPOCH_TICK.as_millis();
    u64::try_from(ticks).unwrap_or(u64::MAX).max(1)
}
