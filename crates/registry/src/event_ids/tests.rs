//! What the index of event ids promises, on a log that is a list of keys and a disk in memory.

use std::sync::atomic::{AtomicU64, Ordering};

use sokhoe_storage::{Access, OsDisk};

use super::*;

/// A log's keys, by position from 1, and how often single ones were asked for.
#[derive(Debug, Default)]
struct Keys {
    keys: RwLock<Vec<EventKey>>,
    asked: AtomicU64,
}

impl EventKeys for Keys {
    fn at(&self, position: u64) -> io::Result<EventKey> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let at = usize::try_from(position - 1).unwrap();
        read(&self.keys)
            .get(at)
            .copied()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn each(
        &self,
        positions: RangeInclusive<u64>,
        visit: &mut dyn FnMut(u64, EventKey),
    ) -> io::Result<()> {
        for position in positions {
            let at = usize::try_from(position - 1).unwrap();
            visit(position, read(&self.keys)[at]);
        }
        Ok(())
    }
}

struct World {
    _folder: tempfile::TempDir,
    place: IdRuns,
    keys: Arc<Keys>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = Arc::new(Keys::default());
        let place = IdRuns {
            disk: Arc::new(OsDisk),
            folder: folder.path().join("ids"),
            log: LogId([3; 16]),
            keys: Arc::clone(&keys) as Arc<dyn EventKeys>,
        };
        Self {
            _folder: folder,
            place,
            keys,
        }
    }

    fn open(&self) -> EventIds {
        EventIds::open(self.place.clone(), self.len()).unwrap()
    }

    fn len(&self) -> u64 {
        read(&self.keys.keys).len() as u64
    }

    /// Appends an event with a key to the log and takes it.
    fn append(&self, ids: &EventIds, key: EventKey) -> Result<u64, u64> {
        let position = self.len() + 1;
        ids.take(key, position)?;
        write(&self.keys.keys).push(key);
        Ok(position)
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut names = OsDisk.list(&self.place.folder).unwrap();
        names.sort();
        names
            .iter()
            .map(|name| self.place.folder.join(name))
            .collect()
    }
}

/// Keys spread as keyed digests are.
fn key(number: u64) -> EventKey {
    let mixed = u128::from(number).wrapping_mul(0xDA94_2042_E4DD_58B5_9E37_79B9_7F4A_7C15);
    EventKey(
        (mixed ^ (mixed >> 61))
            .wrapping_mul(0xBF58_476D_1CE4_E5B9_94D0_49BB)
            .to_le_bytes(),
    )
}

/// Eight stretches of 1,000 events, each settled into a run.
fn settled(world: &World) -> EventIds {
    let ids = world.open();
    for stretch in 0..8 {
        for number in 0..1000 {
            world.append(&ids, key(stretch * 1000 + number)).unwrap();
        }
        ids.settle(world.len(), true).unwrap();
    }
    ids
}

#[test]
fn an_id_stays_taken_in_memory_in_runs_and_after_reopening() {
    let world = World::new();
    let ids = settled(&world);
    world.append(&ids, key(8000)).unwrap();
    for ids in [ids, {
        let ids = world.open();
        ids.load(8001..=8001).unwrap();
        ids
    }] {
        for number in 0..=8000 {
            assert_eq!(ids.take(key(number), 9999), Err(number + 1), "{number}");
        }
        assert_eq!(ids.position_of(key(8001)), None);
        assert_eq!(ids.hot_len(), 1);
    }
}

#[test]
fn a_new_id_costs_no_look_into_the_log() {
    let world = World::new();
    let ids = settled(&world);
    for number in 10_000..20_000 {
        assert_eq!(ids.position_of(key(number)), None);
    }
    assert_eq!(world.keys.asked.load(Ordering::Relaxed), 0);
}

#[test]
fn runs_are_merged_so_that_few_remain() {
    let world = World::new();
    let ids = world.open();
    for number in 0..200 {
        world.append(&ids, key(number)).unwrap();
        ids.settle(world.len(), true).unwrap();
    }
    assert!(world.files().len() <= 12, "{:?}", world.files());
    assert!((0..200).all(|number| ids.position_of(key(number)) == Some(number + 1)));
}

