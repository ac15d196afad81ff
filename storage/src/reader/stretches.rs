//! Reading a part of the log on all processors: threads make something of whole stretches, one takes it in order.
//!
//! A stretch begins where the sparse index has an entry, so that no frame is read for nothing. Stretches are dealt out
//! in turn, and a thread is a few of them ahead of what was taken at most: that bounds the memory.

use std::ops::RangeInclusive;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::{FrameRef, Reader, Scan};
use crate::error::ReadError;
use crate::index::STRIDE;
use crate::position::Position;

/// Events of a stretch: long enough that handing it over costs nothing beside reading it.
const STRETCH_EVENTS: u64 = 16 * STRIDE;
/// Stretches that a thread has made and nobody has taken.
const AHEAD: usize = 4;
/// Threads at most: whoever takes what they make cannot keep up with more.
const THREADS_MAX: usize = 16;

/// The events of one stretch, in the order of the log.
#[derive(Debug)]
pub struct Stretch {
    scan: Scan,
    until: u64,
}

impl Stretch {
    /// Returns the next event, borrowed; `None` at the stretch's end.
    ///
    /// # Errors
    /// Damage, or a disk error.
    pub fn next_frame(&mut self) -> Result<Option<FrameRef<'_>>, ReadError> {
        if self.scan.position().get() > self.until {
            return Ok(None);
        }
        self.scan.next_frame()
    }

    /// Returns the last position of the stretch.
    #[must_use]
    pub fn until(&self) -> u64 {
        self.until
    }
}

impl Reader {
    /// Reads durable events on all processors: `make` is called for whole stretches on several threads, `take` here,
    /// with what was made of each stretch and the position at its end, in the order of the log.
    ///
    /// # Errors
    /// The first error in the order of the log, after everything before it was taken; then nothing more is taken.
    pub fn in_order<T, E>(
        &self,
        positions: RangeInclusive<u64>,
        make: impl Fn(&mut Stretch) -> Result<T, E> + Sync,
        mut take: impl FnMut(T, u64) -> Result<(), E>,
    ) -> Result<(), E>
    where
        T: Send,
        E: Send + From<ReadError>,
    {
        let stretches = Stretches(positions);
        let count = stretches.clone().take(THREADS_MAX).count();
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let threads = threads.min(count);
        if threads < 2 {
            return stretches
                .into_iter()
                .try_for_each(|stretch| take(make(&mut self.stretch(&stretch))?, *stretch.end()));
        }
        thread::scope(|scope| {
            let mut makers = Vec::with_capacity(threads);
            for nth in 0..threads {
                let (send, made) = sync_channel(AHEAD);
                let mine = stretches.clone().skip(nth).step_by(threads);
                let make = &make;
                let worker = move || self.make_all(mine, make, &send);
                let spawned = thread::Builder::new()
                    .name("log-reader".into())
                    .spawn_scoped(scope, worker);
                spawned.map_err(|source| ReadError::Io {
                    file: "log".into(),
                    source,
                })?;
                makers.push(made);
            }
            take_all(stretches, &makers, &mut take)
        })
    }

    fn stretch(&self, positions: &RangeInclusive<u64>) -> Stretch {
        Stretch {
            scan: self.scan(Position::new(*positions.start())),
            until: *positions.end(),
        }
    }

    /// Makes what is to be made of one thread's stretches, up to the first error or until nobody takes any more.
    fn make_all<T, E>(
        &self,
        stretches: impl Iterator<Item = RangeInclusive<u64>>,
        make: &impl Fn(&mut Stretch) -> Result<T, E>,
        send: &SyncSender<Result<T, E>>,
    ) {
        for stretch in stretches {
            let made = make(&mut self.stretch(&stretch));
            let failed = made.is_err();
            if send.send(made).is_err() || failed {
                return;
            }
        }
    }
}

/// Takes what the threads have made, one after the other in turn, as the stretches were dealt out.
fn take_all<T, E>(
    stretches: Stretches,
    makers: &[Receiver<Result<T, E>>],
    take: &mut impl FnMut(T, u64) -> Result<(), E>,
) -> Result<(), E> {
    for (stretch, made) in stretches.zip(makers.iter().cycle()) {
        // A thread ends early only after an error, which is met here first, or by a panic, which the scope passes on.
        let Ok(made) = made.recv() else {
            return Ok(());
        };
        take(made?, *stretch.end())?;
    }
    Ok(())
}

/// The stretches of a part of the log: each but the last ends where an entry of the sparse index follows.
#[derive(Clone, Debug)]
struct Stretches(RangeInclusive<u64>);

impl Iterator for Stretches {
    type Item = RangeInclusive<u64>;

    fn next(&mut self) -> Option<Self::Item> {
        let (start, end) = (*self.0.start(), *self.0.end());
        if self.0.is_empty() || start == 0 {
            return None;
        }
        let until = ((start - 1) / STRETCH_EVENTS + 1).saturating_mul(STRETCH_EVENTS);
        let until = until.min(end);
        self.0 = until.saturating_add(1)..=end;
        Some(start..=until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_cover_a_part_of_the_log_once() {
        for (from, end) in [
            (1, 0),
            (1, 1),
            (1, 1024),
            (1, 1025),
            (1000, 5000),
            (1025, 2048),
        ] {
            let all: Vec<_> = Stretches(from..=end).collect();
            let positions: Vec<u64> = all.iter().cloned().flatten().collect();
            assert_eq!(positions, (from..=end).collect::<Vec<_>>());
            let later = all.iter().skip(1);
            assert!(
                later
                    .into_iter()
                    .all(|stretch| stretch.start() % STRIDE == 1)
            );
        }
    }
}
