//! `host serve`: stay up, for runs that attach and for whoever asks over HTTP.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::runtime::{Handle, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use super::{context, python};
use crate::api::{Access, Api, Bounds, Parts, Token, serve};
use crate::config::{BadInput, Config};
use crate::core::Staying;
use crate::job::{Allow, Jobs, Settings};
use crate::secrets;
use crate::state::{Serving, StateFolder};
use crate::topic::{Limits, Topics};

/// Stay up: runs that attach, and the HTTP API.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host serve
  host serve --listen 127.0.0.1:9000 --token-file /run/secrets/host-token
  pytest --sinks-host=\"$(host serve --where address)\" tests/

The API is described at /api/openapi.json. Everything but /healthz needs the token:
  curl -H \"Authorization: Bearer $(host serve --where token)\" \"$(host serve --where url)/api/runs\"")]
pub struct Args {
    /// Address and port to listen at, over `serve.listen` in host.toml; port 0 is any free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// The file that has the token, over `serve.token`; by default one is made and kept in .pytest_host
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// How many jobs run at once, over `serve.max-jobs` [default: one a processor, at least 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    max_jobs: Option<u16>,
    /// How long a job has to end after SIGINT, and again after SIGTERM, over `serve.stop-grace`
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    stop_grace: Option<Duration>,
    /// The Python that jobs run with [default: the active environment's]
    #[arg(long, value_name = "PYTHON", env = "PYTEST_HOST_PYTHON")]
    python: Option<PathBuf>,
    /// Let everybody on this machine start programs as you, without a token: whoever reaches
    /// the port can run any code
    #[arg(long)]
    allow_unauthenticated: bool,
    /// The same, for everybody on the network
    #[arg(long)]
    allow_remote_unauthenticated: bool,
    /// Do not serve: print one thing of the host that serves here
    #[arg(long = "where", value_name = "WHAT")]
    place: Option<Place>,
}

/// Behind sinks, which are behind tests.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// What `--where` prints.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Place {
    /// What pytest's `--sinks-host` takes
    Address,
    /// Of the API
    Url,
    Token,
    Pid,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    context::log_to_terminal();
    let directory = context::directory()?;
    let mut config = context::config(&directory)?;
    let state = context::state(&config)?;
    if let Some(place) = args.place {
        return tell(&state, place);
    }
    if let Some(listen) = args.listen {
        config.serve.listen = listen;
    }
    let serve = &mut config.serve;
    serve.max_jobs = args.max_jobs.map(usize::from).or(serve.max_jobs);
    serve.stop_grace = args.stop_grace.unwrap_or(serve.stop_grace);
    let access = access(args, &config, &state)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let connections = connections()?;
    let interpreter = interpreter(args, &directory);
    let code = runtime.block_on(stay(
        config,
        state,
        access,
        interpreter,
        connections.handle(),
    ));
    // A thread may be inside a guest.
    connections.shutdown_background();
    runtime.shutdown_background();
    code
}

