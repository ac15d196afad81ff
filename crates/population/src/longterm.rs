//! Care of long illnesses: the visit at which one is found, programmes, appointments kept and
//! missed, laboratory tests, drugs, and operations.

use sokhoe_record::{
    AppointmentMade, AppointmentMissed, Certainty, ClinicalStatus, ConditionRecorded,
    ContactAttempted, EncounterClass, MedicationRecorded, MedicationStatus, ProcedureRecorded,
    Programme, ProgrammeEnrolled, ProgrammeLeft,
};

use crate::calendar::Day;
use crate::codes;
use crate::illness::{Course, Illness};
use crate::measures;
use crate::pen::{Hand, Pen, Person, When};
use crate::rng::Rng;
use crate::visits::{Drug, Visit, Written};

/// Everything that follows from the person's long illnesses.
pub(crate) fn care(rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>, percent: u32) {
    for course in &person.life.courses {
        let Some(found) = course
            .found
            .filter(|found| *found <= person.life.last_day())
        else {
            continue;
        };
        let first = found.max(person.life.registered.plus(1));
        if first > person.life.last_day() {
            continue;
        }
        follow(rng, pen, person, *course, first, percent);
    }
    operation(rng, pen, person);
}

fn follow(
    rng: &mut Rng,
    pen: &mut Pen<'_>,
    person: Person<'_>,
    course: Course,
    first: Day,
    percent: u32,
) {
    find(rng, pen, person, course, first);
    let enrolled = course.enrolled.map(|day| day.max(first.plus(1)));
    let enrolled = enrolled.filter(|day| *day <= person.life.last_day());
    if let Some(day) = enrolled {
        enrol(rng, pen, person, course.illness, day);
    }
    let (managed, alone) = course.illness.visits_a_year();
    let years = course.illness.years_of_care();
    let last = person.life.last_day().min(first.plus_years(years));
    let mut day = first;
    loop {
        let managed_now = enrolled.is_some_and(|from| from <= day);
        let a_year = if managed_now { managed } else { alone };
        let gap = (36_500 / (a_year * percent.max(1).cast_signed())).max(20);
        let next = day.plus(gap + rng.between(-gap / 8, gap / 5));
        if next > last {
            break;
        }
        if managed_now && rng.chance(900) {
            miss(rng, pen, person, course.illness, next);
        } else {
            control(rng, pen, person, course, next);
        }
        day = next;
    }
}

/// The visit at which a health worker names the illness.
fn find(rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>, course: Course, day: Day) {
    let written = control(rng, pen, person, course, day);
    let variant = u64::from(course.onset.0.unsigned_abs());
    let condition = ConditionRecorded {
        code: course
            .illness
            .diagnosis(person.life.member.female, variant)
            .on(day),
        clinical_status: ClinicalStatus::Active,
        certainty: if rng.chance(9_000) {
            Certainty::Confirmed
        } else {
            Certainty::Provisional
        },
        onset: Some(course.onset.month_date()),
        encounter_id: Some(written.encounter_id),
        ..ConditionRecorded::default()
    };
    let when = When::at(written.begun.plus_minutes(30), rng.between(30, 200));
    pen.write(person, when, Hand::Doctor(person.life.hospital), condition);
}

/// A visit because of the illness.
fn control(
    rng: &mut Rng,
    pen: &mut Pen<'_>,
    person: Person<'_>,
    course: Course,
    day: Day,
) -> Written {
    let life = person.life;
    let at_station = course.enrolled.is_some() && course.illness.at_station() && rng.chance(6_000);
    let provider = if at_station {
        life.station
    } else {
        life.hospital
    };
    let mut visit = Visit::outpatient(day, provider, course.illness.reason());
    let variant = u64::from(course.onset.0.unsigned_abs());
    visit
        .diagnoses
        .push(course.illness.diagnosis(life.member.female, variant));
    let others = life
        .courses
        .iter()
        .filter(|other| other.illness != course.illness);
    let others = others.filter(|other| other.found.is_some_and(|found| found <= day));
    let female = life.member.female;
    visit.diagnoses.extend(
        others
            .take(2)
            .map(|other| other.illness.diagnosis(female, variant)),
    );
    visit.observations = measures::vital_signs(rng, life, day, false);
    visit.next = (course.enrolled.is_some() && !at_station).then(|| day.plus(30));
    let drugs = course.illness.drugs(variant);
    if !at_station {
        visit.drugs = drugs.to_vec();
    }
    let written = visit.write(rng, pen, person);
    if at_station && let Some(drug) = drugs.first() {
        dispense(rng, pen, person, *drug, &written, day);
    }
    if rng.chance(course.illness.tested()) {
        tests(rng, pen, person, course.illness, &written, day);
    }
    written
}

