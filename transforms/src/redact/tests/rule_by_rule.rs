//! Each built-in rule: what it takes, and what looks like it and stays.

use super::{AKIA, redacted, text};

const CARD: &str = "'CreditCardNumber'";

#[test]
fn cards_are_taken_and_what_looks_like_one_stays() {
    for card in [
        "4111111111111111",
        "378282246310005",
        "30569309025904",
        "6011111111111117",
        "3530111333300000",
        "2223003122003222",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "3782 822463 10005",
    ] {
        for (before, behind) in [
            ("", ""),
            ("card ", " ok"),
            ("(", ")"),
            ("12 ", ""),
            ("", " 12/27"),
            ("n=", ","),
            ("", "-"),
        ] {
            let line = format!("{before}{card}{behind}");
            assert_eq!(
                text(CARD, &line),
                format!("{before}[CreditCardNumber]{behind}"),
                "{line}"
            );
        }
    }
    for line in [
        "1647725122227",
        "4111111111111112",
        "x4111111111111111",
        "4111111111111111a",
        "0.4111111111111111",
        "41111111-1111-1111-1111-111111111111",
        "a1b2c3d4-4111-1111-1111-111111111111",
        "20260314092653",
        "0000 0000 0000 0000",
    ] {
        assert_eq!(text(CARD, line), line);
    }
    // An id of a span that has no letters by chance.
    for line in [
        "span 4111111111111111",
        "span_id=4111111111111111",
        r#"{"spanId":"4111111111111111"}"#,
    ] {
        assert_eq!(text(CARD, line), line);
    }
    assert_eq!(
        text(CARD, "span 1 card 4111111111111111"),
        "span 1 card [CreditCardNumber]"
    );
    assert_eq!(
        text(CARD, "4111111111111111 4111 1111 1111 1111"),
        "[CreditCardNumber] [CreditCardNumber]"
    );
}

#[test]
fn social_security_numbers_need_a_given_area_group_and_serial() {
    let ssn = "'Ssn-US'";
    assert_eq!(text(ssn, "123-12-1034"), "[Ssn-US]");
    assert_eq!(text(ssn, "ssn: 123121034."), "ssn: [Ssn-US].");
    for line in [
        "1123-12-12345",
        "000-12-3456",
        "666-12-3456",
        "912-12-3456",
        "123-00-1234",
        "123-12-0000",
        "123121034",
        "x123-12-1034",
        "1-123-12-1034",
    ] {
        assert_eq!(text(ssn, line), line);
    }
}

#[test]
fn ibans_need_their_country_length_and_remainder() {
    let iban = "'Iban'";
    assert_eq!(text(iban, "GB82WEST12345698765432"), "[Iban]");
    assert_eq!(
        text(iban, "to GB82 WEST 1234 5698 7654 32 AND MORE"),
        "to [Iban] AND MORE"
    );
    assert_eq!(text(iban, "DE89370400440532013000."), "[Iban].");
    for line in [
        "GB83WEST12345698765432",
        "xGB82WEST12345698765432",
        "GB82WEST123456987654321",
        "ZZ82WEST12345698765432",
    ] {
        assert_eq!(text(iban, line), line);
    }
    assert_eq!(
        text(
            "'BankAccountNumber-DE'",
            "DE89370400440532013000 GB82WEST12345698765432"
        ),
        "[BankAccountNumber-DE] GB82WEST12345698765432"
    );
    assert_eq!(
        text("'Iban', 'BankAccountNumber-GB'", "GB82WEST12345698765432"),
        "[BankAccountNumber-GB]"
    );
}

