//! What the write side promises, on a real folder with small made-up events.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use sokhoe_access::Principal;
use sokhoe_commands::{Commands, ContentDigest, Receipt, Refusal, Settings};
use sokhoe_record::{Incoming, json, parse_event};
use sokhoe_storage::{Clock, Progress};

/// 1 November 2026, 01:00 UTC.
const NOW_US: i64 = 1_793_494_800_000_000;

fn open(folder: &std::path::Path) -> Commands {
    Commands::open(Settings::new(&folder.join("data"), Clock::new(|| NOW_US))).unwrap()
}

fn operator() -> Principal {
    Principal::operator("tests")
}

fn event(json_text: &str) -> (Incoming, ContentDigest) {
    let node = json::parse(json_text.as_bytes()).unwrap();
    (
        parse_event(json_text.as_bytes()).unwrap(),
        ContentDigest::of_json(&node),
    )
}

fn id(number: u32) -> String {
    format!("0192f0c1-7a3b-7c11-9e2f-{number:012x}")
}

fn registration(event: u32, cccd: u32) -> String {
    format!(
        r#"{{"event_id": "{}", "kind": "person_registered", "occurred_at": "2026-01-01",
            "facility": "99001", "data": {{
            "identifiers": [{{"system": "cccd", "value": "0990850{cccd:05}"}}],
            "name": {{"full": "Nguyễn Văn A"}}, "sex": "male", "birth_date": "1985-03-07"}}}}"#,
        id(event)
    )
}

fn weight(event: u32, cccd: u32, kilograms: u32) -> String {
    format!(
        r#"{{"event_id": "{}", "kind": "observation_recorded", "occurred_at": "2026-02-01",
            "person": {{"identifier": {{"system": "cccd", "value": "0990850{cccd:05}"}}}},
            "facility": "99001", "data": {{"code": {{"system": "loinc", "code": "29463-7"}},
            "value": {{"quantity": {{"value": {kilograms}, "unit": "kg"}}}}}}}}"#,
        id(event)
    )
}

async fn send(commands: &Commands, text: &str) -> Result<Receipt, Refusal> {
    let (incoming, content) = event(text);
    commands.submit(&operator(), incoming, content).await
}

#[tokio::test]
async fn the_same_event_again_gets_the_first_receipt_and_another_content_a_conflict() {
    let folder = tempfile::tempdir().unwrap();
    let commands = open(folder.path());
    send(&commands, &registration(1, 1)).await.unwrap();
    let first = send(&commands, &weight(2, 1, 70)).await.unwrap();
    let again = send(&commands, &weight(2, 1, 70).replace("  ", " "))
        .await
        .unwrap();
    assert!(again.duplicate);
    assert_eq!((again.position, again.hash), (first.position, first.hash));
    assert_eq!(
        send(&commands, &weight(2, 1, 71)).await,
        Err(Refusal::IdTaken)
    );

    let (incoming, content) = event(&weight(2, 1, 70));
    let other = Principal::operator("another sender");
    assert_eq!(
        commands.submit(&other, incoming, content).await,
        Err(Refusal::IdTaken)
    );
}

#[tokio::test]
async fn everything_survives_a_clean_stop_and_a_lost_cache() {
    let folder = tempfile::tempdir().unwrap();
    let commands = open(folder.path());
    send(&commands, &registration(1, 1)).await.unwrap();
    let before = send(&commands, &weight(2, 1, 70)).await.unwrap();
    commands.close().unwrap();
    drop(commands);
    for lost_cache in [false, true] {
        if lost_cache {
            std::fs::remove_dir_all(folder.path().join("data/cache")).unwrap();
        }
        let commands = open(folder.path());
        let again = send(&commands, &weight(2, 1, 70)).await.unwrap();
        assert!(again.duplicate);
        assert_eq!(again.hash, before.hash);
        let taken = send(&commands, &registration(3, 1)).await;
        assert!(
            matches!(taken, Err(Refusal::Conflict { .. })),
            "{lost_cache} {taken:?} {:?}",
            commands.status()
        );
        commands.close().unwrap();
    }
}

