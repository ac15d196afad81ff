//! The numbers that words and variants have on disk, and the bound on what a claimed length allocates.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;

use sokhoe_record::{
    Abo, AllergyKind, AllergyStatus, Answer, Certainty, Change, ClinicalStatus, Code, CodeOrText,
    CodeSystem, Comparator, CorrectionAction, Date, Decimal, DiagnosisRole, Effect, EncounterClass,
    FamilyRelation, GuardianGround, Identifier, IdentifierStatus, IdentifierSystem, Instant,
    Instrument, Interface, Label, Measure, MedicationStatus, ObservationRecorded, Occurred,
    PersonId, PersonRef, PregnancyStatus, Programme, Purpose, Quantity, Recipient, RequestDecision,
    RequestRight, ReviewOutcome, Rh, SecondaryUseScope, Section, Sex, VaccinationStatus, Value,
    YesNo,
};
use wincode::{ReadError, SchemaRead, SchemaWrite};

use super::{ALLOCATION_BYTES_MAX, Wire, put, take_all};
use crate::CodecError;

fn bytes<T: SchemaWrite<Wire, Src = T>>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    put(value, &mut out).unwrap();
    out
}

macro_rules! pinned {
    ($( $name:ident $words:literal ),+ $(,)?) => {
        const PINNED: &[&str] = &[$( stringify!($name) ),+];

        #[test]
        fn words_keep_their_numbers_and_new_ones_stand_at_the_end() {
            $( check_words(stringify!($name), $name::ALL, $name::as_str, $words); )+
        }
    };
}

pinned! {
    Abo "O A B AB",
    AllergyKind "other drug food chemical environment",
    AllergyStatus "active refuted resolved",
    Answer "not_asked yes no unknown",
    Certainty "confirmed provisional",
    ClinicalStatus "active recurrence remission",
    Comparator "< <= >= >",
    CorrectionAction "void replace",
    DiagnosisRole "main secondary admission complication",
    Effect "deny permit",
    EncounterClass "outpatient inpatient emergency tele home health_check elderly_check school_check occupational_check",
    FamilyRelation "other mother father child spouse sibling",
    GuardianGround "parent court power_of_attorney",
    IdentifierStatus "active cancelled replaced",
    Instrument "other findrisc who_cvd_lab who_cvd_nonlab",
    Label "hiv mental_health reproductive substance_use tuberculosis",
    MedicationStatus "prescribed dispensed administered stated stopped",
    PregnancyStatus "ongoing ended",
    Programme "other hypertension diabetes copd asthma cancer mental_health elderly mother_child",
    Interface "record history resource search feed evidence proof accesses consents command_line",
    Purpose "TREAT ETREAT PATRQT PUBHLTH HRESCH HOPERAT",
    RequestDecision "granted extended refused done",
    RequestRight "view correct restrict withdraw object erase",
    ReviewOutcome "justified not_justified",
    Rh "positive negative",
    SecondaryUseScope "all research statistics_beyond_law",
    Section "demographics problems allergies medications vaccinations observations encounters procedures pregnancies family_history risk_factors documents social",
    Sex "unknown male female other",
    VaccinationStatus "given refused contraindicated",
    YesNo "yes no",
}

/// Sets of words that no event holds.
const NEVER_STORED: [&str; 3] = ["AllergyAsked", "Kind", "ProblemStatus"];

/// Word by word: the number is the place in the list.
fn check_words<T>(name: &str, all: &[T], as_str: fn(T) -> &'static str, pinned: &str)
where
    T: Copy + PartialEq + Debug + SchemaWrite<Wire, Src = T>,
    T: for<'a> SchemaRead<'a, Wire, Dst = T>,
{
    let words: Vec<&str> = all.iter().map(|word| as_str(*word)).collect();
    assert_eq!(
        words.join(" "),
        pinned,
        "{name}: words are added at the end, and pinned here"
    );
    for (number, word) in (0_u8..).zip(all) {
        assert_eq!(bytes(word), [number], "{name} {word:?}");
        assert_eq!(take_all::<T>(&[number]).unwrap(), *word);
    }
    let unknown = u8::try_from(all.len()).unwrap();
    assert!(
        take_all::<T>(&[unknown]).is_err(),
        "{name} has a number without a word"
    );
}

#[test]
fn every_closed_set_of_words_is_pinned() {
    let mut defined = BTreeSet::new();
    collect_words(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("../record/src"),
        &mut defined,
    );
    let pinned = PINNED.iter().chain(&NEVER_STORED);
    let pinned: BTreeSet<String> = pinned.map(|name| (*name).to_owned()).collect();
    assert_eq!(defined, pinned);
}

/// Finds the names of the enums that `words!` defines in the sources below a folder.
fn collect_words(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect_words(&path, names);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for definition in text.split("\nwords! {").skip(1) {
            let (_, rest) = definition.split_once("pub enum ").unwrap();
            let (name, _) = rest.split_once(' ').unwrap();
            names.insert(name.to_owned());
        }
    }
}

