//! One table of the file, read by the fields of one component.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use toml::de::DeValue;

use super::check::Typed;
use super::diagnostic::{Diagnostic, Kind, Scope, Severity};
use super::document::{Context, Document};
use super::field::{Field, FieldKind, Fields};
use super::hide::{Marks, leaves};
use super::secret::Secret;
use super::source::Source;
use super::value::{Data, Entry, Spanned, Value};
use crate::expr::Regexes;

/// One table with the fields that describe it.
///
/// A getter takes a key that the fields hold. It gives `None` where the value is wrong, which it reports, or where it
/// is absent and has no default, which it reports if the key is required; so `?` in a build function is enough. After
/// that function ran, [`finish`](Reader::finish) reports what it did not come to.
#[derive(Clone)]
pub struct Reader<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) source: &'a Arc<Source>,
    pub(super) entries: &'a [Entry],
    pub(super) header: Range<usize>,
    own: Fields,
    common: Fields,
    scope: Scope,
    /// As messages name it, for example ``sink `out` ``.
    label: String,
}

impl<'a> Reader<'a> {
    /// The table of the whole file.
    pub fn root(context: &'a Context<'a>, document: &'a Document, fields: Fields) -> Reader<'a> {
        Reader {
            context,
            source: &document.source,
            entries: &document.root,
            header: 0..0,
            own: &[],
            common: &[],
            scope: Scope::File,
            label: "the file".to_owned(),
        }
        .with_fields(fields, &[])
    }

    /// The same table read by other fields: those of the component, and those that all of its sort share.
    #[must_use]
    pub fn with_fields(mut self, own: Fields, common: Fields) -> Reader<'a> {
        let mut marks = Marks::default();
        marks.add(self.entries, own);
        marks.add(self.entries, common);
        self.context.mark(self.source, marks);
        self.own = own;
        self.common = common;
        self
    }

