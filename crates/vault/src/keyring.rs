//! All stream keys in memory, wrapped, sorted in their shards: 84 bytes each and a little room.

use sokhoe_chain::{LogId, StreamId};

use crate::error::KeyError;
use crate::manifest::{Keks, Manifest};
use crate::random;
use crate::seal::StreamKey;
use crate::shard::{SHARDS, WrappedKey, shard_of};

/// The keys of a log as of now.
pub(crate) struct Keyring {
    pub(crate) log: LogId,
    pub(crate) manifest: Manifest,
    pub(crate) keks: Keks,
    pub(crate) shards: Vec<Vec<WrappedKey>>,
    /// Shards that hold keys which are not in their file.
    pub(crate) changed: Vec<bool>,
    /// New keys that are not on disk yet.
    pub(crate) pending: Vec<WrappedKey>,
}

impl Keyring {
    /// Makes a keyring from what the shard files hold.
    pub(crate) fn new(
        log: LogId,
        manifest: Manifest,
        keks: Keks,
        shards: Vec<Vec<WrappedKey>>,
    ) -> Self {
        let changed = vec![false; SHARDS];
        Self {
            log,
            manifest,
            keks,
            shards,
            changed,
            pending: Vec::new(),
        }
    }

    /// Adds the journal's keys; false when a stream comes twice.
    pub(crate) fn add_all(&mut self, keys: &[WrappedKey]) -> bool {
        for key in keys {
            let shard = shard_of(key.stream);
            if let (Some(keys), Some(changed)) =
                (self.shards.get_mut(shard), self.changed.get_mut(shard))
            {
                keys.push(*key);
                *changed = true;
            }
        }
        let mut ordered = true;
        for (keys, _) in self
            .shards
            .iter_mut()
            .zip(&self.changed)
            .filter(|(_, changed)| **changed)
        {
            keys.sort_unstable_by_key(|key| key.stream);
            keys.shrink_to_fit();
            ordered &= keys.is_sorted_by(|one, next| one.stream < next.stream);
        }
        ordered
    }

    /// Counts keys, destroyed ones left out.
    pub(crate) fn len(&self) -> u64 {
        self.shards
            .iter()
            .flatten()
            .filter(|key| !key.destroyed)
            .count() as u64
    }

    /// Unwraps the key of a stream.
    pub(crate) fn stream_key(&self, stream: StreamId) -> Result<StreamKey, KeyError> {
        let shard = shard_of(stream);
        let missing = KeyError::Missing { stream };
        let (keys, kek) = self
            .shards
            .get(shard)
            .zip(self.keks.of(shard))
            .ok_or(missing)?;
        let at = keys
            .binary_search_by_key(&stream, |key| key.stream)
            .map_err(|_| missing)?;
        let key = keys.get(at).ok_or(missing)?;
        if key.destroyed {
            return Err(KeyError::Destroyed { stream });
        }
        let secret = key
            .unwrap(kek, self.log)
            .ok_or(KeyError::Damaged { stream })?;
        Ok(StreamKey::new(stream, key.epoch, secret))
    }

    /// Makes the key of a new stream, pending until it is persisted.
    pub(crate) fn new_stream(&mut self, stream: StreamId) -> Result<StreamKey, KeyError> {
        let shard = shard_of(stream);
        let missing = KeyError::Missing { stream };
        let kek = self.keks.of(shard).ok_or(missing)?;
        let keys = self.shards.get_mut(shard).ok_or(missing)?;
        let at = match keys.binary_search_by_key(&stream, |key| key.stream) {
            Ok(at) if keys.get(at).is_some_and(|key| key.destroyed) => {
                return Err(KeyError::Destroyed { stream });
            }
            Ok(_) => return Err(KeyError::Exists { stream }),
            Err(at) => at,
        };
        let epoch = self.manifest.epoch;
        let secret = random::secret().map_err(|_| KeyError::Random { stream })?;
        let key = WrappedKey::wrap(kek, self.log, stream, epoch, &secret)
            .map_err(|_| KeyError::Random { stream })?;
        if keys.len() == keys.capacity() {
            // An eighth more, not twice as much: memory per key counts more than copying.
            keys.reserve_exact(keys.len() / 8 + 4);
        }
        keys.insert(at, key);
        self.pending.push(key);
        if let Some(changed) = self.changed.get_mut(shard) {
            *changed = true;
        }
        Ok(StreamKey::new(stream, epoch, secret))
    }
}
