use super::*;
use crate::shared::test_server::Step::{Hang, Take};
use crate::shared::test_server::{Server, Step, answer};
use crate::test_world::TestWorld;
use tapline_core::budget::Budget;

/// 2026-03-14T09:26:53.589Z, what the world of the tests says.
const NOW_MS: i64 = 1_773_480_413_589;
const REGION: &str = "eu-west-1";

fn in_container(end: &str, key: &str) -> Step {
    let body = format!(
        "{{\"AccessKeyId\":\"{key}\",\"SecretAccessKey\":\"s3cret/{key}\",\"Token\":\"s3cret-token\",\"Expiration\":\"{end}\"}}"
    );
    answer("200 OK", &body)
}

fn of_role(end: &str, key: &str) -> Step {
    let body = format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
         <AccessKeyId>{key}</AccessKeyId><SecretAccessKey>s3cret/&amp;</SecretAccessKey><SessionToken>s3cret==</SessionToken>\
         <Expiration>{end}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
    );
    answer("200 OK", &body)
}

fn role() -> Provider {
    Provider::new(Some(Role {
        arn: concat!("arn:aws:iam::1234567890", "12:role/logs").to_owned(),
        external_id: Some("a b/ü".to_owned()),
    }))
}

fn with_keys(world: &TestWorld) {
    world.set("AWS_ACCESS_KEY_ID", concat!("AKID", "EXAMPLE"));
    world.set("AWS_SECRET_ACCESS_KEY", "s3cret");
    world.set("AWS_SESSION_TOKEN", "s3cret-token");
}

async fn get(provider: &mut Provider, world: &TestWorld) -> Result<Rc<Credentials>, Missing> {
    let budget = Budget::new(1 << 20);
    provider
        .get(&world.call(&budget), world.wall_ms.get(), REGION)
        .await
}

