//! What becomes of events where the journal may not grow any more.

use crate::guest::bindings::events::{Event, Gap};
use crate::journal::{Draft, Intake};

/// Why events are lost then.
const REASON: &str = "the journal is full (limit.journal)";

/// `intake` with its events counted in place of kept, but for those few that say
/// how the run ends.
pub fn without_events(intake: &Intake) -> Intake {
    let mut drafts: Vec<Draft> = Vec::new();
    let mut gap: Option<Draft> = None;
    for draft in &intake.drafts {
        if is_kept(&draft.event) {
            drafts.extend(gap.take());
            drafts.push(draft.clone());
        } else {
            let gap = gap.get_or_insert_with(|| Draft {
                time: draft.time,
                worker: None,
                event: Event::Gap(Gap {
                    first: 0,
                    count: 0,
                    reason: REASON.to_owned(),
                }),
            });
            if let Event::Gap(gap) = &mut gap.event {
                gap.count += 1;
            }
        }
    }
    drafts.extend(gap);
    Intake {
        drafts,
        ..intake.clone()
    }
}

/// How many events an event says are lost.
pub fn lost(draft: &Draft) -> u64 {
    match &draft.event {
        Event::Gap(gap) => gap.count,
        _ => 0,
    }
}

fn is_kept(event: &Event) -> bool {
    matches!(
        event,
        Event::SessionStarted(_)
            | Event::SessionFinished(_)
            | Event::Interrupted(_)
            | Event::WorkerLost(_)
            | Event::Gap(_)
    )
}
