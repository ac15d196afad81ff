//! `sokhoe export feed`: the events of the log as CloudEvents, one JSON document a line, from a position on.
//!
//! From a data folder it says which events there are, never what they say: whoever runs the command line reads no
//! records. From a server it is what the token may see, and what the events say where that is asked for.

use std::fs::File;
use std::io::{BufWriter, Write};

use anyhow::{Context, bail};
use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use serde_json::value::RawValue;
use sokhoe_access::Filter;
use sokhoe_exchange::{CloudEvent, source_of};
use sokhoe_projections::{Views, Wanted};
use sokhoe_storage::LastStep;

use crate::arguments::{ExportArguments, ExportCommand};
use crate::config::Config;
use crate::engine;
use crate::environment::Environment;
use crate::failure::{Outcome, usage};
use crate::output::Output;
use crate::remote::{Client, ServerUrl, percent_encoded, problem};

/// Events asked for at once.
const EVENTS_AT_ONCE: usize = 1000;

/// What was written.
struct Written {
    events: u64,
    position: u64,
}

pub(crate) fn run(
    command: &ExportCommand,
    config: &Config,
    environment: &Environment,
    output: &mut Output,
) -> anyhow::Result<Outcome> {
    let ExportCommand::Feed(arguments) = command;
    let mut lines = Lines::to(arguments, output)?;
    let written = match &arguments.to {
        Some(url) => of_server(arguments, url, environment, &mut lines)?,
        None => of_folder(arguments, config, &mut lines)?,
    };
    lines.finish()?;
    if arguments.out.is_some() {
        let Written { events, position } = written;
        output.line(format!(
            "{events} events, to position {position}; go on with --after {position}"
        ))?;
    }
    Ok(Outcome::Done)
}

/// Where the lines go: a file that must be new, or stdout.
enum Lines<'a> {
    File(BufWriter<File>),
    Output(&'a mut Output),
}

impl<'a> Lines<'a> {
    fn to(arguments: &ExportArguments, output: &'a mut Output) -> anyhow::Result<Self> {
        let Some(path) = &arguments.out else {
            return Ok(Self::Output(output));
        };
        let file = File::create_new(path).with_context(|| format!("make {}", path.display()))?;
        Ok(Self::File(BufWriter::new(file)))
    }

    fn write(&mut self, line: &str) -> std::io::Result<()> {
        match self {
            Self::File(file) => writeln!(file, "{line}"),
            Self::Output(output) => output.line(line),
        }
    }

    /// An export that says it is done is on disk.
    fn finish(self) -> anyhow::Result<()> {
        if let Self::File(file) = self {
            let file = file.into_inner().map_err(|error| error.into_error())?;
            file.sync_all().context("sync the export")?;
        }
        Ok(())
    }
}

fn of_folder(
    arguments: &ExportArguments,
    config: &Config,
    lines: &mut Lines<'_>,
) -> anyhow::Result<Written> {
    if arguments.payload {
        return Err(usage(
            "--payload: what events say is read from a server, with a token that may see it (--to)",
        ));
    }
    let folders = config.folders()?;
    if !folders.data.exists() {
        let folder = folders.data.display();
        return Err(usage(format!("{folder} is no data folder")));
    }
    let (commands, views) = engine::open_with_views(config, &LastStep::default())?;
    let source = source_of(&commands.opener().reader().meta().log_id.0);
    let written = write_all(&views, &source, arguments, lines);
    views.close();
    engine::close(&commands)?;
    written
}

fn write_all(
    views: &Views,
    source: &str,
    arguments: &ExportArguments,
    lines: &mut Lines<'_>,
) -> anyhow::Result<Written> {
    let wanted = Wanted {
        filter: Filter::All,
        people: None,
        kinds: Vec::new(),
    };
    let mut written = Written {
        events: 0,
        position: arguments.after,
    };
    loop {
        let passed = views.read_on(written.position, &wanted, EVENTS_AT_ONCE)?;
        if passed.position == written.position {
            return Ok(written);
        }
        for event in &passed.events {
            let event = CloudEvent {
                event,
                source,
                with_data: false,
            };
            lines.write(&serde_json::to_string(&event)?)?;
            written.events += 1;
        }
        written.position = passed.position;
    }
}

fn of_server(
    arguments: &ExportArguments,
    url: &str,
    environment: &Environment,
    lines: &mut Lines<'_>,
) -> anyhow::Result<Written> {
    let url = ServerUrl::parse(url)?;
    super::runtime()?.block_on(async {
        let client = Client::connect(&url, environment).await?;
        let mut client = client.for_purpose(&arguments.purpose);
        let mut written = Written {
            events: 0,
            position: arguments.after,
        };
        loop {
            let (events, position) = page(&mut client, arguments, written.position).await?;
            for event in &events {
                lines.write(event.get())?;
                written.events += 1;
            }
            if position == written.position {
                return Ok(written);
            }
            written.position = position;
        }
    })
}

/// Asks for what follows a position.
async fn page(
    client: &mut Client,
    arguments: &ExportArguments,
    after: u64,
) -> anyhow::Result<(Vec<Box<RawValue>>, u64)> {
    let mut path = format!("/v1/feed?after={after}&limit={EVENTS_AT_ONCE}");
    if arguments.payload {
        path.push_str("&payload=true");
    }
    if let Some(kinds) = &arguments.kind {
        path.push_str("&kind=");
        path.push_str(&percent_encoded(kinds));
    }
    let nothing = Bytes::new();
    let answer = client
        .send(Method::GET, &path, "application/json", nothing)
        .await?;
    if answer.status != StatusCode::OK {
        bail!("{}", problem(&answer));
    }
    let events = serde_json::from_slice(&answer.body).context("read the server's answer")?;
    let position = answer
        .position
        .context("the server's answer names no position")?;
    Ok((events, position))
}
