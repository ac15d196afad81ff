//! Mistakes and their repair: corrections, a correction of a correction, a dispute, the merge that
//! was wrong and the merge that was right.

use sokhoe_record::{
    CorrectionAction, CorrectionMade, Data, Decimal, EncounterClass, EventId, Identifier, Name,
    PeopleMerged, PeopleUnmerged, PersonRef, PersonRegistered, Replacement, Sex, Value,
};

use crate::calendar::{Day, Moment};
use crate::cast::{FOUND_UNCONSCIOUS, NAMESAKES_MERGED, NAMESAKES_PARTED};
use crate::codes;
use crate::measures;
use crate::pen::{Hand, Pen, Person, When};
use crate::physiology::{self, Pressure};
use crate::place::Provider;
use crate::rng::Rng;
use crate::visits::Visit;
use crate::voices;

/// Corrections in 10,000 observations, encounters and prescriptions.
const CORRECTED: u32 = 70;

/// Corrects some of what was written about the person since the mark.
pub(crate) fn corrections(rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>, mark: usize) {
    let mistakes: Vec<Mistake> = pen
        .written_since(mark)
        .iter()
        .filter(|sent| correctable(&sent.incoming.event.data) && rng.chance(CORRECTED))
        .map(|sent| Mistake {
            event_id: sent.incoming.event.event_id,
            sent: sent.at,
            data: sent.incoming.event.data.clone(),
        })
        .collect();
    for mistake in mistakes {
        let noticed = mistake.sent.plus_minutes(rng.between(30, 14_000));
        let hand = Hand::Clerk(person.life.hospital);
        let disputed = mistake.data.kind().section().is_some() && rng.chance(1_000);
        let dispute =
            disputed.then(|| voices::dispute(pen, person, mistake.event_id, noticed.day()));
        let noticed = if disputed {
            noticed.plus_minutes(4_000)
        } else {
            noticed
        };
        let fixed = if dispute.is_some() || rng.chance(2_500) {
            None
        } else {
            Some(mistake.fixed(rng))
        };
        let correction = correction(mistake.event_id, fixed.as_ref(), dispute);
        let first = pen.write(person, When::at(noticed, 0), hand, correction);
        if rng.chance(800) {
            // The correction was the mistake: what it corrected holds again.
            let again = correction_of_correction(first);
            pen.write(
                person,
                When::at(noticed.plus_minutes(2_880), 0),
                hand,
                again,
            );
        }
    }
}

/// An entry that is found to be wrong.
struct Mistake {
    event_id: EventId,
    sent: Moment,
    data: Data,
}

impl Mistake {
    /// The data as it should have been.
    fn fixed(&self, rng: &mut Rng) -> Data {
        let mut data = self.data.clone();
        match &mut data {
            Data::ObservationRecorded(observation) => {
                if let Some(Value::Quantity(quantity)) = &mut observation.value {
                    quantity.value = nudged(quantity.value, rng);
                }
                for component in &mut observation.components {
                    if let Value::Quantity(quantity) = &mut component.value {
                        quantity.value = nudged(quantity.value, rng);
                    }
                }
            }
            Data::EncounterRecorded(encounter) => {
                encounter.summary = Some("Bổ sung: đã tư vấn chế độ ăn".to_owned());
            }
            Data::MedicationRecorded(medication) => {
                medication.days = medication.days.map(|days| days + 7);
            }
            _ => {}
        }
        // A replacement is read like any event: the marks of the server must not stand in it.
        data.codes_mut(|_, code| code.checked = true);
        data
    }
}

fn correctable(data: &Data) -> bool {
    matches!(
        data,
        Data::ObservationRecorded(_) | Data::EncounterRecorded(_) | Data::MedicationRecorded(_)
    )
}

fn nudged(value: Decimal, rng: &mut Rng) -> Decimal {
    let step = i64::from(rng.between(1, 6));
    Decimal::new((value.mantissa() - step).max(1), value.scale())
}

fn correction(
    corrects: EventId,
    fixed: Option<&Data>,
    dispute_event_id: Option<EventId>,
) -> CorrectionMade {
    let reason = if fixed.is_some() {
        "Nhập sai số liệu"
    } else {
        "Nhập nhầm người bệnh"
    };
    CorrectionMade {
        corrects,
        action: if fixed.is_some() {
            CorrectionAction::Replace
        } else {
            CorrectionAction::Void
        },
        replacement: fixed.map(|data| Replacement::new(data, None)),
        reason: reason.to_owned(),
        dispute_event_id,
        ..CorrectionMade::default()
    }
}

fn correction_of_correction(corrects: EventId) -> CorrectionMade {
    CorrectionMade {
        corrects,
        action: CorrectionAction::Void,
        reason: "Lần sửa trước không đúng, số liệu gốc là đúng".to_owned(),
        ..CorrectionMade::default()
    }
}

