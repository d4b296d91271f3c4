//! The screen as a function of the runs, the time and what the user has chosen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Gauge, Paragraph};
use unicode_truncate::UnicodeTruncateStr as _;

use super::ui::Ui;
use crate::text::printable;
use crate::watch::failure::{age, test};
use crate::watch::words::{self, Tone};
use crate::watch::{State, Watched};

/// Runs in the list at most.
const LISTED: usize = 5;
/// Sinks at most.
const SINKS: usize = 4;
/// Lines of the header: name, place, progress, counts.
const HEADER: u16 = 4;

/// What does not change while the view is up.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// Whose runs these are.
    pub root: &'a str,
    /// Seconds after which a test is slow.
    pub slow: f64,
}

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, scene: &Scene<'_>, runs: &[Watched], now: f64, ui: &Ui) {
    let at = ui.selected(runs);
    let Some(watched) = runs.get(at) else {
        let text = format!("no run yet in {}; waiting (q ends)", printable(scene.root));
        frame.render_widget(Paragraph::new(text), frame.area());
        return;
    };
    let pen = Pen { colour: ui.colour };
    let area = frame.area();
    let listed = if runs.len() > 1 {
        runs.len().min(LISTED)
    } else {
        0
    };
    let sinks = watched.sinks.len().min(SINKS);
    let fixed = size(listed) + HEADER + size(sinks) + 1;
    let rest = area.height.saturating_sub(fixed);
    let running = size(watched.run.running.len())
        .min((rest / 2).saturating_sub(1))
        .max(1)
        + 1;
    let table = table(watched, now);
    // Its title, and not all of the screen.
    let events = match table.len() {
        0 => 0,
        rows => size(rows + 1).min(rest.saturating_sub(running) * 2 / 3),
    };
    let [list, header, busy, orchestrated, failed, delivery, keys] = Layout::vertical([
        Constraint::Length(size(listed)),
        Constraint::Length(HEADER),
        Constraint::Length(running),
        Constraint::Length(events),
        Constraint::Min(0),
        Constraint::Length(size(sinks)),
        Constraint::Length(1),
    ])
    .areas(area);
    draw_list(frame, list, runs, at, now, pen);
    draw_header(frame, header, watched, now, pen);
    draw_running(frame, busy, watched, now, scene.slow, pen);
    if events > 0 {
        let name = watched
            .run
            .orchestrated
            .last()
            .map(|one| printable(&one.name));
        let title = format!("orchestration {}", name.unwrap_or_default());
        let inside = titled(frame, orchestrated, &title);
        let lines: Vec<Line<'_>> = table.into_iter().map(Line::raw).collect();
        frame.render_widget(Paragraph::new(lines), inside);
    }
    draw_failures(frame, failed, watched, ui.back, pen);
    draw_sinks(frame, delivery, watched, pen);
    let several = if runs.len() > 1 {
        "Tab, 1-9: other runs   "
    } else {
        ""
    };
    let help = format!("q: end   {several}arrows, PgUp, PgDn: failures");
    frame.render_widget(
        Paragraph::new(help).style(Style::new().add_modifier(Modifier::DIM)),
        keys,
    );
}

/// Colours, where there are any.
#[derive(Clone, Copy)]
struct Pen {
    colour: bool,
}

impl Pen {
    fn in_colour(self, colour: Color) -> Style {
        if self.colour {
            Style::new().fg(colour)
        } else {
            Style::new()
        }
    }

    fn tone(self, tone: Tone) -> Style {
        self.in_colour(match tone {
            Tone::Good => Color::Green,
            Tone::Bad => Color::Red,
            Tone::Odd => Color::Yellow,
        })
    }

    fn state(self, watched: &Watched) -> Style {
        let status = watched.run.end.as_ref().and_then(|end| end.exitstatus);
        match watched.state {
            State::Running => Style::new(),
            State::Finished if status == Some(0) => self.tone(Tone::Good),
            _ => self.tone(Tone::Bad),
        }
    }
}

fn draw_list(frame: &mut Frame<'_>, area: Rect, runs: &[Watched], at: usize, now: f64, pen: Pen) {
    // The chosen one is always among those that are seen.
    let height = usize::from(area.height);
    let first = (at + 1)
        .saturating_sub(height)
        .max(runs.len().saturating_sub(height).min(at));
    let lines = runs.iter().enumerate().skip(first).take(height);
    let lines = lines.map(|(index, watched)| {
        let run = &watched.run;
        let mark = if index == at { ">" } else { " " };
        let time = run.duration(now).map_or_else(String::new, age);
        let text = format!(
            "{mark}{} {}  {}  {time}  {}/{}",
            index + 1,
            watched.id,
            words::state(watched),
            run.done(),
            run.expected(),
        );
        Line::styled(text, pen.state(watched))
    });
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), area);
}

