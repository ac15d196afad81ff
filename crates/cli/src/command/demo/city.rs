//! The city goes in as anybody's events would: as lines of JSON, read, checked, sealed and synced.

use std::fs;
use std::path::Path;
use std::thread;

use anyhow::{Context, anyhow, bail};
use serde::{Deserialize, Serialize};
use sokhoe_commands::Commands;
use sokhoe_population::{City, write_line};
use sokhoe_registry::Digests;
use sokhoe_storage::{OsDisk, write_file_atomic};
use tokio::sync::mpsc;

use crate::arguments::DemoArguments;
use crate::command::import::{Batch, Prepared, Tally, read_one, take_all};
use crate::command::runtime;
use crate::failure::usage;
use crate::output::Output;

/// Lines handed over together, and batches made ahead.
const BATCH_LINES: usize = 256;
const BATCHES_AHEAD: usize = 16;
/// Where it is written down that the city is complete. Lost, it costs a second pass that adds nothing.
const MARK: &str = "cache/demo.complete.json";

/// Which city is complete in a folder.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Complete {
    seed: u64,
    people: u64,
    #[serde(default = "usual_visits")]
    visits: u32,
    event_count: u64,
}

fn usual_visits() -> u32 {
    100
}

/// Says how many events the city has that is complete in the folder; `None` when it is still to be loaded.
///
/// # Errors
/// A usage error when the folder holds something else.
pub(super) fn complete(
    arguments: &DemoArguments,
    city: &City,
    commands: &Commands,
    data: &Path,
) -> anyhow::Result<Option<u64>> {
    let Some(found) = read_mark(&data.join(MARK)) else {
        refuse_other_data(city, commands, data)?;
        return Ok(None);
    };
    let Complete {
        seed,
        people,
        visits,
        event_count,
    } = found;
    if (seed, people, visits) == (arguments.seed, arguments.people, arguments.visits) {
        return Ok(Some(event_count));
    }
    Err(usage(format!(
        "{} holds a city of {people} people from seed {seed} with {visits} % of visits; choose another --data for another city",
        data.display()
    )))
}

/// Loads the city and returns the number of its events. What an interrupted start left is gone over again.
pub(super) fn load(
    arguments: &DemoArguments,
    city: &City,
    commands: &Commands,
    data: &Path,
    output: &mut Output,
) -> anyhow::Result<u64> {
    let mark = data.join(MARK);
    output.line(format!("Making a city of {} people …", arguments.people))?;
    let mut tally = Tally::begin(None)?;
    let loaded = thread::scope(|scope| {
        let (send, batches) = mpsc::channel(BATCHES_AHEAD);
        let maker = scope.spawn(move || make(city, &send));
        let taken = runtime()?.block_on(take_all(commands, None, batches, &mut tally, None));
        match maker.join() {
            Ok(made) => taken.and(made),
            Err(_) => Err(anyhow!("the thread that makes the city failed")),
        }
    });
    loaded?;
    let counts = tally.counts;
    tally.end(false, output)?;
    if counts.refused > 0 {
        bail!("{} events of the city were refused", counts.refused);
    }
    let complete = Complete {
        seed: arguments.seed,
        people: arguments.people,
        visits: arguments.visits,
        event_count: counts.read,
    };
    write_file_atomic(&OsDisk, &mark, &serde_json::to_vec(&complete)?)
        .with_context(|| format!("write {}", mark.display()))?;
    Ok(complete.event_count)
}

fn read_mark(path: &Path) -> Option<Complete> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// A folder with events of anybody else is no place for invented people.
fn refuse_other_data(city: &City, commands: &Commands, data: &Path) -> anyhow::Result<()> {
    let opener = commands.opener();
    let first = city.events().next().map(|incoming| incoming.event.event_id);
    let begun = first.is_some_and(|id| opener.registry().taken(opener.event(&id)).is_some());
    if begun || opener.reader().position().get() == 0 {
        return Ok(());
    }
    let data = data.display();
    Err(usage(format!(
        "{data} holds other data; name a new folder for the demo with --data"
    )))
}

fn make(city: &City, send: &mpsc::Sender<Batch>) -> anyhow::Result<()> {
    let mut items = Vec::with_capacity(BATCH_LINES);
    let mut line = Vec::new();
    for (number, incoming) in (1u64..).zip(city.events()) {
        line.clear();
        write_line(incoming, &mut line)?;
        let (incoming, content) = read_one(&line).context("read an event of the city")?;
        items.push(Ok(Prepared {
            source: "city".into(),
            place: format!("event {number}"),
            kept_whole: false,
            events: vec![incoming],
            content,
            revision: None,
        }));
        if items.len() == BATCH_LINES {
            let full = std::mem::replace(&mut items, Vec::with_capacity(BATCH_LINES));
            if send.blocking_send(Batch::Items(full)).is_err() {
                return Ok(());
            }
        }
    }
    // Nobody listens any more only when the other side has failed, and says why.
    let _ = send.blocking_send(Batch::Items(items));
    Ok(())
}
