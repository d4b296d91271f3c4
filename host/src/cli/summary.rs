//! How far the sinks came, for people: a bar while they work, lines at the end.

use std::fmt::Write as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::protocol::message::{Earlier, SinkReport};
use crate::text::printable;

/// A bar on standard error, where that is a terminal.
pub struct Bar {
    bar: ProgressBar,
}

impl Bar {
    pub fn new() -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        if let Ok(style) =
            ProgressStyle::with_template("delivering {bar:24} {pos}/{len} events  {msg}")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar }
    }

    pub fn show(&self, sinks: &[SinkReport]) {
        let done: u64 = sinks
            .iter()
            .map(|sink| sink.delivered + sink.set_aside)
            .sum();
        let left: u64 = sinks.iter().map(|sink| sink.left).sum();
        self.bar.set_length(done + left);
        self.bar.set_position(done);
        let waiting: Vec<String> = sinks
            .iter()
            .filter(|sink| sink.left > 0)
            .map(|sink| format!("{} {}", sink.name, sink.left))
            .collect();
        self.bar.set_message(waiting.join(", "));
    }

    pub fn end(self) {
        self.bar.finish_and_clear();
    }
}

/// One line a sink.
///
/// ```text
/// host: publish  163 events delivered
/// host: pubdir   160 events delivered, 3 set aside, 25 left (connection refused)
/// host: mine     163 events delivered, swapped 3 times
/// ```
#[must_use]
pub fn lines(sinks: &[SinkReport]) -> String {
    let width = sinks.iter().map(|sink| sink.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for sink in sinks {
        let _ = writeln!(text, "host: {:width$}  {}", sink.name, standing(sink));
    }
    text
}

/// What this host has done for runs from before, one line a run.
///
/// ```text
/// host: run 2026-11-21T10-10-42-3f9a from before: publish 92 events delivered
/// ```
#[must_use]
pub fn earlier(runs: &[Earlier]) -> String {
    let mut text = String::new();
    for run in runs {
        let sinks = run.sinks.iter();
        let moved = sinks.filter(|sink| sink.delivered + sink.set_aside + sink.left > 0);
        let moved: Vec<String> = moved
            .map(|sink| format!("{} {}", sink.name, standing(sink)))
            .collect();
        let _ = writeln!(
            text,
            "host: run {} from before: {}",
            run.run,
            moved.join("; ")
        );
    }
    text
}

fn standing(sink: &SinkReport) -> String {
    let mut text = format!("{} events delivered", sink.delivered);
    if sink.set_aside > 0 {
        let _ = write!(text, ", {} set aside", sink.set_aside);
    }
    if sink.left > 0 {
        let _ = write!(text, ", {} left", sink.left);
    }
    if sink.lost > 0 {
        let _ = write!(text, ", {} lost", sink.lost);
    }
    match sink.swapped {
        0 => {}
        1 => text.push_str(", swapped once"),
        times => {
            let _ = write!(text, ", swapped {times} times");
        }
    }
    if sink.removed {
        text.push_str(", removed");
    }
    if let Some(error) = sink
        .error
        .as_ref()
        .filter(|_| sink.left > 0 || sink.set_aside > 0)
    {
        let _ = write!(text, " ({error})");
    }
    text
}

/// Why changes were not taken over, one line each.
///
/// ```text
/// host: not taken over: sink mine: sinks/mine.wasm is not WebAssembly
/// ```
#[must_use]
pub fn refused(changes: &[String]) -> String {
    let lines = changes.iter().map(|why| printable(why));
    lines.fold(String::new(), |text, why| {
        text + "host: not taken over: " + &why + "\n"
    })
}

/// What to do about what is left; `give_again` are secret settings that are not kept.
#[must_use]
pub fn advice(sinks: &[SinkReport], give_again: &[String]) -> Option<String> {
    let mut behind = sinks.iter().filter(|sink| sink.left > 0).peekable();
    behind.peek()?;
    let mut text = "host: what is left is kept, and goes out with: host drain".to_owned();
    for sink in behind {
        let own = format!("{}.", sink.name);
        for key in give_again.iter().filter(|key| key.starts_with(&own)) {
            let _ = write!(text, " --set {key}=…");
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_a_sink() {
        let sink = |name: &str, set_aside, left, error: Option<&str>| SinkReport {
            name: name.into(),
            delivered: 160,
            set_aside,
            left,
            error: error.map(str::to_owned),
            ..SinkReport::default()
        };
        let sinks = [
            sink("publish", 0, 0, Some("long mended")),
            sink("pubdir", 3, 25, Some("connection refused")),
        ];
        insta::assert_snapshot!(lines(&sinks), @r"
        host: publish  160 events delivered
        host: pubdir   160 events delivered, 3 set aside, 25 left (connection refused)
        ");
        let runs = [Earlier {
            run: "2026-a".into(),
            sinks: sinks.to_vec(),
        }];
        insta::assert_snapshot!(earlier(&runs), @"host: run 2026-a from before: publish 160 events delivered; pubdir 160 events delivered, 3 set aside, 25 left (connection refused)");
        let swapped = |times| SinkReport {
            swapped: times,
            removed: times == 1,
            ..sinks[1].clone()
        };
        insta::assert_snapshot!(lines(&[swapped(1), swapped(3)]), @r"
        host: pubdir  160 events delivered, 3 set aside, 25 left, swapped once, removed (connection refused)
        host: pubdir  160 events delivered, 3 set aside, 25 left, swapped 3 times (connection refused)
        ");
        insta::assert_snapshot!(refused(&["host.toml:3: not valid TOML".into()]), @"host: not taken over: host.toml:3: not valid TOML");
        let keys = ["publish.token".to_owned(), "pubdir.key".to_owned()];
        insta::assert_snapshot!(advice(&sinks, &keys).unwrap(), @"host: what is left is kept, and goes out with: host drain --set pubdir.key=…");
        assert_eq!(advice(&sinks[..1], &keys), None);
    }
}
