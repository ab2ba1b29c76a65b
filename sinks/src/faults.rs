//! What the real sinks make of faults: a matrix of sinks and faults, each an hour of virtual time and what follows.
//!
//! A sink is built from its table, behind the real loop with the usual settings, and speaks to a strict server over
//! connections in memory; beside it a second sink gets the same records, whose server is well. For each cell: what
//! becomes of the records, the law of the ledger after every step, one loud line without any secret or record, bounded
//! requests and bytes, and delivery once the fault is over.
//!
//! Does not prove: real sockets (the tests of each sink do), real signatures (`tests/servers/aws.py` does).

use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tapline_core::batch::Lane;
use tapline_core::bell::Bell;
use tapline_core::budget::Budget;
use tapline_core::config::{Context, Document, Reader, Scope};
use tapline_core::delivery;
use tapline_core::expr::Names;
use tapline_core::facts::Facts;
use tapline_core::port::{DeliverySettings, Goal, Identity, Port};
use tapline_core::registry::Build;
use tapline_core::sink::{Parcel, Sink};
use tapline_core::test_util;
use tapline_core::world::{Instant, World};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

use dialect::Dialect;
use network::NetWorld;
use server::Peer;
use table::{Class, FAULTS, Fault, cell};

mod dialect;
mod grpc_server;
mod network;
mod page;
mod renewal;
mod server;
mod services;
mod table;

const KEY_ID: &str = "AKID";

const HOUR: Duration = Duration::from_secs(3_600);

/// Time between two batches.
const PAUSE: Duration = Duration::from_secs(300);

/// Records of a batch.
const BATCH_RECORDS: u64 = 5;

/// Requests of one sink in an hour in which nothing else but failures comes back: what `docs/limits.md` says.
const REQUESTS_MAX: u64 = 70;

/// The same where the destination does not let us.
const DENIED_REQUESTS_MAX: u64 = 10;

/// Bytes that are read of a connection, whatever comes: 64 KiB of headers, 64 KiB of body, and what lay in buffers.
const READ_BYTES_MAX: u64 = (64 + 64 + 16) << 10;

/// Longest time from the end of a fault to the next probe, and what an answer asked to wait.
const PROBE_MAX: Duration = Duration::from_secs(60 + 90);

/// The same where the destination did not let us.
const DENIED_PROBE_MAX: Duration = Duration::from_secs(600);

/// A secret by its name. None of them may ever be logged.
fn secret(name: &str) -> String {
    ["s3cret", name].join("-")
}

/// Whether a destination takes this record while it finds errors inside.
fn is_liked(record: &str) -> bool {
    !record.ends_with('0') && !record.ends_with('5')
}

/// A folder's worth of trust: a server for another host than anybody asks for, and the authority behind it.
struct Stranger {
    config: Arc<ServerConfig>,
    ca: PathBuf,
}

impl Stranger {
    fn new(name: &str) -> Stranger {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issuer = rcgen::CertifiedIssuer::self_signed(params, key).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["another.test".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                key.serialize_der().try_into().unwrap(),
            )
            .unwrap();
        let file = format!("tapline-faults-{}-{name}.pem", std::process::id());
        let ca = std::env::temp_dir().join(file);
        std::fs::write(&ca, issuer.pem()).unwrap();
        Stranger {
            config: Arc::new(config),
            ca,
        }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        std::fs::remove_file(&self.ca).unwrap();
    }
}

/// One sink with its loop and its server.
struct Line {
    port: Rc<Port>,
    peer: Rc<Peer>,
    given: Cell<u64>,
}

/// A sink that is told what goes wrong, and one beside it.
struct Bench {
    world: NetWorld,
    progress: Rc<Bell>,
    budget: Budget,
    identity: Rc<Identity>,
    number: Cell<u64>,
    out: Line,
    beside: Line,
}

