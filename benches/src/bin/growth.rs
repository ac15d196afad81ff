//! A city of a million people with some 30 million events: what loading, opening, reading and rebuilding come to.
//!
//! The city is the demo's, made while it is loaded; then a server is told new events of some of its people and killed.
#![expect(
    clippy::disallowed_methods,
    reason = "measuring takes the machine's clock"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Parser;
use sokhoe_benches::child::{self, Server};
use sokhoe_benches::numbers::grouped;
use sokhoe_benches::random::Random;
use sokhoe_benches::report::{self, Begun, Report};
use sokhoe_benches::{http, machine, people};

/// Lines of one batch.
const BATCH_LINES: u64 = 100_000;

#[derive(Debug, Parser)]
struct Arguments {
    /// Where the data lies and is removed again.
    #[arg(long, default_value = "target/benches")]
    folder: PathBuf,
    /// People of the city.
    #[arg(long, default_value_t = 1_000_000)]
    people: u32,
    /// How often they see a health worker, in percent of the usual: 135 makes some 30 events a person.
    #[arg(long, default_value_t = 135)]
    visits: u32,
    /// Batches of 100,000 events between a clean start and the kill.
    #[arg(long, default_value_t = 9)]
    batches: u64,
    /// People whose records are read.
    #[arg(long, default_value_t = 20_000)]
    readers_of: usize,
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
        mut report, folder, ..
    } = report::begin("# growth: a city of a million people", &arguments.folder)?;
    let data = folder.path().join("data");
    let events = load(&arguments, &data, &mut report)?;
    weigh(&data, events as f64, &mut report)?;
    let people = open_and_kill(&arguments, &data, events, &mut report)?;
    read(&data, &people, &mut report)?;
    rebuild(&data, &mut report)?;
    if let Some(name) = &arguments.keep {
        report.keep(name)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Loads the city by `sokhoe demo`; returns how many events it has.
fn load(arguments: &Arguments, data: &Path, report: &mut Report) -> anyhow::Result<u64> {
    report.title("loading: sokhoe demo");
    let (people, visits) = (arguments.people.to_string(), arguments.visits.to_string());
    let start = Instant::now();
    let server = Server::run(&[
        "demo",
        "--data",
        data.to_str().context("UTF-8")?,
        "--people",
        &people,
        "--visits",
        &visits,
        "--listen",
        "127.0.0.1:0",
    ])?;
    let seconds = start.elapsed().as_secs_f64();
    let sheet: serde_json::Value = serde_json::from_slice(&fs::read(data.join("demo.json"))?)?;
    let events = sheet["event_count"].as_u64().context("a count of events")?;
    report.line(format!(
        "{} people, {} events: made, loaded and applied in {seconds:.0} s, {} events/s; then {:.0} MB of memory",
        grouped(f64::from(arguments.people)),
        grouped(events as f64),
        grouped(events as f64 / seconds),
        server.memory_bytes() / 1e6
    ));
    let start = Instant::now();
    drop(server);
    let seconds = start.elapsed().as_secs_f64();
    report.line(format!("clean stop: {seconds:.1} s"));
    Ok(events)
}

/// Prints the bytes on disk of each event, by what they are.
fn weigh(data: &Path, events: f64, report: &mut Report) -> anyhow::Result<()> {
    report.title("bytes on disk an event, after a clean stop");
    let keys = data.with_extension("keys");
    let cache = data.join("cache");
    let mut parts = vec![
        ("log".to_owned(), bytes_below(&data.join("log"))?),
        ("keys".to_owned(), bytes_below(&keys)?),
    ];
    for entry in fs::read_dir(&cache)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        parts.push((format!("cache/{name}"), bytes_below(&path)?));
    }
    // Files of zeros that may become segments are the log's to come, not the past's.
    let ahead = |name: &str| name.contains("prepared");
    parts.sort_by(|a, b| b.1.total_cmp(&a.1));
    for (name, bytes) in &parts {
        let mb = bytes / 1e6;
        report.line(format!("{name:<28}{:>8.1}  {mb:>10.1} MB", bytes / events));
    }
    let sum = |of: &dyn Fn(&str) -> bool| -> f64 {
        let parts = parts.iter().filter(|(name, _)| of(name));
        parts.map(|(_, bytes)| bytes).sum()
    };
    let whole = sum(&|name| !ahead(name)) / events;
    report.line(format!("{:<28}{whole:>8.1}", "sum, without prepared files"));
    Ok(())
}

