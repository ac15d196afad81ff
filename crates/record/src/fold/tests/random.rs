//! Random histories: the same record in any order, and corrections as a plain reading of the rules has them.

use proptest::prelude::*;

use super::{ME, Story, fold, id, weight};
use crate::{
    EventId,
    data::{CorrectionAction, Data},
    history::history,
};

#[derive(Debug, Clone)]
enum Step {
    Weight(u16),
    Other(u8),
    Void(u8),
    Replace(u8, u16),
    Twice(u8, u8, u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1..999u16).prop_map(Step::Weight),
        any::<u8>().prop_map(Step::Other),
        any::<u8>().prop_map(Step::Void),
        (any::<u8>(), 1..999u16).prop_map(|(at, to)| Step::Replace(at, to)),
        (any::<u8>(), any::<u8>(), 1..999u16)
            .prop_map(|(at, inner, to)| Step::Twice(at, inner, to)),
    ]
}

const OTHERS: [(&str, &str); 7] = [
    (
        "demographics_changed",
        r#"{"occupation": "driver", "phones": ["1"]}"#,
    ),
    (
        "demographics_changed",
        r#"{"occupation": null, "effective_on": "2020"}"#,
    ),
    (
        "condition_recorded",
        r#"{"code": {"system": "icd10", "code": "I10"},
        "clinical_status": "active", "certainty": "confirmed"}"#,
    ),
    (
        "condition_resolved",
        r#"{"code": {"system": "icd10", "code": "I10"}, "resolved_on": "2026"}"#,
    ),
    ("allergy_recorded", r#"{"none_known": true}"#),
    (
        "programme_left",
        r#"{"programme": "other", "left_on": "2026", "reason": "x"}"#,
    ),
    (
        "programme_enrolled",
        r#"{"programme": "other", "enrolled_on": "2026", "facility": "x"}"#,
    ),
];

fn tell(steps: &[Step]) -> Story {
    let mut story = Story::default();
    for step in steps {
        // Corrections also name themselves and events to come, which must count for nothing.
        let target = |at: u8| id(at % (u8::try_from(steps.len()).unwrap() + 2));
        match step {
            Step::Weight(kilograms) => story.weight(&kilograms.to_string()),
            Step::Other(which) => {
                let (kind, data) = OTHERS[usize::from(*which) % OTHERS.len()];
                let day = format!("2026-0{}-01", 1 + which % 9);
                story.then(kind, &day, data)
            }
            Step::Void(at) => story.void(target(*at)),
            Step::Replace(at, to) => story.replace(target(*at), &weight(&to.to_string())),
            Step::Twice(at, inner, to) => story.replace(
                target(*at),
                &format!(
                    r#"{{"data": {{"corrects": "{}", "action": "replace", "reason": "x",
                "replacement": {}}}}}"#,
                    target(*inner),
                    weight(&to.to_string())
                ),
            ),
        };
    }
    story
}

/// What a correction says now: nothing, or a target and a weight (`None` voids).
fn said(story: &Story, number: usize) -> Option<(EventId, Option<String>)> {
    let Data::CorrectionMade(own) = &story.events[number].event.data else {
        return None;
    };
    let weight_of = |raw: &str| {
        let json: serde_json::Value = serde_json::from_str(raw).unwrap();
        let data = json.get("replacement").unwrap_or(&json);
        (
            json.get("corrects").cloned(),
            data["value"]["quantity"]["value"].to_string(),
        )
    };
    let first = match own.action {
        CorrectionAction::Void => (own.corrects, None),
        CorrectionAction::Replace => {
            let raw = own.replacement.as_ref().unwrap().raw().as_str().to_owned();
            (own.corrects, Some(raw))
        }
    };
    let (corrects, raw) = match verdict(story, number) {
        None => first,
        Some(None) => return None,
        Some(Some(raw)) => match weight_of(&raw) {
            (Some(corrects), _) => {
                let json: serde_json::Value = serde_json::from_str(&raw).unwrap();
                (
                    corrects.as_str().unwrap().parse().unwrap(),
                    Some(json["replacement"].to_string()),
                )
            }
            (None, _) => (own.corrects, Some(raw)),
        },
    };
    Some((corrects, raw))
}

/// The raw replacement in force for an event, by looking at every later event: the plain reading of the rules.
fn verdict(story: &Story, number: usize) -> Option<Option<String>> {
    let event = &story.events[number];
    let later = (number + 1)..story.events.len();
    later.rev().find_map(|other| {
        let (corrects, raw) = said(story, other)?;
        (corrects == event.event.event_id).then_some(raw)
    })
}

fn expected_weights(story: &Story) -> Vec<String> {
    let mut weights = Vec::new();
    for (number, event) in story.events.iter().enumerate() {
        let Data::ObservationRecorded(observation) = &event.event.data else {
            continue;
        };
        let own = observation
            .value
            .as_ref()
            .unwrap()
            .quantity()
            .unwrap()
            .value
            .to_string();
        match verdict(story, number) {
            None => weights.push(own),
            Some(None) => {}
            Some(Some(raw)) => {
                let json: serde_json::Value = serde_json::from_str(&raw).unwrap();
                // Data of another kind does not read as an observation: the first words stand.
                let corrected = json["value"]["quantity"]["value"].to_string();
                weights.push(if json.get("corrects").is_some() {
                    own
                } else {
                    corrected
                });
            }
        }
    }
    weights
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_gives_the_same_record(
        steps in prop::collection::vec(step(), 1..14),
        order in any::<prop::sample::Index>(),
        swaps in prop::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 0..20),
    ) {
        let story = tell(&steps);
        let told = serde_json::to_string(&fold(ME, &story.events)).unwrap();
        let past = serde_json::to_string(&history(ME, &story.events)).unwrap();
        let mut shuffled = story.events.clone();
        shuffled.rotate_left(order.index(story.events.len()));
        for (left, right) in swaps {
            shuffled.swap(left.index(story.events.len()), right.index(story.events.len()));
        }
        shuffled.push(story.events[0].clone());
        prop_assert_eq!(serde_json::to_string(&fold(ME, &shuffled)).unwrap(), told);
        prop_assert_eq!(serde_json::to_string(&history(ME, &shuffled)).unwrap(), past);
    }

    #[test]
    fn corrections_fold_as_a_plain_reading_has_it(steps in prop::collection::vec(step(), 1..12)) {
        let story = tell(&steps);
        prop_assert_eq!(story.weights(), expected_weights(&story));
    }
}
