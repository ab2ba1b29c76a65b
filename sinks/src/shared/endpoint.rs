//! Where a service of AWS answers: host names by region, and the variables that change them.
//!
//! | Variable | Does |
//! |---|---|
//! | `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_ENDPOINT_URL` | takes the place of the host name, the first before the second |
//! | `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true` | both are left alone |
//! | `AWS_USE_FIPS_ENDPOINT=true` | the endpoint with validated cryptography |
//! | `AWS_USE_DUALSTACK_ENDPOINT=true` | the endpoint that is reached over IPv6 too |
//!
//! Source: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html> and
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-endpoints.html>, read 2026-11-25; host names after the
//! endpoint tests in the sources of aws-sdk-cloudwatchlogs 1.162.0 and aws-sdk-s3 1.157.0.

use super::url::{self, Url};

/// A service of AWS that sinks and their credentials speak to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Service {
    /// First label of its host names.
    pub prefix: &'static str,
    /// What its endpoint variable ends with.
    pub variable: &'static str,
    /// In GovCloud the common host name is the validated one.
    pub government_is_fips: bool,
}

/// The Security Token Service.
pub(crate) const STS: Service = Service {
    prefix: "sts",
    variable: "STS",
    government_is_fips: true,
};

/// What was asked for cannot be used as an endpoint; a sentence without the value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong(pub String);

