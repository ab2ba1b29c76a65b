//! Checking values against the kinds of their fields.

use std::ops::Range;
use std::time::Duration;

use super::diagnostic::{Kind, Scope, Severity};
use super::document::{Context, Document};
use super::field::{FieldKind, Fields, words_list};
use super::hide::{self, Marks};
use super::interpolate::{interpolate, variable};
use super::reader::Reader;
use super::secret::Secret;
use super::value::{Data, Entry, Spanned, Value};
use crate::suggest::closest;
use crate::units;

/// A scalar that has passed the checks of its kind.
#[derive(Debug)]
pub(super) enum Typed {
    Boolean(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    Choice(&'static str),
    Size(u64),
    Duration(Duration),
    Secret(Secret),
}

impl Reader<'_> {
    /// Reports everything that is wrong in this table, the tables in it included: unknown keys, required keys that are
    /// absent, and values that no getter has read. What a getter has reported is not said twice.
    pub fn finish(&self) {
        for field in self.fields() {
            if let Some(entry) = self.present(field) {
                self.check_entry(&field.kind, entry);
            }
        }
        for entry in self.entries {
            if !self.fields().any(|field| field.name == entry.key.value) {
                self.unknown_key(entry);
            }
        }
    }

    fn check_entry(&self, kind: &FieldKind, entry: &Entry) {
        match (kind, &entry.value.data) {
            (FieldKind::Table(fields), _) => {
                if let Some(reader) = self.shorter().child(entry, kind, fields) {
                    reader.finish();
                }
            }
            (FieldKind::Map(kind), Data::Table(entries)) => {
                entries
                    .iter()
                    .for_each(|entry| self.check_entry(kind, entry));
            }
            _ => self.check_value(&entry.key.value, kind, &entry.value),
        }
    }

    /// Checks a value of any kind; `name` is what messages call it.
    pub(super) fn check_value(&self, name: &str, kind: &FieldKind, value: &Value) {
        match (kind, &value.data) {
            (FieldKind::Any, _) => {}
            (FieldKind::List(kind), Data::List(items)) => {
                items
                    .iter()
                    .for_each(|item| self.check_value(name, kind, item));
            }
            (FieldKind::Map(kind), Data::Table(entries)) => {
                entries
                    .iter()
                    .for_each(|entry| self.check_value(&entry.key.value, kind, &entry.value));
            }
            (FieldKind::Table(fields), Data::Table(entries)) => {
                let reader = self.shorter();
                reader
                    .nested(name, value.span.clone(), entries, fields)
                    .finish();
            }
            (FieldKind::List(_) | FieldKind::Map(_) | FieldKind::Table(_), _) => {
                self.wrong_type(name, kind, value);
            }
            _ => {
                self.typed_value(name, kind, value);
            }
        }
    }

    /// The same reader for a borrow that ends earlier: what is checked may be a default that lives on the stack.
    fn shorter(&self) -> Reader<'_> {
        self.clone()
    }

    /// A scalar checked as its kind; reports what is wrong with it.
    pub(super) fn typed_value(
        &self,
        name: &str,
        kind: &FieldKind,
        value: &Value,
    ) -> Option<Spanned<Typed>> {
        let plain = |typed| {
            Some(Spanned {
                value: typed,
                span: value.span.clone(),
                interpolated: false,
            })
        };
        match (kind, &value.data) {
            (FieldKind::Secret | FieldKind::SecretOr(_), Data::Table(entries)) => {
                self.secret_table(name, kind, entries, value)
            }
            (FieldKind::Boolean, Data::Boolean(boolean)) => plain(Typed::Boolean(*boolean)),
            (FieldKind::Integer { .. }, Data::Integer(integer)) => {
                let typed = plain(Typed::Integer(*integer))?;
                self.in_range(name, kind, typed, &integer.to_string())
            }
            (FieldKind::Number { .. }, Data::Number(number)) => {
                let typed = plain(Typed::Number(*number))?;
                self.in_range(name, kind, typed, &number.to_string())
            }
            (FieldKind::Number { .. }, Data::Integer(integer)) => {
                let typed = plain(Typed::Number(*integer as f64))?;
                self.in_range(name, kind, typed, &integer.to_string())
            }
            (FieldKind::Expression | FieldKind::Template | FieldKind::Regex, Data::Text(text)) => {
                self.refuse_variable(kind, text, value)?;
                plain(Typed::Text(text.clone()))
            }
            (_, Data::Text(text)) => self.typed_text(name, kind, text, value),
            _ => {
                self.wrong_type(name, kind, value);
                None
            }
        }
    }

