//! UmaDB over its own client: gRPC.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicU64;

use anyhow::anyhow;
use sokhoe_benches::append::PAYLOAD_BYTES;
use sokhoe_benches::random::Random;
use umadb_client::SyncUmaDbClient;
use umadb_dcb::{DcbEvent, DcbEventStoreSync, DcbQuery, DcbQueryItem};

use crate::process::{Process, free_port};
use crate::served::{Calls, Served, tag};

/// Starts the server with its defaults.
pub(crate) fn start(
    program: &Path,
    folder: &Path,
    people: usize,
) -> anyhow::Result<Served<SyncUmaDbClient>> {
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
    Ok(Served {
        name: "UmaDB",
        process,
        port,
        people,
        connect: |port| {
            let url = format!("http://127.0.0.1:{port}");
            SyncUmaDbClient::connect(url, None, None, None)
                .map_err(|error| anyhow!("connect to UmaDB: {error}"))
        },
        payload_bytes: AtomicU64::new(0),
    })
}

impl Calls for SyncUmaDbClient {
    fn append(&mut self, people: &[usize], random: &mut Random) -> anyhow::Result<()> {
        let mut events = Vec::with_capacity(people.len());
        for person in people {
            let mut data = vec![0; PAYLOAD_BYTES];
            random.fill(&mut data);
            events.push(DcbEvent {
                event_type: "recorded".into(),
                tags: vec![tag(*person)],
                data,
                ..DcbEvent::default()
            });
        }
        DcbEventStoreSync::append(self, events, None, None)
            .map_err(|error| anyhow!("append to UmaDB: {error}"))?;
        Ok(())
    }

    fn read(&mut self, person: usize) -> anyhow::Result<usize> {
        let item = DcbQueryItem {
            types: Vec::new(),
            tags: vec![tag(person)],
        };
        let query = DcbQuery { items: vec![item] };
        let events = DcbEventStoreSync::read(self, Some(query), None, false, None)
            .map_err(|error| anyhow!("read from UmaDB: {error}"))?;
        let mut count = 0;
        for event in events {
            event.map_err(|error| anyhow!("read from UmaDB: {error}"))?;
            count += 1;
        }
        Ok(count)
    }
}
