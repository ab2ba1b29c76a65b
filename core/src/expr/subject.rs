//! One value of a record that a configuration points at: a name, or a path into its JSON.

use super::{Name, Names, Path, Problem, check};
use crate::suggest::closest;

/// A name such as `message` or `env.STAGE`, or a path such as `.user.id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A name.
    Name(Name),
    /// A path.
    Path(Path),
}

impl Subject {
    /// Reads a name or a path.
    ///
    /// # Errors
    ///
    /// The first problem, with its place in `source`.
    pub fn parse(source: &str, names: &Names<'_>) -> Result<Subject, Problem> {
        if source.starts_with('.') {
            return Path::parse(source).map(Subject::Path);
        }
        let span = 0..source.len();
        if source.is_empty() {
            let help = "write a name such as `request_id`, or a path such as `.user.id`";
            return Err(Problem::new(span, "the name is empty", help));
        }
        match check::name(source, span.clone(), names)? {
            Some(name) => Ok(Subject::Name(name)),
            None => Err(Problem::new(
                span,
                format!("there is no name `{source}`"),
                remedy(source, names),
            )),
        }
    }
}

fn remedy(word: &str, names: &Names<'_>) -> String {
    let listed: Vec<String> = names.env.iter().map(|name| format!("env.{name}")).collect();
    let candidates: Vec<&str> = Name::spellings()
        .chain(listed.iter().map(String::as_str))
        .collect();
    match closest(word, &candidates) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!(
            "write a path with a dot, `.{word}`, or one of the names {}",
            candidates.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths_are_told_apart_and_wrong_ones_are_helped() {
        let names = Names {
            env: &["STAGE".to_owned()],
        };
        let parse = |source| Subject::parse(source, &names);
        assert_eq!(parse("message"), Ok(Subject::Name(Name::Message)));
        assert_eq!(
            parse("env.STAGE"),
            Ok(Subject::Name(Name::Env("STAGE".into())))
        );
        assert!(matches!(parse(".a[0].b"), Ok(Subject::Path(_))));
        for (wrong, said) in [
            ("mesage", "did you mean `message`?"),
            ("env.STAG", "did you mean `env.STAGE`?"),
            (".a..b", "key"),
            ("", "request_id"),
        ] {
            let problem = parse(wrong).unwrap_err();
            assert!(problem.to_string().contains(said), "{wrong}: {problem}");
        }
    }
}
