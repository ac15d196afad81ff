//! Brought on by all processors, directory and registry are what they are one event after the other: told by random
//! histories of registrations, changes of name, corrections, merges and their ends, deaths and erasures.

use std::path::Path;

use serde_json::{Value, json};
use sokhoe_access::Principal;
use sokhoe_chain::StreamKind;
use sokhoe_commands::{Commands, ContentDigest, Receipt, Refusal, Settings, record_stream};
use sokhoe_disk::testing::Random;
use sokhoe_record::{Data, Identifier, IdentifierSystem, Incoming, PersonId, parse_event};
use sokhoe_registry::{Digests, Registry, changes_of};
use sokhoe_storage::Clock;

use super::*;

/// 1 November 2026, 01:00 UTC.
const NOW_US: i64 = 1_793_494_800_000_000;
const MEASUREMENTS: u32 = 180;
const OTHERS: u32 = 20;

/// What was told so far.
struct Told {
    /// Until the house is closed.
    commands: Option<Commands>,
    random: Random,
    sent: u32,
    people: Vec<PersonId>,
    registrations: Vec<Receipt>,
    entries: Vec<Receipt>,
    merges: Vec<Receipt>,
}

impl Told {
    fn event(&mut self, person: Option<PersonId>, kind: &str, data: &Value) -> Incoming {
        self.sent += 1;
        let facility = ["99001", "99002", "99003"][self.random.index(3)];
        let mut event = json!({
            "event_id": event_id(self.sent), "kind": kind, "occurred_at": "2026-02-01",
            "facility": facility, "data": data,
        });
        if let Some(person) = person {
            event["person"] = json!({ "id": person });
        }
        parse_event(event.to_string().as_bytes()).unwrap()
    }

    async fn send(
        &mut self,
        person: Option<PersonId>,
        kind: &str,
        data: Value,
    ) -> Result<Receipt, Refusal> {
        let incoming = self.event(person, kind, &data);
        let content = ContentDigest::of_bytes(&self.sent.to_le_bytes());
        let operator = Principal::operator("tests");
        let commands = self.commands.as_ref().unwrap();
        commands.submit(&operator, incoming, content).await
    }

    async fn register(&mut self) {
        let data = registration(self.sent + 1, "Nguyễn Văn An");
        let receipt = self.send(None, "person_registered", data).await.unwrap();
        self.people.push(receipt.person_id.unwrap());
        self.registrations.push(receipt);
    }

    /// Tells many measurements, none of which says who anybody is.
    async fn measure(&mut self) {
        let commands = self.commands.as_ref().unwrap();
        let mut submission = commands.submission(Principal::operator("tests"));
        for _ in 0..MEASUREMENTS {
            let person = *self.random.one_of(&self.people).unwrap();
            let incoming = self.event(Some(person), "observation_recorded", &weight(60));
            let content = ContentDigest::of_bytes(&self.sent.to_le_bytes());
            submission.push(incoming, content).await;
        }
        while let Some(answer) = submission.next().await {
            self.entries.push(answer.unwrap());
        }
    }

    /// Tells something that may concern who people are; what contradicts the rest is refused.
    async fn other(&mut self) {
        let person = *self.random.one_of(&self.people).unwrap();
        let second = *self.random.one_of(&self.people).unwrap();
        let number = self.sent + 1;
        let told = match self.random.index(9) {
            0 => return self.register().await,
            1 => {
                let name = ["Trần Thị Bình", "Lê Hoa", "Nguyễn An"][self.random.index(3)];
                let data = json!({"name": {"full": name}});
                self.send(Some(person), "demographics_changed", data).await
            }
            2 => {
                let data = json!({"birth_date": "1990-01-02", "phones": ["0900000000"]});
                self.send(Some(person), "demographics_changed", data).await
            }
            3 => return self.correct(number).await,
            4 => {
                let merge = json!({"retired": {"id": second}, "grounds": "the same papers"});
                let merged = self.send(Some(person), "people_merged", merge).await;
                self.merges.extend(merged.clone().ok());
                merged
            }
            5 | 6 => {
                let Some(merge) = self.random.one_of(&self.merges).cloned() else {
                    return;
                };
                let data = json!({"merge_event_id": merge.event_id, "grounds": "two people"});
                self.send(merge.person_id, "people_unmerged", data).await
            }
            7 => {
                let status = ["active", "cancelled"][self.random.index(2)];
                let number = self.random.index(number as usize);
                let value = identifier(u32::try_from(number).unwrap());
                let data =
                    json!({"identifier": {"system": "cccd", "value": value}, "status": status});
                self.send(Some(person), "identifier_linked", data).await
            }
            _ => {
                let died = json!({"died_on": "2026-01-15"});
                self.send(Some(person), "person_died", died).await
            }
        };
        if let Ok(receipt) = told {
            self.entries.push(receipt);
        }
    }

