//! Path and query of a preset's requests, behind what `url` says.
//!
//! A `url` whose path ends with `/`, or that has none, is a base: the preset's path follows it. Any other path is used
//! as it is. The preset's query is added; what `url` sets itself stays.

use hyper::Uri;
use tapline_core::facts::Facts;
use tapline_core::template::Template;

use super::seen::render_fixed;
use crate::shared::sigv4::encode_into;

/// A piece of a path, or the value in a query.
pub(super) enum Piece {
    /// As it is: in a path nothing of it is escaped.
    Fixed(String),
    /// Escaped.
    Text(String),
    /// What a template says of the environment, escaped.
    Template(Template),
    /// The same, with `_` for all but letters and digits.
    Word(Template),
    /// The id of the batch.
    BatchId,
    /// The instance in the form of a GUID.
    Guid,
}

impl From<&str> for Piece {
    fn from(text: &str) -> Piece {
        Piece::Fixed(text.to_owned())
    }
}

/// What a preset adds to `url`.
#[derive(Default)]
pub(super) struct Target {
    /// Put together, beginning with `/`.
    pub path: Vec<Piece>,
    /// Names and values.
    pub query: Vec<(&'static str, Piece)>,
}

/// What a request is for: what templates and ids are filled in from.
pub(super) struct Occasion<'a> {
    pub facts: &'a Facts,
    pub time_ms: i64,
    pub batch_id: &'a str,
}

impl Target {
    /// Path and query of a request. `None` where a text that was filled in makes it no URL.
    pub fn of(&self, base: &Uri, occasion: &Occasion<'_>) -> Option<Uri> {
        let mut text = base.path().to_owned();
        if text.ends_with('/') && !self.path.is_empty() {
            text.pop();
            for piece in &self.path {
                match piece {
                    Piece::Fixed(fixed) => text.push_str(fixed),
                    piece => escape(&piece.text(occasion), &mut text),
                }
            }
        }
        let own = base.query();
        let mut separator = '?';
        if let Some(own) = own {
            text.push('?');
            text.push_str(own);
            separator = '&';
        }
        for (name, piece) in &self.query {
            if own.is_some_and(|own| has(own, name)) {
                continue;
            }
            text.push(separator);
            separator = '&';
            text.push_str(name);
            text.push('=');
            escape(&piece.text(occasion), &mut text);
        }
        text.parse().ok()
    }
}

impl Piece {
    /// What is filled in, not escaped.
    pub fn text(&self, occasion: &Occasion<'_>) -> Vec<u8> {
        match self {
            Piece::Fixed(text) | Piece::Text(text) => text.clone().into_bytes(),
            Piece::Template(template) => render_fixed(template, occasion.facts, occasion.time_ms),
            Piece::Word(template) => {
                let mut text = render_fixed(template, occasion.facts, occasion.time_ms);
                for byte in &mut text {
                    if !byte.is_ascii_alphanumeric() {
                        *byte = b'_';
                    }
                }
                text
            }
            Piece::BatchId => occasion.batch_id.as_bytes().to_vec(),
            Piece::Guid => guid(&occasion.facts.instance).into_bytes(),
        }
    }
}

/// 32 hex digits with dashes after the 8th, 12th, 16th and 20th.
fn guid(instance: &str) -> String {
    let mut text = String::with_capacity(36);
    for (position, digit) in instance.chars().enumerate() {
        if matches!(position, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(digit);
    }
    text
}

/// Whether a query sets a name.
fn has(query: &str, name: &str) -> bool {
    query
        .split('&')
        .any(|pair| pair.split('=').next() == Some(name))
}

/// Appends text as part of a path or a query: all but letters, digits, `-`, `.`, `_` and `~` as `%XX`.
fn escape(text: &[u8], out: &mut String) {
    encode_into(text, b"", out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use tapline_core::expr::Names;
    use tapline_core::template::Allow;

    #[test]
    fn a_path_follows_a_base_and_a_query_adds_what_is_not_there() {
        let names = Names { env: &[] };
        let name = Template::parse("{function.name}", &names, Allow::Environment).unwrap();
        let target = Target {
            path: vec!["/1/batch/".into(), Piece::Template(name)],
            query: vec![("q", "a b&c=é/".into()), ("id", Piece::BatchId)],
        };
        let facts = Facts {
            function_name: "a/b ../c?".into(),
            ..Facts::default()
        };
        let occasion = Occasion {
            facts: &facts,
            time_ms: 0,
            batch_id: "i-0-2",
        };
        let query = "q=a%20b%26c%3D%C3%A9%2F&id=i-0-2";
        for (base, wanted) in [
            ("/", format!("/1/batch/a%2Fb%20..%2Fc%3F?{query}")),
            ("/x/", format!("/x/1/batch/a%2Fb%20..%2Fc%3F?{query}")),
            ("/x", format!("/x?{query}")),
            ("/x?id=7", "/x?id=7&q=a%20b%26c%3D%C3%A9%2F".to_owned()),
        ] {
            let base: Uri = base.parse().unwrap();
            let got = target.of(&base, &occasion).unwrap().to_string();
            assert_eq!(got, wanted, "{base}");
        }
    }
}
