//! The key of `hash` is a secret of AWS, or a variable that nobody has set.

use std::time::Duration;

use tapline::local::{InitType, Script, Status, Step};

use crate::backend::{Answer, FakeBackend, Request};
use crate::harness::{End, MAX_HOLD, SLACK, Scenario, held};

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// HMAC-SHA-256 of 4111111111111111 with [`KEY`], its first 8 bytes; computed with Python's `hmac`.
const HASH: &str = "card [CreditCardNumber:7b7e6cb2715c7b1c]";

const LABEL: &str = "card [CreditCardNumber]";

/// What holds for one that is never answered, sink or not.
const UNANSWERED_MAX: Duration = Duration::from_secs(2);

fn redact(hash_key: &str) -> String {
    format!(
        "[[transform]]\nname = \"pii\"\ntype = \"redact\"\nrules = [\"CreditCardNumber\"]\naction = \"hash\"\n\
         hash_key = {hash_key}\n"
    )
}

fn scenario(service: &FakeBackend, sink: &FakeBackend, head: &str) -> Scenario {
    let arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/pii";
    let redact = redact(&format!("{{ secret = \"{arn}\" }}"));
    Scenario::new(&format!("{head}{redact}{}", sink.sink("out")))
        .variable("AWS_ENDPOINT_URL_SSM", &service.url())
        .variable("AWS_ACCESS_KEY_ID", "key-id")
        .variable("AWS_SECRET_ACCESS_KEY", "not-a-secret")
}

/// The Parameter Store, as it answers.
fn parameter(_: &Request) -> Answer {
    Answer::Said(200, format!("{{\"Parameter\":{{\"Value\":\"{KEY}\"}}}}"))
}

fn card() -> Script {
    Script::new(vec![Step::Log("card 4111111111111111".to_owned())])
}

async fn lived(scenario: Scenario, invocations: u32) -> End {
    let mut life = scenario.begin().await;
    for _ in 0..invocations {
        life.invoke(card()).await;
    }
    let end = life.end().await;
    end.assert_unharmed();
    assert!(!end.said().contains(KEY), "{}", end.said());
    end
}

/// The function's lines, in the order of arrival.
fn texts(backend: &FakeBackend) -> Vec<String> {
    let lines = backend.lines();
    let lines = lines.iter().filter(|line| line.kind == "function");
    lines.map(|line| line.text()).collect()
}

fn times(end: &End, what: &str) -> usize {
    end.said().matches(what).count()
}

/// The service is busy twice, so that the key comes after the first lines.
/// They wait for it within the hold, and every card is hashed; nothing is said.
#[tokio::test]
async fn records_wait_for_a_key_that_is_late() {
    let (service, sink) = (
        FakeBackend::judging(parameter),
        FakeBackend::start(Answer::OK),
    );
    service.next([Answer::status(500)]);
    let end = lived(scenario(&service, &sink, ""), 2).await;
    assert_eq!(texts(&sink), [HASH, HASH]);
    assert_eq!(service.requests().len(), 2, "one in vain");
    assert_eq!(times(&end, "hash_key"), 0, "{}", end.said());
    assert!(
        held(&end.outcomes[0]) > Duration::from_millis(100),
        "the first invocation is held for it"
    );
    assert_eq!(end.ledger().0["redactions"]["CreditCardNumber"], 2);
    service.finish();
    sink.finish();
}

/// The service takes the request and never answers.
/// No hold is longer than `max_hold`, all together cost 2 s at most; what waits leaves with labels at the end, and
/// nothing is lost.
#[tokio::test]
async fn a_key_that_never_comes_costs_little_and_no_record() {
    let (service, sink) = (
        FakeBackend::start(Answer::Never),
        FakeBackend::start(Answer::OK),
    );
    let end = lived(scenario(&service, &sink, ""), 6).await;
    assert_eq!(texts(&sink), [LABEL; 6]);
    let total: Duration = end.outcomes.iter().map(held).sum();
    // Six invocations, and each takes the machine a moment.
    assert!(total <= UNANSWERED_MAX + 2 * SLACK, "{total:?}");
    assert!(held(&end.outcomes[0]) >= MAX_HOLD - SLACK);
    assert!(held(&end.outcomes[5]) < SLACK);
    let ledger = end.ledger();
    assert_eq!(ledger.of("out", "delivered"), ledger.count("received"));
    assert_eq!(times(&end, "redact `pii`: the `hash_key` is not there"), 1);
    service.finish();
    sink.finish();
}

/// The function's role may not read the key.
/// Labels at once; the log says once what to allow, and once what that does.
#[tokio::test]
async fn a_key_that_is_refused_makes_labels() {
    let refusal = Answer::Said(400, "{\"__type\":\"AccessDeniedException\"}".to_owned());
    let (service, sink) = (FakeBackend::start(refusal), FakeBackend::start(Answer::OK));
    let end = lived(scenario(&service, &sink, ""), 3).await;
    assert_eq!(texts(&sink), [LABEL; 3]);
    assert_eq!(times(&end, "ssm:GetParameter"), 1, "{}", end.said());
    assert_eq!(
        times(&end, "the `hash_key` is not there"),
        1,
        "{}",
        end.said()
    );
    service.finish();
    sink.finish();
}

/// Provisioned concurrency: init may lie hours before the first invocation.
/// The key is fetched before the first `next`, and the records of init leave with hashes.
#[tokio::test]
async fn records_of_an_early_init_leave_with_hashes() {
    let (service, sink) = (
        FakeBackend::judging(parameter),
        FakeBackend::start(Answer::OK),
    );
    let life = scenario(&service, &sink, "")
        .on(|settings| {
            settings.init_type = InitType::ProvisionedConcurrency;
            settings.function = tapline::local::Function::Scripted(vec![Step::Log(
                "card 4111111111111111".to_owned(),
            )]);
        })
        .begin()
        .await;
    assert_eq!(texts(&sink), [HASH], "before any invocation");
    let end = life.end().await;
    end.assert_ended_well();
    service.finish();
    sink.finish();
}

/// Nothing leaves in shadow, but what a transform needs is there as it would be.
#[tokio::test]
async fn in_shadow_the_key_is_fetched_too() {
    let (service, sink) = (
        FakeBackend::judging(parameter),
        FakeBackend::start(Answer::OK),
    );
    let shadow = scenario(&service, &sink, "").variable("TAPLINE_MODE", "shadow");
    let end = lived(shadow, 1).await;
    assert_eq!(service.requests().len(), 1);
    assert!(sink.requests().is_empty());
    assert_eq!(times(&end, "hash_key"), 0, "{}", end.said());
    service.finish();
    sink.finish();
}

/// The variable of the key is unset.
/// Labels, said once with its place; `TAPLINE_STRICT` does not start with that.
#[tokio::test]
async fn a_variable_that_is_unset_makes_labels() {
    let sink = FakeBackend::start(Answer::OK);
    let config = redact("{ env = \"NOT_SET\" }") + &sink.sink("out");
    let end = lived(Scenario::new(&config), 2).await;
    assert_eq!(texts(&sink), [LABEL; 2]);
    let said = "tapline.toml:6:20: the environment variable `NOT_SET` is unset or empty, so that `hash` acts as `label`";
    assert_eq!(times(&end, said), 1, "{}", end.said());
    let (_life, init) = Scenario::new(&config)
        .variable("TAPLINE_STRICT", "1")
        .start()
        .await;
    assert_ne!(init.status, Status::Success);
    sink.finish();
}