impl Bench {
    fn new(dialect: Dialect, tls: Option<&Stranger>) -> (Bench, [Box<dyn Sink>; 2]) {
        let world = NetWorld::new(7);
        let variables = [
            ("AWS_ACCESS_KEY_ID", KEY_ID.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", secret("key")),
            ("AWS_SESSION_TOKEN", secret("token")),
        ];
        world.variables.borrow_mut().extend(variables);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (kind, mut config) = dialect.config(&format!("{scheme}://{}", dialect.host()));
        if let Some(stranger) = tls.filter(|_| dialect.takes_a_ca()) {
            let path = stranger.ca.display();
            config.push_str(&format!("\ntls = {{ ca = \"{path}\" }}\n"));
        }
        let sink = built("out", kind, &config);
        let (kind, config) = Dialect::Http.config("http://beside.test");
        let neighbour = built("beside", kind, &config);
        let (progress, budget) = (Rc::new(Bell::default()), Budget::new(64 << 20));
        let identity = Rc::new(Identity::new(test_util::INSTANCE));
        let line = |name: &str, host: &str, sink: &dyn Sink, peer: Peer| {
            let settings = DeliverySettings {
                timeout: sink
                    .timeout()
                    .unwrap_or(DeliverySettings::default().timeout),
                ..DeliverySettings::default()
            };
            let (progress, identity) = (progress.clone(), identity.clone());
            let port = Port::new(name, settings, false, progress, identity, budget.clone());
            let peer = Rc::new(peer);
            world.serve(host, peer.clone());
            Line {
                port: Rc::new(port),
                peer,
                given: Cell::new(0),
            }
        };
        let config = tls.map(|stranger| stranger.config.clone());
        let out = line("out", dialect.host(), &*sink, Peer::new(dialect, config));
        let beside = line(
            "beside",
            "beside.test",
            &*neighbour,
            Peer::new(Dialect::Http, None),
        );
        let bench = Bench {
            world: world.clone(),
            progress: progress.clone(),
            budget: budget.clone(),
            identity: identity.clone(),
            number: Cell::new(0),
            out,
            beside,
        };
        (bench, [sink, neighbour])
    }

    fn run(&self, sinks: [Box<dyn Sink>; 2], script: impl Future<Output = ()>) {
        let [sink, neighbour] = sinks;
        let world: Rc<dyn World> = Rc::new(self.world.clone());
        let ports = [&self.out.port, &self.beside.port].map(Rc::clone);
        let [out, beside] = ports;
        let tasks = self.world.tasks.clone().run();
        self.world.time.run(
            script,
            vec![
                Box::pin(delivery::run(out, sink, world.clone())),
                Box::pin(delivery::run(beside, neighbour, world)),
                Box::pin(tasks),
            ],
        );
    }

    /// A batch for both sinks, and a flush of both; the one beside has delivered it a second later.
    async fn give(&self) {
        let numbers = self.number.get()..self.number.get() + BATCH_RECORDS;
        self.number.set(numbers.end);
        let texts: Vec<String> = numbers
            .map(|number| format!("\"rec-{number:06}\""))
            .collect();
        let rows: Vec<_> = texts
            .iter()
            .map(|text| ("function", text.as_str(), None))
            .collect();
        let mut batch = test_util::batch_of(&self.budget, &rows);
        for record in batch.records_mut() {
            record.sequence = self.identity.next();
        }
        let batch = Arc::new(batch);
        for line in [&self.out, &self.beside] {
            line.given.set(line.given.get() + BATCH_RECORDS);
            line.port.push(Parcel {
                batch: batch.clone(),
                chosen: (0..BATCH_RECORDS as u32).collect(),
                lane: Lane::Middle,
                weight: 200,
            });
            line.port.set_goal(Goal::Flush);
        }
        self.world.time.sleep(Duration::from_secs(1)).await;
        self.out.assert_adds_up();
        self.beside.assert_adds_up();
        assert_eq!(
            self.beside.port.counts.delivered.get(),
            self.beside.given.get()
        );
    }

    /// Batches for an hour.
    async fn give_for_an_hour(&self) {
        let end = self.world.now() + HOUR;
        while self.world.now() < end {
            self.give().await;
            self.world.time.sleep(PAUSE - Duration::from_secs(1)).await;
        }
    }

    /// Waits until nothing of the sink is on its way.
    async fn settle(&self, most: Duration) {
        let end = self.world.now() + most;
        while self.out.port.counts.in_flight.get() > 0 {
            assert!(self.world.now() < end, "not within {most:?}");
            self.world.time.sleep(Duration::from_secs(1)).await;
        }
    }

    /// The end of a life; then every record has its fate, and all memory is back.
    async fn end(&self) {
        let ports = [self.out.port.clone(), self.beside.port.clone()];
        let until = self.world.now() + Duration::from_secs(2);
        delivery::finish(&ports, until, &self.progress, &self.world).await;
        for line in [&self.out, &self.beside] {
            line.assert_adds_up();
            assert_eq!(line.port.counts.in_flight.get(), 0);
        }
        assert_eq!(self.budget.used(), 0, "everything was let go");
    }
}

impl Line {
    /// The law, at any time: each record has one fate, and what counts as delivered is there.
    fn assert_adds_up(&self) {
        let counts = &self.port.counts;
        let came = self.given.get() + counts.generated.get();
        assert_eq!(came, counts.accounted(), "{counts:?}");
    }

