//! `sokhoe serve` over HTTP, with events as a hospital sends them: JSON that is parsed, validated, packed, sealed.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sokhoe_benches::append::{Client, Store};
use sokhoe_benches::child::Server;
use sokhoe_benches::random::Random;
use sokhoe_benches::{http, people};

/// The answer of a server that has no room.
const BUSY: u16 = 503;
/// How long a writer who was refused waits before asking again.
const PAUSE: Duration = Duration::from_millis(1);

pub(crate) struct SokhoeServer {
    server: Server,
    token: String,
    ids: Vec<String>,
    bytes: AtomicU64,
    rounds: AtomicU32,
}

impl SokhoeServer {
    /// Registers people and serves them.
    pub(crate) fn start(folder: &Path, count: usize) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let data = folder.join("data");
        people::register(&data, folder, u32::try_from(count)?)?;
        let ids = people::ids(&data)?;
        ensure!(ids.len() == count, "not everybody is registered");
        let token = people::token(&data)?;
        let server = Server::start(&data)?;
        http::ready(&server.address)?;
        Ok(Self {
            server,
            token,
            ids,
            bytes: AtomicU64::new(0),
            rounds: AtomicU32::new(1),
        })
    }
}

impl SokhoeServer {
    fn connect(&self) -> anyhow::Result<TcpStream> {
        let stream = TcpStream::connect(&self.server.address)?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

impl Store for SokhoeServer {
    fn name(&self) -> &'static str {
        "sokhoe serve"
    }

    fn people(&self) -> usize {
        self.ids.len()
    }

    fn client(&self, seed: u64) -> anyhow::Result<Box<dyn Client + '_>> {
        Ok(Box::new(Connection {
            store: self,
            stream: self.connect()?,
            // Event ids are of a round and a sequence: no two clients share a round.
            round: self.rounds.fetch_add(1, Ordering::Relaxed),
            sequence: 0,
            random: Random::from_seed(seed),
            body: Vec::new(),
            answer: Vec::new(),
        }))
    }

    fn appended(&self) -> (f64, Option<f64>) {
        (self.bytes.load(Ordering::Relaxed) as f64, None)
    }

    fn cpu_s(&self) -> f64 {
        self.server.cpu_s()
    }
}

struct Connection<'a> {
    store: &'a SokhoeServer,
    stream: TcpStream,
    round: u32,
    sequence: u64,
    random: Random,
    body: Vec<u8>,
    answer: Vec<u8>,
}

impl Connection<'_> {
    fn ask(&mut self, line: &str, kind: &str) -> anyhow::Result<u16> {
        let head = format!(
            "{line} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {}\r\n{kind}content-length: {}\r\n\r\n",
            self.store.token,
            self.body.len()
        );
        self.stream.write_all(head.as_bytes())?;
        self.stream.write_all(&self.body)?;
        self.answer.clear();
        let mut part = [0; 16 << 10];
        loop {
            let count = self.stream.read(&mut part)?;
            ensure!(count > 0, "the server closed a connection");
            self.answer
                .extend_from_slice(part.get(..count).unwrap_or_default());
            if let Some((status, bytes)) = http::head(&self.answer)
                && self.answer.len() >= bytes
            {
                return Ok(status);
            }
        }
    }
}

impl Client for Connection<'_> {
    fn append(&mut self, people: &[usize]) -> anyhow::Result<()> {
        self.body.clear();
        for person in people {
            let high = 100 + self.random.number() % 80;
            let person = u32::try_from(*person)?;
            people::event(&mut self.body, self.round, self.sequence, person, high);
            self.sequence += 1;
            if people.len() > 1 {
                self.body.push(b'\n');
            }
        }
        let (line, kind, expected) = match people.len() {
            1 => ("POST /v1/events", "content-type: application/json\r\n", 201),
            _ => (
                "POST /v1/events/batch?atomic=true",
                "content-type: application/x-ndjson\r\n",
                200,
            ),
        };
        // Past what it has room for, the server refuses at once; the wait is part of the request's time.
        let mut status = self.ask(line, kind)?;
        while status == BUSY {
            std::thread::sleep(PAUSE);
            // It does not read the body of what it refuses, and so ends the connection.
            self.stream = self.store.connect()?;
            status = self.ask(line, kind)?;
        }
        ensure!(status == expected, "an append was answered {status}");
        let bytes = u64::try_from(self.body.len())?;
        self.store.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Reads the record, which is the fold of all events.
    fn read(&mut self, person: usize) -> anyhow::Result<usize> {
        self.body.clear();
        let id = self.store.ids.get(person).context("a person's number")?;
        let status = self.ask(&format!("GET /v1/people/{id}"), "sokhoe-purpose: TREAT\r\n")?;
        ensure!(status == 200, "a read was answered {status}");
        Ok(1)
    }
}
