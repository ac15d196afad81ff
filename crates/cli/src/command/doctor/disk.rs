//! The disk under the data folder: how much room is left, and how long a sync takes.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use super::{Finding, Verdict};
use crate::clock;

const SYNCS: usize = 64;
const WRITE_BYTES: usize = 512;
/// Below this a server may be stopped by a full disk within the day.
const FREE_BYTES_MIN: u64 = 1 << 30;
/// No disk that keeps its word is faster than this.
const SYNC_TOO_FAST: Duration = Duration::from_micros(15);
/// Above this acknowledgements feel slow.
const SYNC_SLOW: Duration = Duration::from_millis(20);

/// How much room is left.
pub(super) fn space(data: &Path) -> Finding {
    match rustix::fs::statvfs(data) {
        Err(error) => Finding::new("disk", Verdict::Bad, io::Error::from(error).to_string()),
        Ok(found) => {
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            let detail = format!("{} MiB free", free >> 20);
            let enough = free >= FREE_BYTES_MIN;
            Finding::new(
                "disk",
                if enough {
                    Verdict::Good
                } else {
                    Verdict::Doubtful
                },
                detail,
            )
        }
    }
}

/// How long a sync of a small write takes.
pub(super) fn sync_latency(data: &Path) -> Finding {
    let mut times = match measure(data) {
        Ok(times) => times,
        Err(error) => {
            let detail = format!("write and sync in {}: {error}", data.display());
            return Finding::new("sync", Verdict::Bad, detail);
        }
    };
    times.sort_unstable();
    let at = |share: usize| {
        times
            .get(times.len() * share / 100)
            .copied()
            .unwrap_or_default()
    };
    let (median, slowest) = (at(50), at(99));
    let detail = format!(
        "fdatasync of {WRITE_BYTES} bytes: median {} µs, slowest {} µs of {SYNCS}",
        median.as_micros(),
        slowest.as_micros()
    );
    if median < SYNC_TOO_FAST {
        let detail = format!("{detail}; so fast that it may not reach the disk");
        return Finding::new("sync", Verdict::Doubtful, detail);
    }
    let verdict = if median > SYNC_SLOW {
        Verdict::Doubtful
    } else {
        Verdict::Good
    };
    Finding::new("sync", verdict, detail)
}

/// Writes and syncs in the folder for what can be rebuilt, where the server's own files are not met.
fn measure(data: &Path) -> io::Result<Vec<Duration>> {
    let cache = data.join("cache");
    let folder = if cache.is_dir() {
        cache
    } else {
        data.to_owned()
    };
    let path = folder.join(format!("doctor-{}.tmp", std::process::id()));
    let times = write_and_sync(&path);
    let removed = fs::remove_file(&path);
    let times = times?;
    removed.map(|()| times)
}

fn write_and_sync(path: &Path) -> io::Result<Vec<Duration>> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let begun = clock::steady();
        file.write_all(&[0x5a; WRITE_BYTES])?;
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    Ok(times)
}
