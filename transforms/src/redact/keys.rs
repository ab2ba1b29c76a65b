//! Rules for keys of JSON members: `password`, `*_token`, `user.ssn`.

use super::work::looked_at;

/// Longest path of keys that is looked through for each text and each match below it, in bytes. Longer ones, which are
/// made up, count as if all that is looked for were in them: or else a megabyte of a key would be read again and again.
const PATH_BYTES_MAX: usize = 1 << 10;

/// A member's key with those of the objects around it.
#[derive(Debug, Clone, Copy)]
pub struct Link<'p> {
    pub parent: Option<&'p Link<'p>>,
    /// Decoded.
    pub key: &'p [u8],
}

impl Link<'_> {
    /// Whether the keys up to this one are longer together than is looked through.
    pub fn is_long(&self) -> bool {
        let (mut left, mut at) = (PATH_BYTES_MAX, Some(self));
        while let Some(link) = at {
            match left.checked_sub(link.key.len()) {
                Some(rest) => left = rest,
                None => return true,
            }
            at = link.parent;
        }
        false
    }
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

    /// Adds one glob, whose dots are dots.
    pub fn add_glob(&mut self, glob: &str) {
        self.entries
            .push(vec![glob.to_ascii_lowercase().into_bytes()]);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a member is meant, wherever it lies.
    pub fn fit(&self, link: &Link<'_>) -> bool {
        self.entries.iter().any(|entry| {
            let mut at = Some(link);
            entry.iter().rev().enumerate().all(|(step, glob)| {
                // One's own key is read once, those around it for every member.
                let fits = |link: &Link<'_>| {
                    (step > 0 && link.key.len() > PATH_BYTES_MAX) || glob_fits(glob, link.key)
                };
                let fits = at.is_some_and(fits);
                at = at.and_then(|link| link.parent);
                fits
            })
        })
    }

    /// A pattern that matches wherever a fitting key stands in text: its name in quotes, then a colon. Of a path, the
    /// innermost name that says something.
    pub fn pattern(&self) -> String {
        let names: Vec<String> = self.names().map(as_pattern).collect();
        format!(r#"(?i:\\*["'](?:{})\\*["']\s*:)"#, names.join("|"))
    }

    /// Patterns of which a decoded JSON text matches at least one where a member in it fits and the text does not match
    /// [`pattern`](Keys::pattern): where something beyond the start of a name may be anything, quotes too.
    pub fn traces(&self) -> Vec<String> {
        let loose = |glob: &&[u8]| glob.iter().skip(1).any(|byte| *byte == b'*');
        let mut traces: Vec<String> = self.names().filter(loose).map(trace).collect();
        // The name before an innermost one that may be any may stand in another text: around JSON inside a string.
        let any = |glob: &Vec<u8>| glob.iter().all(|byte| *byte == b'*');
        if self
            .entries
            .iter()
            .any(|entry| entry.last().is_some_and(any))
        {
            traces.push(trace(b"*"));
        }
        traces
    }

    fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.entries.iter().filter_map(|entry| {
            let says = |glob: &&Vec<u8>| glob.iter().any(|byte| *byte != b'*');
            let name = entry.iter().rev().find(says).or(entry.last());
            name.map(Vec::as_slice)
        })
    }
}

/// The end of a glob with the quote and the colon behind it, or else its start with the quote before it, or else what
/// stands between stars.
fn trace(glob: &[u8]) -> String {
    let pieces: Vec<&[u8]> = glob.split(|byte| *byte == b'*').collect();
    let (first, last) = (pieces[0], pieces[pieces.len() - 1]);
    if !last.is_empty() {
        return format!(r#"(?i:{}"\s*:)"#, as_pattern(last));
    }
    if !first.is_empty() {
        return format!(r#"(?i:"{})"#, as_pattern(first));
    }
    let longest = pieces.iter().max_by_key(|piece| piece.len());
    match longest {
        Some(piece) if !piece.is_empty() => format!("(?i:{})", as_pattern(piece)),
        _ => r#""\s*:"#.to_owned(),
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
    looked_at(name.len());
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
