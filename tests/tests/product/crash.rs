//! `kill -9` in the middle of an import: what was acknowledged is there once, and nothing that was not sent.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use serde_json::Value;
use sokhoe_population::{City, write_line};
use sokhoe_storage::Position;

use crate::home::{Home, Served, end, start, until};
use crate::peer::{connect, join};

/// A batch of events: as lines, and their ids.
struct Batch {
    lines: Vec<u8>,
    ids: BTreeSet<String>,
}

impl Batch {
    /// The events of a whole small city.
    fn of_city(people: u64) -> Self {
        let city = City::new(7, people).expect("a city");
        let (mut lines, mut ids) = (Vec::new(), BTreeSet::new());
        for incoming in city.events() {
            ids.insert(incoming.event.event_id.to_string());
            write_line(incoming, &mut lines).expect("a line");
        }
        Self { lines, ids }
    }

    fn len(&self) -> u64 {
        u64::try_from(self.ids.len()).unwrap()
    }

    fn file(&self, home: &Home) -> PathBuf {
        let path = home.path().join("city.ndjson");
        std::fs::write(&path, &self.lines).expect("a file");
        path
    }
}

/// Where an event lies, by its id.
type Places = BTreeMap<String, (u64, String)>;

#[test]
fn a_killed_batch_goes_on_where_it_was_and_nothing_acknowledged_is_lost() {
    let home = Home::new();
    let batch = Batch::of_city(150);
    // The folder and its issuer are made by a first, clean start.
    home.serve().stop();
    let token = home.token("operator", &[]);
    let mut acknowledged = Places::new();
    for quarters in 1..=3 {
        let mut served = home.serve();
        for (id, place) in send_and_kill(&mut served, &token, &batch, quarters) {
            let before = acknowledged.insert(id.clone(), place.clone());
            assert!(before.is_none_or(|before| before == place), "{id} moved");
        }
        let stored = stored(&home);
        assert!(
            stored.keys().all(|id| batch.ids.contains(id)),
            "something was never sent"
        );
        for (id, place) in &acknowledged {
            assert_eq!(stored.get(id), Some(place), "acknowledged, then lost: {id}");
        }
        assert!(
            stored.len() < batch.ids.len(),
            "the kill came too late to mean anything"
        );
    }
    let there = u64::try_from(stored(&home).len()).unwrap();

    let served = home.serve();
    let file = batch.file(&home);
    let url = format!("http://{}", served.addr);
    let mut import = home.bare(&["import", "events", "--json", "--to", &url]);
    import.arg(&file).env("SOKHOE_TOKEN", &token);
    let summary = end(import).well().summary();
    let counts = ["read", "accepted", "duplicate", "refused"].map(|name| summary[name].as_u64());
    let expected = [batch.len(), batch.len() - there, there, 0];
    assert_eq!(counts, expected.map(Some), "{summary}");
    served.stop();
    let stored = stored(&home);
    whole(&batch, &stored);
    for (id, place) in &acknowledged {
        assert_eq!(
            stored.get(id),
            Some(place),
            "moved by the second import: {id}"
        );
    }
}

