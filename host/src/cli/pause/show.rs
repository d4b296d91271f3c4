//! `host pause show`

use std::process::ExitCode;

use serde::Deserialize;
use serde_json::json;

use super::act::Of;
use super::refused;
use crate::cli::TROUBLE;
use crate::protocol::pause::Ask;
use crate::text::{printable, printable_lines};

/// Show the failure, what the test printed so far, and its stack with local variables.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host pause show 7634c083d61f423bb4b782900cbaa5d9
  host pause show 7634c083d61f423bb4b782900cbaa5d9 --json")]
pub struct Args {
    #[command(flatten)]
    of: Of,
}

/// The protocol's answer to `show`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Inside {
    failure: Option<String>,
    captured: Vec<(String, String)>,
    stack: Vec<Frame>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Frame {
    file: String,
    line: u64,
    function: String,
    source: Vec<(u64, String)>,
    locals: Vec<(String, String)>,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let value = match args.of.ask(Ask::Show)? {
        Ok(value) => value,
        Err(lines) if args.of.json => {
            println!("{}", json!({"accepted": false, "reason": lines.join("; ")}));
            return Ok(ExitCode::from(TROUBLE));
        }
        Err(lines) => return Ok(refused(&lines)),
    };
    if args.of.json {
        println!("{}", serde_json::to_string_pretty(&value)?);
    } else {
        print!("{}", text(&serde_json::from_value(value)?));
    }
    Ok(ExitCode::SUCCESS)
}

fn text(inside: &Inside) -> String {
    let mut lines = Vec::new();
    if let Some(failure) = &inside.failure {
        lines.push("failure:".to_owned());
        lines.extend(printable_lines(failure).map(|line| format!("  {line}")));
    }
    for (title, content) in &inside.captured {
        lines.push(format!("{}:", printable(title)));
        lines.extend(printable_lines(content).map(|line| format!("  {line}")));
    }
    for (number, frame) in inside.stack.iter().enumerate() {
        let (file, function) = (printable(&frame.file), printable(&frame.function));
        lines.push(format!(
            "frame {number}: {file}:{} in {function}",
            frame.line
        ));
        for (at, source) in &frame.source {
            let mark = if *at == frame.line { '>' } else { ' ' };
            let source = printable_lines(source).next().unwrap_or_default();
            lines.push(format!("  {mark} {at:>5}  {source}").trim_end().to_owned());
        }
        for (name, value) in &frame.locals {
            lines.push(format!("    {} = {}", printable(name), printable(value)));
        }
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_as_it_is_shown() {
        let inside: Inside = serde_json::from_value(json!({
            "failure": "def test_a():\n>   assert 0\n\nE   assert 0",
            "captured": [["Captured stdout call", "some \u{1b}[31moutput\u{1b}[0m\n"]],
            "stack": [{"file": "/p/test_a.py", "line": 2, "function": "test_a",
                "source": [[1, "def test_a():"], [2, "    assert 0"], [3, ""]],
                "locals": [["x", "[1,\n 2]"]]}],
        }))
        .unwrap();
        insta::assert_snapshot!(text(&inside), @r"
        failure:
          def test_a():
          >   assert 0
          E   assert 0
        Captured stdout call:
          some output
        frame 0: /p/test_a.py:2 in test_a
                1  def test_a():
          >     2      assert 0
                3
            x = [1, 2]
        ");
    }
}
