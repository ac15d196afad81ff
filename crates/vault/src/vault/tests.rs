//! Promises of the vault and its folder.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::check::check_key_files;

const LOG: LogId = LogId([7; 16]);

fn stream(number: u16) -> StreamId {
    // Few shards, so that shredding one key meets others beside it.
    let mut id = [0; 16];
    id[1] = u8::try_from(number % 3).unwrap() << 4;
    id[14..].copy_from_slice(&number.to_be_bytes());
    StreamId(id)
}

struct Folder {
    _parent: tempfile::TempDir,
    keys: PathBuf,
}

fn folder() -> Folder {
    let parent = tempfile::tempdir().unwrap();
    let keys = parent.path().join("data.keys");
    Folder {
        _parent: parent,
        keys,
    }
}

/// A folder with folded keys and keys in the journal, and the secret of each by stream.
fn filled() -> (Folder, BTreeMap<u16, [u8; 32]>) {
    let folder = folder();
    let vault = Vault::create(&folder.keys, LOG).unwrap();
    let make = |numbers: std::ops::Range<u16>| {
        let pair = |number| {
            (
                number,
                fingerprint(&vault.new_stream(stream(number)).unwrap()),
            )
        };
        numbers.map(pair).collect::<BTreeMap<_, _>>()
    };
    let mut keys = make(0..6);
    vault.persist_pending().unwrap();
    vault.fold().unwrap();
    keys.extend(make(6..9));
    vault.close().unwrap();
    (folder, keys)
}

/// Tells keys apart without showing them.
fn fingerprint(key: &StreamKey) -> [u8; 32] {
    *key.event_secret(&sokhoe_chain::Salt::ZERO).as_bytes()
}

#[test]
fn keys_are_the_same_after_reopening() {
    let (folder, keys) = filled();
    let vault = Vault::open(&folder.keys, LOG).unwrap();
    assert_eq!(
        vault.opened(),
        Opened {
            keys: 9,
            journal_keys: 3,
            torn_bytes: 0
        }
    );
    for (number, expected) in keys {
        let key = vault.stream_key(stream(number)).unwrap();
        assert_eq!((fingerprint(&key), key.epoch()), (expected, 1));
    }
    let missing = vault.stream_key(stream(99)).unwrap_err();
    assert_eq!(missing, KeyError::Missing { stream: stream(99) });
    let exists = vault.new_stream(stream(1)).unwrap_err();
    assert_eq!(exists, KeyError::Exists { stream: stream(1) });
}

#[test]
fn key_that_was_never_persisted_is_missing_after_a_crash() {
    let folder = folder();
    let vault = Vault::create(&folder.keys, LOG).unwrap();
    vault.new_stream(stream(1)).unwrap();
    vault.persist_pending().unwrap();
    vault.new_stream(stream(2)).unwrap();
    drop(vault);
    let vault = Vault::open(&folder.keys, LOG).unwrap();
    assert!(vault.stream_key(stream(1)).is_ok());
    assert_eq!(
        vault.stream_key(stream(2)).unwrap_err(),
        KeyError::Missing { stream: stream(2) }
    );
}

