//! What a city promises: the same for ever, valid events, people first, numbers of nobody, and
//! figures near the published ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says so loudly"
)]

use std::collections::{HashMap, HashSet};

use sokhoe_population::{City, write_line};
use sokhoe_record::{Data, Incoming, Kind, Occurred, PersonRef, parse_event, validate};

const SEED: u64 = 7;

fn city(people: u64) -> City {
    City::new(SEED, people).unwrap()
}

fn lines(city: &City) -> Vec<u8> {
    let mut bytes = Vec::new();
    city.events()
        .for_each(|incoming| write_line(incoming, &mut bytes).unwrap());
    bytes
}

fn number(person: Option<&PersonRef>) -> &str {
    match person {
        Some(PersonRef::Identifier(identifier)) => &identifier.value,
        _ => panic!("an event that names nobody by number: {person:?}"),
    }
}

#[test]
fn same_seed_gives_the_same_bytes_and_another_seed_others() {
    assert_eq!(lines(&city(300)), lines(&city(300)));
    let other = City::new(SEED + 1, 300).unwrap();
    assert_ne!(lines(&city(300)), lines(&other));
}

#[test]
fn every_event_keeps_the_rules_of_the_vocabulary() {
    for incoming in city(3_000).events() {
        if let Err(invalid) = validate(&incoming) {
            panic!("{invalid:?}\n{incoming:#?}");
        }
    }
}

#[test]
fn every_line_reads_back_as_the_event_it_was() {
    for incoming in city(600).events() {
        let mut line = Vec::new();
        write_line(incoming.clone(), &mut line).unwrap();
        let read = parse_event(&line);
        let mut read = read.unwrap_or_else(|error| {
            panic!("{error:?}\n{}", String::from_utf8_lossy(&line));
        });
        read.event.data.codes_mut(|_, code| code.checked = false);
        // A replacement remembers whether it was checked already; its words are compared.
        if incoming.event.kind() == Kind::CorrectionMade {
            let again = |incoming: &Incoming| serde_json::to_string(&incoming.event).unwrap();
            assert_eq!(again(&read), again(&incoming));
        } else {
            assert_eq!(read, incoming);
        }
    }
}

#[test]
fn replacements_are_whole_data_of_the_kind_they_correct() {
    let mut kinds = HashMap::new();
    let mut replaced = 0;
    for incoming in city(3_000).events() {
        let event = incoming.event;
        if let Data::CorrectionMade(correction) = &event.data {
            let kind = *kinds
                .get(&correction.corrects)
                .expect("corrects an earlier event");
            if let Some(replacement) = &correction.replacement {
                replacement.data(kind).unwrap();
                replaced += 1;
            }
        }
        kinds.insert(event.event_id, event.kind());
    }
    assert!(replaced > 20, "{replaced} replacements");
}

#[test]
fn a_person_is_registered_before_anything_else_is_said_of_them() {
    let mut registered = HashSet::new();
    for incoming in city(2_000).events() {
        let mut event = incoming.event;
        if event.kind().without_person() {
            continue;
        }
        let about = number(event.person.as_ref()).to_owned();
        if event.kind() == Kind::PersonRegistered {
            assert!(registered.insert(about), "registered twice");
        } else {
            assert!(
                registered.contains(&about),
                "{:?} before registration",
                event.kind()
            );
        }
        event.data.person_refs_mut(|place, person| {
            let known = registered.contains(number(Some(person)));
            assert!(known, "{place} names someone unknown");
        });
    }
}

#[test]
fn a_city_has_exactly_the_people_asked_for_and_each_an_own_number() {
    for people in [22, 23, 100, 1_001, 5_000] {
        let city = city(people);
        let mut numbers = HashSet::new();
        let mut ids = HashSet::new();
        for incoming in city.events() {
            assert!(ids.insert(incoming.event.event_id), "an event id twice");
            if let Data::PersonRegistered(person) = incoming.event.data {
                assert!(numbers.insert(person.identifiers[0].value.clone()));
            }
        }
        assert_eq!(numbers.len() as u64, people);
    }
}

#[test]
fn numbers_belong_to_nobody() {
    for incoming in city(1_000).events() {
        let Data::PersonRegistered(person) = incoming.event.data else {
            continue;
        };
        let own = &person.identifiers[0];
        if own.system.as_str() == "temporary" {
            continue;
        }
        assert!(
            own.value.starts_with("099") && own.value.len() == 12,
            "{}",
            own.value
        );
        let (year, _, _) = person.birth_date.parts();
        assert_eq!(own.value[4..6], format!("{:02}", year % 100));
        let female = u16::from(person.sex.as_str() == "female");
        assert_eq!(
            own.value[3..4],
            (2 * (year / 100 - 19) + female).to_string()
        );
    }
}

