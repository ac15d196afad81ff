//! Prevention: the children's vaccinations, the COVID-19 campaign, check-ups, pregnancies.

use sokhoe_record::{
    Code, Decimal, EncounterClass, Instrument, PregnancyRecorded, PregnancyStatus, PregnancyVisit,
    RawJson, RiskAssessed, VaccinationRecorded, VaccinationStatus, YesNo,
};

use crate::calendar::{Day, FIRST, LAST};
use crate::codes;
use crate::measures;
use crate::pen::{Hand, Pen, Person, When};
use crate::physiology;
use crate::place::Provider;
use crate::rng::Rng;
use crate::schedule::{CHILDREN, COVID, COVID_FIRST_DAY, Dose, TETANUS};
use crate::visits::Visit;

/// Doses of the children's programme for those born in the window, and late ones for the others.
pub(crate) fn childhood_doses(rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>) {
    let life = person.life;
    let born = life.member.born;
    // One family in fifty refuses everything.
    let refuses = rng.chance(200);
    for dose in &CHILDREN {
        let due = born.plus(dose.due_days);
        let late = rng.between(0, dose.late_days);
        let offered = !dose.girls_only || life.member.female;
        let taken = rng.chance(dose.coverage) && offered;
        let day = due.plus(late);
        if due < dose.from || day > life.last_day() || day < FIRST {
            continue;
        }
        // A dose before the book was opened is copied from the paper card.
        let copied = day <= life.registered && day != born;
        if refuses {
            if dose.number == 1 && !copied {
                refusal(rng, pen, person, dose, day);
            }
        } else if taken {
            give(rng, pen, person, dose, day, copied);
        }
    }
}

fn give(rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>, dose: &Dose, day: Day, copied: bool) {
    let at_birth = dose.due_days < 2;
    let provider = if at_birth {
        person.life.hospital
    } else {
        person.life.station
    };
    let next = CHILDREN
        .iter()
        .find(|next| next.vaccine.code == dose.vaccine.code && next.number == dose.number + 1);
    let vaccination = VaccinationRecorded {
        vaccine: dose.vaccine.plain(),
        dose_number: Some(dose.number.into()),
        status: VaccinationStatus::Given,
        lot: (!copied).then(|| lot(rng, day)),
        reaction: rng.chance(350).then(|| "Sốt nhẹ".into()),
        primary_source: if copied { YesNo::No } else { YesNo::Yes },
        next_due: next.map(|next| person.life.member.born.plus(next.due_days).date()),
        ..VaccinationRecorded::default()
    };
    let when = if copied {
        When::on(day.date(), person.opened().plus_minutes(90))
    } else {
        When::at(day.minute(rng.between(450, 680)), rng.between(1, 60))
    };
    pen.write(person, when, Hand::Nurse(provider), vaccination);
}

fn refusal(rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>, dose: &Dose, day: Day) {
    let vaccination = VaccinationRecorded {
        vaccine: dose.vaccine.plain(),
        dose_number: Some(dose.number.into()),
        status: VaccinationStatus::Refused,
        primary_source: YesNo::Yes,
        ..VaccinationRecorded::default()
    };
    let when = When::at(day.minute(rng.between(450, 680)), 20);
    pen.write(person, when, Hand::Nurse(person.life.station), vaccination);
}

