//! The rules as data: who may append what, who may read what, each with a stable id.
//!
//! The decisions, the table in `RULES.md` and its test all come from here. What no row permits is denied.

use std::fmt;

use sokhoe_record::Kind;

use crate::principal::Role;

/// The stable name of a rule, kept with every decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuleId(pub &'static str);

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Which kinds of event a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kinds {
    /// Every kind that is not written by the server alone.
    EveryOpen,
    /// These.
    These(&'static [Kind]),
}

impl Kinds {
    /// Whether the rule is about this kind.
    #[must_use]
    pub fn hold(self, kind: Kind) -> bool {
        match self {
            Self::EveryOpen => !kind.server_only(),
            Self::These(kinds) => kinds.contains(&kind),
        }
    }
}

/// What a rule asks of the event beyond its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Nothing.
    Anything,
    /// The event's facility is the token's; a missing one is filled with it.
    OwnFacility,
    /// The event is about the token's person.
    OwnPerson,
    /// The corrected event is the token's facility's, and was not reported by a citizen.
    CorrectsOwnFacility,
    /// The corrected event is about the token's person and was reported by citizen or guardian.
    CorrectsOwnReport,
}

impl Scope {
    /// Says, for the caller, what the scope asks for.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::Anything => "any event",
            Self::OwnFacility => "the event's facility must be the token's own",
            Self::OwnPerson => "the event must be about the token's own person",
            Self::CorrectsOwnFacility => "only events of the token's own facility may be corrected",
            Self::CorrectsOwnReport => "only one's own reports may be corrected",
        }
    }
}

/// One row: these roles may append these kinds within this scope.
#[derive(Debug, Clone, Copy)]
pub struct AppendRule {
    /// Stable id.
    pub id: RuleId,
    /// Who.
    pub roles: &'static [Role],
    /// What.
    pub kinds: Kinds,
    /// Within which bounds.
    pub scope: Scope,
}

/// One row: these roles read this much of a record.
#[derive(Debug, Clone, Copy)]
pub struct ReadRule {
    /// Stable id.
    pub id: RuleId,
    /// Who.
    pub roles: &'static [Role],
    /// What they read, or that they read nothing, in words.
    pub says: &'static str,
}

const STAFF: &[Role] = &[Role::Hospital, Role::Clinician, Role::Station];
const SELVES: &[Role] = &[Role::Citizen, Role::Guardian];

const CLINICAL: &[Kind] = &[
    Kind::PersonRegistered,
    Kind::DemographicsChanged,
    Kind::IdentifierLinked,
    Kind::PeopleMerged,
    Kind::PeopleUnmerged,
    Kind::PersonDied,
    Kind::FamilyLinked,
    Kind::EncounterRecorded,
    Kind::ObservationRecorded,
    Kind::ConditionRecorded,
    Kind::ConditionResolved,
    Kind::AllergyRecorded,
    Kind::MedicationRecorded,
    Kind::ProcedureRecorded,
    Kind::VaccinationRecorded,
    Kind::PregnancyRecorded,
    Kind::BirthRecorded,
    Kind::DocumentAttached,
    Kind::RiskFactorsReported,
    Kind::FamilyHistoryReported,
    Kind::ProgrammeEnrolled,
    Kind::ProgrammeLeft,
    Kind::AppointmentMade,
    Kind::AppointmentMissed,
    Kind::ContactAttempted,
    Kind::RiskAssessed,
    Kind::ResourceKept,
];

/// What people state at a facility's counter and its staff write down, with the evidence in the event.
const STATED: &[Kind] = &[
    Kind::SelfReportSubmitted,
    Kind::DisputeRaised,
    Kind::ConsentGranted,
    Kind::ConsentWithdrawn,
    Kind::SecondaryUseRefused,
    Kind::SecondaryUseAllowed,
    Kind::GuardianAppointed,
    Kind::GuardianEnded,
    Kind::RequestMade,
    Kind::RequestDecided,
];

const OWN: &[Kind] = &[
    Kind::SelfReportSubmitted,
    Kind::RiskFactorsReported,
    Kind::FamilyHistoryReported,
    Kind::DocumentAttached,
    Kind::DisputeRaised,
    Kind::ConsentGranted,
    Kind::ConsentWithdrawn,
    Kind::SecondaryUseRefused,
    Kind::SecondaryUseAllowed,
    Kind::RequestMade,
];

