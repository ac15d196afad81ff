//! The tables against a plain reading of random histories, at every position.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt32Type};
use proptest::prelude::*;
use sokhoe_record::{Event, EventId, Instant, PersonId, RecordedEvent, parse_event};

use super::{Records, TABLES, Tables, tables_page};

/// People of a history.
const PEOPLE: u8 = 3;

#[derive(Debug, Clone)]
enum Step {
    Weight(u8, u16),
    Encounter(u8, u8),
    Sex(u8, bool),
    /// Replaces what an earlier observation says: which, told by which member of its record, what.
    Replace(u8, u8, u16),
    /// Voids an earlier observation, encounter or correction.
    Void(u8, u8),
    Merge(u8, u8),
    Unmerge(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let byte = any::<u8>;
    prop_oneof![
        3 => (byte(), 1..999u16).prop_map(|(who, to)| Step::Weight(who, to)),
        2 => (byte(), 0..9u8).prop_map(|(who, code)| Step::Encounter(who, code)),
        1 => (byte(), any::<bool>()).prop_map(|(who, male)| Step::Sex(who, male)),
        3 => (byte(), byte(), 1..999u16).prop_map(|(at, by, to)| Step::Replace(at, by, to)),
        3 => (byte(), byte()).prop_map(|(at, by)| Step::Void(at, by)),
        1 => (byte(), byte()).prop_map(|(one, other)| Step::Merge(one, other)),
        1 => byte().prop_map(Step::Unmerge),
    ]
}

/// What an event says, as the plain reading remembers it.
#[derive(Debug, Clone)]
enum Said {
    Weight(u16),
    Encounter(u8),
    Sex(&'static str),
    Replace(usize, u16),
    Void(usize),
    Other,
}

/// A history: the event at index n has position n + 1.
#[derive(Debug, Default)]
struct Story {
    events: Vec<RecordedEvent>,
    said: Vec<Said>,
    /// For each position reached who stands for whom.
    stands: Vec<BTreeMap<PersonId, PersonId>>,
}

fn who(number: u8) -> PersonId {
    PersonId::from_bytes([number % PEOPLE + 1; 16])
}

fn id(number: usize) -> EventId {
    let mut bytes = [7; 16];
    bytes[8..].copy_from_slice(&(number as u64).to_be_bytes());
    EventId::from_bytes(bytes)
}

fn weight(kilograms: u16) -> String {
    format!(
        r#"{{"code": {{"system": "loinc", "code": "29463-7"}},
        "value": {{"quantity": {{"value": {kilograms}, "unit": "kg"}}}}}}"#
    )
}

