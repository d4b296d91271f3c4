//! `cargo xtask test`: all the set-up, and every test.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::{
    contract, fuzz, guests,
    process::{Run, run},
    python::{self, Python, Venv},
    steps::Steps,
    toolchain, tools,
    wheel::{self, Profile},
    workspace::Workspace,
};

/// Does all the set-up and runs every test
///
/// Examples: cargo xtask test --real; cargo xtask test -- e2e/test_watch.py -k once
#[derive(clap::Args)]
pub struct Arguments {
    /// Run suites of other projects, fetched from the package index, instead
    #[arg(long)]
    real: bool,
    /// Run end-to-end tests alone: these, as pytest has them
    #[arg(last = true, value_name = "PYTEST ARGS", conflicts_with = "real")]
    end_to_end: Vec<String>,
}

/// The oldest pytest that is supported, one in between, the newest; each with plugins that fit it.
/// Pinned: a new release elsewhere is no failure here.
const PACKAGES: [&[&str]; 3] = [
    &[
        "pytest==7.4.4",
        "pytest-xdist==3.8.0",
        "pytest-rerunfailures==14.0",
    ],
    &[
        "pytest==8.4.2",
        "pytest-xdist==3.8.0",
        "pytest-rerunfailures==16.7",
    ],
    &[
        "pytest==9.2.0",
        "pytest-xdist==3.8.0",
        "pytest-rerunfailures==16.7",
    ],
];
/// For the end-to-end tests themselves, and not in the way of the runs that they start: it takes pytest a second to load.
const HYPOTHESIS: [&str; 9] = [
    "hypothesis==6.170.15",
    "sortedcontainers==2.4.0",
    "websockets==17.4",
    "jsonschema==4.26.0",
    "jsonschema-specifications==2025.9.1",
    "referencing==0.37.0",
    "rpds-py==2026.9.1",
    "attrs==26.1.0",
    "typing-extensions==4.15.0",
];
/// Plugins that change what other tests see, for those of them alone; with all that they need and that is not above.
const PLUGINS: [&[&str]; 3] = [
    &[
        "pytest-asyncio==0.23.8",
        "pytest-repeat==0.9.4",
        "pytest-subtests==0.15.0",
        "pytest-timeout==2.4.0",
        "attrs==25.3.0",
    ],
    &[
        "pytest-asyncio==0.26.0",
        "pytest-repeat==0.9.4",
        "pytest-subtests==0.15.0",
        "pytest-timeout==2.4.0",
        "attrs==25.3.0",
    ],
    // Subtests are pytest's own by now.
    &[
        "pytest-asyncio==1.5.0",
        "pytest-repeat==0.9.4",
        "pytest-timeout==2.4.0",
        "typing-extensions==4.15.0",
    ],
];
/// Sends requests of its own making to the API, by its description; with all that it needs.
const SCHEMATHESIS: [&str; 27] = [
    "schemathesis==4.32.5",
    "anyio==4.16.0",
    "certifi==2026.10.19.post1",
    "charset-normalizer==3.5.3",
    "click==8.5.1",
    "graphql-core==3.3.2",
    "harfile==0.6.0",
    "hypothesis==6.170.17",
    "hypothesis-graphql==0.13.5",
    "idna==3.20",
    "iniconfig==2.3.1",
    "jsonschema_rs==0.60.3",
    "markdown-it-py==4.3.0",
    "MarkupSafe==3.0.4",
    "mdurl==0.1.2",
    "packaging==26.4",
    "pluggy==1.7.0",
    "Pygments==2.21.0",
    "pyrate-limiter==4.5.1",
    "pytest==9.2.0",
    "PyYAML==6.0.4",
    "requests==2.34.2",
    "rich==15.0.0",
    "sortedcontainers==2.4.0",
    "typing_extensions==4.16.0",
    "urllib3==2.8.0",
    "Werkzeug==3.1.9",
];
const TOOLS: [&str; 6] = [
    "ruff==0.17.5",
    "mypy==2.4.1",
    "pytest==9.2.0",
    HYPOTHESIS[0],
    HYPOTHESIS[2],
    "types-jsonschema==4.26.0.20261006",
];