/// Sends some quarters of the batch, kills the server when half of that is answered, while the rest is on its way,
/// and returns what was acknowledged.
fn send_and_kill(served: &mut Served, token: &str, batch: &Batch, quarters: usize) -> Places {
    let lines = batch.ids.len() * quarters / 4;
    let ends = batch
        .lines
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n');
    let sent = ends
        .map(|(at, _)| at + 1)
        .nth(lines - 1)
        .expect("so many lines");
    let request = served
        .by(token)
        .header("content-type", "application/x-ndjson");
    let head = request.head("POST", "/v1/events/batch", batch.lines.len());
    let mut stream = connect(served.addr);
    let mut writing = stream.try_clone().expect("a second handle");
    let answer = std::thread::scope(|scope| {
        scope.spawn(move || {
            let begun = writing.write_all(head.as_bytes());
            // The rest has nowhere to go once the server is dead.
            let _ = begun.and_then(|()| writing.write_all(&batch.lines[..sent]));
        });
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        let (mut alive, mut results) = (true, 0);
        while let Ok(read @ 1..) = stream.read(&mut buffer) {
            let new = answer.len().saturating_sub(1);
            answer.extend_from_slice(&buffer[..read]);
            results += answer[new..].windows(2).filter(|two| two == b"}\n").count();
            if alive && results >= lines / 2 {
                served.kill();
                alive = false;
            }
        }
        assert!(
            !alive,
            "the batch ended before the kill: {}",
            String::from_utf8_lossy(&answer)
        );
        answer
    });
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("a head")
        + 4;
    let body = join(&answer[end..]);
    let whole = body
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |last| last + 1);
    let lines = body[..whole]
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let line: Value = serde_json::from_slice(line).expect("a result");
            assert!(line["status"] == 201 || line["status"] == 200, "{line}");
            let text = |name: &str| line[name].as_str().expect("a receipt").to_owned();
            (
                text("event_id"),
                (line["position"].as_u64().unwrap(), text("hash")),
            )
        })
        .collect()
}

#[test]
fn a_killed_import_into_a_folder_is_finished_by_the_next() {
    // A fast machine may be done before the kill; then a larger city is needed.
    for people in [200, 2_000, 20_000] {
        let home = Home::new();
        let batch = Batch::of_city(people);
        let file = batch.file(&home);
        let mut import = home.command(&["import", "events", "--json"]);
        import.arg(&file).stdout(std::process::Stdio::null());
        let mut child = start(&mut import);
        until("events in the log", || {
            let ended = child.try_wait().unwrap().is_some();
            (ended || checkpoint(&home) > batch.len() / 20).then_some(())
        });
        let _ = child.kill();
        child.wait().unwrap();
        let there = u64::try_from(stored(&home).len()).unwrap();
        if there == batch.len() {
            continue;
        }
        assert!(there > 0);
        let file = file.to_str().unwrap();
        let summary = home
            .sokhoe(&["import", "events", "--json", file])
            .well()
            .summary();
        assert_eq!(summary["duplicate"], there, "{summary}");
        assert_eq!(summary["accepted"], batch.len() - there, "{summary}");
        whole(&batch, &stored(&home));
        return;
    }
    panic!("no city was large enough to be killed in the middle");
}

/// The size of the log in its last signed checkpoint.
fn checkpoint(home: &Home) -> u64 {
    let note = std::fs::read_to_string(home.data().join("checkpoint")).unwrap_or_default();
    note.lines()
        .nth(1)
        .and_then(|size| size.parse().ok())
        .unwrap_or(0)
}

/// Fails unless exactly the batch is stored.
fn whole(batch: &Batch, stored: &Places) {
    let missing: Vec<_> = batch
        .ids
        .iter()
        .filter(|id| !stored.contains_key(*id))
        .collect();
    assert!(
        missing.is_empty(),
        "{} missing: {:?}",
        missing.len(),
        missing.first()
    );
    assert_eq!(stored.len(), batch.ids.len());
}

/// Every event of the log with its place, none there twice. A merge's second frame is the same event.
fn stored(home: &Home) -> Places {
    let commands = home.open();
    let opener = commands.opener();
    let mut scan = opener.reader().scan(Position::new(1));
    let mut places = Places::new();
    while let Some(frame) = scan.next_frame().expect("an undamaged log") {
        let Some(event) = opener.open_scanned(&frame).expect("an event that opens") else {
            continue;
        };
        if event.mirror() {
            continue;
        }
        let hash = event
            .hash
            .0
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let id = event.stored.event.event_id.to_string();
        let twice = places.insert(id, (event.position, hash));
        assert!(twice.is_none(), "stored twice: {twice:?}");
    }
    commands.close().expect("a clean end");
    places
}
