//! How many events a second `sokhoe serve` takes as streamed batches over HTTP.
//!
//! Server and load generator share the machine's cores. Every event is new; every result line is read and must be 201.
#![expect(
    clippy::disallowed_methods,
    reason = "measuring takes the machine's clock"
)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::ensure;
use clap::Parser;
use sokhoe_benches::child::{self, Server};
use sokhoe_benches::http;
use sokhoe_benches::machine::Counters;
use sokhoe_benches::numbers::grouped;
use sokhoe_benches::people;
use sokhoe_benches::random::Random;
use sokhoe_benches::report::{self, Begun};

#[derive(Debug, Parser)]
struct Arguments {
    /// Where the data lies and is removed again; its disk is what is measured.
    #[arg(long, default_value = "target/benches")]
    folder: PathBuf,
    /// Registered people.
    #[arg(long, default_value_t = 100_000)]
    people: u32,
    /// Batches sent at a time, each over a connection of its own.
    #[arg(long, default_value_t = 4)]
    connections: u32,
    /// Events of one batch.
    #[arg(long, default_value_t = 100_000)]
    events: u32,
    /// Turns after the warm-up.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Keep the output as `benches/runs/<name>.txt`.
    #[arg(long)]
    keep: Option<String>,
}

fn main() -> anyhow::Result<ExitCode> {
    if let Some(code) = child::as_sokhoe() {
        return Ok(code);
    }
    let arguments = Arguments::parse();
    let title =
        "# batch: events in streamed batches over HTTP, each line answered when it is durable";
    let Begun {
        mut report, folder, ..
    } = report::begin(title, &arguments.folder)?;
    let data = folder.path().join("data");
    people::register(&data, folder.path(), arguments.people)?;
    let token = people::token(&data)?;
    let server = Server::start(&data)?;
    http::ready(&server.address)?;

    report.title(&format!(
        "POST /v1/events/batch, {} connections × {} events",
        arguments.connections,
        grouped(f64::from(arguments.events))
    ));
    report.line("turn         events/s    MB/s in   CPU µs/event: server, client");
    for round in 0..=arguments.rounds {
        let bodies: Vec<Vec<u8>> = (0..arguments.connections)
            .map(|number| body(&arguments, round, number))
            .collect();
        let bytes: usize = bodies.iter().map(Vec::len).sum();
        let before = (Counters::now(folder.path()), server.cpu_s());
        let start = Instant::now();
        let taken = send(&server.address, &token, &bodies)?;
        let seconds = start.elapsed().as_secs_f64();
        let expected = u64::from(arguments.connections) * u64::from(arguments.events);
        ensure!(taken == expected, "{taken} of {expected} events were taken");
        let count = expected as f64;
        let name = if round == 0 {
            "warm-up".to_owned()
        } else {
            round.to_string()
        };
        report.line(format!(
            "{name:<10}{:>11}{:>11.1}{:>22.2}{:>9.2}",
            grouped(count / seconds),
            bytes as f64 / seconds / 1e6,
            (server.cpu_s() - before.1) / count * 1e6,
            Counters::now(folder.path()).since(&before.0).cpu_s / count * 1e6,
        ));
    }
    if let Some(name) = &arguments.keep {
        report.keep(name)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn body(arguments: &Arguments, round: u32, number: u32) -> Vec<u8> {
    let mut random = Random::from_seed(u64::from(round) << 32 | u64::from(number));
    let mut body = Vec::new();
    for event in 0..arguments.events {
        let sequence = u64::from(number) << 32 | u64::from(event);
        let person = u32::try_from(random.below(arguments.people as usize)).unwrap_or(0);
        people::event(
            &mut body,
            round,
            sequence,
            person,
            100 + random.number() % 80,
        );
        body.push(b'\n');
    }
    body
}

/// Sends all batches at once and counts the lines that were taken.
fn send(address: &str, token: &str, bodies: &[Vec<u8>]) -> anyhow::Result<u64> {
    std::thread::scope(|scope| {
        let sent: Vec<_> = bodies
            .iter()
            .map(|body| {
                scope.spawn(move || {
                    let head = format!(
                        "POST /v1/events/batch HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
                         authorization: Bearer {token}\r\ncontent-type: application/x-ndjson\r\n\
                         content-length: {}\r\n\r\n",
                        body.len()
                    );
                    let answer = http::post(address, &head, body)?;
                    Ok::<u64, anyhow::Error>(taken(&answer))
                })
            })
            .collect();
        let mut all = 0;
        for sent in sent {
            all += sent
                .join()
                .map_err(|_| anyhow::anyhow!("a thread failed"))??;
        }
        Ok(all)
    })
}

/// Counts result lines with status 201; a chunk's border may part one, which then counts once all the same.
fn taken(answer: &[u8]) -> u64 {
    let mut text = Vec::with_capacity(answer.len());
    let body = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map_or(0, |at| at + 4);
    let mut rest = answer.get(body..).unwrap_or_default();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end])
            .ok()
            .and_then(|hex| usize::from_str_radix(hex, 16).ok());
        let from = end + 2;
        let until = (from + size.unwrap_or(0)).min(rest.len());
        text.extend_from_slice(&rest[from..until]);
        rest = rest.get(until + 2..).unwrap_or_default();
    }
    let status = b"\"status\":201,";
    text.split(|byte| *byte == b'\n')
        .filter(|line| line.windows(status.len()).any(|window| window == status))
        .count() as u64
}
