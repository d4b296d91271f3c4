//! How often one address may ask, and how often it may guess.

use std::net::IpAddr;
use std::num::NonZeroU32;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::{Api, Peer, Problem};

/// Requests a second, and at once.
const ASKING: (u32, u32) = (1000, 5000);
/// Wrong tokens a second, and at once.
const GUESSING: (u32, u32) = (5, 50);
/// Addresses that are remembered before those are forgotten that have calmed down.
const REMEMBERED: usize = 10_000;

pub struct Rates {
    asking: DefaultKeyedRateLimiter<IpAddr>,
    guessing: DefaultKeyedRateLimiter<IpAddr>,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            asking: RateLimiter::keyed(quota(ASKING)),
            guessing: RateLimiter::keyed(quota(GUESSING)),
        }
    }
}

fn quota((a_second, at_once): (u32, u32)) -> Quota {
    let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    Quota::per_second(number(a_second)).allow_burst(number(at_once))
}

/// Lets requests through that do not come too fast.
pub async fn limited(State(api): State<Api>, request: Request, next: Next) -> Response {
    match too_fast(&api.0.rates.asking, &request) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    }
}

/// One more guess: what to answer where there were too many.
pub fn wrong_token(api: &Api, request: &Request) -> Option<Problem> {
    too_fast(&api.0.rates.guessing, request)
}

fn too_fast(limiter: &DefaultKeyedRateLimiter<IpAddr>, request: &Request) -> Option<Problem> {
    let Peer(peer) = request.extensions().get::<Peer>()?;
    if limiter.len() > REMEMBERED {
        limiter.retain_recent();
    }
    let early = limiter.check_key(&peer.ip()).err()?;
    let wait = early.wait_time_from(DefaultClock::default().now());
    // Of which the last has begun.
    let seconds = wait.as_secs() + 1;
    let detail = format!("Too many requests: again in {seconds} s");
    Some(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    #[test]
    fn an_address_that_asks_too_fast_is_told_to_wait() {
        let limiter = RateLimiter::keyed(quota((1, 3)));
        let mut request = Request::new(Body::empty());
        assert!(too_fast(&limiter, &request).is_none(), "nobody's");
        request
            .extensions_mut()
            .insert(Peer(([127, 0, 0, 1], 4711).into()));
        for _ in 0..3 {
            assert!(too_fast(&limiter, &request).is_none());
        }
        let response = too_fast(&limiter, &request).unwrap().into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(response.headers().contains_key("retry-after"));
        request
            .extensions_mut()
            .insert(Peer(([127, 0, 0, 2], 4711).into()));
        assert!(too_fast(&limiter, &request).is_none(), "somebody else");
    }
}
