//! Private keys, tokens, and what stands behind words and in URLs.

use crate::chars::{ALNUM, BASE64, UPPER_DIGITS, URL64, base64, between, digits, of, text};
use crate::random::Random;
use crate::values::{Made, Row, bare, open_ended, worded};

pub const ROWS: &[Row] = &[
    bare("OpenSshPrivateKey", |r| pem(r, "OPENSSH PRIVATE KEY")),
    bare("PgpPrivateKey", |r| pem(r, "PGP PRIVATE KEY BLOCK")),
    bare("PkcsPrivateKey", |r| {
        let kind = *r.pick(&[
            "PRIVATE KEY",
            "RSA PRIVATE KEY",
            "EC PRIVATE KEY",
            "DSA PRIVATE KEY",
            "ENCRYPTED PRIVATE KEY",
        ]);
        pem(r, kind)
    }),
    bare("PuttyPrivateKey", |r| {
        let lines = body(r);
        Made::whole(format!(
            "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: x\nPrivate-Lines: 2\n{lines}\nPrivate-MAC: {}",
            of(r, "0123456789abcdef", 64)
        ))
    }),
    bare("AgeSecretKey", |r| {
        Made::whole(format!(
            "AGE-SECRET-KEY-1{}",
            of(r, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58)
        ))
    }),
    bare("Jwt", |r| {
        let algorithm = *r.pick(&["HS256", "RS256", "ES384", "none"]);
        let header = base64(
            format!("{{\"alg\":\"{algorithm}\",\"typ\":\"JWT\"}}").as_bytes(),
            URL64,
        );
        let claims = base64(
            format!(
                "{{\"sub\":\"{}\",\"exp\":{}}}",
                of(r, ALNUM, 8),
                r.below(2_000_000_000)
            )
            .as_bytes(),
            URL64,
        );
        Made::whole(format!("{header}.{claims}.{}", of(r, URL64, 43)))
    }),
    open_ended("UrlCredentials", |r| {
        let scheme = *r.pick(&["https", "postgres", "mongodb+srv", "redis", "amqp"]);
        let user = of(r, "abcdefgh", 5);
        let password = of(r, "ABCdef123!$%^&*-_+~.", 12);
        Made::within(
            format!("{scheme}://{user}:"),
            password,
            "@db.example.com:5432/app",
        )
    }),
    open_ended("UrlQuerySecret", |r| {
        let key = *r.pick(&[
            "token",
            "access_token",
            "api_key",
            "sig",
            "code",
            "password",
            "client_secret",
            "X-Amz-Signature",
        ]);
        let secret = of(r, URL64, 24);
        Made::within(
            format!("https://example.com/a?page=2&{key}="),
            secret,
            "&x=1",
        )
    }),
    open_ended("AuthorizationHeader", |r| match r.below(4) {
        0 => Made::within("Authorization: Bearer ", of(r, URL64, 32), ""),
        1 => {
            let pair = format!("{}:{}", of(r, "abcdef", 5), of(r, ALNUM, 10));
            Made::within("authorization: Basic ", base64(pair.as_bytes(), BASE64), "")
        }
        2 => Made::within(
            "Authorization: ",
            format!("ApiKey {}", of(r, ALNUM, 20)),
            "",
        ),
        _ => Made::within("sent bearer ", format!("{}7", of(r, URL64, 30)), ""),
    }),
    open_ended("KeyValueSecret", |r| {
        let value = of(r, "ABCdefghi123!$%^*-_+~.", 12);
        match r.below(6) {
            0 => Made::within("password=", value, ""),
            1 => Made::within("db_passwd: ", value, ""),
            2 => Made::within("client-secret => '", value, "'"),
            3 => Made::within("apiKey: \"", value, "\""),
            4 => Made::within("{pwd=", value, ", user=joe}"),
            _ => Made::within("access_token=", value, "&b=1"),
        }
    }),
    worded(
        "HighEntropy",
        &["key", "session token", "credential"],
        |r| {
            // Enough different characters for its entropy, whatever the seed.
            let mut letters: Vec<char> = ALNUM.chars().collect();
            for place in (1..letters.len()).rev() {
                letters.swap(place, r.below(place as u64 + 1) as usize);
            }
            let count = between(r, 33, 60) as usize;
            Made::whole(format!("{}7a", letters[..count].iter().collect::<String>()))
        },
    ),
    worded(
        "AwsSecretKey",
        &[
            "aws secret access key",
            "AWS_SECRET_ACCESS_KEY",
            "SecretAccessKey",
        ],
        |r| {
            let mut letters: Vec<char> = BASE64.chars().collect();
            for place in (1..letters.len()).rev() {
                letters.swap(place, r.below(place as u64 + 1) as usize);
            }
            Made::whole(letters[..40].iter().collect::<String>())
        },
    ),
    bare("AwsAccessKeyId", |r| {
        let prefix = *r.pick(&["AKIA", "ASIA", "AROA", "AIDA", "ABIA", "ACCA"]);
        Made::whole(format!(
            "{prefix}{}",
            of(r, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)
        ))
    }),
    bare("AwsSessionToken", |r| {
        let prefix = *r.pick(&["IQoJb3", "FwoGZX"]);
        let count = between(r, 100, 500) as usize;
        Made::whole(format!("{prefix}{}", of(r, BASE64, count)))
    }),
    bare("HerokuKey", |r| {
        let uuid = uuid(r);
        match r.below(2) {
            0 => Made::within("heroku key ", uuid, ""),
            _ => Made::whole(format!("HRKU-{uuid}")),
        }
    }),
    bare("OktaToken", |r| {
        let token = format!("00{}", of(r, URL64, 40));
        match r.below(2) {
            0 => Made::within("okta token: ", token, ""),
            _ => Made::within("SSWS ", token, ""),
        }
    }),
    bare("DatadogKey", |r| {
        let hex = "0123456789abcdef";
        match r.below(3) {
            0 => Made::within("DD_API_KEY=", of(r, hex, 32), ""),
            1 => Made::within("datadog app key: ", of(r, hex, 40), ""),
            _ => Made::within("dd-api-key: ", of(r, hex, 32), ""),
        }
    }),
    bare("SentryDsn", |r| {
        let key = of(r, "0123456789abcdef", 32);
        let (org, project) = (r.below(1_000_000), r.below(10_000_000));
        Made::within(
            "https://",
            key,
            format!("@o{org}.ingest.sentry.io/{project}"),
        )
    }),
    bare("TeamsWebhook", |r| {
        let (a, b, c) = (uuid(r), uuid(r), uuid(r));
        let path = format!(
            "{a}@{b}/IncomingWebhook/{}/{c}",
            of(r, "0123456789abcdef", 32)
        );
        Made::within("https://contoso.webhook.office.com/webhookb2/", path, "")
    }),
    bare("DiscordToken", |r| {
        let id = text(&digits(r, 18));
        let first = base64(format!("1{}", &id[1..]).as_bytes(), URL64);
        Made::whole(format!("{first}.{}.{}", of(r, URL64, 6), of(r, URL64, 38)))
    }),
    bare("DiscordWebhook", |r| {
        let id = format!("1{}", text(&digits(r, 17)));
        Made::within(
            format!("https://discord.com/api/webhooks/{id}/"),
            of(r, URL64, 68),
            "",
        )
    }),
    bare("SlackToken", |r| {
        let (team, bot) = (text(&digits(r, 12)), text(&digits(r, 12)));
        match r.below(3) {
            0 => Made::whole(format!(
                "{}{team}-{bot}-{}",
                concat!("xo", "xb-"),
                of(r, ALNUM, 24)
            )),
            1 => Made::whole(format!(
                "{}A{}-{bot}-{}",
                concat!("xa", "pp-1-"),
                of(r, UPPER_DIGITS, 10),
                of(r, "0123456789abcdef", 64)
            )),
            _ => {
                let path = format!(
                    "T{}/B{}/{}",
                    of(r, UPPER_DIGITS, 8),
                    of(r, UPPER_DIGITS, 8),
                    of(r, ALNUM, 24)
                );
                Made::within("https://hooks.slack.com/services/", path, "")
            }
        }
    }),
];

fn body(r: &mut Random) -> String {
    let lines: Vec<String> = (0..between(r, 2, 6)).map(|_| of(r, BASE64, 64)).collect();
    lines.join("\n")
}

fn pem(r: &mut Random, kind: &str) -> Made {
    Made::whole(format!(
        "-----BEGIN {kind}-----\n{}\n-----END {kind}-----",
        body(r)
    ))
}

pub fn uuid(r: &mut Random) -> String {
    let hex = of(r, "0123456789abcdef", 32);
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}
