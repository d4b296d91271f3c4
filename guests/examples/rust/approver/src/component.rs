//! The component: its exports, and the settings between two calls.
#![expect(unsafe_code, reason = "in what the bindings expand to")]

use std::cell::RefCell;

use crate::rule::Settings;

wit_bindgen::generate!({
    path: "../../../../wit",
    world: "pause-policy-guest",
});

use exports::pytest_host::sinks::pause_policy::{Decision, Guest, PauseRequest};
use pytest_host::sinks::events::PauseKind;

thread_local! {
    static SETTINGS: RefCell<Settings> = RefCell::default();
}

struct Approver;

export!(Approver);

impl Guest for Approver {
    fn configure(settings: String) -> Result<(), String> {
        let settings = Settings::parse(&settings)?;
        SETTINGS.set(settings);
        Ok(())
    }

    fn decide(request: PauseRequest) -> Option<Decision> {
        if request.kind != PauseKind::Checkpoint {
            return None;
        }
        SETTINGS.with_borrow(|settings| {
            let rule = settings.approves(&request.task, request.created)?;
            Some(Decision {
                outcome: Some(true),
                reason: rule.reason.clone(),
                failure_reason: None,
                // The host says who answered.
                by: String::new(),
            })
        })
    }
}