    /// Every record that counts as delivered was taken, and none twice but after a lost answer.
    fn stored(&self) -> u64 {
        self.peer.stored.borrow().len() as u64
    }
}

fn built(name: &str, kind: &str, config: &str) -> Box<dyn Sink> {
    let kind = crate::kinds()
        .iter()
        .find(|known| known.name == kind)
        .unwrap();
    let variable = |name: &str| (name == "TOKEN").then(|| secret("header"));
    let context = Context::new(&variable);
    let document = Document::parse(&context, "t.toml", config.as_bytes()).unwrap();
    let reader = Reader::root(&context, &document, kind.fields)
        .with_scope(Scope::Sink(name.to_owned()), format!("sink `{name}`"));
    let facts = Facts::default();
    let build = Build {
        names: Names { env: &[] },
        facts: &facts,
        memory: 16 << 20,
    };
    let sink = (kind.build.unwrap())(&reader, &build);
    drop(reader);
    let rendered = context.finish().render();
    sink.unwrap_or_else(|| panic!("{config}\n{rendered}"))
}

/// What has to be there for a fault, beside the server's own mood.
fn prepare(bench: &Bench, fault: Fault) {
    bench.out.peer.fault.set(Some(fault));
    match fault {
        Fault::Expired => {
            bench.out.peer.token.replace(secret("fresh"));
        }
        Fault::Skewed => bench.world.ahead_ms.set(3_600_000),
        _ => {}
    }
}

fn heal(bench: &Bench, fault: Fault) {
    bench.out.peer.fault.set(None);
    if fault == Fault::Expired {
        let fresh = ("AWS_SESSION_TOKEN", secret("fresh"));
        bench.world.variables.borrow_mut().extend([fresh]);
    }
}

fn live(dialect: Dialect, fault: Fault, class: Class) {
    let tls = matches!(fault, Fault::TlsHangs | Fault::TlsWrongHost);
    let stranger = tls.then(|| {
        let name = format!("{dialect:?}{fault:?}");
        let letters = name.chars().filter(char::is_ascii_alphanumeric);
        Stranger::new(&letters.collect::<String>())
    });
    let (bench, sinks) = Bench::new(dialect, stranger.as_ref());
    prepare(&bench, fault);
    let script = async {
        bench.give_for_an_hour().await;
        assert_hour(&bench, fault, class);
        // A certificate does not become right by itself, so that this one ends as it is.
        if !tls {
            heal(&bench, fault);
            assert_recovery(&bench, fault, class).await;
        }
        bench.end().await;
        assert_end(&bench, fault, class, tls);
    };
    bench.run(sinks, script);
    assert_log(&bench, class);
}

/// After an hour of it.
fn assert_hour(bench: &Bench, fault: Fault, class: Class) {
    let (counts, peer) = (&bench.out.port.counts, &bench.out.peer);
    let given = bench.out.given.get();
    let (delivered, rejected) = (counts.delivered.get(), counts.rejected.get());
    let stays = counts.in_flight.get();
    let reports = counts.generated.get();
    match class {
        Class::Delivered => assert_eq!((delivered, rejected, stays), (given, 0, 0)),
        Class::Kept(_) | Class::Denied(_) => {
            assert_eq!((delivered, rejected, stays), (0, 0, given), "{counts:?}");
        }
        Class::Rejected(why) => {
            assert_eq!((delivered, stays), (0, 0));
            assert_eq!(
                counts.rejections(),
                BTreeMap::from([(why.to_owned(), given + reports)])
            );
        }
        Class::Partly(why) => {
            let disliked = given / BATCH_RECORDS;
            assert_eq!(
                counts.rejections(),
                BTreeMap::from([(why.to_owned(), disliked)])
            );
            assert_eq!((delivered, stays), (given - disliked + reports, 0));
        }
    }
    assert!(counts.drops().is_empty(), "{counts:?}");
    let batches = given / BATCH_RECORDS;
    let requests_max = match class {
        Class::Kept(_) => REQUESTS_MAX,
        Class::Denied(_) => DENIED_REQUESTS_MAX,
        // A request for each batch and for each report, and one more where the rest of a batch was sent anew.
        Class::Delivered | Class::Rejected(_) | Class::Partly(_) => 3 * batches,
    };
    let attempts = counts.attempts.get();
    assert!(
        (1..=requests_max).contains(&attempts),
        "{attempts} attempts"
    );
    // Within one attempt a request may be sent once more: signed anew, or on a fresh connection; a stream or a group
    // may be made.
    let connects = peer.connects.get();
    assert!(
        connects <= 2 * attempts,
        "{connects} connections for {attempts} attempts"
    );
    assert!(peer.requests.borrow().len() as u64 <= 4 * attempts);
    assert!(
        peer.given.get() <= READ_BYTES_MAX * connects.max(1),
        "{} bytes read",
        peer.given.get()
    );
    assert!(
        peer.taken.get() <= (16 << 10) * attempts,
        "{} bytes sent",
        peer.taken.get()
    );
    if matches!(fault, Fault::BusyFor | Fault::BusyUntil) {
        assert_pauses(&peer.requests.borrow(), Duration::from_secs(89));
    }
}

/// Nobody asked again before the time that the server named; dates have whole seconds.
fn assert_pauses(requests: &[Instant], least: Duration) {
    for pair in requests.windows(2) {
        let pause = pair[1].since(pair[0]);
        assert!(pause >= least, "asked again after {pause:?}");
    }
}

/// The fault is over: what was kept is there after the next probe, and nothing of it was lost.
async fn assert_recovery(bench: &Bench, fault: Fault, class: Class) {
    let refused = bench.out.peer.requests.borrow().len();
    let probe_max = match class {
        Class::Denied(_) => DENIED_PROBE_MAX,
        // The quota of a month: the longest wait that is worth it.
        _ if fault == Fault::OverQuota => DENIED_PROBE_MAX,
        _ => PROBE_MAX,
    };
    bench.settle(probe_max).await;
    let lost = bench.out.port.counts.rejected.get();
    if matches!(class, Class::Kept(_) | Class::Denied(_)) {
        assert_eq!(lost, 0);
        assert!(bench.out.peer.requests.borrow().len() > refused);
    }
    bench.give().await;
    bench.settle(Duration::from_secs(5)).await;
    let counts = &bench.out.port.counts;
    assert_eq!(counts.rejected.get(), lost, "what comes later passes");
    assert_eq!(
        counts.delivered.get() + lost,
        bench.out.given.get() + counts.generated.get()
    );
    let mut records = bench.out.stored();
    // Reports are records too, but not of those that are counted here; of a refusal nothing was stored.
    records += match class {
        Class::Rejected(_) | Class::Partly(_) => bench.out.given.get() - records,
        _ => 0,
    };
    assert_eq!(records, bench.out.given.get());
    let disliked = bench.out.given.get() - bench.out.stored();
    assert!(disliked <= lost, "{disliked} records are nowhere");
}

fn assert_end(bench: &Bench, fault: Fault, class: Class, lasts: bool) {
    let counts = &bench.out.port.counts;
    if lasts {
        let word = if matches!(class, Class::Denied(_)) {
            "denied"
        } else {
            "shutdown"
        };
        let drops = counts.drops();
        assert_eq!(drops.len(), 1, "{drops:?}");
        let (reason, count) = drops.first_key_value().unwrap();
        assert_eq!(reason.as_str(), word);
        assert!(*count >= bench.out.given.get());
    } else {
        assert!(counts.drops().is_empty(), "{counts:?}");
    }
    // An answer that was lost may leave a record twice; nothing else does.
    let lost_answers = matches!(fault, Fault::BodyDrips | Fault::EndlessSuccess);
    let most = if lost_answers { u32::MAX } else { 1 };
    assert!(
        bench
            .out
            .peer
            .stored
            .borrow()
            .values()
            .all(|times| *times <= most)
    );
    assert!(
        bench
            .beside
            .peer
            .stored
            .borrow()
            .values()
            .all(|times| *times == 1)
    );
    assert_eq!(bench.beside.stored(), bench.beside.given.get());
}

/// One loud line, which names the sink, what is wrong and what to do; never a record or a secret.
fn assert_log(bench: &Bench, class: Class) {
    let lines = bench.world.time.logged();
    for line in &lines {
        assert!(
            !line.contains("s3cret") && !line.contains("rec-0"),
            "{line}"
        );
        assert!(!line.contains("`beside`"), "{line}");
    }
    let loud: Vec<&String> = lines
        .iter()
        .filter(|line| line.contains("sink `out`"))
        .collect();
    let (level, said, remedy) = match class {
        Class::Delivered => {
            assert!(lines.is_empty(), "{lines:?}");
            return;
        }
        Class::Kept(why) => (
            "warn",
            format!("is not waited for any more: {why};"),
            "tried again",
        ),
        Class::Denied(why) => (
            "error",
            format!("is denied by its destination: {why}"),
            "check its credentials, permissions and address",
        ),
        Class::Rejected(why) | Class::Partly(why) => (
            "error",
            format!("are refused for good: {why};"),
            "counted as rejected",
        ),
    };
    let found = loud
        .iter()
        .filter(|line| line.contains(&said) && line.contains(remedy));
    assert_eq!(found.clone().count(), 1, "{lines:?}");
    let level_is = |line: &&&String| line.to_lowercase().starts_with(level);
    assert_eq!(found.filter(level_is).count(), 1, "{lines:?}");
    // What is wrong with a certificate is said beside it.
    let others = |line: &&String| !line.contains("no TLS connection");
    assert_eq!(lines.iter().filter(others).count(), 1, "{lines:?}");
}

/// Every fault for one sink. A cell that fails is named, and so are all others that do.
fn matrix(dialect: Dialect) {
    let mut failed = Vec::new();
    for (fault, _) in FAULTS {
        let Some(class) = cell(dialect, fault) else {
            continue;
        };
        let life = std::panic::AssertUnwindSafe(|| live(dialect, fault, class));
        if std::panic::catch_unwind(life).is_err() {
            eprintln!("{dialect:?} {fault:?}: wanted {class:?}");
            failed.push(fault);
        }
    }
    assert!(failed.is_empty(), "{dialect:?}: {failed:?}");
}

#[test]
fn cloudwatch_meets_every_fault() {
    matrix(Dialect::CloudWatch);
}

#[test]
fn otlp_over_http_meets_every_fault() {
    matrix(Dialect::Otlp);
}

#[test]
fn otlp_over_grpc_meets_every_fault() {
    matrix(Dialect::Grpc);
}

#[test]
fn http_meets_every_fault() {
    matrix(Dialect::Http);
}

#[test]
fn otlp_that_is_signed_meets_every_fault() {
    matrix(Dialect::OtlpSigned);
}

#[test]
fn s3_meets_every_fault() {
    matrix(Dialect::S3);
}

/// At once, since each of them is a minute of arithmetic less than a second long.
#[test]
fn every_preset_meets_every_fault() {
    std::thread::scope(|scope| {
        for (dialect, _) in dialect::presets() {
            scope.spawn(move || matrix(dialect));
        }
    });
}
