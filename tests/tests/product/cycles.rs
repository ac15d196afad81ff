//! Servers that are killed again and again under load: what was acknowledged is there, whole, once, and nothing else is.
//!
//! `SOKHOE_CRASH_CYCLES` sets how many are killed, `SOKHOE_CRASH_SEED` from which seed the deaths are drawn: the same
//! seed draws the same load and deaths, as far as a process and its threads let themselves be repeated.

mod caller;
mod death;
mod load;
mod story;
mod witness;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use self::caller::Caller;
use self::death::{ANY_MOMENT, Death};
use self::load::{Load, Tokens};
use self::story::Story;
use self::witness::Witness;
use crate::home::{Home, Served, until};
use crate::sent::FACILITY;
use sokhoe_disk::testing::Random;

/// Servers killed in an ordinary run of the tests.
const KILLS: u64 = 300;
/// Servers killed on one folder, so that folders stay small.
const KILLS_A_FOLDER: u64 = 25;
/// Folders at a time.
const LANES: u64 = 2;
/// Callers of a server.
const CALLERS: u64 = 3;

/// What came of it.
#[derive(Debug, Default)]
struct Figures {
    kills: BTreeMap<&'static str, u64>,
    folders: u64,
    events: u64,
}

#[test]
fn servers_killed_anywhere_lose_nothing_acknowledged_and_hold_nothing_unsent() {
    let number = |name: &str| std::env::var(name).ok()?.parse().ok();
    let kills = number("SOKHOE_CRASH_CYCLES").unwrap_or(KILLS);
    let seed = number("SOKHOE_CRASH_SEED").unwrap_or_else(Random::fresh_seed);
    println!("SOKHOE_CRASH_SEED={seed} SOKHOE_CRASH_CYCLES={kills}");
    let begun = Instant::now();
    let figures = Mutex::new(Figures::default());
    let folders = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                loop {
                    let folder = folders.fetch_add(1, Ordering::AcqRel);
                    let before = folder * KILLS_A_FOLDER;
                    if before >= kills {
                        return;
                    }
                    let mut told = Telling {
                        seed,
                        folder,
                        over: false,
                    };
                    Folder::new(Random::new(seed.wrapping_add(folder)))
                        .live(KILLS_A_FOLDER.min(kills - before), &figures);
                    told.over = true;
                }
            });
        }
    });
    let figures = figures.into_inner().expect("figures");
    let count: u64 = figures.kills.values().sum();
    println!(
        "killed {count} servers of {} folders in {} s: {} events there, lost 0, phantom 0",
        figures.folders,
        begun.elapsed().as_secs(),
        figures.events
    );
    for (place, count) in &figures.kills {
        println!("{count:>6}  {place}");
    }
    assert_eq!(count, kills);
}

/// Says which seed and folder it was when the test fails within.
struct Telling {
    seed: u64,
    folder: u64,
    over: bool,
}

impl Drop for Telling {
    fn drop(&mut self) {
        if !self.over {
            eprintln!(
                "failed with SOKHOE_CRASH_SEED={} in folder {}",
                self.seed, self.folder
            );
        }
    }
}

/// A data folder and all who have to do with it.
struct Folder {
    home: Home,
    random: Random,
    story: Mutex<Story>,
    witness: Witness,
    tokens: Tokens,
    vkey: PathBuf,
}

impl Folder {
    fn new(random: Random) -> Self {
        let home = Home::new();
        home.serve().stop();
        let doctor = home.sokhoe(&["doctor", "--json"]).summary();
        let vkey = home.path().join("vkey");
        std::fs::write(&vkey, doctor["vkey"].as_str().expect("a key")).expect("a file");
        Self {
            tokens: Tokens {
                hospital: home.hospital(FACILITY),
                admin: home.token("admin", &[]),
            },
            witness: Witness::new(home.path()),
            story: Mutex::default(),
            home,
            random,
            vkey,
        }
    }

    /// Kills so many servers of the folder, looking at it after each, and stops the last one politely.
    fn live(mut self, kills: u64, figures: &Mutex<Figures>) {
        let mut places: BTreeMap<&'static str, u64> = BTreeMap::new();
        for _ in 0..kills {
            let death = Death::draw(&mut self.random);
            let place = self.die(&death);
            *places.entry(place).or_default() += 1;
            self.verify();
        }
        let mut served = self.serve(&Death::none()).expect("a server that lives");
        let caller = self.look(&served);
        let mut caller = caller.expect("a server that lives");
        let story = self.story.get_mut().expect("the story");
        story.send_everything_again(&mut caller, &self.witness);
        let events = story.events();
        drop(caller);
        assert!(!served.is_dead());
        served.stop();
        self.verify();
        let mut figures = figures.lock().expect("figures");
        figures.folders += 1;
        figures.events += events;
        for (place, count) in places {
            *figures.kills.entry(place).or_default() += count;
        }
    }

    fn serve(&self, death: &Death) -> Option<Served> {
        let orders = [("UNDER_TEST", death.orders.as_str())];
        let starting = self.home.begin_serving(&orders);
        if death.starting {
            std::thread::sleep(Duration::from_micros(death.after_us));
            starting.kill();
            return None;
        }
        starting.ready().ok()
    }

    /// Lets a server of the folder live and die; returns where it died.
    fn die(&mut self, death: &Death) -> &'static str {
        let Some(mut served) = self.serve(death) else {
            return death.place;
        };
        // Looking at it is load too, in which it may die.
        if self.look(&served).is_none() {
            return self.reached(&mut served, death);
        }
        let load = Load {
            addr: served.addr,
            tokens: &self.tokens,
            story: &self.story,
            witness: &self.witness,
        };
        let seeds: Vec<u64> = (0..CALLERS).map(|_| self.random.below(u64::MAX)).collect();
        std::thread::scope(|scope| {
            for seed in seeds {
                let load = &load;
                scope.spawn(move || load.run(Random::new(seed)));
            }
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_micros(death.after_us) && !served.is_dead() {
                std::thread::sleep(Duration::from_micros(200));
            }
            let reached = served.is_dead();
            served.kill();
            if reached { death.place } else { ANY_MOMENT }
        })
    }

    fn reached(&self, served: &mut Served, death: &Death) -> &'static str {
        until("the end of a server that answers no more", || {
            served.is_dead().then_some(())
        });
        death.place
    }

    /// Looks at a server that has come back; `None` when it dies meanwhile.
    fn look(&mut self, served: &Served) -> Option<Caller> {
        let mut caller = Caller::connect(served.addr, &self.tokens.hospital)?;
        let story = self.story.get_mut().expect("the story");
        story.look(&mut caller, &self.witness)?;
        Some(caller)
    }

    /// Verifies the folder as an auditor does who keeps the key and the last checkpoint seen.
    fn verify(&self) {
        let path = |path: PathBuf| path.to_str().expect("a path").to_owned();
        let mut arguments = vec![
            "verify".to_owned(),
            path(self.home.data()),
            "--json".to_owned(),
        ];
        arguments.extend(["--vkey".to_owned(), path(self.vkey.clone())]);
        let keys = self.home.path().join("data.keys");
        arguments.extend(["--keys".to_owned(), path(keys)]);
        if self.witness.kept().exists() {
            arguments.extend(["--since".to_owned(), path(self.witness.kept())]);
        }
        let ended = crate::home::end(self.home.bare(&arguments));
        let verdict: Value = ended.well().summary();
        assert_eq!(verdict["verdict"], "intact", "{verdict}");
    }
}
