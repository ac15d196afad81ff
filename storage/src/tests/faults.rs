//! A disk that fails: the writer stops for good, and nothing acknowledged is lost.

use super::*;
use crate::{LogStatus, Position, WriteFailure};
use sokhoe_disk::testing::{Fault, Operation, Survivors};

fn check(operation: Operation, fault: Fault) {
    for nth in 1..6 {
        let disk = MemDisk::new();
        let mut log = create_with(
            &disk,
            LogOptions {
                segment_bytes: 900,
                first_segment_bytes: 900,
                ..options()
            },
        );
        commit(&mut log, 0..3);
        disk.fail(operation, nth, fault);
        let mut acknowledged = 3;
        let failed = (0..20).find_map(|n| {
            let result = log.commit(|group| group.push(&draft(1, n, 100)).unwrap());
            match result {
                Ok((stamped, _)) => {
                    acknowledged = stamped.position.get();
                    None
                }
                Err(failure) => Some(failure),
            }
        });
        assert!(
            matches!(failed, Some(WriteFailure::Io { .. })),
            "{operation:?} {nth}: {failed:?}"
        );
        let reader = log.reader();
        assert!(matches!(reader.status(), LogStatus::Stopped(_)));
        let again = log.commit(|group| group.push(&draft(1, 99, 100)).unwrap());
        assert!(again.is_err(), "the log went on after a failure");
        assert!(log.close().is_err());
        assert_eq!(reader.position(), Position::new(acknowledged));
        for survivors in [Survivors::None, Survivors::First(1), Survivors::All] {
            let copy = disk.clone();
            copy.crash(survivors);
            let opened = open(&copy);
            let found = opened.log.reader().position().get();
            assert!(
                found >= acknowledged,
                "{operation:?} {nth}: {found} of {acknowledged}"
            );
            assert_eq!(all(&opened.log.reader()).len() as u64, found);
        }
    }
}

#[test]
fn what_a_failed_sync_forgot_is_written_again_before_a_restart_takes_it_for_durable() {
    for commits in 0..4 {
        for crash_at_once in [false, true] {
            let disk = MemDisk::new();
            let mut log = create(&disk);
            for n in 0..commits {
                commit(&mut log, n..n + 1);
            }
            disk.fail(Operation::Sync, 1, Fault::Forgotten);
            assert!(
                log.commit(|group| group.push(&draft(1, 50, 100)).unwrap())
                    .is_err()
            );
            drop(log);
            // The process starts again on the running system, which still shows the group.
            let mut opened = open(&disk);
            let found = opened.log.reader().position().get();
            if !crash_at_once {
                commit(&mut opened.log, 60..63);
            }
            let promised = opened.log.reader().position().get();
            drop(opened);
            disk.crash(Survivors::None);
            let reader = open(&disk).log.reader();
            assert!(reader.position().get() >= promised, "{commits}: {found}");
            assert_eq!(all(&reader).len() as u64, reader.position().get());
        }
    }
}

#[test]
fn a_failed_sync_stops_the_log_for_good() {
    check(Operation::Sync, Fault::Io);
}

#[test]
fn a_failed_write_stops_the_log_for_good() {
    check(Operation::Write, Fault::Io);
    check(Operation::Write, Fault::HalfWritten);
}

#[test]
fn a_full_disk_stops_the_log_for_good() {
    check(Operation::Write, Fault::NoSpace);
    check(Operation::Create, Fault::NoSpace);
}

#[test]
fn a_segment_that_cannot_be_named_stops_the_log_for_good() {
    check(Operation::Rename, Fault::Io);
    check(Operation::SyncDir, Fault::Io);
}

#[test]
fn a_failure_is_told_to_whoever_waits() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    disk.fail(Operation::Sync, 2, Fault::Io);
    let (told, hears) = std::sync::mpsc::channel();
    let result = log.commit(|group| {
        group.push(&draft(1, 1, 10)).unwrap();
        group.on_durable(move |outcome| told.send(outcome.is_ok()).unwrap());
    });
    assert!(result.is_err());
    assert!(!hears.recv().unwrap());
    assert_eq!(log.reader().position(), Position::ZERO);
    assert!(log.reader().head(&stream(1)).is_none());
}