    /// Corrects any entry, a registration and another correction among them.
    async fn correct(&mut self, number: u32) {
        let (corrected, mut data) = match self.random.index(3) {
            0 => {
                let receipt = self.random.one_of(&self.registrations).cloned();
                let data = registration(number, "Phạm Văn Dũng");
                (
                    receipt,
                    json!({"action": "replace", "replacement": {"data": data}}),
                )
            }
            1 => {
                let data = json!({"action": "replace", "replacement": {"data": weight(70)}});
                (self.random.one_of(&self.entries).cloned(), data)
            }
            _ => (
                self.random.one_of(&self.entries).cloned(),
                json!({"action": "void"}),
            ),
        };
        let Some(corrected) = corrected else { return };
        data["corrects"] = json!(corrected.event_id);
        data["reason"] = json!("typed wrong");
        if let Ok(receipt) = self
            .send(corrected.person_id, "correction_made", data)
            .await
        {
            self.entries.push(receipt);
        }
    }
}

fn event_id(number: u32) -> String {
    format!("0192f0c1-7a3b-7c11-9e2f-{number:012x}")
}

fn identifier(number: u32) -> String {
    format!("0990850{number:05}")
}

fn registration(number: u32, name: &str) -> Value {
    json!({
        "identifiers": [{"system": "cccd", "value": identifier(number)}],
        "name": {"full": name}, "sex": "female", "birth_date": "1985-03-07",
    })
}

fn weight(kilograms: u32) -> Value {
    json!({
        "code": {"system": "loinc", "code": "29463-7"},
        "value": {"quantity": {"value": kilograms, "unit": "kg"}},
    })
}

fn settings(folder: &Path) -> Settings {
    Settings::new(&folder.join("data"), Clock::new(|| NOW_US))
}

/// Tells a history.
async fn tell(folder: &Path, seed: u64, rounds: u32) -> Told {
    let commands = Commands::open(settings(folder)).unwrap();
    let mut told = Told {
        commands: Some(commands),
        random: Random::new(seed),
        sent: 0,
        people: Vec::new(),
        registrations: Vec::new(),
        entries: Vec::new(),
        merges: Vec::new(),
    };
    for _ in 0..20 {
        told.register().await;
    }
    for _ in 0..rounds {
        told.measure().await;
        for _ in 0..OTHERS {
            told.other().await;
        }
    }
    told
}

/// Everything that a registry says of what was told.
fn all_of(registry: &Registry, opener: &Opener, told: &Told) -> Vec<String> {
    let end = opener.reader().position().get();
    let mut all = vec![format!("{:?}", registry.all_people())];
    for person in &told.people {
        for at in [None, Some(end / 3), Some(end / 2)] {
            let survivor = registry.survivor(*person, at);
            all.push(format!("{survivor:?} {:?}", registry.members(*person, at)));
        }
    }
    for merge in &told.merges {
        all.push(format!(
            "{:?}",
            registry.merge_of(opener.event(&merge.event_id))
        ));
    }
    for number in 1..=told.sent {
        let id = event_id(number).parse().unwrap();
        let identifier = Identifier::new(IdentifierSystem::Cccd, identifier(number));
        let named = registry.find_committed(opener.identifier(&identifier));
        all.push(format!("{:?} {named:?}", registry.taken(opener.event(&id))));
    }
    // Births and deaths show in nothing else.
    all.push(registry.snapshot(0).0.len().to_string());
    all
}

