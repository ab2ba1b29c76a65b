//! How often things stand in logs, by a page of them: what the gate goes by when it may choose what to look for.
//!
//! A page that is unlike somebody's logs costs them time and nothing else: whatever is chosen is in every match.

use std::collections::BTreeMap;

use super::window::ByteSet;

/// Bytes of the page.
const PAGE_BYTES: usize = 1024;
const PAGE_WORDS: usize = PAGE_BYTES / 64;

/// Lines as functions and their platform write them: times, ids, numbers, words.
const PAGE: &[u8] = br#"{"timestamp":"2026-11-25T07:57:43.123Z","level":"INFO","message":"order 84213 shipped to warehouse","requestId":"8476a536-e9f4-11e8-9739-2dfe598c3fcd"}
2026-03-14T09:26:53.589Z	1b4e28ba-2fa1-41d2-883f-0016d3cca427	ERROR	Invoke Error	{"errorType":"TimeoutError","errorMessage":"no answer after 3000 ms","stack":["at Socket.onTimeout (/var/task/node_modules/axios/lib/http.js:401:17)"]}
{"level":30,"time":1764057463123,"pid":8,"hostname":"169.254.76.1","traceId":"5759e988bd862e3fe1be46a994272793","span_id":"53995c3f42cd8ad8","items":[12,7,19],"total":1249.90,"service":"catalog_v2","url":"https://api.example.com/v1/orders/1004711?page=2"}
[INFO] 2026-08-02 17:05:09,771 GET /health 200 0.004s python-requests/2.31.0 queue=billing-eu attempt 2 of 5
REPORT RequestId: 6f7a1c52-9d4b-4f0e-8a3c-b2d94e17f605 Duration: 102.45 ms Billed Duration: 103 ms Memory Size: 256 MB Max Memory Used: 91 MB XRAY TraceId: 1-5759e988-bd862e3fe1be46a994272793 Sampled: true and then some more words about what the job did with its input before it ended
"#;

/// Where on the page the byte is one of a set, a bit a byte.
#[derive(Clone, Copy)]
pub struct Places([u64; PAGE_WORDS]);

impl Places {
    /// Nowhere.
    pub const NONE: Places = Places([0; PAGE_WORDS]);

    /// Everywhere.
    pub const ALL: Places = Places([u64::MAX; PAGE_WORDS]);

    /// These and those.
    pub fn unite(&mut self, other: &Places) {
        self.0
            .iter_mut()
            .zip(other.0)
            .for_each(|(mine, theirs)| *mine |= theirs);
    }

    /// Those that are also `back` bytes behind one of the others; `back` is under 64.
    fn follow(&mut self, others: &Places, back: usize) {
        let mut carried = 0;
        for (mine, other) in self.0.iter_mut().zip(others.0) {
            *mine &= other << back | carried;
            carried = other.checked_shr(64 - back as u32).unwrap_or(0);
        }
    }

    fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
}

/// The page, with what was looked up on it.
#[derive(Default)]
pub struct Page {
    known: BTreeMap<ByteSet, Places>,
}

impl Page {
    /// Where the bytes of a set are.
    pub fn places(&mut self, set: &ByteSet) -> Places {
        let find = || {
            let mut places = Places::NONE;
            for (at, byte) in PAGE.iter().take(PAGE_BYTES).enumerate() {
                places.0[at / 64] |= u64::from(set.has(*byte)) << (at % 64);
            }
            places
        };
        *self.known.entry(*set).or_insert_with(find)
    }
}

/// How often places in a row, `stride` bytes apart, all fit. Never nothing: what is not on the page counts by how often
/// each place fits alone.
pub fn rate(row: &[Places], stride: usize) -> f32 {
    let Some((last, before)) = row.split_last() else {
        return 1.0;
    };
    let mut fit = *last;
    let mut chance = share(last);
    for (back, places) in before.iter().rev().enumerate() {
        if places.0 == Places::ALL.0 {
            continue;
        }
        fit.follow(places, (back + 1) * stride);
        chance *= share(places);
    }
    fit.count() as f32 / PAGE_BYTES as f32 + chance
}

fn share(places: &Places) -> f32 {
    (places.count() as f32 / PAGE_BYTES as f32).max(0.25 / PAGE_BYTES as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_full() {
        assert!(PAGE.len() >= PAGE_BYTES, "{}", PAGE.len());
    }
}
