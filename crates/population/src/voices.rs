//! What citizens say themselves: readings from home, symptoms, consents and refusals, disputes,
//! requests, and guardians for children.

use sokhoe_record::{
    ConsentGranted, ConsentWithdrawn, Data, DisputeRaised, DocumentAttached, Effect, EventId,
    GuardianAppointed, GuardianGround, Identifier, Occurred, PersonRef, Purpose, Recipient,
    RequestDecided, RequestDecision, RequestMade, RequestRight, SecondaryUse, SecondaryUseScope,
    SelfReportSubmitted,
};

use crate::calendar::{Day, LAST};
use crate::cast::Part;
use crate::illness::Illness;
use crate::measures;
use crate::pen::{Hand, Pen, Person, When};
use crate::physiology;
use crate::place::Provider;
use crate::rng::Rng;

/// Citizens could write in their books from this day on.
const PORTAL_OPENS: Day = Day::of(2022, 3, 1);

/// "Stable, discharged. Take the drugs as prescribed, come back as arranged", in base64.
const LETTER: &str = "4buUbiDEkeG7i25oLCBjaG8gcmEgdmnhu4duLiBV4buRbmcgdGh14buRYyB0aGVvIHRvYSwgdMOhaSBraMOhbSB0aGVvIGjhurluLg==";

/// Everything that the person says.
pub(crate) fn speak(rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>) {
    home_readings(rng, pen, person);
    symptoms(rng, pen, person);
    consents(rng, pen, person);
    requests(rng, pen, person);
}

/// Blood pressure measured at home by some of those who know of theirs.
fn home_readings(rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>) {
    let life = person.life;
    let keen = life.part == Some(Part::Citizen) || rng.chance(1_500);
    let knows = life.found(Illness::Hypertension, life.last_day());
    if !keen || !knows || life.age_on(LAST) > 80 {
        return;
    }
    let mut day = PORTAL_OPENS
        .plus(rng.between(0, 900))
        .max(life.registered.plus(30));
    for _ in 0..rng.between(3, 14) {
        if day > life.last_day() || !life.found(Illness::Hypertension, day) {
            return;
        }
        let reading = measures::blood_pressure(physiology::pressure(rng, life, day));
        let report = SelfReportSubmitted {
            observations: vec![reading],
            note: rng
                .chance(1_200)
                .then(|| "Đo buổi sáng, trước khi uống thuốc".to_owned()),
            ..SelfReportSubmitted::default()
        };
        pen.write(
            person,
            When::at(day.minute(rng.between(330, 460)), 2),
            Hand::Citizen,
            report,
        );
        day = day.plus(rng.between(2, 30));
    }
}

fn symptoms(rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>) {
    let life = person.life;
    let day = PORTAL_OPENS.plus(rng.between(0, 1_650));
    if !rng.chance(400) || !person.present(day) || life.age_on(day) < 15 {
        return;
    }
    let said = rng.pick(&["Chóng mặt", "Mệt mỏi", "Đau đầu", "Ho kéo dài", "Đau lưng"]);
    let report = SelfReportSubmitted {
        symptoms: vec![said.into()],
        ..SelfReportSubmitted::default()
    };
    pen.write(
        person,
        When::at(day.minute(rng.between(400, 1_300)), 1),
        Hand::Citizen,
        report,
    );
}

fn consents(rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>) {
    let life = person.life;
    let day = PORTAL_OPENS.plus(rng.between(0, 1_500));
    let withdraws = rng.chance(1_500);
    let drawn = rng.chance(350);
    let refuses = rng.chance(60);
    match life.part {
        Some(Part::WithConsent) => {
            let provider = Provider::FIRST_HOSPITAL;
            grant(pen, person, provider, Day::of(2023, 5, 9));
            return;
        }
        // The others of the cast say nothing, so that the demonstration is what it says.
        Some(_) => return,
        None => {}
    }
    if !person.present(day) || life.age_on(day) < 18 {
        return;
    }
    if drawn {
        let consent_id = grant(pen, person, life.hospital, day);
        let ends = day.plus(120);
        if withdraws && person.present(ends) {
            let moment = ends.minute(700);
            let withdrawn = ConsentWithdrawn {
                consent_id,
                from: moment.occurred(),
                ..ConsentWithdrawn::default()
            };
            pen.write(person, When::at(moment, 1), Hand::Citizen, withdrawn);
        }
    } else if refuses {
        let moment = day.minute(800);
        let refused = SecondaryUse {
            scope: SecondaryUseScope::Research,
            from: moment.occurred(),
            ..SecondaryUse::default()
        };
        let refused = Data::SecondaryUseRefused(Box::new(refused));
        pen.write(person, When::at(moment, 1), Hand::Citizen, refused);
    }
}

