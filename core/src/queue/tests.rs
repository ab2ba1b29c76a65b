//! The queue against a `VecDeque` oracle, and its waker under every interleaving (`cargo loom`).
//!
//! Does not prove: speed, or more than one waiting consumer.

use super::*;

#[cfg(not(loom))]
mod oracle {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    const SLOTS: usize = 4;
    const WEIGHT_MAX: usize = 20;

    #[derive(Debug, Default)]
    struct Oracle {
        lanes: [VecDeque<(usize, u32)>; 3],
    }

    impl Oracle {
        fn weight(&self) -> usize {
            self.lanes.iter().flatten().map(|(weight, _)| weight).sum()
        }

        fn take(&mut self, lane: usize) -> Option<u32> {
            self.lanes[lane].pop_front().map(|(_, value)| value)
        }

        fn push(&mut self, lane: usize, weight: usize, value: u32, overflow: Overflow) -> Vec<u32> {
            let mut lost = Vec::new();
            let candidates: Vec<usize> = match overflow {
                Overflow::DropNewest => vec![],
                Overflow::DropLowest => (0..=lane).collect(),
                Overflow::DropOldest => std::iter::once(lane).chain(0..3).collect(),
            };
            let stays: usize = match overflow {
                Overflow::DropNewest => self.weight(),
                Overflow::DropOldest => 0,
                Overflow::DropLowest => self.lanes[lane + 1..]
                    .iter()
                    .flatten()
                    .map(|(weight, _)| weight)
                    .sum(),
            };
            if stays > 0 && stays + weight > WEIGHT_MAX {
                return vec![value];
            }
            while self.weight() > 0 && self.weight() + weight > WEIGHT_MAX {
                match candidates.iter().find_map(|lane| self.take(*lane)) {
                    Some(evicted) => lost.push(evicted),
                    None => return [lost, vec![value]].concat(),
                }
            }
            if self.lanes[lane].len() == SLOTS {
                match overflow {
                    Overflow::DropNewest => return [lost, vec![value]].concat(),
                    _ => lost.extend(self.take(lane)),
                }
            }
            self.lanes[lane].push_back((weight, value));
            lost
        }
    }

    proptest! {
        /// Any order of pushes and pops gives the same values, losses and weight as three bounded `VecDeque`s.
        #[test]
        fn equals_three_bounded_deques(steps in prop::collection::vec((0usize..5, 0usize..12, 0u8..3), 1..80)) {
            let queue = Queue::new(SLOTS, WEIGHT_MAX);
            let mut oracle = Oracle::default();
            for (number, (kind, weight, policy)) in steps.into_iter().enumerate() {
                let overflow = [Overflow::DropNewest, Overflow::DropOldest, Overflow::DropLowest][policy as usize];
                match kind {
                    3 => prop_assert_eq!(queue.pop(), (0..3).rev().find_map(|lane| oracle.take(lane))),
                    4 => prop_assert_eq!(queue.evict_lowest(), (0..3).find_map(|lane| oracle.take(lane))),
                    lane => prop_assert_eq!(
                        queue.push(Lane::ALL[lane], weight, number as u32, overflow),
                        oracle.push(lane, weight, number as u32, overflow)
                    ),
                }
                prop_assert_eq!(queue.weight(), oracle.weight());
                prop_assert_eq!(queue.is_empty(), oracle.lanes.iter().all(VecDeque::is_empty));
            }
        }
    }

    #[test]
    fn the_lowest_lane_goes_first_and_errors_last() {
        let queue = Queue::new(8, 30);
        assert!(
            queue
                .push(Lane::Low, 10, "low", Overflow::DropLowest)
                .is_empty()
        );
        assert!(
            queue
                .push(Lane::High, 10, "high", Overflow::DropLowest)
                .is_empty()
        );
        assert!(
            queue
                .push(Lane::Middle, 10, "middle", Overflow::DropLowest)
                .is_empty()
        );
        assert_eq!(
            queue.push(Lane::High, 10, "error", Overflow::DropLowest),
            ["low"]
        );
        assert_eq!(
            queue.push(Lane::Low, 10, "late", Overflow::DropLowest),
            ["late"]
        );
        assert_eq!(
            (queue.pop(), queue.pop(), queue.pop()),
            (Some("high"), Some("error"), Some("middle"))
        );
    }

    #[test]
    fn a_value_heavier_than_the_bound_is_taken_alone() {
        let queue = Queue::new(8, 10);
        assert!(
            queue
                .push(Lane::Low, 11, 1, Overflow::DropLowest)
                .is_empty()
        );
        assert_eq!(queue.push(Lane::Low, 11, 2, Overflow::DropNewest), [2]);
    }
}

/// A consumer that waits is woken by a push, whatever the interleaving; nothing is lost and the weight ends at zero.
#[cfg(loom)]
#[test]
fn loom_no_wake_up_is_lost() {
    use loom::future::block_on;
    use std::sync::Arc;
    loom::model(|| {
        let queue = Arc::new(Queue::new(2, 100));
        let producer = {
            let queue = queue.clone();
            loom::thread::spawn(move || {
                assert!(
                    queue
                        .push(Lane::Middle, 3, 1, Overflow::DropLowest)
                        .is_empty()
                );
            })
        };
        block_on(queue.ready());
        assert_eq!(queue.pop(), Some(1));
        producer.join().unwrap();
        assert_eq!(queue.weight(), 0);
    });
}

/// A producer that evicts races with the consumer: each value comes out exactly once, and the weight adds up.
#[cfg(loom)]
#[test]
fn loom_eviction_and_pop_share_each_value_once() {
    use std::sync::Arc;
    loom::model(|| {
        let queue = Arc::new(Queue::new(1, 100));
        assert!(queue.push(Lane::Low, 1, 1, Overflow::DropLowest).is_empty());
        let producer = {
            let queue = queue.clone();
            loom::thread::spawn(move || queue.push(Lane::Low, 1, 2, Overflow::DropLowest))
        };
        let mut seen: Vec<i32> = queue.pop().into_iter().collect();
        seen.extend(producer.join().unwrap());
        seen.extend(queue.pop());
        seen.sort_unstable();
        assert_eq!(seen, [1, 2]);
        assert_eq!(queue.weight(), 0);
    });
}
