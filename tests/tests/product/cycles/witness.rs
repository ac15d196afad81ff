//! The witness: a file that is told each acknowledgement and is synced before the next, and the last checkpoint seen.
//!
//! It stands for the senders of a hospital: what is in it was promised, and the server may never take it back.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde_json::Value;

/// Where an event lies, as its receipt or the feed says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) position: u64,
    pub(crate) hash: String,
    pub(crate) person: String,
    pub(crate) version: u64,
}

impl Place {
    /// Reads a receipt: the event's id and its place.
    pub(crate) fn of_receipt(receipt: &Value) -> Option<(String, Self)> {
        let text = |name: &str| receipt[name].as_str().map(str::to_owned);
        let place = Self {
            position: receipt["position"].as_u64()?,
            hash: text("hash")?,
            person: text("person_id")?,
            version: receipt["version"].as_u64()?,
        };
        Some((text("event_id")?, place))
    }

    /// Reads an event of the feed.
    pub(crate) fn of_feed(event: &Value) -> Option<(String, Self)> {
        let text = |name: &str| event[name].as_str().map(str::to_owned);
        let place = Self {
            position: text("sequence")?.parse().ok()?,
            hash: text("hash")?,
            person: text("subject")?,
            version: event["personversion"].as_u64()?,
        };
        Some((text("id")?, place))
    }
}

pub(crate) struct Witness {
    folder: PathBuf,
    file: Mutex<File>,
    kept: Mutex<u64>,
}

impl Witness {
    pub(crate) fn new(folder: &Path) -> Self {
        let path = folder.join("witness");
        let file = OpenOptions::new().create(true).append(true).open(path);
        Self {
            folder: folder.to_owned(),
            file: Mutex::new(file.expect("a witness")),
            kept: Mutex::new(0),
        }
    }

    /// Writes an acknowledgement down; on the disk when it returns.
    pub(crate) fn saw(&self, id: &str, place: &Place) {
        let Place {
            position,
            hash,
            person,
            version,
        } = place;
        let line = format!("{id} {position} {hash} {person} {version}\n");
        let mut file = self.file.lock().expect("the witness");
        file.write_all(line.as_bytes()).expect("a line");
        file.sync_data().expect("a synced line");
    }

    /// Keeps a checkpoint that the server showed, if it is the largest yet.
    pub(crate) fn saw_checkpoint(&self, note: &str) {
        let size = note.lines().nth(1).and_then(|size| size.parse().ok());
        let size: u64 = size.unwrap_or_else(|| panic!("no checkpoint: {note}"));
        let mut kept = self.kept.lock().expect("the witness");
        if size < *kept {
            return;
        }
        *kept = size;
        let new = self.folder.join("kept.new");
        let mut file = File::create(&new).expect("a file");
        file.write_all(note.as_bytes()).expect("a checkpoint");
        file.sync_data().expect("a synced checkpoint");
        std::fs::rename(new, self.kept()).expect("a kept checkpoint");
    }

    /// The last checkpoint seen.
    pub(crate) fn kept(&self) -> PathBuf {
        self.folder.join("kept")
    }

    /// Everything that was acknowledged, read back from the disk.
    pub(crate) fn read(&self) -> BTreeMap<String, Place> {
        let text = std::fs::read_to_string(self.folder.join("witness")).expect("the witness");
        let mut places = BTreeMap::new();
        for line in text.lines() {
            let fields: Vec<&str> = line.split(' ').collect();
            let place = Place {
                position: fields[1].parse().expect("a position"),
                hash: fields[2].to_owned(),
                person: fields[3].to_owned(),
                version: fields[4].parse().expect("a version"),
            };
            let before = places.insert(fields[0].to_owned(), place.clone());
            assert!(
                before.as_ref().is_none_or(|before| *before == place),
                "acknowledged twice, otherwise: {} {before:?} {place:?}",
                fields[0]
            );
        }
        places
    }
}
