//! `host core`: the process that does the work; see `docs/protocol.md`.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use tokio::sync::mpsc;

use super::{BAD_INPUT, TROUBLE, context};
use crate::config::BadInput;
use crate::core::{self, ServeError, write_line};
use crate::protocol::message::{FromHost, FromLauncher, Launch};
use crate::state::prune;

/// Serve one run; started by `host run` and by pytest itself.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Leave the core to itself, as nobody's child
    #[arg(long)]
    detach: bool,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.detach {
        return detach();
    }
    // Out of the terminal's reach: what pytest is sent is not ours to die of.
    // Refused to the leader of a process group, which is out of reach already.
    let _ = rustix::process::setsid();
    let mut input = BufReader::new(std::io::stdin());
    let mut line = String::new();
    input.read_line(&mut line).context("nothing can be read")?;
    let launch: Launch = serde_json::from_str(&line).map_err(|error| {
        BadInput(format!(
            "the first line is not what `host core` expects: {error}"
        ))
    })?;

    let (sender, receiver) = mpsc::channel(4);
    std::thread::spawn(move || {
        for line in input.lines() {
            let Ok(line) = line else { return };
            let Ok(message) = serde_json::from_str::<FromLauncher>(&line) else {
                continue;
            };
            if sender.blocking_send(message).is_err() {
                return;
            }
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let code = runtime.block_on(serve(launch, receiver));
    // A thread may be inside a guest, or wait for a line that never comes.
    runtime.shutdown_background();
    std::process::exit(code.into())
}

/// Starts the core in a process of its own, with this one's input and output,
/// and ends. A test that waits for all children of pytest would wait for a core
/// that is one of them.
fn detach() -> anyhow::Result<ExitCode> {
    let program = std::env::current_exe().context("this program cannot be found again")?;
    Command::new(program)
        .arg("core")
        .spawn()
        .context("the core cannot be started")?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(launch: Launch, input: mpsc::Receiver<FromLauncher>) -> u8 {
    let mut output = tokio::io::stdout();
    let served = async {
        let config = context::config(&launch.directory)?;
        let state = context::state(&config)?;
        if let Err(error) = context::log_to_file(&state.log()) {
            eprintln!("host: no log: {error}");
        }
        // Nobody sees a core's standard error.
        std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
        if let Err(error) = prune::in_background(state.clone(), config.keep) {
            tracing::warn!("old runs are not removed: {error}");
        }
        core::serve(launch, config, state, input, &mut output).await
    };
    match served.await {
        Ok(()) => 0,
        Err(error) => {
            tracing::error!("{error}");
            let code = if matches!(error, ServeError::Bad(_)) {
                BAD_INPUT
            } else {
                TROUBLE
            };
            let refused = FromHost::Refused {
                message: error.to_string(),
            };
            let _ = write_line(&mut output, &refused).await;
            code
        }
    }
}
