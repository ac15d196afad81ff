//! A flipped bit that a running server meets: it is named, nothing more is written, what is good is served on, and the bit
//! stays as it is. A flipped bit in a cache costs nothing but time.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::home::{Home, Served, end, until};
use crate::peer::Answer;
use crate::sent::{FACILITY, event_id, identified, registration, weight};

/// A served folder with two people, each with a weighing, and the token of who writes to it.
struct House {
    home: Home,
    served: Served,
    token: String,
    vkey: PathBuf,
}

impl House {
    fn open() -> Self {
        let home = Home::new();
        home.serve().stop();
        let token = home.hospital(FACILITY);
        let doctor = home.sokhoe(&["doctor", "--json"]).summary();
        let vkey = home.path().join("vkey");
        std::fs::write(&vkey, doctor["vkey"].as_str().expect("a key")).expect("a file");
        let served = home.serve();
        for person in [1, 2] {
            let sent = served.by(&token).event(&registration(person, person));
            sent.expect(201);
        }
        Self {
            home,
            served,
            token,
            vkey,
        }
    }

    fn person(&self, person: u64) -> String {
        let found = self.served.by(&self.token).treating().post(
            "/v1/people/search",
            "application/json",
            identified(person).to_string(),
        );
        let person = found.expect(200).json()["items"][0]["person_id"].clone();
        person.as_str().expect("an id").to_owned()
    }

    fn record(&self, person: &str) -> Answer {
        let path = format!("/v1/people/{person}");
        self.served.by(&self.token).treating().get(&path)
    }

    /// What `verify` says of the folder with the public key: its exit code and the first bad place.
    fn verify(&self) -> (Option<i32>, Value) {
        let mut verify = self.home.bare(&["verify", "--json", "--vkey"]);
        verify.arg(&self.vkey).arg(self.home.data());
        verify.arg("--keys").arg(self.home.path().join("data.keys"));
        let ended = end(verify);
        (ended.code, ended.summary()["first_bad"].clone())
    }

    /// Fails unless the server says that it is damaged and takes nothing more.
    fn has_stopped(&self, said: &str) {
        let ready = self.served.anonymous().get("/readyz").expect(503).json();
        let reasons = ready["reasons"].as_array().expect("reasons");
        let writer = reasons.iter().find(|reason| reason["part"] == "writer");
        let because = writer.expect("a stopped writer")["because"]
            .as_str()
            .expect("a reason");
        assert!(because.starts_with(said), "{because}");
        assert!(because.contains("sokhoe verify"), "{because}");
        let refused = self
            .served
            .by(&self.token)
            .event(&weight(77, 1, "2026-03-05", 70));
        assert_eq!(refused.status, 503, "{refused:?}");
        assert_eq!(refused.json()["type"], "https://sokhoe.vn/problems/stopped");
    }

    /// Stops the server, which has stopped writing, and starts it again, which must fail and name a file.
    fn does_not_start_again(mut self, file: &str) -> Home {
        assert!(!self.served.end().success());
        drop(self.served);
        names_at_start(&self.home, file);
        self.home
    }
}

/// Fails unless a start is refused with the name of the damaged file.
fn names_at_start(home: &Home, file: &str) {
    let Err(said) = home.begin_serving(&[]).ready() else {
        panic!("it started with a damaged {file}");
    };
    assert!(said.contains(file), "{file} is not named: {said}");
}

fn flip(path: &Path, at: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path);
    let file = file.expect("a file");
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).expect("a byte");
    file.write_all_at(&[byte[0] ^ 8], at).expect("a byte");
}

fn segment(home: &Home) -> PathBuf {
    let entries = std::fs::read_dir(home.data().join("log")).expect("a log");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths.pop().expect("a segment")
}

/// Where the last event of a log lies: its frame begins with its length and ends with its group's trailer.
fn last_event(path: &Path) -> u64 {
    let bytes = std::fs::read(path).expect("a segment");
    let last = bytes.windows(8).rposition(|eight| eight == b"SKHTRAIL");
    // A byte of the sealed payload, well before the trailer.
    u64::try_from(last.expect("a group")).expect("an offset") - 40
}

#[test]
fn a_flipped_bit_in_the_log_is_named_where_it_is_met_and_others_are_served_on() {
    let house = House::open();
    let (one, two) = (house.person(1), house.person(2));
    let sent = house
        .served
        .by(&house.token)
        .event(&weight(11, 2, "2026-03-01", 61));
    let position = sent.expect(201).json()["position"]
        .as_u64()
        .expect("a position");
    let log = segment(&house.home);
    let spot = last_event(&log);
    flip(&log, spot);

    // Nobody has met it yet.
    house.record(&one).expect(200);
    let spoilt = std::fs::read(&log).expect("a segment");
    let met = house.record(&two);
    assert_eq!(met.status, 500, "{met:?}");
    assert_eq!(met.json()["type"], "https://sokhoe.vn/problems/damaged");
    house.has_stopped("the log is damaged");
    // Nobody's look can be written down any more, so nobody's record is shown.
    house.record(&one).expect(503);
    house.served.anonymous().get("/checkpoint").expect(200);
    let name = format!(
        "log/{}",
        log.file_name().expect("a name").to_str().expect("one")
    );
    let told = format!("damage in {name} at offset");
    until("a log line that names the place", || {
        house.served.said().contains(&told).then_some(())
    });
    let (code, bad) = house.verify();
    assert_eq!(
        (code, &bad["file"], &bad["position"]),
        (Some(11), &json!(name), &json!(position))
    );

    let home = house.does_not_start_again(&name);
    let now = std::fs::read(&log).expect("a segment");
    assert_eq!(now[..], spoilt[..now.len()], "repaired silently");
    // With the bit as it was, all is as it was.
    flip(&log, spot);
    let served = home.serve();
    let token = home.hospital(FACILITY);
    let again = served.by(&token).event(&weight(11, 2, "2026-03-01", 61));
    assert_eq!(again.expect(200).json()["position"], position);
    served.stop();
}

