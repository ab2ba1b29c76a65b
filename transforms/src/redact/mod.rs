//! `redact`: takes secrets and personal data out of records, before anything leaves.
//!
//! Rules find matches in text: built-in ones by name or group ([`rules`]), and regexes of your own. Keys take the value
//! of JSON members, whatever it is. All texts are looked at decoded: strings at any depth with their escapes resolved,
//! numbers by their digits, keys of members, JSON inside strings, attributes. A regex sees one text at a time, never
//! the punctuation of JSON around it.
//!
//! A match becomes `[RULE]` (`label`), `****` (`mask`), nothing (`remove`), `[RULE:0123456789abcdef]` (`hash`, keyed
//! HMAC-SHA-256) or `****` with its last 4 letters or digits (`partial`). The value of a key becomes `[KEY]` and so on,
//! or `""` with `remove`; null and `""` stay. A number becomes a string. `allow` spares matches, not keys.
//!
//! The time, the type, the request id and the trace ids of a record are left alone; inside its JSON too, where a member
//! such as `requestId` holds what has the shape of one. A record in which nothing is found keeps its bytes.
//!
//! It fails closed: where overlapping matches meet, all of both goes; what is too long, too deep or too intricate to be
//! searched is replaced as a whole. A rule that does not compile is an error that stops everything. With `audit` it
//! counts and changes nothing.
//!
//! # Limits
//!
//! A text of more than 1 MiB ends in `[OVERSIZE]`. Objects and arrays are walked 64 deep and JSON inside strings
//! twice; what lies deeper is searched unescaped, and goes as a whole if something is found. A regex may compile to
//! 1 MiB, all together to 8 MiB. Case of keys is that of ASCII. Secrets behind base64, percent encoding (but `%40`),
//! or spread over several records are not seen.

mod action;
mod gate;
mod hash_key;
mod keys;
mod page;
mod rules;
mod scan;
#[cfg(test)]
mod tests;
mod validate;
mod walk;
mod window;
mod words;
#[cfg(test)]
#[path = "tests/work.rs"]
mod work;
#[cfg(not(test))]
mod work;

use regex_automata::meta::BuildError;
use tapline_core::batch::{Batch, Slice};
use tapline_core::config::{Data, Field, FieldKind, Fields, Late, Reader, Spanned};
use tapline_core::registry::{Build, TransformKind};
use tapline_core::suggest::closest;
use tapline_core::transform::{Context, Transform};

use action::Action;
use hash_key::HashKey;
use keys::Keys;
use rules::{ALIASES, AWS_PREFIX, Group, NOT_OFFERED, RULES, Rule};
use scan::{Active, Match, Pattern, Scanner, Takes};
use walk::Walker;

/// The row of the registry.
pub const KIND: TransformKind = TransformKind {
    name: "redact",
    feature: "redact",
    fields: FIELDS,
    build: Some(build),
    redacts: true,
};

/// Its keys.
const FIELDS: Fields = &[
    field(
        "rules",
        FieldKind::List(&FieldKind::Text),
        "[]",
        "Built-in rules by name, AWS's names among them, and groups: `@secrets`, `@financial`, `@personal`, `@network`, \
         `@health`, `@all`.",
    ),
    field(
        "custom",
        FieldKind::List(&FieldKind::Table(CUSTOM)),
        "[]",
        "Regexes of your own, each with an id.",
    ),
    field(
        "keys",
        FieldKind::List(&FieldKind::Text),
        "[]",
        "Keys of JSON members whose values go, at any depth and in any case. `*` stands for any characters, a dot for \
         a step inwards.",
    ),
    field(
        "allow",
        FieldKind::List(&FieldKind::Regex),
        "[]",
        "A match that one of these regexes matches entirely stays.",
    ),
    field(
        "action",
        FieldKind::Choice(action::WORDS),
        "\"label\"",
        "What stands in place of a match. `hash` needs a `hash_key`.",
    ),
    field(
        "mode",
        FieldKind::Choice(&["redact", "audit"]),
        "\"redact\"",
        "`audit` counts matches and changes nothing.",
    ),
    field(
        "hash_key",
        FieldKind::SecretOr("`hash` acts as `label`"),
        "",
        "The key of `hash`, at least 32 bytes: with it nobody else can try values until one fits.",
    ),
];

