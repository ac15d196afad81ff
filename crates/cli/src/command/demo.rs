//! `sokhoe demo`: makes a synthetic city, loads it through the same path as real data, serves it and says how
//! to look at it. Started again on the same folder it serves the city that is there.

mod city;
mod sheet;
mod tamper;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use sokhoe_catalogue::demo_facilities;
use sokhoe_commands::Commands;
use sokhoe_population::City;
use sokhoe_record::{Identifier, PersonId};

use crate::arguments::{DemoArguments, DemoCommand};
use crate::config::{Config, Folders};
use crate::engine;
use crate::failure::{Outcome, usage};
use crate::logging;
use crate::output::Output;

use super::serve;
use sheet::{People, Sheet};

/// Where a demo lies when nobody says.
pub(crate) const DATA: &str = "sokhoe-demo";

/// How long the projections may take to reach the city's last event.
const READY_TIMEOUT: Duration = Duration::from_secs(600);

pub(crate) fn run(
    arguments: &DemoArguments,
    config: &Config,
    output: &mut Output,
) -> anyhow::Result<Outcome> {
    if let Some(DemoCommand::Tamper(tamper)) = &arguments.command {
        return tamper::run(tamper, output);
    }
    let folders = config.folders()?;
    let city = City::new(arguments.seed, arguments.people)
        .map_err(|error| usage(format!("--people: {error}")))?
        .with_visits_percent(arguments.visits);
    logging::say_configuration(config);
    let commands = engine::open(config)?;
    let served = show(arguments, &city, &commands, &folders, config, output);
    engine::close(&commands).and(served)?;
    Ok(Outcome::Done)
}

fn show(
    arguments: &DemoArguments,
    city: &City,
    commands: &Commands,
    folders: &Folders,
    config: &Config,
    output: &mut Output,
) -> anyhow::Result<()> {
    let complete = city::complete(arguments, city, commands, &folders.data)?;
    // What an earlier start wrote names an address that may be another now.
    sheet::remove(&folders.data)?;
    let event_count = match complete {
        Some(event_count) => event_count,
        None => city::load(arguments, city, commands, &folders.data, output)?,
    };
    let people = people(city, commands)?;
    let views = engine::views(commands)?;
    let served = super::runtime()?.block_on(async {
        let position = commands.opener().reader().position().get();
        views
            .at_least(position, READY_TIMEOUT)
            .await
            .context("wait for the projections")?;
        let stop = serve::StopSignals::listen()?;
        let handle = serve::start(commands, &views, config).await?;
        let sheet = Sheet {
            base_url: format!("{}://{}", config.scheme(), handle.addr()),
            data_dir: absolute(&folders.data)?,
            vkey: commands.verifier().to_string(),
            tokens: sheet::tokens(commands, people.citizen)?,
            people,
            people_count: city.people(),
            event_count,
            position,
        };
        sheet.write(&folders.data)?;
        say(&sheet, output)?;
        stop.wait(commands, &views).await;
        handle.shutdown().await;
        anyhow::Ok(())
    });
    views.close();
    served
}

/// Finds the people with a part among those who were registered.
fn people(city: &City, commands: &Commands) -> anyhow::Result<People> {
    let find = |identifier: &Identifier| -> anyhow::Result<PersonId> {
        commands
            .find(identifier)
            .context("a person of the demo is not there: the city is not complete")
    };
    let cast = city.demo_people();
    Ok(People {
        citizen: find(&cast.citizen)?,
        with_consent: find(&cast.with_consent)?,
        without_consent: find(&cast.without_consent)?,
        erased: None,
        snooped_on: find(&cast.snooped_on)?,
    })
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("find data folder {}", path.display()))
}

fn say(sheet: &Sheet, output: &mut Output) -> anyhow::Result<()> {
    let base = &sheet.base_url;
    let facility = demo_facilities()
        .first()
        .map(|facility| &*facility.en)
        .unwrap_or_default();
    output.line(format!(
        "\nA city of {} invented people, {} events, at {base}\n",
        sheet.people_count, sheet.event_count
    ))?;
    output
        .line("Sign in with one click (the token stands after #, which browsers do not send):")?;
    let personas = [
        (
            "citizen",
            "a citizen, who sees the whole own book".to_owned(),
        ),
        (
            "clinician",
            format!("a clinician of {facility}, who sees what was entered there"),
        ),
        ("hospital", format!("the system of {facility}")),
        ("station", "a commune health station".to_owned()),
    ];
    for (role, about) in personas {
        if let Some(token) = sheet.tokens.get(role) {
            // The clinician comes to somebody's book at once; a citizen comes to the own one anyway.
            let person = match role {
                "clinician" => format!("&person={}", sheet.people.with_consent),
                _ => String::new(),
            };
            output.line(format!("  {about}:\n    {base}/#token={token}{person}"))?;
        }
    }
    let citizen = sheet.people.citizen;
    output.line("\nThe citizen's record and history:")?;
    let token = sheet
        .tokens
        .get("citizen")
        .map(String::as_str)
        .unwrap_or_default();
    let header = format!("-H 'Authorization: Bearer {token}'");
    output.line(format!("  curl -s {header} {base}/v1/people/{citizen}"))?;
    output.line(format!(
        "  curl -s {header} {base}/v1/people/{citizen}/events"
    ))?;
    output.line("\nWhat anybody may see: the signed checkpoint of the whole log, and what the server can do:")?;
    output.line(format!("  curl -s {base}/checkpoint"))?;
    output.line(format!("  {base}/docs"))?;
    output.line(format!(
        "\nThe key that checkpoints verify with: {}",
        sheet.vkey
    ))?;
    output.line(
        "Check the whole log, without trusting the server (with that key in a file: --vkey FILE):",
    )?;
    output.line(format!("  sokhoe verify {}", sheet.data_dir.display()))?;
    let written = sheet.data_dir.join(sheet::FILE);
    output.line(format!("All tokens and people: {}", written.display()))?;
    output.line("ctrl-c stops the server; the same command starts it again.")?;
    Ok(())
}
