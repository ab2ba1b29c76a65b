//! The group and the stream: their names, and making them where they are missing.

use std::rc::Rc;

use tapline_core::batch::{Batch, Instance, Record};
use tapline_core::invocation::Invocations;
use tapline_core::json;
use tapline_core::sink::Call;
use tapline_core::template::{Moment, Template};
use tapline_core::view::{Scratch, Surroundings, View};

/// Longest name of a group or a stream, in characters.
///
/// Source: <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html>, read
/// 2026-11-25.
const NAME_CHARACTERS_MAX: usize = 512;

/// Where records go, as the configuration says it.
#[derive(Debug)]
pub(super) struct Target {
    pub group: Template,
    pub stream: Template,
    /// Days that a group which Tapline makes keeps its events.
    pub retention_days: Option<i64>,
    /// Of a group that Tapline makes: `STANDARD`, `INFREQUENT_ACCESS`.
    pub class: &'static str,
    /// ARN of the key that a group which Tapline makes is encrypted with.
    pub kms_key: Option<String>,
    /// Tags of a group that Tapline makes.
    pub tags: Vec<(String, String)>,
    /// The JSON of `entity`; none after CloudWatch refused it.
    pub entity: Option<String>,
    names: Option<Names>,
}

/// Names that are used for the life of an environment.
#[derive(Debug, Clone)]
pub(super) struct Names {
    instance: Instance,
    pub group: String,
    pub stream: String,
    /// The request's JSON as far as its events.
    pub head: Rc<[u8]>,
}

impl Target {
    pub fn new(group: Template, stream: Template) -> Target {
        Target {
            group,
            stream,
            retention_days: None,
            class: "STANDARD",
            kms_key: None,
            tags: Vec::new(),
            entity: None,
            names: None,
        }
    }

    /// The names, made with the first record and again when the environment is another: after a restore.
    pub fn names(&mut self, call: &Call<'_>, first: (&Batch, &Record)) -> Names {
        let instance = *first.0.instance();
        if let Some(names) = self
            .names
            .as_ref()
            .filter(|names| names.instance == instance)
        {
            return names.clone();
        }
        let group = render(&self.group, call, first, is_of_group);
        let stream = render(&self.stream, call, first, is_of_stream);
        let names = Names {
            instance,
            head: self.head(&group, &stream),
            group,
            stream,
        };
        self.names.insert(names).clone()
    }

    /// Leaves the entity out from now on. The names stay: a date in them is that of the first record.
    pub fn drop_entity(&mut self) {
        self.entity = None;
        if let Some(mut names) = self.names.take() {
            names.head = self.head(&names.group, &names.stream);
            self.names = Some(names);
        }
    }

    fn head(&self, group: &str, stream: &str) -> Rc<[u8]> {
        let mut head = b"{\"logGroupName\":".to_vec();
        json::quote_into(group.as_bytes(), &mut head);
        head.extend_from_slice(b",\"logStreamName\":");
        json::quote_into(stream.as_bytes(), &mut head);
        if let Some(entity) = &self.entity {
            head.extend_from_slice(b",\"entity\":");
            head.extend_from_slice(entity.as_bytes());
        }
        head.extend_from_slice(b",\"logEvents\":[");
        head.into()
    }

    /// The body of CreateLogGroup.
    pub fn group_request(&self, names: &Names) -> Vec<u8> {
        let mut body = b"{\"logGroupName\":".to_vec();
        json::quote_into(names.group.as_bytes(), &mut body);
        if self.class != "STANDARD" {
            body.extend_from_slice(b",\"logGroupClass\":");
            json::quote_into(self.class.as_bytes(), &mut body);
        }
        if let Some(key) = &self.kms_key {
            body.extend_from_slice(b",\"kmsKeyId\":");
            json::quote_into(key.as_bytes(), &mut body);
        }
        if !self.tags.is_empty() {
            body.extend_from_slice(b",\"tags\":");
            object_into(&self.tags, &mut body);
        }
        body.push(b'}');
        body
    }

    /// The body of CreateLogStream.
    pub fn stream_request(names: &Names) -> Vec<u8> {
        let pairs = [
            ("logGroupName".to_owned(), names.group.clone()),
            ("logStreamName".to_owned(), names.stream.clone()),
        ];
        let mut body = Vec::new();
        object_into(&pairs, &mut body);
        body
    }

    /// The body of PutRetentionPolicy, where there is something to set.
    pub fn retention_request(&self, names: &Names) -> Option<Vec<u8>> {
        let days = self.retention_days?;
        let mut body = b"{\"logGroupName\":".to_vec();
        json::quote_into(names.group.as_bytes(), &mut body);
        body.extend_from_slice(format!(",\"retentionInDays\":{days}}}").as_bytes());
        Some(body)
    }
}

/// Appends a JSON object of texts.
pub(super) fn object_into(pairs: &[(String, String)], out: &mut Vec<u8>) {
    out.push(b'{');
    for (position, (key, value)) in pairs.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        json::quote_into(key.as_bytes(), out);
        out.push(b':');
        json::quote_into(value.as_bytes(), out);
    }
    out.push(b'}');
}

/// A name for the first record; characters that it may not have become `_`.
fn render(
    template: &Template,
    call: &Call<'_>,
    (batch, record): (&Batch, &Record),
    is_legal: fn(char) -> bool,
) -> String {
    let (invocations, scratch) = (Invocations::default(), Scratch::default());
    let around = Surroundings {
        facts: call.facts,
        invocations: &invocations,
        scratch: &scratch,
    };
    let time = tapline_core::time::parse_rfc3339_ms(batch.bytes(record.time));
    let moment = Moment {
        time_ms: time.unwrap_or(batch.arrived_ms()),
        seq: 0,
    };
    let mut bytes = Vec::new();
    template.render(&View::new(batch, record, around), &moment, &mut bytes);
    String::from_utf8_lossy(&bytes)
        .chars()
        .take(NAME_CHARACTERS_MAX)
        .map(|letter| if is_legal(letter) { letter } else { '_' })
        .collect()
}

fn is_of_group(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "_-/.#".contains(letter)
}

fn is_of_stream(letter: char) -> bool {
    letter != ':' && letter != '*' && !letter.is_control()
}