    fn typed_text(
        &self,
        name: &str,
        kind: &FieldKind,
        text: &str,
        value: &Value,
    ) -> Option<Spanned<Typed>> {
        let text = self.interpolated(kind, text, value)?;
        let trimmed = text.value.trim();
        let typed = match kind {
            FieldKind::Text => Typed::Text(text.value.clone()),
            FieldKind::Secret | FieldKind::SecretOr(_) => {
                Typed::Secret(Secret::new(text.value.clone()))
            }
            FieldKind::Choice(words) => {
                let Some(word) = words.iter().find(|word| **word == text.value) else {
                    self.no_such_word(name, words, &text);
                    return None;
                };
                Typed::Choice(word)
            }
            FieldKind::Size { .. } => Typed::Size(self.unit(name, kind, &text, units::size)?),
            FieldKind::Duration { .. } => {
                Typed::Duration(self.unit(name, kind, &text, units::duration)?)
            }
            _ if !text.interpolated => {
                self.wrong_type(name, kind, value);
                return None;
            }
            FieldKind::Boolean => Typed::Boolean(self.parsed(name, kind, trimmed, value)?),
            FieldKind::Integer { .. } => Typed::Integer(self.parsed(name, kind, trimmed, value)?),
            FieldKind::Number { .. } => Typed::Number(self.parsed(name, kind, trimmed, value)?),
            _ => {
                self.wrong_type(name, kind, value);
                return None;
            }
        };
        self.in_range(name, kind, text.with(typed), &text.value)
    }

    /// A value in its range; `shown` is how the file writes it.
    fn in_range(
        &self,
        name: &str,
        kind: &FieldKind,
        typed: Spanned<Typed>,
        shown: &str,
    ) -> Option<Spanned<Typed>> {
        let inside = match (kind, &typed.value) {
            (FieldKind::Integer { min, max }, Typed::Integer(value)) => {
                (min..=max).contains(&value)
            }
            (FieldKind::Number { min, max }, Typed::Number(value)) => (min..=max).contains(&value),
            (FieldKind::Size { min, max }, Typed::Size(value)) => (min..=max).contains(&value),
            (FieldKind::Duration { min, max }, Typed::Duration(value)) => {
                (min..=max).contains(&value)
            }
            _ => true,
        };
        if inside {
            return Some(typed);
        }
        let shown = if typed.interpolated {
            "something else in the environment".to_owned()
        } else {
            format!("`{shown}`")
        };
        let message = format!("`{name}` must be {}, found {shown}", kind.range());
        let help = format!("write a value {}", kind.range());
        let (severity, sort) = (Severity::Error, Kind::OutOfRange);
        self.report(severity, sort, typed.span, message, help);
        None
    }

    fn interpolated(&self, kind: &FieldKind, text: &str, value: &Value) -> Option<Spanned<String>> {
        let written = Spanned {
            value: text.to_owned(),
            span: value.span.clone(),
            interpolated: false,
        };
        match interpolate(text, self.context.environment) {
            Ok((value, interpolated)) => Some(Spanned {
                value,
                interpolated,
                ..written
            }),
            Err(problems) => {
                for problem in problems {
                    let span = self.inside(&written, problem.range);
                    if problem.unset {
                        self.unset(kind, span, problem.message, problem.help);
                    } else {
                        self.error(span, problem.message, problem.help);
                    }
                }
                None
            }
        }
    }

