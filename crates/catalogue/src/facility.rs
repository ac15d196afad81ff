//! The shape of facility codes and the invented facilities of the demonstration city. Which facilities
//! exist is not known here: they are registered by events.

use std::sync::OnceLock;

use crate::built_in;

/// Longest facility code.
const FACILITY_CHARS_MAX: usize = 64;

/// A facility code, told apart by its shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FacilityCode<'a> {
    /// Five digits of health insurance (QĐ 384/2019), the first two a province of before July 2025.
    Insurance {
        /// The province's number; 99 is no province and marks invented facilities.
        province: &'a str,
    },
    /// A GS1 global location number of 13 digits with a right check digit.
    Gln,
    /// Any other code of letters, digits and `.`, `_`, `-`, `/`, at most 64 characters.
    Local,
}

impl<'a> FacilityCode<'a> {
    /// Tells the shape of a code; `None` when no facility can be called so.
    #[must_use]
    pub fn parse(code: &'a str) -> Option<Self> {
        let digits = code.bytes().all(|byte| byte.is_ascii_digit());
        match code.len() {
            5 if digits => code.get(..2).map(|province| Self::Insurance { province }),
            13 if digits && gln_check_digit_fits(code) => Some(Self::Gln),
            1..=FACILITY_CHARS_MAX if code.bytes().all(is_code_byte) => Some(Self::Local),
            _ => None,
        }
    }
}

fn is_code_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/')
}

/// GS1: digits weighted 1, 3, 1, 3 … from the left of 13 sum to a multiple of ten.
fn gln_check_digit_fits(code: &str) -> bool {
    let weights = [1u32, 3].into_iter().cycle();
    let sum: u32 = code
        .bytes()
        .zip(weights)
        .map(|(byte, w)| u32::from(byte - b'0') * w)
        .sum();
    sum.is_multiple_of(10)
}

/// An invented facility of the demonstration city.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoFacility {
    /// The code; begins with 99, which is no province.
    pub code: Box<str>,
    /// The Vietnamese name.
    pub vi: Box<str>,
    /// The English name.
    pub en: Box<str>,
    /// `hospital`, `clinic`, `centre` or `station`.
    pub level: Box<str>,
    /// The commune it lies in, of the list of 1 July 2025.
    pub commune: Box<str>,
}

/// The invented facilities, `99001` first.
#[must_use]
pub fn demo_facilities() -> &'static [DemoFacility] {
    static FACILITIES: OnceLock<Vec<DemoFacility>> = OnceLock::new();
    FACILITIES.get_or_init(|| {
        let rows = built_in::rows(include_str!("../data/demo_facilities.csv"));
        let facility = |row: Vec<String>| {
            let mut cells = row.into_iter().map(String::into_boxed_str);
            let mut cell = || cells.next().unwrap_or_default();
            DemoFacility {
                code: cell(),
                vi: cell(),
                en: cell(),
                level: cell(),
                commune: cell(),
            }
        };
        rows.map(facility).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dates::day;
    use crate::{Catalogue, Check};

    #[test]
    fn facility_codes_are_told_apart_by_shape() {
        let cases = [
            ("79001", Some(FacilityCode::Insurance { province: "79" })),
            ("8934567890120", Some(FacilityCode::Gln)),
            ("8934567890127", Some(FacilityCode::Local)),
            ("fhir-synthea", Some(FacilityCode::Local)),
            ("", None),
            ("a b", None),
        ];
        for (code, shape) in cases {
            assert_eq!(FacilityCode::parse(code), shape, "{code}");
        }
    }

    #[test]
    fn demo_facilities_are_nobodys_and_lie_in_the_city() {
        let catalogue = Catalogue::built_in();
        assert_eq!(demo_facilities().first().map(|f| &*f.code), Some("99001"));
        for facility in demo_facilities() {
            assert!(facility.code.starts_with("99"));
            let commune = catalogue.check_commune(&facility.commune, day("2025-07-01"));
            assert!(matches!(commune, Check::Checked { .. }), "{facility:?}");
        }
    }
}
