//! What describes the function and its environment as a whole: OpenTelemetry's resource attributes.
//!
//! Three layers, the later winning key by key: what is known of the function ([`Facts`]), then
//! `OTEL_RESOURCE_ATTRIBUTES`, then `OTEL_SERVICE_NAME`. What is not known is left out, so the list may grow: the account
//! comes with the register answer and the ARN with the first INVOKE.
//!
//! Source: <https://opentelemetry.io/docs/specs/semconv/resource/faas/>,
//! <https://opentelemetry.io/docs/specs/semconv/resource/cloud/> and
//! <https://opentelemetry.io/docs/specs/otel/resource/sdk/>, read 2026-11-23.

use std::borrow::Cow;

use crate::facts::Facts;

/// Longest `OTEL_RESOURCE_ATTRIBUTES` that is read, in bytes: Lambda allows 4 KiB for all variables together.
const DECLARED_BYTES_MAX: usize = 16 << 10;

/// The value of a resource attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// A whole number.
    Integer(i64),
}

/// What the environment says about the resource: `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declared {
    attributes: Vec<(String, String)>,
    problem: Option<&'static str>,
}

impl Declared {
    /// Reads both variables; `variable` answers for the environment, an empty one counts as unset.
    ///
    /// `OTEL_RESOURCE_ATTRIBUTES` is `key=value,key2=value%202`: keys and values percent-encoded, blanks around them
    /// left out, an `=` inside a value tolerated. Of equal keys the last wins. Where any part of it cannot be read,
    /// none of it is used, as the specification asks, and [`problem`](Declared::problem) says so.
    pub fn read(variable: &dyn Fn(&str) -> Option<String>) -> Declared {
        let mut declared = match variable("OTEL_RESOURCE_ATTRIBUTES").map(|text| parse(&text)) {
            None => Declared::default(),
            Some(Ok(attributes)) => Declared {
                attributes,
                problem: None,
            },
            Some(Err(problem)) => Declared {
                attributes: Vec::new(),
                problem: Some(problem),
            },
        };
        if let Some(name) = variable("OTEL_SERVICE_NAME") {
            set(&mut declared.attributes, "service.name".to_owned(), name);
        }
        declared
    }

    /// Why `OTEL_RESOURCE_ATTRIBUTES` is not used, without its value.
    pub fn problem(&self) -> Option<&'static str> {
        self.problem
    }
}

fn parse(text: &str) -> Result<Vec<(String, String)>, &'static str> {
    if text.len() > DECLARED_BYTES_MAX {
        return Err("it is longer than 16 KiB");
    }
    let mut attributes = Vec::new();
    for member in text
        .split(',')
        .map(str::trim)
        .filter(|member| !member.is_empty())
    {
        let (key, value) = member
            .split_once('=')
            .ok_or("a part of it lacks its `=`; write `key=value,key2=value2`")?;
        let key = percent_decoded(key.trim())?;
        if key.is_empty() {
            return Err("a key of it is empty; write `key=value,key2=value2`");
        }
        set(&mut attributes, key, percent_decoded(value.trim())?);
    }
    Ok(attributes)
}

fn set(attributes: &mut Vec<(String, String)>, key: String, value: String) {
    match attributes.iter_mut().find(|(known, _)| *known == key) {
        Some((_, known)) => *known = value,
        None => attributes.push((key, value)),
    }
}

fn percent_decoded(text: &str) -> Result<String, &'static str> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        match (digit(), digit()) {
            (Some(high), Some(low)) => decoded.push((high << 4 | low) as u8),
            _ => return Err("a `%` in it is not followed by two hex digits; a plain `%` is `%25`"),
        }
    }
    String::from_utf8(decoded).map_err(|_| "its percent-encoded bytes are no UTF-8")
}

/// The resource attributes, each key once: those of the conventions, then those that only the environment names.
///
/// `faas.instance` is the log stream, once the platform has named it, and else the environment's life.
/// `cloud.resource_id` names the version that runs, never an alias, so that it is the same for every invocation.
pub fn attributes(facts: &Facts) -> Vec<(&str, Value<'_>)> {
    let instance = [&facts.log_stream, &facts.instance];
    let instance = instance.into_iter().find(|name| !name.is_empty());
    let mut list: Vec<(&str, Value<'_>)> = [
        ("cloud.provider", Cow::Borrowed("aws")),
        ("cloud.platform", Cow::Borrowed("aws_lambda")),
        ("cloud.region", Cow::Borrowed(&*facts.region)),
        ("cloud.account.id", Cow::Borrowed(&*facts.account_id)),
        ("cloud.resource_id", resolved_arn(facts)),
        ("faas.name", Cow::Borrowed(&*facts.function_name)),
        ("faas.version", Cow::Borrowed(&*facts.function_version)),
        (
            "faas.instance",
            instance.map_or(Cow::Borrowed(""), |name| Cow::Borrowed(&**name)),
        ),
        ("service.name", Cow::Borrowed(&*facts.function_name)),
    ]
    .into_iter()
    .filter(|(_, text)| !text.is_empty())
    .map(|(key, text)| (key, Value::Text(text)))
    .collect();
    let memory = facts.function_memory.map(i64::try_from);
    if let Some(Ok(bytes)) = memory {
        list.push(("faas.max_memory", Value::Integer(bytes)));
    }
    for (key, text) in &facts.declared.attributes {
        let value = Value::Text(Cow::Borrowed(&**text));
        match list.iter_mut().find(|(known, _)| known == key) {
            Some((_, known)) => *known = value,
            None => list.push((key, value)),
        }
    }
    list
}