impl Story {
    fn tell(steps: &[Step]) -> Self {
        let mut story = Self::default();
        for number in 0..PEOPLE {
            let data = format!(
                r#"{{"name": {{"full": "N"}}, "sex": "male", "birth_date": "19{}0",
                "identifiers": [{{"system": "mrn/99001", "value": "{number}"}}]}}"#,
                number + 3
            );
            story.add(who(number), "person_registered", &data, Said::Sex("male"));
        }
        for step in steps {
            story.step(step);
        }
        story
    }

    fn add(&mut self, person: PersonId, kind: &str, data: &str, said: Said) {
        let number = self.events.len();
        let text = format!(
            r#"{{"event_id": "{}", "person": {{"identifier": {{"system": "temporary", "value": "1"}}}},
            "kind": "{kind}", "occurred_at": "2026-11-01", "facility": "99001", "data": {data}}}"#,
            id(number)
        );
        let event = parse_event(text.as_bytes())
            .unwrap_or_else(|error| panic!("{text}: {error:?}"))
            .event;
        let position = number as u64 + 1;
        self.events.push(RecordedEvent {
            person,
            event: Event {
                person: Some(person.into()),
                ..event
            },
            position,
            version: position,
            recorded_at: Instant::from_micros(i64::try_from(position).unwrap() * 1_000_000),
            hash: [0; 32],
            previous_hash: [0; 32],
            recorded_by: "99001".into(),
        });
        self.said.push(said);
        let before = self.stands.last().cloned().unwrap_or_default();
        self.stands.push(before);
    }

    fn stand(&self, person: PersonId, position: u64) -> PersonId {
        let at = usize::try_from(position).unwrap() - 1;
        let mut stands = person;
        while let Some(next) = self.stands[at].get(&stands) {
            stands = *next;
        }
        stands
    }

    fn now(&self) -> u64 {
        self.events.len() as u64
    }

    fn pick(&self, at: u8, wanted: impl Fn(&Said) -> bool) -> Option<usize> {
        let fit: Vec<usize> = (0..self.said.len())
            .filter(|at| wanted(&self.said[*at]))
            .collect();
        fit.get(usize::from(at) % fit.len().max(1)).copied()
    }

    /// Some member of the record that an event is part of now.
    fn someone(&self, event: usize, by: u8) -> PersonId {
        let survivor = self.stand(self.events[event].person, self.now());
        let members = self.members(survivor, self.now());
        members[usize::from(by) % members.len()]
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Weight(person, to) => {
                let said = Said::Weight(to);
                self.add(who(person), "observation_recorded", &weight(to), said);
            }
            Step::Encounter(person, code) => {
                let data = format!(
                    r#"{{"encounter_id": "e", "class": "outpatient", "started_at": "2026-11-01",
                    "diagnoses": [{{"code": {{"system": "icd10", "code": "I{code}"}}, "role": "main"}}]}}"#
                );
                self.add(
                    who(person),
                    "encounter_recorded",
                    &data,
                    Said::Encounter(code),
                );
            }
            Step::Sex(person, male) => {
                let sex = if male { "male" } else { "female" };
                let data = format!(r#"{{"sex": "{sex}"}}"#);
                self.add(who(person), "demographics_changed", &data, Said::Sex(sex));
            }
            Step::Replace(at, by, to) => {
                let Some(at) = self.pick(at, |said| matches!(said, Said::Weight(_))) else {
                    return;
                };
                let data = format!(
                    r#"{{"corrects": "{}", "action": "replace", "reason": "typo", "replacement": {}}}"#,
                    id(at),
                    weight(to)
                );
                let by = self.someone(at, by);
                self.add(by, "correction_made", &data, Said::Replace(at, to));
            }
            Step::Void(at, by) => {
                let correctable = |said: &Said| !matches!(said, Said::Sex(_) | Said::Other);
                let Some(at) = self.pick(at, correctable) else {
                    return;
                };
                let data = format!(
                    r#"{{"corrects": "{}", "action": "void", "reason": "wrong"}}"#,
                    id(at)
                );
                let by = self.someone(at, by);
                self.add(by, "correction_made", &data, Said::Void(at));
            }
            Step::Merge(one, other) => self.merge(who(one), who(other)),
            Step::Unmerge(person) => self.unmerge(who(person)),
        }
    }

    /// Two frames, as the log has them; the merge holds from the first.
    fn merge(&mut self, one: PersonId, other: PersonId) {
        let (stays, goes) = (self.stand(one, self.now()), self.stand(other, self.now()));
        if stays == goes {
            return;
        }
        let data = format!(r#"{{"retired": {{"id": "{goes}"}}, "grounds": "same"}}"#);
        self.add(stays, "people_merged", &data, Said::Other);
        self.stands.last_mut().unwrap().insert(goes, stays);
        self.add(goes, "people_merged", &data, Said::Other);
    }

    fn unmerge(&mut self, goes: PersonId) {
        let Some(stays) = self.stands.last().unwrap().get(&goes).copied() else {
            return;
        };
        let data = format!(
            r#"{{"merge_event_id": "{}", "grounds": "not same"}}"#,
            id(0)
        );
        self.add(stays, "people_unmerged", &data, Said::Other);
        self.stands.last_mut().unwrap().remove(&goes);
        self.add(goes, "people_unmerged", &data, Said::Other);
    }

    /// What an event says at a position, read by the rules alone: `None` when void.
    fn read(&self, at: usize, position: u64) -> Option<Said> {
        let mine = self.stand(self.events[at].person, position);
        let until = usize::try_from(position).unwrap();
        let verdict = (at + 1..until)
            .rev()
            .filter(|by| self.stand(self.events[*by].person, position) == mine)
            .filter(
                |by| matches!(self.said[*by], Said::Replace(of, _) | Said::Void(of) if of == at),
            )
            .find(|by| self.read(*by, position).is_some());
        match verdict.map(|by| &self.said[by]) {
            None => Some(self.said[at].clone()),
            Some(Said::Replace(_, to)) => Some(Said::Weight(*to)),
            Some(_) => None,
        }
    }

    /// Every row that there should be at a position, by table, in words.
    fn truth(&self, position: u64) -> BTreeMap<&'static str, Vec<String>> {
        let mut rows: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        let mut sexes = BTreeMap::new();
        for at in 0..usize::try_from(position).unwrap() {
            let owner = self.events[at].person;
            let person = self.stand(owner, position);
            match self.read(at, position) {
                Some(Said::Weight(to)) => {
                    rows.entry("observation")
                        .or_default()
                        .push(format!("{person} {to}"));
                }
                Some(Said::Encounter(code)) => {
                    rows.entry("encounter")
                        .or_default()
                        .push(format!("{person} outpatient"));
                    rows.entry("diagnosis")
                        .or_default()
                        .push(format!("{person} I{code}"));
                }
                // The survivor's own statements win, and everyone has made one.
                Some(Said::Sex(sex)) if owner == person => {
                    sexes.insert(person, sex);
                }
                _ => {}
            }
        }
        let people = sexes.iter().map(|(person, sex)| format!("{person} {sex}"));
        rows.insert("person", people.collect());
        rows.values_mut().for_each(|rows| rows.sort());
        rows
    }
}

