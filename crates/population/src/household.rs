//! Who lives in a household: ages, sexes, parents and names, from the seed and the household's
//! number alone.
//!
//! Sizes follow a fixed turn of twenty households, so that the household of any person is found
//! by arithmetic. No two members share the sex, century and year that a personal number shows;
//! numbers are unique in the city because of it.

use crate::calendar::{Day, FIRST, LAST};
use crate::cast;
use crate::demography::{self, PEOPLE_PER_TURN, SIZES};
use crate::names::{self, PersonName};
use crate::rng::{Purpose, Rng};

/// A household by its number in the city, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct HouseholdNumber(pub(crate) u64);

/// What a member is to the household's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Head,
    Spouse,
    Child,
    Parent,
    Sibling,
}

/// One member, before anything happens to them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    pub(crate) place: Place,
    pub(crate) female: bool,
    pub(crate) born: Day,
    pub(crate) name: PersonName,
    /// Indexes of the parents among the members, always lower than the member's own.
    pub(crate) mother: Option<usize>,
    pub(crate) father: Option<usize>,
}

/// The members of a household, parents before their children.
#[derive(Debug, Clone)]
pub(crate) struct Household {
    pub(crate) number: HouseholdNumber,
    pub(crate) members: Vec<Member>,
}

impl HouseholdNumber {
    /// How many people it holds.
    pub(crate) fn size(self, seed: u64) -> u32 {
        let turn = self.0 / SIZES.len() as u64;
        let place = usize::try_from(self.0 % SIZES.len() as u64).unwrap_or(0);
        if turn == 0 {
            return SIZES.get(place).copied().map_or(1, u32::from);
        }
        // A turn is rotated by its own amount: sizes do not repeat in step, the sum stays.
        let shift = Rng::new(seed, Purpose::Sizes, turn).below(20) as usize;
        u32::from(SIZES[(place + shift) % SIZES.len()])
    }

    /// How many households it takes to hold that many people, the last one perhaps in part.
    pub(crate) fn needed_for(people: u64) -> u64 {
        people.div_ceil(PEOPLE_PER_TURN) * SIZES.len() as u64
    }
}

impl Household {
    /// The household that a seed gives this number.
    pub(crate) fn new(seed: u64, number: HouseholdNumber) -> Self {
        let mut rng = Rng::new(seed, Purpose::Composition, number.0);
        let mut draft = Draft {
            rng: &mut rng,
            members: Vec::with_capacity(8),
            at: LAST,
        };
        let size = number.size(seed) as usize;
        match size {
            0 | 1 => draft.alone(),
            2 => draft.pair(),
            _ => draft.family(size),
        }
        let mut household = Self {
            number,
            members: draft.members,
        };
        cast::recast(&mut household);
        household
    }

    /// The day by which everyone who lives here has a book: before the first child of the window.
    pub(crate) fn first_birth_in_window(&self) -> Option<Day> {
        self.members
            .iter()
            .map(|member| member.born)
            .filter(|born| *born >= FIRST)
            .min()
    }
}

/// A household while its members are being drawn.
struct Draft<'a> {
    rng: &'a mut Rng,
    members: Vec<Member>,
    at: Day,
}

