//! Several futures at once, on the one thread that there is.

use std::task::Poll;

use tapline_core::world::Boxed;

/// Polls all until all have ended; gives what they gave, in their order.
pub(super) async fn join_all<T>(futures: Vec<Boxed<'_, T>>) -> Vec<T> {
    let mut running: Vec<(Option<Boxed<'_, T>>, Option<T>)> = futures
        .into_iter()
        .map(|future| (Some(future), None))
        .collect();
    std::future::poll_fn(|context| {
        for (future, value) in &mut running {
            if let Some(polled) = future
                && let Poll::Ready(ready) = polled.as_mut().poll(context)
            {
                (*future, *value) = (None, Some(ready));
            }
        }
        if running.iter().all(|(future, _)| future.is_none()) {
            return Poll::Ready(());
        }
        Poll::Pending
    })
    .await;
    running.into_iter().filter_map(|(_, value)| value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_run_at_once_and_answers_keep_their_order() {
        let start = tokio::time::Instant::now();
        let futures = [30u64, 10, 20].map(|ms| -> Boxed<'_, u64> {
            Box::pin(async move {
                tokio::time::sleep(std::time::Duration::from_millis(ms)).await;
                ms
            })
        });
        assert_eq!(join_all(futures.into()).await, [30, 10, 20]);
        assert!(start.elapsed().as_millis() < 55, "not one after the other");
        assert!(join_all(Vec::<Boxed<'_, ()>>::new()).await.is_empty());
    }
}