#[test]
fn people_and_machines() {
    let mail = "'EmailAddress'";
    for address in [
        "joe@example.com",
        "j.o+e@mail.example.co.uk",
        "joe@163.com",
        "joe%40example.com",
        "jöe@exämple.de",
    ] {
        assert_eq!(
            text(mail, &format!("<{address}>, x")),
            "<[EmailAddress]>, x"
        );
    }
    for line in ["pkg@1.2.3", "joe@localhost", "@types/node", "a@b"] {
        assert_eq!(text(mail, line), line);
    }
    assert_eq!(text(mail, "joe@example.com."), "[EmailAddress].");
    let phone = "'PhoneNumber'";
    assert_eq!(
        text(phone, "call +1 (415) 555-2671!"),
        "call [PhoneNumber]!"
    );
    assert_eq!(text(phone, "+442071838750"), "[PhoneNumber]");
    assert_eq!(
        text("'PhoneNumber-US'", "+442071838750 +14155552671"),
        "+442071838750 [PhoneNumber-US]"
    );
    for line in ["+0000", "1e+12345678", "a+123456789"] {
        assert_eq!(text(phone, line), line);
    }
    let ip = "'IpAddress', 'MacAddress'";
    assert_eq!(text(ip, "from 192.168.1.10:443."), "from [IpAddress]:443.");
    assert_eq!(text(ip, "2001:db8::ff00:42:8329 x"), "[IpAddress] x");
    assert_eq!(text(ip, "00:1b:44:11:3a:b7"), "[MacAddress]");
    for line in [
        "1.2.3",
        "999.1.1.1",
        "1.2.3.4.5",
        "12:34:56",
        "std::vec",
        "a::b",
    ] {
        assert_eq!(text(ip, line), line);
    }
}

#[test]
fn credentials_with_a_prefix_go_by_their_shape() {
    let long = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0";
    for (rule, secret) in [
        ("AwsAccessKeyId", AKIA.to_owned()),
        (
            "AwsSessionToken",
            format!("{}{}", concat!("IQo", "Jb3"), long.repeat(3)),
        ),
        (
            "GitHubToken",
            format!("{}{}", concat!("gh", "p_"), &long[..36]),
        ),
        (
            "GitHubToken",
            format!("{}{}", concat!("github", "_pat_"), long),
        ),
        (
            "GitLabToken",
            format!("{}{}", concat!("gl", "pat-"), &long[..20]),
        ),
        (
            "SlackToken",
            format!("{}{}", concat!("xo", "xb-"), "123456789012-abcdefABCDEF"),
        ),
        (
            "StripeKey",
            format!("{}{}", concat!("sk_", "live_"), &long[..24]),
        ),
        (
            "GoogleApiKey",
            format!("{}{}", concat!("AI", "za"), &long[..35]),
        ),
        (
            "AnthropicKey",
            format!("{}{}", concat!("sk-", "ant-api03-"), long),
        ),
        ("OpenAiKey", format!("{}{}", concat!("sk-", "proj-"), long)),
        (
            "NpmToken",
            format!("{}{}", concat!("npm", "_"), &long[..36]),
        ),
        (
            "SendGridKey",
            format!("{}{}.{}", concat!("SG", "."), &long[..22], long),
        ),
        (
            "VaultToken",
            format!("{}{}", concat!("hv", "s."), &long[..24]),
        ),
        (
            "DatabricksToken",
            format!(
                "{}{}",
                concat!("da", "pi"),
                "0123456789abcdef0123456789abcdef"
            ),
        ),
    ] {
        let line = format!("key {secret}, x");
        assert_eq!(
            text("'@secrets'", &line),
            format!("key [{rule}], x"),
            "{line}"
        );
    }
}

#[test]
fn only_the_secret_part_of_addresses_goes() {
    let long = "a1B2c3D4e5F6g7H8i9J0k1L2";
    let webhook = format!(
        "https://{}/services/T000/B000/{}",
        concat!("hooks.", "slack.com"),
        long
    );
    assert!(text("'SlackToken'", &webhook).ends_with("/services/[SlackToken]"));
    let azure = format!("AccountName=a;AccountKey={};x", "A".repeat(86));
    assert_eq!(
        text("'AzureStorageKey'", &azure),
        "AccountName=a;AccountKey=[AzureStorageKey];x"
    );
    for line in ["sk-this-is-a-css-class-name", "ASIATICLION", "1ghp_"] {
        assert_eq!(text("'@secrets'", line), line);
    }
}

