//! A load generator that costs little: HTTP/1.1 by hand over kept connections, all on one thread.

use std::io::{Read as _, Write as _};
use std::net::TcpStream as Blocking;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use sokhoe_benches::numbers::Latencies;
use sokhoe_benches::random::Random;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::city;

const ANSWER_BYTES_MAX: usize = 64 << 10;

/// What is sent, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load<'a> {
    pub(crate) address: &'a str,
    pub(crate) token: &'a str,
    pub(crate) people: u32,
    pub(crate) connections: u32,
    pub(crate) time: Duration,
    pub(crate) round: u32,
}

/// What came back.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub(crate) latencies: Latencies,
    /// Answers other than 201.
    pub(crate) errors: u64,
    pub(crate) seconds: f64,
}

impl Load<'_> {
    pub(crate) fn run(self) -> anyhow::Result<Answers> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(self.send())
    }

    async fn send(self) -> anyhow::Result<Answers> {
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: ",
            self.address, self.token
        );
        let (head, sequence): (Arc<str>, _) = (head.into(), Arc::new(AtomicU64::new(0)));
        let mut connections = Vec::new();
        for _ in 0..self.connections {
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            connections.push(stream);
        }
        let start = Instant::now();
        let mut tasks = JoinSet::new();
        for (number, stream) in connections.into_iter().enumerate() {
            let connection = Connection {
                stream,
                head: Arc::clone(&head),
                sequence: Arc::clone(&sequence),
                random: Random::from_seed(u64::from(self.round) << 32 | number as u64),
                people: self.people,
                round: self.round,
                answer: Vec::with_capacity(4096),
            };
            tasks.spawn(connection.run(start + self.time));
        }
        let mut answers = Answers::default();
        while let Some(ended) = tasks.join_next().await {
            let (latencies, errors) = ended??;
            answers.latencies.merge(&latencies);
            answers.errors += errors;
        }
        answers.seconds = start.elapsed().as_secs_f64();
        Ok(answers)
    }
}

struct Connection {
    stream: TcpStream,
    head: Arc<str>,
    sequence: Arc<AtomicU64>,
    random: Random,
    people: u32,
    round: u32,
    answer: Vec<u8>,
}

impl Connection {
    async fn run(mut self, until: Instant) -> anyhow::Result<(Latencies, u64)> {
        let (mut latencies, mut errors) = (Latencies::default(), 0);
        let (mut body, mut request) = (Vec::new(), Vec::new());
        while Instant::now() < until {
            let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
            let person = u32::try_from(self.random.below(self.people as usize))?;
            body.clear();
            city::event(
                &mut body,
                self.round,
                sequence,
                person,
                100 + self.random.number() % 80,
            );
            request.clear();
            request.extend_from_slice(self.head.as_bytes());
            write!(request, "{}\r\n\r\n", body.len())?;
            request.extend_from_slice(&body);
            let sent = Instant::now();
            self.stream.write_all(&request).await?;
            let status = self.receive().await?;
            latencies.add(sent.elapsed());
            errors += u64::from(status != 201);
        }
        Ok((latencies, errors))
    }

    /// Reads one whole answer and returns its status.
    async fn receive(&mut self) -> anyhow::Result<u16> {
        self.answer.clear();
        loop {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                bail!("the server closed a connection");
            }
            if let Some((status, bytes)) = head(&self.answer)
                && self.answer.len() >= bytes
            {
                return Ok(status);
            }
            if self.answer.len() > ANSWER_BYTES_MAX {
                bail!("an answer has no end");
            }
        }
    }
}

/// Returns the status of an answer and the bytes that all of it has, once its head is there.
fn head(answer: &[u8]) -> Option<(u16, usize)> {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(answer.get(..end)?).ok()?;
    let status = head.get(9..12)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().ok())?
    });
    Some((status, end + length.unwrap_or(0_usize)))
}

/// Waits until `/readyz` says yes.
pub(crate) fn ready(address: &str) -> anyhow::Result<()> {
    for _ in 0..600 {
        let mut stream = Blocking::connect(address)?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let (status, _) = head(&answer).context("an answer of /readyz")?;
        if status == 200 {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    bail!("not ready after a minute")
}
