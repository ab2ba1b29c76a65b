//! Keys and tokens of vendors: each is taken by its shape, and what is a little too short or part of a word stays.

use super::{RULES, text};
use std::collections::BTreeSet;

const ALNUM: &str = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0u1V2w3X4y5Z6a7B8c9D0e1F2g3H4i5J6k7L8m9N0o1P2q3R4s5T6u7V8w9X0";
const HEX: &str = "0123456789abcdef9876543210fedcba0f1e2d3c4b5a69788796a5b4c3d2e1f00123456789abcdef9876543210fedcba";
const LOWER: &str = "a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6q7r8s9t0u1v2w3x4y5z6";
const UPPER: &str = "A1B2C3D4E5F6G7H8I9J0K1L2M3N4O5P6Q7R8S9T0U1V2W3X4Y5Z6A1B2C3D4";

/// Rule, the mark in two parts so that no scanner takes the test for a leak, the alphabet, the shortest tail, and what
/// follows it.
const TOKENS: &[(&str, [&str; 2], &str, usize, &str)] = &[
    ("AgeSecretKey", ["AGE-SECRET", "-KEY-1"], UPPER, 40, ""),
    ("AwsBedrockKey", ["AB", "SK"], ALNUM, 60, ""),
    ("GoogleOAuthSecret", ["GOC", "SPX-"], ALNUM, 20, ""),
    ("GoogleAccessToken", ["ya", "29."], ALNUM, 20, ""),
    ("GoogleRefreshToken", ["1/", "/0"], ALNUM, 30, ""),
    ("DigitalOceanToken", ["dop", "_v1_"], HEX, 40, ""),
    ("PlanetScaleToken", ["pscale", "_tkn_"], ALNUM, 30, ""),
    ("SupabaseKey", ["sb", "p_"], HEX, 40, ""),
    ("SupabaseKey", ["sb_", "secret_"], ALNUM, 20, ""),
    ("TailscaleKey", ["tskey", "-auth-kFGiAS-"], ALNUM, 16, ""),
    (
        "CloudflareKey",
        ["v1.", "0-0123456789abcdef01234567-"],
        HEX,
        40,
        "",
    ),
    ("HerokuKey", ["HR", "KU-"], ALNUM, 36, ""),
    ("BitbucketToken", ["AT", "BB"], ALNUM, 24, ""),
    ("AtlassianToken", ["ATA", "TT3"], ALNUM, 40, ""),
    ("RubyGemsKey", ["ruby", "gems_"], HEX, 40, ""),
    ("CratesIoToken", ["c", "io"], ALNUM, 32, ""),
    ("NuGetKey", ["o", "y2"], LOWER, 43, ""),
    ("ArtifactoryKey", ["AK", "Cp"], ALNUM, 50, ""),
    (
        "CircleCiToken",
        ["CCI", "PAT_"],
        ALNUM,
        20,
        "_0123456789abcdef0123456789abcdef01234567",
    ),
    ("BuildkiteToken", ["bk", "ua_"], HEX, 40, ""),
    ("SonarQubeToken", ["sq", "p_"], HEX, 40, ""),
    ("PulumiToken", ["pu", "l-"], HEX, 40, ""),
    ("DopplerToken", ["dp", ".pt."], ALNUM, 40, ""),
    ("BrevoKey", ["xkey", "sib-"], HEX, 40, "-a1B2c3D4e5F6g7H8"),
    ("TwilioKey", ["S", "K"], HEX, 32, ""),
    ("MailgunKey", ["ke", "y-"], HEX, 32, ""),
    ("MailchimpKey", ["", ""], HEX, 32, "-us12"),
    ("TelegramBotToken", ["123456789", ":AA"], ALNUM, 32, ""),
    ("SquareToken", ["sq0", "atp-"], ALNUM, 22, ""),
    (
        "BraintreeToken",
        ["access_token", "$production$0123456789abcdef$"],
        HEX,
        32,
        "",
    ),
    ("HuggingFaceToken", ["h", "f_"], ALNUM, 30, ""),
    ("ReplicateToken", ["r", "8_"], ALNUM, 37, ""),
    ("GroqKey", ["gs", "k_"], ALNUM, 40, ""),
    ("XAiKey", ["xa", "i-"], ALNUM, 60, ""),
    ("PerplexityKey", ["ppl", "x-"], ALNUM, 40, ""),
    ("NewRelicKey", ["NR", "AK-"], ALNUM, 19, ""),
    ("SentryToken", ["sntr", "yu_"], ALNUM, 40, ""),
    ("GrafanaToken", ["gl", "c_"], ALNUM, 32, ""),
    ("NotionToken", ["nt", "n_"], ALNUM, 40, ""),
    ("LinearKey", ["lin", "_api_"], ALNUM, 40, ""),
    ("AirtableToken", ["pat", "a1B2c3D4e5F6g7."], HEX, 64, ""),
    (
        "PostmanKey",
        ["PM", "AK-0123456789abcdef01234567-"],
        HEX,
        34,
        "",
    ),
    ("FigmaToken", ["fi", "gd_"], ALNUM, 40, ""),
    ("DropboxToken", ["sl", ".u."], ALNUM, 100, ""),
    ("FacebookToken", ["EA", "A"], ALNUM, 90, ""),
    ("GitLabToken", ["gl", "pat-"], ALNUM, 20, ""),
    ("DockerToken", ["dckr", "_pat_"], ALNUM, 20, ""),
    ("PyPiToken", ["pypi", "-AgE"], ALNUM, 50, ""),
    ("ShopifyToken", ["shp", "at_"], HEX, 32, ""),
];