pub fn run_command(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let mut steps = Steps::new();
    steps.step("guests", || guests::build_all(workspace))?;
    let everything = !arguments.real && arguments.end_to_end.is_empty();
    if everything {
        steps.step("format", || format(workspace))?;
        steps.step("the contract's reference", || contract::check(workspace))?;
        steps.step("clippy", || clippy(workspace))?;
        steps.step("tests of host and xtask", || rust_tests(workspace))?;
        steps.step("tests of guests", || guest_tests(workspace))?;
        steps.step("fuzzing", || fuzz::run_all(workspace))?;
        steps.step("ruff and mypy", || python_checks(workspace))?;
    }
    let wheel = steps.step("wheel", || wheel::build(workspace, Profile::Dev))?;
    let environments = steps.step("environments", || environments(workspace, &wheel))?;
    if arguments.real {
        steps.step("suites of other projects", || {
            real(workspace, &environments)
        })?;
    } else {
        for environment in environments.iter().filter(|_| everything) {
            let name = format!("tests of the adapter, {}", environment.name);
            steps.step(&name, || adapter_tests(workspace, environment))?;
        }
        let which = if everything {
            &["e2e".to_owned()]
        } else {
            arguments.end_to_end.as_slice()
        };
        steps.step("end to end", || end_to_end(workspace, &environments, which))?;
    }
    steps.summary();
    Ok(())
}

/// An environment with some pytest, and the wheel.
struct Environment {
    name: String,
    venv: Venv,
}

/// The oldest pytest on the oldest Python, the newest on the newest, and the one in between on the usual one.
fn environments(workspace: &Workspace, wheel: &std::path::Path) -> Result<Vec<Environment>> {
    let all = python::all()?;
    let usual = python::usual()?;
    let oldest = all.first().unwrap_or(&usual);
    let newest = all.last().unwrap_or(&usual);
    [oldest, &usual, newest]
        .into_iter()
        .zip(PACKAGES.into_iter().zip(PLUGINS))
        .map(|(python, packages)| environment(workspace, python, packages, wheel))
        .collect()
}

fn environment(
    workspace: &Workspace,
    python: &Python,
    (packages, plugins): (&[&str], &[&str]),
    wheel: &std::path::Path,
) -> Result<Environment> {
    let pytest = packages.first().context("an environment without pytest")?;
    let name = format!("{pytest}, Python 3.{}", python.minor).replace("==", " ");
    let venv = Venv::prepare(workspace, &pytest.replace("==", "-"), python, packages)?;
    venv.aside("plugins", plugins)?;
    wheel::install(&venv, wheel)?;
    Ok(Environment { name, venv })
}

/// Every workspace of ours: that of the host, those of guests.
fn workspaces(workspace: &Workspace) -> [PathBuf; 3] {
    ["", "guests", "tests/fixtures/guests"].map(|folder| workspace.path(folder))
}

fn format(workspace: &Workspace) -> Result<()> {
    for folder in workspaces(workspace) {
        run("cargo")
            .args(["fmt", "--all", "--check"])
            .current_dir(folder)
            .status()?;
    }
    Ok(())
}

fn clippy(workspace: &Workspace) -> Result<()> {
    let lints = ["--workspace", "--all-targets", "--locked"];
    // What is compiled here is what the tests run.
    run("cargo")
        .arg("build")
        .args(lints)
        .current_dir(workspace.root())
        .env("CARGO_TARGET_DIR", workspace.target(""))
        .linted()
        .status()?;
    let [_, guests @ ..] = workspaces(workspace);
    for folder in guests {
        run("cargo")
            .arg("clippy")
            .args(lints)
            .args(["--", "-D", "warnings"])
            .current_dir(folder)
            .env("CARGO_TARGET_DIR", workspace.target("guests"))
            .status()?;
    }
    Ok(())
}

