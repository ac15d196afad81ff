//! Visits for short illnesses, and the encounter that every visit becomes.

use sokhoe_record::{
    Diagnosis, DiagnosisRole, Dose, EncounterClass, EncounterRecorded, EventId, MedicationRecorded,
    MedicationStatus, ObservationRecorded, Occurred, ProcedureRecorded,
};

use crate::calendar::{Day, FIRST, Moment};
use crate::codes::{self, Coded, SHORT};
use crate::measures;
use crate::pen::{Hand, Pen, Person, When};
use crate::place::Provider;
use crate::rng::Rng;

/// What a visit is about, before it is written.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) day: Day,
    pub(crate) provider: Provider,
    pub(crate) class: EncounterClass,
    pub(crate) reason: &'static str,
    /// The main diagnosis first.
    pub(crate) diagnoses: Vec<Coded>,
    pub(crate) observations: Vec<ObservationRecorded>,
    pub(crate) drugs: Vec<Drug>,
    pub(crate) procedures: Vec<ProcedureRecorded>,
    pub(crate) minutes: i32,
    pub(crate) next: Option<Day>,
}

/// A drug with its dose and days.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drug {
    pub(crate) code: Coded,
    pub(crate) dose: &'static str,
    pub(crate) days: i32,
}

/// A written visit: its event and the number that later events refer to.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) event_id: EventId,
    pub(crate) encounter_id: String,
    pub(crate) begun: Moment,
}

impl Visit {
    pub(crate) fn outpatient(day: Day, provider: Provider, reason: &'static str) -> Self {
        Self {
            day,
            provider,
            class: EncounterClass::Outpatient,
            reason,
            diagnoses: Vec::new(),
            observations: Vec::new(),
            drugs: Vec::new(),
            procedures: Vec::new(),
            minutes: 45,
            next: None,
        }
    }

    /// Writes the encounter, sent when it is over.
    pub(crate) fn write(self, rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>) -> Written {
        let begun = self.day.minute(rng.between(7 * 60, 17 * 60));
        let ended = begun.plus_minutes(self.minutes);
        let encounter_id = pen.local_number("LK", self.day);
        let roles = [DiagnosisRole::Main]
            .into_iter()
            .chain(std::iter::repeat(DiagnosisRole::Secondary));
        let diagnoses = self
            .diagnoses
            .iter()
            .zip(roles)
            .map(|(coded, role)| Diagnosis {
                code: coded.on(self.day),
                role,
                ..Diagnosis::default()
            });
        let encounter = EncounterRecorded {
            encounter_id: encounter_id.clone(),
            class: self.class,
            started_at: begun.occurred(),
            ended_at: Some(ended.occurred()),
            reason: Some(self.reason.into()),
            diagnoses: diagnoses.collect(),
            observations: self.observations,
            medications: self
                .drugs
                .iter()
                .map(|drug| drug.prescribed(self.day))
                .collect(),
            procedures: self.procedures,
            next_appointment: self.next.map(|day| Occurred::On(day.date())),
            ..EncounterRecorded::default()
        };
        let delay = self.minutes + rng.between(1, 90);
        let when = When::at(begun, delay);
        let event_id = pen.write(person, when, Hand::Doctor(self.provider), encounter);
        Written {
            event_id,
            encounter_id,
            begun,
        }
    }
}

impl Drug {
    pub(crate) fn prescribed(self, day: Day) -> MedicationRecorded {
        let dose = Dose {
            text: self.dose.to_owned(),
            ..Dose::default()
        };
        MedicationRecorded {
            code: Some(self.code.plain()),
            status: MedicationStatus::Prescribed,
            dose: Some(dose),
            started_on: Some(day.date()),
            days: u32::try_from(self.days).ok(),
            ..MedicationRecorded::default()
        }
    }
}

/// Visits for short illnesses over the life, at a yearly rate by age.
pub(crate) fn short_illnesses(rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>, percent: u32) {
    let life = person.life;
    let mut day = life.registered.max(FIRST);
    loop {
        let yearly_hundredths = match life.age_on(day) {
            ..2 => 210,
            2..6 => 150,
            6..15 => 70,
            15..60 => 36,
            _ => 60,
        } * percent.max(1)
            / 100;
        let mean_gap = i32::try_from(36_500 / yearly_hundredths.max(1)).unwrap_or(36_500);
        day = day.plus(rng.between(mean_gap / 6, mean_gap * 11 / 6).max(3));
        if day > life.last_day() {
            return;
        }
        short_visit(rng, pen, person, day);
    }
}

fn short_visit(rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>, day: Day) {
    let life = person.life;
    let age = life.age_on(day);
    let group = usize::from(age >= 15) + usize::from(age >= 60);
    let case = &SHORT[rng.weighted(&SHORT.map(|case| case.weights[group]))];
    let fever = case.fever && rng.chance(7_000);
    let mut visit = Visit::outpatient(day, person.usual(day), case.reason);
    visit.diagnoses.push(case.diagnosis);
    if age >= 40 && rng.chance(3_000) {
        let found = |course: &&crate::illness::Course| course.found.is_some_and(|on| on <= day);
        let known = life.courses.iter().filter(found);
        visit.diagnoses.extend(
            known
                .take(2)
                .map(|course| course.illness.diagnosis(life.member.female, 1)),
        );
    }
    visit.observations = measures::vital_signs(rng, life, day, fever);
    let days = rng.between(3, 7);
    visit.drugs.extend(case.drug.map(|code| Drug {
        code,
        dose: "1 viên x 2 lần/ngày",
        days,
    }));
    if case.diagnosis == codes::PNEUMONIA && rng.chance(5_000) {
        visit.class = EncounterClass::Inpatient;
        visit.provider = life.hospital;
        visit.minutes = rng.between(3, 8) * 24 * 60;
    } else if rng.chance(500) {
        visit.class = EncounterClass::Emergency;
        visit.provider = life.hospital;
    }
    visit.write(rng, pen, person);
}
