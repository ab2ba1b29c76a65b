//! The keys of the file that belong to no kind: those of the file itself, and those that all transforms and all sinks
//! have. Reading, the reference configuration and its test share them.

use std::time::Duration;

use tapline_core::config::{Field, FieldKind, Fields};
use tapline_core::queue::Overflow;

const MIB: u64 = 1 << 20;

/// The keys of the file.
pub const ROOT: Fields = &[
    Field {
        name: "version",
        kind: FieldKind::Integer {
            min: i64::MIN,
            max: i64::MAX,
        },
        default: "1",
        required: false,
        doc: "Version of this format. There is only 1.",
    },
    Field {
        name: "memory",
        kind: FieldKind::Size {
            min: MIB,
            max: 10 << 30,
        },
        default: "",
        required: false,
        doc: "Most memory that is held: bodies, queues, retries, encoders. 1MiB to 10GiB. Without it 10 % of the \
              function's memory, at least 4MiB and at most 32MiB; 32MiB outside of Lambda. More keeps more records \
              through an outage of a destination; it is memory that the function does not have.",
    },
    Field {
        name: "locked",
        kind: FieldKind::Any,
        default: "",
        required: false,
        doc: "Not in this version: what a later file may not change.",
    },
    Field {
        name: "receiver",
        kind: FieldKind::Table(RECEIVER),
        default: "{}",
        required: false,
        doc: "What comes in from the platform.",
    },
    Field {
        name: "flush",
        kind: FieldKind::Table(FLUSH),
        default: "{}",
        required: false,
        doc: "When records leave.",
    },
    Field {
        name: "transform",
        kind: FieldKind::List(&FieldKind::Any),
        default: "",
        required: false,
        doc: "What is done to records, in the order of the file.",
    },
    Field {
        name: "sink",
        kind: FieldKind::Map(&FieldKind::Any),
        default: "",
        required: false,
        doc: "Where records go, by name. At least one. Each has its own queue, retries and breaker.",
    },
    Field {
        name: "test",
        kind: FieldKind::List(&FieldKind::Any),
        default: "",
        required: false,
        doc: "Not in this version: what `tapline test` runs.",
    },
];

/// The keys of `[receiver]`.
pub const RECEIVER: Fields = &[
    Field {
        name: "api",
        kind: FieldKind::Choice(&["telemetry", "logs"]),
        default: "\"telemetry\"",
        required: false,
        doc: "Which API of Lambda delivers: `telemetry`, or the older `logs`. Where only one answers, that one is used.",
    },
    Field {
        name: "types",
        kind: FieldKind::List(&FieldKind::Choice(&["platform", "function", "extension"])),
        default: "[\"platform\", \"function\"]",
        required: false,
        doc: "Sources whose records reach the transforms and sinks: `platform`, `function`, `extension`. Platform \
              events are always received, since the rest depends on them; where they are not named here they count \
              as filtered.",
    },
    Field {
        name: "platform_format",
        kind: FieldKind::Choice(&["json", "text"]),
        default: "\"json\"",
        required: false,
        doc: "How platform events are given out. `json`: as the API delivers them; `text`: as the START, END, REPORT \
              and other lines that Lambda writes to CloudWatch Logs, for metric filters that look for them.",
    },
    Field {
        name: "env",
        kind: FieldKind::List(&FieldKind::Text),
        default: "[]",
        required: false,
        doc: "Variables of the environment that expressions and templates may use as `env.NAME`. Their values may \
              then leave with the records.",
    },
];

/// The keys of `[flush]`.
pub const FLUSH: Fields = &[
    Field {
        name: "strategy",
        kind: FieldKind::Choice(&["adaptive", "end", "periodic", "continuous"]),
        default: "\"adaptive\"",
        required: false,
        doc: "When to send. `end`: at the end of each invocation, which is held for it; `adaptive`: in this version the \
              same; `periodic`: every `interval` while invocations come; `continuous`: as records come. The last two \
              hold nothing.",
    },
    Field {
        name: "interval",
        kind: FieldKind::Duration {
            min: Duration::from_secs(1),
            max: Duration::from_secs(600),
        },
        default: "\"20s\"",
        required: false,
        doc: "Longest time that a record waits while an invocation runs, or others keep following. 1s to 10m. Shorter \
              loses less when Lambda kills the environment; longer sends fewer requests.",
    },
    Field {
        name: "max_hold",
        kind: FieldKind::Duration {
            min: Duration::ZERO,
            max: Duration::from_secs(10),
        },
        default: "\"500ms\"",
        required: false,
        doc: "Longest time that one invocation is held to send after the function is done. 0s to 10s. The held time \
              is billed and the environment takes no other invocation in it; with 0s records wait for the next event.",
    },
    Field {
        name: "deadline_margin",
        kind: FieldKind::Duration {
            min: Duration::from_millis(50),
            max: Duration::from_secs(10),
        },
        default: "\"500ms\"",
        required: false,
        doc: "Time before an invocation's deadline that is left to the platform. 50ms to 10s, and never more than \
              10 % of the function's timeout.",
    },
];

