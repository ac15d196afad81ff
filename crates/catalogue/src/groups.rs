//! Groups of non-communicable diseases as ranges of ICD-10 categories, with names in two languages.

use std::sync::OnceLock;

use crate::built_in;
use crate::code_key::CodeKey;

/// A group of diseases that programmes and indicators speak of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NcdGroup {
    /// The stable word for it (`hypertension`).
    pub key: Box<str>,
    /// The Vietnamese name.
    pub vi: Box<str>,
    /// The English name.
    pub en: Box<str>,
    /// Ranges of ICD-10 categories, both ends included (`I10` to `I15`).
    pub ranges: Vec<(Box<str>, Box<str>)>,
}

impl NcdGroup {
    /// Says whether an ICD-10 code, with or without dot, lies in the group.
    #[must_use]
    pub fn holds(&self, icd10_code: &str) -> bool {
        let key = CodeKey::new("icd10", icd10_code);
        let Some(category) = key.as_ref().and_then(|key| key.as_str().get(..3)) else {
            return false;
        };
        self.ranges
            .iter()
            .any(|(from, to)| (&**from..=&**to).contains(&category))
    }
}

/// All groups, in the order of the table.
#[must_use]
pub fn ncd_groups() -> &'static [NcdGroup] {
    static GROUPS: OnceLock<Vec<NcdGroup>> = OnceLock::new();
    GROUPS.get_or_init(|| {
        let mut groups: Vec<NcdGroup> = Vec::new();
        for row in built_in::rows(include_str!("../data/ncd_groups.csv")) {
            let cell = |at: usize| row.get(at).map(String::as_str).unwrap_or_default();
            let range = (cell(3).into(), cell(4).into());
            match groups.iter_mut().find(|group| &*group.key == cell(0)) {
                Some(group) => group.ranges.push(range),
                None => groups.push(NcdGroup {
                    key: cell(0).into(),
                    vi: cell(1).into(),
                    en: cell(2).into(),
                    ranges: vec![range],
                }),
            }
        }
        groups
    })
}

/// The groups that an ICD-10 code lies in; a code may lie in several.
pub fn ncd_groups_of(icd10_code: &str) -> impl Iterator<Item = &'static NcdGroup> {
    ncd_groups()
        .iter()
        .filter(move |group| group.holds(icd10_code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_fall_into_the_groups_of_their_ranges() {
        let cases = [
            ("I10", "hypertension cardiovascular"),
            ("E11.9", "diabetes"),
            ("J44.1", "copd"),
            ("J45", "asthma"),
            ("c50.9", "cancer"),
            ("F32.1", "mental_health depression"),
            ("G30.0†", "dementia"),
            ("N18.9", "ckd"),
            ("I63", "cardiovascular stroke"),
            ("Z00.0", ""),
            ("I1", ""),
        ];
        for (code, expected) in cases {
            let keys: Vec<_> = ncd_groups_of(code).map(|group| &*group.key).collect();
            assert_eq!(keys.join(" "), expected, "{code}");
        }
    }
}
