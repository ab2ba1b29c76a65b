//! The key of `hash`: there when the file is read, fetched from AWS while the process runs, or not there.
//!
//! Without it `hash` acts as `label`, which is said once. A key that was fetched is kept for good: hashes of one life
//! of the environment can be compared.

use tapline_core::config::{Late, Reader, Secret};
use tapline_core::level::Level;
use tapline_core::world::World;

use super::action::Hasher;

/// Shortest key of `hash`, in bytes: as long as the hash itself (RFC 2104, section 3).
const HASH_KEY_BYTES_MIN: usize = 32;

/// The key, as far as it is there.
#[derive(Default)]
pub struct HashKey {
    hasher: Option<Hasher>,
    /// What is to come.
    coming: Option<Secret>,
    /// As messages name the transform.
    owner: String,
    /// That it is not there was said.
    said: bool,
}

impl HashKey {
    /// Reads the key; `None` after it reported what is wrong. A variable that is unset is reported too, and does not
    /// stand in the way.
    pub fn read(reader: &Reader<'_>, wanted: bool) -> Option<HashKey> {
        if !reader.has("hash_key") {
            if wanted {
                let message = format!("{} hashes, and has no `hash_key`", reader.label());
                let help = "add `hash_key = { env = \"PII_KEY\" }`: at least 32 random bytes that stay the same";
                reader.error(reader.header(), message, help);
                return None;
            }
            return Some(HashKey::default());
        }
        let Some(key) = reader.any_secret("hash_key") else {
            return Some(HashKey::default());
        };
        if !wanted {
            let help = "write `action = \"hash\"`, or remove it";
            reader.warning(key.span.clone(), "nothing uses the `hash_key`", help);
        }
        if key.value.waits_for().is_some() {
            return Some(HashKey {
                coming: wanted.then_some(key.value),
                owner: reader.label().to_owned(),
                ..HashKey::default()
            });
        }
        let bytes = key.value.expose().as_bytes();
        if bytes.len() < HASH_KEY_BYTES_MIN {
            let message = format!("the key of `hash` is shorter than {HASH_KEY_BYTES_MIN} bytes");
            let help = "make one with `openssl rand -hex 32`";
            reader.error(key.span.clone(), message, help);
            return None;
        }
        Some(HashKey {
            hasher: Hasher::new(bytes),
            ..HashKey::default()
        })
    }

    /// What it waits for; `None` once that was taken over, or is known to be of no use.
    pub fn waits_for(&self) -> Option<&Late> {
        self.coming.as_ref().and_then(Secret::waits_for)
    }

    /// What hashes, where the key is there by now. Says once where it is not.
    pub fn hasher(&mut self, world: &dyn World) -> Option<&Hasher> {
        if let Some(secret) = &self.coming {
            match known(secret) {
                Known::Key(hasher) => (self.hasher, self.coming) = (Some(hasher), None),
                Known::Nothing if self.said => {}
                Known::Nothing => {
                    self.said = true;
                    self.say("is not there; until it is, `hash` acts as `label`", world);
                }
                Known::Useless(why) => {
                    self.coming = None;
                    self.say(&format!("{why}; `hash` acts as `label`"), world);
                }
            }
        }
        self.hasher.as_ref()
    }

    fn say(&self, what: &str, world: &dyn World) {
        let message = format!("{}: the `hash_key` {what}", self.owner);
        world.log(Level::Warn, &message);
    }
}

/// What is known of a key that comes later.
enum Known {
    Key(Hasher),
    Nothing,
    Useless(&'static str),
}

fn known(secret: &Secret) -> Known {
    if secret.waits_for().is_some_and(|late| late.text().is_none()) {
        return Known::Nothing;
    }
    match secret.current() {
        Some(key) if key.len() < HASH_KEY_BYTES_MIN => Known::Useless("is shorter than 32 bytes"),
        Some(key) => match Hasher::new(key.as_bytes()) {
            Some(hasher) => Known::Key(hasher),
            None => Known::Useless("is no key"),
        },
        None => Known::Useless("is no text in the secret under the member that it names"),
    }
}

#[cfg(test)]
mod tests {
    use tapline_core::transform::Transform;

    use super::super::{KIND, tests::GOLDEN_HASH};
    use super::*;
    use crate::test_kit::{HASH_KEY, Kit, made, problems, value};

    const CARD: &str = "\"4111111111111111\"";

    fn config(key: &str) -> String {
        format!("rules = ['CreditCardNumber']\naction = 'hash'\nhash_key = {key}")
    }

