//! What the read side promises: stories of corrections, merges and the past, told on a real folder.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use std::time::Duration;

use serde_json::{Value, json};
use sokhoe_access::{Filter, Principal, Purpose, Question, Role, decide};
use sokhoe_commands::{Commands, ContentDigest, Receipt, Settings};
use sokhoe_projections::{AsOf, Beginning, Query, ReadError, Views};
use sokhoe_record::{Instant, PersonId, Section, parse_event};
use sokhoe_storage::Clock;

/// 1 November 2026, 01:00 UTC.
const NOW_US: i64 = 1_793_494_800_000_000;

struct House {
    commands: Commands,
    views: Views,
    sent: u32,
    _folder: tempfile::TempDir,
}

impl House {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::new(|| NOW_US);
        let commands = Commands::open(Settings::new(&folder.path().join("data"), clock)).unwrap();
        let views = Views::start(Beginning::of(commands.opener())).unwrap();
        Self {
            commands,
            views,
            sent: 0,
            _folder: folder,
        }
    }

    async fn send(&mut self, person: Option<PersonId>, kind: &str, data: Value) -> Receipt {
        self.send_at("99001", person, kind, data).await
    }

    async fn send_at(
        &mut self,
        facility: &str,
        person: Option<PersonId>,
        kind: &str,
        data: Value,
    ) -> Receipt {
        self.sent += 1;
        let mut event = json!({
            "event_id": format!("0192f0c1-7a3b-7c11-9e2f-{:012x}", self.sent),
            "kind": kind, "occurred_at": "2026-02-01", "facility": facility, "data": data,
        });
        if let Some(person) = person {
            event["person"] = json!({ "id": person });
        }
        let text = event.to_string();
        let content = ContentDigest::of_bytes(text.as_bytes());
        let incoming = parse_event(text.as_bytes()).unwrap();
        self.commands
            .submit(&Principal::operator("tests"), incoming, content)
            .await
            .unwrap()
    }

    async fn register(&mut self, name: &str) -> PersonId {
        let number = format!("0990850{:05}", self.sent + 1);
        let data = json!({
            "identifiers": [{"system": "cccd", "value": number}],
            "name": {"full": name}, "sex": "female", "birth_date": "1985-03-07",
        });
        self.send(None, "person_registered", data)
            .await
            .person_id
            .unwrap()
    }

    fn record(&self, filter: &Filter, person: PersonId, as_of: AsOf) -> Option<Value> {
        let view = self.views.record(filter, person, as_of).unwrap()?;
        Some(serde_json::from_slice(&view.json).unwrap())
    }

    /// What a facility's staff see of a person for treatment.
    fn sight_of(&self, facility: &str, role: Role, person: PersonId) -> Filter {
        let facts = self.views.facts(person, None).unwrap().unwrap();
        let principal = Principal {
            role,
            facility: Some(facility.to_owned()),
            ..Principal::operator("x")
        };
        let decision = decide(&Question {
            principal: &principal,
            purpose: Purpose::Treatment,
            own: false,
            facts: &facts.known,
            emergency: None,
            now: Instant::from_micros(NOW_US),
        });
        decision.filter.unwrap()
    }

    fn weights(&self, person: PersonId, as_of: AsOf) -> Vec<f64> {
        let record = self.record(&Filter::All, person, as_of).unwrap();
        let series = &record["sections"]["observations"]["series"]["loinc|29463-7"];
        let points = series.as_array().cloned().unwrap_or_default();
        let number = |point: &Value| point["value"]["quantity"]["value"].as_f64().unwrap();
        points.iter().map(number).collect()
    }
}

fn merged(retired: PersonId) -> Value {
    json!({"retired": {"id": retired}, "grounds": "the same papers"})
}

fn weight(kilograms: u32) -> Value {
    json!({
        "code": {"system": "loinc", "code": "29463-7"},
        "value": {"quantity": {"value": kilograms, "unit": "kg"}},
    })
}

