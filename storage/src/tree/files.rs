//! The files of the tree: level after level of complete nodes, 32 bytes each, nothing else.
//!
//! `tree-L` holds the nodes of tree level 8 · L in order, which are the hashes of the tiles of level L one after the
//! other. Nothing here says whether they are right.

use std::io;
use std::path::Path;
use std::sync::Arc;

use sokhoe_chain::tile::{TILE_HEIGHT, node_of_row};
use sokhoe_chain::{Frontier, NodeHash};

use crate::disk::{Access, Disk, DiskFile, read_exact_at};

const NODE_BYTES: u64 = 32;
const LEVELS: usize = 8;

/// The nodes of a tree in files, one per level of tiles.
#[derive(Debug)]
pub struct TreeFiles {
    levels: Vec<Arc<dyn DiskFile>>,
}

fn nodes(leaves: u64, level: usize) -> u64 {
    let level = u32::try_from(level).unwrap_or(u32::MAX);
    leaves
        .checked_shr(level.saturating_mul(TILE_HEIGHT))
        .unwrap_or(0)
}

fn invalid() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

/// Puts a tree's frontier together from its complete nodes.
fn frontier_of<E>(
    size: u64,
    mut read: impl FnMut(u32, u64) -> Result<NodeHash, E>,
) -> Result<Option<Frontier>, E> {
    let mut bytes = size.to_le_bytes().to_vec();
    for level in (0..u64::BITS).rev().filter(|level| size >> level & 1 == 1) {
        let index = (size >> level) - 1;
        bytes.extend_from_slice(&read(level, index)?.0);
    }
    Ok(Frontier::from_bytes(&bytes).ok())
}

impl TreeFiles {
    /// Opens the files in a data folder's `cache/`, making those that are missing.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn open(disk: &dyn Disk, folder: &Path) -> io::Result<Self> {
        let folder = folder.join("cache");
        let levels = (0..LEVELS).map(|level| {
            let path = folder.join(format!("tree-{level}"));
            match disk.open(&path, Access::ReadWrite) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => disk.create_new(&path),
                opened => opened,
            }
        });
        let levels = levels.collect::<io::Result<_>>()?;
        Ok(Self { levels })
    }

    fn level(&self, level: usize) -> io::Result<&dyn DiskFile> {
        self.levels
            .get(level)
            .map(AsRef::as_ref)
            .ok_or_else(invalid)
    }

    /// Returns for how many leaves every level has its nodes.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn leaves(&self) -> io::Result<u64> {
        let mut leaves = u64::MAX;
        for (level, file) in self.levels.iter().enumerate() {
            let stored = file.len()? / NODE_BYTES;
            if level == 0 || nodes(leaves, level) > stored {
                let shift = u32::try_from(level).unwrap_or(0) * TILE_HEIGHT;
                leaves = stored << shift;
            }
        }
        Ok(leaves)
    }

    /// Forgets what lies past a number of leaves.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn cut(&self, leaves: u64) -> io::Result<()> {
        for (level, file) in self.levels.iter().enumerate() {
            let bytes = nodes(leaves, level) * NODE_BYTES;
            if file.len()? > bytes {
                file.set_len(bytes)?;
            }
        }
        Ok(())
    }

    /// Appends leaves behind a tree and writes the nodes that they complete.
    ///
    /// # Errors
    /// When the disk refuses; the frontier is then ahead of the files.
    pub fn append(&self, frontier: &mut Frontier, leaves: &[NodeHash]) -> io::Result<()> {
        let before = frontier.size();
        let mut rows = vec![Vec::new(); LEVELS];
        for leaf in leaves {
            frontier.push_with(*leaf, |level, _, hash| {
                let row = usize::try_from(level / TILE_HEIGHT).unwrap_or(usize::MAX);
                if let Some(row) = rows.get_mut(row)
                    && level.is_multiple_of(TILE_HEIGHT)
                {
                    row.extend_from_slice(&hash.0);
                }
            });
        }
        for (level, row) in rows.iter().enumerate().filter(|(_, row)| !row.is_empty()) {
            let at = nodes(before, level) * NODE_BYTES;
            self.level(level)?.write_at(row, at)?;
        }
        Ok(())
    }

    /// Reads neighbouring nodes of tree level 8 · `level`.
    ///
    /// # Errors
    /// When they are not there or the disk refuses.
    pub fn row(&self, level: u8, first: u64, count: usize) -> io::Result<Vec<NodeHash>> {
        let mut bytes = vec![0; count.saturating_mul(32)];
        let at = first.checked_mul(NODE_BYTES).ok_or_else(invalid)?;
        read_exact_at(self.level(usize::from(level))?, &mut bytes, at)?;
        let (hashes, _) = bytes.as_chunks::<32>();
        Ok(hashes.iter().map(|hash| NodeHash(*hash)).collect())
    }

    /// Reads or computes a complete node of the tree: at most 256 stored hashes are read.
    ///
    /// # Errors
    /// When it is not there or the disk refuses.
    pub fn node(&self, level: u32, index: u64) -> io::Result<NodeHash> {
        let read = |row, first, count| self.row(row, first, count);
        node_of_row(level, index, read)?.ok_or_else(invalid)
    }

    /// Puts the frontier of a size together.
    ///
    /// # Errors
    /// When nodes are missing or the disk refuses.
    pub fn frontier(&self, size: u64) -> io::Result<Frontier> {
        frontier_of(size, |level, index| self.node(level, index))?.ok_or_else(invalid)
    }
}
