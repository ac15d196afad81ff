//! What is written is read back the same, for events that nobody thought of and for the largest allowed.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};
use sokhoe_codec::{Stored, decode, encode};
use sokhoe_record::{
    Code, CodeSystem, Component, Decimal, DocumentAttached, EncounterRecorded, Event, EventId,
    Instant, MedicationRecorded, ObservationRecorded, Occurred, PartialDate, PersonId, Quantity,
    Value, limits,
};

fn stored(data: impl Into<sokhoe_record::Data>, at: Occurred, by: String) -> Stored {
    let person = PersonId::from_bytes([7; 16]).into();
    Stored {
        event: Event::new(EventId::from_bytes([9; 16]), Some(person), at, data),
        recorded_by: by,
        content: [3; 32],
        cause: None,
    }
}

fn code() -> impl Strategy<Value = Code> {
    let system = prop_oneof![
        Just(CodeSystem::Loinc),
        any::<String>().prop_map(CodeSystem::Local),
        any::<String>().prop_map(CodeSystem::Uri),
    ];
    let words = (any::<String>(), any::<Option<String>>(), any::<bool>());
    (system, words).prop_map(|(system, (code, display, checked))| Code {
        system,
        code,
        version: display.clone(),
        display,
        checked,
    })
}

fn value() -> impl Strategy<Value = Value> {
    let quantity = (any::<i64>(), 0_u8..19, any::<String>());
    prop_oneof![
        quantity.prop_map(|(mantissa, scale, unit)| {
            Value::Quantity(Quantity::new(Decimal::new(mantissa, scale), unit))
        }),
        code().prop_map(Value::Code),
        any::<String>().prop_map(Value::Text),
        any::<bool>().prop_map(Value::Boolean),
        any::<String>().prop_map(Value::Absent),
    ]
}

fn occurred() -> impl Strategy<Value = Occurred> {
    let date = (1_800_u16..2_200, 1_u8..13, 1_u8..29);
    prop_oneof![
        any::<i64>().prop_map(|micros| Instant::from_micros(micros).into()),
        date.prop_map(|(year, month, day)| PartialDate::day(year, month, day).unwrap().into()),
    ]
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_back(
        (code, value, at, by) in (code(), value(), occurred(), any::<String>()),
        components in vec((self::code(), self::value()), 0..5),
    ) {
        let components = components.into_iter().map(|(code, value)| Component { code, value });
        let observation = ObservationRecorded {
            code,
            value: Some(value),
            components: components.collect(),
            ..ObservationRecorded::default()
        };
        let stored = stored(observation, at, by);
        prop_assert_eq!(decode(&encode(&stored).unwrap()).unwrap(), stored);
    }
}

#[test]
fn the_largest_lists_and_texts_that_may_be_sent_are_read_back() {
    let at = PartialDate::year(2026).unwrap().into();
    let encounter = EncounterRecorded {
        observations: vec![ObservationRecorded::default(); limits::ENCOUNTER_ITEMS_MAX],
        medications: vec![MedicationRecorded::default(); limits::ENCOUNTER_ITEMS_MAX],
        ..EncounterRecorded::default()
    };
    let document = DocumentAttached {
        content: Some("A".repeat(limits::CONTENT_CHARS_MAX)),
        ..DocumentAttached::default()
    };
    for stored in [
        stored(encounter, at, String::new()),
        stored(document, at, String::new()),
    ] {
        assert_eq!(decode(&encode(&stored).unwrap()).unwrap(), stored);
    }
}