/// The keys of one custom rule.
const CUSTOM: Fields = &[
    Field {
        required: true,
        ..field(
            "id",
            FieldKind::Text,
            "",
            "Its name, which is also its label: letters, digits, `_`, `-` and `.`.",
        )
    },
    Field {
        required: true,
        ..field(
            "regex",
            FieldKind::Regex,
            "",
            "What it looks for. Classes such as `\\d` know ASCII only.",
        )
    },
    field(
        "action",
        FieldKind::Choice(action::WORDS),
        "",
        "What stands in place of its matches; that of the transform.",
    ),
];

const fn field(
    name: &'static str,
    kind: FieldKind,
    default: &'static str,
    doc: &'static str,
) -> Field {
    Field {
        name,
        kind,
        default,
        required: false,
        doc,
    }
}

/// What is known of a built-in rule from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltInRule {
    /// Its name, which is also its label.
    pub id: &'static str,
    /// The group that it belongs to, without the `@`; `None`: it is used by name only.
    pub group: Option<&'static str>,
    /// Whether a word that says what it is must stand near each match.
    pub needs_word: bool,
}

/// The built-in rules, in the order of precedence.
pub fn built_in_rules() -> impl Iterator<Item = BuiltInRule> {
    RULES.iter().map(|rule| BuiltInRule {
        id: rule.id,
        group: rule.group.word(),
        needs_word: !rule.words.is_empty(),
    })
}

/// Longest id of a custom rule, in bytes.
const ID_BYTES_MAX: usize = 64;

fn build(reader: &Reader<'_>, _: &Build<'_>) -> Option<Box<dyn Transform>> {
    Some(Box::new(redact(reader)?))
}

/// The same without its gate: every rule is searched for in every text. What it gives out must be the same.
#[cfg(any(test, feature = "test-util"))]
pub const UNGATED: TransformKind = TransformKind {
    build: Some(build_ungated),
    ..KIND
};

#[cfg(any(test, feature = "test-util"))]
fn build_ungated(reader: &Reader<'_>, _: &Build<'_>) -> Option<Box<dyn Transform>> {
    let mut redact = redact(reader)?;
    redact.scanner.open_gate();
    Some(Box::new(redact))
}

fn redact(reader: &Reader<'_>) -> Option<Redact> {
    let action = reader
        .choice("action")
        .and_then(|word| Action::parse(word.value));
    let audit = reader.choice("mode").map(|word| word.value == "audit");
    let builtin = builtin_rules(reader);
    // A wrong word in `action` is reported; `label` then lets the rest be checked too.
    let fallback = action.unwrap_or(Action::Label);
    let mut active = custom_rules(reader, fallback);
    let keys = key_rules(reader);
    let allow = allowed(reader);
    let hashes =
        action == Some(Action::Hash) || active.iter().any(|rule| rule.action == Action::Hash);
    let hash_key = HashKey::read(reader, hashes);
    let wrong = custom_is_wrong(reader, active.len());
    let (keys, builtin) = (keys?, builtin?);
    if builtin.is_empty() && active.is_empty() && keys.is_empty() && !wrong {
        let help = "add `rules = [\"@secrets\"]`, `keys` or `custom`";
        reader.error(
            reader.header(),
            format!("{} redacts nothing", reader.label()),
            help,
        );
        return None;
    }
    for rule in &builtin {
        active.push(Active {
            id: rule.id.to_owned(),
            action: fallback,
            regex: Pattern::built_in(rule.pattern),
            check: rule.check,
            keys: Keys::default(),
            takes: Takes::Secrets,
            words: rule.words,
            apart: rule.apart,
        });
    }
    // What goes by its key is looked for behind what has a shape of its own, which gives the better label.
    for rule in builtin.iter().filter(|rule| !rule.keys.is_empty()) {
        let mut keys = Keys::default();
        rule.keys.iter().for_each(|key| keys.add_glob(key));
        let keyed = scan::keyed(rule.id, keys, Takes::Secrets, fallback);
        active.push(compiled(reader, keyed)?);
    }
    if !keys.is_empty() {
        let keyed = scan::keyed("KEY", keys, Takes::All, fallback);
        active.push(compiled(reader, keyed)?);
    }
    let scanner = Scanner::new(active, allow?);
    if !scanner.fits() {
        too_large(reader);
        return None;
    }
    if wrong {
        return None;
    }
    action?;
    Some(Redact {
        counts: vec![0; scanner.rules().len() + 1],
        scanner,
        hash_key: hash_key?,
        audit: audit?,
        lists: Vec::new(),
    })
}