impl Draft<'_> {
    fn alone(&mut self) {
        let age = match self.rng.weighted(&[40, 26, 34]) {
            0 => self.rng.between(20, 35),
            1 => self.rng.between(36, 59),
            _ => self.rng.between(60, 88),
        };
        let female = self.rng.chance(if age >= 60 { 6_800 } else { 4_800 });
        self.add_aged(Place::Head, age, female, None);
    }

    fn pair(&mut self) {
        match self.rng.weighted(&[44, 25, 17, 14]) {
            0 => self.couple(23, 58),
            1 => self.couple(58, 84),
            2 => {
                let age = self.rng.between(27, 70);
                self.add_aged(Place::Head, age, true, None);
                self.child_or_other(0, None);
            }
            _ => {
                let age = self.rng.between(19, 32);
                let female = self.rng.chance(5_000);
                let head = self.add_aged(Place::Head, age, female, None);
                self.sibling(head, age);
            }
        }
    }

    fn family(&mut self, size: usize) {
        if self.rng.chance(7_600) {
            self.couple(25, 45);
        } else {
            self.couple(46, 64);
        }
        let grandparents = match size {
            3 => 0,
            4 => self.rng.weighted(&[80, 16, 4]),
            5 => self.rng.weighted(&[36, 40, 24]),
            _ => self.rng.weighted(&[16, 34, 50]),
        };
        for count in 0..grandparents {
            self.grandparent(count == 1);
        }
        let mut children = 0;
        while self.members.len() < size {
            if children < 3 {
                self.child_or_other(1, Some(0));
            } else {
                let age = self.rng.between(18, 45);
                self.sibling(0, age);
            }
            children += 1;
        }
    }

    fn couple(&mut self, youngest: i32, oldest: i32) {
        let wife = self.rng.between(youngest, oldest);
        let husband = (wife + self.rng.around(3, 3)).clamp(21, 92);
        self.add_aged(Place::Head, husband, false, None);
        self.add_aged(Place::Spouse, wife, true, None);
    }

    fn grandparent(&mut self, second: bool) {
        let head_age = self.at.age(self.members[0].born);
        let age = (head_age + self.rng.between(21, 34)).clamp(46, 97);
        let female = second == (self.rng.below(100) < 20);
        self.add_aged(Place::Parent, age, female, None);
    }

    /// A child of the mother at that index; a sibling when no child of hers would live at home.
    fn child_or_other(&mut self, mother: usize, father: Option<usize>) {
        for _ in 0..6 {
            let age_at_birth = demography::age_at_birth(self.rng);
            let days = self.rng.between(0, 364);
            let born = self.members[mother]
                .born
                .plus_years(age_at_birth)
                .plus(days);
            let age = self.at.age(born);
            let mut siblings = self
                .members
                .iter()
                .filter(|other| other.mother == Some(mother));
            let spaced = siblings.all(|sibling| sibling.born.0.abs_diff(born.0) > 400);
            let at_home = age < 22 || self.rng.chance(if age < 32 { 5_500 } else { 1_500 });
            if born < self.at && spaced && at_home {
                let female = demography::born_female(self.rng);
                let family = self.members[father.unwrap_or(mother)].name.family;
                self.add(Place::Child, born, female, family, Some(mother), father);
                return;
            }
        }
        let age = self.rng.between(18, 60);
        self.sibling(0, age);
    }

    fn sibling(&mut self, of: usize, near: i32) {
        let age = (near + self.rng.between(-6, 6)).clamp(18, 90);
        let family = self.members[of].name.family;
        let female = self.rng.chance(5_000);
        self.add_aged(Place::Sibling, age, female, Some(family));
    }

    fn add_aged(
        &mut self,
        place: Place,
        age: i32,
        female: bool,
        family: Option<&'static str>,
    ) -> usize {
        let born = demography::birth_of_age(self.rng, self.at, age);
        let family = family.unwrap_or_else(|| names::family(self.rng));
        self.add(place, born, female, family, None, None)
    }

    fn add(
        &mut self,
        place: Place,
        born: Day,
        female: bool,
        family: &'static str,
        mother: Option<usize>,
        father: Option<usize>,
    ) -> usize {
        let (mut born, mut female) = (born, female);
        if self.cell_taken(born, female) {
            if place == Place::Child {
                female = !female;
            }
            while self.cell_taken(born, female) {
                born = born.plus_years(-1);
            }
        }
        let name = names::of_family(self.rng, family, female);
        self.members.push(Member {
            place,
            female,
            born,
            name,
            mother,
            father,
        });
        self.members.len() - 1
    }

    fn cell_taken(&self, born: Day, female: bool) -> bool {
        let taken = |member: &Member| member.female == female && member.born.year() == born.year();
        self.members.iter().any(taken)
    }
}