/// Who may append what; the first row that names role and kind decides.
pub const APPEND_RULES: &[AppendRule] = &[
    AppendRule {
        id: RuleId("append.operator"),
        roles: &[Role::Operator],
        kinds: Kinds::EveryOpen,
        scope: Scope::Anything,
    },
    AppendRule {
        id: RuleId("append.staff.clinical"),
        roles: STAFF,
        kinds: Kinds::These(CLINICAL),
        scope: Scope::OwnFacility,
    },
    AppendRule {
        id: RuleId("append.staff.stated"),
        roles: STAFF,
        kinds: Kinds::These(STATED),
        scope: Scope::OwnFacility,
    },
    AppendRule {
        id: RuleId("append.staff.correction"),
        roles: STAFF,
        kinds: Kinds::These(&[Kind::CorrectionMade]),
        scope: Scope::CorrectsOwnFacility,
    },
    AppendRule {
        id: RuleId("append.hospital.places"),
        roles: &[Role::Hospital],
        kinds: Kinds::These(&[Kind::FacilityRegistered, Kind::PractitionerRegistered]),
        // A bundle names the places and professionals that its entries mention, the hospital's own or not;
        // what a hospital says of others stays its own statement.
        scope: Scope::OwnFacility,
    },
    AppendRule {
        id: RuleId("append.admin.places"),
        roles: &[Role::Admin],
        kinds: Kinds::These(&[Kind::FacilityRegistered, Kind::PractitionerRegistered]),
        scope: Scope::Anything,
    },
    AppendRule {
        id: RuleId("append.own"),
        roles: SELVES,
        kinds: Kinds::These(OWN),
        scope: Scope::OwnPerson,
    },
    AppendRule {
        id: RuleId("append.own.correction"),
        roles: SELVES,
        kinds: Kinds::These(&[Kind::CorrectionMade]),
        scope: Scope::CorrectsOwnReport,
    },
];

/// The kinds that only the server writes.
pub(crate) const SERVER_ONLY: RuleId = RuleId("append.server_only");
/// The rule that holds where no row does.
pub(crate) const APPEND_NOTHING: RuleId = RuleId("append.otherwise");

pub(crate) const READ_OWN: RuleId = RuleId("read.own");
pub(crate) const READ_FACILITY: RuleId = RuleId("read.staff.facility");
pub(crate) const READ_EMERGENCY: RuleId = RuleId("read.staff.emergency");
pub(crate) const READ_PURPOSE: RuleId = RuleId("read.staff.purpose");
pub(crate) const READ_NOTHING: RuleId = RuleId("read.otherwise");

/// Who may read a record.
pub const READ_RULES: &[ReadRule] = &[
    ReadRule {
        id: READ_OWN,
        roles: &[Role::Citizen],
        says: "the whole of one's own record; everybody else's looks absent",
    },
    ReadRule {
        id: READ_FACILITY,
        roles: STAFF,
        says: "find people with entries of the own facility, and follow its events; of one person's record DEFAULTS.md says more",
    },
    ReadRule {
        id: READ_EMERGENCY,
        roles: STAFF,
        says: "denied for ETREAT while no glass is broken for the person",
    },
    ReadRule {
        id: READ_PURPOSE,
        roles: STAFF,
        says: "denied for HRESCH: research reads through an approved study",
    },
    ReadRule {
        id: READ_NOTHING,
        roles: &[
            Role::Guardian,
            Role::Auditor,
            Role::Epidemiologist,
            Role::Researcher,
            Role::Department,
            Role::Dashboard,
            Role::Admin,
            Role::Operator,
        ],
        says: "denied: this role does not read records",
    },
];

pub(crate) const GLASS: RuleId = RuleId("glass.staff");
pub(crate) const FIND_IDENTIFIER: RuleId = RuleId("find.clinician.identifier");
pub(crate) const DIRECTIVES_OWN: RuleId = RuleId("directives.own");
pub(crate) const DIRECTIVES_NOTHING: RuleId = RuleId("directives.otherwise");
pub(crate) const EXPLAIN_OWN: RuleId = RuleId("explain.own");
pub(crate) const EXPLAIN_ANY: RuleId = RuleId("explain.auditor");
pub(crate) const EXPLAIN_SELF: RuleId = RuleId("explain.staff");
pub(crate) const LOOKS_OWN: RuleId = RuleId("looks.own");
pub(crate) const LOOKS_ANY: RuleId = RuleId("looks.auditor");
pub(crate) const LOOKS_NOTHING: RuleId = RuleId("looks.otherwise");

