//! How quickly proofs over 30 million events are made and checked, how soon an event is under a signed checkpoint,
//! and what keeping the tree on disk costs the writer.
//!
//! The large tree is one of made-up leaves, built straight into the files that proofs are read from. Checkpoints are
//! asked for over HTTP while other connections post as fast as they are answered.
#![expect(
    clippy::disallowed_methods,
    reason = "measuring takes the machine's clock"
)]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::Parser;
use sokhoe_benches::append::{self, Sokhoe, Store as _};
use sokhoe_benches::child::{self, Server};
use sokhoe_benches::numbers::{Latencies, Samples, grouped};
use sokhoe_benches::random::Random;
use sokhoe_benches::report::{self, Begun, Report};
use sokhoe_benches::{http, load, machine, people};
use sokhoe_chain::proof::{
    Consistency, Inclusion, prove_consistency, prove_inclusion, verify_consistency,
    verify_inclusion,
};
use sokhoe_chain::{Frontier, NodeHash, ProofError};
use sokhoe_storage::{OsDisk, TreeFiles, TreeStore};

#[derive(Debug, Parser)]
struct Arguments {
    /// Where the data lies and is removed again; its disk is what is measured.
    #[arg(long, default_value = "target/benches")]
    folder: PathBuf,
    /// Leaves of the tree that is proved from.
    #[arg(long, default_value_t = 30_000_000)]
    leaves: u64,
    /// Proofs made and checked of each kind.
    #[arg(long, default_value_t = 20_000)]
    proofs: u32,
    /// Seconds of posting while checkpoints are waited for.
    #[arg(long, default_value_t = 40.0)]
    seconds: f64,
    /// Turns of appending with and without the tree on disk.
    #[arg(long, default_value_t = 6)]
    rounds: u32,
    /// Keep the output as `benches/runs/<name>.txt`.
    #[arg(long)]
    keep: Option<String>,
}

/// People that events are posted and appended for.
const PEOPLE: u32 = 100_000;
/// Connections that post.
const CONNECTIONS: u32 = 60;
/// Connections that wait for the checkpoint over their own event.
const WAITING: u32 = 4;
/// Writers, and events of each of their requests.
const APPEND: (usize, usize) = (64, 64);

fn main() -> anyhow::Result<ExitCode> {
    if let Some(code) = child::as_sokhoe() {
        return Ok(code);
    }
    let arguments = Arguments::parse();
    let Begun {
        mut report, folder, ..
    } = report::begin("# proofs: made, checked, signed", &arguments.folder)?;
    large_tree(&arguments, &folder.path().join("tree"), &mut report)?;
    checkpoints(&arguments, folder.path(), &mut report)?;
    following(&arguments, &folder.path().join("append"), &mut report)?;
    if let Some(name) = &arguments.keep {
        report.keep(name)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn line(name: &str, latencies: &Latencies) -> String {
    let us = |share: f64| latencies.quantile_us(share);
    format!(
        "{name:<24}{:>10.1}{:>10.1}{:>10.1}{:>10.1}",
        us(0.5),
        us(0.99),
        us(0.999),
        latencies.max_us()
    )
}

/// The leaf at an index, which can be had again without keeping it.
fn leaf(index: u64) -> NodeHash {
    let mut bytes = [0; 32];
    Random::from_seed(index).fill(&mut bytes);
    NodeHash(bytes)
}

fn build(files: &TreeFiles, leaves: u64) -> anyhow::Result<Frontier> {
    let mut frontier = Frontier::default();
    let mut part = Vec::new();
    while frontier.size() < leaves {
        let first = frontier.size();
        part.clear();
        part.extend((first..leaves.min(first + (1 << 16))).map(leaf));
        files.append(&mut frontier, &part)?;
    }
    Ok(frontier)
}

/// Why a proof of the bench failed.
#[derive(Debug)]
enum Failed {
    Disk(std::io::Error),
    Proof(ProofError),
}

impl From<ProofError> for Failed {
    fn from(error: ProofError) -> Self {
        Self::Proof(error)
    }
}

fn large_tree(arguments: &Arguments, folder: &Path, report: &mut Report) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder.join("cache"))?;
    let files = TreeFiles::open(&OsDisk, folder)?;
    let start = Instant::now();
    let frontier = build(&files, arguments.leaves)?;
    let (size, root) = (frontier.size(), frontier.root());
    report.title(&format!("a tree of {} leaves", grouped(size as f64)));
    report.line(format!(
        "built in {:.1} s; files of {:.0} MB; memory {:.0} MB",
        start.elapsed().as_secs_f64(),
        folder_bytes(&folder.join("cache"))? / 1e6,
        machine::memory_bytes("self") / 1e6,
    ));
    report.line("µs                          median       p99     p99.9       max");
    let node = |level, index| files.node(level, index).map_err(Failed::Disk);
    let failed = |error: Failed| match error {
        Failed::Disk(error) => anyhow::Error::new(error),
        Failed::Proof(error) => anyhow::Error::new(error),
    };
    let mut random = Random::from_seed(7);
    let mut below = |bound: u64| usize::try_from(bound).map(|bound| random.below(bound) as u64);
    let [mut made, mut checked] = [Latencies::default(), Latencies::default()];
    for _ in 0..arguments.proofs {
        let index = below(size)?;
        let start = Instant::now();
        let hashes = prove_inclusion(index, size, node).map_err(failed)?;
        made.add(start.elapsed());
        let claim = Inclusion {
            index,
            size,
            leaf: leaf(index),
            root,
        };
        let start = Instant::now();
        verify_inclusion(&claim, &hashes)?;
        checked.add(start.elapsed());
    }
    report.line(line("inclusion, to make", &made));
    report.line(line("inclusion, to check", &checked));
    let [mut made, mut checked] = [Latencies::default(), Latencies::default()];
    for _ in 0..arguments.proofs {
        let old_size = below(size)? + 1;
        let start = Instant::now();
        let old_root = files.frontier(old_size)?.root();
        let hashes = prove_consistency(old_size, size, node).map_err(failed)?;
        made.add(start.elapsed());
        let claim = Consistency {
            old_size,
            new_size: size,
            old_root,
            new_root: root,
        };
        let start = Instant::now();
        verify_consistency(&claim, &hashes)?;
        checked.add(start.elapsed());
    }
    report.line(line("consistency, to make", &made));
    report.line(line("consistency, to check", &checked));
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

fn folder_bytes(folder: &Path) -> anyhow::Result<f64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes as f64)
}

