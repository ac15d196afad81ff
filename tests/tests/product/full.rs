//! A disk that fills up: the server says so and takes nothing more, loses nothing, serves what it has, and goes on after
//! room was made.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::home::{Home, Served, end};
use crate::peer::Answer;
use crate::sent::{FACILITY, identified, registration, weight};

/// Segments that a small disk holds a few of.
const SMALL: &str = "segment_bytes=16384";
/// Events after which any disk of these tests is full.
const EVENTS_MAX: u64 = 20_000;

/// A folder with one person, and the token of who writes to it.
fn house() -> (Home, String) {
    let home = Home::new();
    home.serve_with(&[("UNDER_TEST", SMALL)]).stop();
    let token = home.hospital(FACILITY);
    let served = home.serve_with(&[("UNDER_TEST", SMALL)]);
    served.by(&token).event(&registration(1, 1)).expect(201);
    served.stop();
    (home, token)
}

/// Sends weighings from a number on until one is refused; returns the receipts.
fn fill(served: &Served, token: &str, from: u64) -> Vec<Answer> {
    let mut taken = Vec::new();
    for number in from..EVENTS_MAX {
        let answer = served
            .by(token)
            .event(&weight(number, 1, "2026-03-01", 40 + number % 60));
        if answer.status != 201 {
            assert_eq!(answer.status, 503, "{answer:?}");
            let problem = answer.json();
            assert_eq!(problem["type"], "https://sokhoe.vn/problems/stopped");
            return taken;
        }
        taken.push(answer);
    }
    panic!("{EVENTS_MAX} events did not fill the disk");
}

/// Looks at a server whose disk is full: it says so, takes nothing, and serves what it took.
fn is_full(served: &Served, token: &str) {
    let ready = served.anonymous().get("/readyz").expect(503).json();
    let because = ready["reasons"][0]["because"].as_str().expect("a reason");
    assert!(
        because.starts_with("the disk is full: make room"),
        "{ready}"
    );
    let batch = served.by(token).post(
        "/v1/events/batch?atomic=true",
        "application/x-ndjson",
        weight(90_001, 1, "2026-03-01", 60).to_string(),
    );
    assert_eq!(batch.status, 503, "{batch:?}");
    let found = served.by(token).treating().post(
        "/v1/people/search",
        "application/json",
        identified(1).to_string(),
    );
    // Nobody's look can be written down, so nobody is shown.
    assert_eq!(found.status, 503, "{found:?}");
    served.anonymous().get("/checkpoint").expect(200);
}

/// Fails unless the folder is intact and holds everything that was taken, each once.
fn holds(home: &Home, served: &Served, token: &str, taken: &[Answer]) {
    let mut verify = home.bare(&["verify", "--json"]);
    verify.arg(home.data());
    let verdict: Value = end(verify).well().summary();
    assert_eq!(verdict["first_bad"], Value::Null, "{verdict}");
    for (number, before) in (2..).zip(taken) {
        let again = served
            .by(token)
            .event(&weight(number, 1, "2026-03-01", 40 + number % 60));
        assert_eq!((again.status, &again.body), (200, &before.body));
    }
}

#[test]
fn a_server_whose_disk_fills_up_says_so_loses_nothing_and_goes_on_after_room_was_made() {
    let (home, token) = house();
    for room in [0, 3_000, 40_000, 77_777] {
        let home = home.copy();
        let orders = format!("{SMALL} room={room}");
        let mut served = match start_on(&home, &orders) {
            Ok(served) => served,
            Err(said) => {
                // Not even the new start's checkpoint finds room: it says so, and nothing is lost.
                assert!(room < 10_000, "{said}");
                assert!(said.contains("no storage space"), "{said}");
                continue;
            }
        };
        let taken = fill(&served, &token, 2);
        is_full(&served, &token);
        assert!(
            !served.end().success(),
            "a log that had stopped did not stop in order"
        );
        drop(served);
        // Nobody has made room yet: a start says that the disk is full, or serves what there is.
        if let Ok(mut served) = start_on(&home, &format!("{SMALL} room=0")) {
            let more = fill(&served, &token, 2 + taken.len() as u64);
            assert!(more.is_empty(), "there was room after all: {}", more.len());
            served.end();
        }
        let served = home.serve_with(&[("UNDER_TEST", SMALL)]);
        holds(&home, &served, &token, &taken);
        served
            .by(&token)
            .event(&weight(90_000, 1, "2026-03-05", 70))
            .expect(201);
        served.stop();
    }
}

fn start_on(home: &Home, orders: &str) -> Result<Served, String> {
    home.begin_serving(&[("UNDER_TEST", orders)]).ready()
}

#[test]
fn a_document_for_which_there_is_no_room_is_507_and_events_go_on() {
    let (home, token) = house();
    let served = start_on(&home, &format!("{SMALL} room=100000")).expect("a start");
    let blob = vec![7; 200_000];
    let refused = served
        .by(&token)
        .post("/v1/blobs", "application/octet-stream", &blob);
    assert_eq!(refused.status, 507, "{refused:?}");
    assert_eq!(
        refused.json()["type"],
        "https://sokhoe.vn/problems/disk-full"
    );
    served
        .by(&token)
        .event(&weight(2, 1, "2026-03-01", 60))
        .expect(201);
    drop(served);
}

/// A file system of its own, of a megabyte, gone with the test.
struct Small<'a>(&'a Path);

impl<'a> Small<'a> {
    /// Puts one over a folder; `None` where this process may not.
    fn over(folder: &'a Path) -> Option<Self> {
        std::fs::create_dir_all(folder).expect("a folder");
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs"])
            .arg(folder);
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then_some(Self(folder))
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).output();
    }
}

#[test]
fn a_real_file_system_that_fills_up_is_the_same() {
    let home = Home::new();
    let data = home.data();
    let Some(_small) = Small::over(&data) else {
        println!("a small file system cannot be mounted here: only the disk of orders was filled");
        return;
    };
    let orders = [("UNDER_TEST", "segment_bytes=65536")];
    home.serve_with(&orders).stop();
    let token = home.hospital(FACILITY);
    let mut served = home.serve_with(&orders);
    served.by(&token).event(&registration(1, 1)).expect(201);
    let ballast = data.join("ballast");
    std::fs::write(&ballast, vec![1; 500_000]).expect("room for ballast");
    let taken = fill(&served, &token, 2);
    assert!(!taken.is_empty());
    is_full(&served, &token);
    served.end();
    drop(served);
    std::fs::remove_file(&ballast).expect("room");
    let served = home.serve_with(&orders);
    holds(&home, &served, &token, &taken);
    served
        .by(&token)
        .event(&weight(90_000, 1, "2026-03-05", 70))
        .expect(201);
    served.stop();
}
