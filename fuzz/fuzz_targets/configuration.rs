//! Configuration: a `host.toml`, then, each after a zero byte, `--set` texts and requests in JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pytest_host::config::{BadInput, Config, FILE_NAME, Request};

thread_local! {
    static FOLDER: tempfile::TempDir = tempfile::tempdir().unwrap_or_else(|error| {
        eprintln!("no folder for configuration: {error}");
        std::process::exit(1);
    });
}

fuzz_target!(|data: &[u8]| {
    let mut parts = data.split(|byte| *byte == 0);
    let file = parts.next().unwrap_or_default();
    let read = FOLDER.with(|folder| {
        if let Err(error) = std::fs::write(folder.path().join(FILE_NAME), file) {
            eprintln!("nothing can be written: {error}");
            std::process::exit(1);
        }
        Config::load(folder.path(), [])
    });
    let Some(mut config) = told(read) else {
        return;
    };
    let mut request = Request::default();
    for part in parts {
        let part = String::from_utf8_lossy(part);
        if let Ok(read) = serde_json::from_str(&part) {
            request = read;
        } else {
            told(config.set(&[part.into_owned()], "--set"));
        }
    }
    for spec in told(config.select(&request)).unwrap_or_default() {
        let settings: Result<serde_json::Value, _> = serde_json::from_str(&spec.settings_json());
        assert!(settings.is_ok(), "{settings:?}");
        let kept = serde_json::to_string(&spec);
        assert!(kept.is_ok(), "{kept:?}");
    }
});

/// Whatever is wrong is told in one line.
fn told<T>(result: Result<T, BadInput>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(bad) => {
            let line = bad.to_string();
            assert!(!line.contains('\n'), "more than one line: {line:?}");
            None
        }
    }
}