/// Two doses against COVID-19 in 2021 and a third, for those old enough by then.
pub(crate) fn covid_doses(rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>) {
    let life = person.life;
    let age = life.age_on(COVID_FIRST_DAY);
    if age < 12 || !rng.chance(9_300) {
        return;
    }
    let first = COVID_FIRST_DAY.plus(if age < 18 { 97 } else { 0 } + rng.between(0, 70));
    let product = COVID[rng.weighted(&COVID.map(|(_, share)| share))].0;
    let booster = COVID[rng.weighted(&[25, 60, 15, 0])].0;
    let second = first.plus(rng.between(28, 56));
    let third = second.plus(rng.between(90, 180));
    let doses = [
        (1, first, product, 10_000),
        (2, second, product, 9_600),
        (3, third, booster, 6_300),
    ];
    for (number, day, vaccine, share) in doses {
        if !rng.chance(share) || day > life.last_day() {
            return;
        }
        let copied = day <= life.registered;
        let vaccination = VaccinationRecorded {
            vaccine: vaccine.plain(),
            dose_number: Some(number),
            status: VaccinationStatus::Given,
            lot: (!copied).then(|| lot(rng, day)),
            primary_source: if copied { YesNo::No } else { YesNo::Yes },
            ..VaccinationRecorded::default()
        };
        let when = if copied {
            When::on(day.date(), person.opened().plus_minutes(95))
        } else {
            When::at(day.minute(rng.between(430, 1_020)), rng.between(1, 2_000))
        };
        pen.write(person, when, Hand::Nurse(life.station), vaccination);
    }
}

/// Check-ups: of schoolchildren, of workers and of the old, each with its measurements.
pub(crate) fn check_ups(rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>, percent: u32) {
    let life = person.life;
    for year in FIRST.year()..=LAST.year() {
        let day = Day::of(year, 1, 10).plus(rng.between(0, 280));
        if !person.present(day) {
            continue;
        }
        let (class, share) = match life.age_on(day) {
            6..16 => (EncounterClass::SchoolCheck, 3_000),
            18..40 => (EncounterClass::OccupationalCheck, 900),
            40..60 => (EncounterClass::HealthCheck, 1_300),
            60.. => (EncounterClass::ElderlyCheck, 3_300),
            _ => continue,
        };
        if rng.chance(share * percent / 100) {
            check_up(rng, pen, person, class, day);
        }
    }
}

fn check_up(rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>, class: EncounterClass, day: Day) {
    let life = person.life;
    let mut visit = Visit::outpatient(day, life.station, "Khám sức khỏe định kỳ");
    visit.class = class;
    visit.diagnoses.push(codes::CHECK_UP);
    visit.observations.extend(measures::growth(rng, life, day));
    // Stations with the newer software send the measurement that counts as an event of its own.
    let apart = life.age_on(day) >= 40;
    if !apart && life.age_on(day) >= 15 {
        visit
            .observations
            .push(measures::blood_pressure(physiology::pressure(
                rng, life, day,
            )));
    }
    let written = visit.write(rng, pen, person);
    if !apart {
        return;
    }
    let mut alone = vec![measures::blood_pressure(physiology::pressure(
        rng, life, day,
    ))];
    if rng.chance(5_500) {
        alone.push(measures::glucose(rng, life, day));
    }
    for mut observation in alone {
        observation.encounter_id = Some(written.encounter_id.clone());
        let when = When::at(written.begun.plus_minutes(12), rng.between(30, 240));
        pen.write(person, when, Hand::Nurse(life.station), observation);
    }
    if rng.chance(1_500) {
        let when = When::at(written.begun.plus_minutes(25), 60);
        let assessment = findrisc(rng, person, day);
        pen.write(person, when, Hand::Nurse(life.station), assessment);
    }
}