#[test]
fn lost_key_folder_is_said_clearly() {
    let folder = folder();
    let error = Vault::open(&folder.keys, LOG).unwrap_err();
    assert!(matches!(error, VaultError::FolderMissing { .. }));
    let message = error.to_string();
    for words in [
        "needs its keys",
        "--keys",
        "restore the keys",
        "nothing that was recorded",
    ] {
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn missing_file_is_named() {
    for name in [
        "root.key",
        "secrets",
        "keks.2",
        "journal.2",
        "shards/0000.2",
    ] {
        let (folder, _) = filled();
        fs::remove_file(folder.keys.join(name)).unwrap();
        let error = Vault::open(&folder.keys, LOG).unwrap_err();
        assert!(
            matches!(error, VaultError::FileMissing { .. }),
            "{name}: {error:?}"
        );
        assert!(check_key_files(&folder.keys, LOG).is_err() || name == "root.key");
    }
}

#[test]
fn keys_of_another_log_are_refused() {
    let (folder, _) = filled();
    let error = Vault::open(&folder.keys, LogId([8; 16])).unwrap_err();
    assert!(matches!(error, VaultError::WrongLog { found: LOG, .. }));
}

#[test]
fn folder_and_files_are_private_and_must_stay_so() {
    let (folder, _) = filled();
    let mode = |name: &str| {
        fs::metadata(folder.keys.join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!((mode(""), mode("shards")), (0o700, 0o700));
    for name in [
        "root.key",
        "secrets",
        "keks.2",
        "journal.2",
        "shards/0000.2",
    ] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    for name in ["", "root.key", "secrets", "keks.2", "journal.2"] {
        let path = folder.keys.join(name);
        let before = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(before.mode() | 0o040)).unwrap();
        let error = Vault::open(&folder.keys, LOG).unwrap_err();
        assert!(
            matches!(error, VaultError::NotPrivate { .. }),
            "{name}: {error:?}"
        );
        fs::set_permissions(&path, before).unwrap();
    }
    assert!(Vault::open(&folder.keys, LOG).is_ok());
}

#[test]
fn folder_in_use_is_refused_and_a_full_one_is_not_made_anew() {
    let (folder, _) = filled();
    let vault = Vault::open(&folder.keys, LOG).unwrap();
    assert!(matches!(
        Vault::open(&folder.keys, LOG),
        Err(VaultError::InUse { .. })
    ));
    assert!(matches!(
        Vault::create(&folder.keys, LOG),
        Err(VaultError::FolderNotEmpty { .. })
    ));
    assert!(LogSecrets::load(&folder.keys, LOG).is_ok());
    drop(vault);
}

#[test]
fn any_flipped_bit_in_any_key_file_is_named() {
    let (folder, _) = filled();
    let check = |name: &str, step: usize| {
        let path = folder.keys.join(name);
        let bytes = fs::read(&path).unwrap();
        for at in (0..bytes.len()).step_by(step) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            fs::write(&path, &flipped).unwrap();
            for error in [
                Vault::open(&folder.keys, LOG).map(drop).unwrap_err(),
                check_key_files(&folder.keys, LOG).unwrap_err(),
            ] {
                let VaultError::Damaged {
                    path: named,
                    offset,
                    ..
                } = &error
                else {
                    panic!("{name} byte {at}: {error:?}");
                };
                assert_eq!(named, &path);
                assert!(
                    *offset <= at as u64,
                    "{name} byte {at} reported at {offset}"
                );
            }
        }
        fs::write(&path, &bytes).unwrap();
    };
    check("root.key", 1);
    check("secrets", 5);
    check("shards/0000.2", 1);
    check("journal.2", 7);
    check("keks.2", 4999);
    assert!(Vault::open(&folder.keys, LOG).is_ok());
}

#[test]
fn exchanged_shard_files_are_damage() {
    let (folder, _) = filled();
    let path = |name: &str| folder.keys.join("shards").join(name);
    let (one, two) = (
        fs::read(path("0000.2")).unwrap(),
        fs::read(path("0001.2")).unwrap(),
    );
    fs::write(path("0000.2"), two).unwrap();
    fs::write(path("0001.2"), one).unwrap();
    assert!(matches!(
        Vault::open(&folder.keys, LOG),
        Err(VaultError::Damaged { .. })
    ));
}

#[test]
fn destroyed_key_is_gone_from_every_file_and_the_others_stay() {
    let (folder, keys) = filled();
    let before = read_all(&folder.keys);
    let vault = Vault::open(&folder.keys, LOG).unwrap();
    vault.destroy(&[stream(3), stream(7), stream(99)]).unwrap();
    let check = |vault: &Vault| {
        for (number, expected) in &keys {
            match vault.stream_key(stream(*number)) {
                Ok(key) => assert_eq!(fingerprint(&key), *expected),
                Err(error) => {
                    assert_eq!(
                        error,
                        KeyError::Destroyed {
                            stream: stream(*number)
                        }
                    );
                    assert!([3, 7].contains(number));
                }
            }
        }
        let again = vault.new_stream(stream(3)).unwrap_err();
        assert_eq!(again, KeyError::Destroyed { stream: stream(3) });
    };
    check(&vault);
    drop(vault);
    assert!(!folder.keys.join("keks.2").exists() && !folder.keys.join("journal.2").exists());
    let wrapped_before = wrapped_keys(&before);
    let wrapped_after = wrapped_keys(&read_all(&folder.keys));
    assert!(!wrapped_before.is_empty());
    assert!(
        wrapped_before
            .iter()
            .all(|key| !wrapped_after.contains(key)),
        "shards 0 and 1"
    );
    check(&Vault::open(&folder.keys, LOG).unwrap());
}

fn read_all(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for name in KeyFolder::from(dir).names(&dir.join("shards")).unwrap() {
        let bytes = fs::read(dir.join("shards").join(&name)).unwrap();
        files.insert(name, bytes);
    }
    files
}

/// The wrapped keys in files of shards 0 and 1, by their place in the documented layout.
fn wrapped_keys(files: &BTreeMap<String, Vec<u8>>) -> Vec<Vec<u8>> {
    let shards = files.iter().filter(|(name, _)| !name.starts_with("0002"));
    let entries = shards.flat_map(|(_, bytes)| bytes[40..bytes.len() - 32].chunks(88));
    let present = entries.filter(|entry| entry[20] == 1);
    present.map(|entry| entry[36..84].to_vec()).collect()
}

/// A crash after the new manifest is in place leaves the old one; opening destroys it.
#[test]
fn unfinished_shredding_is_finished_at_the_next_opening() {
    let (folder, _) = filled();
    let old = fs::read(folder.keys.join("keks.2")).unwrap();
    let vault = Vault::open(&folder.keys, LOG).unwrap();
    vault.destroy(&[stream(3)]).unwrap();
    drop(vault);
    let left = folder.keys.join("keks.2");
    fs::write(&left, old).unwrap();
    fs::set_permissions(&left, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(folder.keys.join("keks.9.new"), b"half").unwrap();
    fs::write(folder.keys.join("shards/0000.1"), b"stale").unwrap();
    let vault = Vault::open(&folder.keys, LOG).unwrap();
    assert!(matches!(
        vault.stream_key(stream(3)),
        Err(KeyError::Destroyed { .. })
    ));
    assert!(!left.exists() && !folder.keys.join("keks.9.new").exists());
    assert!(!folder.keys.join("shards/0000.1").exists());
}

/// A crash before the new manifest is in place leaves the old generation whole.
#[test]
fn unbegun_generation_is_ignored() {
    let (folder, keys) = filled();
    drop(Journal::create(&(&folder.keys).into(), LOG, 3).unwrap());
    fs::write(folder.keys.join("shards/0000.3"), b"half written").unwrap();
    let vault = Vault::open(&folder.keys, LOG).unwrap();
    assert_eq!(vault.opened().keys, keys.len() as u64);
    assert!(!folder.keys.join("journal.3").exists());
}

#[test]
fn failed_write_stops_the_vault_for_good() {
    let folder = folder();
    let vault = Vault::create(&folder.keys, LOG).unwrap();
    vault.new_stream(stream(1)).unwrap();
    vault.lock_journal().break_disk();
    assert!(matches!(
        vault.persist_pending(),
        Err(VaultError::Io { .. })
    ));
    assert!(vault.stopped());
    assert!(matches!(vault.persist_pending(), Err(VaultError::Stopped)));
    assert!(matches!(
        vault.new_stream(stream(2)),
        Err(KeyError::Stopped { .. })
    ));
    assert!(matches!(
        vault.destroy(&[stream(1)]),
        Err(VaultError::Stopped)
    ));
}

#[test]
fn secrets_are_stable_separate_and_loaded_without_the_lock() {
    let (folder, _) = filled();
    let vault = Vault::open(&folder.keys, LOG).unwrap();
    let alone = LogSecrets::load(&folder.keys, LOG).unwrap();
    let secrets = vault.secrets();
    assert_eq!(secrets.event_mac(&[1; 16]), alone.event_mac(&[1; 16]));
    assert_ne!(secrets.event_mac(&[1; 16]), secrets.event_mac(&[2; 16]));
    assert_eq!(secrets.issuer_seed(), alone.issuer_seed());
    assert_ne!(
        secrets.identifier_digest("a", "bc"),
        secrets.identifier_digest("ab", "c")
    );
    assert_ne!(
        secrets.derive("x", &[b"a", b"b"]),
        secrets.derive("x", &[b"ab"])
    );
    assert_ne!(secrets.derive("x", &[]), secrets.derive("y", &[]));
    let (one, two) = (
        secrets.signer("log.example").unwrap(),
        alone.signer("log.example").unwrap(),
    );
    assert_eq!(one.verifier(), two.verifier());
    let other = self::folder();
    let other = Vault::create(&other.keys, LOG).unwrap();
    assert_ne!(
        other.secrets().event_mac(&[1; 16]),
        secrets.event_mac(&[1; 16])
    );
}

#[test]
fn threads_that_want_one_new_key_get_the_same() {
    let folder = folder();
    let vault = Vault::create(&folder.keys, LOG).unwrap();
    let keys: Vec<_> = std::thread::scope(|scope| {
        let make = || fingerprint(&vault.stream_key_or_new(stream(5)).unwrap());
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(keys.iter().all(|key| *key == keys[0]));
}

#[test]
fn blob_opens_by_its_digest_and_is_destroyed_with_its_key() {
    use crate::blob::{BlobDigest, BlobError};
    let folder = folder();
    let vault = Vault::create(&folder.keys, LOG).unwrap();
    let blob = vault.seal_blob(b"scan").unwrap();
    vault.persist_pending().unwrap();
    assert_eq!(vault.open_blob(blob.digest, &blob.bytes).unwrap(), b"scan");
    assert_eq!(Vault::blob_id(&blob.bytes), Some(blob.id));
    let other = BlobDigest([0; 32]);
    let wrong = vault.open_blob(other, &blob.bytes).unwrap_err();
    assert_eq!(wrong, BlobError::WrongDigest { digest: other });
    vault.destroy(&[blob.id]).unwrap();
    let gone = vault.open_blob(blob.digest, &blob.bytes).unwrap_err();
    assert_eq!(
        gone,
        BlobError::Key(KeyError::Destroyed { stream: blob.id })
    );
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Make(u16),
    Persist,
    Fold,
    Destroy(u16),
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u16..30).prop_map(Step::Make),
        2 => Just(Step::Persist),
        1 => Just(Step::Fold),
        1 => (0_u16..30).prop_map(Step::Destroy),
        1 => Just(Step::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Against a model: `None` = destroyed, absent = missing; a crash loses what is pending.
    #[test]
    fn whatever_happens_persisted_keys_stay_and_destroyed_ones_go(
        steps in proptest::collection::vec(step(), 1..25),
    ) {
        let folder = folder();
        let mut vault = Vault::create(&folder.keys, LOG).unwrap();
        let mut durable: BTreeMap<u16, Option<[u8; 32]>> = BTreeMap::new();
        let mut now = durable.clone();
        for step in steps {
            match step {
                Step::Make(number) => {
                    if let Ok(key) = vault.new_stream(stream(number)) {
                        prop_assert!(now.insert(number, Some(fingerprint(&key))).is_none());
                    }
                }
                Step::Persist => vault.persist_pending().unwrap(),
                Step::Fold => vault.fold().unwrap(),
                Step::Destroy(number) => {
                    vault.destroy(&[stream(number)]).unwrap();
                    now.entry(number).and_modify(|key| *key = None);
                }
                Step::Crash => {
                    drop(vault);
                    vault = Vault::open(&folder.keys, LOG).unwrap();
                    now.clone_from(&durable);
                }
            }
            if matches!(step, Step::Persist | Step::Fold | Step::Destroy(_)) {
                durable.clone_from(&now);
            }
            for number in 0..30 {
                let found = vault.stream_key(stream(number));
                match now.get(&number) {
                    Some(Some(expected)) => prop_assert_eq!(fingerprint(&found.unwrap()), *expected),
                    Some(None) => prop_assert_eq!(found.unwrap_err(), KeyError::Destroyed { stream: stream(number) }),
                    None => prop_assert_eq!(found.unwrap_err(), KeyError::Missing { stream: stream(number) }),
                }
            }
        }
    }
}
