//! Mistakes planted on purpose, so that tests show that they would be found; without effect outside tests.

/// A mistake that a log must not make; `tests/README.md` names the test that finds each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// Events are acknowledged although their group was not synced.
    AcknowledgeUnsynced,
    /// A new segment's name is not made durable.
    SkipFolderSync,
    /// Heads and index show a group before the log has it.
    IndexBeforeLog,
    /// A group ends without its trailer.
    DropTrailer,
    /// Two events are given one position.
    ReusePosition,
    /// A checkpoint is stored for events that are not synced yet.
    CheckpointBeforeData,
    /// A start takes what it reads behind the last checkpoint of heads for durable.
    TrustUnsyncedTail,
    /// A start takes a flipped last group for a torn write, and cuts it.
    FlippedIsTorn,
}

#[cfg(test)]
pub(crate) use self::planting::plant;
pub(crate) use self::planting::planted;

#[cfg(test)]
impl Mistake {
    /// All of them.
    pub(crate) const ALL: [Self; 8] = [
        Self::AcknowledgeUnsynced,
        Self::SkipFolderSync,
        Self::IndexBeforeLog,
        Self::DropTrailer,
        Self::ReusePosition,
        Self::CheckpointBeforeData,
        Self::TrustUnsyncedTail,
        Self::FlippedIsTorn,
    ];
}

#[cfg(not(test))]
mod planting {
    use super::Mistake;

    #[inline]
    pub(crate) const fn planted(_: Mistake) -> bool {
        false
    }
}

#[cfg(test)]
mod planting {
    use std::cell::Cell;

    use super::Mistake;

    thread_local! {
        static PLANTED: Cell<Option<Mistake>> = const { Cell::new(None) };
    }

    /// Plants a mistake into everything that this thread does from now on; `None` takes it out.
    pub(crate) fn plant(mistake: Option<Mistake>) {
        PLANTED.set(mistake);
    }

    pub(crate) fn planted(mistake: Mistake) -> bool {
        PLANTED.get() == Some(mistake)
    }
}