#[tokio::test]
async fn a_correction_its_correction_and_the_past_before_each() {
    let mut house = House::open();
    let person = house.register("Trần Thị Bình").await;
    let wrong = house
        .send(Some(person), "observation_recorded", weight(700))
        .await;
    let correct = json!({"corrects": wrong.event_id, "action": "replace", "reason": "typed wrong",
        "replacement": {"data": weight(70)}});
    let replaced = house.send(Some(person), "correction_made", correct).await;
    let undo = json!({"corrects": replaced.event_id, "action": "void", "reason": "was right"});
    let undone = house.send(Some(person), "correction_made", undo).await;

    let before = |receipt: &Receipt| AsOf::Position(receipt.position - 1);
    assert_eq!(house.weights(person, before(&wrong)), Vec::<f64>::new());
    assert_eq!(house.weights(person, before(&replaced)), [700.0]);
    assert_eq!(house.weights(person, before(&undone)), [70.0]);
    assert_eq!(house.weights(person, AsOf::Now), [700.0]);
    let then = Instant::from_micros(undone.recorded_at.micros() - 1);
    assert_eq!(house.weights(person, AsOf::Time(then)), [70.0]);

    let page = house
        .views
        .history(&Filter::All, person, AsOf::Now, (0, 10))
        .unwrap()
        .unwrap();
    let entries: Vec<Value> = page
        .items
        .iter()
        .map(|item| serde_json::from_str(item.get()).unwrap())
        .collect();
    assert_eq!(entries.len(), 4);
    assert_eq!(entries[2]["corrects"], json!(wrong.event_id));
    assert_eq!(entries[2]["corrected_by"], json!(undone.event_id));
    assert_eq!(entries[1]["data"]["value"]["quantity"]["value"], json!(700));
}

#[tokio::test]
async fn a_merge_joins_two_records_and_an_unmerge_parts_them_as_they_were() {
    let mut house = House::open();
    let one = house.register("Nguyễn Văn An").await;
    let two = house.register("Nguyễn Văn An").await;
    house
        .send(Some(one), "observation_recorded", weight(60))
        .await;
    house
        .send(Some(two), "observation_recorded", weight(61))
        .await;
    let merge = json!({"retired": {"id": two}, "grounds": "same card"});
    let merged = house.send(Some(one), "people_merged", merge).await;
    let retired_id = house
        .send(Some(two), "observation_recorded", weight(62))
        .await;

    assert_eq!(house.weights(one, AsOf::Now), [60.0, 61.0, 62.0]);
    let through_retired = house.record(&Filter::All, two, AsOf::Now).unwrap();
    assert_eq!(through_retired["person_id"], json!(one));
    assert_eq!(
        through_retired["version"],
        json!(7),
        "two registrations, three weights, a pair"
    );
    assert_eq!(
        house.weights(two, AsOf::Position(merged.position - 1)),
        [61.0]
    );

    let unmerge = json!({"merge_event_id": merged.event_id, "grounds": "two people"});
    house.send(Some(one), "people_unmerged", unmerge).await;
    assert_eq!(house.weights(one, AsOf::Now), [60.0]);
    assert_eq!(
        house.weights(two, AsOf::Now),
        [61.0, 62.0],
        "nothing was re-homed"
    );
    assert_eq!(
        house.weights(two, AsOf::Position(retired_id.position)),
        [60.0, 61.0, 62.0]
    );
}

#[tokio::test]
async fn staff_see_their_facility_s_entries_and_which_sections_are_withheld() {
    let mut house = House::open();
    let person = house.register("Trần Thị Bình").await;
    house
        .send_at("99002", Some(person), "observation_recorded", weight(60))
        .await;
    let own = house.sight_of("99002", Role::Hospital, person);
    let seen = house.record(&own, person, AsOf::Now).unwrap();
    assert_eq!(seen["withheld"][0]["section"], json!("demographics"));
    assert!(
        seen["sections"].get("demographics").is_none(),
        "nothing is said of what is withheld"
    );
    assert!(
        !seen.to_string().contains("Trần"),
        "the name is another facility's entry"
    );
    let stranger = house.sight_of("99003", Role::Hospital, person);
    assert_eq!(house.record(&stranger, person, AsOf::Now), None);
    let clinician = house.sight_of("99003", Role::Clinician, person);
    let told = house.record(&clinician, person, AsOf::Now).unwrap();
    let closed = told["withheld"].as_array().unwrap().len();
    assert_eq!(
        (closed, told["sections"].clone()),
        (Section::ALL.len(), json!({}))
    );
    assert_eq!(
        house.record(&Filter::All, PersonId::from_bytes([9; 16]), AsOf::Now),
        None
    );
}

