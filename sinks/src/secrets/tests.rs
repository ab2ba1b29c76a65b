use super::*;
use crate::shared::late::LateHeaders;
use crate::shared::test_server::Step::Take;
use crate::shared::test_server::{Server, Step, answer};
use crate::test_world::TestWorld;
use tapline_core::config::{Context, Document, Field, FieldKind, Fields, Reader};

const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:pay";
const SECRET_OF_OTHERS: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ship";
const PARAMETER: &str = "arn:aws:ssm:eu-west-1:123456789012:parameter/pay/key";

fn world(server: &Server) -> TestWorld {
    let world = TestWorld::new();
    world.set("AWS_ACCESS_KEY_ID", "AKID");
    world.set("AWS_SECRET_ACCESS_KEY", "s3cret-key");
    world.set(
        "AWS_ENDPOINT_URL",
        &format!("http://127.0.0.1:{}", server.port),
    );
    world
}

/// Runs the task until `done` holds.
async fn fetch_until(secrets: &LateSecrets, world: Rc<TestWorld>, done: impl Fn() -> bool) {
    let identity = Rc::new(Identity::new([b'0'; 32]));
    let task = fetch(secrets.clone(), world, identity, Budget::new(1 << 20));
    let waiting = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let both = either(task, waiting);
    tokio::time::timeout(Duration::from_secs(10), both)
        .await
        .expect("it ends");
}

fn holds(text: &str) -> Step {
    let quoted = serde_json::to_string(text).unwrap();
    answer(
        "200 OK",
        &format!("{{\"Name\":\"pay\",\"SecretString\":{quoted}}}"),
    )
}

#[tokio::test]
async fn secrets_and_parameters_are_asked_for_as_their_services_want_it() {
    let parameter = answer(
        "200 OK",
        "{\"Parameter\":{\"Name\":\"/pay/key\",\"Value\":\"of-ssm\"}}",
    );
    let server = Server::start(vec![vec![Take, holds("of-sm")], vec![Take, parameter]]).await;
    let mut secrets = LateSecrets::default();
    let (first, second) = (secrets.add(SECRET), secrets.add(PARAMETER));
    let world = Rc::new(world(&server));
    fetch_until(&secrets, world.clone(), || secrets.wanted().is_empty()).await;
    assert_eq!(first.text().as_deref(), Some("of-sm"));
    assert_eq!(second.text().as_deref(), Some("of-ssm"));
    let requests: Vec<String> = server
        .requests()
        .into_iter()
        .map(|r| String::from_utf8(r).unwrap())
        .collect();
    let body = |request: &str| request.split("\r\n\r\n").nth(1).unwrap().to_owned();
    assert!(requests[0].contains("x-amz-target: secretsmanager.GetSecretValue\r\n"));
    assert!(requests[0].contains("/eu-west-1/secretsmanager/aws4_request"));
    assert_eq!(body(&requests[0]), format!("{{\"SecretId\":\"{SECRET}\"}}"));
    assert!(requests[1].contains("x-amz-target: AmazonSSM.GetParameter\r\n"));
    assert_eq!(
        body(&requests[1]),
        format!("{{\"Name\":\"{PARAMETER}\",\"WithDecryption\":true}}")
    );
    assert!(world.messages.borrow().is_empty());
}

#[tokio::test]
async fn the_extension_is_asked_first_with_the_functions_token() {
    let extension = Server::start(vec![vec![Take, holds("cached")]]).await;
    let service = Server::start(vec![]).await;
    let mut secrets = LateSecrets::default();
    let late = secrets.add(SECRET);
    let world = world(&service);
    world.set("AWS_SESSION_TOKEN", "the-token");
    world.set(
        "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT",
        &extension.port.to_string(),
    );
    fetch_until(&secrets, Rc::new(world), || !late.is_wanted()).await;
    assert_eq!(late.text().as_deref(), Some("cached"));
    let request = String::from_utf8(extension.requests().remove(0)).unwrap();
    assert!(
        request
            .starts_with("GET /secretsmanager/get?secretId=arn%3Aaws%3Asecretsmanager%3Aeu-west-1"),
        "{request}"
    );
    assert!(request.contains("x-aws-parameters-secrets-token: the-token\r\n"));
}

