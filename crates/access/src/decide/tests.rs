//! Decisions told as situations, those of IHE PCF among them, and what holds for all of them.

use proptest::prelude::*;
use sokhoe_record::{Effect, Recipient};

use super::*;

const NOW: i64 = 1_764_200_000_000_000;
const DAY: i64 = Instant::DAY_US;

fn clinician() -> Principal {
    Principal {
        sub: "BS-1".to_owned(),
        role: Role::Clinician,
        facility: Some("99001".to_owned()),
        ..Principal::operator("x")
    }
}

fn permit(number: u8, to: Recipient) -> Directive {
    Directive {
        id: EventId::from_bytes([number; 16]),
        purpose: Purpose::Treatment,
        to,
        sections: Vec::new(),
        labels: Vec::new(),
        effect: Effect::Permit,
        from_us: NOW - DAY,
        until_us: i64::MAX,
        own_words: true,
    }
}

fn deny(number: u8, to: Recipient) -> Directive {
    Directive {
        effect: Effect::Deny,
        ..permit(number, to)
    }
}

fn facility() -> Recipient {
    Recipient::Facility("99001".to_owned())
}

fn decided(principal: &Principal, purpose: Purpose, directives: Vec<Directive>) -> Decision {
    let facts = PersonFacts {
        directives,
        commune: Some("26734".to_owned()),
    };
    decide(&Question {
        principal,
        purpose,
        own: false,
        facts: &facts,
        emergency: None,
        now: Instant::from_micros(NOW),
    })
}

fn sight(decision: &Decision) -> &Sight {
    match &decision.filter {
        Some(Filter::Shared(sight)) => sight,
        other => panic!("{other:?}"),
    }
}

/// What a treating clinician of 99001 is not shown of another facility's problems, and why.
fn problems(directives: Vec<Directive>, labels: &[Label]) -> Option<Because> {
    let decision = decided(&clinician(), Purpose::Treatment, directives);
    sight(&decision).hides(Some("99002"), &[Section::Problems], labels)
}

#[test]
fn silence_is_not_consent() {
    assert_eq!(problems(vec![], &[]), Some(Because::NoDirective));
    let decision = decided(&clinician(), Purpose::Treatment, vec![]);
    let Outcome::PermitWithheld(withheld) = &decision.outcome else {
        panic!("{decision:?}")
    };
    assert_eq!(withheld.len(), Section::ALL.len());
    let rules: Vec<&str> = decision.rules.iter().map(|rule| rule.0).collect();
    assert_eq!(rules, ["default.staff.recorded", "default.staff.elsewhere"]);
    assert!(decision.directives.is_empty());
}

#[test]
fn what_the_own_facility_recorded_is_seen_whatever_is_stated() {
    let everything_refused = vec![deny(1, facility()), deny(2, Recipient::AnyoneTreating)];
    let decision = decided(&clinician(), Purpose::Treatment, everything_refused);
    let labels = &[Label::Hiv];
    assert_eq!(
        sight(&decision).hides(Some("99001"), &[Section::Problems], labels),
        None
    );
}

/// A situation: its name, what is stated, the entry's labels, and why it is not seen.
type Situation<'a> = (&'a str, Vec<Directive>, &'a [Label], Option<Because>);

/// The situations of IHE PCF: what is stated, the label of the entry, and whether it is seen.
#[test]
fn the_situations_of_privacy_consent_on_fhir_are_decided_as_told() {
    let professional = || Recipient::Professional("BS-1".to_owned());
    let expired = Directive {
        until_us: NOW - 1,
        ..permit(1, facility())
    };
    let to_come = Directive {
        from_us: NOW + 1,
        ..permit(1, facility())
    };
    let emergencies_only = Directive {
        purpose: Purpose::Emergency,
        ..permit(1, facility())
    };
    let refused = Some(Because::Refused);
    let rows: Vec<Situation<'_>> = vec![
        ("basic permit", vec![permit(1, facility())], &[], None),
        ("basic deny", vec![deny(1, facility())], &[], refused),
        (
            "anyone treating",
            vec![permit(1, Recipient::AnyoneTreating)],
            &[],
            None,
        ),
        (
            "a role",
            vec![permit(1, Recipient::Role("clinician".to_owned()))],
            &[],
            None,
        ),
        (
            "another role",
            vec![permit(1, Recipient::Role("station".to_owned()))],
            &[],
            Some(Because::NoDirective),
        ),
        (
            "another facility",
            vec![permit(1, elsewhere())],
            &[],
            Some(Because::NoDirective),
        ),
        ("expired", vec![expired], &[], Some(Because::NoDirective)),
        ("not yet", vec![to_come], &[], Some(Because::NoDirective)),
        (
            "break-glass only",
            vec![emergencies_only],
            &[],
            Some(Because::NoDirective),
        ),
        (
            "not this professional",
            vec![permit(1, facility()), deny(2, professional())],
            &[],
            refused,
        ),
        (
            "this professional though not the others",
            vec![deny(1, facility()), permit(2, professional())],
            &[],
            None,
        ),
        (
            "not this organisation",
            vec![permit(1, Recipient::AnyoneTreating), deny(2, facility())],
            &[],
            refused,
        ),
        (
            "not this item",
            vec![permit(1, facility()), of_problems(deny(2, facility()))],
            &[],
            refused,
        ),
        (
            "this item only",
            vec![deny(1, facility()), of_problems(permit(2, facility()))],
            &[],
            None,
        ),
        (
            "deny wins at equal precision",
            vec![permit(1, facility()), deny(2, facility())],
            &[],
            refused,
        ),
        (
            "in whatever order",
            vec![deny(2, facility()), permit(1, facility())],
            &[],
            refused,
        ),
    ];
    for (situation, directives, labels, expected) in rows {
        assert_eq!(problems(directives, labels), expected, "{situation}");
    }
}