#[test]
fn tokens_are_taken_from_their_shortest_form_on() {
    for (rule, mark, alphabet, length, end) in TOKENS {
        let named = format!("'{rule}'");
        let shortest = format!("{}{}{}{end}", mark[0], mark[1], &alphabet[..*length]);
        let line = format!("use \"{shortest}\", now");
        assert_eq!(
            text(&named, &line),
            format!("use \"[{rule}]\", now"),
            "{line}"
        );
        let short = format!("{}{}{}{end}", mark[0], mark[1], &alphabet[1..*length]);
        let line = format!("use \"{short}\", now");
        assert_eq!(text(&named, &line), line);
    }
}

#[test]
fn tokens_of_a_fixed_length_are_no_part_of_a_word() {
    for (rule, mark, alphabet, length, end) in TOKENS {
        const BY_SHAPE: [&str; 4] = ["AgeSecretKey", "GitLabToken", "PyPiToken", "ShopifyToken"];
        if BY_SHAPE.contains(rule) || mark[0].is_empty() {
            continue;
        }
        let line = format!("x{}{}{}{end}", mark[0], mark[1], &alphabet[..*length]);
        assert_eq!(text(&format!("'{rule}'"), &line), line);
    }
}

/// Rule, a line, and the same with what must be left.
#[test]
fn only_the_secret_part_goes() {
    let (a, hex) = (ALNUM, &HEX[..32]);
    let uuid = "01234567-89ab-cdef-0123-456789abcdef";
    let cases: &[(&str, String, String)] = &[
        (
            "DiscordWebhook",
            format!(
                "https://discord.com/api/webhooks/123456789012345678/{}",
                &a[..68]
            ),
            "https://discord.com/api/webhooks/123456789012345678/[]".into(),
        ),
        (
            "TeamsWebhook",
            format!(
                "https://x.webhook.office.com/webhookb2/{uuid}@{uuid}/IncomingWebhook/{hex}/{uuid} ok"
            ),
            "https://x.webhook.office.com/webhookb2/[] ok".into(),
        ),
        (
            "SentryDsn",
            format!("https://{hex}@o1.ingest.sentry.io/42"),
            "https://[]@o1.ingest.sentry.io/42".into(),
        ),
        (
            "AzureSasSignature",
            format!(
                "https://a.blob.core.windows.net/c?sv=2022-11-02&sig={}%3D&se=1",
                &a[..43]
            ),
            "https://a.blob.core.windows.net/c?sv=2022-11-02&sig=[]&se=1".into(),
        ),
        (
            "AzureSharedAccessKey",
            format!("SharedAccessKeyName=x;SharedAccessKey={}=;y", &a[..43]),
            "SharedAccessKeyName=x;SharedAccessKey=[];y".into(),
        ),
        (
            "HerokuKey",
            format!("heroku key: {uuid}."),
            "heroku key: [].".into(),
        ),
        (
            "OktaToken",
            format!("Authorization: SSWS 00{}", &a[..40]),
            "Authorization: SSWS []".into(),
        ),
        (
            "OktaToken",
            format!("okta_api = \"00{}\"", &a[..40]),
            "okta_api = \"[]\"".into(),
        ),
        (
            "DatadogKey",
            format!("DD_API_KEY={hex}"),
            "DD_API_KEY=[]".into(),
        ),
        (
            "DatadogKey",
            format!("{{\"dd_app_key\":\"{hex}01234567\"}}"),
            "{\"dd_app_key\":\"[]\"}".into(),
        ),
        (
            "UrlQuerySecret",
            "GET /cb?code=4f9x&state=1&access_token=a%20b HTTP".into(),
            "GET /cb?code=[]&state=1&access_token=[] HTTP".into(),
        ),
        (
            "TerraformToken",
            format!(
                "t={}{}{}",
                &a[..14],
                ".atlas",
                format_args!("v1.{}", &a[..60])
            ),
            "t=[]".into(),
        ),
        (
            "AzureDevOpsToken",
            format!("pat {}AZ{}", &a[..76], "DOa1B2"),
            "pat []".into(),
        ),
        (
            "AzureAdClientSecret",
            format!("s: abc8{}{}", "Q~", &a[..34]),
            "s: []".into(),
        ),
        (
            "NewRelicKey",
            format!("{}FF{}", &HEX[..32], "FFNRAL"),
            "[]".into(),
        ),
        (
            "DiscordToken",
            format!("{}{}.GabcdE.{}", "MTIzNDU2Nzg5MDEy", "MzQ1Njc4", &a[..38]),
            "[]".into(),
        ),
        (
            "HighEntropy",
            format!("session key {}", &a[..48]),
            "session key []".into(),
        ),
    ];
    for (rule, line, wanted) in cases {
        let wanted = wanted.replace("[]", &format!("[{rule}]"));
        assert_eq!(text(&format!("'{rule}'"), line), wanted);
    }
}

