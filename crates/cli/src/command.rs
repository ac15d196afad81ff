//! From a parsed command line to the command that does it.

mod catalogue;
pub(crate) mod demo;
mod doctor;
mod evidence;
mod export;
mod import;
mod rebuild;
mod serve;
mod token;
mod verify;

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};

use crate::arguments::{Arguments, Command};
use crate::config::Config;
use crate::environment::Environment;
use crate::failure::Outcome;
use crate::logging;
use crate::output::Output;

/// Runs a command.
///
/// # Errors
/// What went wrong, with its causes; a usage error when the call or the configuration is wrong.
pub(crate) fn run(
    arguments: Arguments,
    environment: &Environment,
    output: &mut Output,
) -> anyhow::Result<Outcome> {
    let flags = arguments.settings();
    let config = Config::read(arguments.global.config.as_deref(), environment, flags)?;
    logging::start(&config)?;
    match &arguments.command {
        Command::Demo(demo) => demo::run(demo, &config, output),
        Command::Serve(_) => serve::run(&config, output),
        Command::Import(import) => import::run(import, &config, environment, output),
        Command::Export(export) => export::run(export, &config, environment, output),
        Command::Rebuild(rebuild) => rebuild::run(rebuild, &config, environment, output),
        Command::Token(token) => token::run(token, &config, output),
        Command::Catalogue(command) => catalogue::run(command, &config, environment, output),
        Command::Doctor(doctor) => doctor::run(doctor, &config, output),
        Command::Evidence(evidence) => evidence::run(evidence, &config, environment, output),
        Command::Verify(verify) => verify::run(verify, output),
    }
}

/// The threads that asynchronous work runs on.
fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start threads")
}