fn of_problems(directive: Directive) -> Directive {
    Directive {
        sections: vec![Section::Problems],
        ..directive
    }
}

fn elsewhere() -> Recipient {
    Recipient::Facility("99003".to_owned())
}

fn of_hiv(directive: Directive) -> Directive {
    Directive {
        labels: vec![Label::Hiv],
        ..directive
    }
}

#[test]
fn a_label_is_opened_by_its_name_in_the_persons_own_words_only() {
    let written_by_staff = Directive {
        own_words: false,
        ..of_hiv(permit(1, facility()))
    };
    let refused = Some(Because::Refused);
    let hiv: &[Label] = &[Label::Hiv];
    let rows: Vec<Situation<'_>> = vec![
        (
            "a label is not opened by a general permit",
            vec![permit(1, facility())],
            hiv,
            Some(Because::Labelled),
        ),
        (
            "a label is opened by name",
            vec![of_hiv(permit(1, facility()))],
            hiv,
            None,
        ),
        (
            "another label stays closed",
            vec![of_hiv(permit(1, facility()))],
            &[Label::MentalHealth],
            Some(Because::Labelled),
        ),
        (
            "of two labels both must be open",
            vec![of_hiv(permit(1, facility()))],
            &[Label::Hiv, Label::Tuberculosis],
            Some(Because::Labelled),
        ),
        (
            "a label does not open what has none",
            vec![of_hiv(permit(1, facility()))],
            &[],
            Some(Because::NoDirective),
        ),
        (
            "a label is refused by name",
            vec![permit(1, facility()), of_hiv(deny(2, facility()))],
            hiv,
            refused,
        ),
        (
            "what staff wrote down opens no label",
            vec![written_by_staff],
            hiv,
            Some(Because::Labelled),
        ),
    ];
    for (situation, directives, labels, expected) in rows {
        assert_eq!(problems(directives, labels), expected, "{situation}");
    }
}

#[test]
fn a_decision_names_the_directives_that_decided_and_no_others() {
    let stated = vec![
        permit(1, facility()),
        permit(2, Recipient::AnyoneTreating),
        deny(3, Recipient::Facility("99003".to_owned())),
    ];
    let decision = decided(&clinician(), Purpose::Treatment, stated);
    assert_eq!(
        decision.directives.first(),
        Some(&EventId::from_bytes([1; 16]))
    );
    assert_eq!(decision.directives.len(), 1);
}

#[test]
fn a_purpose_opens_nothing_for_another() {
    let decision = decided(
        &clinician(),
        Purpose::Operations,
        vec![permit(1, facility())],
    );
    assert!(!sight(&decision).opens_anything());
}

#[test]
fn a_station_sees_administrative_data_and_vaccinations_of_its_area() {
    let station = |jurisdiction: &str| Principal {
        role: Role::Station,
        jurisdiction: Some(jurisdiction.to_owned()),
        ..clinician()
    };
    let open = |jurisdiction| {
        let decision = decided(&station(jurisdiction), Purpose::PublicHealth, vec![]);
        let sight = sight(&decision);
        let seen = |section: &Section| sight.hides(Some("99002"), &[*section], &[]).is_none();
        Section::ALL
            .iter()
            .copied()
            .filter(seen)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        open("26734"),
        [Section::Demographics, Section::Vaccinations]
    );
    assert!(open("26737").is_empty(), "another area");
}