/// Who may see who looked, who finds whom, and who breaks the glass.
pub const LOOKS_RULES: &[ReadRule] = &[
    ReadRule {
        id: LOOKS_OWN,
        roles: SELVES,
        says: "who looked at one's own record, or the ward's",
    },
    ReadRule {
        id: LOOKS_ANY,
        roles: &[Role::Auditor],
        says: "who looked at any record, never what was seen",
    },
    ReadRule {
        id: LOOKS_NOTHING,
        roles: STAFF,
        says: "denied: who looked is shown to the person, their guardian and auditors",
    },
    ReadRule {
        id: DIRECTIVES_OWN,
        roles: SELVES,
        says: "one's own directives, or the ward's, and who they speak of",
    },
    ReadRule {
        id: DIRECTIVES_NOTHING,
        roles: STAFF,
        says: "denied: directives are shown to the person and their guardian",
    },
    ReadRule {
        id: EXPLAIN_OWN,
        roles: SELVES,
        says: "what anybody could see of one's own record, or the ward's, and why",
    },
    ReadRule {
        id: EXPLAIN_ANY,
        roles: &[Role::Auditor],
        says: "what anybody could see of any record, and why",
    },
    ReadRule {
        id: EXPLAIN_SELF,
        roles: STAFF,
        says: "what they themselves could see of a person whom they may know of, and why",
    },
    ReadRule {
        id: FIND_IDENTIFIER,
        roles: &[Role::Clinician],
        says: "find anybody by a whole identifier, for TREAT and ETREAT",
    },
    ReadRule {
        id: GLASS,
        roles: STAFF,
        says: "break the glass with a reason of 3 to 500 characters: opens for four hours what DEFAULTS.md says for ETREAT",
    },
];

pub(crate) const PROVE_ANY: RuleId = RuleId("prove.auditor");
pub(crate) const PROVE_WARD: RuleId = RuleId("prove.guardian");

/// Who, beside those that read the record, may have proofs of its events: hashes and headers, nothing that events say.
pub const PROVE_RULES: &[ReadRule] = &[
    ReadRule {
        id: PROVE_ANY,
        roles: &[Role::Auditor],
        says: "proofs of every event",
    },
    ReadRule {
        id: PROVE_WARD,
        roles: &[Role::Guardian],
        says: "proofs of the ward's events; everybody else's look absent",
    },
];

/// Returns what a rule says, in words: of the table of defaults its ground.
#[must_use]
pub fn rule_says(id: RuleId) -> Option<&'static str> {
    let read = READ_RULES.iter().chain(LOOKS_RULES).chain(PROVE_RULES);
    let said = read.filter(|rule| rule.id == id).map(|rule| rule.says);
    let defaults = crate::defaults::DEFAULTS.iter();
    let grounds = defaults
        .filter(|rule| rule.id == id)
        .map(|rule| rule.ground);
    said.chain(grounds).next()
}

/// Returns the table of all rules as Markdown, as it stands in `RULES.md`.
#[must_use]
pub fn rules_table() -> String {
    let mut table = String::from(
        "# Who may do what\n\nGenerated from `src/rules.rs`; a test keeps it true. What no rule permits is denied.\n\n\
         | rule | roles | about | bounds |\n|---|---|---|---|\n",
    );
    for rule in APPEND_RULES {
        let kinds = match rule.kinds {
            Kinds::EveryOpen => "every kind that senders may send".to_owned(),
            Kinds::These(kinds) => words(kinds.iter().map(|kind| kind.as_str())),
        };
        let roles = words(rule.roles.iter().map(|role| role.word()));
        table += &format!(
            "| `{}` | {roles} | append {kinds} | {} |\n",
            rule.id,
            rule.scope.says()
        );
    }
    table += &format!("| `{SERVER_ONLY}` | all | append what only the server writes | denied |\n");
    table += &format!("| `{APPEND_NOTHING}` | all | append anything else | denied |\n");
    for rule in READ_RULES {
        let roles = words(rule.roles.iter().map(|role| role.word()));
        table += &format!("| `{}` | {roles} | read | {} |\n", rule.id, rule.says);
    }
    for rule in LOOKS_RULES {
        let roles = words(rule.roles.iter().map(|role| role.word()));
        table += &format!("| `{}` | {roles} | look | {} |\n", rule.id, rule.says);
    }
    for rule in PROVE_RULES {
        let roles = words(rule.roles.iter().map(|role| role.word()));
        table += &format!("| `{}` | {roles} | prove | {} |\n", rule.id, rule.says);
    }
    table
}

fn words<'a>(list: impl Iterator<Item = &'a str>) -> String {
    list.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_written_table_is_the_rules_in_force() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/RULES.md");
        let written = std::fs::read_to_string(path).unwrap();
        assert!(
            written == rules_table(),
            "RULES.md should read:\n{}",
            rules_table()
        );
    }

    #[test]
    fn rule_ids_are_unique() {
        let ids = APPEND_RULES.iter().map(|rule| rule.id).chain(
            READ_RULES
                .iter()
                .chain(PROVE_RULES)
                .chain(LOOKS_RULES)
                .map(|r| r.id),
        );
        let mut seen = HashSet::from([SERVER_ONLY, APPEND_NOTHING]);
        for id in ids {
            assert!(seen.insert(id), "{id} twice");
        }
    }

    #[test]
    fn no_rule_lets_a_sender_write_what_only_the_server_writes() {
        for kind in Kind::ALL.iter().copied().filter(|kind| kind.server_only()) {
            assert!(
                APPEND_RULES.iter().all(|rule| !rule.kinds.hold(kind)),
                "{}",
                kind.as_str()
            );
        }
    }
}
