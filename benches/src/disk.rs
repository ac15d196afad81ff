//! What the disk does by itself: fdatasync after writes of three sizes, and sequential writing.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::numbers::Samples;
use crate::report::Report;

const SIZES: [(&str, usize); 3] = [("512 B", 512), ("64 KiB", 64 << 10), ("1 MiB", 1 << 20)];
/// How long each size is tried.
const TRIED: Duration = Duration::from_millis(400);
const TRIES_MIN: usize = 20;
const SEQUENTIAL_BYTES: u64 = 512 << 20;
const STEP_BYTES: usize = 1 << 20;
/// Bytes between two syncs of sequential writing.
const SYNC_EVERY_BYTES: u64 = 8 << 20;

/// What was measured, for shares of it.
#[derive(Clone, Copy, Debug)]
pub struct Disk {
    /// Bytes a second of sequential writing with a sync after every 8 MiB, the better of a growing and a zeroed file.
    pub sequential: f64,
}

/// Measures the disk under a folder and prints it.
///
/// # Errors
/// When the folder cannot be written.
pub fn measure(report: &mut Report, folder: &Path) -> io::Result<Disk> {
    report.title("the disk by itself");
    report.line("write + fdatasync, ms: median (99th percentile)   growing file      zeroed file");
    for (name, bytes) in SIZES {
        let growing = syncs(&create(folder)?, bytes)?;
        let zeroed = syncs(&zeroed(folder, 256 << 20)?, bytes)?;
        report.line(format!(
            "{name:>44}     {}   {}",
            shown(&growing),
            shown(&zeroed)
        ));
    }
    let growing = sequential(&create(folder)?)?;
    let zeroed = sequential(&zeroed(folder, SEQUENTIAL_BYTES)?)?;
    report.line(format!(
        "{:>44}     {:>7.0} MB/s       {:>7.0} MB/s",
        "512 MiB, a sync every 8 MiB",
        growing / 1e6,
        zeroed / 1e6
    ));
    std::fs::remove_file(folder.join("probe"))?;
    Ok(Disk {
        sequential: growing.max(zeroed),
    })
}

fn shown(took_ms: &Samples) -> String {
    format!(
        "{:>6.3} ({:>7.3})",
        took_ms.median(),
        took_ms.quantile(0.99)
    )
}

fn create(folder: &Path) -> io::Result<File> {
    let path = folder.join("probe");
    OpenOptions::new()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(path)
}

/// A file of real zeros, synced, so that a later sync moves data only.
fn zeroed(folder: &Path, bytes: u64) -> io::Result<File> {
    let file = create(folder)?;
    let zeros = vec![0; STEP_BYTES];
    let mut at = 0;
    while at < bytes {
        file.write_all_at(&zeros, at)?;
        at += zeros.len() as u64;
    }
    file.sync_all()?;
    Ok(file)
}

fn syncs(file: &File, bytes: usize) -> io::Result<Samples> {
    let block = vec![0x5A; bytes];
    let mut took_ms = Samples::default();
    let began = Instant::now();
    let (mut at, mut tries) = (0, 0);
    while tries < TRIES_MIN || (began.elapsed() < TRIED && at < 250 << 20) {
        let start = Instant::now();
        file.write_all_at(&block, at)?;
        file.sync_data()?;
        took_ms.add(start.elapsed().as_secs_f64() * 1e3);
        at += bytes as u64;
        tries += 1;
    }
    Ok(took_ms)
}

fn sequential(file: &File) -> io::Result<f64> {
    let block = vec![0x5A; STEP_BYTES];
    let start = Instant::now();
    let mut at = 0;
    while at < SEQUENTIAL_BYTES {
        file.write_all_at(&block, at)?;
        at += block.len() as u64;
        if at.is_multiple_of(SYNC_EVERY_BYTES) {
            file.sync_data()?;
        }
    }
    Ok(SEQUENTIAL_BYTES as f64 / start.elapsed().as_secs_f64())
}