    /// Reports a variable that is unset: an error, but where the component can do without it.
    fn unset(&self, kind: &FieldKind, span: Range<usize>, message: String, help: String) {
        match kind {
            FieldKind::SecretOr(otherwise) => {
                let message = format!("{message}, so that {otherwise}");
                self.report(Severity::Warning, Kind::Unset, span, message, help);
            }
            _ => self.error(span, message, help),
        }
    }

    fn refuse_variable(&self, kind: &FieldKind, text: &str, value: &Value) -> Option<()> {
        let Some((range, variable)) = variable(text) else {
            return Some(());
        };
        let (place, help) = match kind {
            FieldKind::Template => ("a template", format!("write `{{env.{variable}}}`")),
            FieldKind::Expression => ("an expression", format!("write `env.{variable}`")),
            _ => (
                "a regular expression",
                format!("write the pattern out, or compare with `env.{variable}` in an expression"),
            ),
        };
        let written = Spanned {
            value: text.to_owned(),
            span: value.span.clone(),
            interpolated: false,
        };
        let message = format!("`${{{variable}}}` is not replaced in {place}");
        self.error(self.inside(&written, range), message, help);
        None
    }

    fn unit<T>(
        &self,
        name: &str,
        kind: &FieldKind,
        text: &Spanned<String>,
        read: fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        match read(text.value.trim()) {
            Ok(value) => Some(value),
            Err(message) => {
                let wanted = kind.expected();
                let (message, help) = if text.interpolated {
                    (from_environment(name, &wanted), wanted_help(&wanted))
                } else {
                    (format!("`{name}`: {message}"), wanted_help(&wanted))
                };
                self.error(text.span.clone(), message, help);
                None
            }
        }
    }

    fn parsed<T: std::str::FromStr>(
        &self,
        name: &str,
        kind: &FieldKind,
        text: &str,
        value: &Value,
    ) -> Option<T> {
        let parsed = text.parse().ok();
        if parsed.is_none() {
            let wanted = kind.expected();
            let message = from_environment(name, &wanted);
            let (severity, sort) = (Severity::Error, Kind::WrongType);
            self.report(
                severity,
                sort,
                value.span.clone(),
                message,
                wanted_help(&wanted),
            );
        }
        parsed
    }

