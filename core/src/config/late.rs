//! A credential that is not there yet when the file is read: a secret of AWS.
//!
//! The file names it, one task fetches it, and whoever needs it looks at it or waits for it. Nothing is fetched twice for
//! two places that name the same secret.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::bell::Bell;
use crate::world::Instant;

/// A refused secret is fetched anew at most this often.
const ANEW_AFTER: Duration = Duration::from_secs(60);

/// A secret that is fetched while the process runs. Copies share it.
#[derive(Clone)]
pub struct Late(Rc<Shared>);

struct Shared {
    arn: String,
    state: RefCell<State>,
    /// What was known when it was last asked for anew: it may still do.
    before: RefCell<Option<Rc<str>>>,
    changed: Bell,
    /// Rings for the task that fetches.
    wanted: Rc<Bell>,
    anew_from: Cell<Instant>,
}

enum State {
    Wanted,
    Known(Rc<str>),
    Failed,
}

impl Late {
    /// Where it lies: `arn:aws:secretsmanager:…` or `arn:aws:ssm:…`.
    pub fn arn(&self) -> &str {
        &self.0.arn
    }

    /// Its text, where it was fetched.
    pub fn text(&self) -> Option<Rc<str>> {
        match &*self.0.state.borrow() {
            State::Known(text) => Some(text.clone()),
            State::Wanted | State::Failed => None,
        }
    }

    /// Whether it is to be fetched.
    pub fn is_wanted(&self) -> bool {
        matches!(*self.0.state.borrow(), State::Wanted)
    }

    /// Ends when it was fetched, or could not be.
    pub async fn settled(&self) {
        while self.is_wanted() {
            self.0.changed.rung().await;
        }
    }

    /// It was fetched.
    pub fn set(&self, text: &str) {
        self.change(State::Known(text.into()));
    }

    /// It cannot be fetched for now. What was known before goes on being used: a destination may have refused it for
    /// another reason.
    pub fn fail(&self) {
        let before = self.0.before.take();
        self.change(before.map_or(State::Failed, State::Known));
    }

    /// It is to be fetched once more.
    pub fn want(&self) {
        self.change(State::Wanted);
        self.0.wanted.ring();
    }

    /// A destination refused it: it may have been changed meanwhile. Says whether it is fetched anew; not so soon after
    /// the last time.
    pub fn refused(&self, now: Instant) -> bool {
        if now < self.0.anew_from.get() || self.text().is_none() {
            return false;
        }
        self.0.anew_from.set(now + ANEW_AFTER);
        self.0.before.replace(self.text());
        self.want();
        true
    }

    fn change(&self, state: State) {
        self.0.state.replace(state);
        self.0.changed.ring();
    }
}

impl PartialEq for Late {
    fn eq(&self, other: &Late) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Late {}

impl fmt::Debug for Late {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Late(…)")
    }
}

/// All secrets that a file names.
#[derive(Debug, Clone, Default)]
pub struct LateSecrets {
    list: Vec<Late>,
    wanted: Rc<Bell>,
}

impl LateSecrets {
    /// The secret with this ARN.
    pub fn add(&mut self, arn: &str) -> Late {
        if let Some(known) = self.list.iter().find(|late| late.arn() == arn) {
            return known.clone();
        }
        let late = Late(Rc::new(Shared {
            arn: arn.to_owned(),
            state: RefCell::new(State::Wanted),
            before: RefCell::default(),
            changed: Bell::default(),
            wanted: self.wanted.clone(),
            anew_from: Cell::default(),
        }));
        self.list.push(late.clone());
        late
    }

    /// Those of them that are among these.
    pub fn only(&self, these: &[Late]) -> LateSecrets {
        let list = self.list.iter().filter(|late| these.contains(late));
        LateSecrets {
            list: list.cloned().collect(),
            wanted: self.wanted.clone(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Those that are to be fetched.
    pub fn wanted(&self) -> Vec<Late> {
        let wanted = self.list.iter().filter(|late| late.is_wanted());
        wanted.cloned().collect()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Late> {
        self.list.iter()
    }

    /// Ends when one is wanted that was not.
    pub fn rung(&self) -> impl Future<Output = ()> + '_ {
        self.wanted.rung()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_however_many_places_name_it_and_is_never_shown() {
        let mut secrets = LateSecrets::default();
        let (first, second) = (secrets.add("a"), secrets.add("a"));
        assert_eq!(first, second);
        assert_ne!(first, secrets.add("b"));
        assert_eq!(secrets.wanted().len(), 2);
        first.set("s3cret");
        assert_eq!(second.text().as_deref(), Some("s3cret"));
        assert_eq!(secrets.wanted().len(), 1);
        assert!(!format!("{secrets:?} {first:?}").contains("s3cret"));
    }

    #[test]
    fn a_refused_secret_is_fetched_anew_but_not_again_at_once() {
        let late = LateSecrets::default().add("a");
        let at = |seconds| Instant::default() + Duration::from_secs(seconds);
        assert!(!late.refused(at(0)), "it is not there yet");
        late.set("x");
        assert!(late.refused(at(1)) && late.is_wanted());
        late.set("x");
        assert!(!late.refused(at(60)));
        assert!(late.refused(at(61)));
        late.fail();
        assert_eq!(late.text().as_deref(), Some("x"), "it may still do");
        assert!(late.refused(at(200)));
    }

    #[test]
    fn a_secret_that_was_never_there_is_missing_until_it_is_fetched() {
        let late = LateSecrets::default().add("a");
        late.fail();
        assert!(late.text().is_none() && !late.is_wanted());
        late.want();
        late.fail();
        assert!(late.text().is_none());
    }
}
