//! What people are asked when their book is opened: how they live, what they do not bear, what
//! runs in the family. "No", "unknown" and "not asked" are three answers, and all three occur.

use sokhoe_record::{
    Alcohol, AllergyKind, AllergyRecorded, AllergyStatus, Answer, Code, CodeOrText, Decimal,
    FamilyCondition, FamilyHistoryReported, Habit, PhysicalActivity, RiskFactorsReported,
};

use crate::calendar::Day;
use crate::codes;
use crate::pen::{Hand, Pen, Person, When};
use crate::rng::Rng;

/// Asks, and writes the answers down.
pub(crate) fn ask(rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>) {
    let life = person.life;
    let asked = life
        .registered
        .plus(rng.between(0, 40))
        .minute(rng.between(470, 990));
    if life.age_on(life.registered) >= 15 && rng.chance(6_500) && person.present(asked.day()) {
        let answers = risk_factors(rng, person);
        pen.write(
            person,
            When::at(asked, 10),
            Hand::Nurse(life.station),
            answers,
        );
    }
    if rng.chance(4_500) {
        let allergy = allergy(rng, life.registered);
        let when = When::at(asked.plus_minutes(4), 10);
        pen.write(person, when, Hand::Nurse(life.station), allergy);
    }
    if life.age_on(life.registered) >= 18 && rng.chance(2_500) {
        let day = asked.day();
        let entries = vec![
            relative(rng, codes::HYPERTENSION.on(day), "mother"),
            relative(rng, codes::DIABETES.on(day), "father"),
        ];
        let told = FamilyHistoryReported {
            entries,
            ..FamilyHistoryReported::default()
        };
        let when = When::at(asked.plus_minutes(6), 10);
        pen.write(person, when, Hand::Nurse(life.station), told);
    }
}

fn risk_factors(rng: &mut Rng, person: Person<'_>) -> RiskFactorsReported {
    let habits = person.life.habits;
    // Not every form has every answer: one in twelve does not know, one in ten was not asked.
    let mut answer = |yes: bool| match rng.weighted(&[70, 8, 10]) {
        0 if yes => Answer::Yes,
        0 => Answer::No,
        1 => Answer::Unknown,
        _ => Answer::NotAsked,
    };
    let tobacco = Habit {
        answer: answer(habits.smokes),
        ..Habit::default()
    };
    let water_pipe = Habit {
        answer: answer(false),
        ..Habit::default()
    };
    let drinks = answer(habits.drinks);
    let drugs = Habit {
        answer: answer(false),
        ..Habit::default()
    };
    let active = answer(habits.minutes_a_week > 0);
    let minutes = u32::try_from(habits.minutes_a_week).ok();
    let yes = |answer: Answer| answer == Answer::Yes;
    RiskFactorsReported {
        tobacco,
        water_pipe,
        alcohol: Alcohol {
            answer: drinks,
            per_day: yes(drinks).then(|| Decimal::new(rng.between(5, 40).into(), 1)),
            ..Alcohol::default()
        },
        drugs,
        physical_activity: PhysicalActivity {
            answer: active,
            minutes_per_week: minutes.filter(|_| yes(active)),
            ..PhysicalActivity::default()
        },
        exposures: habits
            .farm_work
            .then(|| "Thuốc trừ sâu".into())
            .into_iter()
            .collect(),
        toilet: rng.chance(5_000).then(|| "Tự hoại".into()),
        ..RiskFactorsReported::default()
    }
}

fn allergy(rng: &mut Rng, day: Day) -> AllergyRecorded {
    if rng.chance(8_200) {
        return AllergyRecorded {
            none_known: Some(true),
            ..AllergyRecorded::default()
        };
    }
    let penicillin = CodeOrText::Code(codes::PENICILLIN.on(day));
    let (substance, kind, reaction) = match rng.below(4) {
        0 => ("Tôm, cua".into(), AllergyKind::Food, "Nổi mề đay"),
        1 => (
            "Bụi nhà".into(),
            AllergyKind::Environment,
            "Hắt hơi, sổ mũi",
        ),
        2 => ("Hóa chất tẩy rửa".into(), AllergyKind::Chemical, "Viêm da"),
        _ => (penicillin, AllergyKind::Drug, "Ban đỏ, ngứa"),
    };
    AllergyRecorded {
        substance: Some(substance),
        kind: Some(kind),
        reaction: Some(reaction.into()),
        status: Some(AllergyStatus::Active),
        ..AllergyRecorded::default()
    }
}

fn relative(rng: &mut Rng, condition: Code, relation: &str) -> FamilyCondition {
    let answer = match rng.weighted(&[30, 55, 15]) {
        0 => Answer::Yes,
        1 => Answer::No,
        _ => Answer::Unknown,
    };
    let yes = answer == Answer::Yes;
    let age_at_onset = yes.then(|| rng.between(38, 75).unsigned_abs());
    FamilyCondition {
        condition,
        relation: relation.to_owned(),
        answer,
        age_at_onset,
    }
}
