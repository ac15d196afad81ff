//! The decisions: may this caller append this event, may it read this record.
//!
//! Pure functions over the rows of [`crate::rules`]; every answer names its rule.
//! Invariant: what no rule permits is denied, and a denial says nothing about whether a person exists.

use sokhoe_record::{Kind, PersonId};

use crate::decide::Sight;
use crate::principal::{Principal, Purpose, PurposeError, Role, role_of_sender};
use crate::rules::{
    APPEND_NOTHING, APPEND_RULES, AppendRule, DIRECTIVES_NOTHING, DIRECTIVES_OWN, EXPLAIN_ANY,
    EXPLAIN_OWN, EXPLAIN_SELF, FIND_IDENTIFIER, GLASS, LOOKS_ANY, LOOKS_NOTHING, LOOKS_OWN,
    PROVE_ANY, PROVE_WARD, READ_FACILITY, READ_NOTHING, READ_OWN, READ_PURPOSE, RuleId,
    SERVER_ONLY, Scope,
};

/// How long a broken glass opens what an emergency needs, in microseconds.
pub const GLASS_OPEN_US: i64 = 4 * 3_600_000_000;
/// How much must be said about why the glass is broken.
const GLASS_REASON_CHARS: std::ops::RangeInclusive<usize> = 3..=500;

/// Everything a decision needs to know about an event that someone wants to append.
#[derive(Debug, Clone, Copy)]
pub struct AppendRequest<'a> {
    /// What the event is.
    pub kind: Kind,
    /// The facility that the event names.
    pub facility: Option<&'a str>,
    /// Whom the event is about, resolved; `None` for system streams and people not known yet.
    pub person: Option<PersonId>,
    /// For `correction_made`: the event to be corrected; `None` where it is not known.
    pub corrected: Option<Corrected<'a>>,
}

impl<'a> AppendRequest<'a> {
    /// Asks about an event that does not correct another.
    #[must_use]
    pub const fn of(kind: Kind, facility: Option<&'a str>, person: Option<PersonId>) -> Self {
        Self {
            kind,
            facility,
            person,
            corrected: None,
        }
    }
}

/// What a decision needs to know about the event that a correction names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corrected<'a> {
    /// The facility that it named.
    pub facility: Option<&'a str>,
    /// Whom it is about.
    pub person: Option<PersonId>,
    /// Who sent it, as stored with it.
    pub recorded_by: &'a str,
}

/// Why not, with the rule that says so; safe to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denial {
    /// The rule.
    pub rule: RuleId,
    /// What the rule asks for.
    pub because: &'static str,
}

/// The answer to "may this be appended".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendDecision<'a> {
    /// It may.
    Allowed {
        /// The rule that allows it.
        rule: RuleId,
        /// The facility to write into the event when it names none.
        facility: Option<&'a str>,
    },
    /// It may not.
    Denied(Denial),
}

/// How much of a record a reader sees.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Filter {
    /// All of it.
    All,
    /// The entries of one facility.
    OnlyFacility(String),
    /// The entries of one facility, and what one person opens to it of the others.
    Shared(Sight),
}

/// The answer to "may this be read".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadDecision {
    /// It may, as far as the filter lets through.
    Permit {
        /// The rule that permits it.
        rule: RuleId,
        /// How much is seen.
        filter: Filter,
    },
    /// The record looks absent to this reader.
    Hidden {
        /// The rule that hides it.
        rule: RuleId,
    },
    /// It may not.
    Denied(Denial),
}

