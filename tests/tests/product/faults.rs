//! A failure at each call to the disk of appends, rollovers, a checkpoint and a stop: whoever waits is told the truth, the writer
//! stops where what is on the disk is in doubt and `/readyz` says so, and the next start is whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::home::{Home, Served, end};
use crate::peer::Answer;
use crate::sent::{FACILITY, registration, weight};

/// Every group but the first of a segment is its last, so that every append closes one segment and begins the next.
const TINY: &str = "segment_bytes=512";
/// Runs at a time.
const LANES: u64 = 2;
/// How long a signed checkpoint of the last event is waited for; a second, and patience with a busy machine.
const SIGNED_WITHIN: Duration = Duration::from_secs(20);

/// Files by what they are for; `$` is the end of a path. The first that fits is meant.
const PLACES: [&str; 14] = [
    "/log/",
    "/log$",
    ".keys/journal",
    "/checkpoint",
    "/data$",
    "prepared",
    "/cache/tree",
    "/cache/ids",
    "/cache/heads",
    "/cache/registry",
    "/cache/directory",
    "/cache/looks",
    "/cache/requests",
    "/cache$",
];

/// Calls of one kind at files of one place, and how many there are.
type Calls = BTreeMap<(String, &'static str), u64>;

/// What fails in one run: which of the calls of a kind at a place, from 1.
#[derive(Debug, Clone)]
struct Failure {
    act: &'static str,
    call: String,
    place: &'static str,
    nth: u64,
}

/// What one run came to: whether the call was met, and whether the writer stopped.
#[derive(Debug)]
struct Run {
    failure: Failure,
    met: bool,
    stopped: bool,
}

/// A folder with one person, and who writes to it.
struct Base {
    home: Home,
    token: String,
    vkey: PathBuf,
}

impl Base {
    fn new() -> Self {
        let home = Home::new();
        let served = home.serve_with(&[("UNDER_TEST", TINY)]);
        served.stop();
        let token = home.hospital(FACILITY);
        let served = home.serve_with(&[("UNDER_TEST", TINY)]);
        served.by(&token).event(&registration(1, 1)).expect(201);
        served.stop();
        let doctor = home.sokhoe(&["doctor", "--json"]).summary();
        let vkey = home.path().join("vkey");
        std::fs::write(&vkey, doctor["vkey"].as_str().expect("a key")).expect("a file");
        Self { home, token, vkey }
    }
}

#[test]
fn a_failure_at_each_call_of_an_append_a_rollover_and_a_checkpoint_is_told_and_survived() {
    let base = Base::new();
    let calls = calls_of(&base);
    let needed = [
        ("write", "/log/"),
        ("sync", "/log/"),
        ("set-len", "/log/"),
        ("rename", "/log/"),
        ("sync-dir", "/log$"),
        ("write", ".keys/journal"),
        ("sync", ".keys/journal"),
        ("create", "/checkpoint"),
        ("write", "/checkpoint"),
        ("sync", "/checkpoint"),
        ("rename", "/checkpoint"),
        ("sync-dir", "/data$"),
    ];
    for (call, place) in needed {
        let there = calls.contains_key(&(call.to_owned(), place));
        assert!(there, "no {call} at {place} among {calls:?}");
    }
    let grows = |call: &str| matches!(call, "write" | "create" | "set-len");
    let counts = [
        every_call(&base, &calls, "fail", |_| true),
        every_call(&base, &calls, "no-space", grows),
        every_call(&base, &calls, "fail-half", |call| call == "write"),
    ];
    let [failed, full, halves] = counts;
    println!("{failed} calls failed, {full} found no space, {halves} were half done");
}

/// Lets each call fail that is of a wanted kind, one in each run; returns how many were met.
fn every_call(base: &Base, calls: &Calls, act: &'static str, wanted: fn(&str) -> bool) -> usize {
    let all: Vec<Failure> = calls
        .iter()
        .filter(|((call, _), _)| wanted(call))
        .flat_map(|((call, place), count)| {
            (1..=*count).map(|nth| Failure {
                act,
                call: call.clone(),
                place,
                nth,
            })
        })
        .collect();
    let next = AtomicUsize::new(0);
    let runs: Vec<Run> = std::thread::scope(|scope| {
        let lane = || {
            let mut runs = Vec::new();
            while let Some(failure) = all.get(next.fetch_add(1, Ordering::AcqRel)) {
                runs.push(run(base, failure));
            }
            runs
        };
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(lane)).collect();
        lanes
            .into_iter()
            .flat_map(|lane| lane.join().expect("a lane"))
            .collect()
    });
    let mut stops: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.met) {
        let at = (run.failure.call.as_str(), run.failure.place);
        let (stopped, all) = stops.entry(at).or_default();
        *stopped += usize::from(run.stopped);
        *all += 1;
    }
    for ((call, place), (stopped, all)) in stops {
        eprintln!("{act:>9} {call:>9} {place:14} {all:>3}, the writer stopped {stopped:>3} times");
    }
    runs.iter().filter(|run| run.met).count()
}

