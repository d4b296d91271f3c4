//! A control connection: a command asks, one line at a time.

use std::io;

use tokio::io::BufReader;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::lines::{read_line, write_line};
use super::server::Core;
use crate::protocol::control::{FromControl, ToControl};

impl Core {
    /// Serves a command until it closes its connection.
    pub(super) async fn control(
        &self,
        mut reader: BufReader<OwnedReadHalf>,
        mut writer: OwnedWriteHalf,
    ) -> io::Result<()> {
        while let Some(line) = read_line::<FromControl>(&mut reader).await? {
            let answer = match line {
                FromControl::Pauses => ToControl::Pauses {
                    pauses: self.pauses.list(),
                },
                FromControl::Swap { run, sink, module } => {
                    match self.swap_by_hand(&run, &sink, module).await {
                        Ok(()) => ToControl::Swapped { run, sink },
                        Err(message) => ToControl::Refused { message },
                    }
                }
                FromControl::AskPause { pause, what } => {
                    let answer = self.pauses.ask(&pause, what).await;
                    if answer.accepted {
                        ToControl::Accepted {
                            value: answer.value,
                        }
                    } else {
                        ToControl::Refused {
                            message: answer.reason.unwrap_or_default(),
                        }
                    }
                }
            };
            write_line(&mut writer, &answer).await?;
        }
        Ok(())
    }
}
