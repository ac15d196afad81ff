//! `sokhoe evidence`: a file that shows a person's chains, or one event, to whoever trusts neither server nor operator.
//!
//! From a data folder it is sealed: whoever runs the command line reads no records. From a server it is what the token may have.

use std::fs::File;
use std::io::Write;

use anyhow::{Context, bail};
use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use sokhoe_commands::{Commands, Evidence};
use sokhoe_exchange::evidence::Bundle;
use sokhoe_record::{EventId, PersonId};

use crate::arguments::EvidenceArguments;
use crate::config::Config;
use crate::engine;
use crate::environment::Environment;
use crate::failure::{Outcome, usage};
use crate::output::Output;
use crate::remote::{Client, ServerUrl, problem};

/// What evidence is about.
enum About {
    Person(PersonId),
    Event(EventId),
}

pub(crate) fn run(
    arguments: &EvidenceArguments,
    config: &Config,
    environment: &Environment,
    output: &mut Output,
) -> anyhow::Result<Outcome> {
    let about = about(arguments)?;
    let bytes = match (&arguments.to, &about) {
        (Some(url), About::Person(person)) => of_server(url, *person, arguments.open, environment)?,
        _ => of_folder(config, &about)?,
    };
    let out = arguments.out.display();
    let mut file = File::create_new(&arguments.out).with_context(|| format!("make {out}"))?;
    file.write_all(&bytes)
        .and_then(|()| file.sync_all())
        .with_context(|| format!("write {out}"))?;
    output.line(format!(
        "{out}: check it with sokhoe verify {out} --vkey FILE"
    ))?;
    Ok(Outcome::Done)
}

fn about(arguments: &EvidenceArguments) -> anyhow::Result<About> {
    if let Some(text) = &arguments.person {
        let person = PersonId::parse(text);
        return person
            .map(About::Person)
            .map_err(|_| usage("--person: not a person id"));
    }
    let text = arguments.event.as_deref().unwrap_or_default();
    EventId::parse(text)
        .map(About::Event)
        .map_err(|_| usage("--event: not an event id"))
}

fn of_folder(config: &Config, about: &About) -> anyhow::Result<Vec<u8>> {
    let folders = config.folders()?;
    if !folders.data.exists() {
        let folder = folders.data.display();
        return Err(usage(format!("{folder} is no data folder")));
    }
    let commands = engine::open(config)?;
    let gathered = gather(&commands, about);
    engine::close(&commands)?;
    Ok(serde_json::to_vec(&Bundle::of(&gathered?))?)
}

fn gather(commands: &Commands, about: &About) -> anyhow::Result<Evidence> {
    let tree = commands.tree().context("open the log's tree")?;
    match about {
        About::Person(person) => {
            // Nobody else writes now, so that the chains are complete to this moment.
            commands.commit_heads().context("commit to all heads")?;
            let evidence = commands.evidence_of_person(&tree, *person, false);
            evidence.context("gather evidence of that person")
        }
        About::Event(id) => match commands.stored(*id).context("read the event")? {
            Some(frame) => Ok(commands.evidence_of_event(&tree, frame, false)?),
            None => bail!("no event with that id is in the log"),
        },
    }
}

fn of_server(
    url: &str,
    person: PersonId,
    open: bool,
    environment: &Environment,
) -> anyhow::Result<Vec<u8>> {
    let url = ServerUrl::parse(url)?;
    let answer = super::runtime()?.block_on(async {
        let mut client = Client::connect(&url, environment).await?;
        let path = format!("/v1/people/{person}/evidence?open={open}");
        let nothing = Bytes::new();
        client
            .send(Method::GET, &path, "application/json", nothing)
            .await
    })?;
    if answer.status != StatusCode::OK {
        bail!("{}", problem(&answer));
    }
    Ok(answer.body.to_vec())
}
