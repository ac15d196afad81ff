//! What the program stands on besides its arguments and environment: the disk that its data lies on and how its log
//! is laid out there. Given by whoever starts it, so that a disk with faults fits beneath the whole program.

use std::sync::Arc;

use sokhoe_storage::{Disk, LogOptions, OsDisk};

/// What commands that open a data folder for writing stand on; the defaults are those of `sokhoe`.
#[derive(Debug, Clone)]
pub struct Platform {
    /// The disk that data folders lie on.
    pub disk: Arc<dyn Disk>,
    /// How a log is laid out; who is told of progress is the command's own choice.
    pub log: LogOptions,
}

impl Default for Platform {
    fn default() -> Self {
        Self {
            disk: Arc::new(OsDisk),
            log: LogOptions::default(),
        }
    }
}