    fn late(member: &str) -> Box<dyn Transform> {
        let arn = concat!("arn:aws:ssm:eu-west-1:", "123456789012:parameter/pii");
        made(&KIND, &config(&format!("{{ secret = '{arn}{member}' }}")))
    }

    fn redacted(kit: &Kit, transform: &mut dyn Transform) -> String {
        let batch = kit.apply(transform, kit.one(CARD));
        value(&batch, &batch.records()[0]).to_owned()
    }

    fn hashed() -> String {
        format!("\"[CreditCardNumber:{GOLDEN_HASH}]\"")
    }

    const LABELLED: &str = "\"[CreditCardNumber]\"";

    #[test]
    fn a_key_that_comes_later_hashes_as_one_that_was_there() {
        for (member, text) in [
            ("", HASH_KEY.to_owned()),
            ("", format!("{HASH_KEY}\n")),
            ("#key", format!("{{\"n\":1,\"key\":\"{HASH_KEY}\"}}")),
        ] {
            let (kit, mut transform) = (Kit::new(), late(member));
            let secret = transform.waits_for().expect("it needs it").clone();
            secret.set(&text);
            assert_eq!(redacted(&kit, &mut *transform), hashed());
            assert!(transform.waits_for().is_none());
            secret.set(&"f".repeat(64));
            assert_eq!(
                redacted(&kit, &mut *transform),
                hashed(),
                "it is kept for good"
            );
            assert_eq!(kit.clock.logged(), Vec::<String>::new());
        }
    }

    #[test]
    fn without_its_key_a_hash_is_a_label_until_it_is_there_and_that_is_said_once() {
        let (kit, mut transform) = (Kit::new(), late(""));
        let secret = transform.waits_for().expect("it needs it").clone();
        assert_eq!(redacted(&kit, &mut *transform), LABELLED, "wanted");
        secret.fail();
        assert_eq!(redacted(&kit, &mut *transform), LABELLED, "failed");
        let said =
            "transform `t`: the `hash_key` is not there; until it is, `hash` acts as `label`";
        assert_eq!(kit.clock.logged(), [said]);
        secret.want();
        secret.set(HASH_KEY);
        assert_eq!(redacted(&kit, &mut *transform), hashed());
        assert_eq!(kit.clock.logged().len(), 1);
    }

    #[test]
    fn a_key_that_is_of_no_use_when_it_comes_makes_a_label_of_a_hash() {
        let cases = [
            ("", HASH_KEY[1..].to_owned(), "is shorter than 32 bytes"),
            ("#key", HASH_KEY.to_owned(), "is no text in the secret"),
            (
                "#key",
                format!("{{\"kye\":\"{HASH_KEY}\"}}"),
                "under the member",
            ),
        ];
        for (member, text, why) in cases {
            let (kit, mut transform) = (Kit::new(), late(member));
            let secret = transform.waits_for().expect("it needs it").clone();
            secret.set(&text);
            assert_eq!(redacted(&kit, &mut *transform), LABELLED);
            assert_eq!(redacted(&kit, &mut *transform), LABELLED);
            assert!(transform.waits_for().is_none(), "nothing more is to come");
            let said = kit.clock.logged();
            assert_eq!(said.len(), 1, "{said:?}");
            assert!(said[0].contains(why), "{said:?}");
            assert!(!said[0].contains(&text), "{said:?}");
        }
    }

    #[test]
    fn nothing_waits_for_a_key_that_is_not_used() {
        let audit = format!(
            "{}\nmode = 'audit'",
            config("{ secret = 'arn:aws:ssm:r:1:parameter/p' }")
        );
        let (kit, mut transform) = (Kit::new(), made(&KIND, &audit));
        assert!(transform.waits_for().is_none());
        assert_eq!(redacted(&kit, &mut *transform), CARD);
        assert_eq!(kit.clock.logged(), Vec::<String>::new());
        let unused = "keys = ['a']\nhash_key = { secret = 'arn:aws:ssm:r:1:parameter/p' }";
        assert_eq!(problems(&KIND, unused).len(), 1, "a warning");
    }

    /// 31 and 32 bytes.
    #[test]
    fn a_key_is_as_long_as_the_hash_or_an_error() {
        assert!(HASH_KEY.len() == HASH_KEY_BYTES_MIN);
        made(&KIND, &config(&format!("'{HASH_KEY}'")));
        let said = problems(&KIND, &config(&format!("'{}'", &HASH_KEY[1..])));
        assert!(said[0].contains("shorter than 32 bytes"), "{said:?}");
    }
}
