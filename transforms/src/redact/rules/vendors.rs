//! The table of keys and tokens that carry their vendor's mark. The shape is enough: no checksum lets one pass.
//!
//! Counts in the patterns are lower bounds, below what the vendor gives out today, so that a longer form of tomorrow
//! and one that was cut are found too.
//!
//! Source: the vendors' documentation, and the shapes of
//! <https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml>, read 2026-11-25.

use super::Group::Secrets;
use super::credentials::{self, decode_base64, redact_from};
use super::{Rule, rule};
use crate::redact::validate::{self, Found, Verdict, before};

const fn token(id: &'static str, pattern: &'static str) -> Rule {
    rule(id, Secrets, pattern, alone)
}

/// Clouds.
pub const CLOUD: &[Rule] = &[
    rule(
        "AwsAccessKeyId",
        Secrets,
        "(?:A3T[A-Z0-9]|AKIA|ASIA|AROA|ABIA|ACCA|AGPA|AIDA|AIPA|ANPA|ANVA|ASCA|APKA)[A-Z0-9]{16}",
        credentials::aws_access_key,
    ),
    rule(
        "AwsSecretKey",
        Secrets,
        "[A-Za-z0-9/+]{40,}",
        credentials::aws_secret_key,
    ),
    rule(
        "AwsSessionToken",
        Secrets,
        "(?:IQoJb3|FwoGZX|FQoGZX)[A-Za-z0-9/+=]{80,}",
        validate::whole,
    ),
    // Source: <https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html>, read 2026-11-25.
    token("AwsBedrockKey", "ABSK[A-Za-z0-9+/]{60,}={0,2}"),
    rule(
        "AzureStorageKey",
        Secrets,
        "AccountKey=[A-Za-z0-9+/=]{40,}",
        credentials::after_equals,
    ),
    rule(
        "AzureSharedAccessKey",
        Secrets,
        "SharedAccessKey=[A-Za-z0-9+/]{40,}={0,2}",
        credentials::after_equals,
    ),
    // Source: <https://learn.microsoft.com/azure/storage/common/storage-sas-overview>, read 2026-11-25.
    rule(
        "AzureSasSignature",
        Secrets,
        "[?&;]sig=(?:[A-Za-z0-9+/_-]|%[0-9A-Fa-f]{2}){40,}={0,2}",
        credentials::after_equals,
    ),
    // Source: <https://learn.microsoft.com/purview/sit-defn-azure-ad-client-secret>, read 2026-11-25.
    rule(
        "AzureAdClientSecret",
        Secrets,
        "[0-9]Q~[A-Za-z0-9_~.-]{30,}[A-Za-z0-9_~-]",
        |found| {
            reaching_back(found, 3..=3, |byte| {
                matches!(byte, b'_' | b'~' | b'.' | b'-')
            })
        },
    ),
    // Source: <https://learn.microsoft.com/azure/devops/release-notes/2024/general/sprint-241-update>, read 2026-11-25.
    rule("AzureDevOpsToken", Secrets, "AZDO[A-Za-z0-9]{4}", |found| {
        reaching_back(found, 40..=80, |_| false)
    }),
    token("GoogleApiKey", "AIza[A-Za-z0-9_-]{35,}"),
    token("GoogleOAuthSecret", "GOCSPX-[A-Za-z0-9_-]{20,}"),
    token("GoogleAccessToken", r"ya29\.[A-Za-z0-9_-]{20,}"),
    token("GoogleRefreshToken", "1//0[A-Za-z0-9_-]{30,}"),
    token("DigitalOceanToken", "do[opr]_v1_[a-f0-9]{40,}"),
    token("CloudflareKey", r"v1\.0-[a-f0-9]{24}-[a-f0-9]{40,}"),
    rule(
        "HerokuKey",
        Secrets,
        "HRKU-[A-Za-z0-9_-]{36,}|(?i:heroku)[^0-9]{0,24}[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
        heroku,
    ),
    token(
        "PlanetScaleToken",
        "pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_-]{30,}",
    ),
    token(
        "SupabaseKey",
        "sb[pv]_[a-f0-9]{40,}|sb_secret_[A-Za-z0-9_-]{20,}",
    ),
    token(
        "TailscaleKey",
        "tskey-(?:auth|api|client|scim|webhook)-[A-Za-z0-9]{6,}-[A-Za-z0-9]{16,}",
    ),
];

