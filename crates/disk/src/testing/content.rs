//! A file's bytes: as programs see them, as the last sync left them, and what was changed in between.

use super::Survivors;
use super::random::Random;

/// What a disk writes as one: a lost power supply tears writes between sectors.
const SECTOR_BYTES: usize = 512;

/// What was done to a file since its last sync.
#[derive(Clone, Debug)]
enum Change {
    Bytes(usize, Vec<u8>),
    Length(usize),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    synced: Vec<u8>,
    current: Vec<u8>,
    changes: Vec<Change>,
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Bytes(offset, written) => write_into(bytes, *offset, written),
            Self::Length(length) => bytes.resize(*length, 0),
        }
    }
}

impl Content {
    pub(super) fn synced(bytes: &[u8]) -> Self {
        Self {
            synced: bytes.to_vec(),
            current: bytes.to_vec(),
            changes: Vec::new(),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.current
    }

    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        self.change(Change::Bytes(offset, bytes.to_vec()));
    }

    pub(super) fn set_len(&mut self, length: usize) {
        self.change(Change::Length(length));
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.current);
        self.changes.push(change);
    }

    pub(super) fn sync(&mut self) {
        // Not a copy of what programs see: what a failed sync forgot stays forgotten.
        for change in self.changes.drain(..) {
            change.apply(&mut self.synced);
        }
    }

    /// Takes what was changed for synced without writing it, as a system does whose sync failed.
    pub(super) fn forget(&mut self) {
        self.changes.clear();
    }

    /// Keeps what a crash leaves.
    pub(super) fn settle(&mut self, survivors: Survivors, random: &mut Random) {
        let mut bytes = std::mem::take(&mut self.synced);
        let changes = std::mem::take(&mut self.changes);
        match survivors {
            Survivors::None => {}
            Survivors::All => changes.iter().for_each(|change| change.apply(&mut bytes)),
            Survivors::First(count) => {
                let first = changes.iter().take(count);
                first.for_each(|change| change.apply(&mut bytes));
            }
            Survivors::Torn(count) => {
                let written = changes.iter().find_map(|change| match change {
                    Change::Bytes(offset, written) => Some((*offset, written)),
                    Change::Length(_) => None,
                });
                if let Some((offset, written)) = written {
                    let kept = written.get(..count).unwrap_or(written);
                    write_into(&mut bytes, offset, kept);
                }
            }
            Survivors::Some(_) => settle_some(&changes, &mut bytes, random),
        }
        self.current.clone_from(&bytes);
        self.synced = bytes;
    }
}

/// Keeps a prefix to the byte, or any of the changes and of the sectors within them, in whatever order they were made.
fn settle_some(changes: &[Change], bytes: &mut Vec<u8>, random: &mut Random) {
    if random.percent(30) {
        let whole = random.index(changes.len() + 1);
        let (before, after) = changes.split_at_checked(whole).unwrap_or((changes, &[]));
        before.iter().for_each(|change| change.apply(bytes));
        if let Some(Change::Bytes(offset, written)) = after.first() {
            let kept = written.get(..random.index(written.len() + 1));
            write_into(bytes, *offset, kept.unwrap_or_default());
        }
        return;
    }
    let kept_percent = random.one_of(&[10, 50, 90]).copied().unwrap_or(50);
    for change in changes {
        match change {
            Change::Length(_) if random.percent(kept_percent) => change.apply(bytes),
            Change::Length(_) => {}
            Change::Bytes(offset, written) => {
                let mut at = 0;
                while let Some(rest) = written.get(at..).filter(|rest| !rest.is_empty()) {
                    let room = SECTOR_BYTES - (offset + at) % SECTOR_BYTES;
                    let sector = rest.get(..room).unwrap_or(rest);
                    if random.percent(kept_percent) {
                        write_into(bytes, offset + at, sector);
                    }
                    at += sector.len();
                }
            }
        }
    }
}

fn write_into(bytes: &mut Vec<u8>, offset: usize, written: &[u8]) {
    let end = offset + written.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    if let Some(slot) = bytes.get_mut(offset..end) {
        slot.copy_from_slice(written);
    }
}
