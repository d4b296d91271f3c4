//! `cargo xtask bench`: what reporting costs pytest.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    python::{self, Venv},
    wheel::{self, Profile},
    workspace::Workspace,
};

/// Measures what reporting adds to a run of many trivial tests
///
/// Example: cargo xtask bench --runs 21
#[derive(clap::Args)]
pub struct Arguments {
    /// Runs of each kind, alternating
    #[arg(long, default_value_t = 11)]
    runs: usize,
    /// Tests in each run
    #[arg(long, default_value_t = 2000)]
    tests: usize,
    /// The sink that gets the events
    #[arg(long, default_value = "pubdir")]
    sink: String,
}

const PACKAGES: [&str; 1] = ["pytest==9.2.0"];

pub fn run_command(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let wheel = wheel::build(workspace, Profile::Release)?;
    let venv = Venv::prepare(workspace, "bench", &python::usual()?, &PACKAGES)?;
    wheel::install(&venv, &wheel)?;
    let suite = workspace.target("bench");
    if suite.exists() {
        fs::remove_dir_all(&suite)?;
    }
    fs::create_dir_all(&suite)?;
    let tests: String = (0..arguments.tests)
        .map(|n| format!("def test_{n}(): pass\n"))
        .collect();
    fs::write(suite.join("test_many.py"), tests)?;

    // Beside the suite: below it, pytest would look for tests in thousands of folders.
    let set = format!("{}.dir=../bench-results", arguments.sink);
    let url = format!("{}.url=http://127.0.0.1:9/", arguments.sink);
    let set = if arguments.sink == "publish" {
        url
    } else {
        set
    };
    let plain: &[&str] = &["-p", "no:pytest_host"];
    // The end is not waited for: what is measured is what the tests wait for.
    let reported: &[&str] = &[
        "--sinks",
        &arguments.sink,
        "--sinks-set",
        &set,
        "--sinks-finish-timeout",
        "0",
    ];
    // Compiles what has to be compiled once.
    for arguments in [plain, reported] {
        once(&venv, &suite, arguments)?;
    }
    let mut times = Vec::new();
    for run in 0..arguments.runs {
        // Whoever comes second has warmer caches: take turns.
        let (first, second) = if run % 2 == 0 {
            (plain, reported)
        } else {
            (reported, plain)
        };
        let (first, second) = (once(&venv, &suite, first)?, once(&venv, &suite, second)?);
        let (plain, reported) = if run % 2 == 0 {
            (first, second)
        } else {
            (second, first)
        };
        eprintln!("  plain {plain:.3?}, reported {reported:.3?}");
        times.push((plain.as_secs_f64(), reported.as_secs_f64()));
    }
    let ratio = median(
        times
            .iter()
            .map(|(plain, reported)| reported / plain)
            .collect(),
    );
    let tests = f64::from(u32::try_from(arguments.tests)?);
    let added = median(
        times
            .iter()
            .map(|(plain, reported)| (reported - plain) / tests * 1e6)
            .collect(),
    );
    println!(
        "{} tests, {} runs of each kind: {ratio:.3} times as long with the sink {}, {added:.1} µs a test more (medians)",
        arguments.tests, arguments.runs, arguments.sink
    );
    Ok(())
}

/// What pytest's process takes, from start to end.
fn once(venv: &Venv, suite: &Path, arguments: &[&str]) -> Result<Duration> {
    let runtime = env::temp_dir().join(format!("pytest-host-bench-{}", std::process::id()));
    fs::create_dir_all(&runtime)?;
    let started = Instant::now();
    let status = Command::new(venv.program("python"))
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider"])
        .args(arguments)
        .current_dir(suite)
        .env_remove("PYTHONPATH")
        .env("XDG_RUNTIME_DIR", &runtime)
        .stdout(Stdio::null())
        .status()
        .context("failed to start pytest")?;
    let took = started.elapsed();
    ensure!(status.success(), "pytest ended with {status}");
    core_has_ended(&runtime.join("pytest-host"))?;
    fs::remove_dir_all(&runtime)?;
    let results = suite.join("../bench-results");
    if results.exists() {
        fs::remove_dir_all(results)?;
    }
    Ok(took)
}

/// Waits for the core of the last run, which goes on delivering: the next run is to have the machine to itself.
fn core_has_ended(runtime: &Path) -> Result<()> {
    const LIMIT: Duration = Duration::from_secs(120);
    const PAUSE: Duration = Duration::from_millis(50);
    let started = Instant::now();
    while fs::read_dir(runtime).is_ok_and(|mut cores| cores.next().is_some()) {
        ensure!(
            started.elapsed() < LIMIT,
            "a core goes on for more than {LIMIT:?}"
        );
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    values.get(middle).copied().unwrap_or(f64::NAN)
}
