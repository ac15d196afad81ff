//! The same appends and reads on Sokhoe and on other event stores, each that is present, in turns of one run.
//!
//! First in one process: Sokhoe's write side beside the embedded Tephra. Then over sockets, with events as small as
//! theirs: `sokhoe serve`, `tephra-server`, UmaDB and PostgreSQL with message-db. All of them answer an append when it
//! is synced. `README.md` says how the peers get here and what the comparison leaves out.

mod message_db;
mod process;
mod served;
mod sokhoe_server;
mod tephra_server;
mod umadb;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use sokhoe_benches::append::{
    self, HEADS, PAYLOAD_BYTES, ROWS, Sokhoe, Store, Tephra, Turns, Work,
};
use sokhoe_benches::child;
use sokhoe_benches::numbers::grouped;
use sokhoe_benches::report::{self, Begun, Report};

use crate::sokhoe_server::SokhoeServer;

/// Readers of the reading row.
const READERS: usize = 64;

#[derive(Debug, Parser)]
struct Arguments {
    /// Where the stores lie and are removed again; its disk is what is measured.
    #[arg(long, default_value = "target/benches")]
    folder: PathBuf,
    /// Where `prepare` has put the peers.
    #[arg(long, default_value = "target/peers")]
    peers: PathBuf,
    /// PostgreSQL's programs.
    #[arg(long, default_value = "/usr/lib/postgresql/15/bin")]
    postgres: PathBuf,
    /// People whose streams there are.
    #[arg(long, default_value_t = 100_000)]
    people: usize,
    /// Events that everybody has before the reads.
    #[arg(long, default_value_t = 10)]
    each: usize,
    /// Turns of each store at each row.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of one turn.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Only the rows with these numbers, from 0; 5 are the reads.
    #[arg(long, value_delimiter = ',')]
    rows: Vec<usize>,
    /// Keep the output as `benches/runs/<name>.txt`.
    #[arg(long)]
    keep: Option<String>,
}

fn main() -> anyhow::Result<ExitCode> {
    if let Some(code) = child::as_sokhoe() {
        return Ok(code);
    }
    let arguments = Arguments::parse();
    let Begun {
        mut report,
        folder,
        disk,
    } = report::begin(
        "# peers: the same appends and reads on other event stores",
        &arguments.folder,
    )?;
    let turns = Turns {
        rounds: arguments.rounds,
        time: Duration::from_secs_f64(arguments.seconds),
        folder: folder.path(),
        disk,
    };
    let people = arguments.people;
    let embedded: Vec<Box<dyn Store>> = vec![
        Box::new(Sokhoe::open(&folder.path().join("sokhoe"), people)?),
        Box::new(Tephra::open(&folder.path().join("tephra"), people)?),
    ];
    measure("in one process", &embedded, &arguments, &turns, &mut report)?;
    drop(embedded);
    let served = serve(&arguments, folder.path(), &mut report)?;
    measure("over sockets", &served, &arguments, &turns, &mut report)?;
    if let Some(name) = &arguments.keep {
        report.keep(name)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Starts every server that is there, Sokhoe's first.
fn serve(
    arguments: &Arguments,
    folder: &Path,
    report: &mut Report,
) -> anyhow::Result<Vec<Box<dyn Store>>> {
    let people = arguments.people;
    let peers = arguments.peers.canonicalize().unwrap_or_default();
    let mut stores: Vec<Box<dyn Store>> = vec![Box::new(SokhoeServer::start(
        &folder.join("serve"),
        people,
    )?)];
    report.title("peers present");
    let mut present = |name: &str, path: &Path| {
        let there = path.exists();
        report.line(format!(
            "{name}: {}",
            if there {
                "yes"
            } else {
                "left out, it is not here"
            }
        ));
        there
    };
    let program = peers.join("bin/tephra-server");
    if present("tephra-server", &program) {
        let folder = folder.join("tephra-server");
        stores.push(Box::new(tephra_server::start(&program, &folder, people)?));
    }
    let program = peers.join("python/bin/umadb");
    if present("UmaDB", &program) {
        stores.push(Box::new(umadb::start(
            &program,
            &folder.join("umadb"),
            people,
        )?));
    }
    let message_db = peers.join("package");
    let program = arguments.postgres.join("postgres");
    if present("PostgreSQL", &program) && present("message-db", &message_db) {
        let folder = folder.join("postgres");
        let programs = &arguments.postgres;
        stores.push(Box::new(message_db::start(
            programs,
            &message_db,
            &folder,
            people,
        )?));
    }
    Ok(stores)
}

fn measure(
    title: &str,
    stores: &[Box<dyn Store>],
    arguments: &Arguments,
    turns: &Turns<'_>,
    report: &mut Report,
) -> anyhow::Result<()> {
    report.title(&format!(
        "{title}: {} people, {PAYLOAD_BYTES}-byte payloads, {} turns of {} s each",
        grouped(arguments.people as f64),
        arguments.rounds,
        arguments.seconds
    ));
    for store in stores {
        let start = Instant::now();
        append::fill(store.as_ref(), arguments.each)?;
        let (name, each, seconds) = (store.name(), arguments.each, start.elapsed().as_secs_f64());
        report.line(format!("{name}: {each} events each, {seconds:.1} s"));
    }
    report.line(HEADS);
    let wanted = |row| arguments.rows.is_empty() || arguments.rows.contains(&row);
    if wanted(ROWS.len()) {
        turns.measure(Work::Read(READERS), stores, report)?;
    }
    for (row, (writers, events)) in ROWS.into_iter().enumerate() {
        if wanted(row) {
            turns.measure(Work::Append(writers, events), stores, report)?;
        }
    }
    Ok(())
}