#[tokio::test]
async fn opening_without_a_cache_tells_how_far_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let commands = open(folder.path());
    send(&commands, &registration(1, 1)).await.unwrap();
    commands.close().unwrap();
    drop(commands);
    std::fs::remove_dir_all(folder.path().join("data/cache")).unwrap();
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let hears = std::sync::Arc::clone(&told);
    let mut settings = Settings::new(&folder.path().join("data"), Clock::new(|| NOW_US));
    settings.log.progress = Progress::new(move |step| hears.lock().unwrap().push(step));
    Commands::open(settings).unwrap();
    let told = told.lock().unwrap();
    let said = |unit| told.iter().any(|step| step.unit == unit && step.total > 0);
    assert!(said("segments") && said("events"), "{told:?}");
}

/// Copies a folder's files as a crash would leave them, without its lock.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap().path();
        let target = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            copy(&entry, &target);
        } else {
            std::fs::copy(&entry, &target).unwrap();
        }
    }
}

#[tokio::test]
async fn a_snapshot_taken_while_events_come_in_holds_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(&folder.path().join("data"), Clock::new(|| NOW_US));
    settings.snapshot_events = 20;
    let commands = Commands::open(settings).unwrap();
    let snapshot = folder.path().join("data/cache/registry");
    let mut number = 0;
    while !snapshot.exists() {
        number += 1;
        send(&commands, &registration(number, number))
            .await
            .unwrap();
    }
    for more in 1..=10 {
        send(&commands, &registration(number + more, number + more))
            .await
            .unwrap();
    }
    // The signer has caught up, so that no copied file is newer than one copied before it.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let after = tempfile::tempdir().unwrap();
    copy(folder.path(), after.path());
    let crashed = open(after.path());
    for number in 1..=number + 10 {
        let again = send(&crashed, &registration(number, number)).await.unwrap();
        assert!(again.duplicate, "{number}");
        let taken = send(&crashed, &registration(90_000 + number, number)).await;
        assert!(matches!(taken, Err(Refusal::Conflict { .. })), "{taken:?}");
    }
}

#[tokio::test]
async fn a_batch_may_register_a_person_and_write_to_them_in_the_next_line() {
    let folder = tempfile::tempdir().unwrap();
    let commands = open(folder.path());
    let mut submission = commands.submission(operator());
    for text in [
        registration(1, 1),
        weight(2, 1, 70),
        weight(3, 9, 70),
        registration(1, 1),
    ] {
        let (incoming, content) = event(&text);
        submission.push(incoming, content).await;
    }
    let first = submission.next().await.unwrap().unwrap();
    let second = submission.next().await.unwrap().unwrap();
    assert_eq!(second.person_id, first.person_id);
    assert_eq!((first.version, second.version), (1, 2));
    assert!(matches!(
        submission.next().await.unwrap(),
        Err(Refusal::Invalid(_))
    ));
    assert!(submission.next().await.unwrap().unwrap().duplicate);
    assert!(submission.next().await.is_none());
}

#[tokio::test]
async fn an_atomic_batch_is_there_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let commands = open(folder.path());
    let batch = vec![
        event(&registration(1, 1)),
        event(&weight(2, 1, 70)),
        event(&weight(3, 8, 1)),
    ];
    let (index, refusal) = commands
        .submit_atomic(&operator(), batch)
        .await
        .unwrap_err();
    assert_eq!(index, 2);
    assert!(matches!(refusal, Refusal::Invalid(_)));
    assert!(
        send(&commands, &weight(4, 1, 70)).await.is_err(),
        "nobody was registered"
    );

    let batch = || vec![event(&registration(1, 1)), event(&weight(2, 1, 70))];
    let receipts = commands.submit_atomic(&operator(), batch()).await.unwrap();
    assert_eq!(
        receipts.iter().map(|r| r.version).collect::<Vec<_>>(),
        [1, 2]
    );
    let again = commands.submit_atomic(&operator(), batch()).await.unwrap();
    assert!(again.iter().all(|receipt| receipt.duplicate));
}