/// The ARN as invoked with the version in place of an alias. The ARN without either is that of `$LATEST`.
fn resolved_arn(facts: &Facts) -> Cow<'_, str> {
    let arn = &*facts.function_arn;
    // arn:partition:lambda:region:account:function:name, seven parts.
    let unqualified = match arn.match_indices(':').nth(6) {
        Some((end, _)) => &arn[..end],
        None => arn,
    };
    match &*facts.function_version {
        _ if arn.is_empty() => Cow::Borrowed(""),
        "" | "$LATEST" => Cow::Borrowed(unqualified),
        version => Cow::Owned(format!("{unqualified}:{version}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(attributes: &str, service: &str) -> Declared {
        Declared::read(&|name| {
            let value = match name {
                "OTEL_RESOURCE_ATTRIBUTES" => attributes,
                "OTEL_SERVICE_NAME" => service,
                _ => "",
            };
            (!value.is_empty()).then(|| value.to_owned())
        })
    }

    fn facts(declared: Declared) -> Facts {
        let mut facts = Facts {
            function_name: "orders".to_owned(),
            function_version: "7".to_owned(),
            function_memory: Some(256 << 20),
            region: "eu-west-1".to_owned(),
            instance: "0123456789abcdef0123456789abcdef".to_owned(),
            declared,
            ..Facts::default()
        };
        facts.learn_arn("arn:aws:lambda:eu-west-1:123456789012:function:orders:live");
        facts
    }

    fn shown(facts: &Facts) -> Vec<String> {
        let shown = attributes(facts)
            .into_iter()
            .map(|(key, value)| match value {
                Value::Text(text) => format!("{key}={text}"),
                Value::Integer(number) => format!("{key}={number} bytes"),
            });
        shown.collect()
    }

    #[test]
    fn the_function_is_described_by_the_conventions() {
        let mut facts = facts(Declared::default());
        assert_eq!(
            shown(&facts),
            [
                "cloud.provider=aws",
                "cloud.platform=aws_lambda",
                "cloud.region=eu-west-1",
                "cloud.account.id=123456789012",
                "cloud.resource_id=arn:aws:lambda:eu-west-1:123456789012:function:orders:7",
                "faas.name=orders",
                "faas.version=7",
                "faas.instance=0123456789abcdef0123456789abcdef",
                "service.name=orders",
                "faas.max_memory=268435456 bytes",
            ]
        );
        facts.log_stream = "2026/03/14/[7]6f0c".to_owned();
        facts.function_version = "$LATEST".to_owned();
        let shown = shown(&facts);
        assert!(shown.contains(&"faas.instance=2026/03/14/[7]6f0c".to_owned()));
        let arn = "cloud.resource_id=arn:aws:lambda:eu-west-1:123456789012:function:orders";
        assert!(shown.contains(&arn.to_owned()), "{shown:?}");
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let shown = shown(&Facts::default());
        assert_eq!(shown, ["cloud.provider=aws", "cloud.platform=aws_lambda"]);
    }

    #[test]
    fn the_environment_wins_and_the_service_name_wins_over_it() {
        let declared = declared(
            " deployment.environment = prod%2Fblue ,service.name=a,faas.name=b,k=x=y,team=old,team=new,",
            "checkout",
        );
        assert_eq!(declared.problem(), None);
        let shown = shown(&facts(declared));
        for wanted in [
            "deployment.environment=prod/blue",
            "service.name=checkout",
            "faas.name=b",
            "k=x=y",
            "team=new",
        ] {
            assert!(shown.contains(&wanted.to_owned()), "{wanted}: {shown:?}");
        }
        assert_eq!(shown.len(), 13, "each key once: {shown:?}");
    }

    #[test]
    fn a_variable_that_cannot_be_read_is_left_out_whole() {
        for (broken, said) in [
            ("a=1,b", "lacks its `=`"),
            ("a=1,=2", "key of it is empty"),
            ("a=%4", "two hex digits"),
            ("a=%zz", "two hex digits"),
            ("a=%ff", "no UTF-8"),
        ] {
            let declared = declared(broken, "checkout");
            assert!(
                declared
                    .problem()
                    .is_some_and(|problem| problem.contains(said)),
                "{broken}"
            );
            assert_eq!(
                declared.attributes,
                [("service.name".to_owned(), "checkout".to_owned())]
            );
        }
        let long = format!("a={}", "x".repeat(DECLARED_BYTES_MAX - 2));
        assert_eq!(declared(&long, "").problem(), None, "just under");
        assert!(
            declared(&format!("{long}x"), "").problem().is_some(),
            "just over"
        );
    }
}
