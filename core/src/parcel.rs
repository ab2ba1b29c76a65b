//! Joins small parcels, so that a queue is full when its bytes are, and not when many invocations left a line each.

use std::sync::Arc;

use crate::sink::Parcel;

/// A parcel of more bytes is left as it is.
const SMALL_BYTES_MAX: usize = 16 << 10;

/// Parcels are joined up to this many bytes. Then they are small no more, and are never copied again.
const JOINED_BYTES_MAX: usize = 64 << 10;

const _: () = assert!(SMALL_BYTES_MAX * 2 < JOINED_BYTES_MAX);

/// The same records in the same order in fewer parcels, where small ones stand side by side. All are of one lane.
pub(crate) fn join_small(parcels: Vec<Parcel>) -> Vec<Parcel> {
    let mut joined = Vec::new();
    let (mut run, mut bytes): (Vec<Parcel>, usize) = (Vec::new(), 0);
    for parcel in parcels {
        let same_life = run
            .first()
            .is_none_or(|first| first.batch.instance() == parcel.batch.instance());
        let fits = parcel.weight <= SMALL_BYTES_MAX && bytes + parcel.weight <= JOINED_BYTES_MAX;
        if !(same_life && fits) {
            joined.extend(join(std::mem::take(&mut run), std::mem::take(&mut bytes)));
        }
        if parcel.weight > SMALL_BYTES_MAX {
            joined.push(parcel);
        } else {
            bytes += parcel.weight;
            run.push(parcel);
        }
    }
    joined.extend(join(run, bytes));
    joined
}

/// One parcel in place of several.
fn join(mut run: Vec<Parcel>, weight: usize) -> Option<Parcel> {
    if run.len() < 2 {
        return run.pop();
    }
    let first = run.first()?;
    let chosen = run.iter().flat_map(|parcel| {
        let positions = parcel.chosen.iter();
        positions.map(|position| (&*parcel.batch, *position as usize))
    });
    let batch = first.batch.gather(chosen);
    Some(Parcel {
        chosen: (0..batch.records().len() as u32).collect(),
        lane: first.lane,
        weight,
        batch: Arc::new(batch),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Lane;
    use crate::test_util;

    fn parcel(texts: &[&str], chosen: &[u32], life: u8) -> Parcel {
        let mut batch = test_util::batch(texts);
        batch.set_instance([life; 32]);
        let weight = chosen
            .iter()
            .map(|at| batch.weight(&batch.records()[*at as usize]))
            .sum();
        Parcel {
            batch: Arc::new(batch),
            chosen: chosen.into(),
            lane: Lane::Middle,
            weight,
        }
    }

    fn texts(parcels: &[Parcel]) -> Vec<Vec<u8>> {
        let records = parcels.iter().flat_map(|parcel| {
            let positions = parcel.chosen.iter();
            positions.map(|at| (&parcel.batch, &parcel.batch.records()[*at as usize]))
        });
        records
            .map(|(batch, record)| batch.bytes(record.value).to_vec())
            .collect()
    }

    #[test]
    fn small_parcels_become_few_and_keep_every_record_in_its_place() {
        let large = "x".repeat(SMALL_BYTES_MAX + 1);
        let parcels = vec![
            parcel(&["a", "b", "c"], &[0, 2], b'1'),
            parcel(&["d"], &[0], b'1'),
            parcel(&[&large], &[0], b'1'),
            parcel(&["e"], &[0], b'1'),
            parcel(&["f"], &[0], b'2'),
            parcel(&["g"], &[0], b'2'),
        ];
        let (before, weight): (_, usize) =
            (texts(&parcels), parcels.iter().map(|p| p.weight).sum());
        let joined = join_small(parcels);
        assert_eq!(texts(&joined), before);
        assert_eq!(joined.len(), 4, "a c d, the large one, e, f g");
        assert_eq!(joined.iter().map(|p| p.weight).sum::<usize>(), weight);
        assert_eq!(joined[3].batch.instance(), &[b'2'; 32], "ids stay");
    }

    #[test]
    fn what_was_joined_is_bounded_and_not_copied_again() {
        let text = "y".repeat(SMALL_BYTES_MAX / 2);
        let parcels: Vec<_> = (0..20).map(|_| parcel(&[&text], &[0], b'1')).collect();
        let joined = join_small(parcels);
        assert!(joined.len() >= 20 / 8, "{}", joined.len());
        assert!(
            joined
                .iter()
                .all(|parcel| parcel.weight <= JOINED_BYTES_MAX)
        );
        let batches: Vec<_> = joined.iter().map(|p| p.batch.clone()).collect();
        let again = join_small(joined);
        let large = |at: &usize| batches[*at].records().len() > 2;
        assert!((0..batches.len()).filter(large).all(|at| {
            again
                .iter()
                .any(|parcel| Arc::ptr_eq(&parcel.batch, &batches[at]))
        }));
    }
}
