//! The opening of a book: who the person is; later changes of address and number; and the end.

use sokhoe_record::{
    Abo, Answer, BirthRecorded, BloodGroup, Change, Code, CodeOrText, CodeSystem, Decimal,
    DemographicsChanged, FamilyLinked, FamilyRelation, Household as HouseholdEntry, Identifier,
    IdentifierLinked, IdentifierStatus, IdentifierSystem, Insurance, Measure, Name, PersonDied,
    PersonRef, PersonRegistered, Quantity, Rh, Sex,
};

use crate::calendar::{Day, FIRST, LAST};
use crate::codes;
use crate::household::{HouseholdNumber, Place};
use crate::identity;
use crate::illness::Illness;
use crate::pen::{Hand, Pen, Person, When};
use crate::place::Home;
use crate::rng::Rng;

/// What registration needs to know besides the person.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Family<'a> {
    pub(crate) number: HouseholdNumber,
    pub(crate) home: &'a Home,
    /// Numbers of all members, by their place.
    pub(crate) ids: &'a [Identifier],
}

/// Writes `person_registered`, the first event about anyone.
pub(crate) fn open(rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>, family: Family<'_>) {
    let life = person.life;
    let member = &life.member;
    let newborn = member.born >= life.registered.plus(-3) && member.born >= FIRST;
    let provider = if newborn { life.hospital } else { life.station };
    let parent = |index: Option<usize>| {
        index
            .and_then(|index| family.ids.get(index))
            .cloned()
            .map(PersonRef::Identifier)
    };
    let address = pen.places.address(family.home);
    let registered = PersonRegistered {
        identifiers: identifiers(rng, person),
        name: Name {
            full: member.name.full(),
            family: Some(member.name.family.to_owned()),
            given: Some(member.name.given.to_owned()),
        },
        sex: if member.female {
            Sex::Female
        } else {
            Sex::Male
        },
        birth_date: member.born.date(),
        ethnic_group: Some(ethnic_group(family.number)),
        nationality: Some("Việt Nam".into()),
        occupation: occupation(rng, life.age_on(life.registered)),
        blood_group: rng.chance(3_500).then(|| blood_group(rng)),
        permanent_address: rng.chance(8_000).then(|| address.clone()),
        current_address: Some(address),
        phones: phones(rng, life.age_on(LAST), family.number, person.index),
        household: Some(HouseholdEntry {
            code: format!("HGD-{:07}", family.number.0),
            relation: relation(member.place).to_owned(),
        }),
        mother: parent(member.mother),
        father: parent(member.father),
        insurance: insurance(rng, pen, person),
        ..PersonRegistered::default()
    };
    let when = When::at(person.opened(), 0);
    let about = Some(PersonRef::Identifier(person.id.clone()));
    pen.write_about(about, when, Hand::Clerk(provider), registered.into());
    if newborn && let Some(mother) = parent(member.mother) {
        birth(rng, pen, person, mother);
    }
}

fn identifiers(rng: &mut Rng, person: Person<'_>) -> Vec<Identifier> {
    let issued = person
        .life
        .member
        .born
        .plus_years(14)
        .max(Day::of(2016, 1, 4));
    let mut own = person.id.clone();
    if own.system == IdentifierSystem::Temporary {
        return vec![own];
    }
    if issued < person.life.registered {
        own.issued_on = Some(issued.date());
    }
    let tail = own.value.get(2..).unwrap_or_default().to_owned();
    let mut all = vec![own];
    if rng.chance(2_500) {
        let system = IdentifierSystem::Bhxh;
        all.push(Identifier {
            system,
            value: tail,
            ..Identifier::default()
        });
    }
    all
}

fn insurance(rng: &mut Rng, pen: &Pen<'_>, person: Person<'_>) -> Option<Insurance> {
    if person.id.system != IdentifierSystem::Cccd || !rng.chance(9_000) {
        return None;
    }
    let life = person.life;
    let group = match life.age_on(life.registered) {
        ..6 => "TE",
        6..23 => "HS",
        23..60 => rng.pick(&["DN", "DN", "DN", "GD", "HC", "TK"]),
        _ => rng.pick(&["HT", "GD", "CT"]),
    };
    Some(Insurance {
        card: identity::insurance_card(group, &person.id.value),
        valid_from: Day::of(life.registered.year(), 1, 1).date(),
        valid_to: Some(Day::of(life.registered.year() + 5, 12, 31).date()),
        facility: Some(pen.places.code(life.hospital).to_owned()),
    })
}

fn birth(rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>, mother: PersonRef) {
    let grams = i64::from(rng.around(3_120, 410).clamp(900, 5_200));
    let delivery = if rng.chance(3_700) {
        "Sinh mổ"
    } else {
        "Sinh thường"
    };
    let weight = Quantity::new(Decimal::new(grams, 0), "g");
    let length = Quantity::new(Decimal::new(rng.around(50, 2).into(), 0), "cm");
    let born = BirthRecorded {
        mother,
        delivery: delivery.into(),
        weight: Measure::Quantity(weight),
        length: Some(Measure::Quantity(length)),
        gestation_weeks: u32::try_from(rng.around(39, 1).clamp(27, 42)).ok(),
        asphyxia: if rng.chance(150) {
            Answer::Yes
        } else {
            Answer::No
        },
        ..BirthRecorded::default()
    };
    let moment = person.life.member.born.minute(rng.between(0, 1_439));
    pen.write(
        person,
        When::at(moment, 600),
        Hand::Doctor(person.life.hospital),
        born,
    );
}