/// Where code is kept, built and published, and what keeps secrets for it.
pub const CODE: &[Rule] = &[
    // Source: <https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/>,
    // read 2026-11-25. The last six characters are a CRC-32; a token with a wrong one is taken too.
    rule(
        "GitHubToken",
        Secrets,
        "gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}",
        validate::whole,
    ),
    rule(
        "GitLabToken",
        Secrets,
        "gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat|oas|ffct)-[A-Za-z0-9_-]{20,}",
        validate::whole,
    ),
    token(
        "BitbucketToken",
        "ATBB[A-Za-z0-9]{24,}|ATCTT3[A-Za-z0-9_-]{40,}=?[A-F0-9]*",
    ),
    token("AtlassianToken", "ATATT3[A-Za-z0-9_-]{40,}=?[A-F0-9]*"),
    rule("NpmToken", Secrets, "npm_[A-Za-z0-9]{36,}", validate::whole),
    rule(
        "PyPiToken",
        Secrets,
        "pypi-AgE[A-Za-z0-9_-]{50,}",
        validate::whole,
    ),
    token("RubyGemsKey", "rubygems_[a-f0-9]{40,}"),
    token("CratesIoToken", "cio[A-Za-z0-9]{32}"),
    token("NuGetKey", "oy2[a-z0-9]{43}"),
    token("DockerToken", "dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}"),
    token("ArtifactoryKey", "AKCp[A-Za-z0-9]{50,}"),
    token(
        "CircleCiToken",
        "CCIP(?:AT|RJ)_[A-Za-z0-9]{20,}_[a-f0-9]{32,}",
    ),
    token("BuildkiteToken", "bkua_[a-f0-9]{40}"),
    token("SonarQubeToken", "sq[upa]_[a-f0-9]{40}"),
    rule(
        "VaultToken",
        Secrets,
        r"hv[sbr]\.[A-Za-z0-9_-]{24,}",
        validate::whole,
    ),
    rule(
        "TerraformToken",
        Secrets,
        r"\.atlasv1\.[A-Za-z0-9_-]{40,}",
        |found| reaching_back(found, 14..=14, |_| false),
    ),
    token("PulumiToken", "pul-[a-f0-9]{40}"),
    token(
        "DopplerToken",
        r"dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[A-Za-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,}",
    ),
];

/// Chat, mail and telephone.
pub const CHAT: &[Rule] = &[
    rule(
        "SlackToken",
        Secrets,
        r"xox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{10,}|xapp-[0-9]-[A-Za-z0-9-]{10,}|hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/_-]{16,}",
        credentials::slack,
    ),
    rule(
        "DiscordToken",
        Secrets,
        r"[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6,7}\.[A-Za-z0-9_-]{27,}",
        discord,
    ),
    rule(
        "DiscordWebhook",
        Secrets,
        r"discord(?:app)?\.com/api/(?:v[0-9]+/)?webhooks/[0-9]{15,}/[A-Za-z0-9_-]{40,}",
        last_segment,
    ),
    rule(
        "TeamsWebhook",
        Secrets,
        r"(?:webhook\.office\.com/webhookb2|outlook\.office\.com/webhook)/[A-Za-z0-9@/_-]{36,}",
        behind_webhook,
    ),
    // Source: <https://core.telegram.org/bots/api#authorizing-your-bot>, read 2026-11-25.
    token("TelegramBotToken", "[0-9]{8,10}:AA[A-Za-z0-9_-]{32,}"),
    token("TwilioKey", "(?:SK|AC)[a-f0-9]{32}"),
    rule(
        "SendGridKey",
        Secrets,
        r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
        validate::whole,
    ),
    token(
        "MailgunKey",
        "key-[a-f0-9]{32}|[a-f0-9]{32}-[a-f0-9]{8}-[a-f0-9]{8}",
    ),
    token("MailchimpKey", "[a-f0-9]{32}-us[0-9]{1,2}"),
    token("BrevoKey", "xkeysib-[a-f0-9]{40,}-[A-Za-z0-9]{16}"),
];

