//! A person's directives as decisions use them: whom each speaks of, when it holds, and which of two wins.
//!
//! The more precise wins: first by whom it names (a professional before a facility before a role before anyone who
//! treats), then by what it names (labels before sections before everything). Of two that are equally precise, the
//! one that denies wins. A directive outside its period is as if it were not there.

use std::collections::HashMap;

use sokhoe_record::{
    Effect, EventId, Instant, Label, PersonId, Recipient, RecordedEvent, Section, consents,
};

use crate::principal::{Principal, Purpose, Role, role_of_sender};

/// What a person allowed or refused, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// The event that states it; what a decision names.
    pub id: EventId,
    /// For which purpose, and no other.
    pub purpose: Purpose,
    /// Whom it speaks of.
    pub to: Recipient,
    /// Which sections; all when empty.
    pub sections: Vec<Section>,
    /// Which labels. When empty a permit opens nothing that is labelled, a denial closes everything.
    pub labels: Vec<Label>,
    /// What it does.
    pub effect: Effect,
    /// The first microsecond at which it holds.
    pub from_us: i64,
    /// The last microsecond at which it holds; `i64::MAX` without an end.
    pub until_us: i64,
    /// Whether the person, or who acts for them, stated it themselves. What staff write down opens no labels.
    pub own_words: bool,
}

/// How exactly a directive speaks of a case; the larger wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Precision {
    recipient: u8,
    scope: u8,
    /// Last: at equal precision a denial wins.
    denies: bool,
}

impl Directive {
    /// Whether it holds at a moment.
    #[must_use]
    pub fn in_force(&self, now: Instant) -> bool {
        (self.from_us..=self.until_us).contains(&now.micros())
    }

    /// Whether it denies.
    #[must_use]
    pub fn denies(&self) -> bool {
        self.effect == Effect::Deny
    }

    /// Returns how precisely it speaks of this caller; `None` when it does not.
    pub(crate) fn precision(&self, principal: &Principal) -> Option<Precision> {
        let recipient = match &self.to {
            Recipient::Professional(id) if *id == principal.sub => 3,
            Recipient::Facility(code) if Some(code) == principal.facility.as_ref() => 2,
            Recipient::Role(role) if role == principal.role.word() => 1,
            Recipient::AnyoneTreating if treats(principal.role, self.purpose) => 0,
            _ => return None,
        };
        let scope = match (self.labels.is_empty(), self.sections.is_empty()) {
            (false, _) => 2,
            (true, false) => 1,
            (true, true) => 0,
        };
        Some(Precision {
            recipient,
            scope,
            denies: self.denies(),
        })
    }

    /// Whether it speaks of a section.
    pub(crate) fn covers(&self, section: Section) -> bool {
        self.sections.is_empty() || self.sections.contains(&section)
    }

    /// Whether it speaks of entries with this label, or of entries with none.
    pub(crate) fn speaks_of(&self, label: Option<Label>) -> bool {
        match label {
            None => self.labels.is_empty(),
            Some(label) if self.labels.contains(&label) => self.denies() || self.own_words,
            Some(_) => self.labels.is_empty() && self.denies(),
        }
    }
}

fn treats(role: Role, purpose: Purpose) -> bool {
    role.staff() && matches!(purpose, Purpose::Treatment | Purpose::Emergency)
}

/// Gathers the directives that a person's events state, corrections and withdrawals applied, in the order of time.
///
/// `events` are those of every member of the record, up to the moment that is decided about.
#[must_use]
pub fn directives(person: PersonId, events: &[RecordedEvent]) -> Vec<Directive> {
    let senders: HashMap<EventId, &str> = events
        .iter()
        .map(|event| (event.event.event_id, event.recorded_by.as_str()))
        .collect();
    let own_words = |id: &EventId| {
        let sender = senders.get(id).copied().unwrap_or_default();
        let role = role_of_sender(sender);
        matches!(role, Some(Role::Citizen | Role::Guardian | Role::Operator))
    };
    let stated = consents(person, events).directives;
    let directive = |entry: sokhoe_record::Entry<sokhoe_record::fold::Directive>| {
        let id = entry.provenance.event_id;
        let (granted, withdrawn) = (entry.what.granted, entry.what.withdrawn_from);
        let until_us = granted.until.map_or(i64::MAX, |until| until.latest_us());
        let withdrawn_us = withdrawn.map_or(i64::MAX, |from| from.earliest_us().saturating_sub(1));
        Directive {
            id,
            purpose: granted.purpose.into(),
            to: granted.to,
            sections: granted.sections,
            labels: granted.labels,
            effect: granted.effect,
            from_us: granted.from.earliest_us(),
            until_us: until_us.min(withdrawn_us),
            own_words: own_words(&id),
        }
    };
    stated.into_iter().map(directive).collect()
}
