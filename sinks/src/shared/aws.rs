//! What sinks for AWS have in common: their keys.

use std::time::Duration;

use tapline_core::config::{Field, FieldKind, Reader};

use super::credentials::{Provider, Role};
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

/// Another place than AWS's own.
pub(crate) const ENDPOINT: Field = Field {
    name: "endpoint",
    kind: FieldKind::Text,
    default: "",
    required: false,
    doc: "URL in place of AWS's own: an endpoint of a VPC, or an emulator.",
};

/// Longest time for a connection.
pub(crate) const CONNECT_TIMEOUT: Field = Field {
    name: "connect_timeout",
    kind: FieldKind::Duration {
        min: Duration::from_millis(1),
        max: Duration::from_secs(60),
    },
    default: "\"1s\"",
    required: false,
    doc: "Longest time for name, connection and TLS together. It counts towards `timeout`.",
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