/// Stations hand the drugs out themselves and send that as an event of its own.
fn dispense(
    rng: &mut Rng,
    pen: &mut Pen<'_>,
    person: Person<'_>,
    drug: Drug,
    written: &Written,
    day: Day,
) {
    let handed_out = MedicationRecorded {
        status: MedicationStatus::Dispensed,
        encounter_id: Some(written.encounter_id.clone()),
        ..drug.prescribed(day)
    };
    let when = When::at(written.begun.plus_minutes(40), rng.between(20, 120));
    pen.write(person, when, Hand::Nurse(person.life.station), handed_out);
}

/// The laboratory answers later, each test an event of its own.
fn tests(
    rng: &mut Rng,
    pen: &mut Pen<'_>,
    person: Person<'_>,
    illness: Illness,
    written: &Written,
    day: Day,
) {
    for mut test in measures::laboratory(rng, person.life, illness, day) {
        test.encounter_id = Some(written.encounter_id.clone());
        let when = When::at(written.begun.plus_minutes(20), rng.between(90, 1_500));
        pen.write(person, when, Hand::Nurse(person.life.hospital), test);
    }
}

fn enrol(rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>, illness: Illness, day: Day) {
    let Some(programme) = illness.programme() else {
        return;
    };
    let station = person.life.station;
    let enrolment = ProgrammeEnrolled {
        programme,
        enrolled_on: day.date(),
        facility: pen.places.code(station).to_owned(),
        ..ProgrammeEnrolled::default()
    };
    let when = When::at(day.minute(rng.between(450, 1_000)), rng.between(5, 400));
    pen.write(person, when, Hand::Nurse(station), enrolment);
    let appointment = AppointmentMade {
        appointment_id: pen.local_number("HK", day),
        due_on: day.plus(30).date(),
        programme: Some(programme),
        facility: pen.places.code(station).to_owned(),
        ..AppointmentMade::default()
    };
    let when = When {
        sent: when.sent.plus_minutes(3),
        ..when
    };
    pen.write(person, when, Hand::Nurse(station), appointment);
    if rng.chance(500) {
        let left_on = day.plus(rng.between(200, 900)).min(person.life.last_day());
        let left = ProgrammeLeft {
            programme,
            left_on: left_on.date(),
            reason: "Chuyển nơi cư trú".into(),
            ..ProgrammeLeft::default()
        };
        pen.write(
            person,
            When::at(left_on.minute(600), 60),
            Hand::Nurse(station),
            left,
        );
    }
}

/// An appointment made, not kept, and a call.
fn miss(rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>, illness: Illness, due: Day) {
    let hand = Hand::Nurse(person.life.station);
    let appointment_id = pen.local_number("HK", due);
    let made = AppointmentMade {
        appointment_id: appointment_id.clone(),
        due_on: due.date(),
        programme: illness.programme(),
        facility: pen.places.code(person.life.station).to_owned(),
        ..AppointmentMade::default()
    };
    pen.write(person, When::at(due.plus(-25).minute(600), 5), hand, made);
    let missed = AppointmentMissed {
        appointment_id: appointment_id.clone(),
        ..AppointmentMissed::default()
    };
    pen.write(person, When::at(due.plus(1).minute(480), 30), hand, missed);
    if rng.chance(6_000) {
        let contact = ContactAttempted {
            appointment_id: Some(appointment_id),
            channel: "phone".to_owned(),
            result: if rng.chance(7_000) {
                "reached"
            } else {
                "no_answer"
            }
            .to_owned(),
            ..ContactAttempted::default()
        };
        pen.write(person, When::at(due.plus(3).minute(540), 15), hand, contact);
    }
}

/// One person in forty has an appendix or a lens taken out in these years.
fn operation(rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>) {
    let life = person.life;
    let day = Day(rng.between(life.registered.0, life.last_day().0));
    let age = life.age_on(day);
    let (diagnosis, name, site, parts) = if age >= 60 {
        (
            codes::CATARACT,
            "Phẫu thuật thay thủy tinh thể (Phaco)",
            "mắt phải",
            600,
        )
    } else {
        (codes::APPENDICITIS, "Cắt ruột thừa nội soi", "ổ bụng", 170)
    };
    if !person.present(day) || age < 4 || !rng.chance(parts) {
        return;
    }
    let procedure = ProcedureRecorded {
        text: Some(name.to_owned()),
        performed_on: day.date(),
        body_site: Some(site.into()),
        outcome: Some("Ổn định".into()),
        ..ProcedureRecorded::default()
    };
    let mut visit = Visit::outpatient(day, life.hospital, "Nhập viện phẫu thuật");
    visit.class = EncounterClass::Inpatient;
    visit.diagnoses.push(diagnosis);
    visit.minutes = rng.between(2, 6) * 24 * 60;
    visit.observations = measures::vital_signs(rng, life, day, false);
    let nested = rng.chance(5_000);
    if nested {
        visit.procedures.push(procedure.clone());
    }
    let written = visit.write(rng, pen, person);
    if !nested {
        let procedure = ProcedureRecorded {
            encounter_id: Some(written.encounter_id),
            ..procedure
        };
        let when = When::at(written.begun.plus_minutes(300), 700);
        pen.write(person, when, Hand::Doctor(life.hospital), procedure);
    }
}

