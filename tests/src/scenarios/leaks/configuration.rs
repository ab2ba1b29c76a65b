//! Secrets that stand in the configuration itself, where something is wrong with it.

use std::process::Command;

use crate::binary;
use crate::canary::Search;
use crate::harness::{Folder, Scenario};

/// Neither a word nor of a shape that any rule knows.
const SECRET: &str = concat!("kx9Qwv", "Trinket", "PlumeRxz40");

/// Tables of sinks, in each of which something is wrong at the secret or beside it.
const WRONG: &[&str] = &[
    "type = \"http\"\nurl = \"https://user:SECRET@example.com/\"",
    "type = \"http\"\nurl = \"https://example.com/?token=SECRET\"\nmethod = \"GETT\"",
    "type = \"http\"\nurl = \"ftp://user:SECRET@example.com/\"",
    "type = \"http\"\nurl = \"https://user:SECRET@\"",
    "type = \"http\"\nurl = \"https://SECRET @example.com\"",
    "type = \"http\"\nurl = \"https://exa mple.com/?api_key=SECRET\"",
    "type = \"http\"\nurl = \"user:SECRET@example.com\"",
    "type = \"http\"\nurl = \"\"\"https://user:\nSECRET@example.com\"\"\"",
    "type = \"http\"\nurl = [\"https://user:SECRET@example.com\"]",
    "type = \"http\"\nurl = { is = \"https://user:SECRET@example.com\" }",
    "type = \"http\"\nurll = \"https://user:SECRET@example.com\"",
    "type = \"http\"\nurl = \"${URL}\"",
    "type = \"http\"\nurl = \"https://example.com/${ABSENT:-?token=SECRET}\"\nmethod = 5",
    "type = \"http\"\nurl = \"https://h\"\nheaders = { authorization = \"Bearer SECRET\\n\" }",
    "type = \"http\"\nurl = \"https://h\"\nheaders = { authorization = \"Bearer SECRET\", x = 5 }",
    "type = \"http\"\nurl = \"https://h\"\nheaders = { \"bad name\" = \"SECRET\" }",
    "type = \"http\"\nurl = \"https://h\"\nheaders = { host = \"SECRET\" }",
    "type = \"http\"\nurl = \"https://h\"\nheaders = { x-key = [\"SECRET\"] }",
    "type = \"http\"\nurl = \"https://h\"\nheaders = { x-key = { prefix = \"SECRET\" } }",
    "type = \"http\"\nurl = \"https://h\"\nheaders = { x-key = { value = \"SECRET\" } }",
    "type = \"http\"\nurl = \"https://h\"\nheaders = { x-key = { env = \"SECRET is no name\" } }",
    "type = \"http\"\nurl = \"https://h\"\nheaders = \"authorization: SECRET\"",
    "type = \"http\"\nurl = \"https://h\"\nheaders = [\"SECRET\"]",
    "type = \"http\"\nurl = \"https://h\"\nheader = { authorization = \"Bearer SECRET\" }",
    "type = \"http\"\nurl = \"https://h\"\nheaders = { authorization = \"Bearer SECRET }",
    "type = \"http\"\nurl = \"https://h\"\nheaders = { authorization = \"Bearer SECRET\" x }",
    "type = \"http\"\nurl = \"https://h\"\nheaders = { authorization = SECRET }",
    "type = \"http\"\nurl = \"https://h\"\nauth = \"SECRET\"",
    "type = \"http\"\nurl = \"https://h\"\nauth = { baerer = \"SECRET\" }",
    "type = \"http\"\nurl = \"https://h\"\nauth = { bearer = \"SECRET\", basic = { user = \"u\" } }",
    "type = \"http\"\nurl = \"https://h\"\nauth = { bearer = \"SECRET\\u0007\" }",
    "type = \"http\"\nurl = \"https://h\"\nauth = { basic = { user = \"a:SECRET\", password = \"b\" } }",
    "type = \"http\"\nurl = \"https://h\"\nauth = { basic = { user = \"a\", password = [\"SECRET\"] } }",
    "type = \"http\"\nurl = \"https://h\"\nauth = { basic = { user = \"a\", pasword = \"SECRET\" } }",
    "type = \"http\"\nurl = \"https://h\"\ntls = { cert = \"c\", key = { is = \"SECRET\" } }",
    "type = \"http\"\nurl = \"https://h\"\ntls = { key = \"-----BEGIN KEY-----\\nSECRET\" }",
    "type = \"http\"\npreset = \"datadog\"\noptions = { api_kee = \"SECRET\" }",
    "type = \"http\"\npreset = \"datadog\"\noptions = { api_key = [\"SECRET\"] }",
    "type = \"http\"\npreset = \"datadogg\"\noptions = { api_key = \"SECRET\" }",
    "type = \"http\"\nurl = \"https://h\"\npreset = \"splunk_hec\"\noptions = { token = \"SECRET\\n\" }",
    "type = \"http\"\nurl = \"https://h\"\npreset = \"splunk_hec\"\noptions = \"SECRET\"",
    "type = \"htpt\"\nurl = \"https://user:SECRET@h\"",
    "type = \"otlp\"\nendpoint = \"https://user:SECRET@h:4318\"",
    "type = \"otlp\"\nendpoint = \"h:4318/?key=SECRET\"",
    "type = \"otlp\"\nlogs_endpoint = \"https://user:SECRET@h:4318\"\nprotocol = \"x\"",
    "type = \"otlp\"\nheaders = { x-key = \"SECRET\\n\" }",
    "type = \"cloudwatch\"\ngroup = \"/g\"\nendpoint = \"https://user:SECRET@h\"",
    "type = \"s3\"\nbucket = \"canaries\"\nendpoint = \"https://user:SECRET@h\"",
    "type = \"console\"\npath = \"/tmp/x\"\npassword = \"SECRET\"",
    "type = \"console\"\napi_key = SECRET",
];