fn bytes_below(path: &Path) -> anyhow::Result<f64> {
    let about = fs::metadata(path)?;
    if about.is_file() {
        return Ok(about.len() as f64);
    }
    let mut sum = 0.0;
    for entry in fs::read_dir(path)? {
        sum += bytes_below(&entry?.path())?;
    }
    Ok(sum)
}

/// Opens after a clean stop, tells new events, kills, opens again; returns ids of people to read.
fn open_and_kill(
    arguments: &Arguments,
    data: &Path,
    events: u64,
    report: &mut Report,
) -> anyhow::Result<Vec<String>> {
    report.title("opening: until /readyz says yes");
    let token = people::token(data)?;
    let server = opened("after a clean stop", data, report)?;
    let (people, memory) = (f64::from(arguments.people), server.memory_bytes());
    let allowed = 200e6 + 320.0 * people + 2.0 * events as f64;
    report.line(format!(
        "memory then: {:.0} MB, of 200 MB + 320 bytes a person + 2 bytes an event = {:.0} MB",
        memory / 1e6,
        allowed / 1e6
    ));
    let ids = sample(&server, &token, events, arguments.readers_of)?;
    let start = Instant::now();
    for batch in 0..arguments.batches {
        tell(&server, &token, &ids, batch)?;
    }
    let count = arguments.batches * BATCH_LINES;
    report.line(format!(
        "{} new events by one connection in {:.1} s, memory then {:.0} MB",
        grouped(count as f64),
        start.elapsed().as_secs_f64(),
        server.memory_bytes() / 1e6
    ));
    server.kill()?;
    drop(opened("after a kill, these behind it", data, report)?);
    Ok(ids)
}

fn opened(what: &str, data: &Path, report: &mut Report) -> anyhow::Result<Server> {
    let start = Instant::now();
    let server = Server::start(data)?;
    let listens = start.elapsed().as_secs_f64();
    http::ready(&server.address)?;
    let ready = start.elapsed().as_secs_f64();
    report.line(format!(
        "{what}: listens after {listens:.2} s, ready after {ready:.2} s"
    ));
    Ok(server)
}

