//! "Did you mean": the known word nearest to one that is not known.

/// Longest word, in bytes, that gets a suggestion. A longer one is no typing error.
const WORD_BYTES_MAX: usize = 64;

/// The candidate that a mistyped word most likely stands for, if one is near enough.
///
/// Near enough is one slip in a word of up to five letters and one more for every three letters after that, where a
/// slip is a letter too many, too few, wrong, or swapped with its neighbour. Case does not count. Of equally near
/// candidates the first wins. Costs at most 64 × 64 steps a candidate: for loading, not for records.
///
/// ```
/// use tapline_core::suggest::closest;
/// assert_eq!(closest("inof", &["debug", "info"]), Some("info"));
/// assert_eq!(closest("banana", &["debug", "info"]), None);
/// ```
pub fn closest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    if word.is_empty() || word.len() > WORD_BYTES_MAX {
        return None;
    }
    let slips_max = (word.len() / 3).max(1);
    let mut best: Option<(usize, &'a str)> = None;
    for &candidate in candidates {
        if candidate.len().abs_diff(word.len()) > slips_max {
            continue;
        }
        let slips = distance(word.as_bytes(), candidate.as_bytes());
        if slips <= slips_max && best.is_none_or(|(least, _)| slips < least) {
            best = Some((slips, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// The optimal string alignment distance: Levenshtein's, with a swap of neighbours counted as one.
fn distance(left: &[u8], right: &[u8]) -> usize {
    let width = right.len() + 1;
    let mut older = vec![0; width];
    let mut previous: Vec<usize> = (0..width).collect();
    let mut current = vec![0; width];
    for row in 1..=left.len() {
        current[0] = row;
        for column in 1..width {
            let same = left[row - 1].eq_ignore_ascii_case(&right[column - 1]);
            let mut least = (previous[column] + 1)
                .min(current[column - 1] + 1)
                .min(previous[column - 1] + usize::from(!same));
            let swapped = row > 1
                && column > 1
                && left[row - 1].eq_ignore_ascii_case(&right[column - 2])
                && left[row - 2].eq_ignore_ascii_case(&right[column - 1]);
            if swapped {
                least = least.min(older[column - 2] + 1);
            }
            current[column] = least;
        }
        std::mem::swap(&mut older, &mut previous);
        std::mem::swap(&mut previous, &mut current);
    }
    previous[width - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The classes of slips, one each; the nearest candidate must come out.
    #[test]
    fn a_slip_of_any_class_finds_its_word() {
        let words = ["type", "time", "level", "request_id", "contains", "info"];
        for (typed, meant) in [
            ("inof", "info"),
            ("levl", "level"),
            ("levvel", "level"),
            ("lebel", "level"),
            ("LEVEL", "level"),
            ("request-id", "request_id"),
            ("reqest_id", "request_id"),
            ("contain", "contains"),
        ] {
            assert_eq!(closest(typed, &words), Some(meant), "{typed}");
        }
    }

    /// Words that share nothing with a candidate; a wrong suggestion is worse than none.
    #[test]
    fn a_far_word_gets_no_suggestion() {
        let words = ["type", "level"];
        for typed in ["", "id", "banana", &"l".repeat(65)] {
            assert_eq!(closest(typed, &words), None, "{typed}");
        }
        assert_eq!(closest("level", &[]), None);
    }

    #[test]
    fn distance_counts_slips() {
        for (left, right, slips) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("ab", "ba", 1),
        ] {
            assert_eq!(
                distance(left.as_bytes(), right.as_bytes()),
                slips,
                "{left} {right}"
            );
        }
    }
}
