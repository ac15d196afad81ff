//! What an instrument would show on a day: blood pressure, glucose, HbA1c, weight, from a life's
//! body, illnesses and treatment. Numbers only; who measures and writes is elsewhere.

use crate::calendar::Day;
use crate::illness::Illness;
use crate::life::Life;
use crate::rng::Rng;

/// A blood pressure in mm[Hg].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pressure {
    pub(crate) systolic: i32,
    pub(crate) diastolic: i32,
}

/// How far an illness is from its target on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Absent,
    Controlled,
    Treated,
    Untreated,
}

pub(crate) fn pressure(rng: &mut Rng, life: &Life, day: Day) -> Pressure {
    let age = life.age_on(day);
    let (systolic, diastolic, spread) = match state(life, Illness::Hypertension, day) {
        State::Absent if age < 15 => (84 + 2 * age.max(1), 52 + age.max(1), 5),
        State::Absent => (life.body.systolic, life.body.diastolic, 6),
        State::Controlled => (128, 78, 7),
        State::Treated => (148, 90, 10),
        State::Untreated => (156, 95, 12),
    };
    let systolic = rng.around(systolic, spread).clamp(70, 230);
    let diastolic = rng
        .around(diastolic, spread * 2 / 3)
        .clamp(40, systolic - 15);
    Pressure {
        systolic,
        diastolic,
    }
}

pub(crate) fn pulse(rng: &mut Rng, age: i32, fever: bool) -> i32 {
    let resting = match age {
        ..1 => 128,
        1..6 => 104,
        6..15 => 86,
        _ => 75,
    };
    rng.around(resting + if fever { 14 } else { 0 }, 7)
        .clamp(45, 190)
}

/// Body temperature in tenths of a degree Celsius.
pub(crate) fn temperature_tenths(rng: &mut Rng, fever: bool) -> i32 {
    if fever {
        rng.around(384, 5).clamp(375, 408)
    } else {
        rng.around(367, 2).clamp(360, 373)
    }
}

/// Height in centimetres: that of the adult, shrunk by growth tables for children.
pub(crate) fn height_cm(life: &Life, day: Day) -> i32 {
    const PERCENT: [i32; 18] = [
        38, 45, 51, 57, 61, 65, 69, 72, 76, 79, 82, 85, 88, 92, 95, 97, 99, 100,
    ];
    let age = usize::try_from(life.age_on(day)).unwrap_or(0);
    let percent = PERCENT.get(age).copied().unwrap_or(100);
    (life.body.height_cm * percent / 100).max(48)
}

/// Body mass index in tenths: children lie lower, adults gain a little with age.
pub(crate) fn bmi_tenths(rng: &mut Rng, life: &Life, day: Day) -> i32 {
    let age = life.age_on(day);
    let own = match age {
        ..2 => 162,
        2..10 => 155 + (life.body.bmi_tenths - 222) / 3,
        10..18 => 185 + (life.body.bmi_tenths - 222) / 2,
        _ => life.body.bmi_tenths + (age - 40).clamp(-15, 25) / 3,
    };
    rng.around(own, 3).clamp(125, 420)
}

/// Weight in tenths of a kilogram for a height and body mass index.
pub(crate) fn weight_tenths(height_cm: i32, bmi_tenths: i32) -> i32 {
    (bmi_tenths * height_cm * height_cm / 10_000).max(25)
}

/// HbA1c in tenths of a percent.
pub(crate) fn hba1c_tenths(rng: &mut Rng, life: &Life, day: Day) -> i32 {
    match state(life, Illness::Diabetes, day) {
        State::Absent => rng.around(54, 3).clamp(42, 62),
        State::Controlled => rng.around(65, 3).clamp(56, 72),
        State::Treated => rng.around(82, 10).clamp(64, 135),
        State::Untreated => rng.around(79, 12).clamp(65, 140),
    }
}

/// Fasting glucose in tenths of a mmol/L.
pub(crate) fn glucose_tenths(rng: &mut Rng, life: &Life, day: Day) -> i32 {
    match state(life, Illness::Diabetes, day) {
        State::Absent => rng.around(51, 4).clamp(36, 68),
        State::Controlled => rng.around(66, 5).clamp(48, 82),
        State::Treated => rng.around(91, 17).clamp(60, 220),
        State::Untreated => rng.around(94, 18).clamp(70, 240),
    }
}

/// Total cholesterol in tenths of a mmol/L.
pub(crate) fn cholesterol_tenths(rng: &mut Rng, life: &Life, day: Day) -> i32 {
    let mean = if state(life, Illness::Dyslipidaemia, day) == State::Untreated {
        62
    } else {
        48
    };
    rng.around(mean, 7).clamp(25, 110)
}

/// Creatinine in µmol/L.
pub(crate) fn creatinine(rng: &mut Rng, life: &Life, day: Day) -> i32 {
    let mean = match (life.has(Illness::KidneyDisease, day), life.member.female) {
        (true, _) => 190,
        (false, true) => 66,
        (false, false) => 84,
    };
    rng.around(mean, mean / 8).clamp(35, 900)
}

fn state(life: &Life, illness: Illness, day: Day) -> State {
    if !life.has(illness, day) {
        return State::Absent;
    }
    let Some(course) = life.courses.iter().find(|course| course.illness == illness) else {
        return State::Absent;
    };
    // Treatment needs some weeks to work.
    let treated = course.found.is_some_and(|found| found.plus(45) <= day);
    match (treated, course.controlled) {
        (false, _) => State::Untreated,
        (true, true) => State::Controlled,
        (true, false) => State::Treated,
    }
}
