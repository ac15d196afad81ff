//! Tephra's own server over its own client: TCP, length-prefixed protobuf, a thread a connection.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, anyhow};
use sokhoe_benches::append::{Client, PAYLOAD_BYTES, Store};
use sokhoe_benches::random::Random;
use tephra_client::{Event, Position, Query, QueryItem, Tag, Tags};

use crate::process::{Process, free_port};

pub(crate) struct TephraServer {
    process: Process,
    port: u16,
    people: usize,
    payload_bytes: AtomicU64,
}

impl TephraServer {
    /// Starts the server with its defaults, but for segments as large as the embedded one's.
    pub(crate) fn start(program: &Path, folder: &Path, people: usize) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let port = free_port()?;
        let mut command = Command::new(program);
        command
            .args(["--bind", &format!("127.0.0.1:{port}"), "--log", "error"])
            .arg("--data-dir")
            .arg(folder.join("data"));
        let mut process = Process::start("tephra-server", &mut command, folder)?;
        process.listens(port)?;
        Ok(Self {
            process,
            port,
            people,
            payload_bytes: AtomicU64::new(0),
        })
    }
}

impl Store for TephraServer {
    fn name(&self) -> &'static str {
        "tephra-server"
    }

    fn people(&self) -> usize {
        self.people
    }

    fn client(&self, seed: u64) -> anyhow::Result<Box<dyn Client + '_>> {
        let client = tephra_client::Client::connect(("127.0.0.1", self.port))
            .context("connect to tephra-server")?;
        Ok(Box::new(Connection {
            store: self,
            client,
            random: Random::from_seed(seed),
        }))
    }

    fn appended(&self) -> (f64, Option<f64>) {
        (self.payload_bytes.load(Ordering::Relaxed) as f64, None)
    }

    fn cpu_s(&self) -> f64 {
        self.process.cpu_s()
    }
}

struct Connection<'a> {
    store: &'a TephraServer,
    client: tephra_client::Client,
    random: Random,
}

impl Client for Connection<'_> {
    fn append(&mut self, people: &[usize]) -> anyhow::Result<()> {
        let mut events = Vec::with_capacity(people.len());
        let mut payload = [0; PAYLOAD_BYTES];
        for person in people {
            self.random.fill(&mut payload);
            let event = Event::new("recorded", [tag(*person)], payload)
                .map_err(|error| anyhow!("make an event: {error}"))?;
            events.push(event);
        }
        self.client
            .append(events, None)
            .map_err(|error| anyhow!("append to tephra-server: {error}"))?;
        let bytes = u64::try_from(people.len() * PAYLOAD_BYTES)?;
        self.store.payload_bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    fn read(&mut self, person: usize) -> anyhow::Result<usize> {
        let tag = Tag::new(tag(person)).map_err(|error| anyhow!("make a tag: {error}"))?;
        let tags = Tags::new(vec![tag]).map_err(|error| anyhow!("make tags: {error}"))?;
        let query = Query::item(QueryItem::with_tags(tags));
        let (events, _) = self
            .client
            .read_all(query, Position::ZERO, None)
            .map_err(|error| anyhow!("read from tephra-server: {error}"))?;
        Ok(events.len())
    }
}

fn tag(person: usize) -> String {
    format!("person:{person:032x}")
}
