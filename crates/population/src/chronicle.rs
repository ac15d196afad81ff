//! The chronicle of one household: every event about its members, from its number alone.

use sokhoe_record::{Identifier, IdentifierSystem};

use crate::calendar::{FIRST, LAST};
use crate::cast::Part;
use crate::household::{Household, HouseholdNumber};
use crate::identity;
use crate::life::{self, Life};
use crate::pen::{Pen, Person, Sent};
use crate::place::{Home, Places};
use crate::registration::{self, Family};
use crate::rng::{Purpose, Rng};
use crate::truth::Truth;
use crate::{asking, longterm, prevention, stories, visits, voices};

/// What a household's chronicle depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) seed: u64,
    /// Routine visits in percent of the usual.
    pub(crate) percent: u32,
    pub(crate) places: &'a Places,
}

/// The number that names a member of a household.
pub(crate) fn identifier(seed: u64, household: &Household, index: usize) -> Identifier {
    if Part::of(household.number, index) == Some(Part::Duplicate) {
        let value = "TAM-99001-000001".to_owned();
        let system = IdentifierSystem::Temporary;
        return Identifier {
            system,
            value,
            ..Identifier::default()
        };
    }
    let number = household.number;
    let value = household
        .members
        .get(index)
        .map(|member| identity::personal_number(seed, number, member.born, member.female));
    let system = IdentifierSystem::Cccd;
    Identifier {
        system,
        value: value.unwrap_or_default(),
        ..Identifier::default()
    }
}

/// Writes everything that happens to the first `people` members of a household.
pub(crate) fn write(
    setting: Setting<'_>,
    number: HouseholdNumber,
    people: usize,
    sent: &mut Vec<Sent>,
    truth: &mut Truth,
) {
    let mut household = Household::new(setting.seed, number);
    household.members.truncate(people);
    let rng = &mut Rng::new(setting.seed, Purpose::Life, number.0);
    let home = setting.places.home(rng);
    let opening = life::opening_day(rng, &household);
    let members = household.members.iter().enumerate();
    let lives: Vec<Life> = members
        .map(|(index, member)| life::plan(rng, member, opening, &home, Part::of(number, index)))
        .collect();
    let indexes = 0..household.members.len();
    let ids: Vec<Identifier> = indexes
        .map(|index| identifier(setting.seed, &household, index))
        .collect();
    let mut pen = Pen::new(setting.seed, number, setting.places, sent);
    let family = Cast {
        home: &home,
        lives: &lives,
        ids: &ids,
        number,
    };
    for index in 0..lives.len() {
        let Some(person) = family.person(index) else {
            continue;
        };
        let mark = pen.mark();
        family.one_life(setting, rng, &mut pen, person);
        if person.life.part != Some(Part::Duplicate) {
            stories::corrections(rng, &mut pen, person, mark);
        }
        family.story(rng, &mut pen, person, mark);
        truth.count_life(person.life);
    }
    truth.households += 1;
}

/// The members with their lives and numbers.
#[derive(Debug, Clone, Copy)]
struct Cast<'a> {
    home: &'a Home,
    lives: &'a [Life],
    ids: &'a [Identifier],
    number: HouseholdNumber,
}

impl<'a> Cast<'a> {
    fn person(&self, index: usize) -> Option<Person<'a>> {
        Some(Person {
            life: self.lives.get(index)?,
            id: self.ids.get(index)?,
            index,
        })
    }

    fn one_life(&self, setting: Setting<'_>, rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>) {
        let life = person.life;
        if life.part == Some(Part::Duplicate) {
            stories::unconscious(rng, pen, person);
            return;
        }
        let family = Family {
            number: self.number,
            home: self.home,
            ids: self.ids,
        };
        registration::open(rng, pen, person, family);
        asking::ask(rng, pen, person);
        registration::changes(rng, pen, person, family);
        prevention::childhood_doses(rng, pen, person);
        prevention::covid_doses(rng, pen, person);
        prevention::check_ups(rng, pen, person, setting.percent);
        self.pregnancies(rng, pen, person);
        visits::short_illnesses(rng, pen, person, setting.percent);
        longterm::care(rng, pen, person, setting.percent);
        voices::speak(rng, pen, person);
        voices::letter(rng, pen, person);
        if let Some(parent) = life.member.mother.and_then(|index| self.ids.get(index)) {
            voices::guardian(rng, pen, person, parent);
        }
        registration::death(rng, pen, person);
    }

    fn pregnancies(&self, rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>) {
        let children = self
            .lives
            .iter()
            .filter(|child| child.member.mother == Some(person.index));
        let births: Vec<_> = children.map(|child| child.member.born).collect();
        for born in births
            .iter()
            .filter(|born| **born >= FIRST && **born <= LAST)
        {
            let earlier = births.iter().filter(|other| *other < born).count();
            let earlier = u32::try_from(earlier).unwrap_or(0);
            prevention::pregnancy(rng, pen, person, *born, earlier);
        }
    }

    fn story(&self, rng: &mut Rng, pen: &mut Pen<'_>, person: Person<'_>, mark: usize) {
        match person.life.part {
            Some(Part::Citizen) => stories::citizen(rng, pen, person),
            Some(Part::OtherNamesake) => {
                if let Some(one) = self.person(0) {
                    stories::namesakes(pen, one, person.id, mark);
                }
            }
            Some(Part::Duplicate) => {
                if let Some(original) = self.person(0) {
                    stories::recognised(pen, original, person.id);
                }
            }
            _ => {}
        }
    }
}
