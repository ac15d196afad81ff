//! The event ids already taken, by their keyed digest: exactly-once for ever.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{PoisonError, RwLock};

use sokhoe_chain::EventKey;

const SHARD_COUNT: usize = 64;

/// Passes a keyed digest's own bits on: they are uniform already, hashing them again buys nothing,
/// and nobody without the key can aim for a collision.
#[derive(Default)]
pub(crate) struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for (index, byte) in bytes.iter().take(8).enumerate() {
            self.0 |= u64::from(*byte) << (8 * index);
        }
    }

    // The length prefix of an array says nothing.
    fn write_usize(&mut self, _length: usize) {}
}

pub(crate) type DigestMap<V> = HashMap<[u8; 16], V, BuildHasherDefault<DigestHasher>>;

#[derive(Debug)]
pub(crate) struct EventIds {
    shards: Vec<RwLock<DigestMap<u64>>>,
}

impl Default for EventIds {
    fn default() -> Self {
        Self {
            shards: (0..SHARD_COUNT).map(|_| RwLock::default()).collect(),
        }
    }
}

impl EventIds {
    pub(crate) fn position_of(&self, key: EventKey) -> Option<u64> {
        let shard = self.shard(key)?;
        shard
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key.0)
            .copied()
    }

    pub(crate) fn take(&self, key: EventKey, position: u64) -> Result<(), u64> {
        let Some(shard) = self.shard(key) else {
            return Err(0);
        };
        match shard
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(key.0)
        {
            Entry::Occupied(taken) => Err(*taken.get()),
            Entry::Vacant(free) => {
                free.insert(position);
                Ok(())
            }
        }
    }

    pub(crate) fn give_back(&self, key: EventKey) {
        if let Some(shard) = self.shard(key) {
            shard
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&key.0);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|s| s.read().unwrap_or_else(PoisonError::into_inner).len())
            .sum()
    }

    pub(crate) fn for_each(&self, mut visit: impl FnMut([u8; 16], u64)) {
        for shard in &self.shards {
            for (key, position) in shard.read().unwrap_or_else(PoisonError::into_inner).iter() {
                visit(*key, *position);
            }
        }
    }

    // The last byte picks the shard, the first eight the bucket, so that the two stay independent.
    fn shard(&self, key: EventKey) -> Option<&RwLock<DigestMap<u64>>> {
        let [.., last] = key.0;
        self.shards.get(usize::from(last) % SHARD_COUNT)
    }
}
