//! The sink `publish`: one POST of JSON for every test result.
//!
//! Delivery is at least once: a receiver that minds counts a result once by its `Idempotency-Key`.

mod settings;

use pytest_host_results::{Parcel, Results, Tried, deliver};
use pytest_host_sdk::{
    Envelope, Misconfiguration, Need, Opening, Session, Sink, Undone,
    http::{self, Error, Request, Response},
    state::HostState,
};

use settings::Settings;

pytest_host_sdk::export!(Publish);

struct Publish {
    settings: Settings,
    session: String,
    results: Results<HostState>,
}

impl Sink for Publish {
    type Settings = Settings;

    fn configure(settings: &Settings) -> Result<Vec<Need>, Misconfiguration> {
        Ok(vec![Need::Http(settings.check()?)])
    }

    fn open(settings: &Settings, session: Session, why: Opening) -> Result<Self, String> {
        let results = Results::new(&session, why, HostState);
        Ok(Self {
            settings: settings.clone(),
            session: session.id,
            results,
        })
    }

    fn handle(&mut self, batch: Vec<Envelope>) -> Vec<Undone> {
        let Self {
            settings,
            session,
            results,
        } = self;
        let at_once = settings.concurrency;
        deliver(results, batch, at_once.into(), |parcels| {
            post(settings, session, parcels, |requests| {
                http::send(&requests, at_once.into())
            })
        })
    }
}

/// Posts results, at most as many as may be under way at once.
fn post(
    settings: &Settings,
    session: &str,
    parcels: &[Parcel],
    send: impl FnOnce(Vec<Request>) -> Vec<Result<Response, Error>>,
) -> Tried {
    let answers = send(
        parcels
            .iter()
            .map(|parcel| request(settings, session, parcel))
            .collect(),
    );
    let refusals = answers.iter().map(http::refusal).collect();
    let gone = |answer: &_| matches!(answer, Err(Error::Unreachable(_) | Error::TimedOut));
    // An endpoint that is gone must not cost one timeout after another.
    if parcels.len() >= usize::from(settings.concurrency) && answers.iter().all(gone) {
        Tried::Stop(refusals)
    } else {
        Tried::Each(refusals)
    }
}

fn request(settings: &Settings, session: &str, parcel: &Parcel) -> Request {
    let mut request = http::post_json(&settings.url, parcel.result.json());
    request.timeout = Some(settings.timeout);
    request.headers.extend([
        (
            "idempotency-key".to_owned(),
            format!("{session}-{}", parcel.seq),
        ),
        (
            "user-agent".to_owned(),
            concat!("pytest-host/", env!("CARGO_PKG_VERSION")).to_owned(),
        ),
    ]);
    for (name, value) in &settings.headers {
        request
            .headers
            .retain(|(ours, _)| !ours.eq_ignore_ascii_case(name));
        request.headers.push((name.clone(), value.clone()));
    }
    request
}

#[cfg(test)]
mod tests;
