use super::*;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use hyper::header::HeaderMap;
use tapline_core::budget::Budget;

use crate::shared::test_server::Step::Take;
use crate::shared::test_server::{Server, Step, answer};
use crate::shared::tls::Tls;
use crate::shared::url;
use crate::test_world::TestWorld;

const EXPIRED: &str =
    r#"{"__type":"ExpiredTokenException","message":"The security token is expired"}"#;

async fn send(signed: &mut Signed, world: &TestWorld, port: u16) -> Result<u16, Missing> {
    let url = url::parse(&format!("http://127.0.0.1:{port}/")).unwrap();
    let mut client = Client::new(url, Duration::from_secs(1), Tls::default());
    let mut outgoing = Outgoing {
        method: Method::POST,
        headers: HeaderMap::new(),
        body: Bytes::from_static(b"x"),
    };
    let budget = Budget::new(1 << 20);
    let answer = signed
        .send(&mut client, &world.call(&budget), &mut outgoing)
        .await;
    answer.map(|answer| answer.status.as_u16())
}

fn signed() -> Signed {
    let scope = Scope {
        region: "eu-west-1".to_owned(),
        service: "logs".to_owned(),
    };
    Signed::new(scope, Provider::default())
}

fn with_keys() -> TestWorld {
    let world = TestWorld::new();
    world.set("AWS_ACCESS_KEY_ID", "AKID");
    world.set("AWS_SECRET_ACCESS_KEY", "s3cret");
    world
}

fn dates(server: &Server) -> Vec<String> {
    let requests = server.requests().into_iter();
    let requests = requests.map(|request| String::from_utf8(request).unwrap());
    requests
        .map(|request| {
            let line = request
                .lines()
                .find(|line| line.starts_with("x-amz-date: "));
            line.unwrap()[12..].to_owned()
        })
        .collect()
}

fn skewed(date: &str) -> Step {
    let body = "<Error><Code>RequestTimeTooSkewed</Code></Error>";
    answer(&format!("403 Forbidden\r\ndate: {date}"), body)
}

#[tokio::test]
async fn a_clock_that_is_an_hour_off_is_set_by_the_answer_and_stays_set() {
    let server = Server::start(vec![
        vec![
            Take,
            skewed("Sat, 14 Mar 2026 10:26:53 GMT"),
            Take,
            answer("200 OK", ""),
        ],
        vec![Take, answer("200 OK", "")],
    ])
    .await;
    let (mut signed, world) = (signed(), with_keys());
    assert_eq!(send(&mut signed, &world, server.port).await, Ok(200));
    assert_eq!(send(&mut signed, &world, server.port).await, Ok(200));
    let dates = dates(&server);
    assert_eq!(
        dates,
        ["20260314T092653Z", "20260314T102653Z", "20260314T102653Z"]
    );
}

#[tokio::test]
async fn a_clock_that_is_right_is_no_reason_for_another_request() {
    let server = Server::start(vec![vec![
        Take,
        skewed("Sat, 14 Mar 2026 09:27:23 GMT"),
        Take,
        answer("200 OK", ""),
    ]])
    .await;
    assert_eq!(
        send(&mut signed(), &with_keys(), server.port).await,
        Ok(403)
    );
    assert_eq!(dates(&server).len(), 1);
}

#[tokio::test]
async fn a_clock_that_cannot_be_set_right_is_tried_once() {
    let server = Server::start(vec![vec![
        Take,
        skewed("Sat, 14 Mar 2026 10:26:53 GMT"),
        Take,
        skewed("Sat, 14 Mar 2026 12:26:53 GMT"),
        Take,
        answer("200 OK", ""),
    ]])
    .await;
    assert_eq!(
        send(&mut signed(), &with_keys(), server.port).await,
        Ok(403)
    );
    assert_eq!(dates(&server).len(), 2);
}

#[tokio::test]
async fn an_expired_token_is_read_anew_once() {
    let credentials = |key: &str| {
        let body =
            format!("{{\"AccessKeyId\":\"{key}\",\"SecretAccessKey\":\"s\",\"Token\":\"t\"}}");
        vec![Take, answer("200 OK", &body)]
    };
    let container = Server::start(vec![
        credentials("AKID1"),
        credentials("AKID2"),
        credentials("AKID2"),
    ])
    .await;
    let server = Server::start(vec![
        vec![Take, answer("400 Bad", EXPIRED), Take, answer("200 OK", "")],
        vec![Take, answer("400 Bad", EXPIRED), Take, answer("200 OK", "")],
    ])
    .await;
    let world = TestWorld::new();
    let url = format!("http://127.0.0.1:{}/", container.port);
    world.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url);
    let mut signed = signed();
    assert_eq!(send(&mut signed, &world, server.port).await, Ok(200));
    let keys: Vec<bool> = server
        .requests()
        .iter()
        .map(|request| String::from_utf8_lossy(request).contains("Credential=AKID2/"))
        .collect();
    assert_eq!(keys, [false, true]);
    assert_eq!(
        send(&mut signed, &world, server.port).await,
        Ok(400),
        "the same once more"
    );
    assert_eq!(server.requests().len(), 1);
    assert_eq!(container.requests().len(), 3);
}

/// Those of the environment never change, so that nothing is asked twice with them.
#[tokio::test]
async fn credentials_that_stay_the_same_are_not_tried_again() {
    for (status, body) in [("400 Bad", EXPIRED), ("403 No", ""), ("401 No", "")] {
        let server = Server::start(vec![vec![
            Take,
            answer(status, body),
            Take,
            answer("200 OK", ""),
        ]])
        .await;
        send(&mut signed(), &with_keys(), server.port)
            .await
            .unwrap();
        assert_eq!(server.requests().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn the_region_is_the_functions_own_where_none_is_written() {
    let mut world = with_keys();
    let mut own = signed();
    own.scope.region.clear();
    let missing = send(&mut own, &world, 1).await.unwrap_err();
    assert!(matches!(missing, Missing::Refused(line) if line.contains("AWS_REGION")));
    world.facts.region = "ap-south-1".to_owned();
    let server = Server::start(vec![vec![Take, answer("200 OK", "")]]).await;
    assert_eq!(send(&mut own, &world, server.port).await, Ok(200));
    let request = String::from_utf8(server.requests().remove(0)).unwrap();
    assert!(
        request.contains("/ap-south-1/logs/aws4_request"),
        "{request}"
    );
}
