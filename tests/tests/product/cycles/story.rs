//! What one folder was sent, and what must hold of it after every death of its server.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::caller::{Caller, Whole};
use super::witness::{Place, Witness};
use crate::sent::{event_id, registration, weight};
use sokhoe_disk::testing::Random;

const NDJSON: &str = "application/x-ndjson";
const JSON: &str = "application/json";

/// An event that was sent at least once.
#[derive(Debug, Clone)]
struct Sent {
    line: String,
    /// The atomic batch that it is part of.
    batch: Option<usize>,
    expected_version: Option<u64>,
    /// Whom it is about, by the number in their identifier.
    person: u64,
    /// Whether it registers them.
    registers: bool,
    /// It was refused for good.
    refused: bool,
    /// Where it lies, once that is known.
    place: Option<Place>,
}

/// A request that is ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) ids: Vec<String>,
    pub(crate) path: &'static str,
    pub(crate) media_type: &'static str,
    pub(crate) body: String,
}

/// The whole story.
#[derive(Debug, Default)]
pub(crate) struct Story {
    sent: BTreeMap<String, Sent>,
    /// The ids of each atomic batch.
    batches: Vec<Vec<String>>,
    /// People who are known, with the last version seen of each.
    people: BTreeMap<u64, u64>,
    next_event: u64,
    next_person: u64,
    /// The position up to which the feed was read.
    read_up_to: u64,
}

impl Story {
    /// Draws the next request: one event, a batch, or an atomic batch.
    pub(crate) fn draw(&mut self, random: &mut Random) -> Request {
        match random.below(4) {
            0 | 1 => {
                let id = self.draw_event(random, None);
                self.request(vec![id], "/v1/events", JSON)
            }
            2 => {
                let count = 1 + random.below(20);
                let ids = (0..count).map(|_| self.draw_event(random, None)).collect();
                self.request(ids, "/v1/events/batch", NDJSON)
            }
            _ => {
                let batch = self.batches.len();
                let ids: Vec<String> = (0..2 + random.below(6))
                    .map(|_| self.draw_event(random, Some(batch)))
                    .collect();
                self.batches.push(ids.clone());
                self.request(ids, "/v1/events/batch?atomic=true", NDJSON)
            }
        }
    }

    /// Draws an event that was acknowledged, to be sent again.
    pub(crate) fn draw_again(&self, random: &mut Random) -> Option<Request> {
        let known: Vec<&String> = self
            .sent
            .iter()
            .filter(|(_, sent)| sent.place.is_some())
            .map(|(id, _)| id)
            .collect();
        let id = (*random.one_of(&known)?).clone();
        Some(self.request(vec![id], "/v1/events", JSON))
    }

    fn request(&self, ids: Vec<String>, path: &'static str, media_type: &'static str) -> Request {
        let lines: Vec<&str> = ids.iter().map(|id| self.sent[id].line.as_str()).collect();
        Request {
            body: lines.join("\n"),
            ids,
            path,
            media_type,
        }
    }

    fn draw_event(&mut self, random: &mut Random, batch: Option<usize>) -> String {
        let number = self.next_event;
        self.next_event += 1;
        let kilograms = 40 + random.below(60);
        let draw = random.below(10);
        let (person, version) = if self.people.is_empty() || draw < 3 {
            self.next_person += 1;
            (self.next_person, None)
        } else if draw < 4 {
            // Somebody who may be known already: at most one registration of them is ever taken.
            (1 + random.below(self.next_person), None)
        } else {
            let known: Vec<(u64, u64)> = self.people.clone().into_iter().collect();
            let (person, version) = *random.one_of(&known).unwrap();
            (person, Some(version))
        };
        let expected_version = version.filter(|_| draw < 6);
        let mut event = match version {
            Some(_) => weight(number, person, "2026-03-01", kilograms),
            None => registration(number, person),
        };
        if let Some(expected) = expected_version {
            event["expected_version"] = json!(expected);
        }
        let id = event_id(number);
        let sent = Sent {
            line: event.to_string(),
            batch,
            expected_version,
            person,
            registers: version.is_none(),
            refused: false,
            place: None,
        };
        self.sent.insert(id.clone(), sent);
        id
    }

    /// Takes in one line of an answer to a request whose line it is.
    ///
    /// Returns what was acknowledged, to be told to the witness before anything else.
    pub(crate) fn take(
        &mut self,
        request: &Request,
        answer: &Value,
        status: u64,
    ) -> Option<(String, Place)> {
        match status {
            200 | 201 => {
                let (id, place) = Place::of_receipt(answer)
                    .unwrap_or_else(|| panic!("no receipt: {answer} for {request:?}"));
                self.settle(&id, &place);
                if status == 201 {
                    assert!(
                        request.ids.contains(&id),
                        "a receipt of another event: {answer}"
                    );
                }
                Some((id, place))
            }
            // The batch that a line stands in was refused because of another of its lines.
            409 | 412 | 422 | 424 => {
                let line = answer["line"].as_u64().unwrap_or(1);
                let index = usize::try_from(line - 1).expect("a line");
                let sent = self
                    .sent
                    .get_mut(&request.ids[index])
                    .expect("a sent event");
                assert!(
                    sent.place.is_none(),
                    "taken and then refused: {sent:?} {answer}"
                );
                sent.refused = true;
                None
            }
            // Busy: it may be sent again.
            503 if answer["type"]
                .as_str()
                .is_some_and(|kind| kind.ends_with("busy")) =>
            {
                None
            }
            _ => panic!("{status} {answer} for {request:?}"),
        }
    }

