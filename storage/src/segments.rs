//! The table of open segment files, by number.

use std::sync::{Arc, RwLock};

use crate::disk::DiskFile;
use crate::format::segment::SEGMENT_HEADER_BYTES;
use crate::position::Position;
use crate::sync::{read, write};

/// A segment's file and what is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) number: u32,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) first_position: Position,
    pub(crate) header: [u8; SEGMENT_HEADER_BYTES],
    /// Where its groups end and its footer stands, once it is closed.
    pub(crate) data_end: Option<u32>,
}

/// All segments, number n at index n − 1.
#[derive(Debug, Default)]
pub(crate) struct Segments(RwLock<Vec<Segment>>);

impl Segments {
    pub(crate) fn new(segments: Vec<Segment>) -> Self {
        Self(RwLock::new(segments))
    }

    pub(crate) fn push(&self, segment: Segment) {
        write(&self.0).push(segment);
    }

    pub(crate) fn close_last(&self, data_end: u32) {
        if let Some(last) = write(&self.0).last_mut() {
            last.data_end = Some(data_end);
        }
    }

    pub(crate) fn get(&self, number: u32) -> Option<Segment> {
        let at = usize::try_from(number).ok()?.checked_sub(1)?;
        read(&self.0).get(at).cloned()
    }

    pub(crate) fn count(&self) -> usize {
        read(&self.0).len()
    }
}
