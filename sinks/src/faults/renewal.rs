//! A token that expires while the environment has a fresh one already: it is taken at once, and nothing is late.

use super::*;

fn renew(dialect: Dialect) {
    let (bench, sinks) = Bench::new(dialect, None);
    let script = async {
        bench.give().await;
        assert_eq!(bench.out.port.counts.delivered.get(), BATCH_RECORDS);
        bench.out.peer.token.replace(secret("fresh"));
        let fresh = ("AWS_SESSION_TOKEN", secret("fresh"));
        bench.world.variables.borrow_mut().extend([fresh]);
        bench.give().await;
        let counts = &bench.out.port.counts;
        assert_eq!(counts.delivered.get(), 2 * BATCH_RECORDS);
        assert_eq!(counts.attempts.get(), 2, "it used up no attempt");
        assert_eq!(bench.out.peer.requests.borrow().len(), 3);
        bench.end().await;
    };
    bench.run(sinks, script);
    assert!(bench.world.time.logged().is_empty());
}

#[test]
fn a_token_that_expires_is_renewed_at_once_by_every_sink_that_signs() {
    let signed = [
        Dialect::CloudWatch,
        Dialect::Firehose,
        Dialect::OtlpSigned,
        Dialect::S3,
    ];
    signed.into_iter().for_each(renew);
}