#[tokio::test]
async fn a_stale_expected_version_is_refused_and_names_the_present_one() {
    let folder = tempfile::tempdir().unwrap();
    let commands = open(folder.path());
    send(&commands, &registration(1, 1)).await.unwrap();
    let at = |version: u64, event: u32| {
        let head = format!(r#"{{"expected_version": {version}, "#);
        weight(event, 1, 70).replacen('{', &head, 1)
    };
    let stale = send(&commands, &at(0, 2)).await;
    assert_eq!(stale, Err(Refusal::VersionMismatch { current: 1 }));
    assert_eq!(send(&commands, &at(1, 3)).await.unwrap().version, 2);
}

#[tokio::test]
async fn a_merge_stands_in_both_streams_and_ends_with_its_unmerge() {
    let folder = tempfile::tempdir().unwrap();
    let commands = open(folder.path());
    let one = send(&commands, &registration(1, 1))
        .await
        .unwrap()
        .person_id
        .unwrap();
    let two = send(&commands, &registration(2, 2))
        .await
        .unwrap()
        .person_id
        .unwrap();
    let merge = format!(
        r#"{{"event_id": "{}", "kind": "people_merged", "occurred_at": "2026-03-01",
            "person": {{"id": "{one}"}}, "facility": "99001",
            "data": {{"retired": {{"id": "{two}"}}, "grounds": "same card"}}}}"#,
        id(3)
    );
    let receipt = send(&commands, &merge).await.unwrap();
    let registry = commands.opener().registry();
    assert_eq!(registry.survivor(two, None), Some(one));
    assert_eq!(
        registry.survivor(two, Some(receipt.position - 1)),
        Some(two)
    );
    let mirrored = commands
        .opener()
        .stream(sokhoe_commands::record_stream(two))
        .unwrap();
    assert!(mirrored.last().unwrap().mirror());

    let unmerge = format!(
        r#"{{"event_id": "{}", "kind": "people_unmerged", "occurred_at": "2026-04-01",
            "person": {{"id": "{one}"}}, "facility": "99001",
            "data": {{"merge_event_id": "{}", "grounds": "two people after all"}}}}"#,
        id(4),
        id(3)
    );
    send(&commands, &unmerge).await.unwrap();
    assert_eq!(commands.opener().registry().survivor(two, None), Some(two));
    let again = unmerge.replace(&id(4), &id(5));
    assert!(send(&commands, &again).await.is_err());
}

#[tokio::test]
async fn a_correction_names_an_event_of_the_same_record_and_fits_its_kind() {
    let folder = tempfile::tempdir().unwrap();
    let commands = open(folder.path());
    send(&commands, &registration(1, 1)).await.unwrap();
    send(&commands, &registration(2, 2)).await.unwrap();
    send(&commands, &weight(3, 1, 700)).await.unwrap();
    let correction = |event: u32, cccd: u32, replacement: &str| {
        format!(
            r#"{{"event_id": "{}", "kind": "correction_made", "occurred_at": "2026-02-02",
                "person": {{"identifier": {{"system": "cccd", "value": "0990850{cccd:05}"}}}},
                "facility": "99001", "data": {{"corrects": "{}", "action": "replace",
                "replacement": {replacement}, "reason": "typed wrong"}}}}"#,
            id(event),
            id(3)
        )
    };
    let good = r#"{"data": {"code": {"system": "loinc", "code": "29463-7"},
        "value": {"quantity": {"value": 70, "unit": "kg"}}}}"#;
    let foreign = send(&commands, &correction(4, 2, good)).await;
    assert!(matches!(foreign, Err(Refusal::Invalid(_))), "{foreign:?}");
    let unfit = send(
        &commands,
        &correction(5, 1, r#"{"data": {"died_on": "2026"}}"#),
    )
    .await;
    let Err(Refusal::Invalid(errors)) = unfit else {
        panic!("{unfit:?}")
    };
    assert!(
        errors
            .iter()
            .all(|error| error.pointer.starts_with("/data/replacement"))
    );
    send(&commands, &correction(6, 1, good)).await.unwrap();
}

#[tokio::test]
async fn the_checkpoint_beside_the_log_verifies_with_the_printed_key() {
    let folder = tempfile::tempdir().unwrap();
    let commands = open(folder.path());
    send(&commands, &registration(1, 1)).await.unwrap();
    let verifier = commands.verifier().clone();
    let size = commands.close().unwrap();
    let note = std::fs::read(folder.path().join("data/checkpoint")).unwrap();
    let checkpoint = sokhoe_chain::Checkpoint::open(&note, &verifier).unwrap();
    assert_eq!(checkpoint.size, size);
}