/// The same for `redact`.
const WRONG_KEYS: &[&str] = &[
    "hash_key = \"SECRET\"",
    "hash_key = 'SECRET",
    "hash_key = [\"SECRET\"]",
    "hash_key = { envv = \"SECRET\" }",
    "hash_key = { secret = \"SECRET\" }",
    "hash_kee = \"SECRETSECRETSECRET\"",
    "hash_key = \"SECRETSECRETSECRET\" action = \"hash\"",
    "hash_key.is = \"SECRETSECRETSECRET\"",
];

/// Files with all of these, the secret in its place.
fn files() -> Vec<String> {
    let sinks = WRONG
        .iter()
        .map(|table| format!("version = 1\n[sink.out]\n{table}\n"));
    let redacts = WRONG_KEYS.iter().map(|line| {
        format!(
            "version = 1\n[[transform]]\ntype = \"redact\"\nrules = [\"@secrets\"]\naction = \"hash\"\n{line}\n\
             [sink.out]\ntype = \"console\"\n"
        )
    });
    let all = sinks.chain(redacts);
    all.map(|file| file.replace("SECRET", SECRET)).collect()
}

/// A file that has a secret and something wrong in it: nothing that `check` says shows the secret.
#[test]
fn check_shows_no_secret() {
    let (folder, search) = (Folder::new(), Search::new([SECRET]));
    let mut shown = Vec::new();
    for file in files() {
        let output = Command::new(binary::tapline())
            .arg("check")
            .arg(folder.write("tapline.toml", &file))
            .env("URL", format!("https://user:{SECRET}@example.com"))
            .output()
            .expect("it runs");
        let said = [output.stdout, output.stderr].concat();
        if output.status.code() != Some(1) {
            shown.push(format!("nothing is wrong with {file}"));
        }
        if !search.seen_in(&said).is_empty() {
            shown.push(format!("{file}\n{}", String::from_utf8_lossy(&said)));
        }
    }
    assert!(
        shown.is_empty(),
        "{} files:\n{}",
        shown.len(),
        shown.join("\n")
    );
}

/// All of these sinks in one file, in Lambda: nothing that is said at the start shows the secret.
#[tokio::test]
async fn the_start_shows_no_secret() {
    let tables = WRONG
        .iter()
        .enumerate()
        .map(|(number, table)| format!("[sink.out{number}]\n{table}\n").replace("SECRET", SECRET));
    let sound: Vec<String> = tables.filter(|table| is_toml(table)).collect();
    for sinks in sound.chunks(30) {
        let life = Scenario::new(&format!("version = 1\n{}", sinks.concat()))
            .variable("TAPLINE_LOG", "trace")
            .variable("URL", &format!("https://user:{SECRET}@example.com"))
            .variable(
                "OTEL_EXPORTER_OTLP_HEADERS",
                &format!("x-key={SECRET}\u{7},{SECRET}"),
            )
            .variable(
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                &format!("https://user:{SECRET}@h"),
            )
            .begin()
            .await;
        let end = life.end().await;
        let said = end.said();
        assert!(said.lines().count() > 10, "{said}");
        let seen = Search::new([SECRET]).seen_in(said.as_bytes());
        assert!(seen.is_empty(), "{}", seen.join("\n"));
    }
}

/// A table that is no TOML would hide all others.
fn is_toml(table: &str) -> bool {
    !table.contains(&format!(" = {SECRET}"))
        && !table.ends_with(&format!("{SECRET} }}\n"))
        && !table.contains("\" x }")
}