fn too_large(reader: &Reader<'_>) {
    let message = format!(
        "the regexes of {} are larger than 8 MiB when compiled",
        reader.label()
    );
    let help = "use fewer of them, fewer `keys`, or smaller counts in `{…}`";
    reader.error(reader.header(), message, help);
}

/// Reports what compiles alone but not in this company: all of it is too large.
fn compiled<T>(reader: &Reader<'_>, result: Result<T, Box<BuildError>>) -> Option<T> {
    result
        .map_err(|error| {
            let help = "use fewer rules, keys or regexes, or smaller counts in `{…}`";
            let message = format!(
                "the rules of {} do not compile together: {error}",
                reader.label()
            );
            reader.error(reader.header(), message, help);
        })
        .ok()
}

/// The built-in rules that `rules` names, each once, in the order of the catalogue.
fn builtin_rules(reader: &Reader<'_>) -> Option<Vec<&'static Rule>> {
    let mut chosen = vec![false; RULES.len()];
    let mut sound = true;
    for name in reader.list_of_text("rules")? {
        let mut known = false;
        for (rule, chosen) in RULES.iter().zip(&mut chosen) {
            if names(&name.value, rule) {
                (*chosen, known) = (true, true);
            }
        }
        if !known {
            unknown_rule(reader, &name);
            sound = false;
        }
    }
    let rules = RULES.iter().zip(chosen).filter(|(_, chosen)| *chosen);
    sound.then(|| rules.map(|(rule, _)| rule).collect())
}

/// Whether a word of `rules` means a rule: by its id, an alias or its group.
fn names(word: &str, rule: &Rule) -> bool {
    if let Some(group) = word.strip_prefix('@') {
        return Group::parse(group) == Some(rule.group)
            || (group == "all" && rule.group != Group::OptIn);
    }
    let word = word.strip_prefix(AWS_PREFIX).unwrap_or(word);
    let alias = ALIASES.iter().find(|(alias, _)| *alias == word);
    word == rule.id || alias.is_some_and(|(_, ids)| ids.contains(&rule.id))
}

fn unknown_rule(reader: &Reader<'_>, name: &Spanned<String>) {
    let shown = reader.quote(name);
    let word = name.value.as_str();
    let word = word.strip_prefix(AWS_PREFIX).unwrap_or(word);
    let (message, help) = if word.strip_prefix('@').and_then(Group::parse).is_some() {
        let help = "name rules of other groups, or add a regex of your own to `custom`".to_owned();
        (
            format!("no rule of the group {shown} is in this version"),
            help,
        )
    } else if let Some((_, why)) = NOT_OFFERED.iter().find(|(name, _)| *name == word) {
        let help = "name the members that hold it in `keys`".to_owned();
        (format!("no pattern can find {shown}; {why}"), help)
    } else {
        let groups = [
            "@secrets",
            "@financial",
            "@personal",
            "@network",
            "@health",
            "@all",
        ];
        let aliases = ALIASES.iter().map(|(alias, _)| *alias);
        let ids = RULES.iter().map(|rule| rule.id);
        let candidates: Vec<&str> = ids.chain(aliases).chain(groups).collect();
        let help = match closest(word, &candidates) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "groups are `{}`; rules are listed in the book",
                groups.join("`, `")
            ),
        };
        (format!("there is no rule {shown}"), help)
    };
    reader.error(name.span.clone(), message, help);
}