    fn no_such_word(&self, name: &str, words: &[&'static str], text: &Spanned<String>) {
        let all = words_list(words.iter().copied());
        let (message, label) = if text.interpolated {
            let message = from_environment(name, &all);
            (message, String::new())
        } else {
            let message = format!("{} is no value of `{name}`", self.quote(text));
            (message, did_you_mean(closest(&text.value, words)))
        };
        let help = format!("write {all}");
        let (severity, sort) = (Severity::Error, Kind::Invalid);
        self.report_labelled(severity, sort, text.span.clone(), message, label, help);
    }

    fn secret_table(
        &self,
        name: &str,
        kind: &FieldKind,
        entries: &[Entry],
        value: &Value,
    ) -> Option<Spanned<Typed>> {
        let get = |key: &str| entries.iter().find(|entry| entry.key.value == key);
        let known = ["env", "prefix", "secret"];
        for entry in entries {
            if !known.contains(&entry.key.value.as_str()) {
                let message = format!("`{}` is not a key of the secret `{name}`", entry.key.value);
                let help = "the keys are `env`, `secret` and `prefix`";
                self.error(entry.key.span.clone(), message, help);
            }
        }
        if let (Some(entry), Some(_)) = (get("secret"), get("env")) {
            let message = format!("the secret `{name}` comes from two places");
            self.error(
                entry.key.span.clone(),
                message,
                "leave out `secret` or `env`",
            );
            return None;
        }
        let prefix = match get("prefix") {
            None => String::new(),
            Some(entry) => {
                self.text_of("prefix", &FieldKind::Text, &entry.value)?
                    .value
            }
        };
        if let Some(entry) = get("secret") {
            let secret = self.late_secret(entry, prefix)?;
            return Some(Spanned {
                value: Typed::Secret(secret),
                span: value.span.clone(),
                interpolated: true,
            });
        }
        let Some(variable) = get("env") else {
            let message = format!("the secret `{name}` does not say where it comes from");
            let help = "write `{ env = \"NAME\" }` or `{ secret = \"arn:aws:secretsmanager:…\" }`";
            self.error(value.span.clone(), message, help);
            return None;
        };
        let Data::Text(variable_name) = &variable.value.data else {
            self.wrong_type("env", &FieldKind::Text, &variable.value);
            return None;
        };
        let found = (self.context.environment)(variable_name).filter(|value| !value.is_empty());
        let Some(secret) = found else {
            let message = format!("the environment variable `{variable_name}` is unset or empty");
            let help = format!("set `{variable_name}` in the function's environment");
            self.unset(kind, variable.value.span.clone(), message, help);
            return None;
        };
        Some(Spanned {
            value: Typed::Secret(Secret::new(prefix + &secret)),
            span: value.span.clone(),
            interpolated: true,
        })
    }

    /// `arn:aws:secretsmanager:…` or `arn:aws:ssm:…:parameter/…`, either with `#member` behind it.
    fn late_secret(&self, entry: &Entry, prefix: String) -> Option<Secret> {
        let text = self.text_of("secret", &FieldKind::Text, &entry.value)?;
        let (arn, member) = match text.value.split_once('#') {
            Some((arn, member)) => (arn, Some(member.to_owned())),
            None => (text.value.as_str(), None),
        };
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let is_right = match parts[..] {
            ["arn", partition, service, region, account, resource] => {
                let kind = match service {
                    "secretsmanager" => "secret:",
                    "ssm" => "parameter/",
                    _ => "?",
                };
                partition.starts_with("aws")
                    && !region.is_empty()
                    && !account.is_empty()
                    && resource
                        .strip_prefix(kind)
                        .is_some_and(|name| !name.is_empty())
                    && arn.bytes().all(|byte| byte.is_ascii_graphic())
            }
            _ => false,
        };
        if !is_right || member.as_deref() == Some("") {
            let message = "this is no ARN of a secret or a parameter";
            let help = "write `arn:aws:secretsmanager:<region>:<account>:secret:<name>` or \
                        `arn:aws:ssm:<region>:<account>:parameter/<name>`, with `#key` behind it for one of its JSON";
            self.error(text.span, message, help);
            return None;
        }
        if let Some(help) = self.context.late_unbuilt {
            let message = "secrets of AWS are not in this build";
            self.report(Severity::Error, Kind::NotBuilt, text.span, message, help);
            return None;
        }
        let late = self.context.late.borrow_mut().add(arn);
        Some(Secret::late(late, member, prefix))
    }

    pub(super) fn wrong_type(&self, name: &str, kind: &FieldKind, value: &Value) {
        let message = format!(
            "expected {} for `{name}`, found {}",
            kind.expected(),
            value.found()
        );
        let help = match (kind, &value.data) {
            (FieldKind::Duration { .. }, Data::Integer(number)) => {
                format!("write `{name} = \"{number}ms\"` or `{name} = \"{number}s\"`")
            }
            (FieldKind::Size { min, .. }, Data::Integer(number)) if *min >= 1 << 20 => {
                format!("write `{name} = \"{number}MiB\"`")
            }
            (FieldKind::Size { .. }, Data::Integer(number)) => {
                format!("write `{name} = \"{number}B\"` or `{name} = \"{number}KiB\"`")
            }
            (
                FieldKind::Boolean | FieldKind::Integer { .. } | FieldKind::Number { .. },
                Data::Text(_),
            ) => "write it without quotes; only `\"${NAME}\"` may stand in them".to_owned(),
            (FieldKind::List(_), data) if !matches!(data, Data::Table(_)) => {
                format!("put it in brackets: `{name} = [ … ]`")
            }
            (FieldKind::Table(_) | FieldKind::Map(_), _) => {
                "write a table: `{ key = … }`".to_owned()
            }
            (_, Data::List(_) | Data::Table(_)) => format!("write {}", kind.expected()),
            (FieldKind::Boolean | FieldKind::Integer { .. } | FieldKind::Number { .. }, _) => {
                format!("write {}", kind.expected())
            }
            _ => "put the value in quotes".to_owned(),
        };
        let (severity, sort) = (Severity::Error, Kind::WrongType);
        self.report(severity, sort, value.span.clone(), message, help);
    }

    fn unknown_key(&self, entry: &Entry) {
        let names: Vec<&str> = self.fields().map(|field| field.name).collect();
        let suggestion = closest(&entry.key.value, &names);
        let meant = suggestion.and_then(|name| self.fields().find(|field| field.name == name));
        // A key that nothing knows may well be a mistyped credential.
        if meant.is_none_or(|field| field.kind.holds_secret() || hide::names_secret(field.name)) {
            let mut marks = Marks::default();
            hide::leaves(&entry.value, &mut marks.hidden);
            self.context.mark(self.source, marks);
        }
        let severity = match self.scope() {
            Scope::Redact => Severity::Error,
            _ => Severity::Warning,
        };
        let message = format!("`{}` is not a key of {}", entry.key.value, self.label());
        let help = if names.is_empty() {
            "it takes no keys".to_owned()
        } else {
            format!("the keys are {}", names_list(&names))
        };
        let span = entry.key.span.clone();
        let label = did_you_mean(suggestion);
        self.report_labelled(severity, Kind::UnknownKey, span, message, label, help);
    }
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |word| format!("did you mean `{word}`?"))
}