#[tokio::test]
async fn a_person_is_found_by_name_once_the_position_is_reached_and_not_when_retired() {
    let mut house = House::open();
    let one = house.register("Nguyễn Văn An").await;
    let two = house.register("Nguyễn Văn Anh").await;
    let merge = json!({"retired": {"id": two}, "grounds": "same card"});
    let merged = house.send(Some(one), "people_merged", merge).await;
    house
        .views
        .at_least(merged.position, Duration::from_secs(20))
        .await
        .unwrap();
    let found = |name: &str| {
        let query = Query {
            name: name.into(),
            birth_date: None,
        };
        let found = house.views.search(&Filter::All, &query, 10);
        found
            .into_iter()
            .map(|found| found.person_id)
            .collect::<Vec<_>>()
    };
    assert_eq!(found("nguyen van"), [one]);
    assert_eq!(found("anh"), Vec::<PersonId>::new());
}

#[tokio::test]
async fn a_rebuild_answers_the_same_bytes() {
    let mut house = House::open();
    let person = house.register("Trần Thị Bình").await;
    let receipt = house
        .send(Some(person), "observation_recorded", weight(60))
        .await;
    house
        .views
        .at_least(receipt.position, Duration::from_secs(20))
        .await
        .unwrap();
    let before = house
        .views
        .record(&Filter::All, person, AsOf::Now)
        .unwrap()
        .unwrap();
    assert_eq!(house.views.rebuild().unwrap(), receipt.position);
    let after = house
        .views
        .record(&Filter::All, person, AsOf::Now)
        .unwrap()
        .unwrap();
    assert_eq!(before.json, after.json);
    let query = Query {
        name: "binh".into(),
        birth_date: None,
    };
    assert_eq!(house.views.search(&Filter::All, &query, 10).len(), 1);
}

#[tokio::test]
async fn a_position_in_the_future_is_refused_not_awaited() {
    let mut house = House::open();
    let person = house.register("Trần Thị Bình").await;
    let asked = house.views.record(&Filter::All, person, AsOf::Position(99));
    assert!(matches!(asked, Err(ReadError::NotThere { asked: 99, .. })));
    let late = house.views.at_least(99, Duration::from_millis(1)).await;
    assert!(matches!(late, Err(ReadError::TooLate { asked: 99, .. })));
}

#[tokio::test]
async fn a_finished_answer_is_what_a_fresh_fold_says_whatever_happens_next() {
    let mut house = House::open();
    let filters = [Filter::All, Filter::OnlyFacility("99001".to_owned())];
    let (one, other) = (
        house.register("Lê Thị Hoa").await,
        house.register("Lê Hoa").await,
    );
    let mut merge = None;
    let mut finished = 0;
    for step in 0..40 {
        match step % 8 {
            0 => {
                merge = Some(
                    house
                        .send(Some(one), "people_merged", merged(other))
                        .await
                        .event_id,
                )
            }
            4 => {
                let unmerge =
                    json!({"merge_event_id": merge.take().unwrap(), "grounds": "not one"});
                house.send(Some(one), "people_unmerged", unmerge).await;
            }
            1 | 5 => {
                let sent = house
                    .send(Some(other), "observation_recorded", weight(50 + step))
                    .await;
                let void = json!({"corrects": sent.event_id, "action": "void", "reason": "slip"});
                house.send(Some(other), "correction_made", void).await;
            }
            2 => {
                let weight = weight(50 + step);
                house
                    .send_at("99002", Some(one), "observation_recorded", weight)
                    .await;
            }
            // Nothing of theirs: what is finished stays so, at a later position.
            _ => drop(house.register("Trần Văn Nam").await),
        }
        for filter in &filters {
            for person in [one, other] {
                for _ in 0..2 {
                    let position = house.commands.opener().reader().position().get();
                    let quick = house.views.finished_record(filter, person);
                    finished += usize::from(quick.is_some());
                    let fresh = house.views.record(filter, person, AsOf::Position(position));
                    let fresh = fresh
                        .unwrap()
                        .map(|view| String::from_utf8(view.json).unwrap());
                    if let Some(quick) = quick {
                        let quick = String::from_utf8(quick.json).unwrap();
                        assert_eq!(Some(quick), fresh, "step {step}, {filter:?}");
                    }
                    let now = house.views.record(filter, person, AsOf::Now).unwrap();
                    let now = now.map(|view| String::from_utf8(view.json).unwrap());
                    assert_eq!(now, fresh, "step {step}, {filter:?}");
                }
            }
        }
    }
    assert!(finished > 100, "answers are kept: {finished}");
}
