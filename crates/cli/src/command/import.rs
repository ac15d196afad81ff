//! `sokhoe import`: reads files, hands what is in them to the write side (of a data folder, or of a running
//! server), goes on past what is refused, and ends with the count.

mod local;
mod reading;
mod remote;
mod tally;

use crate::arguments::{ImportArguments, ImportFormat};
use crate::config::Config;
use crate::environment::Environment;
use crate::failure::{Outcome, usage};
use crate::output::Output;
use crate::remote::ServerUrl;

pub(crate) use local::take_all;
pub(crate) use reading::{Batch, Prepared, read_one};
pub(crate) use tally::Tally;

pub(crate) fn run(
    arguments: &ImportArguments,
    config: &Config,
    environment: &Environment,
    output: &mut Output,
) -> anyhow::Result<Outcome> {
    if arguments.format == ImportFormat::Events && arguments.source.is_some() {
        return Err(usage("--source is for fhir: events carry their own ids"));
    }
    let mut tally = Tally::begin(arguments.refused.as_deref())?;
    match &arguments.to {
        Some(url) => {
            let url = ServerUrl::parse(url)?;
            super::runtime()?.block_on(remote::import(arguments, &url, environment, &mut tally))?;
        }
        None => local::import(arguments, config, &mut tally)?,
    }
    tally.end(arguments.json, output)
}
