//! `tapline simulate` as a function.

use std::time::Duration;

use tapline::cli::simulate::{SimulateOptions, Verdict, simulate};
use tapline::local::clock;

use super::helper;

/// The standard life with an extension that keeps books: all is well, in a few seconds.
#[tokio::test]
async fn the_standard_life_is_good() {
    let began = clock::now();
    let mut out = Vec::new();
    let options = SimulateOptions {
        config: helper("double"),
        extension: Some(helper("double")),
        ..SimulateOptions::default()
    };
    let verdict = simulate(options, &mut out)
        .await
        .expect("the files are there");
    let text = String::from_utf8(out).expect("text");
    assert_eq!(verdict, Verdict::Good, "{text}");
    println!("{text}");
    assert!(began.elapsed() < Duration::from_secs(15));
    for expected in [
        "the function times out",
        "Shutdown (timeout)",
        "sink out: ",
        "card 4111",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
}

/// With a real function; and with an extension that prints no ledger.
#[tokio::test]
async fn a_simulation_tells_good_from_bad() {
    let command = vec![
        "python3".to_owned(),
        helper("runtime.py").display().to_string(),
    ];
    let options = SimulateOptions {
        config: helper("double"),
        extension: Some(helper("double")),
        command,
        ..SimulateOptions::default()
    };
    let mut out = Vec::new();
    let verdict = simulate(options.clone(), &mut out)
        .await
        .expect("the files are there");
    let text = String::from_utf8_lossy(&out).into_owned();
    assert_eq!(verdict, Verdict::Good, "{text}");
    assert!(text.contains("handling "), "{text}");

    let options = SimulateOptions {
        extension: Some(helper("extension.py")),
        ..options
    };
    let mut out = Vec::new();
    let verdict = simulate(options, &mut out)
        .await
        .expect("the files are there");
    assert_eq!(verdict, Verdict::Bad);
    assert!(String::from_utf8_lossy(&out).contains("printed no ledger"));
}
