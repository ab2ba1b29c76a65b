//! Bounds the records of each key in a time, and remembers what it suppressed until that is summed up.
//!
//! The generic cell rate algorithm: of each key only the moment is kept at which its allowance will be whole again, and a
//! record is let through where that moment is no further away than the allowance is wide. Time is running time: what
//! passes in the freezer gives nothing back.

use std::sync::Arc;
use std::time::Duration;

use tapline_core::batch::{Batch, Fate, Origin, Record, Slice};
use tapline_core::body::Body;
use tapline_core::expr::Subject;
use tapline_core::json;
use tapline_core::ledger::add;
use tapline_core::level::Level;
use tapline_core::time;
use tapline_core::transform::Context;
use tapline_core::view::View;
use tapline_core::world::Instant;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::key::SEED;

/// Keys in one set of the table: a key has its place in one set only.
const WAYS: usize = 4;

/// Sets of the table: 1,024 keys in all, 24 KiB.
const SETS: usize = 256;
const _: () = assert!(SETS.is_power_of_two());

/// Keys of which a summary says each on its own; the rest is summed up in one record.
const KEYS_MAX: usize = 32;

/// Longest text of a key in a summary, in bytes.
const KEY_BYTES_MAX: usize = 256;

/// Longest time after which what was suppressed is summed up. An end of an invocation does so too.
const WINDOW: Duration = Duration::from_secs(10);

/// A bound as the file writes it: `500/s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    /// Records.
    pub count: u32,
    /// In this time.
    pub per: Duration,
}

/// Most records of a [`Rate`].
pub(super) const RATE_COUNT_MAX: u32 = 1_000_000;

impl Rate {
    /// Reads `500/s`, `20/m` or `100/h`: 1 to [`RATE_COUNT_MAX`] in a second, a minute or an hour.
    pub fn parse(text: &str) -> Option<Rate> {
        let (count, unit) = text.split_once('/')?;
        let per = match unit {
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3_600),
            _ => return None,
        };
        let digits =
            (1..=7).contains(&count.len()) && count.bytes().all(|byte| byte.is_ascii_digit());
        let count = count.parse().ok().filter(|_| digits)?;
        let allowed = (1..=RATE_COUNT_MAX).contains(&count);
        allowed.then_some(Rate { count, per })
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    /// Hash of the key; 0 where the place is free.
    key: u64,
    /// Running time, in nanoseconds, at which the allowance is whole again.
    whole_at: u64,
    /// Turn of the last look at it.
    used: u64,
}

/// The keys of which something is known, in sets of four; the longest unused of a set makes room.
struct Table {
    sets: Box<[[Entry; WAYS]]>,
    turn: u64,
    /// What one record takes from the allowance, in nanoseconds.
    interval: u64,
    /// The allowance without one record, in nanoseconds.
    width: u64,
}

/// What became of a record at the table.
#[derive(Debug, PartialEq, Eq)]
struct Admission {
    admitted: bool,
    /// A key whose allowance was not whole had to be forgotten.
    evicted: bool,
}

impl Table {
    fn new(rate: Rate) -> Table {
        let per = u64::try_from(rate.per.as_nanos()).unwrap_or(u64::MAX);
        let interval = per / u64::from(rate.count);
        Table {
            sets: vec![[Entry::default(); WAYS]; SETS].into(),
            turn: 0,
            interval,
            width: interval * u64::from(rate.count - 1),
        }
    }

    fn admit(&mut self, key: u64, at: Instant) -> Admission {
        self.turn += 1;
        let set = &mut self.sets[key as usize % SETS];
        let (mut place, mut evicted) = (set.iter().position(|entry| entry.key == key), false);
        if place.is_none() {
            // Of a key whose allowance is whole there is nothing to remember.
            let idle = set.iter().position(|entry| entry.whole_at <= at.0);
            let oldest = (0..WAYS).min_by_key(|way| set[*way].used);
            evicted = idle.is_none();
            place = idle.or(oldest);
            if let Some(place) = place {
                set[place] = Entry {
                    key,
                    ..Entry::default()
                };
            }
        }
        let entry = &mut set[place.unwrap_or(0)];
        entry.used = self.turn;
        let whole_at = entry.whole_at.max(at.0);
        let admitted = whole_at - at.0 <= self.width;
        if admitted {
            entry.whole_at = whole_at + self.interval;
        }
        Admission { admitted, evicted }
    }
}

/// What was suppressed of one key in this window.
struct Suppressed {
    hash: u64,
    /// The key's text, as far as [`KEY_BYTES_MAX`].
    key: Vec<u8>,
    count: u64,
    first_ms: i64,
    last_ms: i64,
}

