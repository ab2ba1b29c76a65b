//! Keys and tokens as their vendors give them out today.

use crate::chars::{ALNUM, BASE64, HEX, LOWER_DIGITS, URL64, between, digits, of, text};
use crate::random::Random;
use crate::values::{Made, Row, bare};

pub const ROWS: &[Row] = &[
    bare("AwsBedrockKey", |r| with(r, "ABSK", BASE64, 128)),
    bare("AzureStorageKey", |r| {
        Made::within(
            "AccountName=acme;AccountKey=",
            format!("{}==", of(r, BASE64, 86)),
            ";EndpointSuffix=core",
        )
    }),
    bare("AzureSharedAccessKey", |r| {
        Made::within(
            "SharedAccessKeyName=root;SharedAccessKey=",
            format!("{}=", of(r, BASE64, 43)),
            ";x",
        )
    }),
    bare("AzureSasSignature", |r| {
        Made::within(
            "https://a.blob.core.windows.net/c?sv=2024-11-04&se=x&sig=",
            format!("{}%3D", of(r, ALNUM, 43)),
            "&sp=r",
        )
    }),
    bare("AzureAdClientSecret", |r| {
        let head = of(r, ALNUM, 3);
        Made::whole(format!(
            "{head}{}Q~{}",
            r.below(10),
            of(r, "ABCabc012~_-", 34)
        ))
    }),
    bare("AzureDevOpsToken", |r| {
        Made::whole(format!("{}AZDO{}", of(r, ALNUM, 76), of(r, ALNUM, 4)))
    }),
    bare("GoogleApiKey", |r| with(r, concat!("AI", "za"), URL64, 35)),
    bare("GoogleOAuthSecret", |r| with(r, "GOCSPX-", URL64, 28)),
    bare("GoogleAccessToken", |r| with(r, "ya29.", URL64, 120)),
    bare("GoogleRefreshToken", |r| with(r, "1//0", URL64, 60)),
    bare("DigitalOceanToken", |r| with(r, "dop_v1_", HEX, 64)),
    bare("CloudflareKey", |r| {
        Made::whole(format!("v1.0-{}-{}", of(r, HEX, 24), of(r, HEX, 146)))
    }),
    bare("PlanetScaleToken", |r| with(r, "pscale_tkn_", URL64, 43)),
    bare("SupabaseKey", |r| match r.below(2) {
        0 => with(r, "sbp_", HEX, 40),
        _ => with(r, "sb_secret_", URL64, 31),
    }),
    bare("TailscaleKey", |r| {
        Made::whole(format!(
            "tskey-auth-{}-{}",
            of(r, ALNUM, 12),
            of(r, ALNUM, 32)
        ))
    }),
    bare("GitHubToken", |r| match r.below(2) {
        0 => {
            let prefix = *r.pick(&["ghp_", "gho_", "ghu_", "ghs_", "ghr_"]);
            let random = of(r, ALNUM, 30);
            Made::whole(format!("{prefix}{random}{}", base62_crc(random.as_bytes())))
        }
        _ => Made::whole(format!(
            "github_pat_{}_{}",
            of(r, ALNUM, 22),
            of(r, ALNUM, 59)
        )),
    }),
    bare("GitLabToken", |r| with(r, concat!("gl", "pat-"), URL64, 20)),
    bare("BitbucketToken", |r| {
        Made::whole(format!(
            "ATBB{}{}",
            of(r, ALNUM, 24),
            of(r, "0123456789ABCDEF", 8)
        ))
    }),
    bare("AtlassianToken", |r| {
        Made::whole(format!(
            "ATATT3{}={}",
            of(r, URL64, 180),
            of(r, "0123456789ABCDEF", 8)
        ))
    }),
    bare("NpmToken", |r| with(r, "npm_", ALNUM, 36)),
    bare("PyPiToken", |r| with(r, "pypi-AgEIcHlwaS5vcmc", URL64, 150)),
    bare("RubyGemsKey", |r| with(r, "rubygems_", HEX, 48)),
    bare("CratesIoToken", |r| with(r, "cio", ALNUM, 32)),
    bare("NuGetKey", |r| with(r, "oy2", LOWER_DIGITS, 43)),
    bare("DockerToken", |r| with(r, "dckr_pat_", URL64, 27)),
    bare("ArtifactoryKey", |r| with(r, "AKCp", ALNUM, 69)),
    bare("CircleCiToken", |r| {
        Made::whole(format!("CCIPAT_{}_{}", of(r, ALNUM, 22), of(r, HEX, 40)))
    }),
    bare("BuildkiteToken", |r| with(r, "bkua_", HEX, 40)),
    bare("SonarQubeToken", |r| {
        let prefix = *r.pick(&["squ_", "sqp_", "sqa_"]);
        with(r, prefix, HEX, 40)
    }),
    bare("VaultToken", |r| {
        let count = between(r, 90, 120) as usize;
        with(r, "hvs.", URL64, count)
    }),
    bare("TerraformToken", |r| {
        Made::whole(format!("{}.atlasv1.{}", of(r, ALNUM, 14), of(r, URL64, 67)))
    }),
    bare("PulumiToken", |r| with(r, "pul-", HEX, 40)),
    bare("DopplerToken", |r| with(r, "dp.pt.", ALNUM, 43)),
    bare("TelegramBotToken", |r| {
        Made::whole(format!(
            "{}:AA{}",
            1_000_000_000 + r.below(8_000_000_000),
            of(r, URL64, 33)
        ))
    }),
    bare("TwilioKey", |r| {
        let prefix = *r.pick(&["SK", "AC"]);
        with(r, prefix, HEX, 32)
    }),
    bare("SendGridKey", |r| {
        Made::whole(format!("SG.{}.{}", of(r, URL64, 22), of(r, URL64, 43)))
    }),
    bare("MailgunKey", |r| match r.below(2) {
        0 => with(r, "key-", HEX, 32),
        _ => Made::whole(format!(
            "{}-{}-{}",
            of(r, HEX, 32),
            of(r, HEX, 8),
            of(r, HEX, 8)
        )),
    }),
    bare("MailchimpKey", |r| {
        Made::whole(format!("{}-us{}", of(r, HEX, 32), between(r, 1, 22)))
    }),
    bare("BrevoKey", |r| {
        Made::whole(format!("xkeysib-{}-{}", of(r, HEX, 64), of(r, ALNUM, 16)))
    }),
    bare("StripeKey", |r| {
        let prefix = *r.pick(&["sk_live_", "sk_test_", "rk_live_", "whsec_"]);
        let count = between(r, 24, 99) as usize;
        with(r, prefix, ALNUM, count)
    }),
    bare("SquareToken", |r| match r.below(2) {
        0 => with(r, "sq0csp-", URL64, 43),
        _ => with(r, "EAAA", URL64, 60),
    }),
    bare("BraintreeToken", |r| {
        Made::whole(format!(
            "access_token$production${}${}",
            of(r, LOWER_DIGITS, 16),
            of(r, HEX, 32)
        ))
    }),
    bare("ShopifyToken", |r| {
        let prefix = *r.pick(&["shpat_", "shpca_", "shppa_", "shpss_"]);
        with(r, prefix, HEX, 32)
    }),
    bare("AnthropicKey", |r| with(r, "sk-ant-api03-", URL64, 93)),
    bare("OpenAiKey", |r| {
        let (prefix, digit) = (*r.pick(&["sk-", "sk-proj-", "sk-svcacct-"]), r.below(10));
        Made::whole(format!("{prefix}{}{digit}", of(r, ALNUM, 47)))
    }),
    bare("HuggingFaceToken", |r| with(r, "hf_", ALNUM, 34)),
    bare("ReplicateToken", |r| with(r, "r8_", ALNUM, 37)),
    bare("GroqKey", |r| with(r, "gsk_", ALNUM, 52)),
    bare("XAiKey", |r| with(r, "xai-", ALNUM, 80)),
    bare("PerplexityKey", |r| with(r, "pplx-", ALNUM, 48)),
    bare("NewRelicKey", |r| match r.below(3) {
        0 => with(r, "NRAK-", "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 27),
        1 => Made::whole(format!("{}NRAL", of(r, HEX, 36))),
        _ => Made::whole(format!("eu01xx{}FFFFNRAL", of(r, HEX, 26))),
    }),
    bare("SentryToken", |r| with(r, "sntryu_", HEX, 64)),
    bare("GrafanaToken", |r| match r.below(2) {
        0 => Made::whole(format!("glsa_{}_{}", of(r, ALNUM, 32), of(r, HEX, 8))),
        _ => with(r, "glc_", BASE64, 100),
    }),
    bare("DatabricksToken", |r| with(r, "dapi", HEX, 32)),
    bare("NotionToken", |r| match r.below(2) {
        0 => with(r, "secret_", ALNUM, 43),
        _ => Made::whole(format!("ntn_{}{}", text(&digits(r, 11)), of(r, ALNUM, 35))),
    }),
    bare("LinearKey", |r| with(r, "lin_api_", ALNUM, 40)),
    bare("AirtableToken", |r| {
        Made::whole(format!("pat{}.{}", of(r, ALNUM, 14), of(r, HEX, 64)))
    }),
    bare("PostmanKey", |r| {
        Made::whole(format!("PMAK-{}-{}", of(r, HEX, 24), of(r, HEX, 34)))
    }),
    bare("FigmaToken", |r| with(r, "figd_", URL64, 40)),
    bare("DropboxToken", |r| with(r, "sl.u.", URL64, 150)),
    bare("FacebookToken", |r| with(r, "EAA", ALNUM, 180)),
];

fn with(r: &mut Random, prefix: &str, alphabet: &str, count: usize) -> Made {
    Made::whole(format!("{prefix}{}", of(r, alphabet, count)))
}

/// CRC-32, bit by bit, in six digits of base 62.
fn base62_crc(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0xedb8_8320
            } else {
                crc >> 1
            };
        }
    }
    let mut rest = !crc;
    let mut made = [b'0'; 6];
    for place in made.iter_mut().rev() {
        *place = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    made.iter().map(|byte| char::from(*byte)).collect()
}