fn reason(missing: Result<Rc<Credentials>, Missing>) -> String {
    match missing {
        Err(Missing::Refused(line)) => {
            assert!(!line.contains("s3cret"), "{line}");
            line
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_environment_comes_first_and_an_empty_variable_is_unset() {
    let world = TestWorld::new();
    with_keys(&world);
    world.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/");
    let found = get(&mut Provider::default(), &world).await.unwrap();
    assert_eq!(found.secret.expose(), "s3cret");
    assert_eq!(found.token.as_ref().unwrap().expose(), "s3cret-token");
    assert!(!format!("{found:?}").contains("s3cret"));
    world.set("AWS_SESSION_TOKEN", "");
    let found = get(&mut Provider::default(), &world).await.unwrap();
    assert_eq!(found.token, None, "the key of a user has none");
    world.set("AWS_ACCESS_KEY_ID", "");
    let server = Server::start(vec![vec![
        Take,
        in_container("2026-03-14T10:26:53Z", "AKIDC"),
    ]])
    .await;
    let url = format!("http://localhost:{}/creds", server.port);
    world.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url);
    let found = get(&mut Provider::default(), &world).await.unwrap();
    assert_eq!(found.key_id, "AKIDC");
}

#[tokio::test]
async fn no_credentials_are_said_to_be_missing_with_what_to_set() {
    let world = TestWorld::new();
    let text = reason(get(&mut Provider::default(), &world).await);
    assert!(text.contains("AWS_ACCESS_KEY_ID"), "{text}");
}

#[tokio::test]
async fn a_container_is_asked_with_its_token_and_the_file_wins() {
    let long = "2026-03-14T10:26:53Z";
    let scripts = (0..3)
        .map(|_| vec![Take, in_container(long, "AKIDC")])
        .collect();
    let server = Server::start(scripts).await;
    let world = TestWorld::new();
    world.set(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        &format!("http://127.0.0.1:{}/v2?a=b", server.port),
    );
    world.set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "plain-token");
    let mut provider = Provider::default();
    for _ in 0..2 {
        get(&mut provider, &world).await.unwrap();
    }
    let path = std::env::temp_dir().join(format!("tapline-token-{}", std::process::id()));
    std::fs::write(&path, "file-token\n").unwrap();
    world.set(
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        path.to_str().unwrap(),
    );
    provider.forget();
    get(&mut provider, &world).await.unwrap();
    std::fs::write(&path, "renewed-token").unwrap();
    provider.forget();
    get(&mut provider, &world).await.unwrap();
    std::fs::remove_file(&path).unwrap();
    let requests: Vec<String> = server
        .requests()
        .into_iter()
        .map(|request| String::from_utf8(request).unwrap())
        .collect();
    assert_eq!(requests.len(), 3, "what is good is not asked for again");
    assert!(
        requests[0].starts_with("GET /v2?a=b HTTP/1.1\r\n"),
        "{}",
        requests[0]
    );
    for (request, token) in requests.iter().zip(["plain", "file", "renewed"]) {
        let wanted = format!("authorization: {token}-token\r\n");
        assert!(request.contains(&wanted), "{request}");
    }
    provider.forget();
    let text = reason(get(&mut provider, &world).await);
    assert!(text.contains("cannot be read"), "{text}");
}

#[tokio::test]
async fn no_token_is_sent_to_a_stranger() {
    let world = TestWorld::new();
    for url in [
        "http://10.0.0.1/creds",
        "http://example.com/",
        "http://169.254.169.254/",
        "nonsense",
    ] {
        world.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", url);
        let text = reason(get(&mut Provider::default(), &world).await);
        assert!(
            text.contains("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
            "{text}"
        );
    }
    assert_eq!(world.connects.get(), 0);
    for near in [
        "127.0.0.1",
        "::1",
        "localhost",
        "169.254.170.2",
        "169.254.170.23",
        "fd00:ec2::23",
    ] {
        assert!(is_near(near), "{near}");
    }
    world.set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x");
    let url = container_url(&world).unwrap().unwrap();
    assert_eq!(
        (url.host.as_str(), url.target.path()),
        ("169.254.170.2", "/v2/x")
    );
}

#[tokio::test]
async fn what_ends_is_renewed_five_minutes_before_and_used_to_its_end_where_that_fails() {
    let server = Server::start(vec![
        vec![Take, in_container("2026-03-14T10:26:53Z", "AKID1")],
        vec![Take, answer("500 Busy", "")],
        vec![Take, in_container("2026-03-14T11:26:53Z", "AKID2")],
        vec![Take, answer("500 Busy", "")],
    ])
    .await;
    let world = TestWorld::new();
    let url = format!("http://127.0.0.1:{}/", server.port);
    world.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url);
    let mut provider = Provider::default();
    let mut key_at = async |minutes: i64| {
        world.wall_ms.set(NOW_MS + minutes * 60_000);
        get(&mut provider, &world)
            .await
            .map(|found| found.key_id.clone())
    };
    assert_eq!(key_at(0).await.unwrap(), "AKID1");
    assert_eq!(key_at(54).await.unwrap(), "AKID1");
    assert_eq!(key_at(56).await.unwrap(), "AKID1", "busy, and still good");
    assert_eq!(key_at(58).await.unwrap(), "AKID2");
    let busy = Err(Missing::Failed(Failure {
        why: "credentials",
        answered: true,
    }));
    assert_eq!(key_at(121).await, busy, "ended");
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn an_end_that_is_absent_past_or_malformed_breaks_nothing() {
    let world = TestWorld::new();
    let credentials = || Credentials {
        key_id: "a".into(),
        secret: Secret::new("b"),
        token: None,
    };
    let renew = |end: Option<&str>| known(credentials(), end, NOW_MS, 0).renew_ms;
    assert_eq!(renew(None), i64::MAX);
    assert_eq!(renew(Some("soon")), NOW_MS + 300_000);
    assert!(
        renew(Some("2020-01-01T00:00:00Z")) <= NOW_MS,
        "used once, then asked for again"
    );
    assert_eq!(
        renew(Some("2026-03-14T09:27:53.589Z")),
        NOW_MS + 30_000,
        "half of a short life"
    );
    drop(world);
}

#[tokio::test]
async fn an_answer_of_a_container_that_is_none_is_told_without_its_text() {
    let world = TestWorld::new();
    for body in [
        "{\"code\":\"Denied\",\"message\":\"s3cret\"}",
        "<html>s3cret</html>",
        "{\"AccessKeyId\":\"s3cret\"}",
    ] {
        let server = Server::start(vec![vec![Take, answer("403 No", body)]]).await;
        let url = format!("http://127.0.0.1:{}/", server.port);
        world.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url);
        let text = reason(get(&mut Provider::default(), &world).await);
        assert!(text.contains("gives no credentials"), "{text}");
    }
}

#[tokio::test]
async fn a_role_is_taken_on_at_the_regional_service_and_kept_until_it_ends() {
    let server = Server::start(vec![
        vec![Take, of_role("2026-03-14T10:26:53Z", "ASIA1")],
        vec![Take, of_role("2026-03-14T11:26:53Z", "ASIA2")],
    ])
    .await;
    let mut world = TestWorld::new();
    with_keys(&world);
    world.facts.function_name = "orders".to_owned();
    world.set(
        "AWS_ENDPOINT_URL_STS",
        &format!("http://127.0.0.1:{}", server.port),
    );
    let mut provider = role();
    let found = get(&mut provider, &world).await.unwrap();
    assert_eq!(found.key_id, "ASIA1");
    assert_eq!(found.secret.expose(), "s3cret/&");
    assert_eq!(found.token.as_ref().unwrap().expose(), "s3cret==");
    assert_eq!(get(&mut provider, &world).await.unwrap().key_id, "ASIA1");
    world.wall_ms.set(NOW_MS + 56 * 60_000);
    assert_eq!(get(&mut provider, &world).await.unwrap().key_id, "ASIA2");
    let requests = server.requests();
    let request = String::from_utf8(requests[0].clone()).unwrap();
    assert!(request.starts_with("POST / HTTP/1.1\r\n"));
    assert!(request.contains("/eu-west-1/sts/aws4_request"), "{request}");
    let body = request.rsplit("\r\n").next().unwrap();
    assert_eq!(
        body,
        concat!(
            "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1234567890",
            "12%3Arole%2Flogs&RoleSessionName=tapline-orders&DurationSeconds=3600&ExternalId=a%20b%2F%C3%BC"
        )
    );
}

#[tokio::test]
async fn a_role_that_is_refused_names_the_action_to_allow() {
    let body = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>s3cret</Message></Error></ErrorResponse>";
    let server = Server::start(vec![
        vec![Take, answer("403 No", body)],
        vec![Take, answer("503 Busy", "")],
    ])
    .await;
    let world = TestWorld::new();
    with_keys(&world);
    world.set(
        "AWS_ENDPOINT_URL_STS",
        &format!("http://127.0.0.1:{}", server.port),
    );
    let text = reason(get(&mut role(), &world).await);
    assert!(
        text.contains("AccessDenied") && text.contains("`sts:AssumeRole`"),
        "{text}"
    );
    let busy = Missing::Failed(Failure {
        why: "credentials",
        answered: true,
    });
    assert_eq!(get(&mut role(), &world).await, Err(busy));
}

/// The deadline of a call is the loop's to watch; what it drops must leave the provider usable.
#[tokio::test]
async fn a_call_that_is_given_up_leaves_nothing_behind() {
    let server = Server::start(vec![
        vec![Take, Hang],
        vec![Take, in_container("2026-03-14T10:26:53Z", "AKID2")],
    ])
    .await;
    let world = TestWorld::new();
    world.set(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        &format!("http://127.0.0.1:{}/", server.port),
    );
    let mut provider = Provider::default();
    let late = tokio::time::timeout(Duration::from_millis(50), get(&mut provider, &world)).await;
    assert!(late.is_err());
    assert_eq!(get(&mut provider, &world).await.unwrap().key_id, "AKID2");
}
