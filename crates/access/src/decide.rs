//! The one decision about reading a person's record: the table of defaults, the person's directives, and what follows.
//!
//! A pure function of who asks, why, how they stand to the person, what the person stated, and the moment. It names
//! every rule and directive that decided. Directives are about sharing: what a facility recorded itself it keeps
//! seeing, what others recorded opens and closes as the person states.

use sokhoe_record::{EventId, Instant, Label, Section};

use crate::defaults::{DEFAULT_OTHERWISE, DefaultEffect, Relation, default_for};
use crate::directive::{Directive, Precision};
use crate::policy::{Denial, Filter};
use crate::principal::{Principal, Purpose, Role};
use crate::rules::{READ_EMERGENCY, READ_NOTHING, READ_OWN, READ_PURPOSE, RuleId};

/// The version of the rules that decide; kept with every decision.
pub const POLICY_VERSION: &str = "built-in/1";

/// Sections of a record.
const SECTIONS: usize = Section::ALL.len();
/// Kinds of sensitivity: no label, or one of the labels.
const CLASSES: usize = 1 + Label::ALL.len();

/// What is known of a person when a read is decided.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PersonFacts {
    /// What the person stated, whether in force or not.
    pub directives: Vec<Directive>,
    /// The commune the person lives in.
    pub commune: Option<String>,
}

/// A glass that was broken, and is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmergencyGrant {
    /// The event that says so.
    pub event: EventId,
    /// Until when it opens anything.
    pub until: Instant,
}

/// What is to be decided.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// Why.
    pub purpose: Purpose,
    /// Whether the record is the caller's own, merges considered.
    pub own: bool,
    /// What is known of the person.
    pub facts: &'a PersonFacts,
    /// The glass that the caller broke for this person.
    pub emergency: Option<EmergencyGrant>,
    /// When.
    pub now: Instant,
}

/// Why entries are not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Because {
    /// Another facility recorded them and the person has not permitted it.
    NoDirective,
    /// A directive of the person denies them.
    Refused,
    /// They are labelled, and no directive names the label.
    Labelled,
    /// The glass that was broken does not open them.
    NotForEmergencies,
}

impl Because {
    /// Says it, without telling whether there are such entries.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::NoDirective => {
                "entries of another facility, which no directive of the person opens to this one"
            }
            Self::Refused => "entries of another facility, which a directive of the person refuses",
            Self::Labelled => {
                "entries under a label, if there are any, which need a directive that names the label"
            }
            Self::NotForEmergencies => "entries that breaking the glass does not open",
        }
    }
}

/// What a caller of a facility sees of one person: its own facility's entries, and of the others what is open.
///
/// Everything that an answer shows or leaves out follows from it, so answers may be kept by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sight {
    facility: String,
    /// Why entries of a class in a section are closed; `None` where they are open.
    closed: [[Option<Because>; SECTIONS]; CLASSES],
    names_withheld: bool,
}

impl Sight {
    /// Returns why an entry is not seen; `None` when it is.
    ///
    /// An entry of several sections is seen when all of them are open; a labelled one when each of its labels is.
    #[must_use]
    pub fn hides(
        &self,
        facility: Option<&str>,
        sections: &[Section],
        labels: &[Label],
    ) -> Option<Because> {
        if facility == Some(self.facility.as_str()) {
            return None;
        }
        if sections.is_empty() {
            return Some(Because::NoDirective);
        }
        let closed = |class: usize, section: &Section| self.cell(class, *section);
        if labels.is_empty() {
            return sections.iter().find_map(|section| closed(0, section));
        }
        let mut classes = labels.iter().map(|label| class_of(Some(*label)));
        classes.find_map(|class| sections.iter().find_map(|section| closed(class, section)))
    }

    fn cell(&self, class: usize, section: Section) -> Option<Because> {
        let row = self.closed.get(class);
        row.and_then(|row| row.get(section as usize).copied())
            .unwrap_or(Some(Because::NoDirective))
    }

