//! Running commands: each is shown before it runs, and an error says which one it was.

use std::{
    env,
    ffi::{OsStr, OsString},
    fmt,
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

/// A command to be run.
pub struct Run {
    command: Command,
    quiet: bool,
}

/// A command with what this process has in its environment, but for what cargo says there of xtask: build scripts run
/// again where they read that, and all that is made of them is compiled anew.
pub fn run(program: impl AsRef<OsStr>) -> Run {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        let bytes = name.as_encoded_bytes();
        if bytes.starts_with(b"CARGO_PKG_") || bytes.starts_with(b"CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    Run {
        command,
        quiet: false,
    }
}

impl Run {
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Has clippy compile our own crates: it is rustc with lints, of which none may warn. So they are compiled
    /// once for both, and what they depend on once instead of twice, which is most of the time from scratch.
    pub fn linted(self) -> Self {
        self.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver")
            // As `cargo clippy -- -D warnings` says it to the driver.
            .env("CLIPPY_ARGS", "-D__CLIPPY_HACKERY__warnings")
    }

    pub fn without_env(mut self, key: impl AsRef<OsStr>) -> Self {
        self.command.env_remove(key);
        self
    }

    pub fn current_dir(mut self, path: impl AsRef<Path>) -> Self {
        self.command.current_dir(path);
        self
    }

    /// Does not show the command: for questions, which change nothing.
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Runs it with the terminal's input and output.
    pub fn status(mut self) -> Result<()> {
        self.show();
        let status = self
            .command
            .status()
            .with_context(|| format!("failed to start `{self}`"))?;
        if !status.success() {
            bail!("`{self}` failed: {status}");
        }
        Ok(())
    }

    /// Runs it and returns what it printed; its errors go to the terminal.
    pub fn output(mut self) -> Result<String> {
        self.show();
        self.command.stderr(Stdio::inherit());
        let output = self
            .command
            .output()
            .with_context(|| format!("failed to start `{self}`"))?;
        self.check(output)
    }

    /// What it prints, where it can be run and succeeds; its errors go nowhere.
    pub fn output_if_any(mut self) -> Option<String> {
        let output = self.command.stdin(Stdio::null()).output().ok()?;
        let printed = String::from_utf8(output.stdout).ok()?;
        output.status.success().then_some(printed)
    }

    /// Whether it can be run and succeeds, whatever it prints.
    pub fn succeeds(mut self) -> bool {
        self.command
            .stdin(Stdio::null())
            .output()
            .is_ok_and(|output| output.status.success())
    }

    /// Whether it can be run, succeeds, and prints just this.
    pub fn answers(mut self, expected: &str) -> bool {
        self.command
            .stdin(Stdio::null())
            .output()
            .is_ok_and(|output| {
                output.status.success()
                    && String::from_utf8_lossy(&output.stdout).trim() == expected
            })
    }

    /// As `succeeds`, showing what it prints, but gives up after a while.
    pub fn succeeds_within(mut self, limit: Duration) -> bool {
        /// Of how often to look. Nothing here is in a hurry.
        const PAUSE: Duration = Duration::from_millis(50);
        self.show();
        let Ok(mut child) = self.command.stdin(Stdio::null()).spawn() else {
            return false;
        };
        let start = Instant::now();
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return status.success(),
                Ok(None) if start.elapsed() < limit => std::thread::sleep(PAUSE),
                _ => {
                    // It may have ended in between; either way it is over.
                    let _ = child.kill();
                    let _ = child.wait();
                    return false;
                }
            }
        }
    }

    fn check(&self, output: Output) -> Result<String> {
        if !output.status.success() {
            bail!("`{self}` failed: {}", output.status);
        }
        String::from_utf8(output.stdout)
            .with_context(|| format!("`{self}` printed something other than UTF-8"))
    }

    fn show(&self) {
        if !self.quiet {
            eprintln!("  $ {self}");
        }
    }
}

/// As it would be typed.
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = Path::new(self.command.get_program());
        // A path says where a program lies, which its reader knows or can ask for.
        let name = program.file_name().unwrap_or(program.as_os_str());
        f.write_str(&quote(name))?;
        self.command
            .get_args()
            .try_for_each(|arg| write!(f, " {}", quote(arg)))
    }
}

fn quote(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+./:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A list of folders as `PATH` has it, with one more at its front.
pub fn path_with(first: &Path) -> Result<OsString> {
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(first.to_owned()).chain(std::env::split_paths(&rest));
    std::env::join_paths(folders).context("a folder of PATH has a separator in its name")
}
