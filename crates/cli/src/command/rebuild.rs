//! `sokhoe rebuild`: makes the projections of a data folder from the first event anew.

use anyhow::Context;
use serde_json::json;

use crate::arguments::RebuildArguments;
use crate::clock;
use crate::config::Config;
use crate::engine;
use crate::failure::{Outcome, usage};
use crate::output::Output;

pub(crate) fn run(
    arguments: &RebuildArguments,
    config: &Config,
    output: &mut Output,
) -> anyhow::Result<Outcome> {
    let folders = config.folders()?;
    if !folders.data.exists() {
        return Err(usage(format!(
            "{} is no data folder",
            folders.data.display()
        )));
    }
    let begun = clock::steady();
    let commands = engine::open(&folders)?;
    let rebuilt = engine::views(&commands).and_then(|views| {
        let position = views.rebuild().context("rebuild the projections")?;
        let people = views.people_count();
        views.close();
        Ok((position, people))
    });
    let closed = engine::close(&commands);
    let (position, people) = rebuilt?;
    closed?;
    let seconds = begun.elapsed().as_secs_f64();
    if arguments.json {
        output.json(&json!({ "position": position, "people": people, "seconds": seconds }))?;
    } else {
        output.line(format!(
            "rebuilt to position {position}: {people} people, {seconds:.1} s"
        ))?;
    }
    Ok(Outcome::Done)
}