#[test]
fn a_flipped_bit_in_the_checkpoint_is_named_and_the_signed_one_is_served_on() {
    let house = House::open();
    let person = house.person(1);
    let path = house.home.data().join("checkpoint");
    // Signed within a second; from then on the file stays as it is.
    let good = until("a checkpoint of both people and a look", || {
        let note = house.served.anonymous().get("/checkpoint").expect(200).body;
        (note.lines().nth(1) == Some("3")).then_some(note)
    });
    let length = std::fs::metadata(&path).expect("a file").len();
    for at in [3, length / 2, length - 3] {
        flip(&path, at);
        let spoilt = std::fs::read(&path).expect("a file");
        let served = house.served.anonymous().get("/checkpoint").expect(200).body;
        assert_eq!(served, good, "a damaged checkpoint was shown");
        house.has_stopped("the stored checkpoint is damaged");
        house.record(&person).expect(503);
        let (code, bad) = house.verify();
        assert!(matches!(code, Some(10 | 11)), "{code:?} {bad}");
        assert_eq!(bad["file"], "checkpoint", "{bad}");
        assert_eq!(
            std::fs::read(&path).expect("a file"),
            spoilt,
            "repaired silently"
        );
        flip(&path, at);
    }
    flip(&path, length / 2);
    let home = house.does_not_start_again("checkpoint");
    std::fs::write(&path, good).expect("a checkpoint that somebody fetched");
    home.serve().stop();
}

#[test]
fn a_flipped_bit_in_meta_or_keys_is_named_by_the_next_start_and_by_verify() {
    let House {
        home, served, vkey, ..
    } = House::open();
    served.stop();
    let keys = home.path().join("data.keys");
    let of_keys = ["root.key", "secrets", "keks.1", "journal.1"].map(|name| keys.join(name));
    let files = of_keys.into_iter().chain([home.data().join("meta")]);
    for path in files {
        let length = std::fs::metadata(&path).expect("a file").len();
        let name = path
            .file_name()
            .expect("a name")
            .to_str()
            .expect("one")
            .to_owned();
        for at in [0, length / 2, length - 1] {
            flip(&path, at);
            names_at_start(&home, &name);
            let mut verify = home.bare(&["verify", "--json", "--vkey"]);
            verify.arg(&vkey).arg(home.data());
            verify.arg("--keys").arg(&keys);
            let ended = end(verify);
            let bad = ended.summary()["first_bad"].to_string();
            assert!(
                matches!(ended.code, Some(10 | 11)),
                "{name} {at}: {ended:?}"
            );
            assert!(bad.contains(&name), "{name} {at} is not named: {bad}");
            flip(&path, at);
        }
    }
    home.serve().stop();
}

#[test]
fn flipped_bits_in_every_file_of_the_cache_are_made_good_from_the_log() {
    let house = House::open();
    let House {
        home,
        served,
        token,
        ..
    } = house;
    let lines: Vec<String> = (0..300)
        .map(|number| weight(100 + number, 1 + number % 2, "2026-03-01", 60).to_string())
        .collect();
    let sent = served
        .by(&token)
        .post("/v1/events/batch", "application/x-ndjson", lines.join("\n"));
    let receipts = sent.expect(200).lines();
    let admin = home.token("admin", &[]);
    served
        .by(&admin)
        .post("/v1/admin/heads", "application/json", "")
        .expect(200);
    let proof = format!("/v1/proofs/{}", event_id(150));
    served.by(&token).treating().get(&proof).expect(200);
    served.stop();
    let mut spoilt = Vec::new();
    let mut folders = vec![home.data().join("cache")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match std::fs::metadata(&path).expect("a file") {
                found if found.is_dir() => folders.push(path),
                found if found.len() > 0 => {
                    for part in 1..8 {
                        flip(&path, found.len() * part / 8);
                    }
                    spoilt.push(path);
                }
                _ => {}
            }
        }
    }
    let named = |name: &str| {
        spoilt
            .iter()
            .any(|path| path.to_str().is_some_and(|path| path.contains(name)))
    };
    for name in ["heads", "registry", "directory", "ids/", "tree-0"] {
        assert!(named(name), "no {name} among {spoilt:?}");
    }
    let mut served = home.serve();
    let again =
        served
            .by(&token)
            .post("/v1/events/batch", "application/x-ndjson", lines.join("\n"));
    for (before, now) in receipts.iter().zip(again.expect(200).lines()) {
        assert_eq!(
            (&now["status"], &now["hash"]),
            (&json!(200), &before["hash"])
        );
    }
    let whole = until("a proof from a tree made anew", || {
        let proof = served.by(&token).treating().get(&proof);
        (proof.status == 200).then(|| proof.json())
    });
    assert_eq!(whole["position"], receipts[50]["position"], "{whole}");
    // It warns of what it makes anew, and ends in order.
    assert!(served.end().success(), "{}", served.said());
}