#[test]
fn everything_happens_between_2015_and_2026_and_a_wave_is_in_order() {
    let mut last = i64::MIN / 2;
    for incoming in city(200).events() {
        let (first_day, last_day) = incoming.event.occurred_at.local_days();
        let (from, _, _) = first_day.ymd();
        let (until, _, _) = last_day.ymd();
        assert!((2015..=2026).contains(&from) && (2015..=2026).contains(&until));
        // Few events lie far behind the feed: late letters, copied cards, long stays.
        if let Occurred::At(instant) = incoming.event.occurred_at {
            assert!(
                instant.micros() > last - 60 * 86_400_000_000,
                "the feed jumps back"
            );
            last = last.max(instant.micros());
        }
    }
}

#[test]
fn the_stories_of_the_demonstration_are_told() {
    let city = city(500);
    let people = city.demo_people();
    let truth = city.truth();
    assert_eq!(truth.events_of(Kind::PeopleMerged), 2);
    assert_eq!(truth.events_of(Kind::PeopleUnmerged), 1);
    assert_eq!(truth.duplicates, 1);
    let about = |who: &sokhoe_record::Identifier| -> Vec<_> {
        let who = &who.value;
        let events = city.events().map(|incoming| incoming.event);
        events
            .filter(|event| event.person.is_some() && number(event.person.as_ref()) == who)
            .collect()
    };
    let citizen = about(&people.citizen);
    let count = |kind| citizen.iter().filter(|event| event.kind() == kind).count();
    assert!(count(Kind::CorrectionMade) >= 4 && count(Kind::DisputeRaised) >= 1);
    assert!(count(Kind::SelfReportSubmitted) >= 1 && citizen.len() > 40);
    let consents = about(&people.with_consent)
        .into_iter()
        .filter_map(|event| match event.data {
            Data::ConsentGranted(consent) => Some(serde_json::to_value(consent).unwrap()),
            _ => None,
        });
    let consents: Vec<_> = consents.collect();
    assert_eq!(consents.len(), 1);
    assert_eq!(consents[0]["to"]["facility"], "99001");
    assert_eq!(consents[0]["purpose"], "TREAT");
    let without = about(&people.without_consent);
    assert!(without.len() > 5);
    let elsewhere = without.iter().filter_map(|event| event.facility.as_deref());
    assert!(elsewhere.into_iter().all(|facility| facility == "99002"));
    assert!(
        without
            .iter()
            .all(|event| event.kind() != Kind::ConsentGranted)
    );
    assert!(
        about(&people.snooped_on)
            .iter()
            .any(|event| event.facility.as_deref() == Some("99001"))
    );
}

#[test]
fn figures_are_near_the_published_ones() {
    let city = city(20_000);
    let mut adults = 0_u64;
    let mut ages = [0_u64; 3];
    for incoming in city.events() {
        let Data::PersonRegistered(person) = incoming.event.data else {
            continue;
        };
        let age = 2026 - i32::from(person.birth_date.parts().0);
        ages[usize::from(age >= 15) + usize::from(age >= 65)] += 1;
        adults += u64::from(age >= 18);
    }
    let truth = city.truth();
    let people = city.people();
    eprintln!("ages {ages:?}, {truth:#?}");
    // WPP 2019 for 2025: 23 % under 15, 10 % from 65 on; the dead of the window stand in the books.
    let percent = |part: u64, whole: u64| part * 100 / whole;
    assert!(
        (19..=27).contains(&percent(ages[0], people)),
        "children {ages:?}"
    );
    assert!((8..=16).contains(&percent(ages[2], people)), "old {ages:?}");
    // STEPS 2021: 26 % of adults; a city's old people have three times that.
    assert!(
        (22..=33).contains(&percent(truth.hypertension, adults)),
        "hypertension"
    );
    assert!(
        (5..=10).contains(&percent(truth.diabetes, adults)),
        "diabetes"
    );
    let each = truth.events_total() / people;
    assert!((10..=30).contains(&each), "{each} events a person");
}

#[test]
fn visits_follow_the_percentage() {
    let few = city(500).with_visits_percent(30).truth();
    let many = city(500).with_visits_percent(300).truth();
    let visits = |truth: &sokhoe_population::Truth| truth.events_of(Kind::EncounterRecorded);
    assert!(
        visits(&few) * 4 < visits(&many),
        "{} and {}",
        visits(&few),
        visits(&many)
    );
}

#[test]
fn impossible_sizes_are_refused() {
    assert!(City::new(1, 3).is_err());
    assert!(City::new(1, 11_000_000).is_err());
    assert!(City::new(1, 10_000_000).is_ok());
}