impl Records for Story {
    type Error = std::convert::Infallible;

    fn survivor(&self, person: PersonId, position: u64) -> PersonId {
        self.stand(person, position)
    }

    fn members(&self, survivor: PersonId, position: u64) -> Vec<PersonId> {
        let everyone = (0..PEOPLE).map(who);
        everyone
            .filter(|person| self.stand(*person, position) == survivor)
            .collect()
    }

    fn events(&self, person: PersonId, until: u64) -> Result<Vec<RecordedEvent>, Self::Error> {
        let own = self.events.iter();
        let own = own.filter(|event| event.person == person && event.position <= until);
        Ok(own.cloned().collect())
    }
}

fn word(batch: &RecordBatch, column: &str, row: usize) -> String {
    let words = batch.column_by_name(column).unwrap();
    let words = words.as_dictionary::<UInt32Type>();
    let key = words.keys().value(row) as usize;
    words.values().as_string::<i32>().value(key).to_owned()
}

/// The rows of a table in the words of [`Story::truth`].
fn found(tables: &Tables, table: &str, position: u64) -> Vec<String> {
    let batch = tables.batch(table, position).unwrap().unwrap();
    let people = batch.column(0).as_primitive::<UInt32Type>();
    let mut rows: Vec<String> = (0..batch.num_rows())
        .map(|row| {
            let number = people.value(row);
            let person = (0..PEOPLE)
                .map(who)
                .find(|person| tables.person(*person) == Some(number))
                .unwrap();
            let says = match table {
                "observation" => {
                    let value = batch.column_by_name("value").unwrap();
                    value.as_primitive::<Float64Type>().value(row).to_string()
                }
                "encounter" => word(&batch, "class", row),
                "person" => word(&batch, "sex", row),
                _ => word(&batch, "code", row),
            };
            format!("{person} {says}")
        })
        .collect();
    rows.sort();
    rows
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn at_every_position_the_tables_say_what_the_history_says(
        steps in prop::collection::vec(step(), 1..30),
    ) {
        let story = Story::tell(&steps);
        let mut tables = Tables::default();
        for event in &story.events {
            let Ok(()) = tables.apply(event, &story);
        }
        for position in 1..=story.now() {
            let truth = story.truth(position);
            for table in ["person", "encounter", "diagnosis", "observation"] {
                let expected = truth.get(table).cloned().unwrap_or_default();
                prop_assert_eq!(found(&tables, table, position), expected, "{} at {}", table, position);
            }
        }
    }
}

#[test]
fn a_position_not_reached_and_a_table_that_is_none_have_no_answer() {
    let mut tables = Tables::default();
    tables.advance(4);
    assert_eq!(tables.batch("person", 4).unwrap().unwrap().num_rows(), 0);
    assert!(tables.batch("person", 5).unwrap().is_none());
    assert!(tables.batch("people", 4).unwrap().is_none());
}

#[test]
fn every_table_and_column_is_named_once() {
    for (at, table) in TABLES.iter().enumerate() {
        assert!(TABLES[..at].iter().all(|other| other.name != table.name));
        let schema = table.arrow();
        let names: std::collections::BTreeSet<_> =
            schema.fields().iter().map(|f| f.name()).collect();
        assert_eq!(names.len(), schema.fields().len(), "{}", table.name);
    }
}

#[test]
fn the_page_of_tables_is_the_schema() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../queries/TABLES.md");
    let kept = std::fs::read_to_string(page).unwrap();
    assert_eq!(
        kept,
        tables_page(),
        "write it anew: projections/examples/tables.rs"
    );
}