/// Payment and shops.
pub const PAYMENT: &[Rule] = &[
    rule(
        "StripeKey",
        Secrets,
        "(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{16,}",
        validate::whole,
    ),
    token(
        "SquareToken",
        "sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{22,}|EAAA[A-Za-z0-9_-]{60}",
    ),
    token(
        "BraintreeToken",
        r"access_token\$(?:production|sandbox)\$[a-z0-9]{16}\$[a-f0-9]{32}",
    ),
    rule(
        "ShopifyToken",
        Secrets,
        "shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}",
        validate::whole,
    ),
];

/// Models of language.
pub const MODELS: &[Rule] = &[
    rule(
        "AnthropicKey",
        Secrets,
        "sk-ant-[A-Za-z0-9_-]{16,}",
        validate::whole,
    ),
    rule(
        "OpenAiKey",
        Secrets,
        "sk-[A-Za-z0-9_-]{20,}",
        credentials::open_ai,
    ),
    token("HuggingFaceToken", "(?:hf|api_org)_[A-Za-z0-9]{30,}"),
    token("ReplicateToken", "r8_[A-Za-z0-9]{37}"),
    token("GroqKey", "gsk_[A-Za-z0-9]{40,}"),
    token("XAiKey", "xai-[A-Za-z0-9]{60,}"),
    token("PerplexityKey", "pplx-[A-Za-z0-9]{40,}"),
];

/// Watching, and tools of the office.
pub const TOOLS: &[Rule] = &[
    Rule {
        keys: &[
            "dd_api_key",
            "dd-api-key",
            "dd_app_key",
            "dd_application_key",
            "dd-application-key",
        ],
        ..rule(
            "DatadogKey",
            Secrets,
            r#"(?i:datadog|dd[_-]?(?:api|app))[A-Za-z_ -]{0,20}\\*["']?[ \t]{0,3}[=:][ \t]{0,3}\\*["']?[a-f0-9]{32,40}|(?i:dd[_-](?:api|app|application)[_-]key)" *:"#,
            hex_at_end,
        )
    },
    token(
        "NewRelicKey",
        "NR(?:AK|II|JS|RA|BR)-[A-Za-z0-9-]{18,}[A-Za-z0-9]|[A-Fa-f0-9xu]{32,36}NRAL",
    ),
    rule(
        "SentryDsn",
        Secrets,
        "://[a-f0-9]{32}(?::[a-f0-9]{32})?@[A-Za-z0-9.-]+/[0-9]+",
        sentry,
    ),
    token("SentryToken", "sntry[su]_[A-Za-z0-9_+/-]{40,}={0,2}"),
    token(
        "GrafanaToken",
        "glc_[A-Za-z0-9+/]{32,}={0,2}|glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}",
    ),
    rule(
        "OktaToken",
        Secrets,
        r#"SSWS[ \t]+[A-Za-z0-9_-]{40,}|(?i:okta)[A-Za-z_ .-]{0,20}\\*["']?[ \t]{0,3}[=:][ \t]{0,3}\\*["']?00[A-Za-z0-9_-]{40}"#,
        okta,
    ),
    token("DatabricksToken", "dapi[a-f0-9]{32}(?:-[0-9])?"),
    token("NotionToken", "secret_[A-Za-z0-9]{43}|ntn_[A-Za-z0-9]{40,}"),
    token("LinearKey", "lin_(?:api|oauth)_[A-Za-z0-9]{40,}"),
    token("AirtableToken", r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}"),
    token("PostmanKey", "PMAK-[a-f0-9]{24}-[a-f0-9]{34}"),
    token("FigmaToken", "fig[dou]_[A-Za-z0-9_-]{40,}"),
    token("DropboxToken", r"sl\.(?:u\.)?[A-Za-z0-9_-]{100,}"),
    token("FacebookToken", "EAA[A-Za-z0-9]{90,}"),
];

