use super::*;
use bytes::Bytes;
use hyper::Method;
use proptest::prelude::*;

use crate::shared::url;

/// 2015-08-30T12:36:00Z.
const NOON_MS: i64 = 1_440_938_160_000;

fn credentials() -> Credentials {
    Credentials {
        key_id: concat!("AKID", "EXAMPLE").to_owned(),
        secret: Secret::new(concat!("wJalrXUtnFEMI/K7MDENG", "+bPxRfiCYEXAMPLEKEY")),
        token: Some(Secret::new(concat!("IQoJb3JpZ2luX2VjEXAMPLE", "TOKEN=="))),
    }
}

fn outgoing(method: Method, headers: &[(&str, &str)], body: &str) -> Outgoing {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    Outgoing {
        method,
        headers: map,
        body: Bytes::copy_from_slice(body.as_bytes()),
    }
}

fn signed(region: &str, service: &str, url: &str, mut outgoing: Outgoing) -> (String, HeaderMap) {
    let scope = Scope {
        region: region.to_owned(),
        service: service.to_owned(),
    };
    let url = url::parse(url).unwrap();
    scope
        .sign(&credentials(), NOON_MS, &url, &mut outgoing)
        .unwrap();
    let authorization = outgoing.headers[AUTHORIZATION].to_str().unwrap();
    let (_, signature) = authorization.rsplit_once("Signature=").unwrap();
    (signature.to_owned(), outgoing.headers)
}

/// Vectors that `aws-sigv4` 1.6.4 gives for the same requests.
#[test]
fn put_log_events_is_signed_byte_for_byte() {
    let body = r#"{"logGroupName":"/aws/lambda/demo","logStreamName":"s1","logEvents":[{"timestamp":1440938160000,"message":"hello"}]}"#;
    let headers = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", "Logs_20140328.PutLogEvents"),
        ("user-agent", "tapline/0"),
        ("x-tapline-batch", "not signed"),
    ];
    let request = outgoing(Method::POST, &headers, body);
    let (signature, headers) = signed(
        "us-east-1",
        "logs",
        "https://logs.us-east-1.amazonaws.com/",
        request,
    );
    assert_eq!(
        signature,
        "6f33bafb4eaeb4ef2bdafdb1e669e6ee94a4e87a864bd251d77a9bbd0eaa0e4b"
    );
    let wanted = concat!(
        "AWS4-HMAC-SHA256 Credential=AKID",
        "EXAMPLE/20150830/us-east-1/logs/aws4_request, ",
        "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature="
    );
    let authorization = headers[AUTHORIZATION].to_str().unwrap();
    assert!(authorization.starts_with(wanted), "{authorization}");
    assert_eq!(headers[DATE], "20150830T123600Z");
    assert!(headers[AUTHORIZATION].is_sensitive() && headers[TOKEN].is_sensitive());
    assert!(!headers.contains_key(CONTENT_HASH));
}

#[test]
fn s3_signs_its_path_as_sent_and_the_hash_of_the_body() {
    let url = "https://my-bucket.s3.eu-west-1.amazonaws.com/logs/dt%3D2025-11-23/fn%20name/%24LATEST/a%2Bb.ndjson.gz";
    let headers = [
        ("content-type", "application/x-ndjson"),
        ("content-encoding", "gzip"),
        ("if-none-match", "*"),
    ];
    let request = outgoing(Method::PUT, &headers, "hello");
    let (signature, headers) = signed("eu-west-1", "s3", url, request);
    assert_eq!(
        signature,
        "b83b433bbbfa125f702c3d7b487ef53d7f1407ec88d1f9a1c7f7c83402cccb42"
    );
    assert_eq!(
        headers[CONTENT_HASH],
        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    );
    let unsigned = [
        ("content-type", "application/x-ndjson"),
        ("content-encoding", "gzip"),
        ("if-none-match", "*"),
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
    ];
    let (signature, _) = signed(
        "eu-west-1",
        "s3",
        url,
        outgoing(Method::PUT, &unsigned, "hello"),
    );
    assert_eq!(
        signature, "07e2fc98bbaef077d4079ea33e5be70cf87cb9a108f3368fa8adb12630896dc5",
        "only where the caller asks for it"
    );
}

#[test]
fn all_but_s3_encode_the_path_again() {
    let headers = [("content-type", "application/x-ndjson")];
    let (signature, headers) = signed(
        "us-east-1",
        "aoss",
        "https://abc.us-east-1.aoss.amazonaws.com/my%20idx/_bulk?filter_path=errors%2Citems",
        outgoing(Method::POST, &headers, "hello"),
    );
    assert_eq!(
        signature,
        "41a30826d5342320371cfbb31c307049ddab8c0583940ebafd67be43864b8113"
    );
    assert!(headers.contains_key(CONTENT_HASH));
}

/// A vector from the tests of another product that signs by hand.
#[test]
fn a_request_to_secrets_manager_is_signed_like_everybody_elses() {
    let mut request = outgoing(
        Method::POST,
        &[
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", "secretsmanager.GetSecretValue"),
        ],
        r#"{"SecretId":"arn:aws:secretsmanager:region:account-id:secret:secret-name"}"#,
    );
    let scope = Scope {
        region: "us-east-1".to_owned(),
        service: "secretsmanager".to_owned(),
    };
    let credentials = Credentials {
        token: Some(Secret::new("AQoDYXdzEJr...<remainder of session token>")),
        ..credentials()
    };
    let url = url::parse("https://secretsmanager.us-east-1.amazonaws.com/").unwrap();
    // 2024-05-30T09:10:11Z.
    scope
        .sign(&credentials, 1_717_060_211_000, &url, &mut request)
        .unwrap();
    let authorization = request.headers[AUTHORIZATION].to_str().unwrap();
    assert!(
        authorization.ends_with("63d50106f9c0ab1f02c1f81d6c720b01bce369d45f63a8f6280ffe7945405b81"),
        "{authorization}"
    );
}

