//! One JSON object a line, read and written.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
};

use crate::protocol::message::LINE_BYTES;

/// The next line, or none at the end. A line of another type is passed over.
///
/// # Errors
///
/// Where reading fails, or a line is too long.
pub async fn read_line<T: DeserializeOwned>(
    reader: &mut (impl AsyncBufRead + Unpin),
) -> io::Result<Option<T>> {
    loop {
        let mut line = Vec::new();
        let read = (&mut *reader)
            .take(LINE_BYTES)
            .read_until(b'\n', &mut line)
            .await?;
        if read == 0 {
            return Ok(None);
        }
        if line.last() != Some(&b'\n') && read as u64 == LINE_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a line is too long",
            ));
        }
        match serde_json::from_slice(&line) {
            Ok(message) => return Ok(Some(message)),
            Err(error) => tracing::debug!("passed over a line: {error}"),
        }
    }
}

/// Writes one line.
///
/// # Errors
///
/// Where writing fails.
pub async fn write_line(
    writer: &mut (impl AsyncWrite + Unpin),
    message: &impl Serialize,
) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    writer.write_all(&line).await?;
    writer.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::message::FromAdapter;

    #[tokio::test]
    async fn lines_of_another_type_are_passed_over() {
        let text: &[u8] = b"{\"type\":\"later\"}\nnot json\n{\"type\":\"finish\",\"timeout\":1}\n";
        let mut reader = tokio::io::BufReader::new(text);
        let message = read_line::<FromAdapter>(&mut reader).await.unwrap();
        assert_eq!(message, Some(FromAdapter::Finish { timeout: 1.0 }));
        assert_eq!(read_line::<FromAdapter>(&mut reader).await.unwrap(), None);
    }
}
