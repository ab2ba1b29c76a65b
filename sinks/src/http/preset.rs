//! What a preset is: a row with its options, its limits, how it makes a request and how it reads an answer.

use std::ops::Range;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use tapline_core::config::{Fields, Kind, Reader, Secret, Severity, Spanned};
use tapline_core::expr::{Name, Names};
use tapline_core::sink::{Outcome, Selection};
use tapline_core::template::{Allow, Template};

use super::body::{Body, Limits};
use super::encode::Framing;
use super::target::{Piece, Target};
use crate::shared::headers;
use crate::shared::http::Answer;
use crate::shared::late::LateHeaders;
use crate::shared::signed::Signed;

/// A service that is known by its name.
pub(super) struct Preset {
    /// The word in `preset`.
    pub name: &'static str,
    /// The keys of `options`.
    pub options: Fields,
    pub content_type: &'static str,
    /// What it undoes, beside `none`.
    pub compressions: &'static [&'static str],
    pub limits: Limits,
    pub read: fn(&Options<'_>) -> Option<Form>,
    /// What an answer means for the records that were sent.
    pub judge: fn(&Answer, &Selection, i64) -> Outcome,
}

/// What a preset makes of its options.
pub(super) struct Form {
    /// Where requests go if `url` is left out, and the option that says so.
    pub base: Option<(String, Range<usize>)>,
    pub target: Target,
    /// The same on every request.
    pub headers: HeaderMap,
    /// Rendered for every request; left out where that gives nothing.
    pub rendered: Vec<(HeaderName, Piece)>,
    pub body: Writer,
    /// In place of the row's, where the server can be told.
    pub record_bytes_max: Option<usize>,
    /// Headers that come later.
    pub late: LateHeaders,
    /// Signs every request.
    pub signed: Option<Signed>,
}

/// What writes the body.
pub(super) enum Writer {
    /// One of the framings of a sink without a preset.
    Framing(Framing),
    Own(Box<dyn Body>),
}

impl Form {
    /// A form with nothing but a body.
    pub fn new(body: impl Body + 'static) -> Form {
        Form::of(Writer::Own(Box::new(body)))
    }

    /// A form with nothing but what writes the body.
    pub fn of(body: Writer) -> Form {
        Form {
            base: None,
            target: Target::default(),
            headers: HeaderMap::new(),
            rendered: Vec::new(),
            body,
            record_bytes_max: None,
            late: LateHeaders::default(),
            signed: None,
        }
    }

    /// With a path behind a base.
    #[must_use]
    pub fn at(mut self, path: &'static str) -> Form {
        self.target.path = vec![path.into()];
        self
    }

    /// With a header that holds a credential, where there is one.
    #[must_use]
    pub fn with_credential(mut self, name: &'static str, credential: Option<Credential>) -> Form {
        match credential {
            None => self,
            Some(Credential::Known(value)) => self.with_header(name, Some(value)),
            Some(Credential::Late { secret, prefix }) => {
                self.late.add_behind(name, secret, prefix);
                self
            }
        }
    }

    /// With a header, where there is one.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: Option<HeaderValue>) -> Form {
        if let Some(value) = value {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }
}

/// The value of a header that lets us in.
pub(super) enum Credential {
    /// It is there.
    Known(HeaderValue),
    /// It comes later, from AWS.
    Late { secret: Secret, prefix: String },
}

/// Keys that Tapline writes for every record.
const KEYS: [&str; 7] = [
    "id",
    "type",
    "level",
    "message",
    "request_id",
    "trace_id",
    "span_id",
];

/// Names that only the pipeline knows the value of, as sinks do not follow invocations.
const NAMES_OF_INVOCATIONS: [Name; 5] = [
    Name::Status,
    Name::Failed,
    Name::ColdStart,
    Name::Duration,
    Name::XrayTraceId,
];

/// The options of a sink, and what they are read with.
pub(super) struct Options<'a> {
    /// The table `options`.
    pub reader: Reader<'a>,
    /// The table of the sink.
    pub sink: &'a Reader<'a>,
    pub names: Names<'a>,
    pub preset: &'static str,
}

