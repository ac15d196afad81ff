//! Stories of mistakes and their repair, told over HTTP: what the record shows after each step, and that it can be
//! asked for later as it was at each of them.

use serde_json::{Value, json};

use crate::home::{Home, Served};
use crate::peer::Answer;
use crate::sent::{envelope, event_id, identified, registration, weighed, weight};

/// A story being told: the hospital writes, each person reads their own record.
struct Story {
    served: Served,
    home: Home,
    hospital: String,
    moments: Vec<Moment>,
}

/// What somebody saw after an event.
struct Moment {
    token: String,
    person: String,
    position: u64,
    recorded_at: String,
    seen: Answer,
}

impl Story {
    fn begin() -> Self {
        let home = Home::new();
        let served = home.serve();
        let hospital = home.hospital("99001");
        let moments = Vec::new();
        Self {
            served,
            home,
            hospital,
            moments,
        }
    }

    /// Sends an event of the hospital, which is taken.
    #[track_caller]
    fn tell(&self, event: &Value) -> Value {
        self.served
            .by(&self.hospital)
            .event(event)
            .expect(201)
            .json()
    }

    /// Registers somebody and returns who they are.
    fn register(&self, number: u64, person: u64) -> Reader {
        let receipt = self.tell(&registration(number, person));
        let person = receipt["person_id"].as_str().unwrap().to_owned();
        let token = self.home.citizen(&person);
        Reader { token, person }
    }

    /// Sends an event, looks at a record, and keeps what was seen.
    #[track_caller]
    fn tell_and_look(&mut self, event: &Value, reader: &Reader) -> Value {
        let receipt = self.tell(event);
        let seen = self
            .served
            .record(&reader.token, &reader.person)
            .expect(200);
        let record = seen.json();
        // A merge writes a second frame, into the other record; what was seen lies after both.
        let position = record["position"].as_u64().unwrap();
        assert!(
            position >= receipt["position"].as_u64().unwrap(),
            "one reads what one wrote"
        );
        self.moments.push(Moment {
            token: reader.token.clone(),
            person: reader.person.clone(),
            position,
            recorded_at: receipt["recorded_at"].as_str().unwrap().to_owned(),
            seen,
        });
        record
    }

    /// Every moment can be seen again, by position and by time.
    fn look_back(self) {
        for moment in &self.moments {
            let (person, position) = (&moment.person, moment.position);
            let time = moment.recorded_at.replace('+', "%2B");
            for as_of in [position.to_string(), time] {
                let path = format!("/v1/people/{person}?as_of={as_of}");
                let again = self.served.by(&moment.token).get(&path).expect(200);
                assert_eq!(again.body, moment.seen.body, "as of {as_of}");
                assert_eq!(
                    again.header("sokhoe-position"),
                    Some(&*position.to_string())
                );
            }
        }
        self.served.stop();
    }
}

/// A person who looks at their own record.
struct Reader {
    token: String,
    person: String,
}

/// The values of the weight series, in order.
fn weights(record: &Value) -> Vec<u64> {
    let series = record["sections"]["observations"]["series"]["loinc|29463-7"].as_array();
    let value = |point: &Value| point["value"]["quantity"]["value"].as_u64().unwrap();
    series
        .map(|points| points.iter().map(value).collect())
        .unwrap_or_default()
}

fn correction(number: u64, corrects: u64, kilograms: Option<u64>) -> Value {
    let mut event = envelope(number, "correction_made", "2026-02-02", identified(1));
    let reason = "typed wrong";
    event["data"] = match kilograms {
        Some(kilograms) => json!({"corrects": event_id(corrects), "action": "replace",
            "replacement": {"data": weighed(kilograms)}, "reason": reason}),
        None => json!({"corrects": event_id(corrects), "action": "void", "reason": reason}),
    };
    event
}

#[test]
fn a_correction_and_its_correction_hold_and_the_past_stays_as_it_was() {
    let mut story = Story::begin();
    let reader = story.register(1, 1);
    let mut step = |event: &Value, expected: &[u64]| {
        let record = story.tell_and_look(event, &reader);
        assert_eq!(weights(&record), expected, "after {event}");
    };
    // 700 is typed for 70; the repair says 71, the repair of the repair 72.
    step(&weight(2, 1, "2026-02-01", 700), &[700]);
    step(&correction(3, 2, Some(71)), &[71]);
    step(&correction(4, 3, Some(72)), &[72]);
    // Taken back one after the other, what was said before holds again.
    step(&correction(5, 4, None), &[71]);
    step(&correction(6, 3, None), &[700]);
    step(&correction(7, 2, None), &[]);

    let history = story.served.history(&reader.token, &reader.person);
    let find = |number: u64| {
        let id = event_id(number);
        history
            .iter()
            .find(|entry| entry["event_id"] == id)
            .expect("every event is in the history")
    };
    assert_eq!(history.len(), 7);
    assert_eq!(
        find(2)["data"]["value"]["quantity"]["value"],
        700,
        "what was said stays said"
    );
    assert_eq!(find(2)["corrected_by"], event_id(7));
    assert_eq!(find(2)["voided"], true);
    assert_eq!(find(3)["corrects"], event_id(2));
    assert_eq!(find(3)["voided"], true, "its own correction voids it");
    let linked = history
        .windows(2)
        .all(|two| two[1]["previous_hash"] == two[0]["hash"]);
    assert!(linked, "each event names the one before it");
    story.look_back();
}

