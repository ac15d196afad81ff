//! Every answer that carried something of a person is on that person's list, whatever becomes of the server meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sokhoe_disk::testing::Random;

use crate::home::{Home, Served};
use crate::peer::Answer;
use crate::sent::{event_id, identified, registration, weight};

const CYCLES: u64 = 12;
const READERS: u64 = 4;
const PEOPLE: u64 = 6;

/// Answers that arrived: whose, and the request's name.
type Arrived = Mutex<Vec<(u64, String)>>;

#[test]
fn every_answer_that_arrived_is_on_the_persons_list_though_servers_are_killed() {
    let home = Home::new();
    let served = home.serve();
    let hospital = home.hospital("99001");
    let mut people = BTreeMap::new();
    for person in 1..=PEOPLE {
        let receipt = served
            .by(&hospital)
            .event(&registration(person * 10, person));
        let id = receipt.expect(201).json()["person_id"].clone();
        people.insert(person, id.as_str().expect("an id").to_owned());
        let sent = served
            .by(&hospital)
            .event(&weight(person * 10 + 1, person, "2026-02-01", 60));
        sent.expect(201);
    }
    served.stop();
    let seed = std::env::var("SOKHOE_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(7);
    eprintln!("seed {seed}; SOKHOE_SEED sets another");
    let arrived = Arrived::default();
    for cycle in 0..CYCLES {
        let mut served = home.serve();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for reader in 0..READERS {
                let mut random = Random::new(seed + cycle * READERS + reader);
                let (addr, people, arrived, stop) = (served.addr, &people, &arrived, &stop);
                let hospital = &hospital;
                scope.spawn(move || {
                    while !stop.load(Ordering::Acquire) {
                        let person = 1 + random.index(usize::try_from(PEOPLE).expect("few")) as u64;
                        let request = crate::peer::Request::new(addr).token(hospital).treating();
                        let way = random.index(6);
                        // A server that is killed answers nobody, or half: that is no answer.
                        let read = std::panic::catch_unwind(|| {
                            read(request, way, &people[&person], person)
                        });
                        let Ok(answer) = read else { continue };
                        if answer.status == 200 {
                            let id = answer.header("x-request-id").expect("an id").to_owned();
                            arrived.lock().expect("a list").push((person, id));
                        }
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(60 + 17 * cycle));
            served.kill();
            stop.store(true, Ordering::Release);
        });
    }
    let served = home.serve();
    let arrived = arrived.into_inner().expect("a list");
    assert!(
        arrived.len() > 100,
        "too few answers to tell: {}",
        arrived.len()
    );
    let mut missing = 0;
    for (person, id) in &people {
        let listed = listed(&home, &served, id);
        missing += arrived
            .iter()
            .filter(|(of, request)| of == person && !listed.contains(request))
            .count();
    }
    println!(
        "{} answers over {CYCLES} killed servers, {missing} not on the list",
        arrived.len()
    );
    assert_eq!(missing, 0);
    served.stop();
}

fn read(request: crate::peer::Request<'_>, way: usize, id: &str, person: u64) -> Answer {
    match way {
        0 => request.get(&format!("/v1/people/{id}")),
        1 => request.get(&format!("/v1/people/{id}/events")),
        2 => request.get(&format!("/fhir/R4/Patient/{id}")),
        3 => request.get(&format!(
            "/fhir/R4/Observation/{}",
            event_id(person * 10 + 1)
        )),
        4 => {
            let body = identified(person).to_string();
            request.post("/v1/people/search", "application/json", body)
        }
        // The first event after the person's registration is theirs.
        _ => request.get(&format!("/v1/feed?after={}&limit=1", person * 2 - 1)),
    }
}

fn listed(home: &Home, served: &Served, id: &str) -> BTreeSet<String> {
    let auditor = home.token("auditor", &[]);
    let mut requests = BTreeSet::new();
    let mut next = Some(format!("/v1/people/{id}/accesses?limit=1000"));
    while let Some(path) = next {
        let page = served.by(&auditor).get(&path).expect(200).json();
        for look in page["items"].as_array().expect("looks") {
            requests.extend(look["data"]["request"].as_str().map(str::to_owned));
        }
        next = page["next"].as_str().map(str::to_owned);
    }
    requests
}