#[tokio::test]
async fn lost_keys_are_said_clearly() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).close().unwrap();
    std::fs::remove_dir_all(folder.path().join("data.keys")).unwrap();
    let settings = Settings::new(&folder.path().join("data"), Clock::new(|| NOW_US));
    let error = Commands::open(settings).unwrap_err();
    assert!(sokhoe_commands::chain_of(&error).contains("data folder needs its keys"));
}

#[tokio::test]
async fn what_has_not_happened_yet_is_refused_but_to_the_operator() {
    let folder = tempfile::tempdir().unwrap();
    let commands = open(folder.path());
    let hospital = Principal {
        role: sokhoe_access::Role::Hospital,
        facility: Some("99001".into()),
        ..operator()
    };
    let ahead = registration(1, 1).replace("2026-01-01", "2026-12-24");
    let (incoming, content) = event(&ahead);
    let refused = commands.submit(&hospital, incoming, content).await;
    let Err(Refusal::Invalid(errors)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(errors[0].pointer, "/occurred_at");
    send(&commands, &ahead).await.unwrap();
}

#[tokio::test]
async fn an_event_twice_in_one_atomic_batch_is_one_event_and_two_contents_are_refused() {
    // Once the second waited half a minute for a position that was never given out.
    let folder = tempfile::tempdir().unwrap();
    let commands = open(folder.path());
    let twice = || vec![event(&registration(1, 1)), event(&registration(1, 1))];
    let receipts = commands.submit_atomic(&operator(), twice()).await.unwrap();
    assert_eq!(receipts[0].position, receipts[1].position);
    assert!(receipts[1].duplicate && !receipts[0].duplicate);
    let differing = vec![event(&weight(2, 1, 70)), event(&weight(2, 1, 71))];
    let refused = commands.submit_atomic(&operator(), differing).await;
    assert_eq!(refused.unwrap_err(), (1, Refusal::IdTaken));
    assert!(!send(&commands, &weight(2, 1, 70)).await.unwrap().duplicate);
}

#[tokio::test]
async fn dates_of_things_past_do_not_lie_ahead() {
    let folder = tempfile::tempdir().unwrap();
    let commands = open(folder.path());
    let hospital = Principal {
        role: sokhoe_access::Role::Hospital,
        facility: Some("99001".into()),
        ..operator()
    };
    let unborn = registration(1, 1).replace("1985-03-07", "2099");
    let (incoming, content) = event(&unborn);
    let refused = commands.submit(&hospital, incoming, content).await;
    let Err(Refusal::Invalid(errors)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(errors[0].pointer, "/data/birth_date");
}

#[tokio::test]
async fn a_merge_or_a_registration_is_not_voided_by_a_correction() {
    let folder = tempfile::tempdir().unwrap();
    let commands = open(folder.path());
    let person = send(&commands, &registration(1, 1)).await.unwrap();
    let person = person.person_id.unwrap();
    let void = format!(
        r#"{{"event_id": "{}", "kind": "correction_made", "occurred_at": "2026-02-02",
            "person": {{"id": "{person}"}}, "facility": "99001",
            "data": {{"corrects": "{}", "action": "void", "reason": "no"}}}}"#,
        id(2),
        id(1)
    );
    let refused = send(&commands, &void).await;
    assert!(
        matches!(refused, Err(Refusal::Conflict { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn nobody_is_their_own_mother() {
    let folder = tempfile::tempdir().unwrap();
    let commands = open(folder.path());
    let person = send(&commands, &registration(1, 1)).await.unwrap();
    let person = person.person_id.unwrap();
    let link = format!(
        r#"{{"event_id": "{}", "kind": "family_linked", "occurred_at": "2026-02-02",
            "person": {{"id": "{person}"}}, "facility": "99001",
            "data": {{"relative": {{"id": "{person}"}}, "relation": "mother"}}}}"#,
        id(2)
    );
    let refused = send(&commands, &link).await;
    let Err(Refusal::Invalid(errors)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(errors[0].pointer, "/data/relative");
}