fn rust_tests(workspace: &Workspace) -> Result<()> {
    let tests = cargo_test(workspace.path(""), workspace.target(""));
    tests.linted().status()
}

fn guest_tests(workspace: &Workspace) -> Result<()> {
    cargo_test(workspace.path("guests"), workspace.target("guests")).status()
}

fn cargo_test(folder: PathBuf, target: PathBuf) -> Run {
    let nextest = run("cargo").args(["nextest", "--version"]).succeeds();
    let tests: &[&str] = if nextest {
        &["nextest", "run"]
    } else {
        &["test"]
    };
    run("cargo")
        .args(tests)
        .args(["--workspace", "--locked"])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target)
}

fn python_checks(workspace: &Workspace) -> Result<()> {
    let venv = Venv::prepare(workspace, "tools", &python::usual()?, &TOOLS)?;
    for folder in ["pyadapter", "tests"] {
        for check in [
            &["ruff", "check", "."][..],
            &["ruff", "format", "--check", "."],
        ] {
            venv.python()
                .arg("-m")
                .args(check)
                .current_dir(workspace.path(folder))
                .status()?;
        }
        let mypy = venv.python().args(["-m", "mypy", "--no-error-summary"]);
        let mypy = if folder == "tests" {
            mypy.arg(".")
        } else {
            mypy
        };
        mypy.current_dir(workspace.path(folder)).status()?;
    }
    Ok(())
}

fn adapter_tests(workspace: &Workspace, environment: &Environment) -> Result<()> {
    pytest(environment)
        .args(["-n", "2"])
        .current_dir(workspace.path("pyadapter"))
        .status()
}

fn end_to_end(workspace: &Workspace, environments: &[Environment], which: &[String]) -> Result<()> {
    let (newest, others) = environments.split_last().context("no environment")?;
    let others = std::env::join_paths(others.iter().map(|other| other.venv.program("python")))?;
    let hypothesis = newest.venv.aside("hypothesis", &HYPOTHESIS)?;
    let schemathesis = Venv::prepare(workspace, "schemathesis", &python::usual()?, &SCHEMATHESIS)?;
    let tools = tools::prepare(workspace)?;
    let toolchain = toolchain::prepare(workspace, None)?.environment();
    pytest(newest)
        .env("PYTHONPATH", hypothesis)
        .args(["-n", "3", "--durations=30"])
        .args(which)
        .current_dir(workspace.path("tests"))
        .env("PYTEST_HOST_TEST_PYTHONS", others)
        .env("PYTEST_HOST_TEST_TOOLS", tools)
        .env("PYTEST_HOST_TEST_CARGO", serde_json::to_string(&toolchain)?)
        .env("PYTEST_HOST_TEST_TARGET", workspace.target("guests"))
        .env(
            "PYTEST_HOST_TEST_SCHEMATHESIS",
            schemathesis.program("schemathesis"),
        )
        .env(
            "PYTEST_HOST_TEST_GUESTS",
            workspace.target("guests/fixtures"),
        )
        .status()
}

fn real(workspace: &Workspace, environments: &[Environment]) -> Result<()> {
    let newest = environments.last().context("no environment")?;
    pytest(newest)
        .args(["-v", "-s", "real"])
        .current_dir(workspace.path("tests"))
        .env(
            "PYTEST_HOST_TEST_GUESTS",
            workspace.target("guests/fixtures"),
        )
        .status()
}

fn pytest(environment: &Environment) -> Run {
    // pytest keeps what it made of the plugins' sources in the environment. Without that, each of the thousands of
    // runs that tests start would make it anew, which is half of the time that a short one takes.
    let python = environment.venv.python();
    let python = python.without_env("PYTHONDONTWRITEBYTECODE");
    python.args(["-m", "pytest", "-q"])
}