#[test]
fn breaking_the_glass_opens_what_saves_a_life_while_it_lasts() {
    let facts = PersonFacts::default();
    let principal = clinician();
    let broken = |until: Option<i64>| {
        let grant = |until| EmergencyGrant {
            event: EventId::from_bytes([9; 16]),
            until: Instant::from_micros(until),
        };
        decide(&Question {
            principal: &principal,
            purpose: Purpose::Emergency,
            own: false,
            facts: &facts,
            emergency: until.map(grant),
            now: Instant::from_micros(NOW),
        })
    };
    for not_broken in [None, Some(NOW - 1)] {
        assert!(matches!(broken(not_broken).outcome, Outcome::Deny { .. }));
    }
    let decision = broken(Some(NOW));
    let sight = sight(&decision);
    let hides = |section, labels: &[Label]| sight.hides(Some("99002"), &[section], labels);
    assert_eq!(hides(Section::Allergies, &[]), None);
    assert_eq!(hides(Section::Medications, &[]), None);
    let closed = Some(Because::NotForEmergencies);
    assert_eq!(hides(Section::Medications, &[Label::Hiv]), closed);
    assert_eq!(hides(Section::Problems, &[]), closed);
}

#[test]
fn roles_that_read_no_records_are_denied_and_other_citizens_find_nobody() {
    for role in Role::ALL.iter().copied().filter(|role| !role.staff()) {
        let principal = Principal {
            role,
            person: Some(sokhoe_record::PersonId::from_bytes([1; 16])),
            ..clinician()
        };
        let decision = decided(&principal, Purpose::PatientRequest, vec![]);
        let Outcome::Deny { looks_absent, .. } = decision.outcome else {
            panic!("{role}")
        };
        assert_eq!(looks_absent, role == Role::Citizen, "{role}");
        assert_eq!(decision.filter, None);
    }
}

fn recipients() -> impl Strategy<Value = Recipient> {
    prop_oneof![
        Just(facility()),
        Just(Recipient::Facility("99003".to_owned())),
        Just(Recipient::Professional("BS-1".to_owned())),
        Just(Recipient::Role("clinician".to_owned())),
        Just(Recipient::AnyoneTreating),
    ]
}

fn any_directive() -> impl Strategy<Value = Directive> {
    let sections = proptest::sample::subsequence(Section::ALL.to_vec(), 0..4);
    let labels = proptest::sample::subsequence(Label::ALL.to_vec(), 0..3);
    let period = (NOW - 2 * DAY..NOW + DAY, 0..3 * DAY);
    (
        recipients(),
        sections,
        labels,
        period,
        any::<(bool, bool, u8)>(),
    )
        .prop_map(
            |(to, sections, labels, (from_us, lasts), (denies, own_words, number))| Directive {
                sections,
                labels,
                effect: if denies { Effect::Deny } else { Effect::Permit },
                from_us,
                until_us: from_us + lasts,
                own_words,
                ..permit(number, to)
            },
        )
}

fn open_cells(directives: Vec<Directive>) -> Vec<bool> {
    let decision = decided(&clinician(), Purpose::Treatment, directives);
    sight(&decision)
        .closed
        .iter()
        .flatten()
        .map(Option::is_none)
        .collect()
}

proptest! {
    #[test]
    fn adding_a_denial_never_shows_more(
        directives in proptest::collection::vec(any_directive(), 0..8),
        denial in any_directive(),
        place in any::<proptest::sample::Index>(),
    ) {
        let before = open_cells(directives.clone());
        let mut with = directives;
        let denial = Directive { effect: Effect::Deny, ..denial };
        with.insert(place.index(with.len() + 1), denial);
        for (before, after) in before.into_iter().zip(open_cells(with)) {
            prop_assert!(before || !after);
        }
    }

    #[test]
    fn a_directive_outside_its_period_changes_nothing(
        directives in proptest::collection::vec(any_directive(), 0..8),
        other in any_directive(),
        past in any::<bool>(),
    ) {
        let mut with = directives.clone();
        with.push(match past {
            true => Directive { from_us: NOW - 9, until_us: NOW - 1, ..other },
            false => Directive { from_us: NOW + 1, until_us: NOW + 9, ..other },
        });
        let decided_with = decided(&clinician(), Purpose::Treatment, with);
        let decided_without = decided(&clinician(), Purpose::Treatment, directives);
        prop_assert_eq!(decided_with, decided_without);
    }

    #[test]
    fn the_order_of_directives_does_not_matter(
        directives in proptest::collection::vec(any_directive(), 0..8),
    ) {
        let mut turned = directives.clone();
        turned.reverse();
        prop_assert_eq!(open_cells(directives), open_cells(turned));
    }
}
