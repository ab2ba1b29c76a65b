use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use tapline_core::budget::Budget;

use super::*;
use crate::test_world::{TestWorld, selection};

const FIRST: &str = "{\"id\":\"0123456789abcdef0123456789abcdef-0\",\"time\":\"2026-03-14T09:26:53.589Z\",\
                     \"type\":\"function\",\"record\":\"one\"}\n";
const SECOND: &str = "{\"id\":\"0123456789abcdef0123456789abcdef-1\",\"time\":\"2026-03-14T09:26:53.589Z\",\
                      \"type\":\"function\",\"record\":\"two\"}\n";

/// Takes what the script says, then everything.
#[derive(Clone, Default)]
struct Output {
    script: Rc<RefCell<VecDeque<Result<usize, io::ErrorKind>>>>,
    taken: Rc<RefCell<Vec<u8>>>,
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self
            .script
            .borrow_mut()
            .pop_front()
            .unwrap_or(Ok(bytes.len()))?;
        let count = count.min(bytes.len());
        self.taken.borrow_mut().extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn console(script: &[Result<usize, io::ErrorKind>]) -> (Console, Output) {
    let output = Output::default();
    output.script.borrow_mut().extend(script);
    let mut console = Console::new(None);
    console.output = Some(Box::new(output.clone()));
    (console, output)
}

async fn deliver(console: &mut Console, texts: &[&str], world: &TestWorld) -> Verdict {
    let budget = Budget::new(16 << 20);
    let records = selection(texts);
    console.deliver(&records, world.call(&budget)).await.verdict
}

#[tokio::test]
async fn lines_come_whole_and_in_order_however_little_the_output_takes_at_a_time() {
    let (mut console, output) = console(&[
        Ok(3),
        Err(io::ErrorKind::WouldBlock),
        Err(io::ErrorKind::Interrupted),
        Ok(100),
    ]);
    let verdict = deliver(&mut console, &["one", "two"], &TestWorld::new()).await;
    assert_eq!(verdict, Verdict::Accepted);
    assert_eq!(
        *output.taken.borrow(),
        format!("{FIRST}{SECOND}").as_bytes()
    );
}

#[tokio::test]
async fn a_reader_that_went_away_rejects_and_ends_nothing() {
    let (mut console, _) = console(&[Err(io::ErrorKind::BrokenPipe); 2]);
    for _ in 0..2 {
        let verdict = deliver(&mut console, &["one"], &TestWorld::new()).await;
        assert_eq!(verdict, Verdict::Rejected("closed".into()));
    }
}

#[tokio::test]
async fn a_call_that_was_cut_short_is_repeated_on_a_line_of_its_own() {
    let world = TestWorld::new();
    let (mut console, output) = console(&[Ok(5), Err(io::ErrorKind::WouldBlock)]);
    let budget = Budget::new(16 << 20);
    let records = selection(&["one"]);
    let mut call = console.deliver(&records, world.call(&budget));
    let polled = std::future::poll_fn(|context| {
        std::task::Poll::Ready(call.as_mut().poll(context).is_pending())
    });
    assert!(polled.await);
    drop(call);
    assert_eq!(
        deliver(&mut console, &["one"], &world).await,
        Verdict::Accepted
    );
    let expected = format!("{}\n{FIRST}", &FIRST[..5]);
    assert_eq!(*output.taken.borrow(), expected.as_bytes());
}

#[tokio::test]
async fn a_file_is_added_to_and_belongs_to_its_owner() {
    let path = std::env::temp_dir().join(format!("tapline-console-{}", std::process::id()));
    let _absent = std::fs::remove_file(&path);
    for text in ["one", "one"] {
        let mut console = Console::new(Some(path.clone()));
        let verdict = deliver(&mut console, &[text], &TestWorld::new()).await;
        assert_eq!(verdict, Verdict::Accepted);
    }
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        format!("{FIRST}{FIRST}")
    );
    let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    std::fs::remove_file(&path).unwrap();
}

#[tokio::test]
async fn a_path_that_cannot_be_opened_is_tried_again_and_named_once() {
    let world = TestWorld::new();
    let mut console = Console::new(Some("/nowhere/at/all".into()));
    for _ in 0..3 {
        let verdict = deliver(&mut console, &["one"], &world).await;
        assert!(
            matches!(verdict, Verdict::Retry { ref why, .. } if why == "write"),
            "{verdict:?}"
        );
    }
    let messages = world.messages.borrow();
    assert_eq!(messages.len(), 1);
    assert!(messages[0].contains("`/nowhere/at/all`"), "{messages:?}");
}
