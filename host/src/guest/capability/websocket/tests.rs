use super::*;
use crate::guest::capability::Denials;
use crate::guest::grants::Grants;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// A listener, and a sink that may connect to it and nowhere else.
async fn listening() -> (TcpListener, Url, WebSockets) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("ws://{}", listener.local_addr().unwrap());
    let grants = Grants {
        http: vec![address.parse().unwrap()],
        ..Grants::default()
    };
    let connector = ProxyConnector::new(Arc::new(grants), Matcher::builder().build());
    let sockets = WebSockets {
        connector,
        diverted: None,
        servers: HashMap::new(),
    };
    (
        listener,
        Url::parse(&format!("{address}/p?q")).unwrap(),
        sockets,
    )
}

async fn accept(listener: &TcpListener) -> WebSocketStream<TcpStream> {
    let (stream, _) = listener.accept().await.unwrap();
    tokio_tungstenite::accept_async(stream).await.unwrap()
}

/// Reads texts until there are so many; pings are answered on the way.
async fn texts(socket: &mut WebSocketStream<TcpStream>, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < count {
        if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
            texts.push(text.to_string());
        }
    }
    texts
}

/// Reads on to the end, as any server does.
async fn drain(mut socket: WebSocketStream<TcpStream>) {
    while let Some(Ok(_)) = socket.next().await {}
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

async fn send(sockets: &mut WebSockets, url: &Url, messages: &[&str]) -> (Result<(), Failed>, u32) {
    let mut delivered = 0;
    let messages = strings(messages);
    let sent = sockets
        .send(
            url.clone(),
            strings(&["hello"]),
            messages,
            soon(),
            &mut delivered,
        )
        .await;
    (sent, delivered)
}

#[tokio::test]
async fn one_connection_serves_many_calls_and_is_greeted_once() {
    let (listener, url, mut sockets) = listening().await;
    let server = tokio::spawn(async move {
        let mut socket = accept(&listener).await;
        let all = texts(&mut socket, 4).await;
        drain(socket).await;
        all
    });
    for messages in [["a", "b"].as_slice(), &["c"]] {
        let (sent, delivered) = send(&mut sockets, &url, messages).await;
        sent.unwrap();
        assert_eq!(delivered as usize, messages.len());
    }
    sockets.close().await;
    assert_eq!(server.await.unwrap(), ["hello", "a", "b", "c"]);
}

#[tokio::test]
async fn what_a_server_read_before_it_went_is_counted() {
    let (listener, url, mut sockets) = listening().await;
    let server = tokio::spawn(async move {
        let mut socket = accept(&listener).await;
        texts(&mut socket, 3).await;
        // Gone with the second group, which has two messages, unanswered.
        drop(socket);
        let mut again = accept(&listener).await;
        let all = texts(&mut again, 3).await;
        drain(again).await;
        all
    });
    let (sent, delivered) = send(&mut sockets, &url, &["a", "b", "c"]).await;
    assert!(matches!(sent, Err(Failed::Lost(_))), "{sent:?}");
    assert_eq!(delivered, 1);
    let (sent, delivered) = send(&mut sockets, &url, &["b", "c"]).await;
    sent.unwrap();
    assert_eq!(delivered, 2);
    sockets.close().await;
    assert_eq!(server.await.unwrap(), ["hello", "b", "c"]);
}

#[tokio::test]
async fn pings_are_answered_between_calls() {
    let (listener, url, mut sockets) = listening().await;
    let server = tokio::spawn(async move {
        let mut socket = accept(&listener).await;
        texts(&mut socket, 2).await;
        socket
            .send(Message::text("nobody reads this"))
            .await
            .unwrap();
        socket.send(Message::Ping("x".into())).await.unwrap();
        loop {
            if let Message::Pong(payload) = socket.next().await.unwrap().unwrap() {
                return payload;
            }
        }
    });
    send(&mut sockets, &url, &["a"]).await.0.unwrap();
    assert_eq!(&*server.await.unwrap(), b"x");
}

#[tokio::test]
async fn a_server_that_answers_no_ping_has_read_nothing() {
    let (listener, url, mut sockets) = listening().await;
    let server = tokio::spawn(async move {
        let socket = accept(&listener).await;
        std::future::pending::<()>().await;
        drop(socket);
    });
    let mut delivered = 0;
    let ends = Instant::now() + Duration::from_millis(300);
    let sent = sockets
        .send(url, vec![], strings(&["a"]), ends, &mut delivered)
        .await;
    assert!(matches!(sent, Err(Failed::Silent)), "{sent:?}");
    assert_eq!(delivered, 0);
    server.abort();
}

#[tokio::test]
async fn nobody_listening_and_no_websocket_are_told_apart_from_a_loss() {
    let (listener, url, mut sockets) = listening().await;
    let server = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        let (mut stream, _) = listener.accept().await.unwrap();
        let answer = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        // Read, so that the answer is not lost in a reset.
        let mut head = [0; 1024];
        let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut head).await;
    });
    let (sent, _) = send(&mut sockets, &url, &["a"]).await;
    assert!(
        matches!(&sent, Err(Failed::Unreachable(why)) if why.contains("404")),
        "{sent:?}"
    );
    server.await.unwrap();
    let (sent, _) = send(&mut sockets, &url, &["a"]).await;
    assert!(
        matches!(&sent, Err(Failed::Unreachable(why)) if why.starts_with("Connection refused")),
        "{sent:?}"
    );
}

