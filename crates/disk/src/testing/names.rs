//! The names on a disk: as programs see them, as the last syncs of folders left them, and what was done in between.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::random::Random;

/// A name taken away, a name given, or both at once: a rename.
#[derive(Clone, Debug)]
struct Change<T> {
    from: Option<PathBuf>,
    to: Option<(PathBuf, T)>,
}

#[derive(Debug)]
pub(super) struct Names<T> {
    current: BTreeMap<PathBuf, T>,
    synced: BTreeMap<PathBuf, T>,
    changes: Vec<Change<T>>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self {
            current: BTreeMap::new(),
            synced: BTreeMap::new(),
            changes: Vec::new(),
        }
    }
}

fn apply<T>(change: Change<T>, names: &mut BTreeMap<PathBuf, T>) {
    if let Some(from) = change.from {
        names.remove(&from);
    }
    if let Some((to, content)) = change.to {
        names.insert(to, content);
    }
}

impl<T: Clone> Names<T> {
    pub(super) fn current(&self) -> &BTreeMap<PathBuf, T> {
        &self.current
    }

    /// Gives a name for good.
    pub(super) fn put(&mut self, path: &Path, content: T) {
        self.current.insert(path.to_path_buf(), content.clone());
        self.synced.insert(path.to_path_buf(), content);
    }

    pub(super) fn give(&mut self, path: &Path, content: T) {
        self.change(Change {
            from: None,
            to: Some((path.to_path_buf(), content)),
        });
    }

    /// Takes a name away; false where there is none.
    pub(super) fn take(&mut self, path: &Path) -> bool {
        let known = self.current.contains_key(path);
        if known {
            self.change(Change {
                from: Some(path.to_path_buf()),
                to: None,
            });
        }
        known
    }

    /// Renames; false where there is no such name.
    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> bool {
        let Some(content) = self.current.get(from).cloned() else {
            return false;
        };
        self.change(Change {
            from: Some(from.to_path_buf()),
            to: Some((to.to_path_buf(), content)),
        });
        true
    }

    fn change(&mut self, change: Change<T>) {
        apply(change.clone(), &mut self.current);
        self.changes.push(change);
    }

    /// Makes the names of one folder durable; of a rename between folders, the half that concerns it.
    pub(super) fn sync(&mut self, folder: &Path) {
        let inside = |path: &Path| path.parent() == Some(folder);
        for change in &mut self.changes {
            let done = Change {
                from: change.from.take_if(|from| inside(from)),
                to: change.to.take_if(|(to, _)| inside(to)),
            };
            apply(done, &mut self.synced);
        }
        let open = |change: &Change<T>| change.from.is_some() || change.to.is_some();
        self.changes.retain(open);
    }

    /// Keeps what a crash leaves: with a generator any of the unsynced changes, each whole; else none.
    pub(super) fn settle(&mut self, random: Option<&mut Random>) {
        let changes = std::mem::take(&mut self.changes);
        if let Some(random) = random {
            let kept_percent = random.one_of(&[10, 50, 90]).copied().unwrap_or(50);
            for change in changes {
                if random.percent(kept_percent) {
                    apply(change, &mut self.synced);
                }
            }
        }
        self.current.clone_from(&self.synced);
    }
}
