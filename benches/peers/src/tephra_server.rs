//! Tephra's own server over its own client: TCP, length-prefixed protobuf, a thread a connection.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicU64;

use anyhow::{Context as _, anyhow};
use sokhoe_benches::append::PAYLOAD_BYTES;
use sokhoe_benches::random::Random;
use tephra_client::{Client, Event, Position, Query, QueryItem, Tag, Tags};

use crate::process::{Process, free_port};
use crate::served::{Calls, Served, tag};

/// Starts the server with its defaults.
pub(crate) fn start(
    program: &Path,
    folder: &Path,
    people: usize,
) -> anyhow::Result<Served<Client>> {
    std::fs::create_dir_all(folder)?;
    let port = free_port()?;
    let mut command = Command::new(program);
    command
        .args(["--bind", &format!("127.0.0.1:{port}"), "--log", "error"])
        .arg("--data-dir")
        .arg(folder.join("data"));
    let mut process = Process::start("tephra-server", &mut command, folder)?;
    process.listens(port)?;
    Ok(Served {
        name: "tephra-server",
        process,
        port,
        people,
        connect: |port| Client::connect(("127.0.0.1", port)).context("connect to tephra-server"),
        payload_bytes: AtomicU64::new(0),
    })
}

impl Calls for Client {
    fn append(&mut self, people: &[usize], random: &mut Random) -> anyhow::Result<()> {
        let mut events = Vec::with_capacity(people.len());
        let mut payload = [0; PAYLOAD_BYTES];
        for person in people {
            random.fill(&mut payload);
            let event = Event::new("recorded", [tag(*person)], payload)
                .map_err(|error| anyhow!("make an event: {error}"))?;
            events.push(event);
        }
        Client::append(self, events, None)
            .map_err(|error| anyhow!("append to tephra-server: {error}"))?;
        Ok(())
    }

    fn read(&mut self, person: usize) -> anyhow::Result<usize> {
        let tag = Tag::new(tag(person)).map_err(|error| anyhow!("make a tag: {error}"))?;
        let tags = Tags::new(vec![tag]).map_err(|error| anyhow!("make tags: {error}"))?;
        let query = Query::item(QueryItem::with_tags(tags));
        let (events, _) = self
            .read_all(query, Position::ZERO, None)
            .map_err(|error| anyhow!("read from tephra-server: {error}"))?;
        Ok(events.len())
    }
}
