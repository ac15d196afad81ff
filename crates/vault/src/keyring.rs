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
        let at = find(keys, stream).map_err(|_| missing)?;
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
        let at = match find(keys, stream) {
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

/// Guesses after which a search goes on by halves, so that no choice of ids makes it slow.
const GUESSES_MAX: usize = 4;

/// Finds a stream in its shard, or where it would stand.
///
/// Ids are random, so where one stands follows from its value: two or three looks where halving takes eight, each of
/// which waits for memory.
fn find(keys: &[WrappedKey], stream: StreamId) -> Result<usize, usize> {
    let wanted = within_shard(stream);
    let (mut low, mut low_value) = (0, 0);
    let (mut high, mut high_value) = (keys.len(), u64::MAX);
    for _ in 0..GUESSES_MAX {
        let share = u128::from(wanted - low_value) * (high - low) as u128;
        let step = usize::try_from(share / u128::from((high_value - low_value).max(1)));
        let guess = (low + step.unwrap_or(0)).min(high.saturating_sub(1));
        let Some(key) = keys.get(guess).filter(|_| low < high) else {
            break;
        };
        match key.stream.cmp(&stream) {
            std::cmp::Ordering::Equal => return Ok(guess),
            std::cmp::Ordering::Less => (low, low_value) = (guess + 1, within_shard(key.stream)),
            std::cmp::Ordering::Greater => (high, high_value) = (guess, within_shard(key.stream)),
        }
    }
    let left = keys.get(low..high).unwrap_or_default();
    left.binary_search_by_key(&stream, |key| key.stream)
        .map(|at| low + at)
        .map_err(|at| low + at)
}

/// The id's bits behind those that pick the shard, as a number.
fn within_shard(stream: StreamId) -> u64 {
    let bytes = stream.0.first_chunk().copied().unwrap_or_default();
    u64::from_be_bytes(bytes) << 12
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches for everything that is there, and beside it, and compares with halving.
    fn check(mut ids: Vec<u128>) {
        ids.sort_unstable();
        ids.dedup();
        let stream = |id: u128| StreamId((id >> 12).to_be_bytes());
        let keys: Vec<WrappedKey> = ids
            .iter()
            .map(|id| WrappedKey::destroyed(stream(*id), 1))
            .collect();
        for id in ids
            .iter()
            .flat_map(|id| [*id, id.wrapping_add(1 << 12), id.wrapping_sub(1 << 12)])
        {
            let expected = keys.binary_search_by_key(&stream(id), |key| key.stream);
            // Ids that lie beside each other are one where their last bits are the same.
            match (find(&keys, stream(id)), expected) {
                (Ok(found), Ok(_)) => assert_eq!(keys[found].stream, stream(id)),
                (found, expected) => assert_eq!(found, expected, "{id:x}"),
            }
        }
    }

    #[test]
    fn a_stream_is_found_wherever_it_stands() {
        let mut state = 7_u128;
        let mut random = || {
            state = state
                .wrapping_mul(0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645)
                .wrapping_add(99);
            state
        };
        for count in [0, 1, 2, 3, 10, 250, 5000] {
            check((0..count).map(|_| random()).collect());
        }
    }

    #[test]
    fn ids_that_crowd_together_are_found_too() {
        check((0..500).map(|n| n << 12).collect());
        check((0..500).map(|n| u128::MAX - (n << 12)).collect());
        check(
            (0..500)
                .map(|n| (1 << 127) + (n << 12))
                .chain([0, u128::MAX])
                .collect(),
        );
    }
}
