//! Slow and half-sent requests: cut off with a word, nothing of them written, and nobody else waits for them.

use std::io::Write as _;
use std::net::TcpStream;

use crate::home::{Home, Served};
use crate::peer::{connect, parse, read_to_end};
use crate::sent::{registration, weight};

/// A server that loses its patience within a test's time.
const HASTY: [(&str, &str); 3] = [
    ("SOKHOE_LIMITS_HEAD_TIMEOUT_MS", "400"),
    ("SOKHOE_LIMITS_BODY_PAUSE_TIMEOUT_MS", "400"),
    ("SOKHOE_LIMITS_BODY_TIMEOUT_MS", "800"),
];

struct House {
    served: Served,
    hospital: String,
    citizen: String,
    person: String,
}

fn house() -> (Home, House) {
    let home = Home::new();
    let served = home.serve_with(&HASTY);
    let hospital = home.hospital("99001");
    let receipt = served
        .by(&hospital)
        .event(&registration(1, 1))
        .expect(201)
        .json();
    let person = receipt["person_id"].as_str().unwrap().to_owned();
    let citizen = home.citizen(&person);
    (
        home,
        House {
            served,
            hospital,
            citizen,
            person,
        },
    )
}

impl House {
    /// Begins a request and sends so much of its body.
    fn begin(&self, path: &str, media_type: &str, body: &str, sent: usize) -> TcpStream {
        let request = self
            .served
            .by(&self.hospital)
            .header("content-type", media_type);
        let head = request.head("POST", path, body.len());
        let mut stream = connect(self.served.addr);
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body.as_bytes()[..sent]).unwrap();
        stream
    }

    fn version(&self) -> u64 {
        let record = self
            .served
            .record(&self.citizen, &self.person)
            .expect(200)
            .json();
        record["version"].as_u64().unwrap()
    }
}

#[test]
fn a_half_sent_event_is_408_and_nobody_waits_for_it() {
    let (_home, house) = house();
    let event = weight(2, 1, "2026-02-01", 70).to_string();
    let mut slow = Vec::new();
    for sent in [0, 1, event.len() - 1] {
        slow.push(house.begin("/v1/events", "application/json", &event, sent));
    }
    // While they hang, others are served.
    house
        .served
        .by(&house.hospital)
        .event(&weight(3, 1, "2026-02-01", 71))
        .expect(201);
    for mut stream in slow {
        let answer = parse(&read_to_end(&mut stream)).expect(408);
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
        assert!(
            answer.json()["type"]
                .as_str()
                .unwrap()
                .ends_with("/timeout")
        );
    }
    assert_eq!(house.version(), 2, "one good event beside the registration");
    house
        .served
        .by(&house.hospital)
        .event(&weight(2, 1, "2026-02-01", 70))
        .expect(201);
    house.served.stop();
}

#[test]
fn who_goes_away_in_the_middle_of_an_event_has_sent_nothing() {
    let (_home, house) = house();
    let event = weight(2, 1, "2026-02-01", 70).to_string();
    drop(house.begin("/v1/events", "application/json", &event, event.len() / 2));
    drop(house.begin("/fhir/R4", "application/fhir+json", &event, event.len() / 2));
    house
        .served
        .by(&house.hospital)
        .event(&weight(3, 1, "2026-02-01", 71))
        .expect(201);
    assert_eq!(house.version(), 2);
    house.served.stop();
}

#[test]
fn a_batch_that_pauses_too_long_is_answered_for_its_whole_lines_only() {
    let (_home, house) = house();
    let lines: String = (10..20)
        .map(|n| format!("{}\n", weight(n, 1, "2026-02-01", n)))
        .collect();
    let sent = lines.len() - 20;
    let mut stream = house.begin("/v1/events/batch", "application/x-ndjson", &lines, sent);
    let results = parse(&read_to_end(&mut stream)).lines();
    let statuses: Vec<_> = results
        .iter()
        .map(|line| line["status"].as_u64().unwrap())
        .collect();
    let expected: Vec<_> = std::iter::repeat_n(201, 9).chain([408]).collect();
    assert_eq!(statuses, expected);
    assert_eq!(house.version(), 10);
    house.served.stop();
}

#[test]
fn slow_heads_are_cut_off_and_others_served_meanwhile() {
    let (_home, house) = house();
    let mut slow: Vec<TcpStream> = (0..20)
        .map(|_| {
            let mut stream = connect(house.served.addr);
            stream
                .write_all(b"GET /livez HTTP/1.1\r\nhost: sok")
                .unwrap();
            stream
        })
        .collect();
    house.served.anonymous().get("/livez").expect(200);
    assert_eq!(house.version(), 1);
    for stream in &mut slow {
        let answer = String::from_utf8_lossy(&read_to_end(stream)).into_owned();
        assert!(!answer.contains(" 200 "), "{answer}");
    }
    house.served.stop();
}
