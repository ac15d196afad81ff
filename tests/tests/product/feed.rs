//! Consumers of the feed that are killed and come back at random while events come in: together with what they saw
//! before, each has seen the log, whole and in order, once.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::home::{Home, PATIENCE};
use crate::peer::{Request, connect, parse};
use crate::sent::{FACILITY, registration, weight};
use sokhoe_disk::testing::Random;

const BATCHES: u64 = 40;
const BATCH_EVENTS: u64 = 50;
const PEOPLE: u64 = 20;

/// One event as a consumer sees it: position and id.
type Seen = (u64, String);

#[derive(Debug, Clone, Copy)]
enum Form {
    Batch,
    LongPoll,
    Stream,
}

struct Consumer<'a> {
    addr: SocketAddr,
    token: &'a str,
    random: Random,
    seen: Vec<Seen>,
    after: u64,
}

impl Consumer<'_> {
    fn take(&mut self, event: &Value) {
        let sequence = event["sequence"].as_str().expect("a sequence");
        let position = sequence.parse().expect("a position");
        let id = event["id"].as_str().expect("an id").to_owned();
        self.seen.push((position, id));
    }

    /// Asks for a batch, and now and then leaves before the answer has come.
    fn ask(&mut self, wait: &str) {
        let limit = 1 + self.random.below(200);
        let path = format!("/v1/feed?after={}&limit={limit}{wait}", self.after);
        let request = Request::new(self.addr).token(self.token).treating();
        if self.random.below(4) == 0 {
            let mut gone = connect(self.addr);
            gone.write_all(request.head("GET", &path, 0).as_bytes())
                .expect("a request");
            return;
        }
        let answer = request.get(&path).expect(200);
        for event in answer.json().as_array().expect("a batch") {
            self.take(event);
        }
        self.after = answer
            .header("sokhoe-position")
            .expect("a position")
            .parse()
            .expect("one");
    }

    /// Reads a stream for a random number of bytes, and goes on later behind the last whole event.
    fn listen(&mut self) {
        let request = Request::new(self.addr)
            .token(self.token)
            .treating()
            .header("accept", "text/event-stream")
            .header("last-event-id", &self.after.to_string());
        let mut socket = connect(self.addr);
        socket
            .set_read_timeout(Some(Duration::from_millis(300)))
            .expect("a timeout");
        socket
            .write_all(request.head("GET", "/v1/feed", 0).as_bytes())
            .expect("a request");
        let enough = usize::try_from(500 + self.random.below(60_000)).expect("a size");
        let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
        while bytes.len() < enough {
            match socket.read(&mut piece) {
                Ok(0) | Err(_) => break,
                Ok(read) => bytes.extend_from_slice(&piece[..read]),
            }
        }
        drop(socket);
        if bytes.windows(4).all(|four| four != b"\r\n\r\n") {
            return;
        }
        let text = parse_cut(&bytes);
        // What comes after the last whole message may have been cut anywhere.
        let whole = text.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
        for message in whole.split("\n\n") {
            let field = |name: &str| message.lines().find_map(|line| line.strip_prefix(name));
            if let Some(data) = field("data: ") {
                self.take(&serde_json::from_str(data).expect("a whole event"));
            }
            if let Some(id) = field("id: ") {
                self.after = id.parse().expect("a position");
            }
        }
    }
}

/// The body of an answer that was cut off, as far as it came.
fn parse_cut(bytes: &[u8]) -> String {
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("a head");
    let status = parse(&bytes[..end + 4]).status;
    assert_eq!(status, 200);
    let body = crate::peer::join(&bytes[end + 4..]);
    String::from_utf8_lossy(&body).into_owned()
}

#[test]
fn killed_consumers_that_come_back_have_seen_the_log_once_and_in_order() {
    let seed = Random::fresh_seed();
    let home = Home::new();
    home.serve().stop();
    let token = home.hospital(FACILITY);
    let served = home.serve();
    for person in 0..PEOPLE {
        served
            .by(&token)
            .event(&registration(person, person))
            .expect(201);
    }
    let forms = [Form::Batch, Form::LongPoll, Form::Stream, Form::Stream];
    // Where the last event lies, once it is there.
    let last = AtomicU64::new(u64::MAX);
    let seen: Vec<Vec<Seen>> = std::thread::scope(|scope| {
        let consumers: Vec<_> = forms
            .iter()
            .enumerate()
            .map(|(number, form)| {
                let (served, token, last) = (&served, &token, &last);
                scope.spawn(move || {
                    let mut consumer = Consumer {
                        addr: served.addr,
                        token,
                        random: Random::new(seed + number as u64),
                        seen: Vec::new(),
                        after: 0,
                    };
                    let begun = Instant::now();
                    while consumer.after < last.load(Ordering::Acquire) {
                        assert!(
                            begun.elapsed() < PATIENCE,
                            "seed {seed}, {form:?}: never done"
                        );
                        match form {
                            Form::Batch => consumer.ask(""),
                            Form::LongPoll => consumer.ask("&wait=1"),
                            Form::Stream => consumer.listen(),
                        }
                    }
                    consumer.seen
                })
            })
            .collect();
        let mut end = 0;
        for batch in 0..BATCHES {
            let lines: Vec<String> = (0..BATCH_EVENTS)
                .map(|line| {
                    let number = PEOPLE + batch * BATCH_EVENTS + line;
                    weight(number, number % PEOPLE, "2026-03-01", 40 + number % 60).to_string()
                })
                .collect();
            let request = served.by(&token);
            let answer = request.post("/v1/events/batch", "application/x-ndjson", lines.join("\n"));
            for line in answer.expect(200).lines() {
                assert_eq!(line["status"], 201, "{line}");
                end = line["position"].as_u64().expect("a position");
            }
        }
        last.store(end, Ordering::Release);
        consumers
            .into_iter()
            .map(|consumer| consumer.join().expect("a consumer"))
            .collect()
    });
    served.stop();
    let export = home.sokhoe(&["export", "feed"]).well();
    let log: Vec<Seen> = export
        .stdout
        .lines()
        .map(|line| {
            let event: Value = serde_json::from_str(line).expect("a line of JSON");
            let position = event["sequence"].as_str().expect("a sequence");
            (
                position.parse().expect("one"),
                event["id"].as_str().expect("an id").to_owned(),
            )
        })
        .collect();
    assert_eq!(log.len() as u64, PEOPLE + BATCHES * BATCH_EVENTS);
    for (form, seen) in forms.iter().zip(&seen) {
        assert_eq!(seen, &log, "seed {seed}, {form:?}");
    }
}
