//! How many single events a second `sokhoe serve` takes over HTTP, and how long each waits for its receipt.
//!
//! Server and load generator share the machine's cores. Every event is new, for a person picked at random, with a
//! token of a hospital; every answer is read and must be 201.
#![expect(
    clippy::disallowed_methods,
    reason = "measuring takes the machine's clock"
)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser;
use sokhoe_benches::child::{self, Server};
use sokhoe_benches::machine::Counters;
use sokhoe_benches::numbers::grouped;
use sokhoe_benches::report::{self, Begun};

use sokhoe_benches::http::{self, Answers};
use sokhoe_benches::people;
use sokhoe_benches::random::Random;

#[derive(Debug, Parser)]
struct Arguments {
    /// Where the data lies and is removed again; its disk is what is measured.
    #[arg(long, default_value = "target/benches")]
    folder: PathBuf,
    /// Registered people.
    #[arg(long, default_value_t = 100_000)]
    people: u32,
    /// Connections, each with one request at a time.
    #[arg(long, default_value_t = 64)]
    connections: u32,
    /// Connections of a last turn that asks for more than there is: who is refused asks again at once.
    #[arg(long, default_value_t = 192)]
    overload: u32,
    /// Seconds of that turn; none when 0.
    #[arg(long, default_value_t = 60.0)]
    overload_seconds: f64,
    /// Turns.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Seconds of one turn.
    #[arg(long, default_value_t = 8.0)]
    seconds: f64,
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
    } = report::begin(
        "# post: single events over HTTP, each answered when it is durable",
        &arguments.folder,
    )?;

    report.title("setup");
    let data = folder.path().join("data");
    let start = Instant::now();
    people::register(&data, folder.path(), arguments.people)?;
    report.line(format!(
        "{} people registered by `sokhoe import events`, {:.1} s",
        grouped(f64::from(arguments.people)),
        start.elapsed().as_secs_f64()
    ));
    let token = people::token(&data)?;
    let server = Server::start(&data)?;
    http::ready(&server.address).context("wait until the server is ready")?;

    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: ",
        server.address
    );
    report.title(&format!(
        "POST /v1/events, {} connections, turns of {} s",
        arguments.connections, arguments.seconds
    ));
    report.line(
        "turn       requests/s    p50 ms    p99 ms  p99.9 ms    max ms   errors   CPU µs/request: server, client   requests/flush",
    );
    let turns = Turns {
        server: &server,
        folder: folder.path(),
        head: &head,
        people: arguments.people,
    };
    for round in 0..=arguments.rounds {
        let name = match round {
            0 => "warm-up".to_owned(),
            round => round.to_string(),
        };
        let (line, _) = turns.run(round, &name, arguments.connections, arguments.seconds)?;
        report.line(line);
    }
    if arguments.overload_seconds > 0.0 {
        let (before, seconds) = (server.memory_bytes(), arguments.overload_seconds);
        let (line, count) = turns.run(
            arguments.rounds + 1,
            "overload",
            arguments.overload,
            seconds,
        )?;
        report.line(line);
        report.line(format!(
            "overload: {} connections for {seconds} s, refused ones ask again at once; errors are 503; \
             the server's memory: {:.0} MB before, {:.0} MB after {count} more events",
            arguments.overload,
            before / 1e6,
            server.memory_bytes() / 1e6,
        ));
    }
    if let Some(name) = &arguments.keep {
        report.keep(name)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What all turns share.
struct Turns<'a> {
    server: &'a Server,
    folder: &'a Path,
    head: &'a str,
    people: u32,
}

impl Turns<'_> {
    /// Sends new events for a time; returns the line to print and how many were taken.
    fn run(
        &self,
        round: u32,
        name: &str,
        connections: u32,
        seconds: f64,
    ) -> anyhow::Result<(String, u64)> {
        let before = (Counters::now(self.folder), self.server.cpu_s());
        let load = http::Load {
            address: &self.server.address,
            connections,
            time: Duration::from_secs_f64(seconds),
            status: 201,
        };
        let sequence = Arc::new(AtomicU64::new(0));
        let answers = load.run(|number| {
            let mut random = Random::from_seed(u64::from(round) << 32 | u64::from(number));
            let (head, sequence) = (self.head.to_owned(), Arc::clone(&sequence));
            let (people, mut body) = (self.people, Vec::new());
            move |request: &mut Vec<u8>| {
                let sequence = sequence.fetch_add(1, Ordering::Relaxed);
                let person = u32::try_from(random.below(people as usize)).unwrap_or(0);
                let high = 100 + random.number() % 80;
                body.clear();
                people::event(&mut body, round, sequence, person, high);
                request.extend_from_slice(head.as_bytes());
                // Writing to memory does not fail.
                let _ = write!(request, "{}\r\n\r\n", body.len());
                request.extend_from_slice(&body);
            }
        })?;
        let counted = Counters::now(self.folder).since(&before.0);
        let server_s = self.server.cpu_s() - before.1;
        let count = answers.latencies.count();
        Ok((line(name, &answers, &counted, server_s), count))
    }
}

fn line(name: &str, answers: &Answers, counted: &Counters, server_s: f64) -> String {
    let count = answers.latencies.count() as f64;
    let ms = |share: f64| answers.latencies.quantile_us(share) / 1e3;
    format!(
        "{name:<10}{:>11}{:>10.2}{:>10.2}{:>10.2}{:>10.2}{:>9}{:>24.1}{:>9.1}{:>17.1}",
        grouped(count / answers.seconds),
        ms(0.5),
        ms(0.99),
        ms(0.999),
        answers.latencies.max_us() / 1e3,
        answers.errors,
        server_s / count * 1e6,
        counted.cpu_s / count * 1e6,
        count / counted.flushes.max(1.0),
    )
}