/// A `limit`.
pub(super) struct Limit {
    by: Subject,
    /// As the file writes them.
    by_text: String,
    rate_text: String,
    table: Table,
    suppressed: Vec<Suppressed>,
    since: Option<Instant>,
    text: Vec<u8>,
    /// Summaries that were made, since the start.
    pub made: u64,
}

impl Limit {
    pub fn new(rate: Rate, rate_text: &str, by: Subject, by_text: &str) -> Limit {
        Limit {
            by,
            by_text: by_text.to_owned(),
            rate_text: rate_text.to_owned(),
            table: Table::new(rate),
            suppressed: Vec::new(),
            since: None,
            text: Vec::new(),
            made: 0,
        }
    }

    /// Whether a record that came at `at` goes on. A record without the key does, and is counted.
    pub fn admits(&mut self, view: &View<'_>, at: Instant, context: &Context<'_>) -> bool {
        self.text.clear();
        if !view.write(&self.by, &mut self.text) {
            add(&context.ledger.sample_key_missing, 1);
            return true;
        }
        // 0 is a free place.
        let hash = xxh3_64_with_seed(&self.text, SEED).max(1);
        let admission = self.table.admit(hash, at);
        add(&context.ledger.limit_evicted, u64::from(admission.evicted));
        if !admission.admitted {
            self.note(hash, context);
        }
        admission.admitted
    }

    fn note(&mut self, hash: u64, context: &Context<'_>) {
        self.since.get_or_insert(context.world.now());
        let now_ms = context.world.wall_ms();
        let known = self.suppressed.iter().position(|known| known.hash == hash);
        let place = match known {
            Some(place) => place,
            // The last place takes together what has none of its own.
            None if self.suppressed.len() > KEYS_MAX => KEYS_MAX,
            None => {
                let own = self.suppressed.len() < KEYS_MAX;
                let key = if own { shortened(&self.text) } else { &[] };
                self.suppressed.push(Suppressed {
                    hash: if own { hash } else { 0 },
                    key: key.to_vec(),
                    count: 0,
                    first_ms: now_ms,
                    last_ms: now_ms,
                });
                self.suppressed.len() - 1
            }
        };
        let entry = &mut self.suppressed[place];
        entry.count += 1;
        entry.last_ms = now_ms;
    }

    /// When what was suppressed is to be summed up at the latest.
    pub fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + WINDOW)
    }

    /// Sums up what was suppressed since the last time: a record of type `tapline.summary` for each key.
    pub fn sum_up(&mut self, context: &Context<'_>, output: &mut Vec<Batch>) {
        if self.since.take().is_none() {
            return;
        }
        let now_ms = context.world.wall_ms();
        let mut bytes = Vec::new();
        time::write_rfc3339(now_ms, &mut bytes);
        let time = Slice::of_body(0..bytes.len());
        bytes.extend_from_slice(b"tapline.summary");
        let kind = Slice::of_body(time.len()..bytes.len());
        let mut records = Vec::with_capacity(self.suppressed.len());
        for suppressed in &self.suppressed {
            let start = bytes.len();
            self.write(suppressed, &mut bytes);
            let mut record = Record::lost(Fate::Live);
            record.sequence = context.identity.next();
            record.origin = Origin::Tapline;
            record.level = Some(Level::Warn);
            (record.time, record.kind) = (time, kind);
            record.value = Slice::of_body(start..bytes.len());
            records.push(record);
        }
        self.suppressed.clear();
        let (body, _) = Body::new(bytes, context.budget.charge_over(0));
        let mut batch = Batch::new(Arc::new(body), context.identity.instance.get(), now_ms);
        self.made += records.len() as u64;
        records.into_iter().for_each(|record| batch.push(record));
        output.push(batch);
    }

    /// `{"suppressed":12,"rate":"500/s","by":"message","key":"retrying","first":"…","last":"…"}`; without a key it
    /// stands for many.
    fn write(&self, suppressed: &Suppressed, out: &mut Vec<u8>) {
        out.extend_from_slice(
            format!("{{\"suppressed\":{},\"rate\":", suppressed.count).as_bytes(),
        );
        json::quote_into(self.rate_text.as_bytes(), out);
        out.extend_from_slice(b",\"by\":");
        json::quote_into(self.by_text.as_bytes(), out);
        if !suppressed.key.is_empty() {
            out.extend_from_slice(b",\"key\":");
            json::quote_into(&suppressed.key, out);
        }
        for (name, ms) in [("first", suppressed.first_ms), ("last", suppressed.last_ms)] {
            out.extend_from_slice(format!(",\"{name}\":\"").as_bytes());
            time::write_rfc3339(ms, out);
            out.push(b'"');
        }
        out.push(b'}');
    }
}