impl Illness {
    /// The programme that follows this illness.
    fn programme(self) -> Option<Programme> {
        Some(match self {
            Self::Hypertension => Programme::Hypertension,
            Self::Diabetes => Programme::Diabetes,
            Self::Copd => Programme::Copd,
            Self::Asthma => Programme::Asthma,
            Self::Cancer => Programme::Cancer,
            Self::Depression => Programme::MentalHealth,
            _ => return None,
        })
    }

    /// Whether a station follows it between hospital visits.
    fn at_station(self) -> bool {
        matches!(
            self,
            Self::Hypertension | Self::Diabetes | Self::Copd | Self::Asthma
        )
    }

    fn reason(self) -> &'static str {
        match self {
            Self::Hypertension | Self::Diabetes => "Tái khám định kỳ",
            Self::Copd | Self::Asthma => "Khó thở, tái khám",
            Self::Gastritis => "Đau thượng vị",
            Self::Arthrosis => "Đau khớp gối",
            Self::Depression => "Mất ngủ, lo âu",
            Self::HeartDisease => "Đau ngực khi gắng sức",
            _ => "Khám chuyên khoa",
        }
    }

    /// Visits in 10,000 that ask for tests.
    fn tested(self) -> u32 {
        match self {
            Self::Diabetes => 4_000,
            Self::Hypertension => 1_200,
            Self::KidneyDisease | Self::Dyslipidaemia => 6_000,
            Self::HeartDisease | Self::Asthma | Self::Copd => 2_500,
            _ => 0,
        }
    }

    /// How many years care goes on; short for what is cured or rarely seen again.
    fn years_of_care(self) -> i32 {
        match self {
            Self::Tuberculosis => 1,
            Self::Gastritis | Self::Arthrosis | Self::Dyslipidaemia | Self::HepatitisB => 2,
            _ => 20,
        }
    }

    fn drugs(self, variant: u64) -> &'static [Drug] {
        const fn daily(code: codes::Coded, dose: &'static str) -> Drug {
            Drug {
                code,
                dose,
                days: 30,
            }
        }
        const MORNING: &str = "1 viên buổi sáng";
        const TWICE: &str = "1 viên x 2 lần/ngày, sau ăn";
        const EVENING: &str = "1 viên buổi tối";
        const HYPERTENSION: [Drug; 2] = [
            daily(codes::AMLODIPINE, MORNING),
            daily(codes::LOSARTAN, MORNING),
        ];
        const DIABETES: [Drug; 2] = [
            daily(codes::METFORMIN, TWICE),
            daily(codes::GLICLAZIDE, MORNING),
        ];
        const LUNGS: [Drug; 2] = [
            daily(codes::SALBUTAMOL, "2 nhát khi khó thở"),
            daily(codes::BUDESONIDE, "1 nhát x 2 lần/ngày"),
        ];
        const HEART: [Drug; 2] = [
            daily(codes::ASPIRIN, MORNING),
            daily(codes::ATORVASTATIN, EVENING),
        ];
        let both = if variant.is_multiple_of(3) { 2 } else { 1 };
        match self {
            Self::Hypertension => &HYPERTENSION[..both],
            Self::Diabetes => &DIABETES[..both],
            Self::Copd | Self::Asthma => &LUNGS[..both],
            Self::HeartDisease => &HEART,
            Self::Dyslipidaemia => const { &[daily(codes::ATORVASTATIN, EVENING)] },
            Self::Gastritis => const { &[daily(codes::OMEPRAZOLE, "1 viên trước ăn sáng")] },
            Self::Arthrosis => const { &[daily(codes::PARACETAMOL, "1 viên khi đau")] },
            Self::HepatitisB => const { &[daily(codes::TENOFOVIR, MORNING)] },
            Self::Depression => const { &[daily(codes::SERTRALINE, MORNING)] },
            Self::Tuberculosis => const { &[daily(codes::TB_DRUGS, "3 viên lúc đói")] },
            Self::Hiv => const { &[daily(codes::HIV_DRUGS, EVENING)] },
            Self::KidneyDisease | Self::Cancer => &[],
        }
    }
}