/// Decides whether the caller may append the event.
///
/// ```
/// use sokhoe_access::{AppendDecision, AppendRequest, Principal, may_append};
/// use sokhoe_record::Kind;
///
/// let operator = Principal::operator("root");
/// let request = AppendRequest::of(Kind::EncounterRecorded, Some("99001"), None);
/// assert!(matches!(may_append(&operator, &request), AppendDecision::Allowed { .. }));
/// let request = AppendRequest::of(Kind::PersonErased, None, None);
/// assert!(matches!(may_append(&operator, &request), AppendDecision::Denied(_)));
/// ```
#[must_use]
pub fn may_append<'a>(principal: &'a Principal, request: &AppendRequest<'_>) -> AppendDecision<'a> {
    if request.kind.server_only() {
        let because = "only the server writes events of this kind";
        return AppendDecision::Denied(Denial {
            rule: SERVER_ONLY,
            because,
        });
    }
    let rule = APPEND_RULES
        .iter()
        .find(|rule| rule.roles.contains(&principal.role) && rule.kinds.hold(request.kind));
    match rule {
        Some(rule) if within(rule, principal, request) => AppendDecision::Allowed {
            rule: rule.id,
            facility: if principal.role.staff() {
                principal.facility.as_deref()
            } else {
                None
            },
        },
        Some(rule) => AppendDecision::Denied(Denial {
            rule: rule.id,
            because: rule.scope.says(),
        }),
        None => AppendDecision::Denied(Denial {
            rule: APPEND_NOTHING,
            because: "this role does not send events of this kind",
        }),
    }
}

fn within(rule: &AppendRule, principal: &Principal, request: &AppendRequest<'_>) -> bool {
    let own_facility = principal.facility.as_deref();
    let names_own_or_none = request.facility.is_none() || request.facility == own_facility;
    match rule.scope {
        Scope::Anything => true,
        Scope::OwnFacility => own_facility.is_some() && names_own_or_none,
        Scope::OwnPerson => is_own(principal, request.person),
        Scope::CorrectsOwnFacility => {
            own_facility.is_some()
                && names_own_or_none
                && request.corrected.is_some_and(|corrected| {
                    corrected.facility == own_facility && !reported_by_self(corrected.recorded_by)
                })
        }
        Scope::CorrectsOwnReport => {
            is_own(principal, request.person)
                && request.corrected.is_some_and(|corrected| {
                    is_own(principal, corrected.person) && reported_by_self(corrected.recorded_by)
                })
        }
    }
}

fn is_own(principal: &Principal, person: Option<PersonId>) -> bool {
    principal.person.is_some() && principal.person == person
}

fn reported_by_self(recorded_by: &str) -> bool {
    matches!(
        role_of_sender(recorded_by),
        Some(Role::Citizen | Role::Guardian)
    )
}

/// Determines the purpose of a read from the role and what the caller stated.
///
/// # Errors
/// Staff that state none, or a word that is no purpose of use.
pub fn purpose_of_read(role: Role, stated: Option<&str>) -> Result<Purpose, PurposeError> {
    match role.implied_purpose() {
        Some(implied) => Ok(implied),
        None => stated
            .ok_or(PurposeError::Missing)?
            .parse()
            .map_err(|_| PurposeError::Unknown),
    }
}

/// Decides whose events the caller may have proofs of beside those it may read: auditors of all, guardians of their ward.
///
/// `own` says whether the event is of the caller's own person. `None` for roles that read records: for them [`crate::decide`]
/// decides.
#[must_use]
pub fn may_prove(principal: &Principal, own: bool) -> Option<ReadDecision> {
    match principal.role {
        Role::Auditor => Some(permit_all(PROVE_ANY)),
        Role::Guardian if own => Some(permit_all(PROVE_WARD)),
        Role::Guardian => Some(ReadDecision::Hidden { rule: PROVE_WARD }),
        _ => None,
    }
}

/// Decides who may see who looked at a record: the person, their guardian, and auditors.
#[must_use]
pub fn may_see_looks(principal: &Principal, own: bool) -> ReadDecision {
    match principal.role {
        Role::Auditor => permit_all(LOOKS_ANY),
        Role::Citizen | Role::Guardian if own => permit_all(LOOKS_OWN),
        Role::Citizen | Role::Guardian => ReadDecision::Hidden { rule: LOOKS_OWN },
        _ => ReadDecision::Denied(Denial {
            rule: LOOKS_NOTHING,
            because: "who looked is shown to the person, their guardian and auditors",
        }),
    }
}

