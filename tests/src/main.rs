//! The program `sokhoe` once more, for the tests of this package to start: what it does is `sokhoe-cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sokhoe_cli::main(std::env::args_os())
}
