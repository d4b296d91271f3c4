//! Topics: what is published on one is kept for a while, in a ring that all its
//! subscribers share, and each of them reads at a speed of its own. Publishing waits
//! for nobody.

mod message;
mod name;
mod outlet;
mod ring;
mod subscription;
#[cfg(test)]
mod tests;
mod topics;

pub use message::{Message, Source};
pub use name::{is_of_the_host, is_valid};
pub use outlet::{Outlet, Publisher};
pub use ring::RingLimits;
pub use subscription::{Behind, Start, Subscription};
pub use topics::{Limits, Refused, Topics};
