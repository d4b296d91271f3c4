//! A compiler for `wasm32-wasip2`.
//!
//! Where rustup has the target, or can get it, that is all there is to it. Where only Debian's packages and the
//! crate registry can be reached, the target's standard library is built from Debian's source package by
//! Debian's compiler, and linked by the linkers that come with every Rust toolchain.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use crate::{
    process::{Run, path_with, run},
    workspace::Workspace,
};

pub const TARGET: &str = "wasm32-wasip2";

/// What Debian calls a compiler, cargo, the standard library's source, and WASI's C library.
const PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "wasi-libc"];
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_LIBC: &str = "/usr/lib/wasm32-wasi";

/// Without a network rustup tries for a long while; what it fetches takes seconds.
const RUSTUP_LIMIT: Duration = Duration::from_secs(120);

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// The toolchain at hand, with the target added by rustup where it is missing.
    Rustup,
    /// Debian's packages.
    Debian,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Rustup => "rustup",
            Self::Debian => "debian",
        }
    }
}

/// Decides how guests are built, and installs what that takes. The answer is remembered.
pub fn prepare(workspace: &Workspace, asked: Option<Way>) -> Result<Toolchain> {
    let memory = workspace.target("xtask/toolchain");
    let remembered = fs::read_to_string(&memory)
        .ok()
        .and_then(|name| Way::from_str(name.trim(), false).ok());
    let way = match asked.or(remembered) {
        Some(Way::Rustup) if has_target(workspace)? || add_target(workspace) => Way::Rustup,
        Some(Way::Rustup) if asked.is_some() => {
            bail!("rustup has no target {TARGET} for this toolchain")
        }
        Some(Way::Debian) => Way::Debian,
        _ if has_target(workspace)? || add_target(workspace) => Way::Rustup,
        _ => Way::Debian,
    };
    if way == Way::Debian {
        install_packages()?;
    }
    if remembered != Some(way) {
        fs::create_dir_all(workspace.target("xtask")).context("failed to create target/xtask")?;
        fs::write(&memory, way.name())
            .with_context(|| format!("failed to write {}", workspace.show(&memory)))?;
    }
    Toolchain::new(workspace, way)
}

/// Whether the compiler at hand has the target's standard library, from wherever it comes.
fn has_target(workspace: &Workspace) -> Result<bool> {
    let folder = rustc(workspace, &["--print", "target-libdir", "--target", TARGET])?;
    Ok(fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some()))
}

fn add_target(workspace: &Workspace) -> bool {
    let rustup = || run("rustup").current_dir(workspace.root());
    rustup().arg("--version").succeeds()
        && rustup()
            .args(["target", "add", TARGET])
            .succeeds_within(RUSTUP_LIMIT)
}

/// Asks the compiler at hand.
fn rustc(workspace: &Workspace, question: &[&str]) -> Result<String> {
    let answer = run("rustc")
        .args(question)
        .current_dir(workspace.root())
        .quiet()
        .output()?;
    Ok(answer.trim().to_owned())
}

fn install_packages() -> Result<()> {
    let is_missing = |package: &&str| {
        let state = run("dpkg-query")
            .args(["--show", "--showformat=${db:Status-Status}", package])
            .quiet();
        // Answers with an error where it never heard of the package, or where there is no dpkg.
        !state.answers("installed")
    };
    let missing: Vec<_> = PACKAGES.into_iter().filter(is_missing).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let by_hand = format!(
        "guests need the Rust target {TARGET}: `rustup target add {TARGET}`, or, on Debian, \
         `apt-get install --no-install-recommends {}`",
        missing.join(" ")
    );
    if !run("apt-get").arg("--version").succeeds() {
        bail!("rustup cannot add the target, and there is no apt-get; {by_hand}");
    }
    if !run("id").arg("-u").quiet().answers("0") {
        bail!("rustup cannot add the target, and packages are installed by root only; {by_hand}");
    }
    let apt = || run("apt-get").env("DEBIAN_FRONTEND", "noninteractive");
    let installed = apt().arg("update").status().and_then(|()| {
        apt()
            .args(["install", "--yes", "--no-install-recommends"])
            .args(&missing)
            .status()
    });
    installed.context(by_hand)
}