#[test]
fn another_attempt_is_signed_with_its_own_time_and_no_old_header_stays() {
    let scope = Scope {
        region: "us-east-1".to_owned(),
        service: "logs".to_owned(),
    };
    let url = url::parse("https://logs.us-east-1.amazonaws.com/").unwrap();
    let mut request = outgoing(Method::POST, &[("x-amz-target", "a")], "b");
    let mut plain = credentials();
    plain.token = None;
    scope
        .sign(&credentials(), NOON_MS, &url, &mut request)
        .unwrap();
    let first = request.headers[AUTHORIZATION].clone();
    // Over midnight, with credentials of a user.
    scope
        .sign(&plain, NOON_MS + 43_200_000, &url, &mut request)
        .unwrap();
    assert_eq!(request.headers[DATE], "20150831T003600Z");
    assert!(!request.headers.contains_key(TOKEN));
    let again = request.headers[AUTHORIZATION].to_str().unwrap();
    assert!(again.contains("/20150831/") && !again.contains("security-token"));
    assert_ne!(first, again);
    let fresh = {
        let mut request = outgoing(Method::POST, &[("x-amz-target", "a")], "b");
        scope
            .sign(&plain, NOON_MS + 43_200_000, &url, &mut request)
            .unwrap();
        request.headers[AUTHORIZATION].clone()
    };
    assert_eq!(again, fresh);
}

#[test]
fn credentials_that_no_header_can_hold_are_refused() {
    let scope = Scope {
        region: "us-east-1".to_owned(),
        service: "logs".to_owned(),
    };
    let url = url::parse("https://logs.us-east-1.amazonaws.com/").unwrap();
    for (key_id, token) in [("a\nb", "t"), ("a", "t\r\nx: y")] {
        let bad = Credentials {
            key_id: key_id.to_owned(),
            token: Some(Secret::new(token)),
            ..credentials()
        };
        let mut request = outgoing(Method::POST, &[], "");
        assert_eq!(scope.sign(&bad, NOON_MS, &url, &mut request), Err(Unusable));
    }
    assert!(!format!("{:?}", credentials()).contains("bPxRfi"));
}

#[test]
fn dots_and_slashes_of_a_path_are_resolved_for_all_but_s3() {
    let rows = [
        ("/", "/"),
        ("/a/./b/../c", "/a/c"),
        ("//a//b/", "/a/b/"),
        ("/..", "/"),
        ("/a/..", "/"),
        ("/a/b/..", "/a/"),
        ("/a%20b", "/a%2520b"),
    ];
    for (path, wanted) in rows {
        assert_eq!(canonical_path(path, Paths::EncodedAgain), wanted, "{path}");
        assert_eq!(canonical_path(path, Paths::AsSent), path);
    }
    assert_eq!(
        canonical_query("b=2&a=x+y&a=&c&a=%7E%2f"),
        "a=&a=x%20y&a=~%2F&b=2&c="
    );
}

/// The signature that AWS's own crate makes.
fn by_the_book(
    region: &str,
    service: &str,
    url: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> String {
    use aws_sigv4::http_request as book;
    let secret = credentials();
    let identity = aws_credential_types::Credentials::new(
        secret.key_id,
        secret.secret.expose(),
        secret.token.map(|token| token.expose().to_owned()),
        None,
        "test",
    )
    .into();
    let mut settings = book::SigningSettings::default();
    if service == "s3" {
        settings.percent_encoding_mode = book::PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = book::UriPathNormalizationMode::Disabled;
    }
    if matches!(service, "s3" | "aoss") {
        settings.payload_checksum_kind = book::PayloadChecksumKind::XAmzSha256;
    }
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(NOON_MS as u64);
    let params = aws_sigv4::sign::v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(time)
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let headers = headers.iter().map(|(n, v)| (n.as_str(), v.as_str()));
    let body = book::SignableBody::Bytes(body);
    let request = book::SignableRequest::new("POST", url, headers, body).unwrap();
    let (_, signature) = book::sign(request, &params).unwrap().into_parts();
    signature
}

proptest! {
    #[test]
    fn every_signature_is_the_one_that_aws_own_crate_makes(
        path in "(/[a-zA-Z0-9._~-]{0,5}(%20|%2B|%C3%A4|%25)?){0,4}",
        query in "([a-z]{1,3}(=[a-z0-9~%]{0,0}(%20|%7E|%2F|[a-z0-9.~-]){0,4})?&?){0,3}",
        value in "[!-~]{1,8}( {1,3}[!-~]{1,8}){0,2}",
        body in proptest::collection::vec(any::<u8>(), 0..80),
        service in prop_oneof![Just("logs"), Just("s3"), Just("aoss"), Just("es")],
    ) {
        let mut url = format!("https://a.example.com/x{path}");
        if !query.is_empty() {
            url.push('?');
            url.push_str(&query);
        }
        let headers = vec![
            ("host".to_owned(), "a.example.com".to_owned()),
            ("content-type".to_owned(), "application/json".to_owned()),
            ("x-amz-meta-b".to_owned(), value.clone()),
        ];
        let mut request = outgoing(
            Method::POST,
            &[("content-type", "application/json"), ("x-amz-meta-b", &value)],
            "",
        );
        request.body = body.clone().into();
        let (ours, _) = signed("eu-west-1", service, &url, request);
        prop_assert_eq!(ours, by_the_book("eu-west-1", service, &url, &headers, &body), "{}", url);
    }
}
