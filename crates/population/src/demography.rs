//! The published numbers that households and lives are drawn from, as integer tables.
//!
//! Sources: UN World Population Prospects 2019 for Viet Nam (CC BY 3.0 IGO), rounded: deaths in
//! a year at 2015–2020 rates and births by the mother's age; the 2019 census for household size.

use crate::calendar::Day;
use crate::rng::Rng;

/// Deaths in a year among 100,000, by age: (from age, male, female).
const DEATHS: [(i32, u32, u32); 22] = [
    (0, 1_919, 1_451),
    (1, 136, 76),
    (5, 53, 51),
    (10, 46, 47),
    (15, 100, 48),
    (20, 161, 56),
    (25, 202, 66),
    (30, 237, 77),
    (35, 282, 108),
    (40, 400, 152),
    (45, 562, 214),
    (50, 914, 330),
    (55, 1_344, 547),
    (60, 1_811, 812),
    (65, 2_848, 1_453),
    (70, 4_137, 2_349),
    (75, 5_978, 3_770),
    (80, 8_567, 5_990),
    (85, 12_125, 9_369),
    (90, 16_869, 14_322),
    (95, 22_943, 21_194),
    (100, 31_818, 31_629),
];

/// The mother's age at a birth: (from age, share of 1,000 births), five years each.
const MOTHERS: [(i32, u32); 7] = [
    (15, 75),
    (20, 278),
    (25, 329),
    (30, 208),
    (35, 85),
    (40, 22),
    (45, 3),
];

/// The sizes of twenty households: 70 people, 3.5 to a household.
pub(crate) const SIZES: [u8; 20] = [4, 4, 3, 5, 3, 3, 1, 2, 2, 4, 7, 2, 5, 1, 4, 3, 2, 6, 5, 4];

/// People in one turn of [`SIZES`].
pub(crate) const PEOPLE_PER_TURN: u64 = 70;

/// Whether someone of that age and sex dies within the year that begins.
pub(crate) fn dies_within_year(rng: &mut Rng, age: i32, female: bool) -> bool {
    let row = DEATHS
        .iter()
        .rev()
        .find(|row| row.0 <= age)
        .unwrap_or(&DEATHS[0]);
    let deaths = if female { row.2 } else { row.1 };
    rng.below(100_000) < deaths
}

/// A mother's age in years at the birth of a child.
pub(crate) fn age_at_birth(rng: &mut Rng) -> i32 {
    let band = MOTHERS[rng.weighted(&MOTHERS.map(|(_, share)| share))].0;
    // Below 17 is left out: rare, and a story of its own.
    (band + rng.between(0, 4)).max(17)
}

/// The day someone who is `age` years old on `day` was born.
pub(crate) fn birth_of_age(rng: &mut Rng, day: Day, age: i32) -> Day {
    day.plus_years(-age).plus(-rng.between(0, 364))
}

/// True for a girl: 112 boys are born to 100 girls.
pub(crate) fn born_female(rng: &mut Rng) -> bool {
    rng.chance(4_717)
}