/// A diabetes risk score from age and body mass index; the other questions are drawn.
fn findrisc(rng: &mut Rng, person: Person<'_>, day: Day) -> RiskAssessed {
    let age = person.life.age_on(day);
    let bmi = person.life.body.bmi_tenths;
    let by_age = match age {
        ..45 => 0,
        45..55 => 2,
        55..65 => 3,
        _ => 4,
    };
    let by_bmi = i32::from(bmi > 250) + 2 * i32::from(bmi > 300);
    let score = by_age + by_bmi + rng.between(0, 11);
    let band = match score {
        ..7 => "low",
        7..12 => "slightly_elevated",
        12..15 => "moderate",
        15..21 => "high",
        _ => "very_high",
    };
    let inputs = format!(r#"{{"age":{age},"bmi":{}.{}}}"#, bmi / 10, bmi % 10);
    RiskAssessed {
        instrument: Instrument::Findrisc,
        version: "2003".to_owned(),
        inputs: RawJson::new(inputs).unwrap_or_default(),
        score: Decimal::new(score.into(), 0),
        band: band.to_owned(),
        ..RiskAssessed::default()
    }
}

/// The pregnancy that a child of the window came from, in the mother's book.
pub(crate) fn pregnancy(
    rng: &mut Rng,
    pen: &mut Pen<'_>,
    mother: Person<'_>,
    born: Day,
    earlier_births: u32,
) {
    let noticed = born.plus(-rng.between(190, 225));
    if !mother.present(noticed) || !mother.present(born) {
        return;
    }
    let hospital = mother.life.hospital;
    let due_on = Some(born.plus(rng.between(-9, 9)).date());
    let ongoing = PregnancyRecorded {
        status: PregnancyStatus::Ongoing,
        due_on,
        gravida: Some(earlier_births + 1),
        para: Some(earlier_births),
        ..PregnancyRecorded::default()
    };
    let mut visit = Visit::outpatient(noticed, hospital, "Khám thai lần đầu");
    visit.diagnoses.push(codes::PREGNANCY_CARE);
    visit.observations = measures::vital_signs(rng, mother.life, noticed, false);
    let written = visit.write(rng, pen, mother);
    let when = When::at(written.begun.plus_minutes(20), 40);
    pen.write(mother, when, Hand::Doctor(hospital), ongoing);
    tetanus(rng, pen, mother, noticed.plus(45), mother.life.station);
    let visits = (0..4).map(|count| antenatal(rng, mother, noticed.plus(25 + 40 * count), count));
    let visits = visits.collect();
    let ended = PregnancyRecorded {
        status: PregnancyStatus::Ended,
        due_on,
        outcome: Some("Một trẻ sinh sống".into()),
        gravida: Some(earlier_births + 1),
        para: Some(earlier_births + 1),
        visits,
        ..PregnancyRecorded::default()
    };
    let mut delivery = Visit::outpatient(born, hospital, "Chuyển dạ");
    delivery.class = EncounterClass::Inpatient;
    delivery.diagnoses.push(codes::DELIVERY);
    delivery.minutes = rng.between(2, 5) * 24 * 60;
    let written = delivery.write(rng, pen, mother);
    let when = When::at(written.begun.plus_minutes(200), 3_000);
    pen.write(mother, when, Hand::Doctor(hospital), ended);
}

fn antenatal(rng: &mut Rng, mother: Person<'_>, day: Day, count: i32) -> PregnancyVisit {
    let pressure = physiology::pressure(rng, mother.life, day);
    PregnancyVisit {
        on: day.date(),
        weeks: u32::try_from(14 + 6 * count).ok(),
        observations: vec![measures::blood_pressure(pressure)],
    }
}

fn tetanus(rng: &mut Rng, pen: &mut Pen<'_>, mother: Person<'_>, first: Day, station: Provider) {
    for (number, day) in [(1, first), (2, first.plus(32))] {
        if !rng.chance(8_800) || !mother.present(day) {
            return;
        }
        let vaccine: Code = TETANUS.plain();
        let vaccination = VaccinationRecorded {
            vaccine,
            dose_number: Some(number),
            status: VaccinationStatus::Given,
            lot: Some(lot(rng, day)),
            primary_source: YesNo::Yes,
            ..VaccinationRecorded::default()
        };
        let when = When::at(day.minute(rng.between(450, 680)), 30);
        pen.write(mother, when, Hand::Nurse(station), vaccination);
    }
}

fn lot(rng: &mut Rng, day: Day) -> String {
    format!("L{}{:04}", day.year() % 100, rng.below(10_000))
}
