//! What sinks for AWS have in common: their keys, and a gate that is shut when AWS refuses for good.

use std::time::Duration;

use tapline_core::config::{Field, FieldKind, Reader};
use tapline_core::level::Level;
use tapline_core::sink::Verdict;
use tapline_core::world::{Instant, World};

use super::credentials::{Missing, Provider, Role};
use super::endpoint::is_region;

/// The region of a destination.
pub(crate) const REGION: Field = Field {
    name: "region",
    kind: FieldKind::Text,
    default: "",
    required: false,
    doc: "Region of AWS. Without it the function's own, from `AWS_REGION`.",
};

/// A role to sign with.
pub(crate) const ROLE_ARN: Field = Field {
    name: "role_arn",
    kind: FieldKind::Text,
    default: "",
    required: false,
    doc: "ARN of a role that is taken on with STS, for a destination in another account. It costs one request to STS \
          an hour.",
};

/// What the role wants to hear.
pub(crate) const EXTERNAL_ID: Field = Field {
    name: "external_id",
    kind: FieldKind::Text,
    default: "",
    required: false,
    doc: "External id that the trust policy of `role_arn` asks for.",
};

/// Reads `region`. `None` after it reported what is wrong; empty where the function's own is meant.
pub(crate) fn read_region(reader: &Reader<'_>) -> Option<String> {
    let Some(region) = reader.text("region") else {
        return (!reader.has("region")).then(String::new);
    };
    if !is_region(&region.value) {
        let help = "write for example `eu-west-1`, or leave it out for the function's own";
        reader.error(region.span, "this is no region of AWS", help);
        return None;
    }
    Some(region.value)
}

/// Reads `role_arn` and `external_id`. `None` after it reported what is wrong.
pub(crate) fn read_provider(reader: &Reader<'_>) -> Option<Provider> {
    let (arn, external_id) = (reader.text("role_arn"), reader.text("external_id"));
    let unread = |key| reader.has(key);
    if (arn.is_none() && unread("role_arn")) || (external_id.is_none() && unread("external_id")) {
        return None;
    }
    let Some(arn) = arn else {
        if let Some(id) = external_id {
            let help = "add `role_arn`, or leave it out";
            reader.error(
                id.span,
                "`external_id` is for a `role_arn`, and there is none",
                help,
            );
            return None;
        }
        return Some(Provider::new(None));
    };
    if !is_role(&arn.value) {
        let help = "write `arn:aws:iam::<12 digits>:role/<name>`";
        reader.error(arn.span, "this is no ARN of a role", help);
        return None;
    }
    Some(Provider::new(Some(Role {
        arn: arn.value,
        external_id: external_id.map(|id| id.value),
    })))
}

fn is_role(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts[..] {
        ["arn", partition, "iam", "", account, role] => {
            partition.starts_with("aws")
                && account.len() == 12
                && account.bytes().all(|byte| byte.is_ascii_digit())
                && role
                    .strip_prefix("role/")
                    .is_some_and(|name| !name.is_empty())
                && arn.bytes().all(|byte| byte.is_ascii_graphic())
        }
        _ => false,
    }
}

/// How long nothing is sent after AWS refused for good, in running time. Then one request asks again: a policy may have
/// been mended.
const SHUT_FOR: Duration = Duration::from_secs(300);

/// Shut after a refusal that no other attempt would change: what comes meanwhile is rejected without a request.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    shut: Option<(Instant, String)>,
    /// What was said last; it is not said again.
    said: String,
}

impl Gate {
    /// The verdict where it is shut.
    pub fn verdict(&self, world: &dyn World) -> Option<Verdict> {
        let (until, reason) = self.shut.as_ref()?;
        (world.now() < *until).then(|| Verdict::Rejected(reason.clone().into()))
    }

    /// Shuts it, says why in one line, and gives the verdict on what was refused.
    pub fn shut(&mut self, world: &dyn World, reason: &str, line: &str) -> Verdict {
        self.shut = Some((world.now() + SHUT_FOR, reason.to_owned()));
        if self.said != line {
            line.clone_into(&mut self.said);
            let minutes = SHUT_FOR.as_secs() / 60;
            let message = format!(
                "{line}; records are rejected as `{reason}`, and one request asks again every {minutes} min"
            );
            world.log(Level::Error, &message);
        }
        Verdict::Rejected(reason.to_owned().into())
    }

    /// The verdict where there are no credentials.
    pub fn missing(&mut self, world: &dyn World, missing: Missing) -> Verdict {
        match missing {
            Missing::Failed(failure) => failure.into(),
            Missing::Refused(reason, line) => self.shut(world, &reason, &line),
        }
    }

    /// It worked.
    pub fn open(&mut self) {
        self.shut = None;
        self.said.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_world::TestWorld;

    #[test]
    fn an_arn_of_a_role_is_told_from_everything_else() {
        let account = "123456789012";
        for right in [
            format!("arn:aws:iam::{account}:role/logs"),
            format!("arn:aws-cn:iam::{account}:role/path/to/logs"),
        ] {
            assert!(is_role(&right), "{right}");
        }
        for wrong in [
            format!("arn:aws:iam::{account}:user/logs"),
            format!("arn:aws:iam::{account}:role/"),
            format!("arn:aws:sts::{account}:role/x"),
            format!("arn:aws:iam::{account}:role/a b"),
            "arn:aws:iam::1:role/x".to_owned(),
            String::new(),
        ] {
            assert!(!is_role(&wrong), "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_shut_gate_says_so_once_and_asks_again_after_five_minutes() {
        let world = TestWorld::new();
        let mut gate = Gate::default();
        assert_eq!(gate.verdict(&world), None);
        let rejected = Verdict::Rejected("AccessDenied".into());
        for _ in 0..3 {
            assert_eq!(gate.shut(&world, "AccessDenied", "not allowed"), rejected);
        }
        assert_eq!(world.messages.borrow().len(), 1);
        assert_eq!(gate.verdict(&world), Some(rejected));
        world.ahead.set(SHUT_FOR);
        assert_eq!(gate.verdict(&world), None, "one request may go");
        gate.open();
        gate.shut(&world, "AccessDenied", "not allowed");
        assert_eq!(world.messages.borrow().len(), 2, "it had worked meanwhile");
    }
}