fn tell(server: &Server, token: &str, people: &[String], batch: u64) -> anyhow::Result<()> {
    let mut body = Vec::new();
    for line in 0..BATCH_LINES {
        let sequence = batch * BATCH_LINES + line;
        let at = usize::try_from(sequence * 7919)? % people.len();
        people::event_for(&mut body, sequence, &people[at], 100 + sequence % 80);
        body.push(b'\n');
    }
    let head = format!(
        "POST /v1/events/batch HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\
         content-type: application/x-ndjson\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let answer = http::post(&server.address, &head, &body)?;
    let taken = answer.windows(13).filter(|w| w == b"\"status\":201,");
    ensure!(
        taken.count() as u64 == BATCH_LINES,
        "not all events were taken"
    );
    Ok(())
}

/// Finds people of whom the hospital's facility has entries, all over the log, by its feed.
fn sample(server: &Server, token: &str, events: u64, count: usize) -> anyhow::Result<Vec<String>> {
    let mut found = BTreeSet::new();
    let mut random = Random::from_seed(9);
    let pages = count / 4;
    for _ in 0..pages {
        let after = random.below(usize::try_from(events)?);
        let head = format!(
            "GET /v1/feed?after={after}&limit=20&kind=person_registered HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\
             sokhoe-purpose: TREAT\r\nconnection: close\r\n\r\n"
        );
        let answer = String::from_utf8(http::post(&server.address, &head, &[])?)?;
        let subjects = answer.split(r#""subject":""#).skip(1);
        found.extend(
            subjects
                .filter_map(|rest| rest.get(..36))
                .map(str::to_owned),
        );
        if found.len() >= count {
            break;
        }
    }
    ensure!(found.len() > 100, "the feed shows {} people", found.len());
    Ok(found.into_iter().take(count).collect())
}

fn read(data: &Path, people: &[String], report: &mut Report) -> anyhow::Result<()> {
    report.title(&format!(
        "GET /v1/people/{{id}} of {} people, 64 connections",
        people.len()
    ));
    let token = people::token(data)?;
    let dropped = machine::drop_caches();
    let server = Server::start(data)?;
    http::ready(&server.address)?;
    let people = Arc::new(people.to_vec());
    let next = Arc::new(AtomicUsize::new(0));
    let once = turn(&server, 600.0, |_| {
        let (token, people, next) = (token.clone(), Arc::clone(&people), Arc::clone(&next));
        move |request: &mut Vec<u8>| {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            if let Some(person) = people.get(nth) {
                people::ask(request, &token, person);
            }
        }
    })?;
    report.line(once.line(if dropped {
        "cold: a new process, the page cache dropped, each once"
    } else {
        "a new process, each once; the page cache could not be dropped"
    }));
    for name in ["filling", "warm"] {
        let turn = turn(&server, 8.0, |number| {
            let (token, people) = (token.clone(), Arc::clone(&people));
            let mut random = Random::from_seed(u64::from(number));
            move |request: &mut Vec<u8>| {
                people::ask(request, &token, &people[random.below(people.len())])
            }
        })?;
        report.line(turn.line(name));
    }
    Ok(())
}

struct Turn(http::Answers);

fn turn<W>(server: &Server, seconds: f64, make: impl Fn(u32) -> W) -> anyhow::Result<Turn>
where
    W: FnMut(&mut Vec<u8>) + Send + 'static,
{
    let load = http::Load {
        address: &server.address,
        connections: 64,
        time: Duration::from_secs_f64(seconds),
        status: 200,
    };
    load.run(make).map(Turn)
}

impl Turn {
    fn line(&self, name: &str) -> String {
        let answers = &self.0;
        let count = answers.latencies.count() as f64;
        format!(
            "{name}: {}/s, p50 {:.1} ms, p99 {:.1} ms, {:.0} bytes an answer, {} errors",
            grouped(count / answers.seconds),
            answers.latencies.quantile_us(0.5) / 1e3,
            answers.latencies.quantile_us(0.99) / 1e3,
            answers.bytes as f64 / count.max(1.0),
            answers.errors
        )
    }
}

/// Opens without any cache: heads, registry, event ids and directory are made anew from the log.
fn rebuild(data: &Path, report: &mut Report) -> anyhow::Result<()> {
    report.title("without a cache");
    fs::remove_dir_all(data.join("cache"))?;
    let start = Instant::now();
    let server = opened("everything made anew", data, report)?;
    let seconds = start.elapsed().as_secs_f64();
    let head = "GET /readyz HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n";
    let answer = String::from_utf8(http::post(&server.address, head, &[])?)?;
    let position = answer
        .split_once(r#""position":"#)
        .and_then(|(_, rest)| {
            rest.split(|c: char| !c.is_ascii_digit())
                .next()?
                .parse()
                .ok()
        })
        .unwrap_or(0.0_f64);
    report.line(format!(
        "{} events, {} events/s; then {:.0} MB of memory",
        grouped(position),
        grouped(position / seconds),
        server.memory_bytes() / 1e6
    ));
    Ok(())
}
