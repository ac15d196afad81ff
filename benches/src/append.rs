//! Stores of events side by side: the same appends and reads against each of them, in turns of one run.
//!
//! A store is driven through clients, one a thread, each with one request at a time. People are numbers below
//! [`Store::people`]; each has a stream, or what the store has in place of one.

mod sokhoe;
mod tephra;

pub use sokhoe::Sokhoe;
pub use tephra::Tephra;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::disk::Disk;
use crate::load::{self, Load};
use crate::machine::Counters;
use crate::numbers::{Latencies, Samples, grouped};
use crate::random::Random;
use crate::report::Report;

/// Bytes of the payload of every event.
pub const PAYLOAD_BYTES: usize = 256;
/// Writers and events of each of their requests.
pub const ROWS: [(usize, usize); 5] = [(64, 512), (64, 64), (128, 1), (64, 1), (1, 1)];
/// Events of one request while a store is filled.
const SETUP_EVENTS: usize = 500;

/// A store under load.
pub trait Store: Sync {
    /// What the report calls it.
    fn name(&self) -> &'static str;

    /// How many people have a stream.
    fn people(&self) -> usize;

    /// Makes a client whose payloads and ids are drawn from a seed, which must be new.
    ///
    /// # Errors
    /// When the store cannot be reached.
    fn client(&self, seed: u64) -> anyhow::Result<Box<dyn Client + '_>>;

    /// Bytes appended and syncs so far, as far as the store counts them.
    fn appended(&self) -> (f64, Option<f64>);

    /// Seconds of processor time that the store's own processes have used; 0 for one that lives in this process.
    fn cpu_s(&self) -> f64 {
        0.0
    }
}

/// One thread's way to a store.
pub trait Client {
    /// Appends one event for each of these people, all or none, and returns when they are durable.
    ///
    /// # Errors
    /// When they are not taken.
    fn append(&mut self, people: &[usize]) -> anyhow::Result<()>;

    /// Reads all events of a person and returns how many there are.
    ///
    /// # Errors
    /// When they cannot be read.
    fn read(&mut self, person: usize) -> anyhow::Result<usize>;
}

/// Gives everybody this many events.
///
/// # Errors
/// When the store does not take them.
pub fn fill(store: &dyn Store, each: usize) -> anyhow::Result<()> {
    let mut client = store.client(0)?;
    let people: Vec<usize> = (0..store.people()).collect();
    for _ in 0..each {
        for part in people.chunks(SETUP_EVENTS) {
            client.append(part)?;
        }
    }
    Ok(())
}

/// What is measured of every store.
#[derive(Clone, Copy, Debug)]
pub enum Work {
    /// Writers, and events of each of their requests, for people at random.
    Append(usize, usize),
    /// Readers, each of one whole stream after the other, of people at random.
    Read(usize),
}

impl Work {
    fn run(self, store: &dyn Store, time: Duration, seed: u64) -> anyhow::Result<Load> {
        let (threads, events) = match self {
            Self::Append(writers, events) => (writers, events),
            Self::Read(readers) => (readers, 1),
        };
        load::run(threads, time, |number| {
            let seed = seed << 16 | (number as u64 + 1);
            let mut random = Random::from_seed(seed);
            let mut client = store.client(seed).map_err(|error| format!("{error:#}"));
            let mut chosen = Vec::with_capacity(events);
            move || {
                let client = client
                    .as_mut()
                    .map_err(|error| anyhow::anyhow!("{error}"))?;
                chosen.clear();
                chosen.extend((0..events).map(|_| random.below(store.people())));
                match self {
                    Self::Append(..) => client.append(&chosen),
                    Self::Read(_) => {
                        let person = chosen.first().copied().unwrap_or(0);
                        ensure!(client.read(person)? > 0, "a person has no events");
                        Ok(())
                    }
                }
            }
        })
    }

    fn per_request(self) -> f64 {
        match self {
            Self::Append(_, events) => events as f64,
            Self::Read(_) => 1.0,
        }
    }

    fn label(self) -> String {
        match self {
            Self::Append(writers, events) => format!("{writers} × {events}"),
            Self::Read(readers) => format!("{readers} readers"),
        }
    }
}

/// How long and how often each store is measured, and where.
#[derive(Clone, Copy, Debug)]
pub struct Turns<'a> {
    /// Turns of each store.
    pub rounds: usize,
    /// Length of one turn.
    pub time: Duration,
    /// Where the stores lie.
    pub folder: &'a Path,
    /// What the disk does by itself.
    pub disk: Disk,
}