/// The calls of a run in which nothing fails.
fn calls_of(base: &Base) -> Calls {
    let home = base.home.copy();
    let trace = home.path().join("trace");
    let (served, arm) = serve(&home, &format!("{TINY} trace={}", trace.display()));
    std::fs::write(arm, "").expect("a file");
    let last = send_all(&served, &base.token);
    wait_for_checkpoint(&served, position(&last[2]));
    served.stop();
    let mut calls = Calls::new();
    for line in std::fs::read_to_string(trace).expect("a trace").lines() {
        let (call, path) = line.split_once(' ').expect("a call and its file");
        let is_at = |place: &&&str| match place.strip_suffix('$') {
            Some(end) => path.ends_with(end),
            None => path.contains(**place),
        };
        let place = PLACES.iter().find(is_at);
        let place = place.unwrap_or_else(|| panic!("nobody knows {path}"));
        *calls.entry((call.to_owned(), place)).or_default() += 1;
    }
    calls
}

fn serve(home: &Home, orders: &str) -> (Served, PathBuf) {
    let arm = home.path().join("armed");
    let orders = format!("{orders} armed={}", arm.display());
    (home.serve_with(&[("UNDER_TEST", &orders)]), arm)
}

/// Sends a registration, which needs a new key, and two weighings.
fn send_all(served: &Served, token: &str) -> Vec<Answer> {
    let events = [
        registration(11, 2),
        weight(12, 1, "2026-03-01", 61),
        weight(13, 1, "2026-03-02", 62),
    ];
    events
        .iter()
        .map(|event| served.by(token).event(event))
        .collect()
}

fn position(answer: &Answer) -> u64 {
    answer.json()["position"].as_u64().expect("a position")
}

/// Waits for a signed checkpoint of at least this size.
fn wait_for_checkpoint(served: &Served, size: u64) {
    let begun = Instant::now();
    loop {
        let note = served.anonymous().get("/checkpoint").expect(200).body;
        let signed = note
            .lines()
            .nth(1)
            .and_then(|size| size.parse::<u64>().ok());
        if signed.expect("a size") >= size {
            return;
        }
        assert!(
            begun.elapsed() < SIGNED_WITHIN,
            "no checkpoint of {size} events"
        );
        std::thread::yield_now();
    }
}

/// Whether the call that was to fail did.
fn is_met(trace: &Path) -> bool {
    let text = std::fs::read_to_string(trace).unwrap_or_default();
    text.lines().any(|line| line.ends_with(" !"))
}

