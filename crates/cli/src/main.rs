//! The `sokhoe` binary: hands its arguments to the library and turns the outcome into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    sokhoe_cli::main(std::env::args_os(), sokhoe_cli::Platform::default())
}
