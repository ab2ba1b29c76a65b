//! What the platform tells about the environment and its invocations, typed. Decoded only in `extension`.

/// How an invocation, an init or a restore ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The runtime went on to its next invocation; the handler may still have thrown.
    Success,
    /// The sandbox failed.
    Failure,
    /// The runtime, the function or an extension failed.
    Error,
    /// The function's timeout passed.
    Timeout,
}

impl Status {
    /// The platform's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Success => "success",
            Status::Failure => "failure",
            Status::Error => "error",
            Status::Timeout => "timeout",
        }
    }

    /// The status that a word names.
    pub fn from_word(word: &str) -> Option<Status> {
        [
            Status::Success,
            Status::Failure,
            Status::Error,
            Status::Timeout,
        ]
        .into_iter()
        .find(|status| status.as_str().eq_ignore_ascii_case(word))
    }
}

/// One platform event, with what Tapline uses of it. All fields but the kind may be missing on the wire.
#[derive(Debug, Clone, PartialEq)]
pub enum PlatformEvent {
    /// The environment is being initialised (or, in phase `invoke`, once more).
    InitStart {
        /// `on-demand`, `provisioned-concurrency`, `snap-start` or `lambda-managed-instances`.
        init_type: Option<String>,
        /// The phase is `invoke`: a repeated init after a reset.
        suppressed: bool,
        /// The log stream of the environment.
        log_stream: Option<String>,
    },
    /// Init is over.
    InitReport {
        /// How it ended.
        status: Option<Status>,
        /// How long it took, in milliseconds.
        duration_ms: Option<f64>,
    },
    /// A snapshot was resumed.
    RestoreStart {
        /// The log stream of the resumed environment.
        log_stream: Option<String>,
    },
    /// An invocation began.
    Start {
        /// Its request id.
        request_id: String,
        /// The X-Ray header.
        trace: Option<String>,
    },
    /// The runtime is done with an invocation.
    RuntimeDone {
        /// Its request id.
        request_id: String,
        /// How it ended.
        status: Option<Status>,
        /// How long it took, in milliseconds.
        duration_ms: Option<f64>,
        /// When, in milliseconds since 1970; `None` when the time could not be read.
        time_ms: Option<i64>,
    },
    /// The invocation is over for every extension too.
    Report {
        /// Its request id.
        request_id: String,
        /// How it ended.
        status: Option<Status>,
        /// How long it took, in milliseconds.
        duration_ms: Option<f64>,
    },
    /// The platform dropped records before they reached Tapline.
    LogsDropped {
        /// How many.
        records: u64,
    },
    /// Any other.
    Other,
}