fn tell(state: &StateFolder, place: Place) -> anyhow::Result<ExitCode> {
    let serving = Serving::find(state).ok_or_else(|| {
        BadInput(format!(
            "no `host serve` is at work in {}",
            state.path().display()
        ))
    })?;
    let mut out = std::io::stdout().lock();
    match place {
        Place::Address => writeln!(out, "{}", serving.address.display()),
        Place::Url => writeln!(out, "{}", serving.url),
        Place::Token => writeln!(out, "{}", serving.token.unwrap_or_default()),
        Place::Pid => writeln!(out, "{}", serving.pid),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Who is let in; the token where one is needed.
fn access(args: &Args, config: &Config, state: &StateFolder) -> anyhow::Result<Option<String>> {
    let listen = config.serve.listen;
    if args.allow_remote_unauthenticated {
        return Ok(None);
    }
    if args.allow_unauthenticated {
        if !listen.ip().is_loopback() {
            return Err(BadInput(format!(
                "--allow-unauthenticated is for this machine alone, and {listen} is reached from others: whoever reaches it could run any code as you; --allow-remote-unauthenticated says that this is meant"
            ))
            .into());
        }
        return Ok(None);
    }
    if let Some(file) = &args.token_file {
        return Ok(Some(config.serve_token_in(file)?));
    }
    match config.serve_token()? {
        Some(token) => Ok(Some(token)),
        None => {
            let token = state.token().context("no token can be kept")?;
            secrets::learn(&serde_json::Value::String(token.clone()));
            Ok(Some(token))
        }
    }
}

/// Whoever looks on has a runtime of its own, behind the tests and what they wait for:
/// a crowd of subscribers takes a processor otherwise that a run may need.
fn connections() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .thread_name("connections")
        .on_thread_start(|| {
            // Of this thread; elsewhere it would be of the process.
            #[cfg(target_os = "linux")]
            let _ = rustix::process::setpriority_process(None, NICE);
        })
        .enable_all()
        .build()
}

async fn stay(
    config: Config,
    state: StateFolder,
    token: Option<String>,
    interpreter: PathBuf,
    connections: &Handle,
) -> anyhow::Result<ExitCode> {
    let mut ends = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ]
    .map(signal)
    .into_iter()
    .collect::<Result<Vec<_>, _>>()?;
    let listen = config.serve.listen;
    let alone = Serving::begin(&state).map_err(|refused| BadInput(refused.to_string()))?;
    let listener = connections
        .spawn(TcpListener::bind(listen))
        .await?
        .map_err(|error| BadInput(format!("cannot listen at {listen}: {error}")))?;
    let url = format!("http://{}", listener.local_addr()?);
    let topics = Topics::new(Limits::default());
    let core = Staying::start(config.clone(), state.clone(), topics.clone()).await?;
    let settings = job_settings(&config, &state, interpreter, core.address())?;
    let jobs = Jobs::open(settings).context("no jobs can be run")?;
    let shown = alone.show(&Serving {
        url: url.clone(),
        token: token.clone(),
        pid: std::process::id(),
        address: core.address().to_owned(),
    })?;
    let parts = Parts {
        state: state.clone(),
        access: match token.clone() {
            Some(token) => Access::Token(Token::new(token)),
            None => Access::Everybody,
        },
        hosts: config.serve.hosts.clone(),
        origins: config.serve.origins.clone(),
        patience: config.serve.idle_timeout,
        jobs,
        topics,
        ping: config.serve.ping,
    };
    say(&url, core.address(), &state, token.is_some(), listen);
    let (end, ending) = tokio::sync::oneshot::channel::<()>();
    let bounds = Bounds::within(config.serve.idle_timeout);
    let serving = connections.spawn(async move {
        let end = async move {
            let _ = ending.await;
        };
        serve(Api::new(parts), listener, bounds, end).await;
    });
    let waits = ends.iter_mut().map(|end| Box::pin(end.recv()));
    futures_util::future::select_all(waits).await;
    eprintln!("host: ending");
    let _ = end.send(());
    serving.await?;
    core.end().await;
    drop(shown);
    Ok(ExitCode::SUCCESS)
}

/// Where there is none, each job says so.
fn interpreter(args: &Args, directory: &Path) -> PathBuf {
    let choice = python::Choice {
        python: args.python.clone(),
        runner: None,
    };
    let found = choice.interpreter().unwrap_or_else(|_| "python3".into());
    // A bare name is looked up in the path.
    match found.components().count() {
        1 => found,
        _ => directory.join(found),
    }
}

fn job_settings(
    config: &Config,
    state: &StateFolder,
    interpreter: PathBuf,
    address: &Path,
) -> anyhow::Result<Settings> {
    let serve = &config.serve;
    let program = std::env::current_exe().context("this program cannot be found again")?;
    Ok(Settings {
        folder: state.path().join("jobs"),
        shim: vec![program.into(), "job-shim".into()],
        directory: config.directory.clone(),
        interpreter,
        address: address.to_owned(),
        max_jobs: serve.max_jobs.unwrap_or_else(Settings::default_max_jobs),
        keep_jobs: serve.keep_jobs,
        stop_grace: serve.stop_grace,
        output: serve.job_output,
        allow: Allow {
            directories: serve.job.directories.clone(),
            environment: serve.job.environment.clone(),
            interpreters: serve.job.interpreters.clone(),
        },
    })
}

fn say(url: &str, address: &Path, state: &StateFolder, has_token: bool, listen: SocketAddr) {
    eprintln!(
        "host: serving at {url}, for runs in {}",
        state.path().display()
    );
    eprintln!(
        "host: attach a run with  pytest --sinks-host={}",
        address.display()
    );
    if has_token {
        eprintln!("host: the token is told by  host serve --where token");
    } else {
        eprintln!("host: no token is asked for: whoever reaches {listen} can run any code as you");
    }
    if !listen.ip().is_loopback() {
        eprintln!(
            "host: {listen} is reached from other machines, and what goes over the network is not encrypted"
        );
    }
}
