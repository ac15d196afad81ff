//! Which labels a code demands, whatever its sender says: HIV, mental health, reproductive health,
//! substance use and tuberculosis, by diagnosis, drug and test.

use std::sync::OnceLock;

use sokhoe_record::Label;

use crate::built_in;
use crate::code_key::CodeKey;

/// A set of labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Labels(u8);

impl Labels {
    /// Says whether there is no label.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The labels of both sets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The labels, in the order of their words.
    pub fn iter(self) -> impl Iterator<Item = Label> {
        Label::ALL
            .iter()
            .copied()
            .filter(move |label| self.0 & Self::of(*label).0 != 0)
    }

    const fn of(label: Label) -> Self {
        Self(1 << label as u8)
    }
}

struct Rule {
    exact: bool,
    from: Box<str>,
    to: Box<str>,
    labels: Labels,
}

#[derive(Default)]
struct Rules {
    icd10: Vec<Rule>,
    atc: Vec<Rule>,
    loinc: Vec<Rule>,
    snomed: Vec<Rule>,
}

impl Rules {
    fn of(&mut self, system: &str) -> &mut Vec<Rule> {
        match system {
            "icd10" => &mut self.icd10,
            "atc" => &mut self.atc,
            "loinc" => &mut self.loinc,
            "snomed" => &mut self.snomed,
            _ => unreachable!("the built-in table names four systems; a test reads it"),
        }
    }
}

impl Rule {
    fn holds(&self, key: &str) -> bool {
        if self.exact {
            return key == &*self.from;
        }
        let Some(start) = key.get(..self.from.len()) else {
            return false;
        };
        (&*self.from..=&*self.to).contains(&start)
    }
}

pub(crate) fn labels_for(system: &str, code: &str) -> Labels {
    let rules = match system {
        "icd10" => &rules().icd10,
        "atc" => &rules().atc,
        "loinc" => &rules().loinc,
        "snomed" => &rules().snomed,
        _ => return Labels::default(),
    };
    let Some(key) = CodeKey::new(system, code) else {
        return Labels::default();
    };
    let holding = rules.iter().filter(|rule| rule.holds(key.as_str()));
    holding.fold(Labels::default(), |labels, rule| labels.union(rule.labels))
}

fn rules() -> &'static Rules {
    static RULES: OnceLock<Rules> = OnceLock::new();
    RULES.get_or_init(|| {
        let mut rules = Rules::default();
        for row in built_in::rows(include_str!("../data/labels.csv")) {
            let cell = |at: usize| row.get(at).map(String::as_str).unwrap_or_default();
            let label = Label::from_word(cell(4)).expect("checked by tests");
            rules.of(cell(0)).push(Rule {
                exact: cell(1) == "exact",
                from: cell(2).into(),
                to: cell(3).into(),
                labels: Labels::of(label),
            });
        }
        rules
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(system: &str, code: &str) -> String {
        labels_for(system, code)
            .iter()
            .map(Label::as_str)
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn codes_demand_their_labels() {
        let cases = [
            ("icd10", "B20", "hiv"),
            ("icd10", "b24.9", "hiv"),
            ("icd10", "B25", ""),
            ("icd10", "F32.1", "mental_health"),
            ("icd10", "F10.2", "mental_health substance_use"),
            ("icd10", "F02.4*", "hiv mental_health"),
            ("icd10", "A17.0†", "tuberculosis"),
            ("icd10", "O80.0", "reproductive"),
            ("icd10", "O98.7", "hiv reproductive"),
            ("icd10", "Z34", "reproductive"),
            ("icd10", "I10", ""),
            ("icd10", "", ""),
            ("atc", "J05AR10", "hiv"),
            ("atc", "J05AF10", ""),
            ("atc", "J04AC01", "tuberculosis"),
            ("loinc", "75622-1", "hiv"),
            ("snomed", "86406008", "hiv"),
            ("snomed", "864060081", ""),
            ("drug-vn", "B20", ""),
        ];
        for (system, code, expected) in cases {
            assert_eq!(words(system, code), expected, "{system} {code}");
        }
    }

    #[test]
    fn bounds_of_a_rule_have_one_length() {
        let Rules {
            icd10,
            atc,
            loinc,
            snomed,
        } = rules();
        for rule in [icd10, atc, loinc, snomed].into_iter().flatten() {
            assert!(
                rule.from.len() == rule.to.len() && rule.from <= rule.to,
                "{}",
                rule.from
            );
        }
    }
}