/// It answers 400 until it has started, and may hold what was rotated.
#[tokio::test]
async fn an_extension_that_is_not_ready_or_old_is_passed_over() {
    let extension = Server::start(vec![vec![
        Take,
        answer("400 Bad", "not ready to serve traffic"),
    ]])
    .await;
    let service = Server::start(vec![
        vec![Take, holds("fresh")],
        vec![Take, holds("rotated")],
    ])
    .await;
    let mut secrets = LateSecrets::default();
    let late = secrets.add(SECRET);
    let world = world(&service);
    world.set("AWS_SESSION_TOKEN", "the-token");
    world.set(
        "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT",
        &extension.port.to_string(),
    );
    let world = Rc::new(world);
    let asked_anew = std::cell::Cell::new(false);
    fetch_until(&secrets, world, || match late.text().as_deref() {
        Some("fresh") => {
            if !asked_anew.replace(true) {
                late.refused(Instant::default());
            }
            false
        }
        text => text == Some("rotated"),
    })
    .await;
    assert_eq!(extension.requests().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_read_is_told_once_with_the_action_to_allow_and_tried_again_later() {
    let denied = "{\"__type\":\"AccessDeniedException\",\"Message\":\"s3cret\"}";
    let server = Server::start(vec![
        vec![Take, answer("400 Bad", denied)],
        vec![Take, answer("400 Bad", denied)],
        vec![Take, holds("at last")],
    ])
    .await;
    let mut secrets = LateSecrets::default();
    let late = secrets.add(SECRET);
    let world = Rc::new(world(&server));
    fetch_until(&secrets, world.clone(), || !late.is_wanted()).await;
    assert_eq!(late.text(), None);
    late.want();
    fetch_until(&secrets, world.clone(), || !late.is_wanted()).await;
    late.want();
    fetch_until(&secrets, world.clone(), || late.text().is_some()).await;
    let messages = world.messages.borrow();
    assert!(
        messages[0].contains("allow `secretsmanager:GetSecretValue`"),
        "{messages:?}"
    );
    assert!(!messages.join("").contains("s3cret"));
}

#[tokio::test]
async fn a_busy_service_is_asked_again_and_bounded() {
    let busy = || vec![Take, answer("503 Busy", "")];
    let server = Server::start(vec![busy(), busy(), vec![Take, holds("x")]]).await;
    let mut secrets = LateSecrets::default();
    let late = secrets.add(SECRET);
    fetch_until(&secrets, Rc::new(world(&server)), || !late.is_wanted()).await;
    assert_eq!(late.text().as_deref(), Some("x"));
    let server = Server::start((0..9).map(|_| busy()).collect()).await;
    let mut secrets = LateSecrets::default();
    let late = secrets.add(PARAMETER);
    fetch_until(&secrets, Rc::new(world(&server)), || !late.is_wanted()).await;
    assert_eq!((late.text(), server.requests().len()), (None, 4));
}

/// What is remembered is bound by the number of secrets, however often they are rotated.
#[tokio::test]
async fn secrets_that_are_rotated_in_turn_leave_nothing_behind() {
    let server = Server::start((0..8).map(|_| vec![Take, holds("x")]).collect()).await;
    let mut secrets = LateSecrets::default();
    let both = [secrets.add(SECRET), secrets.add(SECRET_OF_OTHERS)];
    let world = Rc::new(world(&server));
    let mut fetcher = Fetcher {
        world: world.clone(),
        identity: Rc::new(Identity::new([b'0'; 32])),
        budget: Budget::new(1 << 20),
        said: Vec::new(),
        fetched: Vec::new(),
    };
    for late in both.iter().cycle().take(8) {
        fetcher.settle(late).await;
    }
    assert_eq!(server.requests().len(), 8);
    assert_eq!(fetcher.fetched, [SECRET, SECRET_OF_OTHERS]);
    assert!(world.messages.borrow().is_empty());
}

const FIELDS: Fields = &[Field {
    name: "headers",
    kind: FieldKind::Map(&FieldKind::Secret),
    default: "",
    required: false,
    doc: "Headers.",
}];

/// The late headers of a table, and its secrets.
fn late_headers(text: &str) -> (LateHeaders, LateSecrets) {
    let context = Context::new(&|_| None);
    let document = Document::parse(&context, "t.toml", text.as_bytes()).unwrap();
    let reader = Reader::root(&context, &document, FIELDS);
    let late = LateHeaders::default().of_headers(&reader);
    drop(reader);
    let secrets = context.late_secrets();
    assert_eq!(context.finish().render(), "");
    (late, secrets)
}

async fn send(client: &mut Client, world: &TestWorld) -> u16 {
    let budget = Budget::new(1 << 20);
    let outgoing = Outgoing {
        method: Method::POST,
        headers: HeaderMap::new(),
        body: Bytes::from_static(b"x"),
    };
    client
        .send(&world.call(&budget), &outgoing)
        .await
        .unwrap()
        .status
        .as_u16()
}

/// The destination refuses the old token; the new one is fetched, and the request goes once more.
#[tokio::test]
async fn a_rotated_secret_costs_no_record() {
    let text = format!(
        "headers = {{ authorization = {{ secret = \"{SECRET}#token\", prefix = \"Bearer \" }} }}"
    );
    let (headers, secrets) = late_headers(&text);
    let destination = Server::start(vec![vec![
        Take,
        answer("200 OK", ""),
        Take,
        answer("401 No", ""),
        Take,
        answer("200 OK", ""),
    ]])
    .await;
    let url = url::parse(&format!("http://127.0.0.1:{}/", destination.port)).unwrap();
    let mut client = Client::new(url, CONNECT_TIMEOUT, Tls::default()).with_late(headers);
    let world = TestWorld::new();
    let late = secrets.wanted().remove(0);
    // The first request waits for the secret.
    let (sent, ()) = tokio::join!(send(&mut client, &world), async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        late.set("{\"token\":\"old\"}");
    });
    assert_eq!(sent, 200);
    let (sent, ()) = tokio::join!(send(&mut client, &world), async {
        late_wanted(&secrets).await;
        late.set("{\"token\":\"new\"}");
    });
    assert_eq!(sent, 200);
    let tokens: Vec<bool> = destination
        .requests()
        .iter()
        .map(|request| String::from_utf8_lossy(request).contains("authorization: Bearer new\r\n"))
        .collect();
    assert_eq!(tokens, [false, false, true]);
}

async fn late_wanted(secrets: &LateSecrets) {
    while secrets.wanted().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_secret_that_is_not_there_keeps_the_request_back_until_the_deadline() {
    let text = format!("headers = {{ a = {{ secret = \"{SECRET}\" }} }}");
    let (headers, secrets) = late_headers(&text);
    let url = url::parse("http://127.0.0.1:1/").unwrap();
    let mut client = Client::new(url, CONNECT_TIMEOUT, Tls::default()).with_late(headers);
    let (world, budget) = (TestWorld::new(), Budget::new(1 << 20));
    let outgoing = Outgoing {
        method: Method::POST,
        headers: HeaderMap::new(),
        body: Bytes::new(),
    };
    let mut call = world.call(&budget);
    call.deadline = world.now() + Duration::from_millis(20);
    let late = client.send(&call, &outgoing).await.unwrap_err();
    assert_eq!((late.why, late.answered), ("secret", false));
    secrets.wanted().remove(0).fail();
    let failed = client.send(&call, &outgoing).await.unwrap_err();
    assert_eq!((failed.why, failed.answered), ("secret", true));
    assert_eq!(world.connects.get(), 0);
}