/// The title over the lines of [`Turns::measure`].
pub const HEADS: &str = "                                   per second  (least to most)        p50 ms   p99 ms  \
                         events/sync    MB/s  of disk  CPU µs/event";

impl Turns<'_> {
    /// Measures every store in turns and prints a line for each, and the first one's rate against each other's.
    ///
    /// # Errors
    /// When a store fails.
    pub fn measure(
        &self,
        work: Work,
        stores: &[Box<dyn Store>],
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let mut sides: Vec<Side> = stores.iter().map(|_| Side::default()).collect();
        let mut ratios: Vec<Samples> = stores.iter().map(|_| Samples::default()).collect();
        for round in 0..self.rounds {
            // Who begins changes, so that what one leaves to the disk hits all of them.
            let mut order: Vec<usize> = (0..stores.len()).collect();
            order.rotate_left(round % stores.len());
            let mut rates = vec![0.0; stores.len()];
            for at in order {
                let store = stores[at].as_ref();
                let taken = sides[at].take(store, work, self, next_seed());
                rates[at] = taken.with_context(|| format!("measure {}", store.name()))?;
            }
            for (ratio, rate) in ratios.iter_mut().zip(&rates) {
                ratio.add(rates[0] / rate);
            }
        }
        for (store, side) in stores.iter().zip(&sides) {
            report.line(side.line(store.name(), work, self.disk));
        }
        for (store, ratio) in stores.iter().zip(&ratios).skip(1) {
            report.line(format!(
                "{:<34}{:>9.2} × ({:.2} to {:.2})",
                format!("  {} to {}", stores[0].name(), store.name()),
                ratio.median(),
                ratio.min(),
                ratio.max()
            ));
        }
        Ok(())
    }
}

/// A seed that no turn of this process has had.
fn next_seed() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static SEED: AtomicU64 = AtomicU64::new(1);
    SEED.fetch_add(1, Ordering::Relaxed)
}

/// One store's turns at one kind of work.
#[derive(Debug, Default)]
struct Side {
    per_s: Samples,
    latencies: Latencies,
    events: f64,
    seconds: f64,
    log_bytes: f64,
    syncs: f64,
    cpu_s: f64,
}

impl Side {
    fn take(
        &mut self,
        store: &dyn Store,
        work: Work,
        turns: &Turns<'_>,
        seed: u64,
    ) -> anyhow::Result<f64> {
        let (bytes_before, syncs_before) = store.appended();
        let (before, cpu_before) = (Counters::now(turns.folder), store.cpu_s());
        let load = work.run(store, turns.time, seed)?;
        let counted = Counters::now(turns.folder).since(&before);
        let (bytes, syncs) = store.appended();
        let taken = load.requests as f64 * work.per_request();
        let rate = taken / load.seconds;
        self.per_s.add(rate);
        self.latencies.merge(&load.latencies);
        self.events += taken;
        self.seconds += load.seconds;
        self.log_bytes += bytes - bytes_before;
        self.syncs += syncs
            .zip(syncs_before)
            .map_or(counted.flushes, |(now, then)| now - then);
        self.cpu_s += counted.cpu_s + store.cpu_s() - cpu_before;
        Ok(rate)
    }

    fn line(&self, name: &str, work: Work, disk: Disk) -> String {
        let spread = format!(
            "({} to {})",
            grouped(self.per_s.min()),
            grouped(self.per_s.max())
        );
        let begin = format!(
            "{:<34}{:>9}  {spread:<22}{:>9.2}{:>9.2}",
            format!("{} {name}", work.label()),
            grouped(self.per_s.median()),
            self.latencies.quantile_us(0.5) / 1e3,
            self.latencies.quantile_us(0.99) / 1e3,
        );
        let cpu_us = self.cpu_s / self.events * 1e6;
        match work {
            Work::Append(..) => {
                let bytes_per_s = self.log_bytes / self.seconds;
                format!(
                    "{begin}{:>13.1}{:>8.1}{:>7.1} %{cpu_us:>14.2}",
                    self.events / self.syncs.max(1.0),
                    bytes_per_s / 1e6,
                    bytes_per_s / disk.sequential * 100.0,
                )
            }
            Work::Read(_) => format!("{begin}{:>30}{cpu_us:>14.2}", ""),
        }
    }
}
