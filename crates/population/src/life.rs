//! The plan of one life before any event is written: when the book begins and ends, which
//! illnesses come, how the body measures, where care is sought.

use crate::calendar::{Day, FIRST, LAST};
use crate::cast::{self, Part};
use crate::demography;
use crate::household::{Household, Member};
use crate::illness::{self, Course, Illness};
use crate::place::{Home, Provider};
use crate::rng::Rng;

/// One member's life.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub(crate) member: Member,
    /// The day of the first event about this person.
    pub(crate) registered: Day,
    pub(crate) died: Option<Day>,
    pub(crate) courses: Vec<Course>,
    pub(crate) body: Body,
    pub(crate) habits: Habits,
    /// Where this person goes when ill.
    pub(crate) hospital: Provider,
    pub(crate) station: Provider,
    /// The part in the demonstration, if any.
    pub(crate) part: Option<Part>,
}

/// How a body measures; blood pressure and glucose are before any illness.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Body {
    pub(crate) height_cm: i32,
    /// Body mass index of the adult, in tenths.
    pub(crate) bmi_tenths: i32,
    pub(crate) systolic: i32,
    pub(crate) diastolic: i32,
}

/// What people answer when asked how they live.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Habits {
    pub(crate) smokes: bool,
    pub(crate) drinks: bool,
    pub(crate) minutes_a_week: i32,
    pub(crate) farm_work: bool,
}

impl Life {
    pub(crate) fn age_on(&self, day: Day) -> i32 {
        day.age(self.member.born)
    }

    /// The last day on which something can happen to this person.
    pub(crate) fn last_day(&self) -> Day {
        self.died.unwrap_or(LAST)
    }

    pub(crate) fn has(&self, illness: Illness, day: Day) -> bool {
        self.courses
            .iter()
            .any(|course| course.illness == illness && course.onset <= day)
    }

    pub(crate) fn found(&self, illness: Illness, day: Day) -> bool {
        let known = |course: &&Course| course.found.is_some_and(|found| found <= day);
        self.courses
            .iter()
            .filter(known)
            .any(|course| course.illness == illness)
    }
}

/// The day on which a household's books are opened.
pub(crate) fn opening_day(rng: &mut Rng, household: &Household) -> Day {
    if cast::has_parts(household.number) {
        return FIRST;
    }
    // Three in four in the first campaign, the others when they first meet the system.
    let latest = if rng.chance(7_500) {
        Day::of(2018, 12, 28)
    } else {
        Day::of(2024, 6, 28)
    };
    let drawn = Day(rng.between(FIRST.0, latest.0));
    let before_birth = household
        .first_birth_in_window()
        .map_or(drawn, |born| born.plus(-220));
    drawn.min(before_birth).max(FIRST)
}

/// Plans the life of a member whose household's books open on that day.
pub(crate) fn plan(
    rng: &mut Rng,
    member: &Member,
    opening: Day,
    home: &Home,
    part: Option<Part>,
) -> Life {
    let registered = match part {
        Some(Part::Duplicate) => cast::FOUND_UNCONSCIOUS,
        _ => registration(rng, member, opening),
    };
    let died = if part.is_some() {
        None
    } else {
        death(rng, member, registered)
    };
    let until = died.unwrap_or(LAST);
    let mut courses = illness::courses(rng, member.born, member.female, until);
    if let Some(part) = part {
        part.give_illnesses(&mut courses, member.born);
    }
    Life {
        member: *member,
        registered,
        died,
        courses,
        body: body(rng, member),
        habits: habits(rng, member),
        hospital: part.map_or_else(|| home.hospital(rng), Part::hospital),
        station: part.and_then(Part::only_provider).unwrap_or(home.station),
        part,
    }
}

fn registration(rng: &mut Rng, member: &Member, opening: Day) -> Day {
    if member.born >= opening {
        // Newborns are entered where they are born, or by the station within weeks.
        let days = if rng.chance(7_000) {
            rng.between(0, 3)
        } else {
            rng.between(5, 55)
        };
        return member.born.plus(days).min(LAST);
    }
    opening
}

/// The day of death within the window, from yearly mortality by age and sex.
fn death(rng: &mut Rng, member: &Member, registered: Day) -> Option<Day> {
    let mut year_begins = registered;
    while year_begins < LAST {
        let days = rng.between(5, 364);
        if demography::dies_within_year(rng, year_begins.age(member.born), member.female) {
            return Some(year_begins.plus(days)).filter(|day| *day < LAST.plus(-30));
        }
        year_begins = year_begins.plus_years(1);
    }
    None
}

fn body(rng: &mut Rng, member: &Member) -> Body {
    let (height, bmi) = if member.female {
        (156, 222)
    } else {
        (167, 226)
    };
    Body {
        height_cm: rng.around(height, 6).clamp(135, 195),
        bmi_tenths: rng.around(bmi, 28).clamp(155, 390),
        systolic: rng.around(116, 8).clamp(92, 136),
        diastolic: rng.around(74, 6).clamp(56, 88),
    }
}

fn habits(rng: &mut Rng, member: &Member) -> Habits {
    // STEPS 2015 and 2021: 45 % of men and 1.2 % of women smoke, 70 and 11 % drink.
    let (smokes, drinks) = if member.female {
        (120, 1_100)
    } else {
        (4_500, 7_000)
    };
    Habits {
        smokes: rng.chance(smokes),
        drinks: rng.chance(drinks),
        minutes_a_week: rng.between(0, 40) * 15,
        farm_work: rng.chance(800),
    }
}
