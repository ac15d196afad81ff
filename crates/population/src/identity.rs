//! Numbers that belong to nobody: personal numbers, insurance cards, event ids.
//!
//! Personal numbers take the province prefixes 099, 098 and 097, which were never assigned; the
//! rest is a real number's shape. Uniqueness rests on two facts: a serial belongs to one
//! household of a million, and no two members of a household share sex, century and year of birth.

use sokhoe_record::EventId;

use crate::calendar::Day;
use crate::household::HouseholdNumber;
use crate::rng::mixed;

/// Households to one prefix: a personal number ends in six digits.
const HOUSEHOLDS_PER_PREFIX: u64 = 1_000_000;

/// Households that personal numbers reach.
pub(crate) const HOUSEHOLDS_MAX: u64 = 3 * HOUSEHOLDS_PER_PREFIX;

/// The twelve digits of someone in that household.
pub(crate) fn personal_number(
    seed: u64,
    household: HouseholdNumber,
    born: Day,
    female: bool,
) -> String {
    let prefix = 99_u64.saturating_sub(household.0 / HOUSEHOLDS_PER_PREFIX);
    // 387,421 shares no factor with a million, so serials are a permutation of the households.
    let step = household.0 % HOUSEHOLDS_PER_PREFIX * 387_421;
    let serial = (step + mixed(seed) % HOUSEHOLDS_PER_PREFIX) % HOUSEHOLDS_PER_PREFIX;
    let year = born.year();
    let century_and_sex = 2 * (year / 100 - 19) + i32::from(female);
    format!("0{prefix:02}{century_and_sex}{:02}{serial:06}", year % 100)
}

/// The insurance card that goes with a personal number: an invented holder's group, province 99.
pub(crate) fn insurance_card(group: &str, personal_number: &str) -> String {
    let tail = personal_number.get(2..).unwrap_or_default();
    format!("{group}4{}{tail}", "99")
}

/// The id of the n-th event of a household: the same for ever under a seed.
pub(crate) fn event_id(seed: u64, household: HouseholdNumber, count: u32) -> EventId {
    let own = mixed(seed ^ 0x5ee1_90aa_17c3_0d2b).wrapping_add(household.0);
    let high = mixed(mixed(own) ^ u64::from(count));
    let low = mixed(high ^ own.rotate_left(32) ^ (u64::from(count) << 40));
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&high.to_be_bytes());
    bytes[8..].copy_from_slice(&low.to_be_bytes());
    // RFC 9562: version 8, made by our own rule.
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    EventId::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_personal_number_shows_century_sex_and_year() {
        let household = HouseholdNumber(0);
        let number = personal_number(1, household, Day::of(1985, 3, 7), true);
        assert_eq!(&number[..6], "099185");
        let number = personal_number(1, household, Day::of(2016, 3, 7), false);
        assert_eq!(&number[..6], "099216");
        assert_eq!(number.len(), 12);
    }

    #[test]
    fn serials_of_households_differ() {
        let mut seen = std::collections::HashSet::new();
        for household in (0..2_000).chain(1_000_000..1_002_000) {
            let born = Day::of(1985, 3, 7);
            assert!(seen.insert(personal_number(9, HouseholdNumber(household), born, false)));
        }
    }
}
