//! Sinks from a few lines of WebAssembly text, for what no compiler would make.
//!
//! The text is the inside of a core module that has a memory of 256 pages. It may
//! import `write` of the contract's `log` and `set` of its `state`. What it does not
//! export of all that makes a sink is added: functions that do nothing, and take
//! every event. Their answers are at address 0, where zeros are: ok, or an empty list.

/// The component around it.
const SINK: &str = include_str!("sink.wat");
const FIELDS: &str = ";; FIELDS";

/// What the contract's calls take and give back, in a core module.
const CALLS: [(&str, &str); 4] = [
    ("configure", "(param i32 i32) (result i32)"),
    ("open", "(param i32) (result i32)"),
    ("handle", "(param i32 i32) (result i32)"),
    ("close", "(result i32)"),
];

/// The component of a sink whose core module has these fields.
///
/// # Errors
///
/// Fields that make no module, or one that does not fit the contract.
pub fn component(fields: &str) -> Result<Vec<u8>, wat::Error> {
    let mut inside = fields.to_owned();
    for (call, signature) in CALLS {
        let export = format!("(export \"pytest-host:sinks/sink@0.1.0#{call}\")");
        if !fields.contains(&export) {
            inside.push_str(&format!("\n(func {export} {signature} (i32.const 0))"));
        }
    }
    wat::parse_str(SINK.replace(FIELDS, &inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_a_sink() {
        let bytes = component("").unwrap();
        assert_eq!(&bytes[..8], b"\0asm\x0d\0\x01\0");
    }

    #[test]
    fn what_is_no_module_is_an_error() {
        assert!(component("(func").is_err());
    }
}