/// The citizen's story: an HbA1c of 16.8 % typed for 6.8 %, corrected; the correction withdrawn in
/// error and made again; and a visit that never was, disputed and voided.
pub(crate) fn citizen(rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>) {
    let day = Day::of(2024, 4, 16);
    let hand = Hand::Nurse(person.life.hospital);
    let wrong = measures::measured(codes::HBA1C, 168, 1, "%");
    let moment = day.minute(520);
    let first = pen.write(person, When::at(moment, 95), hand, wrong);
    let mut right: Data = measures::measured(codes::HBA1C, 68, 1, "%").into();
    right.codes_mut(|_, code| code.checked = true);
    let fix = |moment: Moment| (When::at(moment, 0), correction(first, Some(&right), None));
    let (when, fixed) = fix(day.plus(1).minute(500));
    let second = pen.write(person, when, hand, fixed);
    let when = When::at(day.plus(2).minute(500), 0);
    pen.write(person, when, hand, correction_of_correction(second));
    let (when, fixed) = fix(day.plus(3).minute(500));
    pen.write(person, when, hand, fixed);

    let mut visit = Visit::outpatient(Day::of(2024, 8, 6), Provider::SECOND_HOSPITAL, "Đau lưng");
    visit.diagnoses.push(codes::GASTRITIS);
    let written = visit.write(rng, pen, person);
    let dispute = voices::dispute(pen, person, written.event_id, Day::of(2024, 8, 20));
    let void = correction(written.event_id, None, Some(dispute));
    let when = When::at(Day::of(2024, 8, 27).minute(600), 0);
    pen.write(person, when, Hand::Clerk(Provider::SECOND_HOSPITAL), void);
}

/// Two people of one name, merged by mistake and parted ten weeks later.
pub(crate) fn namesakes(pen: &mut Pen<'_>, one: Person<'_>, other: &Identifier, mark: usize) {
    let hand = Hand::Clerk(Provider::FIRST_HOSPITAL);
    let (merged_at, parted_at) = (NAMESAKES_MERGED.minute(610), NAMESAKES_PARTED.minute(555));
    // While one book stands for both, nobody writes in it: the story stays readable.
    pen.take_back(mark, merged_at.plus_minutes(-1), parted_at.plus_minutes(1));
    let merged = PeopleMerged {
        retired: PersonRef::Identifier(other.clone()),
        grounds: "Trùng họ tên và ngày sinh".to_owned(),
        ..PeopleMerged::default()
    };
    let merge_event_id = pen.write(one, When::at(merged_at, 0), hand, merged);
    let parted = PeopleUnmerged {
        merge_event_id,
        grounds: "Hai người khác nhau, đã đối chiếu căn cước".to_owned(),
        ..PeopleUnmerged::default()
    };
    pen.write(one, When::at(parted_at, 0), hand, parted);
}

/// Someone brought in unconscious, entered a second time under a temporary number.
pub(crate) fn unconscious(rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>) {
    let hospital = Provider::FIRST_HOSPITAL;
    let registered = PersonRegistered {
        identifiers: vec![person.id.clone()],
        name: Name {
            full: "Chưa rõ tên".to_owned(),
            ..Name::default()
        },
        sex: if person.life.member.female {
            Sex::Female
        } else {
            Sex::Male
        },
        birth_date: person.life.member.born.year_date(),
        ..PersonRegistered::default()
    };
    let about = Some(PersonRef::Identifier(person.id.clone()));
    let when = When::at(person.opened(), 0);
    pen.write_about(about, when, Hand::Clerk(hospital), registered.into());
    let mut visit = Visit::outpatient(FOUND_UNCONSCIOUS, hospital, "Bất tỉnh ngoài đường");
    visit.class = EncounterClass::Emergency;
    visit.diagnoses.push(codes::STROKE);
    visit.minutes = 4 * 24 * 60;
    let pressure = Pressure {
        systolic: 212,
        diastolic: 118,
    };
    visit.observations.push(measures::blood_pressure(pressure));
    let glucose = physiology::glucose_tenths(rng, person.life, FOUND_UNCONSCIOUS);
    visit.observations.push(measures::measured(
        codes::FASTING_GLUCOSE,
        glucose,
        1,
        "mmol/L",
    ));
    visit.write(rng, pen, person);
}

/// The same person under both numbers: the second merge, which stays.
pub(crate) fn recognised(pen: &mut Pen<'_>, original: Person<'_>, duplicate: &Identifier) {
    let merged = PeopleMerged {
        retired: PersonRef::Identifier(duplicate.clone()),
        grounds: "Người nhà nhận ra, đã đối chiếu căn cước".to_owned(),
        ..PeopleMerged::default()
    };
    let when = When::at(FOUND_UNCONSCIOUS.plus(6).minute(640), 0);
    pen.write(
        original,
        when,
        Hand::Clerk(Provider::FIRST_HOSPITAL),
        merged,
    );
}
