//! `host init`: a configuration to start from.

use std::io::Write as _;
use std::process::ExitCode;

use crate::config::{BadInput, FILE_NAME};

/// Write a host.toml to start from, in the working directory.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  host init && host run")]
pub struct Args {}

const TEMPLATE: &str = include_str!("host.toml");

pub fn run(_: &Args) -> anyhow::Result<ExitCode> {
    let file = std::fs::File::options()
        .create_new(true)
        .write(true)
        .open(FILE_NAME);
    match file.and_then(|mut file| file.write_all(TEMPLATE.as_bytes())) {
        Ok(()) => {
            println!("{FILE_NAME} is written; change it to your taste, then: host run");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(BadInput(format!("{FILE_NAME} is there already, and stays as it is")).into())
        }
        Err(error) => Err(BadInput(format!("{FILE_NAME} cannot be written: {error}")).into()),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Request};

    #[test]
    fn what_is_written_can_be_run() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("host.toml"), super::TEMPLATE).unwrap();
        let config = Config::load(folder.path(), []).unwrap();
        let specs = config.select(&Request::default()).unwrap();
        assert_eq!(
            specs.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(),
            ["pubdir"]
        );
    }
}
