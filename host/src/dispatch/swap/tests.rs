use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::config::{Config, Request};
use crate::dispatch::{Order, Phase, Refused, SinkHandle, Standing, spawn};
use crate::guest::bindings::events::{self, Event};
use crate::guest::sink::Sink;
use crate::journal::{BEYOND, Draft, Head, Intake, Journal, SqliteJournal};
use crate::topic::Topics;
use crate::watch::testing::{failed, session, session_end};

/// A guard against hanging.
const DEADLINE: Duration = Duration::from_secs(30);

/// A run with the sink `publish`, whose endpoint nobody listens at.
struct Bench {
    _folder: tempfile::TempDir,
    journal: Arc<SqliteJournal>,
    head: watch::Sender<Head>,
    sink: SinkHandle,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let journal = SqliteJournal::open(&folder.path().join("journal.db")).unwrap();
        let journal = Arc::new(journal);
        let sink = publish("1");
        journal.register(&sink.spec).unwrap();
        let (head, followed) = watch::channel(Head::default());
        let shared: Arc<dyn Journal> = journal.clone();
        let sink = spawn(sink, shared, followed, Topics::off()).unwrap();
        Self {
            _folder: folder,
            journal,
            head,
            sink,
        }
    }

    fn append(&self, events: Vec<Event>, closed: bool) {
        let draft = |event| Draft {
            time: 1.0,
            worker: None,
            event,
        };
        let intake = Intake {
            drafts: events.into_iter().map(draft).collect(),
            closed,
            ..Intake::default()
        };
        self.head
            .send_replace(self.journal.append(&intake).unwrap());
    }

    async fn until(&mut self, is: impl FnMut(&Standing) -> bool) {
        let waited = tokio::time::timeout(DEADLINE, self.sink.standing.wait_for(is)).await;
        waited.unwrap().unwrap();
    }

    /// A result that is refused, and waits to be tried again.
    async fn back_off(&mut self) {
        self.append(vec![session(None), result()], false);
        self.until(|standing| standing.phase == Phase::BackingOff)
            .await;
    }

    async fn give(&self, order: Order) -> Result<(), Refused> {
        let given = tokio::time::timeout(DEADLINE, self.sink.orders.give(order));
        given.await.unwrap()
    }

    /// The port that the journal has for whoever delivers later.
    fn port(&self) -> String {
        let spec = self.journal.sinks().unwrap().remove(0);
        let url = spec.settings["url"].value.as_str().unwrap().to_owned();
        url.rsplit(':').next().unwrap().to_owned()
    }
}

fn result() -> Event {
    failed("t.py::test", events::Phase::Call, "E", "m")
}

fn publish(port: &str) -> Sink {
    let config = Config::load(Path::new("/"), []).unwrap();
    let request = Request {
        sinks: Some(vec!["publish".into()]),
        set: vec![format!("publish.url=http://127.0.0.1:{port}")],
        ..Request::default()
    };
    let spec = config.select(&request).unwrap().remove(0);
    // It has a runtime of its own.
    let loading = std::thread::spawn(move || Sink::load(spec, &[]).unwrap());
    loading.join().unwrap()
}

fn swap(sink: Sink) -> Order {
    Order::Swap(Box::new(sink))
}

#[tokio::test]
async fn a_sink_that_backs_off_is_swapped_and_keeps_what_waits() {
    let mut bench = Bench::new();
    bench.back_off().await;
    let before = bench.journal.standing("publish").unwrap();
    assert_eq!(before.pending.len(), 1);
    assert_eq!(bench.give(swap(publish("2"))).await, Ok(()));
    assert_eq!(bench.port(), "2");
    // It is tried at once, whenever it was due.
    bench
        .until(|standing| standing.phase == Phase::BackingOff)
        .await;
    let after = bench.journal.standing("publish").unwrap();
    assert_eq!(
        (after.cursor, after.delivered),
        (before.cursor, before.delivered)
    );
    assert!(after.pending[0].attempts > before.pending[0].attempts);
    let report = bench.sink.standing.borrow().report(*bench.head.borrow());
    assert_eq!((report.swapped, report.left), (1, 1));
}

#[tokio::test]
async fn one_that_does_not_open_leaves_everything_as_it_was() {
    let mut bench = Bench::new();
    bench.back_off().await;
    let mut bad = publish("2");
    let url = bad.spec.settings.get_mut("url").unwrap();
    url.value = "ftp://nowhere".into();
    let Err(Refused::Bad(why)) = bench.give(swap(bad)).await else {
        panic!("it was taken");
    };
    assert!(why.starts_with("cannot be opened: "), "{why}");
    assert_eq!(bench.port(), "1");
    let report = bench.sink.standing.borrow().report(*bench.head.borrow());
    assert_eq!((report.swapped, report.left), (0, 1));
    assert_eq!(bench.give(swap(publish("3"))).await, Ok(()));
    assert_eq!(bench.port(), "3");
}

#[tokio::test]
async fn the_same_once_more_is_no_swap() {
    let mut bench = Bench::new();
    bench.back_off().await;
    assert_eq!(bench.give(swap(publish("1"))).await, Ok(()));
    let report = bench.sink.standing.borrow().report(*bench.head.borrow());
    assert_eq!(report.swapped, 0);
}

#[tokio::test]
async fn an_order_that_comes_before_the_session_waits_for_it() {
    let bench = Bench::new();
    let given = bench.give(swap(publish("2")));
    let session = async {
        tokio::task::yield_now().await;
        bench.append(vec![session(None)], false);
    };
    let (given, ()) = tokio::join!(given, session);
    assert_eq!(given, Ok(()));
    assert_eq!(bench.port(), "2");
}

#[tokio::test]
async fn one_that_is_done_or_left_is_not_swapped() {
    let mut bench = Bench::new();
    bench.append(vec![session(None), session_end(0)], true);
    bench.until(|standing| standing.phase == Phase::Done).await;
    assert_eq!(bench.give(swap(publish("2"))).await, Err(Refused::Over));
    assert_eq!(bench.port(), "1");

    let mut bench = Bench::new();
    bench.back_off().await;
    bench.sink.stop();
    assert_eq!(bench.give(swap(publish("2"))).await, Err(Refused::Over));
}

#[tokio::test]
async fn what_waits_for_one_that_is_removed_is_set_aside() {
    let mut bench = Bench::new();
    bench.back_off().await;
    assert_eq!(bench.give(Order::Remove).await, Ok(()));
    bench.until(|standing| standing.phase == Phase::Done).await;
    bench.append(vec![result(), result()], false);
    let known = bench.journal.standing("publish").unwrap();
    assert!(known.closed && known.pending.is_empty());
    assert_eq!(known.cursor, BEYOND);
    let letters = bench.journal.dead_letters("publish").unwrap();
    assert_eq!(letters.len(), 1);
    assert!(
        letters[0]
            .why
            .starts_with("its sink was removed while it waited: "),
        "{}",
        letters[0].why
    );
    let report = bench.sink.standing.borrow().report(*bench.head.borrow());
    assert_eq!(
        (report.removed, report.left, report.set_aside),
        (true, 0, 1)
    );
    assert_eq!(bench.give(Order::Remove).await, Err(Refused::Over));

    // Made known again, it has missed what came since.
    bench.journal.register(&bench.sink.sink.spec).unwrap();
    let known = bench.journal.standing("publish").unwrap();
    assert_eq!((known.closed, known.cursor), (false, 2));
}