#[test]
fn an_aws_secret_needs_a_word_near_it() {
    let secret = concat!("wJalrXUtnFEMI/K7MDENG/", "bPxRfiCYEXAMPLEKEY");
    let rule = "'AwsSecretKey'";
    assert_eq!(
        text(rule, &format!("aws_secret_access_key = {secret}")),
        "aws_secret_access_key = [AwsSecretKey]"
    );
    assert_eq!(
        text(rule, &format!("{{\"SecretAccessKey\":\"{secret}\"}}")),
        "{\"SecretAccessKey\":\"[AwsSecretKey]\"}"
    );
    let sha = "aws commit da39a3ee5e6b4b0d3255bfef95601890afd80709";
    assert_eq!(text(rule, sha), sha);
    assert_eq!(text(rule, secret), secret);
}

#[test]
fn a_jwt_has_a_header_that_names_its_algorithm() {
    let header = concat!("eyJhbGciOiJIUzI1NiIs", "InR5cCI6IkpXVCJ9");
    let jwt = format!("{header}.eyJzdWIiOiIxIn0.c2lnbmF0dXJl");
    assert_eq!(text("'Jwt'", &format!("t={jwt};")), "t=[Jwt];");
    assert_eq!(text("'Jwt'", &format!("{jwt}.abc.def.")), "[Jwt].");
    let other = "eyJmb28iOiJiYXIifQ.eyJzdWIiOiIxIn0.c2ln";
    assert_eq!(text("'Jwt'", other), other);
}

#[test]
fn private_keys_go_through_their_end_or_the_end_of_the_text() {
    let (begin, end) = (
        concat!("-----BEGIN RSA ", "PRIVATE KEY-----"),
        concat!("-----END RSA ", "PRIVATE KEY-----"),
    );
    for newline in ["\n", "\\n"] {
        let block = format!("a {begin}{newline}MIIE{newline}abc{newline}{end} b");
        assert_eq!(text("'PkcsPrivateKey'", &block), "a [PkcsPrivateKey] b");
        let cut = format!("a {begin}{newline}MIIE{newline}abc");
        assert_eq!(text("'PrivateKey'", &cut), "a [PkcsPrivateKey]");
    }
    let ssh = format!(
        "{}\nx\n{}",
        begin.replace("RSA", "OPENSSH"),
        end.replace("RSA", "OPENSSH")
    );
    assert_eq!(text("'PrivateKey'", &ssh), "[OpenSshPrivateKey]");
    assert_eq!(text("'PkcsPrivateKey'", &ssh), ssh);
    let pgp = "-----BEGIN PGP PRIVATE KEY BLOCK-----\nx\n-----END PGP PRIVATE KEY BLOCK-----";
    assert_eq!(text("'PgpPrivateKey'", pgp), "[PgpPrivateKey]");
    let putty = "PuTTY-User-Key-File-3: ssh-rsa\nPrivate-Lines: 1\nAAAA\nPrivate-MAC: 12ab\nnext";
    assert_eq!(text("'PuttyPrivateKey'", putty), "[PuttyPrivateKey]\nnext");
}

#[test]
fn urls_keep_all_but_the_password() {
    let rule = "'UrlCredentials'";
    for (line, wanted) in [
        (
            "postgres://u:p4ss@db:5432/x",
            "postgres://u:[UrlCredentials]@db:5432/x",
        ),
        ("redis://:p4ss@h", "redis://:[UrlCredentials]@h"),
        ("http://u:p@ss@h/a@b", "http://u:[UrlCredentials]@h/a@b"),
        ("http://u:p/w@h", "http://u:[UrlCredentials]@h"),
        ("http://h:8080/a?m=joe@x.com", "http://h:8080/a?m=joe@x.com"),
        ("http://h/a:b@c", "http://h/a:b@c"),
        ("http://[::1]:80/x@y", "http://[::1]:80/x@y"),
    ] {
        assert_eq!(text(rule, line), wanted);
    }
}

