//! The sink `publish`: one POST of JSON for every test result.
//!
//! Delivery is at least once: a receiver that minds counts a result once by its `Idempotency-Key`.

mod settings;

use pytest_host_results::Results;
use pytest_host_sdk::{
    Envelope, Misconfiguration, Need, Opening, Session, Sink, Undone,
    delivery::deliver,
    http::{self, Endpoint},
    state::HostState,
};

use settings::Settings;

pytest_host_sdk::export!(Publish);

struct Publish {
    endpoint: Endpoint,
    session: String,
    results: Results<HostState>,
}

impl Sink for Publish {
    type Settings = Settings;

    fn configure(settings: &Settings) -> Result<Vec<Need>, Misconfiguration> {
        Ok(vec![Need::Http(settings.endpoint().check()?)])
    }

    fn open(settings: &Settings, session: Session, why: Opening) -> Result<Self, String> {
        Ok(Self {
            endpoint: settings.endpoint(),
            results: Results::new(&session, why, HostState),
            session: session.id,
        })
    }

    fn handle(&mut self, batch: Vec<Envelope>) -> Vec<Undone> {
        let Self {
            endpoint,
            session,
            results,
        } = self;
        let at_once = endpoint.concurrency;
        deliver(results, batch, at_once.into(), |parcels| {
            let requests: Vec<_> = parcels
                .iter()
                .map(|parcel| {
                    endpoint.post(parcel.item.json(), format!("{session}-{}", parcel.seq))
                })
                .collect();
            endpoint.tried(&http::send(&requests, at_once.into()))
        })
    }
}
