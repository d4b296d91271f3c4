//! `host sink ls`: the sinks that can be named.

use std::process::ExitCode;

use crate::cli::context;
use crate::config::{Config, ModuleSource};

/// List the sinks that can be named
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  host sink ls\n  host sink ls --json")]
pub struct Args {
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, serde::Serialize)]
struct Listed {
    name: String,
    /// `built-in`, or where the component is.
    module: String,
    /// Used where nobody names sinks.
    default: bool,
    /// The names of its settings that have a value.
    settings: Vec<String>,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    context::log_to_terminal();
    let config = context::config(&context::directory()?)?;
    let listed = list(&config)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&listed)?);
    } else {
        print!("{}", table(&listed));
    }
    Ok(ExitCode::SUCCESS)
}

fn list(config: &Config) -> anyhow::Result<Vec<Listed>> {
    let mut names = config.known_sinks();
    names.extend(
        config
            .sinks
            .iter()
            .filter(|name| !names.contains(name))
            .cloned()
            .collect::<Vec<_>>(),
    );
    let mut listed = Vec::new();
    for named in names {
        // Not what they are set to: a sink that nobody uses may lack a variable.
        let (name, module) = config.named(&named)?;
        listed.push(Listed {
            module: match &module {
                ModuleSource::Builtin(_) => "built-in".to_owned(),
                ModuleSource::File(path) => path.display().to_string(),
            },
            default: config.sinks.contains(&named),
            settings: config.settings_of(&name),
            name,
        });
    }
    let names: Vec<&str> = listed.iter().map(|sink| sink.name.as_str()).collect();
    config.check_tables(&names)?;
    Ok(listed)
}

fn table(listed: &[Listed]) -> String {
    let name = listed
        .iter()
        .map(|sink| sink.name.len())
        .max()
        .unwrap_or(0)
        .max(4);
    let module = listed
        .iter()
        .map(|sink| sink.module.len())
        .max()
        .unwrap_or(0)
        .max(6);
    let mut text = format!(
        "{:name$}  {:module$}  {:7}  SETTINGS\n",
        "NAME", "MODULE", "DEFAULT"
    );
    for sink in listed {
        let default = if sink.default { "yes" } else { "" };
        let line = format!(
            "{:name$}  {:module$}  {default:7}  {}",
            sink.name,
            sink.module,
            sink.settings.join(", ")
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sink_that_can_be_named_is_listed() {
        let folder = tempfile::tempdir().unwrap();
        let text = "sinks = [\"pubdir\"]\n[sink.pubdir]\ndir = \"r\"\n[sink.mine]\nmodule = \"/m/mine.wasm\"\nchannel = 1\n";
        std::fs::write(folder.path().join("host.toml"), text).unwrap();
        let config = Config::load(folder.path(), []).unwrap();
        insta::assert_snapshot!(table(&list(&config).unwrap()), @r"
        NAME     MODULE        DEFAULT  SETTINGS
        publish  built-in
        pubdir   built-in      yes      dir
        rt       built-in
        relay    built-in
        mine     /m/mine.wasm           channel
        ");
    }
}
