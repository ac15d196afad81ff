//! `sokhoe rebuild`: makes the projections of a data folder, or of a running server, anew from the first event.

use std::time::Duration;

use anyhow::{Context, bail};
use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use sokhoe_storage::LastStep;

use crate::arguments::RebuildArguments;
use crate::clock;
use crate::config::Config;
use crate::engine;
use crate::environment::Environment;
use crate::failure::{Outcome, usage};
use crate::output::Output;
use crate::remote::{Client, ServerUrl, problem};

const PATH: &str = "/v1/admin/rebuild";
/// How long a server may take to read its whole log.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

pub(crate) fn run(
    arguments: &RebuildArguments,
    config: &Config,
    environment: &Environment,
    output: &mut Output,
) -> anyhow::Result<Outcome> {
    if let Some(url) = &arguments.to {
        return of_server(arguments, url, environment, output);
    }
    let folders = config.folders()?;
    if !folders.data.exists() {
        return Err(usage(format!(
            "{} is no data folder",
            folders.data.display()
        )));
    }
    let begun = clock::steady();
    let (commands, views) = engine::open_with_views(config, &LastStep::default())?;
    let rebuilt = views.rebuild().context("rebuild the projections");
    let people = views.people_count();
    views.close();
    let closed = engine::close(&commands);
    let position = rebuilt?;
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

fn of_server(
    arguments: &RebuildArguments,
    url: &str,
    environment: &Environment,
    output: &mut Output,
) -> anyhow::Result<Outcome> {
    let url = ServerUrl::parse(url)?;
    let begun = clock::steady();
    let answer = super::runtime()?.block_on(async {
        let client = Client::connect(&url, environment).await?;
        let mut client = client.with_patience(PATIENCE);
        let nothing = Bytes::new();
        client
            .send(Method::POST, PATH, "application/json", nothing)
            .await
    })?;
    if answer.status != StatusCode::OK {
        bail!("{}", problem(&answer));
    }
    let rebuilt: Value =
        serde_json::from_slice(&answer.body).context("read the server's answer")?;
    let position = rebuilt.get("position").and_then(Value::as_u64);
    let position = position.context("the server's answer names no position")?;
    let seconds = begun.elapsed().as_secs_f64();
    if arguments.json {
        output.json(&json!({ "position": position, "seconds": seconds }))?;
    } else {
        output.line(format!("rebuilt to position {position}: {seconds:.1} s"))?;
    }
    Ok(Outcome::Done)
}