/// Decides who may see and change a person's directives: the person, and their guardian.
#[must_use]
pub fn may_see_directives(principal: &Principal, own: bool) -> ReadDecision {
    match principal.role {
        Role::Citizen | Role::Guardian if own => permit_all(DIRECTIVES_OWN),
        Role::Citizen | Role::Guardian => ReadDecision::Hidden {
            rule: DIRECTIVES_OWN,
        },
        _ => ReadDecision::Denied(Denial {
            rule: DIRECTIVES_NOTHING,
            because: "directives are shown to the person and their guardian",
        }),
    }
}

/// Decides who may ask what somebody could see of a person: the person, their guardian and auditors about everybody, staff
/// about themselves.
#[must_use]
pub fn may_explain(principal: &Principal, own: bool, about_self: bool) -> ReadDecision {
    match principal.role {
        Role::Auditor => permit_all(EXPLAIN_ANY),
        Role::Citizen | Role::Guardian if own => permit_all(EXPLAIN_OWN),
        Role::Citizen | Role::Guardian => ReadDecision::Hidden { rule: EXPLAIN_OWN },
        role if role.staff() && about_self => permit_all(EXPLAIN_SELF),
        _ => ReadDecision::Denied(Denial {
            rule: EXPLAIN_SELF,
            because: "staff ask about themselves; leave viewer out",
        }),
    }
}

const fn permit_all(rule: RuleId) -> ReadDecision {
    ReadDecision::Permit {
        rule,
        filter: Filter::All,
    }
}

/// Decides whether the caller may break the glass: open for a while, with a reason, what an emergency needs.
///
/// # Errors
/// Why not.
pub fn may_break_glass(principal: &Principal, reason: &str) -> Result<RuleId, Denial> {
    let because = if !principal.role.staff() || principal.facility.is_none() {
        "only a facility's staff break the glass"
    } else if !GLASS_REASON_CHARS.contains(&reason.trim().chars().count()) {
        "the header Sokhoe-Reason says why, in 3 to 500 characters, percent-encoded"
    } else {
        return Ok(GLASS);
    };
    Err(Denial {
        rule: GLASS,
        because,
    })
}

/// Decides whether the caller finds anybody by a whole identifier, such as that of a card in their hand.
#[must_use]
pub fn finds_by_identifier(principal: &Principal, purpose: Purpose) -> Option<RuleId> {
    let treats = matches!(purpose, Purpose::Treatment | Purpose::Emergency);
    (principal.role == Role::Clinician && principal.facility.is_some() && treats)
        .then_some(FIND_IDENTIFIER)
}

/// Decides what a search may find: staff find people with entries of their facility, a citizen finds only themselves.
#[must_use]
pub fn may_search(principal: &Principal, purpose: Purpose) -> ReadDecision {
    if principal.role == Role::Citizen && principal.person.is_some() {
        return ReadDecision::Permit {
            rule: READ_OWN,
            filter: Filter::All,
        };
    }
    let Some(facility) = principal
        .facility
        .as_ref()
        .filter(|_| principal.role.staff())
    else {
        return ReadDecision::Denied(Denial {
            rule: READ_NOTHING,
            because: "this role does not read records",
        });
    };
    match purpose {
        Purpose::Research => ReadDecision::Denied(Denial {
            rule: READ_PURPOSE,
            because: "research reads through an approved study",
        }),
        Purpose::Treatment
        | Purpose::Emergency
        | Purpose::PatientRequest
        | Purpose::PublicHealth
        | Purpose::Operations => ReadDecision::Permit {
            rule: READ_FACILITY,
            filter: Filter::OnlyFacility(facility.clone()),
        },
    }
}

#[cfg(test)]
mod tests;
