//! Frames: one a line, those of a worker after `@`, all the way to events.
#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use pytest_host::guest::bindings::events::Event;
use pytest_host::intake::Normaliser;
use pytest_host::journal::{Intake, Position};
use pytest_host::protocol::frame;

fuzz_target!(|data: &[u8]| {
    let mut normaliser = Normaliser::new("run");
    let mut intake = Intake::default();
    let mut main = Position::default();
    let mut worker = Position {
        worker: Some("gw0".into()),
        ..Position::default()
    };
    for line in data.split(|byte| *byte == b'\n') {
        let (process, payload) = match line.strip_prefix(b"@") {
            Some(payload) => (&mut worker, payload),
            None => (&mut main, line),
        };
        match frame::read(payload) {
            Ok(frame) => normaliser.take(frame, process, 1.0, &mut intake),
            Err(error) => {
                let lost = normaliser.lost(process, 1.0, error.to_string());
                intake.drafts.push(lost);
            }
        }
    }
    let unsaid = normaliser.unsaid();
    assert!(unsaid.is_ok(), "{unsaid:?}");
    let dead = HashSet::from([Some("gw0".to_owned())]);
    intake.drafts.extend(normaliser.close(&dead, 2.0));
    for draft in &intake.drafts {
        let kept = serde_json::to_vec(&draft.event);
        let read = kept.and_then(|kept| serde_json::from_slice::<Event>(&kept));
        assert!(
            read.as_ref().is_ok_and(|read| *read == draft.event),
            "the journal would not hold {:?}",
            draft.event
        );
    }
});