#[test]
fn a_corrected_time_moves_the_value_in_its_series() {
    let mut story = Story::begin();
    let reader = story.register(1, 1);
    story.tell(&weight(2, 1, "2026-02-01", 70));
    let record = story.tell_and_look(&weight(3, 1, "2026-03-01", 75), &reader);
    assert_eq!(weights(&record), [70, 75]);
    let mut moved = correction(4, 3, Some(75));
    moved["data"]["replacement"]["occurred_at"] = json!("2026-01-20");
    let record = story.tell_and_look(&moved, &reader);
    assert_eq!(weights(&record), [75, 70]);
    let latest = &record["sections"]["observations"]["latest"][0];
    assert_eq!(
        latest["value"]["quantity"]["value"], 70,
        "the latest is by the corrected time"
    );
    story.look_back();
}

fn merge(number: u64, survivor: u64, retired: u64) -> Value {
    let mut event = envelope(number, "people_merged", "2026-03-01", identified(survivor));
    event["data"] = json!({"retired": identified(retired), "grounds": "one person, two cards"});
    event
}

fn unmerge(number: u64, merge: u64, survivor: u64) -> Value {
    let mut event = envelope(
        number,
        "people_unmerged",
        "2026-04-01",
        identified(survivor),
    );
    event["data"] = json!({"merge_event_id": event_id(merge), "grounds": "two people after all"});
    event
}

#[test]
fn a_merge_shows_one_record_and_its_unmerge_two_again() {
    let mut story = Story::begin();
    let (one, two) = (story.register(1, 1), story.register(2, 2));
    let record = story.tell_and_look(&weight(3, 1, "2026-02-01", 70), &one);
    assert_eq!(weights(&record), [70]);
    let record = story.tell_and_look(&weight(4, 2, "2026-02-02", 90), &two);
    assert_eq!(weights(&record), [90]);

    let record = story.tell_and_look(&merge(5, 1, 2), &one);
    assert_eq!(weights(&record), [70, 90], "merged");
    let of_two = story
        .served
        .record(&two.token, &two.person)
        .expect(200)
        .json();
    assert_eq!(
        of_two["person_id"], one.person,
        "the retired id leads to the survivor"
    );
    assert_eq!(weights(&of_two), [70, 90]);
    let names = |record: &Value| record["sections"]["demographics"]["identifiers"].to_string();
    assert!(names(&record).contains("099085000001") && names(&record).contains("099085000002"));

    // Written under either number while they are one.
    let record = story.tell_and_look(&weight(6, 2, "2026-03-02", 91), &one);
    assert_eq!(weights(&record), [70, 90, 91]);
    let record = story.tell_and_look(&weight(7, 1, "2026-03-03", 71), &two);
    assert_eq!(weights(&record), [70, 90, 91, 71]);

    let record = story.tell_and_look(&unmerge(8, 5, 1), &one);
    assert_eq!(
        weights(&record),
        [70, 71],
        "parted: what was written under the own number"
    );
    let of_two = story
        .served
        .record(&two.token, &two.person)
        .expect(200)
        .json();
    assert_eq!(of_two["person_id"], two.person);
    assert_eq!(weights(&of_two), [90, 91]);
    let record = story.tell_and_look(&weight(9, 2, "2026-04-02", 92), &two);
    assert_eq!(weights(&record), [90, 91, 92]);
    story.look_back();
}

#[test]
fn nobody_is_there_as_of_before_they_were_registered() {
    let mut story = Story::begin();
    let first = story.register(1, 1);
    let later = story.register(2, 2);
    story.tell_and_look(&weight(3, 2, "2026-02-01", 60), &later);
    let path = format!("/v1/people/{}?as_of=1", later.person);
    story.served.by(&later.token).get(&path).expect(404);
    let path = format!("/v1/people/{}?as_of=2000-01-01T00:00:00Z", first.person);
    story.served.by(&first.token).get(&path).expect(404);
    let path = format!("/v1/people/{}?as_of=1000000", first.person);
    let beyond = story.served.by(&first.token).get(&path);
    assert!(
        (400..500).contains(&beyond.status),
        "the future is not known: {beyond:?}"
    );
    story.look_back();
}
