//! `host watch`: a live view of runs, from another terminal.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::context;
use crate::clock;
use crate::state::StateFolder;
use crate::watch::view::{self, Scene, Ui};
use crate::watch::{Document, News, Teller, Watcher, plain};

/// How often to look.
const LOOK: Duration = Duration::from_millis(200);
/// Time to read in, where nobody waits for keys.
const UNHURRIED: Duration = Duration::from_secs(1);

/// Watch runs from another terminal: what runs and for how long, what failed, what
/// sinks have not got.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host watch
  host watch --until-done | tee watched.log
  host watch --once --json
  host watch 2026-11-21T10-10-42-3f9a --slow '5 min'

Shows the runs that are under way, those that begin, and the one that was last. In
a terminal: q ends it, Tab and 1-9 choose a run, arrows and PgUp, PgDn move through
failures. Elsewhere it prints lines, or with --json an object a line.")]
pub struct Args {
    /// One run only; over a pipe, until it has ended
    run: Option<String>,
    /// Print how things stand, and end
    #[arg(long)]
    once: bool,
    /// End when no run is under way any more
    #[arg(long, conflicts_with = "once")]
    until_done: bool,
    /// Point out tests that run for longer than this
    #[arg(long, value_name = "TIME", default_value = "60 s", value_parser = time)]
    slow: Duration,
    /// Print JSON: a line an event, or with --once a list of runs
    #[arg(long)]
    json: bool,
}

fn time(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("should be more than 0".to_owned()),
        Ok(time) => Ok(time),
        Err(error) => Err(error.to_string()),
    }
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let config = context::config(&context::directory()?)?;
    if let Some(wanted) = &args.run {
        let state = StateFolder::find(config.root());
        context::known_run(&state.map_or_else(Vec::new, |state| state.runs()), wanted)?;
    }
    let mut watcher = Watcher::new(config.root(), args.run.as_deref());
    let root = config.root().display().to_string();
    if args.once {
        return unless_cut_off(once(args, &mut watcher, &root));
    }
    let signal = Arc::new(AtomicUsize::new(0));
    for number in [SIGHUP, SIGINT, SIGTERM] {
        let value = usize::try_from(number)?;
        signal_hook::flag::register_usize(number, Arc::clone(&signal), value)?;
    }
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    if io::stdout().is_terminal() && !args.json && !dumb {
        let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let scene = Scene {
            root: &root,
            slow: args.slow.as_secs_f64(),
        };
        let is_over = |watcher: &Watcher| args.until_done && watcher.is_over();
        view::show(
            &mut watcher,
            &scene,
            &mut Ui::new(colour),
            &signal,
            is_over,
            LOOK,
        )?;
    } else {
        unless_cut_off(follow(args, &mut watcher, &root, &signal))?;
    }
    // Ctrl-C is how this is meant to end.
    Ok(match signal.load(Ordering::Relaxed) {
        0 => ExitCode::SUCCESS,
        number if i32::try_from(number) == Ok(SIGINT) => ExitCode::SUCCESS,
        number => ExitCode::from(128 + u8::try_from(number)?),
    })
}

/// Whoever read the output has what they wanted.
fn unless_cut_off(result: io::Result<()>) -> anyhow::Result<ExitCode> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn once(args: &Args, watcher: &mut Watcher, root: &str) -> io::Result<()> {
    while watcher.look(UNHURRIED) {}
    let now = clock::now();
    let mut output = anstream::stdout().lock();
    if args.json {
        let runs = watcher.runs().iter().map(|run| Document::of(run, now));
        let text = serde_json::to_string_pretty(&runs.collect::<Vec<_>>())?;
        return writeln!(output, "{text}");
    }
    if watcher.runs().is_empty() {
        return writeln!(output, "no run was ever kept for {root}");
    }
    for run in watcher.runs() {
        write!(output, "{}", plain::state(run, now))?;
    }
    Ok(())
}

/// Tells what is new until there is a reason to end.
fn follow(args: &Args, watcher: &mut Watcher, root: &str, signal: &AtomicUsize) -> io::Result<()> {
    let mut teller = Teller::new(args.slow.as_secs_f64());
    let mut waits = false;
    loop {
        let more = watcher.look(UNHURRIED);
        if watcher.runs().is_empty() && !waits {
            waits = true;
            let then = if args.until_done { "" } else { "; waiting" };
            eprintln!("host: no run yet in {root}{then}");
        }
        let several = watcher.runs().len() > 1;
        let mut output = anstream::stdout().lock();
        for run in watcher.runs_mut() {
            for news in teller.tell(run, clock::now()) {
                writeln!(output, "{}", shown(args, &news, several)?)?;
            }
        }
        output.flush()?;
        drop(output);
        let ends = args.until_done || args.run.is_some();
        if signal.load(Ordering::Relaxed) != 0 || ends && !more && watcher.is_over() {
            return Ok(());
        }
        if !more && !pause() {
            return Ok(());
        }
    }
}

fn shown(args: &Args, news: &News, several: bool) -> io::Result<String> {
    if args.json {
        Ok(serde_json::to_string(news)?)
    } else {
        Ok(plain::line(news, several))
    }
}

/// Waits for the next look; answers whether anybody reads what is printed.
fn pause() -> bool {
    let output = io::stdout();
    let timeout = Timespec::try_from(LOOK).ok();
    let mut watched = [PollFd::new(&output, PollFlags::empty())];
    let found = rustix::event::poll(&mut watched, timeout.as_ref());
    let [output] = watched;
    let events = output.revents();
    if events.intersects(PollFlags::ERR | PollFlags::HUP) {
        return false;
    }
    // Not everything can be waited for.
    if found.is_ok_and(|ready| ready > 0) {
        std::thread::sleep(LOOK);
    }
    true
}