fn exchange(address: &str, request: &[u8]) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(request)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let text = String::from_utf8(answer).context("an answer in UTF-8")?;
    let (_, body) = text.split_once("\r\n\r\n").context("a whole answer")?;
    Ok(body.to_owned())
}

/// Sends an event and asks for the checkpoint until it covers it.
fn until_signed(address: &str, head: &str, body: &[u8]) -> anyhow::Result<()> {
    let mut request = format!("{head}{}\r\nconnection: close\r\n\r\n", body.len()).into_bytes();
    request.extend_from_slice(body);
    let receipt: serde_json::Value = loop {
        let receipt: serde_json::Value = serde_json::from_str(&exchange(address, &request)?)?;
        // 503: there was no room; the same event is sent again.
        if receipt["status"] != 503 {
            break receipt;
        }
    };
    let position = receipt["position"].as_u64().context("a receipt")?;
    let ask = b"GET /checkpoint HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n";
    loop {
        let note = exchange(address, ask)?;
        let size = note
            .lines()
            .nth(1)
            .and_then(|size| size.parse::<u64>().ok());
        if size.context("a checkpoint")? >= position {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn checkpoints(arguments: &Arguments, folder: &Path, report: &mut Report) -> anyhow::Result<()> {
    let data = folder.join("data");
    people::register(&data, folder, PEOPLE)?;
    let token = people::token(&data)?;
    let server = Server::start(&data)?;
    http::ready(&server.address)?;
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: "
    );
    let time = Duration::from_secs_f64(arguments.seconds);
    let (over, sequence) = (AtomicBool::new(false), Arc::new(AtomicU64::new(0)));
    let (posted, waited) = std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..WAITING)
            .map(|number| {
                let (head, over, address) = (&head, &over, &server.address);
                scope.spawn(move || {
                    let (mut latencies, mut sent) = (Latencies::default(), 0);
                    while !over.load(Ordering::Relaxed) {
                        let mut body = Vec::new();
                        people::event(&mut body, 100 + number, sent, number, 120);
                        sent += 1;
                        let start = Instant::now();
                        until_signed(address, head, &body)?;
                        latencies.add(start.elapsed());
                    }
                    Ok::<_, anyhow::Error>(latencies)
                })
            })
            .collect();
        let posted = post(&server.address, &head, time, &sequence);
        over.store(true, Ordering::Relaxed);
        let mut waited = Latencies::default();
        for thread in waiting {
            match thread.join() {
                Ok(latencies) => waited.merge(&latencies?),
                Err(_) => bail!("a waiting thread failed"),
            }
        }
        Ok((posted?, waited))
    })?;
    report.title("event sent to event under a signed checkpoint, over HTTP");
    report.line(format!(
        "{CONNECTIONS} connections post {} events/s; {} events waited for by {WAITING} more",
        grouped(posted.latencies.count() as f64 / posted.seconds),
        grouped(waited.count() as f64),
    ));
    report.line("µs                          median       p99     p99.9       max");
    report.line(line("event to checkpoint", &waited));
    Ok(())
}