/// The custom rules that are sound; the others are reported.
fn custom_rules(reader: &Reader<'_>, fallback: Action) -> Vec<Active> {
    let mut rules: Vec<Active> = Vec::new();
    for table in reader.tables("custom") {
        let (id, source) = (table.text("id"), table.text("regex"));
        let action = table
            .choice("action")
            .and_then(|word| Action::parse(word.value));
        let (Some(id), Some(source)) = (id, source) else {
            continue;
        };
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if id.value.is_empty() || id.value.len() > ID_BYTES_MAX || !id.value.bytes().all(fits) {
            let message = format!("{} is no id of a rule", reader.quote(&id));
            let help = format!("use 1 to {ID_BYTES_MAX} letters, digits, `_`, `-` and `.`");
            table.error(id.span.clone(), message, help);
            continue;
        }
        let builtin = RULES.iter().any(|rule| rule.id == id.value)
            || ["KEY", "OVERSIZE"].contains(&id.value.as_str());
        if builtin || rules.iter().any(|rule| rule.id == id.value) {
            let message = format!("the id {} is taken", reader.quote(&id));
            table.error(
                id.span.clone(),
                message,
                "matches are counted by id; give it another one",
            );
            continue;
        }
        let Some(regex) = custom_regex(&table, &source) else {
            continue;
        };
        if table.has("action") && action.is_none() {
            continue;
        }
        rules.push(Active {
            id: id.value,
            action: action.unwrap_or(fallback),
            regex: Pattern::compiled(source.value, regex),
            check: validate::whole,
            keys: Keys::default(),
            takes: Takes::All,
            words: &[],
            apart: false,
        });
    }
    rules
}

/// Whether fewer custom rules came out than went in.
fn custom_is_wrong(reader: &Reader<'_>, sound: usize) -> bool {
    match reader.raw("custom").map(|value| &value.data) {
        None => false,
        Some(Data::List(items)) => items.len() != sound,
        Some(_) => true,
    }
}

/// Compiles one regex of the file; reports it at its place.
fn custom_regex(
    reader: &Reader<'_>,
    source: &Spanned<String>,
) -> Option<regex_automata::meta::Regex> {
    match scan::compile(&source.value) {
        Ok(regex) => {
            if scan::traits(&source.value).is_none_or(|(empty, _)| empty) {
                let help = "let it want at least one character: `+` instead of `*`";
                reader.error(
                    source.span.clone(),
                    "the regex matches where there is nothing",
                    help,
                );
                return None;
            }
            Some(regex)
        }
        Err(error) => {
            report_regex(reader, source, &error);
            None
        }
    }
}

fn report_regex(reader: &Reader<'_>, source: &Spanned<String>, error: &BuildError) {
    if error.size_limit().is_some() {
        let help = "use smaller counts in `{…}`, or fewer of them";
        reader.error(
            source.span.clone(),
            "the regex is larger than 1 MiB when compiled",
            help,
        );
        return;
    }
    // The regex crate draws the pattern with a caret first; its last line is the sentence.
    let drawn =
        std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    let sentence = drawn.lines().last().unwrap_or_default();
    let message = format!(
        "the regex does not compile: {}",
        sentence.trim_start_matches("error: ")
    );
    let help = "the syntax is that of Rust's `regex` with ASCII classes: no look-around, no back-reference, no \
                `\\p{…}`; a literal bracket or dot takes a `\\`";
    reader.error(reader.inside(source, 0..source.value.len()), message, help);
}