fn names_list(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn from_environment(name: &str, wanted: &str) -> String {
    format!("the environment's value for `{name}` is not {wanted}")
}

fn wanted_help(wanted: &str) -> String {
    format!("write {wanted}")
}

/// Checks a table of fields for a test: names are unlike, each has a doc, and defaults parse and pass their own checks.
///
/// # Errors
///
/// The first problem, with the name of its field.
pub fn check_fields(fields: Fields) -> Result<(), String> {
    for (index, field) in fields.iter().enumerate() {
        let name = field.name;
        if name.is_empty() || fields[..index].iter().any(|other| other.name == name) {
            return Err(format!("`{name}` is empty or there twice"));
        }
        if field.doc.trim().is_empty() {
            return Err(format!("`{name}` has no doc"));
        }
        if field.required && !field.default.is_empty() {
            return Err(format!("`{name}` is required and has a default"));
        }
        let container = matches!(
            field.kind,
            FieldKind::Table(_) | FieldKind::Map(_) | FieldKind::List(FieldKind::Table(_))
        );
        if container && !matches!(field.default, "" | "{}" | "[]") {
            return Err(format!(
                "the default of `{name}` is more than an empty table or list"
            ));
        }
        let mut kind = &field.kind;
        while let FieldKind::List(inner) | FieldKind::Map(inner) = kind {
            kind = inner;
        }
        if let FieldKind::Table(inner) = kind {
            check_fields(inner).map_err(|error| format!("in `{name}`: {error}"))?;
        }
        check_default(fields, index)?;
    }
    Ok(())
}

fn check_default(fields: Fields, index: usize) -> Result<(), String> {
    let field = &fields[index];
    if field.default.is_empty() {
        return Ok(());
    }
    let wrong = |why: String| Err(format!("the default of `{}` is wrong: {why}", field.name));
    if field.default.contains("${") {
        return wrong("it holds a variable".to_owned());
    }
    let environment = |_: &str| None;
    let context = Context::new(&environment);
    let text = format!("{} = {}\n", field.name, field.default);
    if let Some(document) = Document::parse(&context, "default", text.as_bytes()) {
        let reader = Reader::root(&context, &document, &fields[index..=index]);
        // An empty table stands for its own defaults; what it requires is the file's to say.
        if !matches!(field.default, "{}") {
            reader.finish();
        }
    }
    let diagnostics = context.finish();
    match diagnostics.iter().next() {
        Some(diagnostic) => wrong(diagnostic.message.clone()),
        None => Ok(()),
    }
}