fn post(
    address: &str,
    head: &str,
    time: Duration,
    sequence: &Arc<AtomicU64>,
) -> anyhow::Result<http::Answers> {
    let load = http::Load {
        address,
        connections: CONNECTIONS,
        time,
        status: 201,
    };
    load.run(|number| {
        let mut random = Random::from_seed(u64::from(number));
        let (head, sequence) = (head.to_owned(), Arc::clone(sequence));
        let mut body = Vec::new();
        move |request: &mut Vec<u8>| {
            let sequence = sequence.fetch_add(1, Ordering::Relaxed);
            let person = u32::try_from(random.below(PEOPLE as usize)).unwrap_or(0);
            body.clear();
            people::event(&mut body, 1, sequence, person, 100 + random.number() % 80);
            request.extend_from_slice(head.as_bytes());
            // Writing to memory does not fail.
            let _ = write!(request, "{}\r\n\r\n", body.len());
            request.extend_from_slice(&body);
        }
    })
}

/// Appends for a time; returns events a second.
fn append_for(store: &Sokhoe, time: Duration, seed: u64) -> anyhow::Result<f64> {
    let (writers, events) = APPEND;
    let load = load::run(writers, time, |number| {
        let seed = seed << 16 | (number as u64 + 1);
        let mut random = Random::from_seed(seed);
        let mut client = store.client(seed);
        move || {
            let chosen: Vec<usize> = (0..events).map(|_| random.below(PEOPLE as usize)).collect();
            match &mut client {
                Ok(client) => client.append(&chosen),
                Err(error) => bail!("{error:#}"),
            }
        }
    })?;
    ensure!(load.requests > 0, "nothing was appended");
    Ok(load.requests as f64 * events as f64 / load.seconds)
}

fn following(arguments: &Arguments, folder: &Path, report: &mut Report) -> anyhow::Result<()> {
    let store = Sokhoe::open(folder, PEOPLE as usize)?;
    append::fill(&store, 1)?;
    let time = Duration::from_secs(4);
    let [mut without, mut with, mut ratios] = [(); 3].map(|()| Samples::default());
    append_for(&store, time, 1)?;
    for round in 0..arguments.rounds {
        let seed = 2 + 2 * u64::from(round);
        let turn = |following: bool| {
            let tree = following
                .then(|| TreeStore::start(store.reader().clone()))
                .transpose()?;
            if let Some(tree) = &tree {
                let caught_up =
                    tree.wait_for(store.reader().position().get(), Duration::from_secs(120));
                ensure!(caught_up, "the tree did not catch up");
            }
            append_for(&store, time, seed + u64::from(following))
        };
        // Who begins changes, so that what one leaves to the disk hits both.
        let (plain, followed) = if round % 2 == 0 {
            let plain = turn(false)?;
            (plain, turn(true)?)
        } else {
            let followed = turn(true)?;
            (turn(false)?, followed)
        };
        without.add(plain);
        with.add(followed);
        ratios.add(followed / plain);
    }
    report.title(&format!(
        "append, {} × {}, {} turns of {} s each way",
        APPEND.0,
        APPEND.1,
        arguments.rounds,
        time.as_secs()
    ));
    for (name, side) in [("without the tree", &without), ("with the tree", &with)] {
        report.line(format!(
            "{name:<24}{:>12} events/s ({} to {})",
            grouped(side.median()),
            grouped(side.min()),
            grouped(side.max())
        ));
    }
    report.line(format!(
        "following costs {:.1} % of the rate ({:.1} to {:.1})",
        (1.0 - ratios.median()) * 100.0,
        (1.0 - ratios.max()) * 100.0,
        (1.0 - ratios.min()) * 100.0
    ));
    Ok(())
}
