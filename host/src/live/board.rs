//! A topic of the host's, and the state that its messages change.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::{LINGER, NotThere};
use crate::topic::{Start, Subscription, Topics};

/// How long somebody waits for the first state.
const PATIENCE: Duration = Duration::from_secs(30);

/// Writes a state down.
pub type Render = Arc<dyn Fn() -> String + Send + Sync>;

/// Where a subscriber wants to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The first number that it has not seen.
    pub from: u64,
    /// What the numbers belong to that it has seen; without it they are believed.
    pub epoch: Option<String>,
}

/// What a subscriber begins with.
#[derive(Debug)]
pub struct Joined {
    pub subscription: Subscription,
    /// The state, unless it goes on from where it was; none on a guest's topic.
    pub snapshot: Option<Arc<str>>,
    /// It goes on from where it wanted to.
    pub resumed: bool,
    /// It wanted to, and what was in between is not to be had.
    pub gap: bool,
}

impl Joined {
    /// On a topic without a state.
    #[must_use]
    pub fn to_guests(mut subscription: Subscription, resume: Option<&Resume>) -> Self {
        let other = is_of_another(&subscription, resume);
        if other {
            // All that there is was never seen.
            let first = subscription.first_seq();
            subscription.skip_to(first.saturating_sub(1));
        }
        let gap = resume.is_some() && (other || subscription.missed() > 0);
        Self {
            resumed: resume.is_some() && !gap,
            gap,
            subscription,
            snapshot: None,
        }
    }
}

fn is_of_another(subscription: &Subscription, resume: Option<&Resume>) -> bool {
    let epoch = resume.and_then(|resume| resume.epoch.as_deref());
    epoch.is_some_and(|epoch| epoch != &**subscription.epoch())
}

pub struct Board {
    topics: Topics,
    name: String,
    now: Mutex<Now>,
    /// Told when there is a first state.
    first: Condvar,
}

struct Now {
    /// None before it was read.
    render: Option<Render>,
    /// The number of the last message that the state has in it.
    seq: u64,
    rendered: Option<Arc<str>>,
    heard: Instant,
}

impl Board {
    #[must_use]
    pub fn new(topics: Topics, name: &str) -> Self {
        Self {
            topics,
            name: name.to_owned(),
            now: Mutex::new(Now {
                render: None,
                seq: 0,
                rendered: None,
                heard: Instant::now(),
            }),
            first: Condvar::new(),
        }
    }

    /// The state is now as `render` says, which is what `changes` have made of it.
    pub fn put(&self, changes: Vec<String>, render: Render) {
        let mut now = self.now();
        for change in changes {
            match self.topics.publish(&self.name, None, change) {
                Ok(seq) => now.seq = seq,
                Err(refused) => tracing::error!("{}: {refused}", self.name),
            }
        }
        now.render = Some(render);
        now.rendered = None;
        self.first.notify_all();
    }

    #[must_use]
    pub fn has_state(&self) -> bool {
        self.now().render.is_some()
    }

    /// Somebody is about to listen.
    pub fn touch(&self) {
        self.now().heard = Instant::now();
    }

    /// Whether somebody listens, or did a moment ago.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        let mut now = self.now();
        if self.topics.is_heard(&self.name) {
            now.heard = Instant::now();
        }
        now.heard.elapsed() < LINGER
    }

    /// Subscribes; waits for the first state.
    pub fn join(&self, resume: Option<&Resume>, bell: &Arc<Notify>) -> Result<Joined, NotThere> {
        let mut now = self.now();
        now.heard = Instant::now();
        let waited = self
            .first
            .wait_timeout_while(now, PATIENCE, |now| now.render.is_none());
        let (mut now, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let Some(render) = now.render.clone() else {
            return Err(NotThere::Late);
        };
        now.heard = Instant::now();
        let start = resume.map_or(Start::Now, |resume| Start::From(resume.from));
        let bell = Arc::clone(bell);
        let mut subscription = self.topics.subscribe(&self.name, start, bell)?;
        let other = is_of_another(&subscription, resume);
        if resume.is_some() && !other && subscription.missed() == 0 {
            return Ok(Joined {
                subscription,
                snapshot: None,
                resumed: true,
                gap: false,
            });
        }
        subscription.skip_to(now.seq);
        let snapshot = now.rendered.get_or_insert_with(|| render().into());
        Ok(Joined {
            subscription,
            snapshot: Some(Arc::clone(snapshot)),
            resumed: false,
            gap: resume.is_some(),
        })
    }

    /// Nobody listens any more: the numbers begin again with the next one.
    pub fn end(&self) {
        self.topics.forget(&self.name);
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topic::Limits;

    fn board() -> Board {
        let board = Board::new(Topics::new(Limits::default()), "runs");
        board.put(Vec::new(), Arc::new(|| "0".into()));
        board
    }

    fn put(board: &Board, n: u32) {
        board.put(vec![format!("+{n}")], Arc::new(move || n.to_string()));
    }

    fn texts(joined: &mut Joined) -> Vec<String> {
        let taken = joined.subscription.take(99).unwrap();
        taken
            .iter()
            .map(|message| message.text.to_string())
            .collect()
    }

    fn resume(from: u64, epoch: Option<&str>) -> Option<Resume> {
        let epoch = epoch.map(str::to_owned);
        Some(Resume { from, epoch })
    }

    #[test]
    fn a_state_and_what_follows() {
        let board = board();
        put(&board, 1);
        let mut joined = board.join(None, &Arc::default()).unwrap();
        put(&board, 2);
        assert_eq!(joined.snapshot.as_deref(), Some("1"));
        assert_eq!(joined.subscription.next_seq(), 2);
        assert_eq!(texts(&mut joined), ["+2"]);
    }

    #[test]
    fn going_back_or_a_state_that_says_so() {
        let board = board();
        (1..=3).for_each(|n| put(&board, n));
        let epoch = board.join(None, &Arc::default()).unwrap();
        let epoch = epoch.subscription.epoch().to_string();
        for epoch in [None, Some(epoch.as_str())] {
            let mut joined = board
                .join(resume(2, epoch).as_ref(), &Arc::default())
                .unwrap();
            assert_eq!((&joined.snapshot, joined.gap), (&None, false));
            assert_eq!(texts(&mut joined), ["+2", "+3"]);
        }
        for (from, epoch) in [(9, None), (2, Some("of before"))] {
            let resume = resume(from, epoch);
            let mut joined = board.join(resume.as_ref(), &Arc::default()).unwrap();
            assert_eq!((joined.snapshot.as_deref(), joined.gap), (Some("3"), true));
            assert_eq!(texts(&mut joined), Vec::<String>::new());
        }
    }

    #[test]
    fn whoever_comes_back_before_anything_happened_goes_on() {
        let board = board();
        let joined = board.join(None, &Arc::default()).unwrap();
        let epoch = joined.subscription.epoch().to_string();
        drop(joined);
        put(&board, 1);
        let mut joined = board
            .join(resume(1, Some(&epoch)).as_ref(), &Arc::default())
            .unwrap();
        assert!(joined.resumed);
        assert_eq!(texts(&mut joined), ["+1"]);
    }

    #[test]
    fn who_comes_early_waits_for_the_first_state() {
        let board = Arc::new(Board::new(Topics::new(Limits::default()), "runs"));
        let early = Arc::clone(&board);
        let waiting = std::thread::spawn(move || {
            let joined = early.join(None, &Arc::default()).unwrap();
            joined.snapshot.unwrap().to_string()
        });
        put(&board, 7);
        assert_eq!(waiting.join().unwrap(), "7");
    }
}
