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
mod sokhoe;
mod tephra_side;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Parser;
use sokhoe_benches::disk::{self, Disk};
use sokhoe_benches::load::{self, Load};
use sokhoe_benches::machine::{self, Counters};
use sokhoe_benches::numbers::{Latencies, Samples, grouped};
use sokhoe_benches::report::Report;

use crate::sokhoe::Sokhoe;
use crate::tephra_side::Tephra;

/// Bytes of the payload of every event.
const PAYLOAD_BYTES: usize = 256;
/// Writers and events of each of their requests.
const ROWS: [(usize, usize); 5] = [(64, 512), (64, 64), (128, 1), (64, 1), (1, 1)];

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

/// One side's turns at one row.
#[derive(Debug, Default)]
struct Turns {
    events_per_s: Samples,
    latencies: Latencies,
    events: f64,
    seconds: f64,
    log_bytes: f64,
    syncs: f64,
    counted: Counters,
}

/// What is compared.
trait Side {
    fn name(&self) -> &'static str;
    fn load(&self, writers: usize, events: usize, time: Duration) -> anyhow::Result<Load>;
    /// Bytes appended and syncs so far, where the side counts them.
    fn appended(&self) -> (f64, Option<f64>);
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    std::fs::create_dir_all(&arguments.folder)?;
    let folder = tempfile::tempdir_in(&arguments.folder)?;
    let mut report = Report::default();
    report.line("# append: events made durable in one process");
    machine::describe(&mut report, folder.path());
    let disk = disk::measure(&mut report, folder.path())?;
    let bare = bare::measure()?;
    report.title("one core by itself");
    bare.print(&mut report);

    report.title("setup");
    let sides = open(&arguments, folder.path(), &mut report)?;
    report.title(&format!(
        "{} people, {PAYLOAD_BYTES}-byte payloads, {} turns of {} s each",
        grouped(arguments.people as f64),
        arguments.rounds,
        arguments.seconds
    ));
    report.line(format!("{:<32}{HEADS}", "writers × events per request"));
    for (number, row) in ROWS.into_iter().enumerate() {
        if arguments.rows.is_empty() || arguments.rows.contains(&number) {
            measure(&arguments, row, &sides, folder.path(), disk, &mut report)?;
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
) -> anyhow::Result<Vec<Box<dyn Side>>> {
    let start = Instant::now();
    let sokhoe = Sokhoe::open(&folder.join("sokhoe"), arguments.people)?;
    report.line(format!(
        "Sokhoe: keys and one event each, {:.1} s",
        start.elapsed().as_secs_f64()
    ));
    let mut sides: Vec<Box<dyn Side>> = Vec::new();
    if !arguments.alone {
        let start = Instant::now();
        let tephra = Tephra::open(&folder.join("tephra"), sokhoe.people())?;
        report.line(format!(
            "Tephra: one event each, {:.1} s",
            start.elapsed().as_secs_f64()
        ));
        sides.push(Box::new(tephra));
    }
    sides.insert(0, Box::new(sokhoe));
    Ok(sides)
}

fn measure(
    arguments: &Arguments,
    (writers, events): (usize, usize),
    sides: &[Box<dyn Side>],
    folder: &Path,
    disk: Disk,
    report: &mut Report,
) -> anyhow::Result<()> {
    let time = Duration::from_secs_f64(arguments.seconds);
    let mut turns: Vec<Turns> = sides.iter().map(|_| Turns::default()).collect();
    let mut ratios = Samples::default();
    for round in 0..arguments.rounds {
        // Who begins changes, so that what one leaves to the disk hits both.
        let mut order: Vec<usize> = (0..sides.len()).collect();
        order.rotate_left(round % sides.len());
        let mut rates = vec![0.0; sides.len()];
        for at in order {
            rates[at] = turns[at].take(sides[at].as_ref(), (writers, events), time, folder)?;
        }
        if let [ours, theirs] = rates[..] {
            ratios.add(ours / theirs);
        }
    }
    for (side, turns) in sides.iter().zip(&turns) {
        report.line(turns.line(side.name(), (writers, events), disk));
    }
    if sides.len() > 1 {
        report.line(format!(
            "{:<32}{:>9.2} × ({:.2} to {:.2})",
            "  Sokhoe to Tephra",
            ratios.median(),
            ratios.min(),
            ratios.max()
        ));
    }
    Ok(())
}

const HEADS: &str =
    " events/s  (least to most)        p50 ms   p99 ms  events/sync    MB/s  of disk  CPU µs/event";

impl Turns {
    fn take(
        &mut self,
        side: &dyn Side,
        (writers, events): (usize, usize),
        time: Duration,
        folder: &Path,
    ) -> anyhow::Result<f64> {
        let (bytes_before, syncs_before) = side.appended();
        let before = Counters::now(folder);
        let load = side.load(writers, events, time)?;
        let counted = Counters::now(folder).since(&before);
        let (bytes, syncs) = side.appended();
        let taken = load.requests as f64 * events as f64;
        let rate = taken / load.seconds;
        self.events_per_s.add(rate);
        self.latencies.merge(&load.latencies);
        self.events += taken;
        self.seconds += load.seconds;
        self.log_bytes += bytes - bytes_before;
        self.syncs += syncs
            .zip(syncs_before)
            .map_or(counted.flushes, |(now, then)| now - then);
        self.counted.add(&counted);
        Ok(rate)
    }

    fn line(&self, side: &str, (writers, events): (usize, usize), disk: Disk) -> String {
        let spread = format!(
            "({} to {})",
            grouped(self.events_per_s.min()),
            grouped(self.events_per_s.max())
        );
        let bytes_per_s = self.log_bytes / self.seconds;
        format!(
            "{:<32}{:>9}  {spread:<22}{:>9.2}{:>9.2}{:>13.1}{:>8.0}{:>7.0} %{:>14.2}",
            format!("{writers} × {events} {side}"),
            grouped(self.events_per_s.median()),
            self.latencies.quantile_us(0.5) / 1e3,
            self.latencies.quantile_us(0.99) / 1e3,
            self.events / self.syncs.max(1.0),
            bytes_per_s / 1e6,
            bytes_per_s / disk.sequential * 100.0,
            self.counted.cpu_s / self.events * 1e6,
        )
    }
}

/// Runs a load against a side that makes one request at a time.
fn load<W: FnMut() -> anyhow::Result<()>>(
    writers: usize,
    time: Duration,
    make: impl Fn(usize) -> W + Sync,
) -> anyhow::Result<Load> {
    load::run(writers, time, make)
}
