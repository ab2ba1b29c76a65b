//! Lines that hold nothing secret and look as if they did: times, ids, order numbers, versions, decimals, stack traces.

use crate::chars::{HEX, LOWER_DIGITS, UPPER, UPPER_DIGITS, between, digits, of, text};
use crate::random::Random;

/// Times, UUIDs and hex ids alone, in which there must be no card.
pub fn number(random: &mut Random) -> String {
    let (ms, uuid) = (epoch_ms(random), uuid(random));
    match random.below(6) {
        0 => format!("at {ms} request {uuid}"),
        1 => format!("{{\"ts\":{ms},\"id\":\"{uuid}\"}}"),
        2 => format!(
            "{ms}{:03} took {} us",
            random.below(1000),
            random.below(1_000_000)
        ),
        3 => format!("trace {} span {}", of(random, HEX, 32), of(random, HEX, 16)),
        4 => format!(
            "sha256:{} at {}.{:03}",
            of(random, HEX, 64),
            ms / 1000,
            ms % 1000
        ),
        _ => format!("{uuid} {} {ms}", of(random, HEX, 40)),
    }
}

/// Any kind of line.
pub fn line(random: &mut Random) -> String {
    match random.below(12) {
        0 | 1 => number(random),
        2 => order(random),
        3 => version(random),
        4 => decimal(random),
        5 => java(random),
        6 => python(random),
        7 => node(random),
        8 => lambda(random),
        9 => access(random),
        10 => json(random),
        _ => mixed(random),
    }
}

/// Milliseconds of the years 2020 to 2033.
fn epoch_ms(random: &mut Random) -> u64 {
    between(random, 1_577_836_800_000, 2_000_000_000_000)
}

fn uuid(random: &mut Random) -> String {
    crate::secrets::uuid(random)
}

fn iso(random: &mut Random) -> String {
    format!(
        "20{}-{:02}-{:02}{}{:02}:{:02}:{:02}.{:03}Z",
        between(random, 20, 33),
        between(random, 1, 13),
        between(random, 1, 29),
        random.pick(&["T", " "]),
        random.below(24),
        random.below(60),
        random.below(60),
        random.below(1000)
    )
}

fn order(random: &mut Random) -> String {
    let count = between(random, 6, 13) as usize;
    let number = text(&digits(random, count));
    match random.below(7) {
        0 => format!("order {number} confirmed"),
        1 => format!("order_id={number} status=paid"),
        2 => format!(
            "ORD-20{}-{:06} shipped",
            between(random, 20, 33),
            random.below(1_000_000)
        ),
        3 => format!(
            "order #{} has {} items",
            random.below(1_000_000),
            random.below(50)
        ),
        4 => format!(
            "order {}-{}-{}",
            between(random, 100, 999),
            text(&digits(random, 7)),
            text(&digits(random, 7))
        ),
        5 => format!(
            "{{\"orderId\":{},\"qty\":{}}}",
            number.trim_start_matches('0').parse().unwrap_or(1u64),
            random.below(99)
        ),
        _ => format!(
            "SKU {}{} reserved",
            of(random, UPPER, 3),
            text(&digits(random, 8))
        ),
    }
}

fn version(random: &mut Random) -> String {
    let (major, minor, patch) = (random.below(30), random.below(40), random.below(2000));
    match random.below(6) {
        0 => format!("node v{major}.{minor}.{patch} started"),
        1 => format!("resolved left-pad@{major}.{minor}.{patch}"),
        2 => format!("@aws-sdk/client-s3@3.{minor}.{patch} loaded"),
        3 => format!(
            "Mozilla/5.0 (X11; Linux x86_64) Chrome/{major}.0.{patch}.{minor} Safari/537.36"
        ),
        4 => format!(
            "version {major}.{minor}.{patch}.{} of agent",
            random.below(100)
        ),
        _ => format!(
            "{major}.{minor}.{patch}-beta.{}+build.{}",
            random.below(20),
            of(random, HEX, 7)
        ),
    }
}

