//! How far the consumers of the feed are behind: a thousand streams, each of a facility of its own, while events of
//! all of them are appended at a steady rate.
//!
//! The lag of an event runs from before the batch that holds it is sent until its consumer has read it, so it holds the
//! append too. Server, sender and consumers share the machine's cores.
#![expect(
    clippy::disallowed_methods,
    reason = "measuring takes the machine's clock"
)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::Parser;
use sokhoe_benches::child::{self, Server};
use sokhoe_benches::http;
use sokhoe_benches::machine::Counters;
use sokhoe_benches::numbers::{Latencies, grouped};
use sokhoe_benches::people;
use sokhoe_benches::random::Random;
use sokhoe_benches::report::{self, Begun};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Batches sent a second.
const BATCHES_PER_S: u32 = 50;
/// What a message begins its event's id with, and that id's last digits, which are the event's number.
const ID: &[u8] = b"\"id\":\"";

#[derive(Debug, Parser)]
struct Arguments {
    /// Where the data lies and is removed again.
    #[arg(long, default_value = "target/benches")]
    folder: PathBuf,
    /// Registered people.
    #[arg(long, default_value_t = 20_000)]
    people: u32,
    /// Streams, each of another facility.
    #[arg(long, default_value_t = 1000)]
    consumers: u32,
    /// Events appended a second.
    #[arg(long, default_value_t = 10_000)]
    rate: u32,
    /// How long.
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// Keep the output as `benches/runs/<name>.txt`.
    #[arg(long)]
    keep: Option<String>,
}

/// When each event was sent, in microseconds since the beginning; 0 before.
type Sent = Arc<Vec<AtomicU64>>;

fn main() -> anyhow::Result<ExitCode> {
    if let Some(code) = child::as_sokhoe() {
        return Ok(code);
    }
    let arguments = Arguments::parse();
    let title = "# feed: how far streams are behind what is appended";
    let Begun {
        mut report, folder, ..
    } = report::begin(title, &arguments.folder)?;
    let data = folder.path().join("data");
    people::register(&data, folder.path(), arguments.people)?;
    let tokens = tokens(&data, arguments.consumers)?;
    let operator = people::token_of(&data, &["--role", "operator"])?;
    let server = Server::start(&data)?;
    http::ready(&server.address)?;

    let total = arguments.rate * arguments.seconds;
    let sent: Sent = Arc::new((0..total).map(|_| AtomicU64::new(0)).collect());
    let (begun, ended) = (Instant::now(), Arc::new(AtomicBool::new(false)));
    let before = (Counters::now(folder.path()), server.cpu_s());
    let (address, number) = (server.address.clone(), u64::from(arguments.people));
    let consumers = {
        let (sent, ended) = (Arc::clone(&sent), Arc::clone(&ended));
        let (ready, wait) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            consume(&address, tokens, number, begun, &sent, &ended, &ready)
        });
        wait.recv().context("consumers that listen")?;
        thread
    };
    let appended = append(&arguments, &server.address, &operator, begun, &sent)?;
    ended.store(true, Ordering::Release);
    let (lags, seen) = consumers
        .join()
        .map_err(|_| anyhow::anyhow!("a thread failed"))??;
    ensure!(
        seen == u64::from(total),
        "{seen} of {total} events were seen"
    );

    report.title(&format!(
        "{} streams, {} events/s for {} s",
        arguments.consumers, arguments.rate, arguments.seconds
    ));
    let ms = |share: f64| lags.quantile_us(share) / 1e3;
    report.line(format!(
        "appended {}/s; seen {} of {}; lag ms: p50 {:.1}, p99 {:.1}, p99.9 {:.1}, longest {:.1}",
        grouped(appended),
        grouped(seen as f64),
        grouped(f64::from(total)),
        ms(0.5),
        ms(0.99),
        ms(0.999),
        lags.max_us() / 1e3
    ));
    let seconds = begun.elapsed().as_secs_f64();
    report.line(format!(
        "cores busy: server {:.2}, sender and consumers {:.2}",
        (server.cpu_s() - before.1) / seconds,
        Counters::now(folder.path()).since(&before.0).cpu_s / seconds
    ));
    if let Some(name) = &arguments.keep {
        report.keep(name)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn facility(number: u32) -> String {
    format!("{}", 10_000 + number)
}

fn tokens(data: &Path, count: u32) -> anyhow::Result<Vec<String>> {
    (0..count)
        .map(|number| {
            let facility = facility(number);
            people::token_of(data, &["--role", "hospital", "--facility", &facility])
        })
        .collect()
}

/// Appends at the rate; returns the rate that was reached.
fn append(
    arguments: &Arguments,
    address: &str,
    token: &str,
    begun: Instant,
    sent: &Sent,
) -> anyhow::Result<f64> {
    let mut random = Random::from_seed(1);
    let of_batch = arguments.rate / BATCHES_PER_S;
    let start = Instant::now();
    let (mut body, mut event) = (Vec::new(), Vec::new());
    let mut number = 0;
    for batch in 0..BATCHES_PER_S * arguments.seconds {
        let due = start + Duration::from_secs(1) * batch / BATCHES_PER_S;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        body.clear();
        for _ in 0..of_batch {
            event.clear();
            let person = u32::try_from(random.below(arguments.people as usize))?;
            people::event(
                &mut event,
                1,
                u64::from(number),
                person,
                100 + random.number() % 80,
            );
            let facility = facility(number % arguments.consumers);
            let event = String::from_utf8_lossy(&event).replace("99001", &facility);
            writeln!(body, "{event}")?;
            number += 1;
        }
        let now_us = u64::try_from(begun.elapsed().as_micros())?.max(1);
        for event in number - of_batch..number {
            sent[event as usize].store(now_us, Ordering::Release);
        }
        let head = format!(
            "POST /v1/events/batch HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\
             authorization: Bearer {token}\r\ncontent-type: application/x-ndjson\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        let answer = http::post(address, &head, &body)?;
        let refused = String::from_utf8_lossy(&answer)
            .lines()
            .find(|line| line.contains("\"status\":4"))
            .map(str::to_owned);
        ensure!(refused.is_none(), "an event was refused: {refused:?}");
    }
    Ok(f64::from(number) / start.elapsed().as_secs_f64())
}

/// Lets all streams be read until everything sent was seen; returns the lags and how many events there were.
fn consume(
    address: &str,
    tokens: Vec<String>,
    after: u64,
    begun: Instant,
    sent: &Sent,
    ended: &Arc<AtomicBool>,
    ready: &std::sync::mpsc::Sender<()>,
) -> anyhow::Result<(Latencies, u64)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let total = Arc::new(AtomicU64::new(0));
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for token in tokens {
            let mut socket = TcpStream::connect(address).await?;
            let request = format!(
                "GET /v1/feed?after={after} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\
                 sokhoe-purpose: HOPERAT\r\naccept: text/event-stream\r\n\r\n"
            );
            socket.write_all(request.as_bytes()).await?;
            let (sent, ended, total) = (Arc::clone(sent), Arc::clone(ended), Arc::clone(&total));
            tasks.spawn(listen(socket, begun, sent, ended, total));
        }
        // Every stream begins with a heartbeat, which the tasks read first.
        tokio::time::sleep(Duration::from_secs(2)).await;
        ready.send(())?;
        let mut lags = Latencies::default();
        while let Some(lag) = tasks.join_next().await {
            lags.merge(&lag??);
        }
        Ok((lags, total.load(Ordering::Acquire)))
    })
}