/// The keys that every transform has.
pub const TRANSFORM: Fields = &[
    Field {
        name: "type",
        kind: FieldKind::Text,
        default: "",
        required: true,
        doc: "The kind of transform, for example `\"filter\"`.",
    },
    Field {
        name: "name",
        kind: FieldKind::Text,
        default: "",
        required: false,
        doc: "Its name, for messages and for the `after` of a sink. Letters, digits, `_` and `-`, at most 64.",
    },
    Field {
        name: "when",
        kind: FieldKind::Expression,
        default: "",
        required: false,
        doc: "It looks only at records for which this expression holds; others pass unchanged.",
    },
    Field {
        name: "enabled",
        kind: FieldKind::Boolean,
        default: "true",
        required: false,
        doc: "With `false` it is checked and left out.",
    },
];

/// The keys that every sink has.
pub const SINK: Fields = &[
    Field {
        name: "type",
        kind: FieldKind::Text,
        default: "",
        required: true,
        doc: "The kind of sink, for example `\"console\"`.",
    },
    Field {
        name: "when",
        kind: FieldKind::Expression,
        default: "",
        required: false,
        doc: "It takes only records for which this expression holds; others count as filtered.",
    },
    Field {
        name: "after",
        kind: FieldKind::Text,
        default: "",
        required: false,
        doc: "Name of a transform: the sink takes what has passed that one, not what follows it. Without it, what has \
              passed all.",
    },
    Field {
        name: "unredacted",
        kind: FieldKind::Boolean,
        default: "false",
        required: false,
        doc: "Lets the sink take records that no `redact` has seen, though the file has one.",
    },
    Field {
        name: "timeout",
        kind: FieldKind::Duration {
            min: Duration::from_millis(10),
            max: Duration::from_secs(300),
        },
        default: "\"5s\"",
        required: false,
        doc: "Longest time for one request. 10ms to 5m; time in the freezer does not count.",
    },
    Field {
        name: "retry",
        kind: FieldKind::Table(RETRY),
        default: "{}",
        required: false,
        doc: "How a failed request is repeated.",
    },
    Field {
        name: "breaker",
        kind: FieldKind::Table(BREAKER),
        default: "{}",
        required: false,
        doc: "When the sink is not waited for any more.",
    },
    Field {
        name: "queue",
        kind: FieldKind::Table(QUEUE),
        default: "{}",
        required: false,
        doc: "What waits for the sink.",
    },
    Field {
        name: "bytes_per_hour",
        kind: FieldKind::Text,
        default: "\"none\"",
        required: false,
        doc: "Most bytes that one environment sends within any hour: record text before encoding, repeats included. \
              64KiB to 1TiB, or `\"none\"`. What is over it waits in the queue.",
    },
    Field {
        name: "dead_letter",
        kind: FieldKind::Text,
        default: "",
        required: false,
        doc: "Name of the sink that takes over what this one could not deliver, with sink, reason and attempts as \
              attributes.",
    },
];

const RETRY: Fields = &[Field {
    name: "max_attempts",
    kind: FieldKind::Integer { min: 1, max: 100 },
    default: "4",
    required: false,
    doc: "Attempts over a batch's whole life. 1 to 100. Waits between them grow, with jitter, and what the \
          destination asks for is honoured; those of an open breaker do not count.",
}];

const BREAKER: Fields = &[Field {
    name: "strikes",
    kind: FieldKind::Integer { min: 1, max: 100 },
    default: "3",
    required: false,
    doc: "Failures in a row after which the sink is only probed, and no invocation is held for it. 1 to 100.",
}];

const QUEUE: Fields = &[
    Field {
        name: "bytes",
        kind: FieldKind::Size {
            min: 64 << 10,
            max: 1 << 30,
        },
        default: "\"4MiB\"",
        required: false,
        doc: "Most bytes that wait. 64KiB to 1GiB. All queues together get at most three quarters of `memory`; they \
              shrink in proportion to fit.",
    },
    Field {
        name: "overflow",
        kind: FieldKind::Choice(&Overflow::WORDS),
        default: "\"drop_lowest\"",
        required: false,
        doc: "What goes when it is full: `drop_newest`, `drop_oldest`, or `drop_lowest`, which spares errors and \
              platform events for as long as there is anything else.",
    },
];