#[test]
fn ids_that_share_their_first_bytes_are_told_apart_by_the_log() {
    let world = World::new();
    let ids = world.open();
    let alike = |last: u8| {
        let mut key = [7; 16];
        key[15] = last;
        EventKey(key)
    };
    // More of them than a page holds.
    let all: Vec<EventKey> = (0..=255).map(alike).collect();
    for key in all.iter().take(250) {
        world.append(&ids, *key).unwrap();
    }
    for number in 0..400 {
        world.append(&ids, key(number)).unwrap();
    }
    ids.settle(world.len(), true).unwrap();
    for (at, key) in all.iter().take(250).enumerate() {
        assert_eq!(ids.position_of(*key), Some(at as u64 + 1));
    }
    assert_eq!(ids.position_of(all[250]), None);
}

#[test]
fn a_flipped_bit_anywhere_in_a_run_changes_no_answer() {
    let world = World::new();
    drop(settled(&world));
    let whole: Vec<(PathBuf, Vec<u8>)> = world
        .files()
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    for (path, bytes) in &whole {
        for at in (0..bytes.len()).step_by(997).chain([bytes.len() - 1]) {
            let mut bad = bytes.clone();
            bad[at] ^= 0x10;
            for (path, bytes) in &whole {
                std::fs::write(path, bytes).unwrap();
            }
            std::fs::write(path, &bad).unwrap();
            let ids = world.open();
            ids.load(ids.settled() + 1..=world.len()).unwrap();
            for number in (0..8000).step_by(7) {
                assert_eq!(ids.position_of(key(number)), Some(number + 1), "byte {at}");
            }
            assert_eq!(ids.position_of(key(9000)), None);
            // What was given up is settled again.
            ids.settle(world.len(), true).unwrap();
            assert_eq!(world.open().settled(), world.len());
        }
    }
}

#[test]
fn runs_of_another_log_or_past_its_end_are_removed() {
    let world = World::new();
    drop(settled(&world));
    let shorter = EventIds::open(world.place.clone(), 3999).unwrap();
    assert_eq!(shorter.settled(), 0);
    assert!(
        world.files().is_empty(),
        "the one merged run reached past the end"
    );
    drop(settled(&world));
    let place = IdRuns {
        log: LogId([4; 16]),
        ..world.place.clone()
    };
    assert_eq!(EventIds::open(place, 8000).unwrap().settled(), 0);
}

#[test]
fn an_unfinished_run_is_no_run() {
    let world = World::new();
    drop(settled(&world));
    let path = world.files().pop().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(path.with_extension("new"), &bytes[..bytes.len() / 2]).unwrap();
    let file = OsDisk.open(&path, Access::ReadWrite).unwrap();
    file.set_len(bytes.len() as u64 - 1).unwrap();
    let ids = world.open();
    assert!(ids.settled() < world.len());
    assert!(world.files().iter().all(|path| path.extension().is_none()));
}

#[test]
fn only_what_is_durable_leaves_memory() {
    let world = World::new();
    let ids = world.open();
    for number in 0..10 {
        world.append(&ids, key(number)).unwrap();
    }
    ids.settle(6, true).unwrap();
    assert_eq!(ids.hot_len(), 4);
    ids.give_back(key(9));
    assert_eq!(ids.position_of(key(9)), None);
    assert_eq!(ids.position_of(key(0)), Some(1));
}

#[test]
fn ids_are_found_while_they_move() {
    let world = World::new();
    let ids = world.open();
    for number in 0..20_000 {
        world.append(&ids, key(number)).unwrap();
    }
    std::thread::scope(|scope| {
        let moving = scope.spawn(|| {
            for durable in (500..=20_000).step_by(500) {
                ids.settle(durable, true).unwrap();
            }
        });
        while !moving.is_finished() {
            for number in (0..20_000).step_by(101) {
                assert_eq!(ids.position_of(key(number)), Some(number + 1));
            }
        }
    });
}
