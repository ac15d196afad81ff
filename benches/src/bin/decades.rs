//! What the tables that the writer asks cost an event as a country grows: 1, 10 and 100 million people.
//!
//! Heads, registry and index of event ids only, by the calls that the write path makes, on one thread. There is no log:
//! ids are keyed digests in a server and pseudo-random here, and the index's question what stands at a position is
//! answered by arithmetic. Every person is registered with one identifier; then events of people at random follow.
#![expect(
    clippy::disallowed_methods,
    reason = "measuring takes the machine's clock"
)]

use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Parser;
use sokhoe_benches::machine;
use sokhoe_benches::numbers::grouped;
use sokhoe_benches::random::Random;
use sokhoe_benches::report::Report;
use sokhoe_chain::{EventHash, EventKey, LogId, StreamId};
use sokhoe_record::PersonId;
use sokhoe_registry::{Change, EventKeys, IdRuns, IdentifierDigest, Registry};
use sokhoe_storage::{HeadsAlone, OsDisk};

/// Events of one group.
const GROUP: u64 = 64;
/// Events between two looks whether ids are to leave memory and whether memory is left.
const LOOK_EVERY: u64 = 64 * 1_024;
/// The memory that a machine keeps for others; a decade that would take it is given up.
const SPARED_BYTES: f64 = 2e9;

#[derive(Debug, Parser)]
struct Arguments {
    /// Where the runs of event ids lie and are removed again.
    #[arg(long, default_value = "target/benches")]
    folder: PathBuf,
    /// Counts of people, in millions.
    #[arg(long, value_delimiter = ',', default_value = "1,10,100")]
    millions: Vec<u32>,
    /// Events measured at each count, after everybody's registration.
    #[arg(long, default_value_t = 4_000_000)]
    events: u64,
    /// Keep the output as `benches/runs/<name>.txt`.
    #[arg(long)]
    keep: Option<String>,
}

/// What an event cost at one count of people, in nanoseconds.
struct Cost {
    known: f64,
    id: f64,
    head: f64,
    /// Moving ids into runs and merging these, off the writer's thread in a server; over all events of the log.
    settling: f64,
}

impl Cost {
    fn sum(&self) -> f64 {
        self.known + self.id + self.head + self.settling
    }
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    fs::create_dir_all(&arguments.folder)?;
    let mut report = Report::default();
    report.line("# decades: what the writer's tables cost an event as people grow in number");
    machine::describe(&mut report, &arguments.folder);
    let mut before: Option<f64> = None;
    for millions in &arguments.millions {
        let people = u64::from(*millions) * 1_000_000;
        report.title(&format!("{} people", grouped(people as f64)));
        // Each count starts from an empty folder, and from memory given back.
        let folder = tempfile::tempdir_in(&arguments.folder)?;
        let Some(cost) = measure(folder.path(), people, arguments.events, &mut report)? else {
            break;
        };
        report.line(format!(
            "an event: person known {:.0} ns, id new and taken {:.0} ns, head {:.0} ns, settling ids {:.0} ns: {:.0} ns",
            cost.known, cost.id, cost.head, cost.settling, cost.sum()
        ));
        if let Some(before) = before {
            report.line(format!(
                "to the count before: {:.2} times, {:.0} ns more",
                cost.sum() / before,
                cost.sum() - before
            ));
        }
        before = Some(cost.sum());
    }
    if let Some(name) = &arguments.keep {
        report.keep(name)?;
    }
    Ok(())
}

/// Measures one count of people; `None` where memory does not suffice.
fn measure(
    folder: &Path,
    people: u64,
    events: u64,
    report: &mut Report,
) -> anyhow::Result<Option<Cost>> {
    let memory = machine::memory_bytes("self");
    let mut tables = Tables::new(folder)?;
    let start = Instant::now();
    while tables.position < people {
        if tables.position % LOOK_EVERY == 0 && memory_left() < SPARED_BYTES {
            report.line(format!(
                "given up at {} people: {:.1} GB of memory taken, less than {:.0} GB left",
                grouped(tables.position as f64),
                (machine::memory_bytes("self") - memory) / 1e9,
                SPARED_BYTES / 1e9
            ));
            return Ok(None);
        }
        tables.register(GROUP.min(people - tables.position))?;
    }
    let seconds = (start.elapsed() - tables.settling).as_secs_f64();
    let taken = machine::memory_bytes("self") - memory;
    let (hot, filters) = tables.registry.id_memory();
    report.line(format!(
        "registered at {:.0} ns each; {:.1} GB of memory, {:.0} bytes a person, of them {:.0} MB filters of ids; {} ids in memory",
        seconds * 1e9 / people as f64,
        taken / 1e9,
        taken / people as f64,
        filters as f64 / 1e6,
        grouped(hot as f64)
    ));
    let mut times = [Duration::ZERO; 3];
    let mut random = Random::from_seed(people);
    for _ in 0..events / GROUP {
        tables.append(people, &mut random, &mut times)?;
    }
    ensure!(
        u64::from(tables.heads.count()) == people,
        "a head is missing"
    );
    // Ids taken are still taken, wherever they lie by now.
    for _ in 0..1_000 {
        let position = 1 + random.number() % tables.position;
        let found = tables.registry.taken(key_at(position));
        ensure!(found == Some(position), "an event id was forgotten");
    }
    let each = |time: Duration, events: u64| time.as_secs_f64() * 1e9 / events as f64;
    let [known, id, head] = times.map(|time| each(time, events / GROUP * GROUP));
    Ok(Some(Cost {
        known,
        id,
        head,
        settling: each(tables.settling, tables.position),
    }))
}

