//! What an event changes in the registry, taken from the typed event.
//!
//! One function serves the write side, before the writer, and the replay of the log.

use sokhoe_chain::EventKey;
use sokhoe_record::{
    Change as FieldChange, CorrectionAction, Data, Event, Identifier, IdentifierStatus, Kind,
    PartialDate, PersonId, PersonRef,
};

/// A keyed digest of one identifier, system and value; the identifier itself is never held here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdentifierDigest(pub [u8; 16]);

/// One change of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A person becomes known, with the identifiers that name them.
    Registered {
        /// The person.
        person: PersonId,
        /// Their identifiers, each of which must be free.
        identifiers: Vec<IdentifierDigest>,
    },
    /// An identifier names the person from now on.
    Linked {
        /// The person.
        person: PersonId,
        /// The identifier, which must be free or theirs.
        identifier: IdentifierDigest,
    },
    /// An identifier names the person no longer.
    Unlinked {
        /// The person.
        person: PersonId,
        /// The identifier.
        identifier: IdentifierDigest,
    },
    /// The birth date is said, or taken back.
    Born {
        /// The person.
        person: PersonId,
        /// The date.
        on: Option<PartialDate>,
    },
    /// The death is said, or taken back.
    Died {
        /// The person.
        person: PersonId,
        /// The date.
        on: Option<PartialDate>,
    },
    /// `retired` is read as part of `survivor` from now on.
    Merged {
        /// Who stays.
        survivor: PersonId,
        /// Who is read as part of them.
        retired: PersonId,
        /// The merge's own event, which an unmerge names.
        merge: EventKey,
    },
    /// A merge ends.
    Unmerged {
        /// Who had stayed.
        survivor: PersonId,
        /// The merge's event.
        merge: EventKey,
    },
}

/// Keyed digests of ids and identifiers, which only the vault can make.
pub trait Digests {
    /// Digests an event id.
    fn event(&self, id: &sokhoe_record::EventId) -> EventKey;
    /// Digests an identifier.
    fn identifier(&self, identifier: &Identifier) -> IdentifierDigest;
}

/// Tells whether events of a kind can change the registry; most are passed over unread when it is rebuilt.
#[must_use]
pub fn concerns(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::PersonRegistered
            | Kind::DemographicsChanged
            | Kind::IdentifierLinked
            | Kind::PersonDied
            | Kind::PeopleMerged
            | Kind::PeopleUnmerged
            | Kind::CorrectionMade
    )
}

/// Returns what an event of this person changes.
///
/// `corrected` is the data at the root of a chain of corrections: the original event's, where the
/// event is a correction. References to people must be resolved.
#[must_use]
pub fn changes_of(
    event: &Event,
    person: PersonId,
    corrected: Option<&Data>,
    digests: &impl Digests,
) -> Vec<Change> {
    if !concerns(event.kind()) {
        return Vec::new();
    }
    match &event.data {
        Data::CorrectionMade(correction) => {
            let Some(corrected) = corrected else {
                return Vec::new();
            };
            match (correction.action, &correction.replacement) {
                (CorrectionAction::Void, _) => undone(corrected, person, digests),
                (CorrectionAction::Replace, Some(replacement)) => replacement
                    .data(corrected.kind())
                    .map(|data| replaced(corrected, &data, person, digests))
                    .unwrap_or_default(),
                (CorrectionAction::Replace, None) => Vec::new(),
            }
        }
        Data::PersonRegistered(data) => {
            let active = data
                .identifiers
                .iter()
                .filter(|identifier| holds(identifier.status));
            let identifiers = active
                .map(|identifier| digests.identifier(identifier))
                .collect();
            vec![
                Change::Registered {
                    person,
                    identifiers,
                },
                Change::Born {
                    person,
                    on: Some(data.birth_date),
                },
            ]
        }
        Data::PeopleMerged(data) => match data.retired {
            PersonRef::Id(retired) => {
                let merge = digests.event(&event.event_id);
                vec![Change::Merged {
                    survivor: person,
                    retired,
                    merge,
                }]
            }
            _ => Vec::new(),
        },
        Data::PeopleUnmerged(data) => {
            let merge = digests.event(&data.merge_event_id);
            vec![Change::Unmerged {
                survivor: person,
                merge,
            }]
        }
        data => stated(data, person, digests),
    }
}

/// What data states about a person who is known already.
fn stated(data: &Data, person: PersonId, digests: &impl Digests) -> Vec<Change> {
    match data {
        Data::PersonRegistered(data) => {
            let mut changes = links(&data.identifiers, person, digests);
            changes.push(Change::Born {
                person,
                on: Some(data.birth_date),
            });
            changes
        }
        Data::DemographicsChanged(data) => {
            let mut changes = links(&data.identifiers, person, digests);
            match &data.birth_date {
                FieldChange::Keep => {}
                FieldChange::Clear => changes.push(Change::Born { person, on: None }),
                FieldChange::Set(on) => changes.push(Change::Born {
                    person,
                    on: Some(*on),
                }),
            }
            changes
        }
        Data::IdentifierLinked(data) => {
            vec![link(&data.identifier, Some(data.status), person, digests)]
        }
        Data::PersonDied(data) => vec![Change::Died {
            person,
            on: Some(data.died_on),
        }],
        _ => Vec::new(),
    }
}

/// What taking back an event changes. A registration stays: its person has a stream.
fn undone(data: &Data, person: PersonId, digests: &impl Digests) -> Vec<Change> {
    match data {
        Data::IdentifierLinked(data) if holds(Some(data.status)) => {
            vec![Change::Unlinked {
                person,
                identifier: digests.identifier(&data.identifier),
            }]
        }
        Data::PersonDied(_) => vec![Change::Died { person, on: None }],
        _ => Vec::new(),
    }
}

/// What replacing an event's data changes: numbers that the new data no longer names are let go.
fn replaced(old: &Data, new: &Data, person: PersonId, digests: &impl Digests) -> Vec<Change> {
    let said = |data: &Data| match data {
        Data::PersonRegistered(data) => data.identifiers.clone(),
        Data::IdentifierLinked(data) => vec![data.identifier.clone()],
        _ => Vec::new(),
    };
    let kept: Vec<IdentifierDigest> = said(new)
        .iter()
        .map(|identifier| digests.identifier(identifier))
        .collect();
    let mut changes: Vec<Change> = said(old)
        .iter()
        .map(|identifier| digests.identifier(identifier))
        .filter(|identifier| !kept.contains(identifier))
        .map(|identifier| Change::Unlinked { person, identifier })
        .collect();
    changes.extend(stated(new, person, digests));
    changes
}

fn links(list: &[Identifier], person: PersonId, digests: &impl Digests) -> Vec<Change> {
    list.iter()
        .map(|identifier| link(identifier, identifier.status, person, digests))
        .collect()
}

fn link(
    identifier: &Identifier,
    status: Option<IdentifierStatus>,
    person: PersonId,
    digests: &impl Digests,
) -> Change {
    let identifier = digests.identifier(identifier);
    if holds(status) {
        Change::Linked { person, identifier }
    } else {
        Change::Unlinked { person, identifier }
    }
}

fn holds(status: Option<IdentifierStatus>) -> bool {
    status.is_none_or(|status| status == IdentifierStatus::Active)
}