/// Moves, new phones, new cards, and the link between spouses.
pub(crate) fn changes(rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>, family: Family<'_>) {
    let life = person.life;
    let day = Day(rng.between(life.registered.0, life.last_day().0));
    let minute = rng.between(470, 990);
    if person.present(day) && rng.chance(1_100) {
        let address = pen.places.address(&pen.places.home(rng));
        let mut changed = DemographicsChanged {
            current_address: Change::Set(address),
            effective_on: Some(day.date()),
            ..DemographicsChanged::default()
        };
        if rng.chance(1_500) {
            changed.permanent_address = Change::Clear;
        }
        let when = When::at(day.minute(minute), rng.between(0, 20_000));
        pen.write(person, when, Hand::Clerk(life.station), changed);
    }
    if person.present(day) && life.age_on(day) >= 18 && rng.chance(800) {
        let phones = Change::Set(phones(rng, 40, family.number, person.index + 10));
        let changed = DemographicsChanged {
            phones,
            ..DemographicsChanged::default()
        };
        pen.write(
            person,
            When::at(day.minute(minute), 1),
            Hand::Citizen,
            changed,
        );
    }
    if rng.chance(300) && person.present(day) && person.id.system == IdentifierSystem::Cccd {
        let tail = person.id.value.get(3..).unwrap_or_default().to_owned();
        let system = IdentifierSystem::Cmnd;
        let identifier = Identifier {
            system,
            value: tail,
            ..Identifier::default()
        };
        let status = IdentifierStatus::Replaced;
        let linked = IdentifierLinked {
            identifier,
            status,
            ..IdentifierLinked::default()
        };
        pen.write(
            person,
            When::at(day.minute(minute + 9), 5),
            Hand::Clerk(life.station),
            linked,
        );
    }
    if life.member.place == Place::Spouse
        && let Some(head) = family.ids.first()
    {
        let linked = FamilyLinked {
            relative: PersonRef::Identifier(head.clone()),
            relation: FamilyRelation::Spouse,
            ..FamilyLinked::default()
        };
        let when = When::on(
            life.registered.year_date(),
            person.opened().plus_minutes(60),
        );
        pen.write(person, when, Hand::Clerk(life.station), linked);
    }
}

/// The end of a life.
pub(crate) fn death(rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>) {
    let life = person.life;
    let Some(died) = life.died else { return };
    let cause = if life.has(Illness::Cancer, died) {
        Illness::Cancer.diagnosis(life.member.female, 0)
    } else {
        rng.pick(&[
            codes::STROKE,
            codes::INFARCTION,
            codes::PNEUMONIA,
            codes::HEART_DISEASE,
        ])
    };
    let at_home = rng.chance(6_000);
    let provider = if at_home { life.station } else { life.hospital };
    let event = PersonDied {
        died_on: died.date(),
        cause: rng.chance(7_500).then(|| cause.on(died).into()),
        place: Some(
            if at_home {
                "Tại nhà"
            } else {
                "Bệnh viện"
            }
            .into(),
        ),
        ..PersonDied::default()
    };
    let when = When::at(died.minute(rng.between(0, 1_439)), rng.between(60, 9_000));
    pen.write(person, when, Hand::Doctor(provider), event);
}

fn ethnic_group(number: HouseholdNumber) -> CodeOrText {
    // Kinh, and one household in nineteen Hoa.
    let (code, name) = if number.0 % 19 == 7 {
        ("04", "Hoa")
    } else {
        ("01", "Kinh")
    };
    Code::new(CodeSystem::EthnicVn, code)
        .with_display(name)
        .into()
}

fn occupation(rng: &mut Rng, age: i32) -> Option<CodeOrText> {
    const LEVEL_2: [(&str, &str); 8] = [
        ("23", "Nhà chuyên môn về giảng dạy"),
        ("33", "Nhân viên về kinh doanh và quản lý"),
        ("51", "Nhân viên dịch vụ cá nhân"),
        ("52", "Nhân viên bán hàng"),
        ("71", "Lao động xây dựng"),
        ("75", "Thợ chế biến thực phẩm, may mặc"),
        ("83", "Lái xe và thợ vận hành thiết bị chuyển động"),
        ("91", "Người quét dọn và giúp việc"),
    ];
    if !(20..62).contains(&age) || !rng.chance(7_000) {
        return None;
    }
    let (code, name) = rng.pick(&LEVEL_2);
    Some(
        Code::new(CodeSystem::OccupationVn, code)
            .with_display(name)
            .into(),
    )
}

fn blood_group(rng: &mut Rng) -> BloodGroup {
    let abo = [Abo::O, Abo::B, Abo::A, Abo::Ab][rng.weighted(&[45, 30, 20, 5])];
    let rh = if rng.chance(9_960) {
        Rh::Positive
    } else {
        Rh::Negative
    };
    BloodGroup { abo, rh: Some(rh) }
}

/// Mobile numbers of eleven digits: all were withdrawn in 2018, so these ring nowhere.
fn phones(rng: &mut Rng, age: i32, number: HouseholdNumber, index: usize) -> Vec<String> {
    if age < 15 || !rng.chance(8_500) {
        return Vec::new();
    }
    let own = (number.0 * 16 + index as u64) % 10_000_000;
    vec![format!("0120{own:07}")]
}

fn relation(place: Place) -> &'static str {
    match place {
        Place::Head => "head",
        Place::Spouse => "spouse",
        Place::Child => "child",
        Place::Parent => "parent",
        Place::Sibling => "sibling",
    }
}
