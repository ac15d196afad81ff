//! What the write side promises when the disk beneath it fails, and when the power does: keys and log together, on a disk
//! in memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sokhoe_access::Principal;
use sokhoe_commands::{Commands, ContentDigest, HouseError, Receipt, Refusal, Settings};
use sokhoe_disk::testing::{Fault, MemDisk, Operation, Survivors};
use sokhoe_record::{json, parse_event};
use sokhoe_storage::{Clock, LogStatus};

/// 1 November 2026, 01:00 UTC.
const NOW_US: i64 = 1_793_494_800_000_000;

fn open(disk: &MemDisk) -> Result<Commands, HouseError> {
    let mut settings = Settings::new(Path::new("/house/data"), Clock::new(|| NOW_US));
    settings.disk = Arc::new(disk.clone());
    settings.log.segment_bytes = 4096;
    settings.log.first_segment_bytes = 4096;
    Commands::open(settings)
}

fn registration(number: u32) -> String {
    format!(
        r#"{{"event_id": "0192f0c1-7a3b-7c11-9e2f-{number:012x}", "kind": "person_registered", "occurred_at": "2026-01-01",
            "facility": "99001", "data": {{
            "identifiers": [{{"system": "cccd", "value": "0990850{number:05}"}}],
            "name": {{"full": "Nguyễn Văn A"}}, "sex": "male", "birth_date": "1985-03-07"}}}}"#
    )
}

async fn register(commands: &Commands, number: u32) -> Result<Receipt, Refusal> {
    let text = registration(number);
    let node = json::parse(text.as_bytes()).unwrap();
    let incoming = parse_event(text.as_bytes()).unwrap();
    let content = ContentDigest::of_json(&node);
    commands
        .submit(&Principal::operator("tests"), incoming, content)
        .await
}

/// A house in which a sync fails under the second registration and forgets what it should have written.
async fn forgetful() -> (MemDisk, Commands, Receipt) {
    loop {
        let disk = MemDisk::new();
        let commands = open(&disk).unwrap();
        let first = register(&commands, 1).await.unwrap();
        disk.fail(Operation::Sync, 1, Fault::Forgotten);
        if register(&commands, 2).await == Err(Refusal::Stopped) {
            return (disk, commands, first);
        }
        // The checkpoint's sync was the next one.
    }
}

#[tokio::test]
async fn keys_that_a_failed_sync_forgot_are_written_again_by_the_next_start() {
    let (disk, commands, first) = forgetful().await;
    drop(commands);
    // The process starts again on the running system, which still shows the keys; then the power fails.
    let commands = open(&disk).unwrap();
    let third = register(&commands, 3).await.unwrap();
    disk.crash(Survivors::None);
    drop(commands);
    let commands = open(&disk).expect("no hole in the journal of keys");
    for (number, receipt) in [(1, first), (3, third)] {
        let again = register(&commands, number).await.unwrap();
        assert_eq!(
            (again.position, again.hash),
            (receipt.position, receipt.hash)
        );
    }
    assert!(!register(&commands, 2).await.unwrap().duplicate);
}

#[tokio::test]
async fn who_sends_again_what_never_became_durable_is_told_at_once_that_the_log_has_stopped() {
    let (_, commands, first) = forgetful().await;
    assert!(matches!(commands.status(), LogStatus::Stopped(_)));
    let again = tokio::time::timeout(Duration::from_secs(10), register(&commands, 2));
    assert_eq!(again.await.expect("an answer"), Err(Refusal::Stopped));
    // What is durable is still answered.
    let again = register(&commands, 1).await.unwrap();
    assert_eq!(again.position, first.position);
}

#[test]
fn a_first_start_that_ends_anywhere_is_finished_by_the_next() {
    let operations = [
        Operation::Create,
        Operation::Write,
        Operation::Sync,
        Operation::Rename,
        Operation::SyncDir,
    ];
    for operation in operations {
        let mut nth = 1;
        loop {
            let disk = MemDisk::new();
            disk.fail(operation, nth, Fault::Io);
            let Err(first) = open(&disk) else { break };
            for survivors in [Survivors::All, Survivors::None] {
                let copy = disk.duplicate();
                copy.crash(survivors);
                let again = open(&copy);
                assert!(
                    again.is_ok(),
                    "{operation:?} {nth}: {first:?}, then {again:?}"
                );
            }
            nth += 1;
        }
        assert!(nth > 1, "{operation:?} is never needed");
    }
}
