//! Answering through a command file, where no core can be reached.
//!
//! The file is made whole and only where there is none, and it names the answer:
//! the adapter leaves a receipt of that name before the pause counts as over.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::record::{Record, Status};
use crate::protocol::pause::{Decision, OVER};

/// How often to look whether the answer was taken: at first, and later on.
const LOOK: Duration = Duration::from_millis(2);
const LATER: Duration = Duration::from_millis(50);
const SOON: Duration = Duration::from_secs(1);
/// When to say that nobody has taken the answer yet.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Serialize)]
struct Command<'a> {
    #[serde(flatten)]
    decision: &'a Decision,
    answer: &'a str,
}

/// Answers the pause in the file `pause` and waits for it to be taken.
///
/// # Errors
///
/// Why it was not, in one line.
pub fn answer_by_file(pause: &Path, record: &Record, decision: &Decision) -> Result<(), String> {
    let shown = pause.display();
    let commands = pause
        .parent()
        .and_then(Path::parent)
        .map(|run| run.join("commands"))
        .ok_or_else(|| format!("not a pause file: {shown}"))?;
    let command = commands.join(format!("{}.resume.json", record.pause_id));
    let answer = uuid::Uuid::new_v4().simple().to_string();
    write(&commands, &command, decision, &answer)?;
    let receipt = commands.join(format!("{answer}.accepted"));
    let started = Instant::now();
    let mut told = false;
    loop {
        // In this order: a receipt is there before the pause is over.
        let status = Record::read(pause).map(|record| record.status());
        if std::fs::remove_file(&receipt).is_ok() {
            return Ok(());
        }
        match status {
            Ok(Status::Pending) => {}
            Ok(Status::Stale) => {
                take_back(&command, &answer);
                return Err(format!(
                    "pause belongs to a dead process and is stale: {shown}"
                ));
            }
            _ => {
                take_back(&command, &answer);
                return Err(format!("{OVER}: {shown}"));
            }
        }
        if started.elapsed() > PATIENCE && !told {
            told = true;
            eprintln!("host: waiting for the test to take the answer; Ctrl-C ends the wait");
        }
        std::thread::sleep(if started.elapsed() < SOON {
            LOOK
        } else {
            LATER
        });
    }
}

fn write(commands: &Path, command: &Path, decision: &Decision, answer: &str) -> Result<(), String> {
    let unfinished = commands.join(format!("{answer}.new"));
    let made = make(&unfinished, command, decision, answer);
    let _ = std::fs::remove_file(unfinished);
    made.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            format!("resume command already exists: {}", command.display())
        }
        _ => format!("{}: {error}", command.display()),
    })
}

fn make(unfinished: &Path, command: &Path, decision: &Decision, answer: &str) -> io::Result<()> {
    let text = serde_json::to_vec_pretty(&Command { decision, answer })?;
    std::fs::write(unfinished, text)?;
    if error_of(command).exists() {
        // One that was no command; nobody will take it.
        return std::fs::rename(unfinished, command);
    }
    std::fs::hard_link(unfinished, command)
}

fn error_of(command: &Path) -> PathBuf {
    let mut name = command.as_os_str().to_owned();
    name.push(".error");
    name.into()
}

/// Only this answer's: another may be there by now.
fn take_back(command: &Path, answer: &str) {
    if std::fs::read_to_string(command).is_ok_and(|text| text.contains(answer)) {
        let _ = std::fs::remove_file(command);
    }
}
