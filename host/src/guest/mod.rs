//! Guests: WebAssembly components held to what they were granted.

pub mod address;
pub mod bindings;
pub mod builtin;
pub mod cache;
pub mod call_watch;
pub mod capability;
pub mod client;
pub(crate) mod divert;
pub mod engine;
pub mod grants;
pub mod instance;
pub mod limits;
pub mod module;
mod needs;
pub mod orchestrator;
mod paths;
pub mod policy;
mod proxy;
mod resolver;
pub mod sink;
pub mod store;
pub mod trust;