/// The endpoint of a service in a region.
pub(crate) fn find(
    service: Service,
    region: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Url, Wrong> {
    let names = [
        format!("AWS_ENDPOINT_URL_{}", service.variable),
        "AWS_ENDPOINT_URL".to_owned(),
    ];
    let ignored = is_true(variable, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
    for name in names.iter().filter(|_| !ignored) {
        if let Some(text) = variable(name) {
            return url::parse(&text)
                .map_err(|_| Wrong(format!("the variable `{name}` holds no URL")));
        }
    }
    if !is_region(region) {
        let help = "set `region`, or the variable `AWS_REGION`";
        return Err(Wrong(format!(
            "no region of AWS is known for `{}`: {help}",
            service.prefix
        )));
    }
    let fips = is_true(variable, "AWS_USE_FIPS_ENDPOINT");
    let dual_stack = is_true(variable, "AWS_USE_DUALSTACK_ENDPOINT");
    let host = host(service, region, fips, dual_stack);
    url::parse(&format!("https://{host}/"))
        .map_err(|_| Wrong(format!("`{region}` is no region of AWS")))
}

fn is_true(variable: &dyn Fn(&str) -> Option<String>, name: &str) -> bool {
    variable(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// Whether a text can be a region: a label of a host name. A region becomes part of a host that credentials are
/// signed for, so nothing else may be in it.
pub(crate) fn is_region(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 63
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn host(service: Service, region: &str, fips: bool, dual_stack: bool) -> String {
    let (plain, dual) = suffixes(region);
    let dashed = fips && !(service.government_is_fips && region.starts_with("us-gov-"));
    let prefix = format!("{}{}", service.prefix, if dashed { "-fips" } else { "" });
    match (dual_stack, service.prefix) {
        // S3 has a label for it in place of another domain.
        (true, "s3") => format!("{prefix}.dualstack.{region}.{plain}"),
        (true, _) => format!("{prefix}.{region}.{dual}"),
        (false, _) => format!("{prefix}.{region}.{plain}"),
    }
}

/// The domain of a region's partition, and the one for both versions of IP.
///
/// Source: `partitions.json` of the AWS SDKs, read 2026-11-25. The isolated partitions have one domain for both.
pub(crate) fn suffixes(region: &str) -> (&'static str, &'static str) {
    match region {
        _ if region.starts_with("cn-") => ("amazonaws.com.cn", "api.amazonwebservices.com.cn"),
        _ if region.starts_with("us-iso-") => ("c2s.ic.gov", "c2s.ic.gov"),
        _ if region.starts_with("us-isob-") => ("sc2s.sgov.gov", "sc2s.sgov.gov"),
        _ if region.starts_with("us-isof-") => ("csp.hci.ic.gov", "csp.hci.ic.gov"),
        _ if region.starts_with("eu-isoe-") => ("cloud.adc-e.uk", "cloud.adc-e.uk"),
        _ if region.starts_with("eusc-") => ("amazonaws.eu", "api.amazonwebservices.eu"),
        _ => ("amazonaws.com", "api.aws"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGS: Service = Service {
        prefix: "logs",
        variable: "CLOUDWATCH_LOGS",
        government_is_fips: true,
    };
    const S3: Service = Service {
        prefix: "s3",
        variable: "S3",
        government_is_fips: false,
    };

    fn with(
        service: Service,
        region: &str,
        variables: &[(&str, &str)],
    ) -> Result<(String, u16), Wrong> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        find(service, region, &variable).map(|url| (url.host, url.port))
    }

    #[test]
    fn every_partition_has_its_host_names() {
        let (fips, dual) = ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT");
        let rows: [(Service, &str, &[&str], &str); 14] = [
            (LOGS, "eu-west-1", &[], "logs.eu-west-1.amazonaws.com"),
            (
                LOGS,
                "us-east-1",
                &[fips],
                "logs-fips.us-east-1.amazonaws.com",
            ),
            (LOGS, "us-east-1", &[dual], "logs.us-east-1.api.aws"),
            (
                LOGS,
                "us-east-1",
                &[fips, dual],
                "logs-fips.us-east-1.api.aws",
            ),
            (LOGS, "cn-north-1", &[], "logs.cn-north-1.amazonaws.com.cn"),
            (
                LOGS,
                "cn-north-1",
                &[dual],
                "logs.cn-north-1.api.amazonwebservices.com.cn",
            ),
            (
                LOGS,
                "us-gov-west-1",
                &[],
                "logs.us-gov-west-1.amazonaws.com",
            ),
            (
                LOGS,
                "us-gov-west-1",
                &[fips],
                "logs.us-gov-west-1.amazonaws.com",
            ),
            (LOGS, "us-iso-east-1", &[], "logs.us-iso-east-1.c2s.ic.gov"),
            (STS, "eu-central-1", &[], "sts.eu-central-1.amazonaws.com"),
            (S3, "eu-west-1", &[], "s3.eu-west-1.amazonaws.com"),
            (
                S3,
                "eu-west-1",
                &[dual],
                "s3.dualstack.eu-west-1.amazonaws.com",
            ),
            (S3, "us-east-2", &[fips], "s3-fips.us-east-2.amazonaws.com"),
            (
                S3,
                "us-gov-east-1",
                &[fips, dual],
                "s3-fips.dualstack.us-gov-east-1.amazonaws.com",
            ),
        ];
        for (service, region, set, host) in rows {
            let variables: Vec<_> = set.iter().map(|name| (*name, "true")).collect();
            let found = with(service, region, &variables).unwrap();
            assert_eq!(found, (host.to_owned(), 443));
        }
    }

    #[test]
    fn an_endpoint_of_the_environment_wins_and_the_nearer_one_first() {
        let both = [
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
            ("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", "http://127.0.0.2:81/x"),
        ];
        assert_eq!(with(LOGS, "", &both).unwrap(), ("127.0.0.2".into(), 81));
        assert_eq!(with(STS, "", &both).unwrap(), ("127.0.0.1".into(), 4566));
        let ignored = [both[0], ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")];
        let found = with(STS, "eu-west-1", &ignored).unwrap();
        assert_eq!(found.0, "sts.eu-west-1.amazonaws.com");
        let wrong = with(STS, "eu-west-1", &[("AWS_ENDPOINT_URL_STS", "nonsense:1")]);
        let message = wrong.unwrap_err().0;
        assert_eq!(message, "the variable `AWS_ENDPOINT_URL_STS` holds no URL");
    }

    #[test]
    fn a_region_is_a_label_and_nothing_else() {
        for wrong in ["", "eu west", "eu-west-1.evil.example/", "EU", "a@b"] {
            assert!(with(LOGS, wrong, &[]).is_err(), "{wrong}");
        }
    }
}
