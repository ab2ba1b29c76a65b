//! The tables of the Extensions API and of the Runtime API, call by call.

use super::*;

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

fn started() -> State {
    let mut state = State::new(false, None);
    state.begin_init();
    state
        .agents
        .push(Agent::external("tap".into(), Stage::Started));
    state
}

fn both() -> Vec<String> {
    vec!["INVOKE".into(), "SHUTDOWN".into()]
}

fn kind<T>(outcome: Result<T, Refusal>) -> &'static str {
    outcome.map_or_else(|refusal| refusal.kind, |_| "accepted")
}

#[test]
fn registration_follows_its_table() {
    let mut state = started();
    assert_eq!(
        kind(state.register("", &both())),
        "Extension.InvalidExtensionName"
    );
    assert_eq!(
        kind(state.register("tap", &["START".into()])),
        "Extension.InvalidEventType"
    );
    let first = state.register("tap", &both()).expect("it was started");
    assert!(clock::is_uuid(&first));
    let twice = state.register("tap", &both()).expect_err("registered");
    assert_eq!(twice.kind, "Extension.InvalidExtensionState");
    assert!(
        twice
            .message
            .starts_with("State transition from Registered to Registered failed")
    );
    let internal = state.register("other", &both()).expect_err("internal");
    assert_eq!(
        internal.message,
        "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension"
    );
    assert_eq!(kind(state.register("other", &[])), "accepted");
    assert_eq!(
        kind(state.register("other", &[])),
        "Extension.InvalidExtensionState"
    );
    for number in 0..8 {
        assert_eq!(kind(state.register(&format!("n{number}"), &[])), "accepted");
    }
    assert_eq!(
        kind(state.register("eleventh", &[])),
        "Extension.TooManyExtensions"
    );
    state.registration_open = false;
    assert_eq!(
        kind(state.register("late", &[])),
        "Extension.RegistrationClosed"
    );
    state.begin_init();
    assert_eq!(
        kind(state.ready(Some(&first))),
        "Extension.UnknownExtensionIdentifier"
    );
}

#[test]
fn next_follows_its_table() {
    let mut state = started();
    let id = state.register("tap", &both()).expect("it was started");
    let id = Some(id.as_str());
    assert_eq!(
        kind(state.ready(None)),
        "Extension.MissingExtensionIdentifier"
    );
    assert_eq!(
        kind(state.ready(Some("x"))),
        "Extension.InvalidExtensionIdentifier"
    );
    assert_eq!(
        kind(state.ready(Some(NOBODY))),
        "Extension.UnknownExtensionIdentifier"
    );
    assert_eq!(kind(state.ready(id)), "accepted");
    assert_eq!(
        kind(state.ready(id)),
        "Extension.InvalidExtensionState",
        "two at a time"
    );
    assert_eq!(
        kind(state.report_error(id, Stage::InitError, Some("E"))),
        "Extension.InvalidExtensionState"
    );
    assert!(state.all_ready());
    state.release(0, Bytes::from_static(b"INVOKE"));
    assert!(!state.all_done());
    assert_eq!(state.fetch(id), Ok(Some(Bytes::from_static(b"INVOKE"))));
    // SHUTDOWN comes while it is busy, and waits for it.
    state.release(0, Bytes::from_static(b"SHUTDOWN"));
    assert_eq!(kind(state.ready(id)), "accepted");
    assert_eq!(state.fetch(id), Ok(Some(Bytes::from_static(b"SHUTDOWN"))));
}

#[test]
fn errors_are_recorded_and_fail_at_the_exit() {
    for (stage, fatal) in [
        (Stage::InitError, "Extension.InitError"),
        (Stage::ExitError, "Extension.ExitError"),
    ] {
        let mut state = started();
        let id = state.register("tap", &both()).expect("it was started");
        let id = Some(id.as_str());
        assert_eq!(
            kind(state.report_error(id, stage, None)),
            "Extension.MissingHeader"
        );
        assert_eq!(
            kind(state.report_error(id, stage, Some("Extension.Why"))),
            "accepted"
        );
        assert_eq!(
            kind(state.report_error(id, stage, Some("Extension.Why"))),
            "accepted"
        );
        assert_eq!(kind(state.ready(id)), "Extension.InvalidExtensionState");
        assert_eq!(state.fatal, None);
        state.exited(
            1,
            Some("tap"),
            Exit {
                code: Some(0),
                signal: None,
            },
        );
        assert_eq!(
            state.fatal.as_ref().map(|found| found.kind.as_str()),
            Some(fatal)
        );
        assert_eq!(state.agents[0].error_type.as_deref(), Some("Extension.Why"));
        // The first fault counts, and exits of an older generation do not.
        state.exited(
            1,
            None,
            Exit {
                code: None,
                signal: Some(9),
            },
        );
        assert_eq!(state.fatal.map(|found| found.kind), Some(fatal.to_owned()));
    }
    let mut state = started();
    state.exited(
        0,
        Some("tap"),
        Exit {
            code: Some(1),
            signal: None,
        },
    );
    assert_eq!(state.fatal, None);
}

#[test]
fn the_runtime_follows_its_table() {
    let mut runtime = Runtime::new();
    let now = clock::now();
    let answer = || Answer {
        result: Ok(Bytes::new()),
        first_byte_at: now,
        last_byte_at: now,
    };
    assert_eq!(kind(runtime.answer("a", answer())), "InvalidRequestID");
    assert_eq!(kind(runtime.ready()), "accepted");
    assert_eq!(kind(runtime.init_error()), "InvalidStateTransition");
    runtime.release(Work {
        request_id: "a".into(),
        ..Work::default()
    });
    assert_eq!(
        kind(runtime.ready()),
        "accepted",
        "the same invocation again"
    );
    assert_eq!(runtime.stage, RuntimeStage::Running);
    assert_eq!(kind(runtime.answer("b", answer())), "InvalidRequestID");
    assert_eq!(kind(runtime.answer("a", answer())), "accepted");
    let twice = runtime.answer("a", answer()).expect_err("answered");
    assert_eq!((twice.status, twice.kind), (403, "InvalidStateTransition"));
    assert!(!runtime.done());
    assert_eq!(kind(runtime.ready()), "accepted");
    assert!(runtime.done());
}
