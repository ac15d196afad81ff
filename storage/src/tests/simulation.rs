//! Seeded simulation: random commands on a faulty disk, crashes and restarts, against a model of what must hold.
//!
//! A seed decides everything, so a failure is replayed by its seed: `SOKHOE_SIMULATION_SEED=n`. How many cycles are
//! run is said by `SOKHOE_SIMULATION_CYCLES`. Everything is synchronous here; what threads do has its own tests.

use crate::planted::{Mistake, plant};

mod model;
mod run;

use self::run::Simulation;

/// Restarts of one log before the next seed begins with an empty one.
const CYCLES_PER_SEED: u64 = 20;
const CYCLES: u64 = 12_000;
/// Within so many cycles every planted mistake must be found.
const CYCLES_TO_FIND: u64 = 1_000;
const THREADS: u64 = 2;

#[allow(clippy::disallowed_methods)] // a seed to replay is given by whoever runs the tests
fn number_of(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a number"))
}

/// Runs one seed; tells in which cycle which promise was broken.
fn run(seed: u64) -> Result<run::Done, String> {
    let mut simulation = Simulation::new(seed);
    for cycle in 1..=CYCLES_PER_SEED {
        simulation
            .cycle()
            .map_err(|broken| format!("seed {seed}, cycle {cycle}: {broken}"))?;
    }
    Ok(simulation.done)
}

#[test]
fn no_fault_and_no_crash_breaks_what_the_log_promises() {
    if let Some(seed) = number_of("SOKHOE_SIMULATION_SEED") {
        println!("{:?}", run(seed).unwrap());
        return;
    }
    let cycles = number_of("SOKHOE_SIMULATION_CYCLES").unwrap_or(CYCLES);
    let seeds = cycles.div_ceil(CYCLES_PER_SEED);
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            std::thread::spawn(move || {
                let own = (1..=seeds).filter(|seed| seed % THREADS == thread);
                own.map(run).try_fold(run::Done::default(), |sum, done| {
                    Ok::<_, String>(sum.plus(done?))
                })
            })
        })
        .collect();
    let mut done = run::Done::default();
    for thread in threads {
        done = done.plus(thread.join().unwrap().unwrap());
    }
    println!("{done:?}");
    assert!(done.restarts >= cycles);
    done.must_have_met_everything();
}

/// How many cycles it takes until a planted mistake breaks a promise, and which.
fn found_after(mistake: Mistake) -> Option<(u64, String)> {
    plant(Some(mistake));
    let seeds = CYCLES_TO_FIND / CYCLES_PER_SEED;
    let found = (1..=seeds).find_map(|seed| {
        let mut simulation = Simulation::new(seed);
        (1..=CYCLES_PER_SEED).find_map(|cycle| {
            let broken = simulation.cycle().err()?;
            Some(((seed - 1) * CYCLES_PER_SEED + cycle, broken))
        })
    });
    plant(None);
    found
}

#[test]
fn every_planted_mistake_is_found_within_a_thousand_cycles() {
    for mistake in Mistake::ALL {
        let found = found_after(mistake);
        let (cycles, broken) = found.unwrap_or_else(|| panic!("{mistake:?} is never found"));
        println!("{mistake:?}: {cycles} cycles: {broken}");
    }
}
