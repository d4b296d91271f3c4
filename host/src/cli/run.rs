//! `host run`: pytest in front, a core behind it.

mod signals;

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::pin::pin;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::BufReader;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use self::signals::Signals;
use super::sink::prepare;
use super::summary::{self, Bar};
use super::{context, python};
use crate::config::{BadInput, Request, split_names};
use crate::core::{read_line, write_line};
use crate::protocol::message::{Finished, FromHost, FromLauncher, Launch};

/// How long a core may take to end that has said how far it came.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Run pytest under the host, and wait for the sinks at the end.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host run --sinks publish,pubdir
  host run --sinks publish --set publish.url=http://127.0.0.1:7777/test-update -- tests/ -k smoke
  host run --sinks pubdir,./collector.wasm --set pubdir.dir=results --runner \"uv run pytest\"
  host run --sinks ./report.py

The exit code is pytest's (128+n where signal n ended it), or 2 for bad input.
What a sink has not got when the time is up stays in .pytest_host: host drain.")]
pub struct Args {
    /// The sinks: built-in ones, those of host.toml, and paths of components and scripts
    #[arg(long, value_name = "A,B", value_parser = names)]
    sinks: Option<Names>,
    /// A sink's setting, over those of host.toml
    #[arg(long = "set", value_name = "SINK.KEY=VALUE")]
    set: Vec<String>,
    /// How long to go on delivering after pytest has ended
    #[arg(long, value_name = "TIME", default_value = "30 s", value_parser = humantime::parse_duration)]
    drain_timeout: Duration,
    #[command(flatten)]
    python: python::Choice,
    /// pytest's own arguments
    #[arg(last = true, value_name = "PYTEST ARGS")]
    pytest: Vec<std::ffi::OsString>,
}

/// `a,b`. A type of its own, or clap takes it for several values.
#[derive(Clone, Debug)]
pub(super) struct Names(pub(super) Vec<String>);

#[expect(clippy::unnecessary_wraps, reason = "what clap calls")]
pub(super) fn names(text: &str) -> Result<Names, std::convert::Infallible> {
    Ok(Names(split_names(text)))
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    context::log_to_terminal();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let code = runtime.block_on(run_async(args))?;
    Ok(ExitCode::from(code))
}

async fn run_async(args: &Args) -> anyhow::Result<u8> {
    let directory = context::directory()?;
    let pytest = args.python.command()?;
    let request = Request {
        sinks: args.sinks.as_ref().map(|names| names.0.clone()),
        set: args.set.clone(),
        ..Request::default()
    };
    prepare::scripts(&directory, &request)?;
    let mut core = Core::start(args.drain_timeout, request, &directory).await?;
    if args.python.runner.is_none() {
        let python = args.python.interpreter()?;
        let redact = context::config(&directory).map(|config| config.redact);
        // What is wrong with the configuration, the core says.
        let redact = redact.unwrap_or_default();
        let probe = move || {
            let probe = python::probe(&python, &redact)?;
            probe.check()?;
            probe.check_patterns(&redact)
        };
        if let Err(bad) = tokio::task::spawn_blocking(probe).await? {
            core.dismiss().await;
            return Err(bad.into());
        }
    }
    core.ready().await?;
    let mut signals = Signals::new()?;
    let (program, first) = pytest.split_first().context("no command to run")?;
    let mut child = Command::new(program)
        .args(first)
        .args(&args.pytest)
        .env("PYTEST_HOST_ADDRESS", &core.address)
        .spawn()
        .map_err(|error| {
            BadInput(format!(
                "{}: cannot be run: {error}",
                Path::new(program).display()
            ))
        })?;
    let status = signals.wait(&mut child).await?;
    let finished = core
        .finish(args.drain_timeout.as_secs_f64(), &mut signals)
        .await;
    if let Some(Finished {
        unreported: Some(message),
        ..
    }) = finished
    {
        return Err(BadInput(message).into());
    }
    tell(finished.as_ref());
    Ok(code(status))
}