/// A permission for one facility to read for treatment.
fn grant(pen: &mut Pen<'_>, person: Person<'_>, provider: Provider, day: Day) -> String {
    let consent_id = pen.local_number("DY", day);
    let moment = day.minute(615);
    let consent = ConsentGranted {
        consent_id: consent_id.clone(),
        purpose: Purpose::Treatment,
        to: Recipient::Facility(pen.places.code(provider).to_owned()),
        effect: Effect::Permit,
        from: moment.occurred(),
        evidence: "Đồng ý trên ứng dụng, đã xác thực".to_owned(),
        ..ConsentGranted::default()
    };
    pen.write(person, When::at(moment, 1), Hand::Citizen, consent);
    consent_id
}

fn requests(rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>) {
    let life = person.life;
    let day = PORTAL_OPENS.plus(rng.between(0, 1_600));
    if !rng.chance(30) || !person.present(day) || life.age_on(day) < 18 || life.part.is_some() {
        return;
    }
    let request_id = pen.local_number("YC", day);
    let made = RequestMade {
        request_id: request_id.clone(),
        right: RequestRight::View,
        statement: Some("Xin bản sao hồ sơ".to_owned()),
        ..RequestMade::default()
    };
    pen.write(person, When::at(day.minute(560), 1), Hand::Citizen, made);
    let decided = RequestDecided {
        request_id,
        decision: RequestDecision::Done,
        ..RequestDecided::default()
    };
    let answered = day.plus(rng.between(1, 9)).min(life.last_day()).minute(600);
    pen.write(
        person,
        When::at(answered, 5),
        Hand::Clerk(life.station),
        decided,
    );
}

/// A parent speaks for a child until it is eighteen.
pub(crate) fn guardian(rng: &mut Rng, pen: &mut Pen<'_>, child: Person<'_>, parent: &Identifier) {
    let adult = child.life.member.born.plus_years(18);
    if adult < LAST || !rng.chance(1_200) || child.life.died.is_some() {
        return;
    }
    let from = child.life.registered.max(PORTAL_OPENS);
    let appointed = GuardianAppointed {
        guardian: PersonRef::Identifier(parent.clone()),
        ground: GuardianGround::Parent,
        from: Occurred::On(from.date()),
        until: Some(Occurred::On(adult.date())),
        ..GuardianAppointed::default()
    };
    let when = When::at(from.minute(rng.between(480, 980)), 5);
    pen.write(child, when, Hand::Clerk(child.life.station), appointed);
}

/// The person says that an entry is wrong.
pub(crate) fn dispute(
    pen: &mut Pen<'_>,
    person: Person<'_>,
    disputed: EventId,
    day: Day,
) -> EventId {
    let raised = DisputeRaised {
        disputed_event_id: disputed,
        statement: "Ngày khám này tôi không đến cơ sở".to_owned(),
        ..DisputeRaised::default()
    };
    pen.write(
        person,
        When::at(day.minute(1_190), 1),
        Hand::Citizen,
        raised,
    )
}

/// A short discharge letter, kept as a document.
pub(crate) fn letter(rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>) {
    let day = Day(rng.between(person.life.registered.0, person.life.last_day().0));
    if !rng.chance(150) || !person.present(day) || person.life.part == Some(Part::Duplicate) {
        return;
    }
    let document = DocumentAttached {
        title: "Giấy ra viện".to_owned(),
        media_type: "text/plain".to_owned(),
        content: Some(LETTER.to_owned()),
        ..DocumentAttached::default()
    };
    let when = When::at(day.minute(rng.between(600, 1_000)), 30);
    pen.write(person, when, Hand::Doctor(person.life.hospital), document);
}
