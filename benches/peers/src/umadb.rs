//! UmaDB over its own client: gRPC.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::anyhow;
use sokhoe_benches::append::{Client, PAYLOAD_BYTES, Store};
use sokhoe_benches::random::Random;
use umadb_client::SyncUmaDbClient;
use umadb_dcb::{DcbEvent, DcbEventStoreSync as _, DcbQuery, DcbQueryItem};

use crate::process::{Process, free_port};

pub(crate) struct UmaDb {
    process: Process,
    port: u16,
    people: usize,
    payload_bytes: AtomicU64,
}

impl UmaDb {
    /// Starts the server with its defaults.
    pub(crate) fn start(program: &Path, folder: &Path, people: usize) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let port = free_port()?;
        let mut command = Command::new(program);
        command
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .arg("--db-path")
            .arg(folder.join("uma.db"));
        // A program that pip put beside its library finds it there.
        if let Some(library) = program.parent().and_then(Path::parent) {
            command.env("PYTHONPATH", library);
        }
        let mut process = Process::start("UmaDB", &mut command, folder)?;
        process.listens(port)?;
        Ok(Self {
            process,
            port,
            people,
            payload_bytes: AtomicU64::new(0),
        })
    }
}

impl Store for UmaDb {
    fn name(&self) -> &'static str {
        "UmaDB"
    }

    fn people(&self) -> usize {
        self.people
    }

    fn client(&self, seed: u64) -> anyhow::Result<Box<dyn Client + '_>> {
        let url = format!("http://127.0.0.1:{}", self.port);
        let client = SyncUmaDbClient::connect(url, None, None, None)
            .map_err(|error| anyhow!("connect to UmaDB: {error}"))?;
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
    store: &'a UmaDb,
    client: SyncUmaDbClient,
    random: Random,
}

impl Client for Connection<'_> {
    fn append(&mut self, people: &[usize]) -> anyhow::Result<()> {
        let mut events = Vec::with_capacity(people.len());
        for person in people {
            let mut data = vec![0; PAYLOAD_BYTES];
            self.random.fill(&mut data);
            events.push(DcbEvent {
                event_type: "recorded".into(),
                tags: vec![tag(*person)],
                data,
                ..DcbEvent::default()
            });
        }
        self.client
            .append(events, None, None)
            .map_err(|error| anyhow!("append to UmaDB: {error}"))?;
        let bytes = u64::try_from(people.len() * PAYLOAD_BYTES)?;
        self.store.payload_bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    fn read(&mut self, person: usize) -> anyhow::Result<usize> {
        let item = DcbQueryItem {
            types: Vec::new(),
            tags: vec![tag(person)],
        };
        let query = DcbQuery { items: vec![item] };
        let events = self
            .client
            .read(Some(query), None, false, None)
            .map_err(|error| anyhow!("read from UmaDB: {error}"))?;
        let mut count = 0;
        for event in events {
            event.map_err(|error| anyhow!("read from UmaDB: {error}"))?;
            count += 1;
        }
        Ok(count)
    }
}

fn tag(person: usize) -> String {
    format!("person:{person:032x}")
}