fn decimal(random: &mut Random) -> String {
    let fraction = text(&digits(random, 16));
    match random.below(5) {
        0 => format!("score 0.{fraction}"),
        1 => format!(
            "{{\"p50\":{}.{},\"p99\":{}.{}}}",
            random.below(100),
            &fraction[..6],
            random.below(1000),
            &fraction[6..12]
        ),
        2 => format!(
            "ratio={}.{fraction} n={}",
            random.below(10),
            random.below(100_000)
        ),
        3 => format!(
            "took {}.{} s, {} bytes",
            random.below(60),
            &fraction[..9],
            random.below(1 << 40)
        ),
        _ => format!(
            "balance {},{:03},{:03}.{:02}",
            random.below(900),
            random.below(1000),
            random.below(1000),
            random.below(100)
        ),
    }
}

fn java(random: &mut Random) -> String {
    let class = format!("com.example.{}.Handler", of(random, "abcdefgh", 6));
    format!(
        "java.lang.IllegalStateException: state {}\n\tat {class}.handle(Handler.java:{})\n\tat java.base/java.lang.Thread.run(Thread.java:{})\n\tat {class}$$Lambda/0x{}.run(Unknown Source)",
        random.below(100),
        random.below(900),
        random.below(2000),
        of(random, HEX, 16)
    )
}

fn python(random: &mut Random) -> String {
    format!(
        "Traceback (most recent call last):\n  File \"/var/task/app.py\", line {}, in handler\n    return process(event)\n  File \"/opt/python/lib/{}.py\", line {}, in process\nKeyError: '{}' at 0x7f{}",
        random.below(500),
        of(random, "abcdefgh", 8),
        random.below(900),
        of(random, "abcdefgh", 5),
        of(random, HEX, 10)
    )
}

fn node(random: &mut Random) -> String {
    format!(
        "TypeError: Cannot read properties of undefined (reading '{}')\n    at Object.handler (/var/task/index.js:{}:{})\n    at async Runtime.handleOnceNonStreaming (file:///var/runtime/index.mjs:{}:{})",
        of(random, "abcdefgh", 5),
        random.below(900),
        random.below(80),
        random.below(2000),
        random.below(80)
    )
}

fn lambda(random: &mut Random) -> String {
    let id = uuid(random);
    match random.below(3) {
        0 => format!("START RequestId: {id} Version: $LATEST"),
        1 => format!(
            "REPORT RequestId: {id}\tDuration: {}.{:02} ms\tBilled Duration: {} ms\tMemory Size: 512 MB\tXRAY TraceId: 1-{}-{}",
            random.below(9000),
            random.below(100),
            random.below(9001),
            of(random, HEX, 8),
            of(random, HEX, 24)
        ),
        _ => format!(
            "{}\t{id}\tINFO\tbatch of {} in {} ms",
            iso(random),
            random.below(1000),
            random.below(10_000)
        ),
    }
}

fn access(random: &mut Random) -> String {
    format!(
        "{} GET /api/v{}/orders/{}?page={}&size=50 HTTP/1.1 {} {} \"-\" {}ms",
        iso(random),
        between(random, 1, 4),
        random.below(10_000_000),
        random.below(100),
        random.pick(&[200, 204, 301, 404, 500]),
        random.below(1_000_000),
        random.below(3000)
    )
}

fn json(random: &mut Random) -> String {
    format!(
        "{{\"level\":\"INFO\",\"timestamp\":\"{}\",\"requestId\":\"{}\",\"service\":\"{}\",\"message\":\"processed {} records\",\"durationMs\":{},\"offset\":{}}}",
        iso(random),
        uuid(random),
        of(random, "abcdefgh", 6),
        random.below(10_000),
        random.below(100_000),
        random.below(1 << 33)
    )
}

fn mixed(random: &mut Random) -> String {
    match random.below(4) {
        0 => format!(
            "{} cache miss for {}/{}",
            iso(random),
            of(random, LOWER_DIGITS, 12),
            of(random, HEX, 24)
        ),
        1 => format!(
            "job {} of queue {} retried {} times",
            of(random, UPPER_DIGITS, 10),
            of(random, "abcdefgh", 6),
            random.below(9)
        ),
        2 => format!(
            "etag \"{}\" build {}",
            of(random, HEX, 32),
            between(random, 100_000, 9_999_999)
        ),
        _ => format!(
            "arn:aws:lambda:eu-west-1:123456789012:function:{}:{} size {}",
            of(random, "abcdefgh", 8),
            random.below(100),
            random.below(1 << 30)
        ),
    }
}
