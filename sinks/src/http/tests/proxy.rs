//! Requests by way of a proxy, and past it.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::tls::{authority_for, secure};
use super::*;

/// A proxy that answers `CONNECT` with this and, where that is a success, leads to a port of this machine. Gives its
/// own port and the head of each request.
async fn proxy(answer: &'static str, to: u16) -> (u16, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (heads, seen) = std::sync::mpsc::channel();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match near.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            drop(heads.send(String::from_utf8(head).unwrap()));
            near.write_all(answer.as_bytes()).await.unwrap();
            if answer.is_empty() {
                // Never answers, and never hangs up.
                std::future::pending::<()>().await;
            }
            if answer.contains(" 200 ") {
                let mut far = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                tokio::spawn(async move { copy_bidirectional(&mut near, &mut far).await });
            }
        }
    });
    (port, seen)
}

const TUNNEL: &str = "HTTP/1.1 200 Connection established\r\nvia: 1.1 p\r\n\r\n";

/// The proxy sees the name and its own credentials; TLS and everything else is with the destination.
#[tokio::test]
async fn https_goes_through_a_tunnel_that_is_kept() {
    let (config, ca) = authority_for("logs.example");
    let server = Server::start_with(vec![vec![Take, OK, Take, OK]], Some(config)).await;
    let (port, heads) = proxy(TUNNEL, server.port).await;
    let world = TestWorld::new();
    world.set(
        "https_proxy",
        &format!("http://user:pa%73s@proxy.example:{port}"),
    );
    let mut sink = secure(&server, "logs.example", Some(&ca));
    for _ in 0..2 {
        assert_eq!(deliver(&mut sink, &world).await, Verdict::Accepted);
    }
    let target = format!("logs.example:{}", server.port);
    let wanted = format!(
        "CONNECT {target} HTTP/1.1\r\nhost: {target}\r\nproxy-authorization: Basic dXNlcjpwYXNz\r\n\r\n"
    );
    assert_eq!(heads.try_iter().collect::<Vec<_>>(), [wanted]);
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    let head = String::from_utf8_lossy(&requests[0]).to_lowercase();
    assert!(head.starts_with("post /in http/1.1\r\n"), "{head}");
    assert!(!head.contains("proxy-"), "{head}");
}

/// Without TLS the proxy forwards: it is told the whole URL.
#[tokio::test]
async fn http_is_forwarded() {
    let server = Server::start(vec![vec![Take, OK, Take, OK]]).await;
    let world = TestWorld::new();
    world.set(
        "HTTP_PROXY",
        &format!("http://u:p@proxy.example:{}", server.port),
    );
    let mut sink = sink("url = \"http://logs.example:81/in?x=1\"").unwrap();
    for _ in 0..2 {
        assert_eq!(deliver(&mut sink, &world).await, Verdict::Accepted);
    }
    assert_eq!(world.connects.get(), 1);
    let head = String::from_utf8_lossy(&server.requests()[1]).to_lowercase();
    assert!(
        head.starts_with("post http://logs.example:81/in?x=1 http/1.1\r\n"),
        "{head}"
    );
    assert!(head.contains("\r\nhost: logs.example:81\r\n"), "{head}");
    assert!(
        head.contains("\r\nproxy-authorization: basic dtpw\r\n"),
        "{head}"
    );
}

#[tokio::test]
async fn what_is_near_or_listed_goes_past_the_proxy() {
    for (host, list) in [
        ("localhost", ""),
        ("127.0.0.1", ""),
        ("logs.example", ".example"),
    ] {
        let server = Server::start(vec![vec![Take, OK]]).await;
        let world = TestWorld::new();
        // Nobody listens there.
        world.set("ALL_PROXY", "http://127.0.0.1:1");
        world.set("NO_PROXY", list);
        let mut sink = sink(&format!("url = \"http://{host}:{}/\"", server.port)).unwrap();
        assert_eq!(
            deliver(&mut sink, &world).await,
            Verdict::Accepted,
            "{host}"
        );
    }
}

#[tokio::test]
async fn a_proxy_that_does_not_lead_on_has_a_word_of_its_own() {
    let denied = |why: &'static str| Verdict::Denied { why: why.into() };
    let rows = [
        (
            "HTTP/1.1 407 Who?\r\nproxy-authenticate: Basic\r\n\r\n",
            denied("proxy_denied"),
        ),
        ("HTTP/1.1 403 No\r\n\r\n", denied("proxy_denied")),
        ("HTTP/1.1 502 Far away\r\n\r\n", retry("proxy", None, false)),
        (
            "HTTP/1.1 204 Odd\r\n\r\nand more",
            retry("proxy", None, false),
        ),
        ("SSH-2.0-x\r\n\r\n", retry("proxy", None, false)),
        ("", retry("connect_timeout", None, false)),
    ];
    let (config, ca) = authority_for("logs.example");
    let server = Server::start_with(vec![vec![Take, OK]], Some(config)).await;
    for (answer, wanted) in rows {
        let (port, _heads) = proxy(answer, server.port).await;
        let world = TestWorld::new();
        world.set("HTTPS_PROXY", &format!("http://proxy.example:{port}"));
        let mut sink = secure(&server, "logs.example", Some(&ca));
        assert_eq!(deliver(&mut sink, &world).await, wanted, "{answer}");
    }
    let world = TestWorld::new();
    world.set("HTTPS_PROXY", "http://127.0.0.1:1");
    let mut sink = secure(&server, "logs.example", Some(&ca));
    assert_eq!(
        deliver(&mut sink, &world).await,
        retry("connect", None, false)
    );
    world.set("HTTPS_PROXY", "socks5://127.0.0.1:1");
    assert_eq!(deliver(&mut sink, &world).await, denied("proxy_variable"));
    assert!(server.requests().is_empty(), "nothing went round it");
}