/// Applies every event of the log, one after the other.
fn one_by_one(opener: &Opener) -> (Registry, Directory) {
    let (registry, mut directory) = (Registry::new(), Directory::default());
    let streams = Streams::new(opener.clone(), 1 << 20);
    let mut scan = opener.reader().scan(Position::new(1));
    while let Some(frame) = scan.next_frame().unwrap() {
        let (header, position) = (frame.header().unwrap(), frame.position.get());
        if header.stream_kind != StreamKind::Keeper {
            registry.take(header.event_key, position).unwrap();
        }
        let opened = match opener.open_scanned(&frame) {
            Ok(opened) => opened,
            Err(error) => {
                assert!(error.erased(), "{error}");
                None
            }
        };
        let Some(opened) = opened.filter(|opened| opened.person().is_some()) else {
            continue;
        };
        if !opened.mirror() {
            let mut root = opened.clone();
            while let Data::CorrectionMade(correction) = &root.stored.event.data {
                root = opener.by_id(correction.corrects).unwrap().unwrap();
            }
            let person = opened.person().unwrap();
            let (event, root) = (&opened.stored.event, &root.stored.event.data);
            let changes = changes_of(event, person, Some(root), opener);
            // Of erased people there is nothing left that a later event could change.
            let _ = registry.apply(&changes, position);
        }
        let mut note = Note::of(&opened).unwrap();
        if opened.corrects().is_some() {
            note = note.describing_anew();
        }
        note.apply(position, &mut directory, &streams).unwrap();
    }
    directory.advance(opener.reader().position().get());
    (registry, directory)
}

fn bytes(directory: &Directory) -> Vec<u8> {
    directory.snapshot().encode().unwrap()
}

#[tokio::test]
async fn all_processors_bring_registry_and_directory_to_what_one_event_after_the_other_does() {
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let folder = tempfile::tempdir().unwrap();
    let mut told = tell(folder.path(), seed, 24).await;
    let commands = told.commands.take().unwrap();
    let lived = all_of(commands.opener().registry(), commands.opener(), &told);
    let end = commands.close().unwrap();
    drop(commands);
    assert!(end > 4 * 1024, "several stretches: {end}");
    assert!(told.merges.len() > 1 && told.entries.len() > told.registrations.len());

    let cache = folder.path().join("data/cache");
    for erased in [0, 6] {
        std::fs::remove_dir_all(&cache).unwrap();
        let (commands, beginning) =
            Commands::open_with(settings(folder.path()), Beginning::of).unwrap();
        let opener = commands.opener();
        assert_eq!(beginning.position(), end);
        let (registry, directory) = one_by_one(opener);
        let brought_on = all_of(opener.registry(), opener, &told);
        assert_eq!(brought_on, all_of(&registry, opener, &told), "seed {seed}");
        assert_eq!(
            bytes(&beginning.index.directory),
            bytes(&directory),
            "seed {seed}"
        );
        let anew = from_zero(&beginning.streams).unwrap();
        assert_eq!(
            bytes(&anew.index.directory),
            bytes(&directory),
            "seed {seed}"
        );
        if erased == 0 {
            assert_eq!(brought_on, lived, "seed {seed}");
        }
        let streams = told.people.iter().map(|person| record_stream(*person));
        let streams: Vec<_> = streams.step_by(7).take(6).collect();
        opener.vault().destroy(&streams).unwrap();
        commands.close().unwrap();
    }
}

#[tokio::test]
async fn a_follower_behind_the_registry_s_snapshot_is_brought_on_alone_and_one_ahead_of_it_waits() {
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let folder = tempfile::tempdir().unwrap();
    let told = tell(folder.path(), seed, 4).await;
    let end = told.commands.unwrap().close().unwrap();
    let cache = folder.path().join("data/cache");
    let (commands, beginning) =
        Commands::open_with(settings(folder.path()), Beginning::of).unwrap();
    let expected = bytes(&beginning.index.directory);
    let people = commands.opener().registry().all_people();
    commands.opener().write_cache(DIRECTORY_SNAPSHOT, &expected);
    commands.close().unwrap();
    drop((commands, beginning));
    for lost in ["registry", "directory"] {
        std::fs::remove_file(cache.join(lost)).unwrap();
        let (commands, beginning) =
            Commands::open_with(settings(folder.path()), Beginning::of).unwrap();
        assert_eq!(beginning.position(), end, "without {lost}");
        assert_eq!(
            bytes(&beginning.index.directory),
            expected,
            "without {lost}"
        );
        assert_eq!(commands.opener().registry().all_people(), people);
        commands.opener().write_cache(DIRECTORY_SNAPSHOT, &expected);
        commands.close().unwrap();
    }
}
