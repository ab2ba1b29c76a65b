//! How long Tapline takes from exec to its first `next`, as a multiple of a bare tokio program's time.
//!
//! `startup <tapline> <config> <bare>`: both are started in turn in the local Lambda; the lower quartiles, since others
//! on the machine can only add to a time, and their ratio are printed. Only the ratio is judged, since a machine's speed
//! is no property of the code: above 2.0 the exit code is 1.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tapline::local::{Extension, Lambda, Reason, Settings};

/// Pairs that are measured, and that go before to warm up caches.
const PAIRS: usize = 101;
const PAIRS_WARM: usize = 3;

const RATIO_MAX: f64 = 2.0;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [tapline, config, bare] = paths.as_slice() else {
        eprintln!("usage: startup <tapline> <config> <bare>");
        return ExitCode::from(2);
    };
    match measure(tapline, config, bare).await {
        Ok(ratio) if ratio <= RATIO_MAX => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("startup: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(tapline: &PathBuf, config: &PathBuf, bare: &PathBuf) -> std::io::Result<f64> {
    let config = std::fs::canonicalize(config)?.display().to_string();
    let mut full = Extension::new(std::fs::canonicalize(tapline)?);
    full.env = vec![("TAPLINE_CONFIG".to_owned(), config)];
    let bare = Extension::new(std::fs::canonicalize(bare)?);
    let (mut times, mut times_bare) = (Vec::new(), Vec::new());
    for pair in 0..PAIRS + PAIRS_WARM {
        let (time, time_bare) = (start(&full).await?, start(&bare).await?);
        if pair >= PAIRS_WARM {
            times.push(time);
            times_bare.push(time_bare);
        }
    }
    let (time, time_bare) = (quartile(times), quartile(times_bare));
    let ratio = time.as_secs_f64() / time_bare.as_secs_f64();
    println!(
        "start-up, exec to first next, lower quartile of {PAIRS}: tapline {time:.2?}, bare tokio {time_bare:.2?}, \
         ratio {ratio:.2} (at most {RATIO_MAX:.1})"
    );
    Ok(ratio)
}

/// One cold start and a shutdown; gives the time from exec to the first `next`.
async fn start(extension: &Extension) -> std::io::Result<Duration> {
    let mut lambda = Lambda::start(Settings {
        extensions: vec![extension.clone()],
        ..Settings::default()
    })
    .await?;
    let outcome = lambda.init().await;
    lambda.shutdown(Reason::Spindown).await;
    let first = outcome.extensions.first();
    first
        .and_then(|extension| extension.ready_after)
        .ok_or_else(|| std::io::Error::other(format!("it did not start: {outcome:?}")))
}

fn quartile(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 4]
}
