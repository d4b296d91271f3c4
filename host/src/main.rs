//! The binary `host`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pytest_host::cli::main()
}