    /// Returns the facility whose entries are seen in any case.
    #[must_use]
    pub fn facility(&self) -> &str {
        &self.facility
    }

    /// Whether the caller is told what is withheld even where nothing is seen, rather than that nobody is there.
    #[must_use]
    pub fn names_withheld(&self) -> bool {
        self.names_withheld
    }

    /// Returns bytes that differ wherever two sights of one facility do.
    #[must_use]
    pub fn fingerprint(&self) -> Vec<u8> {
        let code = |cell: &Option<Because>| cell.map_or(0, |because| 1 + because as u8);
        let cells = self.closed.iter().flatten().map(code);
        cells.chain([u8::from(self.names_withheld)]).collect()
    }

    /// Whether anything of other facilities is open.
    #[must_use]
    pub fn opens_anything(&self) -> bool {
        self.closed.iter().flatten().any(Option::is_none)
    }

    /// Returns the sections of which something is closed, with the reason, whether there are such entries or not.
    #[must_use]
    pub fn withheld(&self) -> Vec<(Section, Because)> {
        let of_section = |section: &Section| {
            let mut classes = (0..CLASSES).filter_map(|class| self.cell(class, *section));
            classes.next().map(|because| (*section, because))
        };
        Section::ALL.iter().filter_map(of_section).collect()
    }
}

/// What was decided about a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Everything may be seen.
    Permit,
    /// Something is withheld: which sections, and why.
    PermitWithheld(Vec<(Section, Because)>),
    /// Nothing may be seen.
    Deny {
        /// Why.
        denial: Denial,
        /// Whether the caller is answered as if nobody were there.
        looks_absent: bool,
    },
}

/// A decision about a read, with everything that decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What was decided.
    pub outcome: Outcome,
    /// How much of the record is seen; `None` when nothing is.
    pub filter: Option<Filter>,
    /// The rules that decided, each once.
    pub rules: Vec<RuleId>,
    /// The directives that decided, each once, by their events.
    pub directives: Vec<EventId>,
    /// The version of the rules.
    pub policy: &'static str,
}

impl Decision {
    fn denied(rule: RuleId, because: &'static str, looks_absent: bool) -> Self {
        let denial = Denial { rule, because };
        Self {
            outcome: Outcome::Deny {
                denial,
                looks_absent,
            },
            filter: None,
            rules: vec![rule],
            directives: Vec::new(),
            policy: POLICY_VERSION,
        }
    }
}

/// Decides how much of a person's record a caller sees. What no rule and no directive permits is not seen.
#[must_use]
pub fn decide(question: &Question<'_>) -> Decision {
    let principal = question.principal;
    if principal.role == Role::Citizen && principal.person.is_some() {
        if !question.own {
            let because = "a citizen reads their own record";
            return Decision::denied(READ_OWN, because, true);
        }
        return Decision {
            outcome: Outcome::Permit,
            filter: Some(Filter::All),
            rules: vec![READ_OWN],
            directives: Vec::new(),
            policy: POLICY_VERSION,
        };
    }
    let facility = (principal.facility.as_ref()).filter(|_| principal.role.staff());
    let Some(facility) = facility else {
        return Decision::denied(READ_NOTHING, "this role does not read records", false);
    };
    match question.purpose {
        Purpose::Research => {
            let because = "research reads through an approved study";
            Decision::denied(READ_PURPOSE, because, false)
        }
        Purpose::Emergency if !glass_is_broken(question) => {
            let because =
                "no glass is broken for this person, or the time it was broken for is over";
            Decision::denied(READ_EMERGENCY, because, false)
        }
        _ => shared(question, facility),
    }
}

fn glass_is_broken(question: &Question<'_>) -> bool {
    question
        .emergency
        .is_some_and(|grant| question.now <= grant.until)
}

/// The most precise directive about one class and section.
type Best = Option<(Precision, usize)>;

