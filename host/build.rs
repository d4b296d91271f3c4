//! Finds the built-in guests that the binary carries.

use std::path::PathBuf;

const GUESTS: [&str; 6] = ["publish", "pubdir", "rt", "relay", "orchestration", "empty"];

fn main() {
    println!("cargo::rerun-if-env-changed=PYTEST_HOST_GUESTS");
    let folder = std::env::var_os("PYTEST_HOST_GUESTS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/guests/dist"),
        PathBuf::from,
    );
    for guest in GUESTS {
        let file = folder.join(format!("{guest}.wasm"));
        println!("cargo::rerun-if-changed={}", file.display());
        if !file.is_file() {
            println!(
                "cargo::error={} is missing: run `cargo xtask guests`",
                file.display()
            );
        }
    }
    println!("cargo::rustc-env=PYTEST_HOST_GUESTS={}", folder.display());
}
