//! Compiled modules on disk, mapped rather than read: a 20 MB guest loads in
//! milliseconds.
//!
//! Loading one runs what is in it, so the folder has to be ours alone (0700);
//! where it is not, modules are compiled anew each time.

use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::state::private_folder;

/// The component in `bytes`, whose SHA-256 is `digest`, compiled.
///
/// # Errors
///
/// Where the bytes are no component that wasmtime takes.
pub fn compile(engine: &Engine, bytes: &[u8], digest: &str) -> wasmtime::Result<Component> {
    let Some(file) = folder().map(|folder| folder.join(file_name(engine, digest))) else {
        return Component::new(engine, bytes);
    };
    compile_to(engine, bytes, &file)
}

fn compile_to(engine: &Engine, bytes: &[u8], file: &Path) -> wasmtime::Result<Component> {
    if let Some(component) = load(engine, file) {
        return Ok(component);
    }
    // Others who want the same wait: two at once would take twice as long, each.
    let turn = wait_for_turn(file);
    if turn.is_ok()
        && let Some(component) = load(engine, file)
    {
        return Ok(component);
    }
    let compiled = engine.precompile_component(bytes)?;
    if let Err(error) = store(file, &compiled) {
        tracing::warn!(
            "cannot keep a compiled module in {}: {error}",
            file.display()
        );
        return Component::new(engine, bytes);
    }
    match load(engine, file) {
        Some(component) => Ok(component),
        None => Component::new(engine, bytes),
    }
}

/// Until nobody else makes what goes to `file`; it is ours until what is returned is dropped.
///
/// # Errors
///
/// Where there can be no lock beside it.
pub fn wait_for_turn(file: &Path) -> io::Result<File> {
    let lock = File::create(file.with_extension("lock"))?;
    lock.lock()?;
    Ok(lock)
}

/// Whether the component of this digest was compiled before.
#[must_use]
pub fn has(engine: &Engine, digest: &str) -> bool {
    folder().is_some_and(|folder| folder.join(file_name(engine, digest)).is_file())
}

/// Named by content and by what the engine would refuse to load it for.
fn file_name(engine: &Engine, digest: &str) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{digest}-{:016x}.cwasm", hasher.finish())
}

#[expect(unsafe_code, reason = "mapping a compiled module runs it; see SAFETY")]
fn load(engine: &Engine, file: &Path) -> Option<Component> {
    if !file.is_file() {
        return None;
    }
    // SAFETY: the file is one that `store` wrote: `folder` has checked that only
    // this user can write there, and a finished file is never written to again.
    match unsafe { Component::deserialize_file(engine, file) } {
        Ok(component) => Some(component),
        Err(error) => {
            tracing::warn!(
                "compiling anew, {} cannot be loaded: {error}",
                file.display()
            );
            None
        }
    }
}

/// Whole or not at all: another process may be looking for the same file.
fn store(file: &Path, compiled: &[u8]) -> io::Result<()> {
    let unfinished = file.with_extension(format!("{}.tmp", uuid::Uuid::new_v4().simple()));
    std::fs::write(&unfinished, compiled)?;
    std::fs::rename(&unfinished, file).inspect_err(|_| {
        let _ = std::fs::remove_file(&unfinished);
    })
}

/// The cache's folder, where it can be had and is ours alone.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    let base = etcetera::choose_base_strategy().ok()?.cache_dir();
    let folder = base.join("pytest-host").join("modules");
    match private_folder(&folder) {
        Ok(()) => Some(folder),
        Err(error) => {
            tracing::warn!(
                "compiled modules are not kept: {}: {error}",
                folder.display()
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::engine;

    #[test]
    fn who_wants_what_somebody_compiles_waits_for_it() {
        let engine = &engine::engine().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("some.cwasm");
        let [empty, other] = [
            "(component)",
            r#"(component (type u8) (export "t" (type 0)))"#,
        ]
        .map(|text| wat::parse_str(text).unwrap());
        let exports = |component: &Component| component.component_type().exports(engine).count();
        std::thread::scope(|scope| {
            let turn = wait_for_turn(&file).unwrap();
            let waiting = scope.spawn(|| compile_to(engine, &empty, &file).unwrap());
            // What it would be by itself has no exports.
            store(&file, &engine.precompile_component(&other).unwrap()).unwrap();
            drop(turn);
            assert_eq!(exports(&waiting.join().unwrap()), 1);
        });
        assert_eq!(exports(&compile_to(engine, &empty, &file).unwrap()), 1);
    }
}
