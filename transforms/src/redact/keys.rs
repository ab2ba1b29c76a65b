//! Rules for keys of JSON members: `password`, `*_token`, `user.ssn`.

/// A member's key with those of the objects around it.
#[derive(Debug, Clone, Copy)]
pub struct Link<'p> {
    pub parent: Option<&'p Link<'p>>,
    /// Decoded.
    pub key: &'p [u8],
}

/// Keys as configured: each a path of globs, innermost last. ASCII letters have no case.
#[derive(Debug, Default)]
pub struct Keys {
    entries: Vec<Vec<Vec<u8>>>,
}

impl Keys {
    /// Adds a key: a name or glob, or several with dots between them. A member whose own key has the dots fits too.
    pub fn add(&mut self, key: &str) {
        let lower = key.to_ascii_lowercase();
        let segments = lower.split('.').map(|part| part.as_bytes().to_vec());
        self.entries.push(segments.collect());
        if lower.contains('.') {
            self.entries.push(vec![lower.into_bytes()]);
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a member is meant, wherever it lies.
    pub fn fit(&self, link: &Link<'_>) -> bool {
        self.entries.iter().any(|entry| {
            let mut at = Some(link);
            entry.iter().rev().all(|glob| {
                let fits = at.is_some_and(|link| glob_fits(glob, link.key));
                at = at.and_then(|link| link.parent);
                fits
            })
        })
    }

    /// A pattern that matches wherever a fitting key stands in text: its name in quotes, then a colon.
    pub fn pattern(&self) -> String {
        let names: Vec<String> = self
            .entries
            .iter()
            .filter_map(|entry| entry.last())
            .map(|glob| as_pattern(glob))
            .collect();
        format!(r#"(?i:\\*["'](?:{})\\*["']\s*:)"#, names.join("|"))
    }
}

fn as_pattern(glob: &[u8]) -> String {
    let mut pattern = String::new();
    for character in String::from_utf8_lossy(glob).chars() {
        match character {
            '*' => pattern.push_str(r#"[^"]*"#),
            _ if character.is_ascii_punctuation() => {
                pattern.push('\\');
                pattern.push(character);
            }
            _ => pattern.push(character),
        }
    }
    pattern
}

/// Whether a name fits a glob in lower case, where `*` stands for any characters. At most length times length steps.
pub fn glob_fits(glob: &[u8], name: &[u8]) -> bool {
    let (mut g, mut n) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        if glob.get(g) == Some(&b'*') {
            retry = Some((g, n));
            g += 1;
        } else if glob
            .get(g)
            .is_some_and(|byte| *byte == name[n].to_ascii_lowercase())
        {
            g += 1;
            n += 1;
        } else if let Some((star, from)) = retry {
            g = star + 1;
            n = from + 1;
            retry = Some((star, n));
        } else {
            return false;
        }
    }
    glob[g..].iter().all(|byte| *byte == b'*')
}
