//! A data folder from outside: looking at it without its lock, or holding its lock for a change beside the log.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use sokhoe_storage::{Clock, Disk, DiskLock, Log, Meta, OpenedReadOnly, OsDisk};

use crate::clock;

/// The clock that is handed to the log.
pub(crate) fn log_clock() -> Clock {
    Clock::new(clock::now_us)
}

/// Opens the log of a data folder for reading only.
pub(crate) fn read_only(data: &Path) -> anyhow::Result<OpenedReadOnly> {
    let opened = Log::open_read_only(Arc::new(OsDisk), data, log_clock());
    opened.with_context(|| format!("look at data folder {}", data.display()))
}

/// Says which log a data folder holds.
pub(crate) fn meta(data: &Path) -> anyhow::Result<Meta> {
    Ok(read_only(data)?.reader.meta().clone())
}

/// Takes the lock of a data folder for as long as the result lives; none where there is no log yet.
///
/// # Errors
/// When another process, a server perhaps, holds it.
pub(crate) fn hold(data: &Path) -> anyhow::Result<Option<Box<dyn DiskLock>>> {
    if !data.join("meta").exists() {
        return Ok(None);
    }
    let shown = data.display();
    let lock = OsDisk
        .try_lock(&data.join("lock"))
        .with_context(|| format!("lock {shown}"))?;
    match lock {
        Some(lock) => Ok(Some(lock)),
        None => bail!("{shown} is in use by another process; stop the server first"),
    }
}