impl Options<'_> {
    /// A template that is there, by default if not in the file.
    pub fn template(&self, key: &str, allow: Allow) -> Option<Template> {
        self.parse(&self.reader.text(key)?, allow)
    }

    /// A template that may be left out. The outer `None` after it reported what is wrong.
    pub fn optional(&self, key: &str, allow: Allow) -> Option<Option<Template>> {
        if self.reader.has(key) {
            return self.template(key, allow).map(Some);
        }
        Some(None)
    }

    /// Templates with free keys; `default` where the key is left out.
    pub fn templates(
        &self,
        key: &str,
        default: &[(&str, &str)],
        allow: Allow,
    ) -> Option<Vec<(String, Template)>> {
        if !self.reader.has(key) {
            let parsed = default.iter().map(|(key, text)| {
                let template = Template::parse(text, &self.names, allow).ok();
                template.map(|template| ((*key).to_owned(), template))
            });
            return parsed.collect();
        }
        let pairs = self.reader.map_of_text(key);
        let all = self.reader.map(key).len();
        let parsed: Vec<_> = pairs
            .iter()
            .filter_map(|(key, source)| Some((key.value.clone(), self.parse(source, allow)?)))
            .collect();
        (parsed.len() == all).then_some(parsed)
    }

    /// Fields of every record: the option `fields`, by default the function's name.
    pub fn fields(&self) -> Option<Vec<(String, Template)>> {
        self.fields_or(&[("function", "{function.name}")])
    }

    /// The same with another default.
    pub fn fields_or(&self, default: &[(&str, &str)]) -> Option<Vec<(String, Template)>> {
        let fields = self.templates("fields", default, Allow::Record);
        let mut right = true;
        for (key, _) in self.reader.map("fields") {
            if KEYS.contains(&key.value.as_str()) {
                let message = format!("the field `{}` is set by Tapline alone", key.value);
                self.reader
                    .error(key.span, message, "choose another name for it");
                right = false;
            }
        }
        fields.filter(|_| right)
    }

    fn parse(&self, source: &Spanned<String>, allow: Allow) -> Option<Template> {
        let template = match Template::parse(&source.value, &self.names, allow) {
            Ok(template) => template,
            Err(problems) => {
                for problem in problems {
                    let span = self.reader.inside(source, problem.span);
                    self.reader.error(span, problem.message, problem.help);
                }
                return None;
            }
        };
        let mut unknown = None;
        template.visit_names(&mut |name| {
            if NAMES_OF_INVOCATIONS.contains(name) {
                unknown = Some(name.to_string());
            }
        });
        if let Some(name) = unknown {
            let message = format!("a sink does not know `{name}`, which belongs to the invocation");
            let help =
                format!("set it by an `enrich` before: `set = {{ {name} = \"{{{name}}}\" }}`");
            self.reader.error(source.span.clone(), message, help);
            return None;
        }
        Some(template)
    }

    /// A credential that is sent as a header, unless `headers` or `auth` set that one. The outer `None` after it
    /// reported what is wrong.
    pub fn credential(
        &self,
        key: &str,
        header: &'static str,
        prefix: &str,
    ) -> Option<Option<Credential>> {
        if !self.reader.has(key) && !self.is_set(header) {
            let message = format!("`{}` lacks the option `{key}`", self.preset);
            let help =
                format!("add `options = {{ {key} = {{ env = \"NAME\" }} }}`, sent as `{header}`");
            let span = self.reader.header();
            self.reader
                .report(Severity::Error, Kind::Missing, span, message, help);
            return None;
        }
        self.optional_credential(key, header, prefix)
    }

    /// A credential that may be left out.
    pub fn optional_credential(
        &self,
        key: &str,
        header: &'static str,
        prefix: &str,
    ) -> Option<Option<Credential>> {
        let Some(span) = self.reader.key_span(key) else {
            return Some(None);
        };
        if self.is_set(header) {
            let message = format!("`{key}` and `headers` or `auth` both set `{header}`");
            self.reader.error(span, message, "leave out one of them");
            return None;
        }
        let secret = self.reader.any_secret(key)?;
        if secret.value.waits_for().is_some() {
            let (secret, prefix) = (secret.value, prefix.to_owned());
            return Some(Some(Credential::Late { secret, prefix }));
        }
        let text = format!("{prefix}{}", secret.value.expose());
        let what = format!("`{key}`");
        let value = headers::value(&self.reader, &what, text.as_bytes(), &secret)?;
        Some(Some(Credential::Known(value)))
    }

    /// Whether the sink's table sets a header.
    fn is_set(&self, header: &'static str) -> bool {
        let by_auth = header == "authorization" && self.sink.has("auth");
        let names = self.sink.map("headers").into_iter();
        let mut names = names.map(|(name, _)| name.value);
        by_auth || names.any(|name| name.eq_ignore_ascii_case(header))
    }

    /// The base that an option stands for, which must be a host's name or a part of one; it cannot be there together
    /// with `url`. `None` after it reported what is wrong.
    pub fn host(
        &self,
        key: &str,
        prefix: &str,
        suffix: &str,
    ) -> Option<Option<(String, Range<usize>)>> {
        let has_url = self.sink.has("url");
        if let (true, Some(span)) = (has_url, self.reader.key_span(key)) {
            let message = format!("`url` and `{key}` both say where requests go");
            self.reader.error(span, message, "leave out one of them");
            return None;
        }
        if has_url {
            return Some(None);
        }
        let host = self.reader.text(key)?;
        let in_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
        if host.value.is_empty() || !host.value.bytes().all(in_name) {
            let help = "write a host's name or the part of one, without `https://` and path";
            self.reader
                .error(host.span, format!("`{key}` is no host's name"), help);
            return None;
        }
        Some(Some((format!("{prefix}{}{suffix}", host.value), host.span)))
    }

    /// The word of a choice that stands for a base; it cannot be there together with `url`.
    pub fn region(&self, key: &str) -> Option<Spanned<&'static str>> {
        if let (true, Some(span)) = (self.sink.has("url"), self.reader.key_span(key)) {
            let message = format!("`url` and `{key}` both say where requests go");
            self.reader.error(span, message, "leave out one of them");
            return None;
        }
        self.reader.choice(key)
    }

    /// Refuses texts that are empty.
    pub fn not_empty(&self, text: &Spanned<String>, key: &str) -> Option<()> {
        if text.value.is_empty() {
            let message = format!("`{key}` is empty");
            self.reader
                .error(text.span.clone(), message, "write a name, or leave it out");
            return None;
        }
        Some(())
    }
}