async fn listen(
    mut socket: TcpStream,
    begun: Instant,
    sent: Sent,
    ended: Arc<AtomicBool>,
    total: Arc<AtomicU64>,
) -> anyhow::Result<Latencies> {
    let (mut lags, mut bytes) = (Latencies::default(), Vec::with_capacity(8 << 10));
    let expected = sent.len() as u64;
    loop {
        let read = tokio::time::timeout(Duration::from_millis(500), socket.read_buf(&mut bytes));
        match read.await {
            Ok(Ok(0)) => bail!("a stream ended: {}", String::from_utf8_lossy(&bytes)),
            Ok(read) => drop(read?),
            Err(_) => {
                let all = total.load(Ordering::Acquire) >= expected;
                if ended.load(Ordering::Acquire) && (all || begun.elapsed().as_secs() > 300) {
                    return Ok(lags);
                }
                continue;
            }
        }
        let now_us = u64::try_from(begun.elapsed().as_micros())?;
        let mut from = 0;
        while let Some(at) = bytes[from..]
            .windows(ID.len())
            .position(|window| window == ID)
        {
            let id = from + at + ID.len();
            let Some(digits) = bytes.get(id + 24..id + 36) else {
                break;
            };
            let number = usize::from_str_radix(std::str::from_utf8(digits)?, 16)?;
            let sent_us = sent
                .get(number)
                .context("an event of ours")?
                .load(Ordering::Acquire);
            ensure!(sent_us > 0, "an event was seen before it was sent");
            lags.add(Duration::from_micros(now_us.saturating_sub(sent_us)));
            total.fetch_add(1, Ordering::AcqRel);
            from = id + 36;
        }
        // An id that is parted between two readings is looked for again with what follows.
        let keep = bytes.len().saturating_sub(ID.len() + 36).max(from);
        bytes.drain(..keep);
    }
}