fn draw_header(frame: &mut Frame<'_>, area: Rect, watched: &Watched, now: f64, pen: Pen) {
    let rows = Layout::vertical([Constraint::Length(1); HEADER as usize]).split(area);
    let [title, place, gauge, counts] = rows.as_ref() else {
        return;
    };
    let run = &watched.run;
    let time = run.duration(now).map_or_else(String::new, age);
    let name = Line::from(vec![
        Span::styled(
            format!("run {}", watched.id),
            Style::new().add_modifier(Modifier::BOLD),
        ),
        Span::raw("  "),
        Span::styled(words::state(watched), pen.state(watched)),
        Span::raw(format!("  {time}")),
    ]);
    frame.render_widget(Paragraph::new(name), *title);
    let workers = match run.workers.len() {
        0 => String::new(),
        1 => ", 1 worker".to_owned(),
        count => format!(", {count} workers"),
    };
    let args: Vec<String> = run.args.iter().map(|arg| printable(arg)).collect();
    let what = format!(
        "{}{workers}  {}  {}",
        words::what(run),
        printable(&run.rootdir),
        args.join(" ")
    );
    frame.render_widget(
        Paragraph::new(what).style(Style::new().add_modifier(Modifier::DIM)),
        *place,
    );
    let (done, expected) = (run.done(), run.expected());
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    let ratio = if expected == 0 {
        0.0
    } else {
        (done as f64 / expected as f64).min(1.0)
    };
    let bad = words::counted(run)
        .iter()
        .any(|(tone, _)| *tone == Tone::Bad);
    let tone = if bad { Tone::Bad } else { Tone::Good };
    frame.render_widget(
        Gauge::default()
            .ratio(ratio)
            .label(format!("{done}/{expected}"))
            .use_unicode(true)
            .gauge_style(pen.tone(tone).add_modifier(if pen.colour {
                Modifier::empty()
            } else {
                Modifier::REVERSED
            })),
        *gauge,
    );
    let mut spans: Vec<Span<'_>> = Vec::new();
    for (tone, text) in words::counted(run) {
        if !spans.is_empty() {
            spans.push(Span::raw(", "));
        }
        spans.push(Span::styled(text, pen.tone(tone)));
    }
    if let Some(reason) = &run.interrupted {
        spans.push(Span::raw(format!("  interrupted: {reason}")));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), *counts);
}

/// A block with a line and a title above it; answers what is inside.
fn titled(frame: &mut Frame<'_>, area: Rect, title: &str) -> Rect {
    let block = Block::new()
        .borders(Borders::TOP)
        .title(format!(" {title} "));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    inside
}

fn draw_running(
    frame: &mut Frame<'_>,
    area: Rect,
    watched: &Watched,
    now: f64,
    slow: f64,
    pen: Pen,
) {
    let running = watched.run.oldest_first();
    let inside = titled(frame, area, &format!("running ({})", running.len()));
    let width = usize::from(inside.width);
    let lines = running.iter().take(usize::from(inside.height));
    let lines = lines.map(|((worker, nodeid, attempt), since)| {
        let seconds = now - since;
        let worker = worker.as_deref().map_or_else(String::new, printable);
        let head = format!("{:>7} {worker:<4} ", age(seconds));
        let name = test(nodeid, *attempt, None);
        let style = if seconds >= slow && watched.state == State::Running {
            pen.tone(Tone::Odd).add_modifier(Modifier::BOLD)
        } else {
            Style::new()
        };
        let left = width.saturating_sub(Span::raw(head.as_str()).width());
        Line::styled(format!("{head}{}", end_of(&name, left)), style)
    });
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), inside);
}

/// Events of the orchestrated test that began last.
fn table(watched: &Watched, now: f64) -> Vec<String> {
    let last = watched.run.orchestrated.last();
    last.map_or_else(Vec::new, |one| one.table(now))
}

fn draw_failures(frame: &mut Frame<'_>, area: Rect, watched: &Watched, back: usize, pen: Pen) {
    let run = &watched.run;
    let all = run.failures.len() as u64 + run.failures_left_out;
    let below = match back {
        0 => String::new(),
        count => format!(", {count} below"),
    };
    let inside = titled(frame, area, &format!("failures ({all}{below})"));
    let width = usize::from(inside.width);
    let seen = run.failures.len().saturating_sub(back);
    let count = usize::from(inside.height).div_ceil(2);
    let mut lines = Vec::new();
    for failure in run
        .failures
        .iter()
        .take(seen)
        .skip(seen.saturating_sub(count))
    {
        let word = failure.word();
        let left = width.saturating_sub(word.len() + 1);
        lines.push(Line::from(vec![
            Span::styled(word, pen.tone(Tone::Bad)),
            Span::raw(format!(" {}", end_of(&failure.place(), left))),
        ]));
        lines.push(Line::raw(format!("  {}", failure.why())));
    }
    let surplus = lines.len().saturating_sub(usize::from(inside.height));
    lines.drain(..surplus);
    frame.render_widget(Paragraph::new(lines), inside);
}

fn draw_sinks(frame: &mut Frame<'_>, area: Rect, watched: &Watched, pen: Pen) {
    let lines = watched.sinks.iter().take(usize::from(area.height));
    let lines = lines.map(|sink| {
        let behind = sink.left > 0 && sink.error.is_some() || sink.disabled;
        let style = if behind {
            pen.tone(Tone::Odd)
        } else {
            Style::new()
        };
        Line::styled(words::sink(sink), style)
    });
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), area);
}

/// The end of a name, which tells more than its start, in so many columns.
fn end_of(name: &str, columns: usize) -> String {
    if Span::raw(name).width() <= columns {
        return name.to_owned();
    }
    let (end, _) = name.unicode_truncate_start(columns.saturating_sub(1));
    format!("…{end}")
}

fn size(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests;