/// Whether it is secured or not: no proxy knows WebSockets.
#[tokio::test]
async fn a_proxy_is_asked_for_a_tunnel() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://user:pw@{}", proxy.local_addr().unwrap());
    let grants = Grants {
        http: vec!["ws://live.example".parse().unwrap()],
        ..Grants::default()
    };
    let proxies = Matcher::builder().http(address).build();
    let mut sockets = WebSockets {
        connector: ProxyConnector::new(Arc::new(grants), proxies),
        diverted: None,
        servers: HashMap::new(),
    };
    let server = tokio::spawn(async move {
        let (mut stream, _) = proxy.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        let all = texts(&mut socket, 2).await;
        drain(socket).await;
        (String::from_utf8(head).unwrap(), all)
    });
    let url = Url::parse("ws://live.example/p").unwrap();
    send(&mut sockets, &url, &["a"]).await.0.unwrap();
    sockets.close().await;
    let (head, all) = server.await.unwrap();
    assert!(
        head.starts_with("CONNECT live.example:80 HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(
        head.to_lowercase()
            .contains("proxy-authorization: basic dxnlcjpwdw=="),
        "{head}"
    );
    assert_eq!(all, ["hello", "a"]);
}

#[tokio::test]
async fn what_is_not_granted_is_not_connected_to() {
    let (_listener, _, mut sockets) = listening().await;
    let other = Url::parse("ws://127.0.0.1:1/").unwrap();
    let (sent, _) = send(&mut sockets, &other, &["a"]).await;
    assert!(matches!(sent, Err(Failed::Address(_))), "{sent:?}");
    let http = HttpGate::new(Arc::default(), Denials::new("test"));
    assert!(!http.allows(&other));
}

#[test]
fn an_address_is_that_of_a_websocket() {
    assert!(parse("wss://h/p?q").is_ok());
    for wrong in ["http://h/", "h", "ws://", "ws://me@h/", "ws://h/#f"] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_slow_server_gets_less_at_once() {
    let quick = Duration::from_millis(10);
    let mut pace = Pace::default();
    for expected in [2, 4, 8, 16, 32, 64, 128, 256, 256] {
        pace = pace.after(quick);
        assert_eq!(pace.0, expected);
    }
    let slow = Duration::from_secs(2);
    assert_eq!(pace.after(slow).0, 128);
    assert_eq!(Pace(1).after(slow), Pace(1));
}