    /// The same table whose errors take something else out of service; `label` names it, as in ``sink `out` ``.
    #[must_use]
    pub fn with_scope(mut self, scope: Scope, label: impl Into<String>) -> Reader<'a> {
        self.scope = scope;
        self.label = label.into();
        self
    }

    /// What errors of this table take out of service.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// As messages name this table.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Where this table begins: its `[header]`, its key, or the start of the file.
    pub fn header(&self) -> Range<usize> {
        self.header.clone()
    }

    /// The file that this table stands in.
    pub fn source(&self) -> &Arc<Source> {
        self.source
    }

    /// A variable of the environment, for defaults that stand there; an empty one counts as unset.
    pub fn variable(&self, name: &str) -> Option<String> {
        (self.context.environment)(name).filter(|value| !value.is_empty())
    }

    /// The regexes of all expressions of the file.
    pub fn regexes(&self) -> &Regexes {
        &self.context.regexes
    }

    /// Whether the file holds the key, whatever its value.
    pub fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// Where the key stands in the file.
    pub fn key_span(&self, key: &str) -> Option<Range<usize>> {
        self.entry(key).map(|entry| entry.key.span.clone())
    }

    /// A string: of kind text or choice with its variables replaced, of kind expression, template or regex as written.
    pub fn text(&self, key: &str) -> Option<Spanned<String>> {
        let typed = self.typed(key)?;
        match typed.value {
            Typed::Text(ref text) => Some(typed.with(text.clone())),
            Typed::Choice(word) => Some(typed.with(word.to_owned())),
            _ => wrong_getter(key),
        }
    }

    /// One of the words of a choice, as the fields spell it.
    pub fn choice(&self, key: &str) -> Option<Spanned<&'static str>> {
        let typed = self.typed(key)?;
        match typed.value {
            Typed::Choice(word) => Some(typed.with(word)),
            _ => wrong_getter(key),
        }
    }

    /// `true` or `false`.
    pub fn boolean(&self, key: &str) -> Option<Spanned<bool>> {
        let typed = self.typed(key)?;
        match typed.value {
            Typed::Boolean(value) => Some(typed.with(value)),
            _ => wrong_getter(key),
        }
    }

    /// A whole number inside its range.
    pub fn integer(&self, key: &str) -> Option<Spanned<i64>> {
        let typed = self.typed(key)?;
        match typed.value {
            Typed::Integer(value) => Some(typed.with(value)),
            _ => wrong_getter(key),
        }
    }

    /// A number inside its range; finite.
    pub fn number(&self, key: &str) -> Option<Spanned<f64>> {
        let typed = self.typed(key)?;
        match typed.value {
            Typed::Number(value) => Some(typed.with(value)),
            _ => wrong_getter(key),
        }
    }

    /// A size inside its range, in bytes.
    pub fn size(&self, key: &str) -> Option<Spanned<u64>> {
        let typed = self.typed(key)?;
        match typed.value {
            Typed::Size(bytes) => Some(typed.with(bytes)),
            _ => wrong_getter(key),
        }
    }

    /// A duration inside its range.
    pub fn duration(&self, key: &str) -> Option<Spanned<Duration>> {
        let typed = self.typed(key)?;
        match typed.value {
            Typed::Duration(duration) => Some(typed.with(duration)),
            _ => wrong_getter(key),
        }
    }

    /// A credential that is there. One that comes later is reported: nothing would wait for it.
    pub fn secret(&self, key: &str) -> Option<Spanned<Secret>> {
        let secret = self.any_secret(key)?;
        if secret.value.waits_for().is_some() {
            let message = format!("`{key}` cannot come from AWS in this version");
            let help = "put it into an environment variable and write `{ env = \"NAME\" }`";
            self.report(Severity::Error, Kind::NotBuilt, secret.span, message, help);
            return None;
        }
        Some(secret)
    }

    /// A credential that is there, or comes later.
    pub fn any_secret(&self, key: &str) -> Option<Spanned<Secret>> {
        let typed = self.typed(key)?;
        match typed.value {
            Typed::Secret(ref secret) => Some(typed.with(secret.clone())),
            _ => wrong_getter(key),
        }
    }

    /// A list of strings of one kind; without those that are wrong, which are reported. `None` where there is no list.
    pub fn list_of_text(&self, key: &str) -> Option<Vec<Spanned<String>>> {
        let field = self.field(key)?;
        let FieldKind::List(kind) = &field.kind else {
            return wrong_getter(key);
        };
        let value = self.lookup(field)?;
        let Data::List(items) = &value.data else {
            self.check_value(key, &field.kind, &value);
            return None;
        };
        let texts = items
            .iter()
            .filter_map(|item| self.text_of(key, kind, item));
        Some(texts.collect())
    }

    /// A table of strings with free keys, in the order of the file; without the values that are wrong. Empty where
    /// there is none.
    pub fn map_of_text(&self, key: &str) -> Vec<(Spanned<String>, Spanned<String>)> {
        self.map_kind(key, |name, kind, value| self.text_of(name, kind, value))
    }

    /// A table of credentials with free keys, those that come later included, in the order of the file; without the values that are wrong. Empty
    /// where there is none.
    pub fn map_of_secrets(&self, key: &str) -> Vec<(Spanned<String>, Spanned<Secret>)> {
        self.map_kind(key, |name, kind, value| {
            let typed = self.typed_value(name, kind, value)?;
            match typed.value {
                Typed::Secret(ref secret) => Some(typed.with(secret.clone())),
                _ => wrong_getter(key),
            }
        })
    }

    /// The entries of a table with free keys, in the order of the file, unchecked. Empty where there is none.
    pub fn map(&self, key: &str) -> Vec<(Spanned<String>, &'a Value)> {
        let Some(field) = self.field(key) else {
            return Vec::new();
        };
        let Some(entry) = self.present(field) else {
            return Vec::new();
        };
        match &entry.value.data {
            Data::Table(entries) => {
                let pairs = entries
                    .iter()
                    .map(|entry| (entry.key.clone(), &entry.value));
                pairs.collect()
            }
            _ => {
                self.wrong_type(key, &field.kind, &entry.value);
                Vec::new()
            }
        }
    }

    /// A table with fixed keys. Absent, it is read as an empty one where its default is `{}`.
    pub fn table(&self, key: &str) -> Option<Reader<'a>> {
        let field = self.field(key)?;
        let FieldKind::Table(fields) = field.kind else {
            return wrong_getter(key);
        };
        match self.present(field) {
            Some(entry) => self.child(entry, &field.kind, fields),
            None if field.default == "{}" => Some(self.nested(key, self.header(), &[], fields)),
            None => None,
        }
    }

    /// A table read by fields that depend on other keys; its own kind is [`FieldKind::Any`] or a map. The reader that
    /// it gives wants its own [`finish`](Reader::finish). Absent, it is read as an empty one where its default is `{}`.
    pub fn table_as(&self, key: &str, fields: Fields) -> Option<Reader<'a>> {
        let field = self.field(key)?;
        match self.present(field) {
            Some(entry) => self.child(entry, &FieldKind::Table(fields), fields),
            None if field.default == "{}" => Some(self.nested(key, self.header(), &[], fields)),
            None => None,
        }
    }

    /// The tables of a list, `[[key]]` or `key = [{ … }]`. Where the list holds [`FieldKind::Any`], each wants fields
    /// and its own [`finish`](Reader::finish). Empty where there is none.
    pub fn tables(&self, key: &str) -> Vec<Reader<'a>> {
        let Some(field) = self.field(key) else {
            return Vec::new();
        };
        let fields: Fields = match field.kind {
            FieldKind::List(FieldKind::Table(fields)) => fields,
            _ => &[],
        };
        let Some(entry) = self.present(field) else {
            return Vec::new();
        };
        let Data::List(items) = &entry.value.data else {
            self.wrong_type(key, &field.kind, &entry.value);
            return Vec::new();
        };
        let readers = items.iter().filter_map(|item| match &item.data {
            Data::Table(entries) => Some(self.nested(key, item.span.clone(), entries, fields)),
            _ => {
                self.wrong_type(key, &FieldKind::Table(fields), item);
                None
            }
        });
        readers.collect()
    }

    /// The tables of a table with free keys, as in `[sink.out]`, in the order of the file. Where the map holds
    /// [`FieldKind::Any`], each wants fields and its own [`finish`](Reader::finish).
    pub fn map_of_tables(&self, key: &str) -> Vec<(Spanned<String>, Reader<'a>)> {
        let fields: Fields = match self.field(key).map(|field| field.kind) {
            Some(FieldKind::Map(FieldKind::Table(fields))) => fields,
            _ => &[],
        };
        let Some(entries) = self.entry(key).and_then(|entry| match &entry.value.data {
            Data::Table(entries) => Some(entries),
            _ => None,
        }) else {
            // Reports a value of another type.
            self.map(key);
            return Vec::new();
        };
        let readers = entries.iter().filter_map(|entry| {
            let reader = self.child(entry, &FieldKind::Table(fields), fields)?;
            Some((entry.key.clone(), reader))
        });
        readers.collect()
    }

    /// The value as the file has it, unchecked; `None` where it is absent.
    pub fn raw(&self, key: &str) -> Option<&'a Value> {
        self.present(self.field(key)?).map(|entry| &entry.value)
    }

    /// The string of a raw value, checked as a kind of text; `name` is what messages call it.
    pub fn text_of(&self, name: &str, kind: &FieldKind, value: &Value) -> Option<Spanned<String>> {
        let typed = self.typed_value(name, kind, value)?;
        match typed.value {
            Typed::Text(ref text) => Some(typed.with(text.clone())),
            Typed::Choice(word) => Some(typed.with(word.to_owned())),
            _ => wrong_getter(name),
        }
    }

    /// Where, in the file, a range of bytes of a string is; the whole string where its content is not in the file as
    /// it is: with escapes, with variables, or from a default.
    pub fn inside(&self, value: &Spanned<String>, range: Range<usize>) -> Range<usize> {
        let exact = || self.source.inside(&value.span, &value.value, &range);
        let exact = if value.interpolated { None } else { exact() };
        exact.unwrap_or_else(|| value.span.clone())
    }

    /// The value for a message: in backticks, or without it where it came from the environment.
    pub fn quote(&self, value: &Spanned<String>) -> String {
        if value.interpolated {
            "the value from the environment".to_owned()
        } else {
            format!("`{}`", value.value)
        }
    }

    /// Keeps the values of keys that no field describes out of messages: for a table whose fields are not known, in
    /// which any value may be a credential.
    pub fn hide_unknown(&self) {
        let mut marks = Marks::default();
        for entry in self.entries {
            if !self.fields().any(|field| field.name == entry.key.value) {
                leaves(&entry.value, &mut marks.hidden);
            }
        }
        self.context.mark(self.source, marks);
    }

    /// Keeps a value out of the lines of source that are printed with problems: it holds a credential where none is
    /// expected.
    pub fn hide(&self, span: Range<usize>) {
        let marks = Marks {
            hidden: vec![span],
            ..Marks::default()
        };
        self.context.mark(self.source, marks);
    }

    /// Reports a value that means nothing or does not fit the others. The message must not hold a value that
    /// came from the environment; see [`quote`](Reader::quote).
    pub fn error(&self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.report(Severity::Error, Kind::Invalid, span, message, help);
    }

    /// Reports what is probably not meant so.
    pub fn warning(&self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.report(Severity::Warning, Kind::Advice, span, message, help);
    }

    /// Reports a problem of any sort.
    pub fn report(
        &self,
        severity: Severity,
        kind: Kind,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.report_labelled(severity, kind, span, message, "", help);
    }

    /// Reports a problem of any sort with a few words beside the caret, such as ``did you mean `when`?``.
    pub fn report_labelled(
        &self,
        severity: Severity,
        kind: Kind,
        span: Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.context.push(Diagnostic {
            severity,
            kind,
            scope: self.scope.clone(),
            message: message.into(),
            label: label.into(),
            help: help.into(),
            span,
            source: self.source.clone(),
            hidden: Vec::new(),
        });
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = &'static Field> + use<> {
        self.own.iter().chain(self.common)
    }

    pub(super) fn entry(&self, key: &str) -> Option<&'a Entry> {
        self.entries.iter().find(|entry| entry.key.value == key)
    }

    /// The entry of a field; reports where it is required and absent.
    pub(super) fn present(&self, field: &Field) -> Option<&'a Entry> {
        let entry = self.entry(field.name);
        if entry.is_none() && field.required {
            let message = format!("{} lacks the key `{}`", self.label, field.name);
            let first = field.doc.split_inclusive(". ").next().unwrap_or_default();
            let first = first.trim_end().trim_end_matches('.');
            let wanted = field.kind.expected();
            let help = format!("add `{} = …`, {wanted}: {first}", field.name);
            self.report(Severity::Error, Kind::Missing, self.header(), message, help);
        }
        entry
    }

    /// A reader of a table inside this one.
    pub(super) fn child(
        &self,
        entry: &'a Entry,
        kind: &FieldKind,
        fields: Fields,
    ) -> Option<Reader<'a>> {
        let key = &entry.key.value;
        let Data::Table(entries) = &entry.value.data else {
            self.wrong_type(key, kind, &entry.value);
            return None;
        };
        let span = &entry.value.span;
        let text = self.source.text.as_bytes();
        let has_header = text.get(span.start) == Some(&b'[');
        let header = if has_header { span } else { &entry.key.span };
        Some(self.nested(key, header.clone(), entries, fields))
    }

    pub(super) fn nested(
        &self,
        key: &str,
        header: Range<usize>,
        entries: &'a [Entry],
        fields: Fields,
    ) -> Reader<'a> {
        let label = if matches!(self.scope, Scope::File) {
            format!("`{key}`")
        } else {
            format!("`{key}` in {}", self.label)
        };
        Reader {
            entries,
            header,
            label,
            ..self.clone()
        }
        .with_fields(fields, &[])
    }

    fn field(&self, key: &str) -> Option<&'static Field> {
        let field = self.fields().find(|field| field.name == key);
        debug_assert!(field.is_some(), "the fields hold no key `{key}`");
        field
    }

    /// The value of a field, or its default, which stands where the table begins.
    fn lookup(&self, field: &'static Field) -> Option<Cow<'a, Value>> {
        if let Some(entry) = self.present(field) {
            return Some(Cow::Borrowed(&entry.value));
        }
        if field.default.is_empty() {
            return None;
        }
        let parsed = DeValue::parse(field.default);
        debug_assert!(parsed.is_ok(), "the default of `{}` is no TOML", field.name);
        let mut value = Value::from_toml(parsed.ok()?);
        value.move_to(&self.header);
        Some(Cow::Owned(value))
    }

    fn typed(&self, key: &str) -> Option<Spanned<Typed>> {
        let field = self.field(key)?;
        let value = self.lookup(field)?;
        self.typed_value(key, &field.kind, &value)
    }

    fn map_kind<T>(
        &self,
        key: &str,
        read: impl Fn(&str, &FieldKind, &Value) -> Option<T>,
    ) -> Vec<(Spanned<String>, T)> {
        let Some(FieldKind::Map(kind)) = self.field(key).map(|field| field.kind) else {
            return wrong_getter::<Vec<_>>(key).unwrap_or_default();
        };
        let pairs = self.map(key).into_iter();
        pairs
            .filter_map(|(name, value)| {
                let read = read(&name.value, kind, value)?;
                Some((name, read))
            })
            .collect()
    }
}

fn wrong_getter<T>(key: &str) -> Option<T> {
    debug_assert!(false, "`{key}` is of another kind than its getter");
    None
}
