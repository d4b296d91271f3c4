//! `host job logs`

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use http::Method;
use http_body_util::BodyExt as _;

use super::client::{Client, Server, path_of};

/// Print what a job prints.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host job logs nightly
  host job logs nightly --follow")]
pub struct Args {
    job: String,
    /// Go on until it has ended
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    server: Server,
}

pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let client = args.server.client()?;
    if args.follow {
        follow(&client, &args.job).await?;
    } else {
        pass_on(&client, &path_of(&args.job, "/output")).await?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints what the job prints, until it has ended.
pub async fn follow(client: &Client, id: &str) -> anyhow::Result<()> {
    let path = path_of(id, "/output?follow=true");
    pass_on(client, &path).await.with_context(|| {
        format!(
            "the job goes on; see host job logs --follow {}",
            shell_words::quote(id)
        )
    })
}

/// As it is: it is what pytest would have printed here.
async fn pass_on(client: &Client, path: &str) -> anyhow::Result<()> {
    let mut body = client.ask(Method::GET, path, None).await?.into_body();
    let mut out = std::io::stdout();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            out.write_all(&data)?;
            out.flush()?;
        }
    }
    Ok(())
}

/// Prints a text that may end in a line break or not.
pub fn print(text: &str) {
    print!("{text}");
    if !text.is_empty() && !text.ends_with('\n') {
        println!();
    }
}
