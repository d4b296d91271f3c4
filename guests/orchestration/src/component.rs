//! The component: its exports, and what is between two calls.
#![expect(unsafe_code, reason = "in what the bindings expand to")]

use std::cell::RefCell;

use crate::conductor::Conductor;
use crate::description::Description;
use crate::step;

wit_bindgen::generate!({
    path: "../../wit",
    world: "orchestrator-guest",
});

use exports::pytest_host::sinks::orchestrator::{
    Action, Completion, Guest, Instant, Level, Step, Verdict,
};

thread_local! {
    static CONDUCTOR: RefCell<Option<Conductor>> = const { RefCell::new(None) };
}

struct Orchestration;

export!(Orchestration);

impl Guest for Orchestration {
    fn load(description: String, hours: Option<f64>, seed: u64) -> Result<(), String> {
        let description = Description::parse(&description, hours, seed);
        let description = description.map_err(|fault| fault.to_string())?;
        CONDUCTOR.set(Some(Conductor::new(description)));
        Ok(())
    }

    fn advance(now: Instant, completed: Vec<Completion>, killed: bool) -> Step {
        let completed: Vec<step::Completion> = completed.into_iter().map(completion).collect();
        let step = CONDUCTOR.with_borrow_mut(|conductor| {
            let conductor = conductor.as_mut();
            conductor.map(|conductor| conductor.advance(now, &completed, killed))
        });
        answer(step.unwrap_or_else(|| step::Step {
            verdict: Some(step::Verdict::Failed("nothing was loaded".to_owned())),
            ..step::Step::default()
        }))
    }
}

fn completion(completion: Completion) -> step::Completion {
    step::Completion {
        instance: completion.instance,
        ok: completion.ok,
        message: completion.message,
    }
}

fn answer(step: step::Step) -> Step {
    Step {
        start: step.start.into_iter().map(action).collect(),
        wake_at: step.wake_at,
        log: step
            .log
            .into_iter()
            .map(|(level, message)| (word(level), message))
            .collect(),
        stop: step.stop,
        verdict: step.verdict.map(|verdict| match verdict {
            step::Verdict::Passed => Verdict::Passed,
            step::Verdict::Failed(why) => Verdict::Failed(why),
        }),
    }
}

fn action(action: step::Action) -> Action {
    Action {
        name: action.name,
        instance: action.instance,
        params: action.params,
        due: action.due,
        next: action.next,
    }
}

fn word(level: step::Level) -> Level {
    match level {
        step::Level::Debug => Level::Debug,
        step::Level::Info => Level::Info,
        step::Level::Warning => Level::Warning,
        step::Level::Error => Level::Error,
    }
}