/// One run with one failure, and the start after it.
fn run(base: &Base, failure: &Failure) -> Run {
    let home = base.home.copy();
    let trace = home.path().join("trace");
    let Failure {
        act,
        call,
        place,
        nth,
    } = failure;
    let orders = format!(
        "{TINY} do={act} call={call} at={place} nth={nth} trace={}",
        trace.display()
    );
    let (mut served, arm) = serve(&home, &orders);
    std::fs::write(arm, "").expect("a file");
    let answers = send_all(&served, &base.token);
    let stopped = look(&served, &base.token, &answers, failure);
    let in_time = is_met(&trace);
    let ended = served.end();
    let said = served.said();
    drop(served);
    if in_time {
        assert_eq!(ended.success(), !stopped, "{failure:?}: {said}");
        let in_doubt = place.starts_with("/log") || place.starts_with(".keys");
        let beside = place.starts_with("/cache/") || ["/checkpoint", "/data$"].contains(place);
        assert!(!in_doubt || stopped, "the writer went on: {failure:?}");
        assert!(!beside || !stopped, "the writer stopped: {failure:?}");
    }
    start_again(base, &home, &answers, failure);
    // One that failed while the server stopped in order is survived too.
    Run {
        failure: failure.clone(),
        met: is_met(&trace),
        stopped,
    }
}

/// Looks at a server after a failure; returns whether its writer stopped.
fn look(served: &Served, token: &str, answers: &[Answer], failure: &Failure) -> bool {
    let reasons = served.anonymous().get("/readyz").json()["reasons"].clone();
    let reasons = reasons.as_array().expect("reasons");
    let writer = reasons.iter().find(|reason| reason["part"] == "writer");
    let stopped = writer.is_some();
    let mut refused = false;
    for answer in answers {
        match answer.status {
            201 => assert!(!refused, "{failure:?}: taken after a failure: {answers:?}"),
            503 => {
                refused = true;
                let kind = answer.json()["type"].clone();
                assert_eq!(kind, "https://sokhoe.vn/problems/stopped", "{answer:?}");
            }
            _ => panic!("{failure:?}: {answer:?}"),
        }
    }
    assert!(
        !refused || stopped,
        "{failure:?}: refused by a server that is ready: {answers:?}"
    );
    if let Some(reason) = writer {
        let told = reason["because"].as_str().expect("a reason");
        let full = failure.act == "no-space";
        assert_eq!(
            told.starts_with("the disk is full"),
            full,
            "{failure:?}: {told}"
        );
        let again = served.by(token).event(&weight(14, 1, "2026-03-03", 63));
        assert_eq!(again.status, 503, "{failure:?}: {again:?}");
    } else {
        wait_for_checkpoint(served, position(answers.last().expect("an answer")));
    }
    served.anonymous().get("/checkpoint").expect(200);
    let feed = served.by(token).treating().get("/v1/feed?limit=1000");
    if writer.is_some() {
        // Nobody's look can be written down any more, so nothing is shown.
        assert_eq!(feed.status, 503, "{failure:?}: {feed:?}");
        return stopped;
    }
    if feed.status == 503 {
        // Its look was what met the failure.
        return true;
    }
    let feed = feed.expect(200);
    let taken = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(
        feed.json().as_array().expect("a batch").len(),
        1 + taken,
        "{failure:?}"
    );
    stopped
}

/// Starts the folder again: it is intact, and every answer that was given holds.
fn start_again(base: &Base, home: &Home, answers: &[Answer], failure: &Failure) {
    let mut verify = home.bare(&["verify", "--json", "--vkey"]);
    verify.arg(&base.vkey).arg(home.data());
    verify.arg("--keys").arg(home.path().join("data.keys"));
    let verdict: Value = end(verify).well().summary();
    assert_eq!(verdict["verdict"], "intact", "{failure:?} {verdict}");
    let served = home.serve();
    for (before, now) in answers.iter().zip(send_all(&served, &base.token)) {
        let now_status = now.status;
        match before.status {
            201 => assert_eq!((now_status, &now.body), (200, &before.body), "{failure:?}"),
            _ => assert!(matches!(now_status, 200 | 201), "{failure:?}: {now:?}"),
        }
    }
    // Reads have caught up once the feed answers.
    served
        .by(&base.token)
        .treating()
        .get("/v1/feed")
        .expect(200);
    served.anonymous().get("/readyz").expect(200);
    served.stop();
}