#[test]
fn variants_that_hold_something_keep_their_numbers() {
    fn check<T: SchemaWrite<Wire, Src = T> + Debug>(variants: &[(u8, T)]) {
        for (number, variant) in variants {
            assert_eq!(bytes(variant).first(), Some(number), "{variant:?}");
        }
    }
    let (text, code) = (String::new, Code::default);
    check(&[
        (0, Value::Quantity(Quantity::default())),
        (1, Value::Code(code())),
        (2, Value::Text(text())),
        (3, Value::Boolean(true)),
        (4, Value::Absent(text())),
    ]);
    check(&[
        (0, Measure::Number(Decimal::default())),
        (1, Measure::Quantity(Quantity::default())),
    ]);
    check(&[(0, CodeOrText::Code(code())), (1, CodeOrText::Text(text()))]);
    check(&[
        (0, PersonRef::Id(PersonId::default())),
        (1, PersonRef::Identifier(Identifier::default())),
        (2, PersonRef::Unresolved(text())),
    ]);
    check(&[
        (0, Recipient::Facility(text())),
        (1, Recipient::Professional(text())),
        (2, Recipient::Role(text())),
        (3, Recipient::AnyoneTreating),
    ]);
    check(&[
        (0, Occurred::At(Instant::default())),
        (1, Occurred::On(Date::default().into())),
    ]);
    check(&[
        (0, Change::Keep),
        (1, Change::Clear),
        (2, Change::Set(true)),
    ]);
    check(&[(0, None), (1, Some(true))]);
}

#[test]
fn systems_keep_their_numbers() {
    let codes = "icd10 atc loinc ucum cvx snomed rxnorm vaccine-vn dvhc ethnic-vn occupation-vn drug-vn \
                 service-vn";
    assert_eq!(
        codes,
        CodeSystem::WORDS.join(" "),
        "a new system is pinned here"
    );
    let open = [(250, "local/99001"), (251, "urn:x:y")];
    for (number, name) in (0..).zip(codes.split(' ')).chain(open) {
        let system = CodeSystem::parse(name).unwrap();
        assert_eq!(bytes(&system).first(), Some(&number), "{name}");
    }
    let people = "cccd cmnd bhxh bhyt passport birth_certificate temporary";
    let open = [(250, "mrn/99001"), (251, "urn:x:y")];
    for (number, name) in (0..).zip(people.split(' ')).chain(open) {
        let system = IdentifierSystem::parse(name).unwrap();
        assert_eq!(bytes(&system).first(), Some(&number), "{name}");
    }
    assert!(
        take_all::<CodeSystem>(&[13]).is_err(),
        "a new system is pinned here"
    );
    assert!(
        take_all::<IdentifierSystem>(&[7]).is_err(),
        "a new system is pinned here"
    );
}

/// A length as the wire writes it when it does not fit 32 bits.
fn claim(length: u64) -> Vec<u8> {
    let mut out = vec![253];
    out.extend_from_slice(&length.to_le_bytes());
    out
}

#[test]
fn a_claimed_length_is_refused_before_anything_is_allocated_for_it() {
    fn refused<T: for<'a> SchemaRead<'a, Wire, Dst = T>>(length: u64) {
        let read = take_all::<T>(&claim(length)).err();
        let bounded = matches!(
            read,
            Some(CodecError::Malformed(ReadError::PreallocationSizeLimit { limit, .. }))
                if limit == ALLOCATION_BYTES_MAX
        );
        assert!(bounded, "{length}: {read:?}");
    }
    let bound = u64::try_from(ALLOCATION_BYTES_MAX).unwrap();
    for length in [bound + 1, 1 << 32, 1 << 60, u64::MAX] {
        refused::<String>(length);
        refused::<Vec<bool>>(length);
        refused::<Vec<ObservationRecorded>>(length);
    }
    let items = bound / u64::try_from(size_of::<ObservationRecorded>()).unwrap();
    refused::<Vec<ObservationRecorded>>(items + 1);
}
