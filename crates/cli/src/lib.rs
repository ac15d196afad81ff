//! The command line of sokhoe: arguments, configuration, logging, exit codes. The only owner of the
//! process's arguments, environment and clock; the work itself is done by the crates below.

mod arguments;
mod clock;
mod command;
mod config;
mod engine;
mod environment;
mod failure;
mod folder;
mod logging;
mod output;
mod platform;
mod remote;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;
use crate::environment::Environment;
use crate::failure::Outcome;
use crate::output::Output;
pub use crate::platform::Platform;

/// The allocator of every program that is `sokhoe`: an event is made by one thread and freed by another, for which the
/// system's own lets them wait for each other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs one command line, its first item being the program's name, on a platform, and returns the exit code: 0 done,
/// 1 failed, 2 wrongly called, 3 done but some input was refused.
pub fn main(arguments: impl IntoIterator<Item = OsString>, platform: Platform) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() {
                Outcome::Usage
            } else {
                Outcome::Done
            };
            // A closed pipe (`sokhoe --help | head`) is the reader's choice.
            let _ = error.print();
            return code.into();
        }
    };
    let environment = Environment::of_process(platform);
    let mut output = Output::of_process();
    match command::run(arguments, &environment, &mut output) {
        Ok(outcome) => outcome.into(),
        Err(error) => failure::report(&error).into(),
    }
}