/// The beginning of a text, cut between characters.
fn shortened(text: &[u8]) -> &[u8] {
    let mut end = text.len().min(KEY_BYTES_MAX);
    while end < text.len() && text[end] & 0xC0 == 0x80 {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn a_rate_has_a_number_and_a_unit() {
        let rate = |text| Rate::parse(text).map(|rate| (rate.count, rate.per.as_secs()));
        assert_eq!(rate("500/s"), Some((500, 1)));
        assert_eq!(rate("1/m"), Some((1, 60)));
        assert_eq!(
            rate("1000000/h"),
            Some((RATE_COUNT_MAX, 3_600)),
            "just under"
        );
        for wrong in [
            "1000001/s",
            "0/s",
            "500",
            "/s",
            "500/",
            "5/d",
            "-1/s",
            "+1/s",
            "1.5/s",
            "1 /s",
            "٣/s",
            "5/s/s",
            "",
        ] {
            assert_eq!(rate(wrong), None, "{wrong}");
        }
    }

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_full_allowance_is_let_through_at_once_and_then_the_rate() {
        let mut table = Table::new(Rate::parse("10/s").unwrap());
        let mut at = |ns| table.admit(7, Instant(ns)).admitted;
        assert_eq!((0..20).filter(|_| at(SECOND)).count(), 10);
        assert!(!at(SECOND + SECOND / 10 - 1), "just under");
        assert!(at(SECOND + SECOND / 10));
        assert!(!at(SECOND + SECOND / 10));
        let over_a_minute = (0..60_000)
            .filter(|ms| at(2 * SECOND + ms * SECOND / 1_000))
            .count();
        assert!((600..=610).contains(&over_a_minute), "{over_a_minute}");
    }

    /// However keys and times fall: of each key that was not forgotten meanwhile no more goes through in any time than
    /// one allowance and what the rate gives back, and nothing is suppressed that a bucket of tokens would let through.
    #[test]
    fn the_table_agrees_with_buckets_of_tokens() {
        for seed in 0..20 {
            let mut random = fastrand(seed);
            let count = [1, 3, 10, 250][seed as usize % 4];
            let mut table = Table::new(Rate {
                count,
                per: Duration::from_secs(1),
            });
            let mut buckets: HashMap<u64, (f64, u64)> = HashMap::new();
            let mut now = 0;
            for _ in 0..5_000 {
                now += random() % (SECOND / 50);
                // 40 keys in 40 sets: none is evicted.
                let key = 1 + random() % 40;
                let full = f64::from(count);
                let (tokens, last) = buckets.entry(key).or_insert((full, now));
                *tokens = (*tokens + (now - *last) as f64 * full / SECOND as f64).min(full);
                *last = now;
                let admission = table.admit(key, Instant(now));
                assert!(!admission.evicted);
                // Where the bucket is nearly whole tokens, rounding decides.
                if (*tokens - 1.0).abs() > 1e-3 {
                    assert_eq!(admission.admitted, *tokens >= 1.0, "seed {seed}: {tokens}");
                }
                if admission.admitted {
                    *tokens -= 1.0;
                }
            }
        }
    }

    fn fastrand(seed: u64) -> impl FnMut() -> u64 {
        let mut turn = 0_u64;
        move || {
            turn += 1;
            xxh3_64_with_seed(&turn.to_le_bytes(), seed)
        }
    }

    /// Five keys in one set of four places.
    #[test]
    fn the_longest_unused_key_makes_room_and_that_is_seen() {
        let mut table = Table::new(Rate::parse("1/s").unwrap());
        let key = |n: u64| n * SETS as u64 + 5;
        for n in 1..=4 {
            assert_eq!(
                table.admit(key(n), Instant(n)),
                Admission {
                    admitted: true,
                    evicted: false
                }
            );
        }
        assert!(
            !table.admit(key(1), Instant(5)).admitted,
            "used again, so 2 is the oldest"
        );
        assert!(table.admit(key(5), Instant(6)).evicted);
        assert!(!table.admit(key(1), Instant(7)).admitted, "still known");
        let back = table.admit(key(2), Instant(8));
        assert!(back.admitted && back.evicted, "it was forgotten");
        let later = table.admit(key(9), Instant(3 * SECOND));
        assert!(
            !later.evicted,
            "an allowance that is whole again needs no memory"
        );
    }
}
