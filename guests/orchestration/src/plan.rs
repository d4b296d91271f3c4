//! When an event is to run: ticks, on a grid that nothing shifts.

/// Nanoseconds since the orchestration started.
pub type Instant = u64;

/// The ticks of one event; those from the end of the test on do not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The first tick, before jitter.
    first: Instant,
    /// None where there is one tick and no more.
    interval: Option<Instant>,
    count: u64,
    /// Less than the interval, so that ticks keep their order.
    jitter: Instant,
    seed: u64,
    /// When the test ends.
    end: Instant,
}

impl Plan {
    /// One whose ticks begin at `first`; without `count` they go on to the `end`.
    #[must_use]
    pub fn new(
        first: Instant,
        interval: Option<Instant>,
        count: Option<u64>,
        end: Instant,
    ) -> Self {
        let all = if interval.is_some() { u64::MAX } else { 1 };
        Self {
            first,
            interval: interval.map(|interval| interval.max(1)),
            count: count.map_or(all, |count| count.min(all)),
            jitter: 0,
            seed: 0,
            end,
        }
    }

    /// One without ticks.
    #[must_use]
    pub fn never() -> Self {
        Self::new(0, None, Some(0), 0)
    }

    /// Each tick up to so much later, by a seed.
    #[must_use]
    pub fn with_jitter(mut self, jitter: Instant, seed: u64) -> Self {
        self.jitter = self.interval.map_or(jitter, |each| jitter.min(each - 1));
        self.seed = seed;
        self
    }

    /// Tick `k`, from 0. What is due when the test starts runs even where it ends at once.
    #[must_use]
    pub fn tick(&self, k: u64) -> Option<Instant> {
        let time = self.at(k)?;
        (time < self.end || (k == 0 && self.first == 0)).then_some(time)
    }

    fn at(&self, k: u64) -> Option<Instant> {
        if k >= self.count {
            return None;
        }
        let time = k
            .checked_mul(self.interval.unwrap_or(0))?
            .checked_add(self.first)?;
        time.checked_add(self.later(k))
    }

    /// The last tick up to `now`.
    #[must_use]
    pub fn latest(&self, now: Instant) -> Option<u64> {
        let since = now.checked_sub(self.first)?;
        let steps = self.interval.map_or(0, |interval| since / interval);
        let last = steps.min(self.count.checked_sub(1)?);
        let until_end = self
            .interval
            .map_or(0, |interval| self.end.saturating_sub(self.first) / interval);
        let mut k = last.min(until_end);
        // Jitter, or the end itself.
        while self.tick(k).is_none_or(|time| time > now) {
            k = k.checked_sub(1)?;
        }
        Some(k)
    }

    fn later(&self, k: u64) -> Instant {
        match self.jitter {
            0 => 0,
            jitter => mixed(self.seed ^ mixed(k)) % (jitter + 1),
        }
    }
}

/// SplitMix64's finaliser: every bit of the answer depends on every bit of `x`.
#[must_use]
pub fn mixed(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_latest_tick_is_what_counting_finds(
            first in 0..50_u64, interval in 1..20_u64, count in proptest::option::of(0..30_u64),
            jitter in 0..25_u64, seed: u64, end in 0..200_u64, now in 0..250_u64,
        ) {
            let plan = Plan::new(first, Some(interval), count, end).with_jitter(jitter, seed);
            let counted = (0..300).filter(|k| plan.tick(*k).is_some_and(|time| time <= now)).max();
            prop_assert_eq!(plan.latest(now), counted);
        }

        #[test]
        fn ticks_keep_their_order_and_are_never_early(
            first: u32, interval in 1..u64::from(u32::MAX), jitter: u32, seed: u64, k in 0..1_000_000_u64,
        ) {
            let plan = Plan::new(first.into(), Some(interval), None, u64::MAX).with_jitter(jitter.into(), seed);
            let (this, next) = (plan.tick(k).unwrap(), plan.tick(k + 1).unwrap());
            prop_assert!(this < next);
            prop_assert!(this >= u64::from(first) + k * interval);
        }
    }

    #[test]
    fn a_clock_gone_wild_costs_no_time() {
        let plan = Plan::new(0, Some(1), None, u64::MAX);
        assert_eq!(plan.latest(u64::MAX - 1), Some(u64::MAX - 1));
    }
}
