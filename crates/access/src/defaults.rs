//! The table of defaults: what holds where the person has stated nothing, by role, purpose, relation and section.
//!
//! Silence is not consent. Every row names its ground; the decisions, `DEFAULTS.md` and its test all come from here.
//! The first row that fits decides; what no row fits is denied.

use std::fmt::Write;

use sokhoe_record::Section;

use crate::principal::{Purpose, Role};
use crate::rules::RuleId;

/// How a caller stands to what is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Relation {
    /// The record is the caller's own.
    Own,
    /// The entry was recorded by the caller's facility.
    Recorded,
    /// The person lives in the area that the caller serves, and the entry is another facility's.
    Area,
    /// None of these.
    Other,
}

impl Relation {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Own, Self::Recorded, Self::Area, Self::Other];

    const fn says(self) -> &'static str {
        match self {
            Self::Own => "own record",
            Self::Recorded => "recorded by the own facility",
            Self::Area => "recorded elsewhere, of a person of the own area",
            Self::Other => "recorded elsewhere",
        }
    }
}

/// What a row does where no directive speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DefaultEffect {
    /// It is seen.
    Permit,
    /// It is withheld until the person permits it.
    Withhold,
    /// It is denied, whatever the person states.
    Deny,
}

impl DefaultEffect {
    const fn word(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Withhold => "withhold",
            Self::Deny => "deny",
        }
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct DefaultRule {
    /// Stable id.
    pub id: RuleId,
    /// Who.
    pub roles: &'static [Role],
    /// Why they read.
    pub purposes: &'static [Purpose],
    /// How they stand to what they read.
    pub relations: &'static [Relation],
    /// Which sections.
    pub sections: &'static [Section],
    /// What holds.
    pub effect: DefaultEffect,
    /// Whether it holds for labelled entries too; where it does not, they are withheld.
    pub labelled: bool,
    /// On which ground.
    pub ground: &'static str,
}

const STAFF: &[Role] = &[Role::Hospital, Role::Clinician, Role::Station];
const CARE: &[Purpose] = &[
    Purpose::Treatment,
    Purpose::PatientRequest,
    Purpose::PublicHealth,
    Purpose::Operations,
];
const ELSEWHERE: &[Relation] = &[Relation::Area, Relation::Other];
const SILENCE: &str = "Decree 356 Art. 6 and Law on personal data Art. 9: silence is not consent; Art. 26.2: other care providers at the person's written request only";

/// What holds where no directive speaks.
pub const DEFAULTS: &[DefaultRule] = &[
    DefaultRule {
        id: RuleId("default.own"),
        roles: &[Role::Citizen],
        purposes: &[Purpose::PatientRequest],
        relations: &[Relation::Own],
        sections: Section::ALL,
        effect: DefaultEffect::Permit,
        labelled: true,
        ground: "Law on medical examination and treatment Art. 12, 69: the right to read one's record",
    },
    DefaultRule {
        id: RuleId("default.staff.recorded"),
        roles: STAFF,
        purposes: &[
            Purpose::Treatment,
            Purpose::Emergency,
            Purpose::PatientRequest,
            Purpose::PublicHealth,
            Purpose::Operations,
        ],
        relations: &[Relation::Recorded],
        sections: Section::ALL,
        effect: DefaultEffect::Permit,
        labelled: true,
        ground: "Law on medical examination and treatment Art. 69, Circular 33/2025: a facility keeps and uses the records it makes",
    },
    DefaultRule {
        id: RuleId("default.station.area"),
        roles: &[Role::Station],
        purposes: &[Purpose::Treatment, Purpose::PublicHealth],
        relations: &[Relation::Area],
        sections: &[Section::Demographics, Section::Vaccinations],
        effect: DefaultEffect::Permit,
        labelled: false,
        ground: "primary care of the people of its area: administrative data and vaccinations",
    },
    DefaultRule {
        id: RuleId("default.emergency"),
        roles: STAFF,
        purposes: &[Purpose::Emergency],
        relations: ELSEWHERE,
        // The blood group stands in demographics.
        sections: &[
            Section::Demographics,
            Section::Allergies,
            Section::Medications,
        ],
        effect: DefaultEffect::Permit,
        labelled: false,
        ground: "Law on personal data Art. 19.1: protection of life; only with the glass broken, a reason and a review",
    },
    DefaultRule {
        id: RuleId("default.emergency.rest"),
        roles: STAFF,
        purposes: &[Purpose::Emergency],
        relations: ELSEWHERE,
        sections: Section::ALL,
        effect: DefaultEffect::Withhold,
        labelled: true,
        ground: "an emergency opens what saves a life, not the whole record",
    },
    DefaultRule {
        id: RuleId("default.staff.elsewhere"),
        roles: STAFF,
        purposes: CARE,
        relations: ELSEWHERE,
        sections: Section::ALL,
        effect: DefaultEffect::Withhold,
        labelled: true,
        ground: SILENCE,
    },
    DefaultRule {
        id: RuleId("default.staff.research"),
        roles: STAFF,
        purposes: &[Purpose::Research],
        relations: &[Relation::Recorded, Relation::Area, Relation::Other],
        sections: Section::ALL,
        effect: DefaultEffect::Deny,
        labelled: true,
        ground: "research reads through an approved study",
    },
];

/// The rule that holds where no row does.
pub const DEFAULT_OTHERWISE: RuleId = RuleId("default.otherwise");

/// Finds the row for a case; `None` where what nobody permits is denied.
#[must_use]
pub fn default_for(
    role: Role,
    purpose: Purpose,
    relation: Relation,
    section: Section,
) -> Option<&'static DefaultRule> {
    DEFAULTS.iter().find(|rule| {
        rule.roles.contains(&role)
            && rule.purposes.contains(&purpose)
            && rule.relations.contains(&relation)
            && rule.sections.contains(&section)
    })
}

