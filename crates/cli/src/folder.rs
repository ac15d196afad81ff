//! Looking at a data folder without taking its lock or changing a byte.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use sokhoe_storage::{Clock, Log, Meta, OpenedReadOnly, OsDisk};

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