/// Decides cell by cell what other facilities recorded.
fn shared(question: &Question<'_>, facility: &str) -> Decision {
    let (principal, facts) = (question.principal, question.facts);
    let best = best_directives(question);
    let serves = principal.jurisdiction.is_some() && principal.jurisdiction == facts.commune;
    let relation = if serves {
        Relation::Area
    } else {
        Relation::Other
    };
    let mut rules: Vec<RuleId> = Vec::new();
    let mut directives: Vec<usize> = Vec::new();
    let recorded = default_for(
        principal.role,
        question.purpose,
        Relation::Recorded,
        Section::Demographics,
    );
    rules.extend(recorded.map(|rule| rule.id));
    let mut closed = [[Some(Because::NoDirective); SECTIONS]; CLASSES];
    for section in Section::ALL.iter().copied() {
        let rule = default_for(principal.role, question.purpose, relation, section);
        let id = rule.map_or(DEFAULT_OTHERWISE, |rule| rule.id);
        if !rules.contains(&id) {
            rules.push(id);
        }
        let Some(rule) = rule.filter(|rule| rule.effect != DefaultEffect::Deny) else {
            continue;
        };
        for (class, row) in closed.iter_mut().enumerate() {
            let stated = best.get(class).and_then(|row| row.get(section as usize));
            let stated = stated.copied().flatten().map(|(_, index)| index);
            let directive = stated.and_then(|index| facts.directives.get(index));
            if let Some(cell) = row.get_mut(section as usize) {
                let open = rule.effect == DefaultEffect::Permit && (class == 0 || rule.labelled);
                *cell = match directive {
                    Some(directive) if directive.denies() => Some(Because::Refused),
                    Some(_) => None,
                    None if open => None,
                    None => Some(because(question.purpose, class)),
                };
            }
            directives.extend(stated.filter(|index| !directives.contains(index)));
        }
    }
    let sight = Sight {
        facility: facility.to_owned(),
        closed,
        names_withheld: principal.role == Role::Clinician
            && matches!(question.purpose, Purpose::Treatment | Purpose::Emergency),
    };
    let withheld = sight.withheld();
    let outcome = if withheld.is_empty() {
        Outcome::Permit
    } else {
        Outcome::PermitWithheld(withheld)
    };
    let of = |index: usize| facts.directives.get(index).map(|directive| directive.id);
    Decision {
        outcome,
        filter: Some(Filter::Shared(sight)),
        rules,
        directives: directives.into_iter().filter_map(of).collect(),
        policy: POLICY_VERSION,
    }
}

/// Why a cell is closed that nobody stated anything about.
fn because(purpose: Purpose, class: usize) -> Because {
    match (purpose, class) {
        (Purpose::Emergency, _) => Because::NotForEmergencies,
        (_, 0) => Because::NoDirective,
        _ => Because::Labelled,
    }
}

/// Finds for every class and section the directive that wins.
fn best_directives(question: &Question<'_>) -> [[Best; SECTIONS]; CLASSES] {
    let mut best = [[None; SECTIONS]; CLASSES];
    for (index, directive) in question.facts.directives.iter().enumerate() {
        if directive.purpose != question.purpose || !directive.in_force(question.now) {
            continue;
        }
        let Some(precision) = directive.precision(question.principal) else {
            continue;
        };
        let labels = std::iter::once(None).chain(Label::ALL.iter().copied().map(Some));
        for (label, row) in labels.zip(&mut best) {
            if !directive.speaks_of(label) {
                continue;
            }
            for (section, cell) in Section::ALL.iter().zip(row) {
                let wins = cell.is_none_or(|(known, _)| precision > known);
                if directive.covers(*section) && wins {
                    *cell = Some((precision, index));
                }
            }
        }
    }
    best
}

fn class_of(label: Option<Label>) -> usize {
    label.map_or(0, |label| 1 + label as usize)
}

#[cfg(test)]
mod tests;
