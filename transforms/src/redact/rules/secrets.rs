//! The table of credentials that no single vendor's prefix gives away: private keys, tokens by the word before them,
//! what stands in URLs and headers.

use super::Group::{OptIn, Secrets};
use super::{Rule, credentials, rule};
use crate::redact::validate;

/// Those with a shape of their own, before all other rules: of two matches that begin at the same byte the earlier
/// rule gives the label.
pub const SHAPED: &[Rule] = &[
    rule(
        "OpenSshPrivateKey",
        Secrets,
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        credentials::pem,
    ),
    rule(
        "PgpPrivateKey",
        Secrets,
        "-----BEGIN PGP PRIVATE KEY BLOCK-----",
        credentials::pem,
    ),
    rule(
        "PkcsPrivateKey",
        Secrets,
        "-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----",
        credentials::pkcs,
    ),
    rule(
        "PuttyPrivateKey",
        Secrets,
        "PuTTY-User-Key-File-[0-9]+:",
        credentials::putty,
    ),
    // Source: <https://age-encryption.org/v1>, read 2026-11-25.
    rule(
        "AgeSecretKey",
        Secrets,
        "AGE-SECRET-KEY-1[A-Z0-9]{40,}",
        validate::whole,
    ),
    rule(
        "Jwt",
        Secrets,
        r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*",
        credentials::jwt,
    ),
];

/// Those that a word before them gives away; behind the vendors' own.
pub const WORDED: &[Rule] = &[
    rule(
        "UrlCredentials",
        Secrets,
        r#"://[^\s/?\#:@"'<>]*:[^\s"'<>]+@"#,
        credentials::url,
    ),
    rule(
        "UrlQuerySecret",
        Secrets,
        r#"[?&;](?i:[a-z0-9_.-]{0,24}(?:token|secret|password|passwd|pwd|signature|api[_-]?key|access[_-]?key)|auth|key|sig|code)=[^&;#\s"'<>\\]+"#,
        credentials::query,
    ),
    Rule {
        keys: &["authorization", "*-authorization", "*_authorization"],
        ..rule(
            "AuthorizationHeader",
            Secrets,
            r#"(?i:bearer|basic)[ \t]+[A-Za-z0-9._~+/=-]+|(?i:authorization)\\*["']?\s*[=:]\s*\\*["']?(?:[A-Za-z0-9-]+[ \t]+)?[^\s"'\\]+"#,
            credentials::authorization,
        )
    },
    Rule {
        keys: credentials::SECRET_KEYS,
        ..rule(
            "KeyValueSecret",
            Secrets,
            r#"(?i:password|passwd|passphrase|pwd|secret|(?:secret|api|private|access|account|signing|encryption)[-_. ]?key|token)\\*["']?\s*(?:=>|[=:])\s*(?:\\*"[^"]*|\\*'[^']*|[^\s"'&;]+)"#,
            credentials::key_value,
        )
    },
    Rule {
        words: &[
            "key",
            "token",
            "secret",
            "password",
            "passwd",
            "auth",
            "credential",
            "signature",
            "bearer",
            "cookie",
            "session",
        ],
        ..rule(
            "HighEntropy",
            OptIn,
            "[A-Za-z0-9+/_=-]{32,}",
            credentials::high_entropy,
        )
    },
];
