//! One connection to a WebSocket server. A task of its own reads it all the time, so
//! that the server's pings are answered between calls, too.

use std::sync::Arc;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use http::Uri;
use http::header::USER_AGENT;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use url::Url;

use crate::guest::client::{BoxError, SendError, innermost};
use crate::guest::proxy::ProxyConnector;
use crate::guest::trust;

/// What a server may say in one message, which nobody looks at.
const READ_BYTES: usize = 1 << 20;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

type Socket = WebSocketStream<Box<dyn Stream>>;

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Lost(pub String);

/// A connection that is open, or was.
#[derive(Debug)]
pub struct Link {
    groups: mpsc::Sender<Group>,
    task: JoinHandle<Lost>,
}

/// Messages, and where to say that the server has read them.
#[derive(Debug)]
struct Group {
    messages: Vec<String>,
    read: oneshot::Sender<()>,
}

impl Link {
    /// Connects to a server that the grants cover.
    ///
    /// # Errors
    ///
    /// Where it cannot be reached, may not be where it is, or speaks no WebSocket.
    pub async fn open(connector: &ProxyConnector, url: &Url) -> Result<Self, SendError> {
        let socket = connect(connector, url)
            .await
            .map_err(|error| innermost(&*error))?;
        let (groups, ordered) = mpsc::channel(1);
        let task = tokio::spawn(serve(socket, ordered));
        Ok(Self { groups, task })
    }

    /// Whether messages can still be sent.
    pub fn is_open(&self) -> bool {
        !self.task.is_finished()
    }

    /// Sends messages and returns once the server has read them.
    ///
    /// # Errors
    ///
    /// Where the connection ends before. What the server has read is not known then.
    pub async fn send(&mut self, messages: Vec<String>) -> Result<(), Lost> {
        if messages.is_empty() {
            return Ok(());
        }
        let (read, answered) = oneshot::channel();
        let _ = self.groups.send(Group { messages, read }).await;
        if answered.await.is_ok() {
            return Ok(());
        }
        Err((&mut self.task)
            .await
            .unwrap_or_else(|error| Lost(error.to_string())))
    }

    /// Says goodbye, and waits for the server to do so.
    pub async fn close(self) {
        drop(self.groups);
        let _ = self.task.await;
    }
}

async fn connect(connector: &ProxyConnector, url: &Url) -> Result<Socket, BoxError> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    let secured = url.scheme() == "wss";
    let at = |scheme: &str| format!("{scheme}://{host}:{port}/").parse::<Uri>();
    let like = at(if secured { "https" } else { "http" })?;
    let stream = connector.tunnel(at(url.scheme())?, like).await?;
    stream.set_nodelay(true)?;
    let stream: Box<dyn Stream> = if secured {
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())?;
        let tls = TlsConnector::from(Arc::new(trust::config()));
        Box::new(tls.connect(name, stream).await?)
    } else {
        Box::new(stream)
    };
    let mut request = url.as_str().into_client_request()?;
    let agent = concat!("pytest-host/", env!("CARGO_PKG_VERSION"));
    request
        .headers_mut()
        .insert(USER_AGENT, http::HeaderValue::from_static(agent));
    let config = WebSocketConfig::default()
        .max_message_size(Some(READ_BYTES))
        .max_frame_size(Some(READ_BYTES));
    let (socket, _) =
        tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await?;
    Ok(socket)
}

/// Serves one connection to its end; says why it ended.
async fn serve(socket: Socket, groups: mpsc::Receiver<Group>) -> Lost {
    let (sink, stream) = socket.split();
    let (answers, answered) = watch::channel(0);
    let mut reading = std::pin::pin!(read(stream, answers));
    tokio::select! {
        lost = &mut reading => return lost,
        written = write(sink, groups, answered) => if let Err(error) = written {
            return Lost(error.to_string());
        },
    }
    // Nobody has anything more to say, and the server was told so.
    reading.await
}

/// Reads all the time, which answers pings as well; notes the last pong.
async fn read(mut stream: SplitStream<Socket>, answers: watch::Sender<u64>) -> Lost {
    while let Some(message) = stream.next().await {
        match message {
            Ok(Message::Pong(payload)) => {
                if let Ok(number) = <[u8; 8]>::try_from(&*payload) {
                    answers.send_replace(u64::from_be_bytes(number));
                }
            }
            Ok(Message::Close(frame)) => {
                let why = frame.map(|frame| format!(" with {}", u16::from(frame.code)));
                let why = why.unwrap_or_default();
                return Lost(format!("the server closed the connection{why}"));
            }
            Ok(_) => {}
            Err(error) => return Lost(error.to_string()),
        }
    }
    Lost("the server ended the connection".into())
}

/// Writes groups, each with a ping behind it, and tells of those that were read.
async fn write(
    mut sink: SplitSink<Socket, Message>,
    mut groups: mpsc::Receiver<Group>,
    mut answered: watch::Receiver<u64>,
) -> Result<(), Box<tokio_tungstenite::tungstenite::Error>> {
    // Not to be guessed: a pong that nobody asked for shows nothing.
    let first = fastrand::u64(1 << 32..1 << 62);
    for number in first.. {
        let Some(Group { messages, read }) = groups.recv().await else {
            break;
        };
        for message in messages {
            sink.feed(Message::text(message)).await?;
        }
        let ping = Bytes::copy_from_slice(&number.to_be_bytes());
        sink.feed(Message::Ping(ping)).await?;
        sink.flush().await?;
        if answered.wait_for(|answer| *answer == number).await.is_err() {
            break;
        }
        let _ = read.send(());
    }
    let goodbye = CloseFrame {
        code: CloseCode::Normal,
        reason: "".into(),
    };
    sink.send(Message::Close(Some(goodbye))).await?;
    Ok(())
}
