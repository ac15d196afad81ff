//! The keeper: when the heads of all streams are committed to, and that a restart changes nothing about it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sokhoe_access::Principal;
use sokhoe_commands::{Commands, ContentDigest, Receipt, Settings, record_stream};
use sokhoe_record::{json, parse_event};
use sokhoe_storage::Clock;

/// 1 November 2026, 01:00 UTC.
const START_US: i64 = 1_793_494_800_000_000;
const MINUTE_US: i64 = 60_000_000;

struct Time(Arc<AtomicI64>);

impl Time {
    fn new() -> Self {
        Self(Arc::new(AtomicI64::new(START_US)))
    }

    fn pass(&self, minutes: i64) {
        self.0.fetch_add(minutes * MINUTE_US, Ordering::Relaxed);
    }

    fn open(&self, folder: &Path) -> Commands {
        let now = Arc::clone(&self.0);
        let clock = Clock::new(move || now.load(Ordering::Relaxed));
        Commands::open(Settings::new(&folder.join("data"), clock)).unwrap()
    }
}

async fn register(commands: &Commands, number: u32) -> Receipt {
    let text = format!(
        r#"{{"event_id": "0192f0c1-7a3b-7c11-9e2f-{number:012x}", "kind": "person_registered",
            "occurred_at": "2026-01-01", "facility": "99001", "data": {{
            "identifiers": [{{"system": "cccd", "value": "0990850{number:05}"}}],
            "name": {{"full": "Nguyễn Văn A"}}, "sex": "male", "birth_date": "1985-03-07"}}}}"#
    );
    let content = ContentDigest::of_json(&json::parse(text.as_bytes()).unwrap());
    let incoming = parse_event(text.as_bytes()).unwrap();
    let principal = Principal::operator("tests");
    commands
        .submit(&principal, incoming, content)
        .await
        .unwrap()
}

fn committed(commands: &Commands) -> Option<u64> {
    let event = commands.opener().reader().last_commitment().unwrap();
    event.map(|event| event.as_of.get())
}

/// Waits for the keeper, which looks at the clock several times a second.
fn wait_for(commands: &Commands, as_of: u64) {
    for _ in 0..1_200 {
        if committed(commands) == Some(as_of) {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("committed {:?}, not {as_of}", committed(commands));
}

/// Long enough for the keeper to have looked at the clock more than once.
fn let_it_look() {
    std::thread::sleep(Duration::from_millis(800));
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_are_committed_to_when_an_hour_has_gone_and_the_log_has_grown() {
    let folder = tempfile::tempdir().unwrap();
    let time = Time::new();
    let commands = time.open(folder.path());
    register(&commands, 1).await;
    time.pass(59);
    let_it_look();
    assert_eq!(committed(&commands), None);
    time.pass(1);
    wait_for(&commands, 1);

    // The commitment itself, at position 2, is no growth.
    time.pass(120);
    let_it_look();
    assert_eq!(committed(&commands), Some(1));
    register(&commands, 2).await;
    wait_for(&commands, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_neither_forgets_a_commitment_nor_hurries_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let time = Time::new();
    let commands = time.open(folder.path());
    let first = register(&commands, 1).await;
    time.pass(60);
    wait_for(&commands, 1);
    register(&commands, 2).await;
    commands.close().unwrap();
    drop(commands);

    time.pass(30);
    let commands = time.open(folder.path());
    let_it_look();
    assert_eq!(committed(&commands), Some(1));
    let commitment = commands.commitment().unwrap().unwrap();
    let stream = record_stream(first.person_id.unwrap());
    let proof = commitment.prove(&stream).unwrap().unwrap();
    assert_eq!((proof.head.version, proof.head.hash), (1, first.hash));
    assert_eq!(proof.verify(&commitment.event.heads), Ok(()));
    time.pass(30);
    wait_for(&commands, 3);
    let later = commands.commitment().unwrap().unwrap();
    assert_eq!(later.event.as_of.get(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commitment_on_demand_covers_what_was_acknowledged_before() {
    let folder = tempfile::tempdir().unwrap();
    let commands = Time::new().open(folder.path());
    assert!(commands.commitment().unwrap().is_none());
    let receipt = register(&commands, 1).await;
    let asked = commands.clone();
    let made = tokio::task::spawn_blocking(move || asked.commit_heads()).await;
    let made = made.unwrap().unwrap();
    assert!(made.event.as_of.get() >= receipt.position);
    assert_eq!(made.event.frame.position.get(), 2);
    let stream = record_stream(receipt.person_id.unwrap());
    let proof = made.prove(&stream).unwrap().unwrap();
    assert_eq!(proof.head.hash, receipt.hash);
}
