//! The time of day, as events carry it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds since the epoch.
#[must_use]
pub fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}

/// A point in time as the clocks here show it, in `strftime`'s `format`.
#[must_use]
pub fn local(seconds: f64, format: &str) -> String {
    let whole = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let time = jiff::Timestamp::from_second(whole.as_secs().cast_signed()).unwrap_or_default();
    let here = time.to_zoned(jiff::tz::TimeZone::system());
    here.strftime(format).to_string()
}