/// A way to build guests, ready for use.
pub struct Toolchain {
    cargo: PathBuf,
    arguments: &'static [&'static str],
    flags: Vec<String>,
    variables: Vec<(&'static str, PathBuf)>,
    path: Option<PathBuf>,
}

impl Toolchain {
    fn new(workspace: &Workspace, way: Way) -> Result<Self> {
        let flags = remap(workspace);
        Ok(match way {
            Way::Rustup => Self {
                cargo: "cargo".into(),
                arguments: &[],
                flags,
                variables: vec![],
                path: None,
            },
            Way::Debian => Self::debian(workspace, flags)?,
        })
    }

    fn debian(workspace: &Workspace, mut flags: Vec<String>) -> Result<Self> {
        let about = rustc(workspace, &["--version", "--verbose"])?;
        let host = about
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .context("rustc names no host")?;
        let sysroot = rustc(workspace, &["--print", "sysroot"])?;
        let tools = Path::new(&sysroot)
            .join("lib/rustlib")
            .join(host)
            .join("bin");
        let linker = tools.join("wasm-component-ld");
        let wasm_ld = tools.join("gcc-ld");
        if !linker.is_file() || !wasm_ld.join("wasm-ld").is_file() {
            bail!(
                "the toolchain at hand has no wasm-component-ld and wasm-ld; one from rustup has"
            );
        }
        flags.extend([
            "-L".to_owned(),
            format!("native={DEBIAN_LIBC}"),
            "-Clink-self-contained=no".to_owned(),
        ]);
        Ok(Self {
            cargo: DEBIAN_CARGO.into(),
            // Building the standard library is unstable in name only here: compiler and source are one package.
            arguments: &["-Zbuild-std=std,panic_abort"],
            flags,
            variables: vec![
                ("RUSTC", DEBIAN_RUSTC.into()),
                ("RUSTC_BOOTSTRAP", "1".into()),
                ("CARGO_TARGET_WASM32_WASIP2_LINKER", linker),
            ],
            path: Some(wasm_ld),
        })
    }

    /// What whoever runs plain `cargo build` for the target needs in its environment, beside a path that begins
    /// with the folder of this cargo.
    pub fn environment(&self) -> Vec<(String, String)> {
        let shown = |value: &PathBuf| value.display().to_string();
        let mut all: Vec<(String, String)> = self
            .variables
            .iter()
            .map(|(key, value)| ((*key).to_owned(), shown(value)))
            .collect();
        if !self.arguments.is_empty() {
            all.push(("CARGO".to_owned(), shown(&self.cargo)));
            all.push((
                "CARGO_UNSTABLE_BUILD_STD".to_owned(),
                "std,panic_abort".to_owned(),
            ));
            all.push((
                "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS".to_owned(),
                self.flags.join(" "),
            ));
        }
        if let Some(first) = &self.path {
            all.push(("FIRST_ON_PATH".to_owned(), shown(first)));
        }
        all
    }

    /// `cargo build` of the guests' workspace in `folder`.
    pub fn build(&self, workspace: &Workspace, folder: &Path) -> Result<Run> {
        let mut cargo = run(&self.cargo)
            .args(["build", "--release", "--target", TARGET])
            .args(self.arguments)
            .current_dir(folder)
            // One folder for all guests, so that dependencies (and the standard library) are built once.
            .env("CARGO_TARGET_DIR", workspace.target("guests"))
            .env("CARGO_ENCODED_RUSTFLAGS", self.flags.join("\x1f"));
        // What cargo has set for xtask is not meant for another compiler.
        for inherited in ["RUSTFLAGS", "RUSTC", "RUSTC_WRAPPER", "LD_LIBRARY_PATH"] {
            cargo = cargo.without_env(inherited);
        }
        for (key, value) in &self.variables {
            cargo = cargo.env(key, value);
        }
        if let Some(first) = &self.path {
            cargo = cargo.env("PATH", path_with(first)?);
        }
        Ok(cargo)
    }
}

/// Keeps the folders of whoever builds out of the components, whose panics name source files.
fn remap(workspace: &Workspace) -> Vec<String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let registry = home.map(|home| (home.join("registry/src"), "registry"));
    let remapped = registry
        .into_iter()
        .chain([(workspace.root().to_owned(), ".")]);
    remapped
        .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()))
        .collect()
}
