//! Measurements as events write them: one function for each kind of observation.

use sokhoe_record::{Component, Decimal, ObservationRecorded, Quantity, Value};

use crate::calendar::Day;
use crate::codes::{self, Coded};
use crate::illness::Illness;
use crate::life::Life;
use crate::physiology::{self, Pressure};
use crate::rng::Rng;

/// A blood pressure with its two components.
pub(crate) fn blood_pressure(pressure: Pressure) -> ObservationRecorded {
    let component = |code: Coded, value: i32| Component {
        code: code.plain(),
        value: whole(value, 0, "mm[Hg]"),
    };
    ObservationRecorded {
        code: codes::BLOOD_PRESSURE.plain(),
        components: vec![
            component(codes::SYSTOLIC, pressure.systolic),
            component(codes::DIASTOLIC, pressure.diastolic),
        ],
        ..ObservationRecorded::default()
    }
}

/// A measurement of `digits × 10^-scale` in a UCUM unit.
pub(crate) fn measured(code: Coded, digits: i32, scale: u8, unit: &str) -> ObservationRecorded {
    let value = Some(whole(digits, scale, unit));
    ObservationRecorded {
        code: code.plain(),
        value,
        ..ObservationRecorded::default()
    }
}

/// What is measured at any visit: pressure from 15 years on, pulse, temperature with a fever, and
/// weight for children and now and then for others.
pub(crate) fn vital_signs(
    rng: &mut Rng,
    life: &Life,
    day: Day,
    fever: bool,
) -> Vec<ObservationRecorded> {
    let age = life.age_on(day);
    let mut signs = Vec::with_capacity(4);
    if age >= 15 {
        signs.push(blood_pressure(physiology::pressure(rng, life, day)));
    }
    signs.push(measured(
        codes::PULSE,
        physiology::pulse(rng, age, fever),
        0,
        "/min",
    ));
    if fever {
        let tenths = physiology::temperature_tenths(rng, fever);
        signs.push(measured(codes::TEMPERATURE, tenths, 1, "Cel"));
    }
    if age < 15 || rng.chance(1_500) {
        let height = physiology::height_cm(life, day);
        let bmi = physiology::bmi_tenths(rng, life, day);
        signs.push(measured(
            codes::WEIGHT,
            physiology::weight_tenths(height, bmi),
            1,
            "kg",
        ));
    }
    signs
}

/// Height, weight and body mass index.
pub(crate) fn growth(rng: &mut Rng, life: &Life, day: Day) -> [ObservationRecorded; 3] {
    let height = physiology::height_cm(life, day);
    let bmi = physiology::bmi_tenths(rng, life, day);
    [
        measured(codes::HEIGHT, height, 0, "cm"),
        measured(
            codes::WEIGHT,
            physiology::weight_tenths(height, bmi),
            1,
            "kg",
        ),
        measured(codes::BMI, bmi, 1, "kg/m2"),
    ]
}

/// The laboratory tests that a visit for a long illness asks for.
pub(crate) fn laboratory(
    rng: &mut Rng,
    life: &Life,
    illness: Illness,
    day: Day,
) -> Vec<ObservationRecorded> {
    match illness {
        Illness::Diabetes => {
            vec![hba1c(rng, life, day), glucose(rng, life, day)]
        }
        Illness::Hypertension | Illness::KidneyDisease => {
            vec![measured(
                codes::CREATININE,
                physiology::creatinine(rng, life, day),
                0,
                "umol/L",
            )]
        }
        Illness::Dyslipidaemia | Illness::HeartDisease => {
            let tenths = physiology::cholesterol_tenths(rng, life, day);
            vec![measured(codes::CHOLESTEROL, tenths, 1, "mmol/L")]
        }
        Illness::Asthma | Illness::Copd => {
            let flow = rng.around(310, 70).clamp(90, 620);
            vec![measured(codes::PEAK_FLOW, flow, 0, "L/min")]
        }
        _ => Vec::new(),
    }
}

pub(crate) fn hba1c(rng: &mut Rng, life: &Life, day: Day) -> ObservationRecorded {
    measured(
        codes::HBA1C,
        physiology::hba1c_tenths(rng, life, day),
        1,
        "%",
    )
}

pub(crate) fn glucose(rng: &mut Rng, life: &Life, day: Day) -> ObservationRecorded {
    let tenths = physiology::glucose_tenths(rng, life, day);
    measured(codes::FASTING_GLUCOSE, tenths, 1, "mmol/L")
}

fn whole(digits: i32, scale: u8, unit: &str) -> Value {
    Value::Quantity(Quantity::new(Decimal::new(digits.into(), scale), unit))
}
