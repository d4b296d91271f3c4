//! The terminal: taken, drawn on, given back.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::draw::{Scene, draw};
use super::ui::{Key, Ui};
use crate::clock;
use crate::watch::Watcher;

/// What may be spent on reading before keys are looked at again.
const BUDGET: Duration = Duration::from_millis(100);

/// Gives the terminal back, however this ends.
struct Taken;

impl Drop for Taken {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Shows runs until a key or a signal ends it, or `is_over` says so.
///
/// # Errors
///
/// Where the terminal cannot be used.
pub fn show(
    watcher: &mut Watcher,
    scene: &Scene<'_>,
    ui: &mut Ui,
    signal: &AtomicUsize,
    is_over: impl Fn(&Watcher) -> bool,
    look: Duration,
) -> io::Result<()> {
    let taken = Taken;
    let mut terminal = ratatui::try_init()?;
    let events = events();
    'looks: loop {
        let more = watcher.look(BUDGET);
        for run in watcher.runs_mut() {
            run.notes.clear();
        }
        let next = Instant::now() + if more { Duration::ZERO } else { look };
        loop {
            terminal.draw(|frame| draw(frame, scene, watcher.runs(), clock::now(), ui))?;
            if signal.load(Ordering::Relaxed) != 0 || !more && is_over(watcher) {
                break 'looks;
            }
            if is_gone() {
                break 'looks;
            }
            match events.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => break 'looks,
                Ok(Event::Key(key)) if key.kind != KeyEventKind::Release => {
                    if ends(key) {
                        break 'looks;
                    }
                    if let Some(key) = meaning(key.code) {
                        ui.press(key, watcher.runs());
                    }
                }
                Ok(_) => {}
            }
        }
    }
    drop(terminal);
    drop(taken);
    Ok(())
}

/// What people do, from a thread of its own: crossterm reads from a terminal that
/// is gone again and again, without end. That thread ends with the process.
fn events() -> Receiver<Event> {
    let (sender, events) = mpsc::channel();
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if sender.send(event).is_err() {
                return;
            }
        }
    });
    events
}

/// Whether nobody will ever press a key again.
fn is_gone() -> bool {
    let input = io::stdin();
    let mut watched = [PollFd::new(&input, PollFlags::IN)];
    let _ = rustix::event::poll(&mut watched, Some(&Timespec::default()));
    let [input] = watched;
    let gone = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
    input.revents().intersects(gone)
}

fn ends(key: KeyEvent) -> bool {
    let ctrl_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    ctrl_c || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
}

fn meaning(code: KeyCode) -> Option<Key> {
    Some(match code {
        KeyCode::Tab => Key::Next,
        KeyCode::BackTab => Key::Previous,
        KeyCode::Char(digit @ '1'..='9') => Key::Run(digit as usize - '1' as usize),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::First,
        KeyCode::End => Key::Last,
        _ => return None,
    })
}