/// A token that is no part of a longer word.
fn alone(found: &Found<'_>) -> Verdict {
    if found.stands_alone() {
        found.yes()
    } else {
        found.no()
    }
}

/// A token whose mark stands inside it: as many letters and digits before the mark as it has there, and no more.
fn reaching_back(
    found: &Found<'_>,
    lengths: std::ops::RangeInclusive<usize>,
    also: fn(u8) -> bool,
) -> Verdict {
    let before_it = found.text[..found.range.start].iter().rev();
    let taken = before_it
        .take(*lengths.end())
        .take_while(|byte| byte.is_ascii_alphanumeric() || also(**byte))
        .count();
    let start = found.range.start - taken;
    let goes_on = before(found.text, start).is_ascii_alphanumeric();
    if !lengths.contains(&taken) || goes_on || found.behind().is_ascii_alphanumeric() {
        return found.no();
    }
    Verdict::Redact(start..found.range.end)
}

/// What stands behind the last slash.
fn last_segment(found: &Found<'_>) -> Verdict {
    let slash = memchr::memrchr(b'/', found.bytes()).map_or(0, |at| at + 1);
    redact_from(found, slash)
}

/// What stands behind `webhook/` or `webhookb2/`.
fn behind_webhook(found: &Found<'_>) -> Verdict {
    let slash = memchr::memchr(b'/', found.bytes()).unwrap_or(0) + 1;
    let rest = &found.bytes()[slash..];
    redact_from(
        found,
        slash + memchr::memchr(b'/', rest).map_or(0, |at| at + 1),
    )
}

/// A bot's token: its first part is the bot's id, a number, in base64.
///
/// Source: <https://discord.com/developers/docs/reference#authentication>, read 2026-11-25.
fn discord(found: &Found<'_>) -> Verdict {
    let bytes = found.bytes();
    let id = bytes.split(|byte| *byte == b'.').next().unwrap_or_default();
    let mut decoded = [0; 24];
    let digits = decode_base64(id, &mut decoded)
        .is_some_and(|length| length > 0 && decoded[..length].iter().all(u8::is_ascii_digit));
    if digits && found.stands_alone() {
        found.yes()
    } else {
        found.no()
    }
}

/// The UUID, or the token of the newer form.
fn heroku(found: &Found<'_>) -> Verdict {
    let bytes = found.bytes();
    if bytes.starts_with(b"HRKU") {
        return alone(found);
    }
    if found.behind().is_ascii_alphanumeric() {
        return found.no();
    }
    redact_from(found, bytes.len() - 36)
}

/// The hex digits at the end, 32 or 40 of them.
fn hex_at_end(found: &Found<'_>) -> Verdict {
    if found.bytes().ends_with(b":") {
        return found.none_in_it();
    }
    let digits = found.bytes().iter().rev();
    let length = digits.take_while(|byte| byte.is_ascii_hexdigit()).count();
    if !matches!(length, 32 | 40) || found.behind().is_ascii_alphanumeric() {
        return found.no();
    }
    redact_from(found, found.bytes().len() - length)
}

/// The key of `https://KEY@HOST/PROJECT`.
///
/// Source: <https://docs.sentry.io/concepts/key-terms/dsn-explainer/>, read 2026-11-25.
fn sentry(found: &Found<'_>) -> Verdict {
    let at = memchr::memchr(b'@', found.bytes()).unwrap_or(found.bytes().len());
    Verdict::Redact(found.range.start + 3..found.range.start + at)
}

/// The token behind `SSWS` or behind the word.
fn okta(found: &Found<'_>) -> Verdict {
    if found.behind().is_ascii_alphanumeric() {
        return found.no();
    }
    let tail = found.bytes().iter().rev();
    let length = tail
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        .count();
    redact_from(found, found.bytes().len() - length)
}
