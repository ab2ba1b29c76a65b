//! Lines as functions write them, from a seed.

use std::cell::RefCell;

use tapline_core::batch::Batch;
use tapline_core::budget::Budget;
use tapline_core::test_util;

/// Lines for the rival, and the same lines as records for us.
pub struct Corpus {
    lines: Vec<String>,
    pub batch: RefCell<Option<Batch>>,
    bytes: usize,
}

impl Corpus {
    fn new(lines: Vec<String>) -> Corpus {
        let rows: Vec<_> = lines
            .iter()
            .map(|line| ("function", line.as_str(), None))
            .collect();
        let batch = test_util::batch_of(&Budget::new(64 << 20), &rows);
        Corpus {
            bytes: lines.iter().map(String::len).sum(),
            batch: RefCell::new(Some(batch)),
            lines,
        }
    }

    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Numbers from a seed: xorshift64*.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn of<'t>(&mut self, items: &[&'t str]) -> &'t str {
        items[self.below(items.len() as u64) as usize]
    }
}

const SEED: u64 = 20_261_125;

/// JSON objects of about 180 bytes, as loggers for Lambda write them. One in ten has the time in milliseconds.
pub fn clean(count: usize) -> Corpus {
    let mut random = Random::new(SEED);
    Corpus::new((0..count).map(|_| json(&mut random)).collect())
}

/// Lines of text, each with its newline, as JSON strings.
pub fn text(count: usize) -> Corpus {
    let mut random = Random::new(SEED);
    let line = |random: &mut Random| {
        format!(
            "{}\t{}\tINFO\t{} in {} ms for customer {} of {}, attempt {} of 5, next in {}s, queue depth {}\n",
            time(random),
            uuid(random),
            sentence(random),
            random.below(900),
            random.below(100_000),
            random.of(SERVICES),
            random.below(5),
            random.below(60),
            random.below(300)
        )
    };
    Corpus::new((0..count).map(|_| quoted(&line(&mut random))).collect())
}

/// The objects of [`clean`] as JSON strings.
pub fn escaped(count: usize) -> Corpus {
    let mut random = Random::new(SEED);
    Corpus::new(
        (0..count)
            .map(|_| quoted(&(json(&mut random) + "\n")))
            .collect(),
    )
}

/// As [`clean`], with something to redact in one line of 20.
pub fn dirty(count: usize) -> Corpus {
    let mut random = Random::new(SEED);
    let line = |at: usize| {
        let line = json(&mut random);
        if at.is_multiple_of(20) {
            line.replace(
                "\"items\"",
                "\"mail\":\"joe@example.com\",\"card\":\"4111 1111 1111 1111\",\"items\"",
            )
        } else {
            line
        }
    };
    Corpus::new((0..count).map(line).collect())
}

fn quoted(line: &str) -> String {
    serde_json::to_string(line).expect("text is JSON")
}

fn json(random: &mut Random) -> String {
    let time = if random.below(10) == 0 {
        (1_700_000_000_000 + random.below(90_000_000_000)).to_string()
    } else {
        format!("\"{}\"", time(random))
    };
    format!(
        r#"{{"timestamp":{time},"level":"{}","message":"{}","requestId":"{}","service":"{}","items":{}}}"#,
        random.of(&["INFO", "INFO", "INFO", "WARN", "DEBUG"]),
        sentence(random),
        uuid(random),
        random.of(SERVICES),
        random.below(40)
    )
}

const SERVICES: &[&str] = &["orders", "billing", "shipping-eu", "catalog_v2", "gateway"];

fn sentence(random: &mut Random) -> String {
    let start = random.of(&["order", "invoice", "parcel", "request", "session", "job"]);
    let middle = random.of(&[
        "shipped to warehouse",
        "accepted by upstream",
        "moved to queue",
        "stored in table",
    ]);
    format!("{start} {} {middle}", random.below(100_000))
}

fn time(random: &mut Random) -> String {
    format!(
        "2026-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        1 + random.below(12),
        1 + random.below(28),
        random.below(24),
        random.below(60),
        random.below(60),
        random.below(1000)
    )
}

fn uuid(random: &mut Random) -> String {
    let (a, b) = (random.next(), random.next());
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        a >> 32,
        a & 0xffff,
        b & 0xfff,
        (b >> 12) & 0xfff,
        b >> 16
    )
}
