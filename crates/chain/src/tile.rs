//! Tiles of the tree as static files (C2SP tlog-tiles): 256 hashes wide, named by level and index.
//!
//! A tile of level L, index N holds the nodes of tree level 8·L, from index 256·N on. A partial
//! tile (`.p/W`) holds the first W of them. An entry bundle holds entries, each with a u16
//! big-endian length; here every entry is a 32-byte event hash.

use crate::identity::{EventHash, NodeHash};
use crate::tree::node_hash;

/// Hashes in a full tile.
pub const TILE_WIDTH: u64 = 256;

/// Levels of the tree in one tile.
pub const TILE_HEIGHT: u32 = 8;

/// Names one tile, full or partial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tile {
    /// Level of tiles, 0 to 7.
    pub level: u8,
    /// Index in the level.
    pub index: u64,
    /// Hashes in it, 1 to 256.
    pub width: u16,
}

impl Tile {
    /// Returns the path below the log's address: `tile/0/x001/067.p/8`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("tile/{}/{}", self.level, index_path(self.index, self.width))
    }

    /// Returns the path of the entry bundle beside this tile of level 0.
    #[must_use]
    pub fn entries_path(&self) -> String {
        format!("tile/entries/{}", index_path(self.index, self.width))
    }

    /// Lists the tiles that a tree of `size` has and one of `old_size` had not.
    #[must_use]
    pub fn new_between(old_size: u64, size: u64) -> Vec<Self> {
        let mut tiles = Vec::new();
        for level in 0..=7_u8 {
            let shift = u32::from(level) * TILE_HEIGHT;
            let (old_nodes, nodes) = (old_size >> shift, size >> shift);
            if nodes == 0 || old_nodes == nodes {
                continue;
            }
            let full = nodes / TILE_WIDTH;
            tiles.extend((old_nodes / TILE_WIDTH..full).map(|index| Self {
                level,
                index,
                width: 256,
            }));
            if let Ok(width @ 1..) = u16::try_from(nodes % TILE_WIDTH) {
                tiles.push(Self {
                    level,
                    index: full,
                    width,
                });
            }
        }
        tiles
    }

    /// Returns the tree level and the index of the tile's first node.
    #[must_use]
    pub fn first_node(&self) -> (u32, u64) {
        (u32::from(self.level) * TILE_HEIGHT, self.index * TILE_WIDTH)
    }
}

/// Writes the bytes of a tile: its hashes one after the other.
#[must_use]
pub fn tile_bytes(hashes: &[NodeHash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// Writes the bytes of an entry bundle of event hashes.
#[must_use]
pub fn entry_bundle(events: &[EventHash]) -> Vec<u8> {
    let entries = events.iter().map(|event| event.0.as_slice());
    let mut bytes = Vec::with_capacity(events.len() * 34);
    for entry in entries {
        bytes.extend_from_slice(&[0, 32]);
        bytes.extend_from_slice(entry);
    }
    bytes
}

/// Returns a complete node of the tree, folded from the row of tiles below it.
///
/// `read(row, first, count)` gives `count` neighbouring nodes of tree level 8 · row, all of one tile.
/// Returns `None` when it gave another number of them.
///
/// # Errors
/// When `read` fails.
pub fn node_of_row<E>(
    level: u32,
    index: u64,
    read: impl FnOnce(u8, u64, usize) -> Result<Vec<NodeHash>, E>,
) -> Result<Option<NodeHash>, E> {
    let Ok(row) = u8::try_from(level / TILE_HEIGHT) else {
        return Ok(None);
    };
    let above = level % TILE_HEIGHT;
    let count = 1_usize << above;
    let hashes = read(row, index << above, count)?;
    Ok(fold_tile(&hashes).filter(|_| hashes.len() == count))
}

/// Folds the hashes of a full tile to the one node of the next tile level.
///
/// Returns `None` unless their count is a power of two.
#[must_use]
pub fn fold_tile(hashes: &[NodeHash]) -> Option<NodeHash> {
    if !hashes.len().is_power_of_two() {
        return None;
    }
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row
            .as_chunks::<2>()
            .0
            .iter()
            .map(|[left, right]| node_hash(left, right))
            .collect();
    }
    row.first().copied()
}

fn index_path(index: u64, width: u16) -> String {
    let mut path = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    if u64::from(width) < TILE_WIDTH {
        path.push_str(&format!(".p/{width}"));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Frontier, leaf_hash};

    #[test]
    fn paths_are_those_of_the_specification() {
        let path = |level, index, width| {
            Tile {
                level,
                index,
                width,
            }
            .path()
        };
        assert_eq!(path(0, 1_234_067, 8), "tile/0/x001/x234/067.p/8");
        assert_eq!(path(3, 0, 256), "tile/3/000");
        let entries = Tile {
            level: 0,
            index: 5,
            width: 1,
        }
        .entries_path();
        assert_eq!(entries, "tile/entries/005.p/1");
    }

    #[test]
    fn new_tiles_are_the_ones_that_grew() {
        let names = |old, new| {
            Tile::new_between(old, new)
                .iter()
                .map(Tile::path)
                .collect::<Vec<_>>()
        };
        assert!(names(5, 5).is_empty());
        assert_eq!(names(0, 1), ["tile/0/000.p/1"]);
        assert_eq!(
            names(255, 257),
            ["tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1"]
        );
        assert_eq!(names(256, 512), ["tile/0/001", "tile/1/000.p/2"]);
    }

    #[test]
    fn full_tile_folds_to_the_root_of_its_leaves() {
        let leaves: Vec<_> = (0..=255_u8).map(|entry| leaf_hash(&[entry])).collect();
        let mut frontier = Frontier::default();
        leaves.iter().for_each(|leaf| frontier.push(*leaf));
        assert_eq!(fold_tile(&leaves), Some(frontier.root()));
        assert_eq!(fold_tile(&leaves[..3]), None);
    }
}