#[test]
fn what_looks_like_a_token_stays() {
    let (a, hex) = (ALNUM, &HEX[..32]);
    let uuid = "01234567-89ab-cdef-0123-456789abcdef";
    for (rule, line) in [
        (
            "DiscordWebhook",
            "https://discord.com/api/webhooks/123456789012345678/short".to_owned(),
        ),
        (
            "TeamsWebhook",
            "https://x.webhook.office.com/webhookb2/short".to_owned(),
        ),
        ("SentryDsn", format!("https://{hex}@host")),
        ("AzureSasSignature", "https://a?sig=short".to_owned()),
        ("AzureSharedAccessKey", "SharedAccessKey=short".to_owned()),
        ("HerokuKey", format!("request {uuid}")),
        ("OktaToken", format!("token 00{}", &a[..40])),
        ("DatadogKey", format!("commit={hex}")),
        (
            "UrlQuerySecret",
            "GET /a?zipcode=4&monkey=7&states=x".to_owned(),
        ),
        (
            "TerraformToken",
            format!("{}.atlasv1.{}", &a[..15], &a[..60]),
        ),
        ("AzureDevOpsToken", format!("{}AZDOa1B2", &a[..39])),
        ("AzureAdClientSecret", format!("bc8Q~{}", &a[..34])),
        ("NewRelicKey", format!("{}NRAL", &HEX[..31])),
        (
            "DiscordToken",
            format!("{}.GabcdE.{}", "Maaaaaaaaaaaaaaaaaaaaaaa", &a[..38]),
        ),
        ("HighEntropy", format!("path {}", &a[..48])),
        (
            "HighEntropy",
            "key aaaaaaaaaaaaaaaaaaaa1111111111111111".to_owned(),
        ),
    ] {
        assert_eq!(text(&format!("'{rule}'"), &line), line, "{rule}");
    }
}

#[test]
fn every_table_row_is_a_rule_and_high_entropy_is_in_no_group() {
    let ids: BTreeSet<&str> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(ids.len(), RULES.len());
    assert!(TOKENS.iter().all(|(rule, ..)| ids.contains(rule)));
    let line = format!("session key {}", &ALNUM[..36]);
    assert_eq!(text("'@all'", &line), line);
}