    /// Writes down where an event lies: always the same place, and one that its sender agreed to.
    fn settle(&mut self, id: &str, place: &Place) {
        let sent = self.sent.get_mut(id);
        let sent = sent.unwrap_or_else(|| panic!("a phantom: {id} at {place:?} was never sent"));
        assert!(!sent.refused, "refused, and yet in the log: {id} {place:?}");
        if let Some(before) = &sent.place {
            assert_eq!(before, place, "{id} moved");
            return;
        }
        if let Some(expected) = sent.expected_version {
            assert_eq!(
                place.version,
                expected + 1,
                "an expected version was passed over: {id}"
            );
        }
        assert_eq!(place.version == 1, sent.registers, "{id} {place:?}");
        sent.place = Some(place.clone());
        let version = self.people.entry(sent.person).or_default();
        *version = place.version.max(*version);
    }

    /// Looks at a server that has come back; `None` when it died meanwhile.
    ///
    /// # Panics
    /// When anything acknowledged is missing or elsewhere, anything is there that was not sent, or half of something is.
    pub(crate) fn look(&mut self, caller: &mut Caller, witness: &Witness) -> Option<()> {
        let promised = witness.read();
        self.read_feed(caller)?;
        for (id, place) in &promised {
            let found = self.sent.get(id).and_then(|sent| sent.place.as_ref());
            assert_eq!(found, Some(place), "acknowledged, then lost: {id}");
        }
        self.check_batches();
        self.send_unanswered(caller, (witness, &promised))?;
        self.check_batches();
        self.check_books();
        Some(())
    }

    /// Reads what is new in the feed: every event was sent, none comes twice.
    fn read_feed(&mut self, caller: &mut Caller) -> Option<()> {
        loop {
            let path = format!("/v1/feed?after={}&limit=1000", self.read_up_to);
            let answer = caller.get(&path)?;
            assert_eq!(answer.status, 200, "{answer:?}");
            let events: Vec<Value> = serde_json::from_str(&answer.body).expect("a batch");
            for event in &events {
                let (id, place) = Place::of_feed(event).expect("an event of the feed");
                assert!(place.position > self.read_up_to, "{event} comes twice");
                self.settle(&id, &place);
                self.read_up_to = place.position;
            }
            if events.is_empty() {
                return Some(());
            }
        }
    }

    /// Fails when an atomic batch is there in part.
    fn check_batches(&self) {
        for ids in &self.batches {
            let there = |id: &&String| self.sent[*id].place.is_some();
            let count = ids.iter().filter(there).count();
            assert!(
                count == 0 || count == ids.len(),
                "{count} of {} of an atomic batch: {ids:?}",
                ids.len()
            );
        }
    }

    /// Sends everything again whose answer never came, whether it is in the log or not.
    fn send_unanswered(
        &mut self,
        caller: &mut Caller,
        (witness, promised): (&Witness, &BTreeMap<String, Place>),
    ) -> Option<()> {
        let unanswered = self
            .sent
            .iter()
            .filter(|(id, sent)| !sent.refused && !promised.contains_key(*id));
        let mut lines = Vec::new();
        let mut batches = BTreeSet::new();
        for (id, sent) in unanswered {
            match sent.batch {
                Some(batch) => drop(batches.insert(batch)),
                None => lines.push(id.clone()),
            }
        }
        let mut requests = Vec::new();
        if !lines.is_empty() {
            requests.push(self.request(lines, "/v1/events/batch", NDJSON));
        }
        for batch in batches {
            let ids = self.batches[batch].clone();
            requests.push(self.request(ids, "/v1/events/batch?atomic=true", NDJSON));
        }
        for request in requests {
            self.send(caller, witness, &request)?;
        }
        Some(())
    }

    /// Sends a request and takes in its answer line by line.
    fn send(&mut self, caller: &mut Caller, witness: &Witness, request: &Request) -> Option<Whole> {
        let media_type = (request.media_type, request.body.as_str());
        caller.post(request.path, media_type, &mut |line| {
            let answer: Value = serde_json::from_str(line).expect("an answer in JSON");
            let status = answer["status"].as_u64().expect("a status");
            if let Some((id, place)) = self.take(request, &answer, status) {
                witness.saw(&id, &place);
            }
        })
    }

    /// Sends every event again: each answers with the receipt of its first time.
    pub(crate) fn send_everything_again(&mut self, caller: &mut Caller, witness: &Witness) {
        let taken = |(_, sent): &(&String, &Sent)| sent.place.is_some();
        let ids: Vec<String> = self
            .sent
            .iter()
            .filter(taken)
            .map(|(id, _)| id.clone())
            .collect();
        if ids.is_empty() {
            return;
        }
        let request = self.request(ids, "/v1/events/batch", NDJSON);
        let answer = self.send(caller, witness, &request).expect("an answer");
        for line in answer.body.lines() {
            let line: Value = serde_json::from_str(line).expect("an answer in JSON");
            assert_eq!(line["status"], 200, "taken a second time: {line}");
        }
    }

    /// Fails when a book has a gap, or a person was registered twice.
    fn check_books(&self) {
        let mut books: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        let mut registered: BTreeMap<u64, &str> = BTreeMap::new();
        for (id, sent) in &self.sent {
            let Some(place) = &sent.place else { continue };
            books.entry(&place.person).or_default().push(place.version);
            if sent.registers {
                let before = registered.insert(sent.person, id);
                let person = sent.person;
                assert_eq!(before, None, "{person} was registered twice, also by {id}");
            }
        }
        for (person, mut versions) in books {
            versions.sort_unstable();
            let whole: Vec<u64> = (1..).take(versions.len()).collect();
            assert_eq!(versions, whole, "the book of {person} has gaps");
        }
    }

    /// How many events are known to be in the log.
    pub(crate) fn events(&self) -> u64 {
        let there = self.sent.values().filter(|sent| sent.place.is_some());
        u64::try_from(there.count()).expect("a count")
    }
}
