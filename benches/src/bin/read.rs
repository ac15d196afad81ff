//! How many records a second `sokhoe serve` shows over HTTP, warm and with nothing of the person in memory.
//!
//! Server and load generator share the machine's cores. Records are those of a hospital's own entries; who is read is
//! picked at random. `/livez` on the same connections shows what the client and the bare server cost.
#![expect(
    clippy::disallowed_methods,
    reason = "measuring takes the machine's clock"
)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use sokhoe_benches::child::{self, Server};
use sokhoe_benches::http::{self, Answers};
use sokhoe_benches::machine::{self, Counters};
use sokhoe_benches::numbers::grouped;
use sokhoe_benches::people;
use sokhoe_benches::random::Random;
use sokhoe_benches::report::{self, Begun};

#[derive(Debug, Parser)]
struct Arguments {
    /// Where the data lies and is removed again.
    #[arg(long, default_value = "target/benches")]
    folder: PathBuf,
    /// Registered people.
    #[arg(long, default_value_t = 20_000)]
    people: u32,
    /// Measurements of each; nine make an answer of about 4 kB.
    #[arg(long, default_value_t = 9)]
    each: u32,
    /// Connections, each with one request at a time.
    #[arg(long, default_value_t = 64)]
    connections: u32,
    /// Warm turns.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Seconds of one turn.
    #[arg(long, default_value_t = 6.0)]
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
    } = report::begin("# read: whole records over HTTP", &arguments.folder)?;

    report.title("setup");
    let data = folder.path().join("data");
    let start = Instant::now();
    people::register(&data, folder.path(), arguments.people)?;
    people::measure(&data, folder.path(), arguments.people, arguments.each)?;
    let ids = Arc::new(people::ids(&data)?);
    report.line(format!(
        "{} people with {} events each, {:.1} s",
        grouped(f64::from(arguments.people)),
        arguments.each + 1,
        start.elapsed().as_secs_f64()
    ));
    let token = people::token(&data)?;

    report.title(&format!("GET, {} connections", arguments.connections));
    report.line(
        "turn           requests/s    p50 ms    p99 ms  p99.9 ms    max ms   errors   bytes/answer   CPU µs/request: server, client",
    );
    let dropped = machine::drop_caches();
    let cold = bench(&arguments, &data)?;
    let next = Arc::new(AtomicUsize::new(0));
    let answers = cold.turn(u64::MAX, |_| {
        let (token, ids, next) = (token.clone(), Arc::clone(&ids), Arc::clone(&next));
        move |request: &mut Vec<u8>| {
            // A stride that meets everybody once, in no order of the log.
            let nth = next.fetch_add(1, Ordering::Relaxed);
            if nth < ids.len() {
                people::ask(request, &token, &ids[nth * 7919 % ids.len()]);
            }
        }
    })?;
    let what = if dropped { "cold" } else { "cold process" };
    report.line(answers.line(what));
    for round in 0..=arguments.rounds {
        let turn = cold.turn(u64::from(round), |number| {
            let seed = u64::from(round) << 32 | u64::from(number);
            let (mut random, token, ids) =
                (Random::from_seed(seed), token.clone(), Arc::clone(&ids));
            move |request: &mut Vec<u8>| people::ask(request, &token, &ids[random.below(ids.len())])
        })?;
        let name = if round == 0 {
            "filling".to_owned()
        } else {
            format!("warm {round}")
        };
        report.line(turn.line(&name));
    }
    let bare = cold.turn(0, |_| {
        |request: &mut Vec<u8>| {
            request.extend_from_slice(b"GET /livez HTTP/1.1\r\nhost: bench\r\n\r\n");
        }
    })?;
    report.line(bare.line("/livez"));
    report.line(if dropped {
        "cold: a new process, the page cache dropped, each person once"
    } else {
        "cold process: a new process, each person once; the page cache could not be dropped"
    });
    if let Some(name) = &arguments.keep {
        report.keep(name)?;
    }
    Ok(ExitCode::SUCCESS)
}

struct Bench<'a> {
    arguments: &'a Arguments,
    server: Server,
}

fn bench<'a>(arguments: &'a Arguments, data: &Path) -> anyhow::Result<Bench<'a>> {
    let server = Server::start(data)?;
    http::ready(&server.address)?;
    Ok(Bench { arguments, server })
}

struct Turn {
    answers: Answers,
    server_s: f64,
    client_s: f64,
}

impl Bench<'_> {
    /// Lets all connections ask; turn `u64::MAX` goes on until there is nothing more to ask.
    fn turn<W>(&self, number: u64, make: impl Fn(u32) -> W) -> anyhow::Result<Turn>
    where
        W: FnMut(&mut Vec<u8>) + Send + 'static,
    {
        let before = (Counters::now(&self.arguments.folder), self.server.cpu_s());
        let seconds = if number == u64::MAX {
            600.0
        } else {
            self.arguments.seconds
        };
        let load = http::Load {
            address: &self.server.address,
            connections: self.arguments.connections,
            time: Duration::from_secs_f64(seconds),
            status: 200,
        };
        let answers = load.run(make)?;
        Ok(Turn {
            answers,
            server_s: self.server.cpu_s() - before.1,
            client_s: Counters::now(&self.arguments.folder).since(&before.0).cpu_s,
        })
    }
}

impl Turn {
    fn line(&self, name: &str) -> String {
        let count = self.answers.latencies.count() as f64;
        let ms = |share: f64| self.answers.latencies.quantile_us(share) / 1e3;
        format!(
            "{name:<14}{:>11}{:>10.2}{:>10.2}{:>10.2}{:>10.2}{:>9}{:>15.0}{:>24.1}{:>9.1}",
            grouped(count / self.answers.seconds),
            ms(0.5),
            ms(0.99),
            ms(0.999),
            self.answers.latencies.max_us() / 1e3,
            self.answers.errors,
            self.answers.bytes as f64 / count.max(1.0),
            self.server_s / count * 1e6,
            self.client_s / count * 1e6,
        )
    }
}
