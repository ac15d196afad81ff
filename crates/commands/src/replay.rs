//! The registry at start: from its snapshot and the log's tail.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use sokhoe_chain::StreamKind;
use sokhoe_registry::{IdRuns, Registry, changes_of};
use sokhoe_storage::{Position, Progress, Reader, Step};
use sokhoe_vault::Vault;

use crate::cache;
use crate::lookup::root_of;
use crate::opening::{Opener, UnsealError};

const SNAPSHOT: &str = "registry";
/// Events replayed before progress is told and event ids may leave memory.
const LOOK_EVERY: u64 = 10_000;
/// How long a wait for what is in a snapshot to become durable goes on before the log's state is looked at.
const DURABLE_WAIT: Duration = Duration::from_millis(100);

/// Replays the log past a position into the registry, event ids only where they are not `known` already; returns how
/// many events that were.
pub(crate) fn replay(
    opener: &Opener,
    (from, known): (u64, u64),
    progress: &Progress,
) -> Result<u64, UnsealError> {
    let end = opener.reader.position().get();
    let mut scan = opener.reader.scan(Position::new(from + 1));
    let mut replayed = 0;
    while let Some(frame) = scan.next_frame()? {
        if replayed % LOOK_EVERY == 0 {
            progress.say(Step {
                doing: "applying events to the registry",
                done: replayed,
                total: end.saturating_sub(from),
                unit: "events",
            });
            // Memory stays bounded however much is replayed; what cannot be written stays in memory.
            if let Err(error) = opener.registry.settle_ids(from + replayed, false) {
                tracing::warn!(%error, "event ids stay in memory: no run of them is written");
            }
        }
        replayed += 1;
        let header = frame.header()?;
        if header.stream_kind == StreamKind::Keeper {
            continue;
        }
        let position = frame.position.get();
        // An id is taken even where the key of its event was destroyed.
        if position > known {
            let _ = opener.registry.take(header.event_key, position);
        }
        let opened = match opener.open_scanned(&frame) {
            Ok(Some(opened)) => opened,
            Ok(None) => continue,
            Err(error) if error.erased() => continue,
            Err(error) => return Err(error),
        };
        let Some(person) = opened.person().filter(|_| !opened.mirror()) else {
            continue;
        };
        let root = root_of(opener, &opened)?;
        let corrected = root.as_ref().map(|root| &root.stored.event.data);
        let changes = changes_of(&opened.stored.event, person, corrected, opener);
        if let Err(refused) = opener.registry.apply(&changes, position) {
            // The writer decided by the same rules in the same order, so this is damage or a bug.
            tracing::error!(position, %refused, "the log holds a change that the registry refuses");
        }
    }
    Ok(replayed)
}

/// Reads the snapshot; an empty registry at position 0 when there is none that can be used.
pub(crate) fn read_snapshot(vault: &Vault, reader: &Reader) -> (Registry, u64) {
    let nothing = || (Registry::new(), 0);
    let Some(bytes) = cache::read(reader, vault, SNAPSHOT) else {
        return nothing();
    };
    match Registry::restore(&bytes) {
        Ok((registry, position)) if position <= reader.position().get() => (registry, position),
        Ok(_) => nothing(),
        Err(error) => {
            tracing::warn!(%error, "the registry's snapshot is not used");
            nothing()
        }
    }
}

/// Lets a registry that is true at a position keep its event ids beside the log.
pub(crate) fn keep_ids(registry: &mut Registry, position: u64, reader: &Reader) -> io::Result<u64> {
    let place = IdRuns {
        disk: Arc::clone(reader.disk()),
        folder: reader.folder().join("cache/ids"),
        log: reader.meta().log_id,
        keys: Arc::new(reader.clone()),
    };
    registry.keep_ids(place, position, reader.position().get())
}

/// Writes the snapshot while the writer goes on, once all that is in it is durable; returns its position.
///
/// `None` where the log stopped before that.
pub(crate) fn write_snapshot(opener: &Opener) -> Option<u64> {
    let (bytes, position) = opener.registry.snapshot(opener.reader.position().get());
    let wanted = Position::new(position);
    while opener.reader.position() < wanted {
        let before = Position::new(position - 1);
        let _ = opener.reader.wait_past(before, DURABLE_WAIT);
        if !opener.reader.status().open() {
            break;
        }
    }
    (opener.reader.position() >= wanted).then(|| {
        opener.write_cache(SNAPSHOT, &bytes);
        position
    })
}