#[test]
fn headers_and_pairs_keep_their_names() {
    let rules = "'AuthorizationHeader', 'KeyValueSecret'";
    for (line, wanted) in [
        (
            "Authorization: Bearer abc.def-1",
            "Authorization: Bearer [AuthorizationHeader]",
        ),
        (
            "authorization=Basic dXNlcjpwYXNz",
            "authorization=Basic [AuthorizationHeader]",
        ),
        (
            "got bearer 0123456789abcdef0",
            "got bearer [AuthorizationHeader]",
        ),
        (
            "sent Basic dXNlcjpwYXNz x",
            "sent Basic [AuthorizationHeader] x",
        ),
        (
            "Authorization: ApiKey s3cr3t",
            "Authorization: [AuthorizationHeader]",
        ),
        (
            "db_password=hunter2&x=1",
            "db_password=[KeyValueSecret]&x=1",
        ),
        (
            "Password: \"hunter 2\" ok",
            "Password: \"[KeyValueSecret]\" ok",
        ),
        ("api-key => 's3cr3t'", "api-key => '[KeyValueSecret]'"),
        ("accessToken:abc", "accessToken:[KeyValueSecret]"),
        (
            "{password=hunter2, user=joe}",
            "{password=[KeyValueSecret], user=joe}",
        ),
        (
            "password: hun,ter2,, user=joe",
            "password: [KeyValueSecret],, user=joe",
        ),
        (
            "password: \"hunter2\", user=joe",
            "password: \"[KeyValueSecret]\", user=joe",
        ),
        (
            "{\"client_secret\":12345}",
            "{\"client_secret\":\"[KeyValueSecret]\"}",
        ),
        (
            "{\"h\":{\"Authorization\":[\"x\"]}}",
            "{\"h\":{\"Authorization\":\"[AuthorizationHeader]\"}}",
        ),
    ] {
        assert_eq!(text(rules, line), wanted);
    }
    for line in [
        "basic understanding",
        "bearer of certificates",
        "password=null",
        "{\"secret\":true,\"token\":{}}",
        "nextToken=5",
        "{\"password\":\"\"}",
    ] {
        assert_eq!(text(rules, line), line);
    }
}

#[test]
fn the_whole_catalogue_compiles_well_within_its_bound() {
    let patterns: Vec<&str> = super::RULES.iter().map(|rule| rule.pattern).collect();
    let nfa = regex_automata::nfa::thompson::NFA::compiler()
        .syntax(
            regex_automata::util::syntax::Config::new()
                .unicode(false)
                .utf8(false),
        )
        .configure(regex_automata::nfa::thompson::Config::new().utf8(false))
        .build_many(&patterns)
        .unwrap();
    assert!(nfa.memory_usage() < 2 << 20, "{}", nfa.memory_usage());
    for rule in &super::RULES {
        assert!(super::scan::compile(rule.pattern).is_ok(), "{}", rule.id);
    }
}

#[test]
fn the_value_of_a_rules_key_goes_whatever_it_is() {
    for rule in super::RULES.iter().filter(|rule| !rule.keys.is_empty()) {
        for glob in rule.keys {
            let key = glob.replace('*', "");
            for (raw, wanted) in [
                (
                    format!("{{\"{key}\":\"zq\"}}"),
                    format!("{{\"{key}\":\"[{}]\"}}", rule.id),
                ),
                (
                    format!("{{\"{key}\" : 7}}"),
                    format!("{{\"{key}\" : \"[{}]\"}}", rule.id),
                ),
                (format!("{{\"{key}\":null}}"), format!("{{\"{key}\":null}}")),
            ] {
                assert_eq!(redacted(&format!("rules = ['{}']", rule.id), &raw), wanted);
            }
        }
    }
}
