//! What is known of the function and its environment: from variables, the register answer and the INVOKE event.

use crate::platform::PlatformEvent;
use crate::resource::Declared;

/// Facts about the function. A text that is not known is empty.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// `AWS_LAMBDA_FUNCTION_NAME`.
    pub function_name: String,
    /// `AWS_LAMBDA_FUNCTION_VERSION`.
    pub function_version: String,
    /// `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`, in bytes.
    pub function_memory: Option<u64>,
    /// The ARN as invoked; known from the first INVOKE on.
    pub function_arn: String,
    /// The alias or version in the ARN as invoked.
    pub function_alias: String,
    /// `AWS_REGION`.
    pub region: String,
    /// From the register answer, else from the ARN.
    pub account_id: String,
    /// `AWS_LAMBDA_INITIALIZATION_TYPE`.
    pub init_type: String,
    /// 32 hex digits: the life of this environment.
    pub instance: String,
    /// The log stream of this environment, as the platform named it at init or restore.
    pub log_stream: String,
    /// What `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME` say; see [`resource`](crate::resource).
    pub declared: Declared,
    /// The variables that `[receiver] env` lists, with their values.
    pub env: Vec<(String, String)>,
}

impl Facts {
    /// Learns from the register answer, which knows better than the environment.
    pub fn learn_registration(
        &mut self,
        name: Option<String>,
        version: Option<String>,
        account_id: Option<String>,
    ) {
        for (fact, known) in [
            (&mut self.function_name, name),
            (&mut self.function_version, version),
            (&mut self.account_id, account_id),
        ] {
            if let Some(known) = known {
                *fact = known;
            }
        }
    }

    /// Learns from what the platform says of the environment.
    pub fn observe(&mut self, event: &PlatformEvent) {
        if let PlatformEvent::InitStart { log_stream, .. }
        | PlatformEvent::RestoreStart { log_stream } = event
            && let Some(name) = log_stream
        {
            name.clone_into(&mut self.log_stream);
        }
    }

    /// Learns from an ARN as invoked:
    /// `arn:aws:lambda:<region>:<account>:function:<name>[:<alias or version>]`. Says whether it was new.
    pub fn learn_arn(&mut self, arn: &str) -> bool {
        if arn == self.function_arn {
            return false;
        }
        let mut parts = arn.split(':').skip(3);
        if let (Some(region), Some(account)) = (parts.next(), parts.next()) {
            for (fact, value) in [(&mut self.region, region), (&mut self.account_id, account)] {
                if fact.is_empty() {
                    value.clone_into(fact);
                }
            }
        }
        parts.nth(1).unwrap_or_default();
        parts
            .next()
            .unwrap_or_default()
            .clone_into(&mut self.function_alias);
        arn.clone_into(&mut self.function_arn);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_fills_what_was_not_known() {
        let mut facts = Facts {
            region: "eu-west-1".into(),
            ..Facts::default()
        };
        facts.learn_arn("arn:aws:lambda:us-east-1:123456789012:function:orders:live");
        assert_eq!(facts.region, "eu-west-1", "the variable is nearer");
        assert_eq!(facts.account_id, "123456789012");
        assert_eq!(facts.function_alias, "live");
        facts.learn_arn("arn:aws:lambda:us-east-1:123456789012:function:orders");
        assert_eq!(facts.function_alias, "");
        facts.learn_arn("nonsense");
    }

    #[test]
    fn the_log_stream_is_that_of_the_last_start() {
        let mut facts = Facts::default();
        facts.observe(&PlatformEvent::InitStart {
            init_type: None,
            suppressed: false,
            log_stream: Some("2026/03/14/[7]a".to_owned()),
        });
        facts.observe(&PlatformEvent::RestoreStart { log_stream: None });
        assert_eq!(facts.log_stream, "2026/03/14/[7]a");
        facts.observe(&PlatformEvent::RestoreStart {
            log_stream: Some("2026/03/14/[7]b".to_owned()),
        });
        assert_eq!(facts.log_stream, "2026/03/14/[7]b");
    }
}
