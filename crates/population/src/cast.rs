//! The people with a part in the demonstration and in the stories that tests tell. They live in
//! the first six households, so every city of at least [`PEOPLE_MIN`] people has them.

use crate::calendar::Day;
use crate::household::{Household, HouseholdNumber, Member, Place};
use crate::illness::{Course, Illness, managed_course};
use crate::place::Provider;

/// The smallest city: the first six households.
pub(crate) const PEOPLE_MIN: u64 = 22;

/// The day on which the duplicate is brought in.
pub(crate) const FOUND_UNCONSCIOUS: Day = Day::of(2021, 3, 14);

/// The days on which the namesakes are merged and parted again.
pub(crate) const NAMESAKES_MERGED: Day = Day::of(2023, 9, 12);
pub(crate) const NAMESAKES_PARTED: Day = Day::of(2023, 11, 20);

/// Whether someone of this household has a part; nobody of it dies before the story is told.
pub(crate) fn has_parts(household: HouseholdNumber) -> bool {
    household.0 < 6
}

/// A part to play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Signs in as citizen: two managed illnesses, self-reports, a corrected correction.
    Citizen,
    /// Permits facility 99001 to read.
    WithConsent,
    /// Known to facility 99002 only; has said nothing about reading.
    WithoutConsent,
    /// Looked at by someone without a reason (a later story).
    SnoopedOn,
    /// Merged by mistake with a namesake, then unmerged.
    Namesake,
    /// The namesake on the other side.
    OtherNamesake,
    /// Came unconscious, was entered twice; the merge stays.
    Original,
    /// The second entry of the same person, under a temporary number.
    Duplicate,
}

impl Part {
    /// The part of a member, by household and place in it.
    pub(crate) fn of(household: HouseholdNumber, index: usize) -> Option<Self> {
        match (household.0, index) {
            (0, 0) => Some(Self::Citizen),
            (1, 0) => Some(Self::WithConsent),
            (2, 0) => Some(Self::WithoutConsent),
            (3, 0) => Some(Self::SnoopedOn),
            (4, 0) => Some(Self::Namesake),
            (4, 2) => Some(Self::OtherNamesake),
            (5, 0) => Some(Self::Original),
            (5, 2) => Some(Self::Duplicate),
            _ => None,
        }
    }

    /// The one provider that this person is known to, where the part wants that.
    pub(crate) fn only_provider(self) -> Option<Provider> {
        (self == Self::WithoutConsent).then(|| self.hospital())
    }

    pub(crate) fn hospital(self) -> Provider {
        match self {
            Self::WithoutConsent => Provider::SECOND_HOSPITAL,
            _ => Provider::FIRST_HOSPITAL,
        }
    }

    /// Gives the illnesses that the part needs.
    pub(crate) fn give_illnesses(self, courses: &mut Vec<Course>, born: Day) {
        let wanted: &[(Illness, i32)] = match self {
            Self::Citizen => &[(Illness::Hypertension, 45), (Illness::Diabetes, 48)],
            Self::WithConsent => &[(Illness::Hypertension, 47)],
            Self::WithoutConsent => &[(Illness::Copd, 50)],
            Self::SnoopedOn => &[(Illness::Depression, 36)],
            Self::Duplicate => {
                courses.clear();
                &[]
            }
            Self::Namesake | Self::OtherNamesake | Self::Original => &[],
        };
        for (illness, age) in wanted {
            courses.retain(|course| course.illness != *illness);
            courses.push(managed_course(*illness, born.plus_years(*age)));
        }
    }
}

/// Changes the drawn members of the first households to fit their parts.
pub(crate) fn recast(household: &mut Household) {
    match household.number.0 {
        0 => set_birth(household, 0, Day::of(1968, 5, 14)),
        1 => set_birth(household, 0, Day::of(1971, 9, 2)),
        2 => set_birth(household, 0, Day::of(1961, 2, 20)),
        3 => set_birth(household, 0, Day::of(1984, 11, 8)),
        4 => namesake(household),
        5 => duplicate(household),
        _ => return,
    }
    separate(household);
}

/// Moves the births of others back until nobody shares sex and year with an earlier member.
fn separate(household: &mut Household) {
    for index in 1..household.members.len() {
        let (earlier, rest) = household.members.split_at_mut(index);
        let Some(member) = rest.first_mut() else {
            return;
        };
        if Part::of(household.number, index).is_some() {
            continue;
        }
        let shared = |other: &Member, own: &Member| {
            other.female == own.female && other.born.year() == own.born.year()
        };
        while earlier.iter().any(|other| shared(other, member)) {
            member.born = member.born.plus_years(-1);
        }
    }
}

fn set_birth(household: &mut Household, index: usize, born: Day) {
    if let Some(member) = household.members.get_mut(index) {
        member.born = born;
    }
}

/// Two cousins of one name, born two years apart.
fn namesake(household: &mut Household) {
    let Some(head) = household.members.first().copied() else {
        return;
    };
    set_birth(household, 0, Day::of(1979, 4, 3));
    if let Some(other) = household.members.get_mut(2) {
        *other = Member {
            place: Place::Sibling,
            born: Day::of(1981, 4, 3),
            ..head
        };
    }
}

/// The same person a second time.
fn duplicate(household: &mut Household) {
    set_birth(household, 0, Day::of(1966, 12, 1));
    let Some(head) = household.members.first().copied() else {
        return;
    };
    if let Some(other) = household.members.get_mut(2) {
        *other = Member {
            place: Place::Sibling,
            ..head
        };
    }
}
