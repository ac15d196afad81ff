//! A load generator that costs little: HTTP/1.1 by hand over kept connections, all on one thread.

use std::io::{Read as _, Write as _};
use std::net::TcpStream as Blocking;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::numbers::Latencies;

const ANSWER_BYTES_MAX: usize = 4 << 20;

/// How requests are sent, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Load<'a> {
    /// Host and port.
    pub address: &'a str,
    /// Connections, each with one request at a time.
    pub connections: u32,
    /// How long new requests are begun, unless there are no more before.
    pub time: Duration,
    /// The status that every answer should have.
    pub status: u16,
}

/// What came back.
#[derive(Debug, Default)]
pub struct Answers {
    /// How long each answer took.
    pub latencies: Latencies,
    /// Answers of another status.
    pub errors: u64,
    /// Bytes of all answers, heads too.
    pub bytes: u64,
    /// How long it took.
    pub seconds: f64,
}

impl Load<'_> {
    /// Sends what `make` writes for each connection, request by request, until it writes nothing.
    ///
    /// # Errors
    /// When a connection breaks.
    pub fn run<W>(self, make: impl Fn(u32) -> W) -> anyhow::Result<Answers>
    where
        W: FnMut(&mut Vec<u8>) + Send + 'static,
    {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(self.send(make))
    }

    async fn send<W>(self, make: impl Fn(u32) -> W) -> anyhow::Result<Answers>
    where
        W: FnMut(&mut Vec<u8>) + Send + 'static,
    {
        let mut connections = Vec::new();
        for number in 0..self.connections {
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            let answer = Vec::with_capacity(16 << 10);
            connections.push((Connection { stream, answer }, make(number)));
        }
        let start = Instant::now();
        let mut tasks = JoinSet::new();
        for (connection, write) in connections {
            tasks.spawn(connection.run(write, start + self.time, self.status));
        }
        let mut answers = Answers::default();
        while let Some(ended) = tasks.join_next().await {
            let of_one = ended??;
            answers.latencies.merge(&of_one.latencies);
            answers.errors += of_one.errors;
            answers.bytes += of_one.bytes;
        }
        answers.seconds = start.elapsed().as_secs_f64();
        Ok(answers)
    }
}

struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    async fn run(
        mut self,
        mut write: impl FnMut(&mut Vec<u8>),
        until: Instant,
        expected: u16,
    ) -> anyhow::Result<Answers> {
        let mut answers = Answers::default();
        let mut request = Vec::new();
        while Instant::now() < until {
            request.clear();
            write(&mut request);
            if request.is_empty() {
                break;
            }
            let sent = Instant::now();
            self.stream.write_all(&request).await?;
            let status = self.receive().await?;
            if status == expected {
                answers.latencies.add(sent.elapsed());
            } else {
                answers.errors += 1;
            }
            answers.bytes += self.answer.len() as u64;
        }
        Ok(answers)
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
#[must_use]
pub fn head(answer: &[u8]) -> Option<(u16, usize)> {
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
///
/// # Errors
/// When it does not within twenty minutes.
pub fn ready(address: &str) -> anyhow::Result<()> {
    for _ in 0..12_000 {
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
    bail!("not ready after twenty minutes")
}

/// Posts one body and returns the whole answer, which is read while the body is still being sent.
///
/// # Errors
/// When the connection breaks.
pub fn post(address: &str, head: &str, body: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut stream = Blocking::connect(address)?;
    let mut sending = stream.try_clone()?;
    std::thread::scope(|scope| {
        let sent = scope.spawn(move || {
            sending.write_all(head.as_bytes())?;
            sending.write_all(body)
        });
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        sent.join()
            .map_err(|_| anyhow::anyhow!("a thread failed"))??;
        Ok(answer)
    })
}
