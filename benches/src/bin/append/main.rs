//! How many events a second the write side makes durable in this process, beside the embedded Tephra in the same run.
//!
//! Sokhoe's way is a server's after parsing: look up the stream's key, seal, describe in a header, submit to the log's
//! writer with the registry's stage, wait until durable. Tephra's is its own: encode, one tag, append, wait. Both get
//! the same payloads for people picked at random, the same writers and sizes of requests, in turns.
#![expect(
    clippy::disallowed_methods,
    reason = "measuring takes the machine's clock"
)]

mod bare;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Parser;
use sokhoe_benches::append::{self, HEADS, PAYLOAD_BYTES, ROWS, Sokhoe, Store, Tephra, Work};
use sokhoe_benches::numbers::grouped;
use sokhoe_benches::report::{self, Begun, Report};

#[derive(Debug, Parser)]
struct Arguments {
    /// Where the logs are written and removed again; its disk is what is measured.
    #[arg(long, default_value = "target/benches")]
    folder: PathBuf,
    /// People whose streams there are.
    #[arg(long, default_value_t = 1_000_000)]
    people: usize,
    /// Turns of each side at each row.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of one turn.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Only the rows with these numbers, from 0.
    #[arg(long, value_delimiter = ',')]
    rows: Vec<usize>,
    /// Leave Tephra out.
    #[arg(long)]
    alone: bool,
    /// Keep the output as `benches/runs/<name>.txt`.
    #[arg(long)]
    keep: Option<String>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let Begun {
        mut report,
        folder,
        disk,
    } = report::begin(
        "# append: events made durable in one process",
        &arguments.folder,
    )?;
    let bare = bare::measure()?;
    report.title("one core by itself");
    bare.print(&mut report);

    report.title("setup");
    let stores = open(&arguments, folder.path(), &mut report)?;
    report.title(&format!(
        "{} people, {PAYLOAD_BYTES}-byte payloads, {} turns of {} s each",
        grouped(arguments.people as f64),
        arguments.rounds,
        arguments.seconds
    ));
    report.line(HEADS);
    let turns = append::Turns {
        rounds: arguments.rounds,
        time: Duration::from_secs_f64(arguments.seconds),
        folder: folder.path(),
        disk,
    };
    for (number, (writers, events)) in ROWS.into_iter().enumerate() {
        if arguments.rows.is_empty() || arguments.rows.contains(&number) {
            turns.measure(Work::Append(writers, events), &stores, &mut report)?;
        }
    }
    if let Some(name) = &arguments.keep {
        report.keep(name)?;
    }
    Ok(())
}

fn open(
    arguments: &Arguments,
    folder: &Path,
    report: &mut Report,
) -> anyhow::Result<Vec<Box<dyn Store>>> {
    let people = arguments.people;
    let mut stores: Vec<Box<dyn Store>> =
        vec![Box::new(Sokhoe::open(&folder.join("sokhoe"), people)?)];
    if !arguments.alone {
        stores.push(Box::new(Tephra::open(&folder.join("tephra"), people)?));
    }
    for store in &stores {
        let start = Instant::now();
        append::fill(store.as_ref(), 1)?;
        let seconds = start.elapsed().as_secs_f64();
        report.line(format!("{}: one event each, {seconds:.1} s", store.name()));
    }
    Ok(stores)
}
