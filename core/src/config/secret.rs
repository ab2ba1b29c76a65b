//! A value that must not be printed.

use std::borrow::Cow;
use std::fmt;

use super::late::Late;
use crate::json;

/// A credential: an authorization header, an API key, a password.
///
/// It has no `Display` and its `Debug` prints `Secret(…)`, so that it reaches no log and no error by accident. It is
/// there when the file is read, or comes later, from AWS.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Known(String),
    Late {
        secret: Late,
        /// The member of its JSON, where it is not the whole text.
        member: Option<String>,
        prefix: String,
    },
}

impl Secret {
    /// Wraps a credential.
    pub fn new(value: impl Into<String>) -> Secret {
        Secret(Kind::Known(value.into()))
    }

    /// A secret of AWS, or one member of its JSON, behind a prefix.
    pub fn late(secret: Late, member: Option<String>, prefix: String) -> Secret {
        Secret(Kind::Late {
            secret,
            member,
            prefix,
        })
    }

    /// The credential itself, for the one place that sends it; empty for one that comes later.
    pub fn expose(&self) -> &str {
        match &self.0 {
            Kind::Known(value) => value,
            Kind::Late { .. } => "",
        }
    }

    /// What it waits for, where it comes later.
    pub fn waits_for(&self) -> Option<&Late> {
        match &self.0 {
            Kind::Known(_) => None,
            Kind::Late { secret, .. } => Some(secret),
        }
    }

    /// The credential itself, where it is there by now and has the member that is wanted.
    pub fn current(&self) -> Option<Cow<'_, str>> {
        let (secret, member, prefix) = match &self.0 {
            Kind::Known(value) => return Some(Cow::Borrowed(value)),
            Kind::Late {
                secret,
                member,
                prefix,
            } => (secret, member, prefix),
        };
        let text = secret.text()?;
        let value = match member {
            None => text.trim_end_matches(['\r', '\n']).to_owned(),
            Some(member) => text_of_member(text.as_bytes(), member)?,
        };
        Some(Cow::Owned(format!("{prefix}{value}")))
    }
}

/// A member of a JSON object that is a string.
fn text_of_member(text: &[u8], member: &str) -> Option<String> {
    let whole = json::whole_value(text)?;
    let mut members = json::members(text, whole);
    let (_, value) = members.find(|(key, _)| json::key_is(&text[key.clone()], member))?;
    let inside = json::string_inside(&text[value])?;
    Some(String::from_utf8_lossy(&json::unescape(inside)).into_owned())
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::super::late::LateSecrets;
    use super::*;

    #[test]
    fn a_late_secret_is_its_text_or_a_member_of_its_json_behind_a_prefix() {
        let late = LateSecrets::default().add("arn");
        let whole = Secret::late(late.clone(), None, "Bearer ".to_owned());
        let member = Secret::late(late.clone(), Some("tok\"en".to_owned()), String::new());
        assert_eq!((whole.current(), member.current()), (None, None));
        late.set("abc\n");
        assert_eq!(whole.current().as_deref(), Some("Bearer abc"));
        assert_eq!(member.current(), None, "it is no JSON");
        late.set("{\"n\":1,\"tok\\\"en\":\"\\u0061b\"}");
        assert_eq!(member.current().as_deref(), Some("ab"));
        assert_eq!(format!("{whole:?}{member:?}"), "Secret(…)Secret(…)");
        assert_eq!(Secret::new("x").current().as_deref(), Some("x"));
    }
}