/// What is left to say once pytest has ended.
fn tell(finished: Option<&Finished>) {
    match finished {
        None => eprintln!(
            "host: the core ended before the run did; what it has not delivered is kept, and goes out with: host drain"
        ),
        Some(Finished { run: None, .. }) => eprintln!(
            "host: no pytest session reported to this host; is pytest-host installed where pytest ran?"
        ),
        Some(finished) => {
            eprint!("{}", summary::lines(&finished.sinks));
            eprint!("{}", summary::refused(&finished.refused));
            eprint!("{}", summary::earlier(&finished.earlier));
            if let Some(advice) = summary::advice(&finished.sinks, &finished.give_again) {
                eprintln!("{advice}");
            }
        }
    }
}

fn code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok())
        .unwrap_or(super::TROUBLE)
}

/// The core of this run.
struct Core {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    address: std::path::PathBuf,
}

impl Core {
    async fn start(
        drain_timeout: Duration,
        request: Request,
        directory: &Path,
    ) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program cannot be found again")?;
        let mut child = Command::new(program)
            .arg("core")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("the core cannot be started")?;
        let (input, output) = child
            .stdin
            .take()
            .zip(child.stdout.take())
            .context("the core has no pipes")?;
        let mut core = Self {
            child,
            input,
            output: BufReader::new(output),
            address: std::path::PathBuf::new(),
        };
        let launch = Launch {
            directory: directory.to_owned(),
            request: Some(request),
            drain_timeout: Some(drain_timeout.as_secs_f64()),
        };
        write_line(&mut core.input, &launch)
            .await
            .context("the core does not listen")?;
        match core.next().await? {
            FromHost::Listening { address } => core.address = address,
            other => anyhow::bail!("the core said {other:?} where it should say where it listens"),
        }
        Ok(core)
    }

    /// The sinks are loaded and have accepted their settings.
    async fn ready(&mut self) -> anyhow::Result<()> {
        self.next().await.map(|_| ())
    }

    /// There will be no run. A core that is left alone waits for one.
    async fn dismiss(&mut self) {
        let _ = write_line(&mut self.input, &FromLauncher::Finish { timeout: 0.0 }).await;
    }

    /// What the core says next; a refusal is an error.
    async fn next(&mut self) -> anyhow::Result<FromHost> {
        match read_line(&mut self.output).await? {
            Some(FromHost::Refused { message }) => Err(BadInput(message).into()),
            Some(message) => Ok(message),
            None => {
                let status = self.child.wait().await?;
                anyhow::bail!("the core ended with {status}; see core.log in .pytest_host")
            }
        }
    }

    /// Waits for the sinks, with a bar; none where the core is gone. Ctrl-C
    /// leaves the rest for later.
    async fn finish(&mut self, timeout: f64, signals: &mut Signals) -> Option<Finished> {
        write_line(&mut self.input, &FromLauncher::Finish { timeout })
            .await
            .ok()?;
        let bar = Bar::new();
        let finished = loop {
            // One future for one line: what was read of a line is in it when a key comes.
            let mut line = pin!(read_line(&mut self.output));
            let message = loop {
                tokio::select! {
                    message = &mut line => break message,
                    () = signals.any() => {
                        let _ = write_line(&mut self.input, &FromLauncher::Finish { timeout: 0.0 }).await;
                    }
                }
            };
            match message {
                Ok(Some(FromHost::Progress { sinks })) => bar.show(&sinks),
                Ok(Some(FromHost::Finished(finished))) => break Some(finished),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break None,
            }
        };
        bar.end();
        // So that whoever comes next, say `host drain`, finds nobody at work. It has
        // nothing left to do but to go.
        let _ = tokio::time::timeout(LAST_WORDS, self.child.wait()).await;
        finished
    }
}