struct Tables {
    registry: Registry,
    heads: HeadsAlone,
    position: u64,
    settling: Duration,
}

impl Tables {
    fn new(folder: &Path) -> anyhow::Result<Self> {
        let mut registry = Registry::new();
        let place = IdRuns {
            disk: Arc::new(OsDisk),
            folder: folder.join("ids"),
            log: LogId([1; 16]),
            keys: Arc::new(Keys),
        };
        registry.keep_ids(place, 0, 0)?;
        Ok(Self {
            registry,
            heads: HeadsAlone::default(),
            position: 0,
            settling: Duration::ZERO,
        })
    }

    /// Registers the next people, a group of events.
    fn register(&mut self, count: u64) -> anyhow::Result<()> {
        let numbers = self.position..self.position + count;
        let changes: Vec<Change> = numbers.clone().map(registration).collect();
        for number in numbers.clone() {
            self.take(number + 1)?;
        }
        let events = changes.iter().map(std::slice::from_ref);
        let events = events.zip(self.position + 1..);
        let applied = self.registry.apply_all(events);
        ensure!(applied.is_ok(), "a registration is refused");
        let streams: Vec<StreamId> = numbers.map(|number| StreamId(id_of(number))).collect();
        self.heads.advance(&streams, EventHash::ZERO);
        self.reach(self.position + count)
    }

    /// Appends a group of events of people at random and adds the times of its three parts.
    fn append(
        &mut self,
        people: u64,
        random: &mut Random,
        times: &mut [Duration; 3],
    ) -> anyhow::Result<()> {
        let streams: Vec<StreamId> = (0..GROUP)
            .map(|_| StreamId(id_of(random.number() % people)))
            .collect();
        let [known, id, head] = times;
        let start = Instant::now();
        let knows = |stream: &StreamId| self.registry.knows(PersonId::from_bytes(stream.0));
        ensure!(streams.iter().all(knows), "a person is not known");
        let checked = Instant::now();
        for position in self.position + 1..=self.position + GROUP {
            // Asked while the event is prepared, and again by the writer.
            let free = self.registry.taken(key_at(position)).is_none();
            ensure!(free, "a new event id is taken");
            self.take(position)?;
        }
        let taken = Instant::now();
        self.heads.advance(&streams, EventHash::ZERO);
        *known += checked - start;
        *id += taken - checked;
        *head += taken.elapsed();
        self.reach(self.position + GROUP)
    }

    fn take(&self, position: u64) -> anyhow::Result<()> {
        let taken = self.registry.take(key_at(position), position);
        ensure!(taken.is_ok(), "a new event id is taken");
        Ok(())
    }

    /// Goes on to a position, and does what a server's other thread would do.
    fn reach(&mut self, position: u64) -> anyhow::Result<()> {
        let look = position / LOOK_EVERY > self.position / LOOK_EVERY;
        self.position = position;
        if look {
            let start = Instant::now();
            self.registry.settle_ids(position, false)?;
            self.settling += start.elapsed();
        }
        Ok(())
    }
}

fn registration(number: u64) -> Change {
    Change::Registered {
        person: PersonId::from_bytes(id_of(number)),
        identifiers: vec![IdentifierDigest(mixed(2, number))],
    }
}

fn id_of(number: u64) -> [u8; 16] {
    mixed(1, number)
}

fn key_at(position: u64) -> EventKey {
    EventKey(mixed(3, position))
}

/// Returns 16 bytes that look random, always the same for a number, and another's for none: mixing loses nothing.
fn mixed(what: u64, number: u64) -> [u8; 16] {
    Random::from_seed(what << 60 ^ number.wrapping_mul(0xD6E8_FEB8_6659_FD93)).id()
}

/// A log that knows its keys by arithmetic.
#[derive(Debug)]
struct Keys;

impl EventKeys for Keys {
    fn at(&self, position: u64) -> io::Result<EventKey> {
        Ok(key_at(position))
    }

    fn each(
        &self,
        mut positions: RangeInclusive<u64>,
        visit: &mut dyn FnMut(u64, EventKey),
    ) -> io::Result<()> {
        positions.try_for_each(|position| {
            visit(position, key_at(position));
            Ok(())
        })
    }
}

/// Bytes of memory that the machine can still give.
fn memory_left() -> f64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    // A machine that does not say is taken to have enough.
    kilobytes.map_or(f64::INFINITY, |kilobytes| kilobytes * 1024.0)
}