fn key_rules(reader: &Reader<'_>) -> Option<Keys> {
    let mut keys = Keys::default();
    let mut sound = true;
    for key in reader.list_of_text("keys")? {
        let part_is_empty = key.value.split('.').any(str::is_empty);
        if part_is_empty || key.value == "*" {
            let message = match key.value.is_empty() {
                true => "an empty text is no key".to_owned(),
                false => format!("{} is no key", reader.quote(&key)),
            };
            let help = "write a name, a glob such as `*_token`, or a path such as `user.ssn`, without a dot before it";
            reader.error(key.span.clone(), message, help);
            sound = false;
            continue;
        }
        keys.add(&key.value);
    }
    sound.then_some(keys)
}

/// `Some(None)` where nothing is allowed, `None` where something is wrong.
fn allowed(reader: &Reader<'_>) -> Option<Option<regex_automata::meta::Regex>> {
    let sources = reader.list_of_text("allow")?;
    let mut sound = true;
    for source in &sources {
        if let Err(error) = scan::compile(&source.value) {
            report_regex(reader, source, &error);
            sound = false;
        }
    }
    if !sound {
        return None;
    }
    if sources.is_empty() {
        return Some(None);
    }
    let patterns: Vec<String> = sources.into_iter().map(|source| source.value).collect();
    compiled(reader, scan::compile_whole(&patterns)).map(Some)
}

struct Redact {
    scanner: Scanner,
    hash_key: HashKey,
    audit: bool,
    /// Matches in this batch: by rule, and texts cut.
    counts: Vec<u64>,
    lists: Vec<Vec<Match>>,
}

impl Transform for Redact {
    fn prepare(&mut self) {
        self.scanner.prepare();
    }

    fn waits_for(&self) -> Option<&Late> {
        self.hash_key.waits_for().filter(|_| !self.audit)
    }

    fn apply(&mut self, mut batch: Batch, context: &Context<'_>, output: &mut Vec<Batch>) {
        let mut walker = Walker {
            scanner: &mut self.scanner,
            hasher: match self.audit {
                true => None,
                false => self.hash_key.hasher(context.world),
            },
            scratch: context.scratch,
            counts: &mut self.counts,
            keyed: false,
            span: gate::Span::ALL,
            lists: &mut self.lists,
        };
        for position in 0..batch.records().len() {
            let record = &batch.records()[position];
            if !record.is_live() {
                continue;
            }
            let (value, attributes) = (record.value, record.attributes);
            let changed = walker.record(batch.bytes(value));
            if let Some(changed) = changed.filter(|_| !self.audit) {
                let value = batch.keep(&changed);
                batch.records_mut()[position].value = value;
            }
            let changed = redact_attributes(&mut walker, &batch, attributes);
            if let Some(changed) = changed.filter(|_| !self.audit) {
                let attributes = batch.keep(&changed);
                batch.records_mut()[position].attributes = attributes;
            }
        }
        self.count(context);
        output.push(batch);
    }
}

impl Redact {
    fn count(&mut self, context: &Context<'_>) {
        let rules = self.scanner.rules().iter().map(|rule| rule.id.as_str());
        let ids = rules.chain(["OVERSIZE"]);
        for (id, count) in ids.zip(&mut self.counts) {
            if *count > 0 {
                context.ledger.redacted(id, std::mem::take(count));
            }
        }
    }
}

/// Attributes are the members of an object that lacks its braces.
fn redact_attributes(walker: &mut Walker<'_>, batch: &Batch, attributes: Slice) -> Option<Vec<u8>> {
    if attributes.is_empty() {
        return None;
    }
    let scratch = walker.scratch;
    let mut object = scratch.take();
    object.push(b'{');
    object.extend_from_slice(batch.bytes(attributes));
    object.push(b'}');
    let changed = walker.record(&object);
    scratch.give_back(object);
    changed.map(|mut object| {
        object.pop();
        if !object.is_empty() {
            object.remove(0);
        }
        object
    })
}