/// Returns the table as Markdown, as it stands in `DEFAULTS.md`: one line for each role, purpose, relation and effect.
#[must_use]
pub fn defaults_table() -> String {
    let mut table = String::from(
        "# What holds where the person has stated nothing\n\nGenerated from `src/defaults.rs`; a test keeps it true. \
         *Withhold*: a directive of the person opens it. *Deny*: none does. Roles, purposes and relations that are not \
         listed are denied (`default.otherwise`).\nLabelled entries are seen only where the row says so, or where a \
         directive that the person stated names the label.\n\n\
         | role | purpose | relation | sections | holds | labelled too | rule | ground |\n|---|---|---|---|---|---|---|---|\n",
    );
    for (role, purpose, relation) in cases() {
        let mut lines: Vec<(&DefaultRule, Vec<&str>)> = Vec::new();
        for section in Section::ALL.iter().copied() {
            let Some(rule) = default_for(role, purpose, relation, section) else {
                continue;
            };
            match lines.iter_mut().find(|(known, _)| known.id == rule.id) {
                Some((_, sections)) => sections.push(section.as_str()),
                None => lines.push((rule, vec![section.as_str()])),
            }
        }
        for (rule, sections) in lines {
            let sections = if sections.len() == Section::ALL.len() {
                "all".to_owned()
            } else {
                sections.join(", ")
            };
            let labelled = match (rule.effect, rule.labelled) {
                (DefaultEffect::Permit, true) => "yes",
                _ => "no",
            };
            let (says, holds) = (relation.says(), rule.effect.word());
            let _ = writeln!(
                table,
                "| {role} | {purpose} | {says} | {sections} | {holds} | {labelled} | `{}` | {} |",
                rule.id, rule.ground
            );
        }
    }
    table
}

fn cases() -> impl Iterator<Item = (Role, Purpose, Relation)> {
    let of_role = |role: Role| {
        Purpose::ALL.iter().flat_map(move |purpose| {
            (Relation::ALL.iter()).map(move |relation| (role, *purpose, *relation))
        })
    };
    Role::ALL.iter().copied().flat_map(of_role)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_written_table_is_the_one_in_force() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/DEFAULTS.md");
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            written == defaults_table(),
            "DEFAULTS.md should read:\n{}",
            defaults_table()
        );
    }

    #[test]
    fn nobody_sees_another_facility_s_entries_by_default_but_stations_of_the_area_and_in_emergencies()
     {
        for (role, purpose, relation) in cases() {
            for section in Section::ALL.iter().copied() {
                let Some(rule) = default_for(role, purpose, relation, section) else {
                    continue;
                };
                if rule.effect == DefaultEffect::Permit && ELSEWHERE.contains(&relation) {
                    let allowed = ["default.station.area", "default.emergency"];
                    assert!(
                        allowed.contains(&rule.id.0),
                        "{role} {purpose} {relation:?}"
                    );
                    assert!(!rule.labelled, "labels need a directive: {}", rule.id);
                }
            }
        }
    }

    #[test]
    fn auditors_and_aggregate_roles_see_no_contents() {
        for (role, purpose, relation) in cases() {
            if role.staff() || role == Role::Citizen {
                continue;
            }
            for section in Section::ALL.iter().copied() {
                assert!(
                    default_for(role, purpose, relation, section).is_none(),
                    "{role}"
                );
            }
        }
    }
}
