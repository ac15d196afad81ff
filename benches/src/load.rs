//! Load from many writers, each on a thread of its own, each sending its next request when the last is answered.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::anyhow;

use crate::numbers::Latencies;

/// What a stretch of load came to.
#[derive(Clone, Debug, Default)]
pub struct Load {
    /// Requests answered.
    pub requests: u64,
    /// Seconds from the start to the last answer.
    pub seconds: f64,
    /// How long the requests took.
    pub latencies: Latencies,
}

/// Lets `writers` threads call what `make` makes for each of them, over and over for a time.
///
/// # Errors
/// The first error of any writer.
pub fn run<W>(
    writers: usize,
    time: Duration,
    make: impl Fn(usize) -> W + Sync,
) -> anyhow::Result<Load>
where
    W: FnMut() -> anyhow::Result<()>,
{
    let (stop, ready) = (AtomicBool::new(false), Barrier::new(writers + 1));
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..writers)
            .map(|number| {
                let (stop, ready, make) = (&stop, &ready, &make);
                let thread = std::thread::Builder::new().name("writer".into());
                let spawned = thread.spawn_scoped(scope, move || {
                    let mut write = make(number);
                    ready.wait();
                    let mut latencies = Latencies::default();
                    while !stop.load(Ordering::Relaxed) {
                        let start = Instant::now();
                        write()?;
                        latencies.add(start.elapsed());
                    }
                    Ok::<_, anyhow::Error>(latencies)
                });
                spawned.expect("a thread for each writer")
            })
            .collect();
        ready.wait();
        let start = Instant::now();
        std::thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        let mut load = Load::default();
        for thread in threads {
            load.latencies
                .merge(&thread.join().map_err(|_| anyhow!("a writer panicked"))??);
        }
        load.seconds = start.elapsed().as_secs_f64();
        load.requests = load.latencies.count();
        Ok(load)
    })
}
