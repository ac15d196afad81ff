//! Corrections applied: what each event says now, if it still says anything.
//!
//! A correction counts only for an event that lies before it in the log, so there are no circles. Going from the end
//! of the log to its start, every correction of an event is settled before the event itself is met.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use super::{Entry, Provenance, RecordedEvent, TimeKey};
use crate::{
    block::Label,
    data::{CorrectionAction, CorrectionMade, Data, Replacement},
    field::{Field, Path},
    id::{EventId, PersonId},
    kind::Kind,
    time::{Instant, Occurred},
};

/// An event that is in force, with what it says now.
#[derive(Debug)]
pub(crate) struct Effective<'e> {
    pub(crate) recorded: &'e RecordedEvent,
    pub(crate) occurred_at: Occurred,
    pub(crate) data: Cow<'e, Data>,
    corrected: bool,
    disputed: bool,
}

impl Effective<'_> {
    /// When it happened, then where it lies: the order of every list.
    pub(crate) fn key(&self) -> TimeKey {
        (self.occurred_at.earliest_us(), self.recorded.position)
    }

    /// Makes an entry of (a part of) what the event says; `labels` are those of that part.
    pub(crate) fn entry<T: Field>(&self, mut what: T, labels: &[Label]) -> Entry<T> {
        let mut unchecked = false;
        what.codes(Path::ROOT, &mut |_, code| unchecked |= !code.checked);
        Entry {
            what,
            provenance: Provenance {
                unchecked,
                ..self.provenance(labels)
            },
        }
    }

    /// Says where an entry comes from; `labels` are those of the entry beside the event's own.
    pub(crate) fn provenance(&self, labels: &[Label]) -> Provenance {
        let event = &self.recorded.event;
        let mut labels: Vec<Label> = labels.iter().chain(self.data.labels()).copied().collect();
        labels.sort_unstable();
        labels.dedup();
        Provenance {
            event_id: event.event_id,
            occurred_at: self.occurred_at,
            recorded_at: self.recorded.recorded_at,
            facility: event.facility.clone(),
            author: event.author.clone(),
            source: event.source.clone(),
            labels,
            unchecked: false,
            corrected: self.corrected,
            disputed: self.disputed,
            self_reported: matches!(*self.data, Data::SelfReportSubmitted(_)),
        }
    }
}

/// What a correction in force makes of its event.
#[derive(Debug, Clone)]
struct Verdict {
    /// When and where the correction was recorded: the latest wins.
    order: (Instant, u64),
    by: EventId,
    /// `None` voids.
    replacement: Option<Replacement>,
}

/// Every correction among some events, settled.
#[derive(Debug, Default)]
pub(crate) struct Corrections {
    in_force: HashMap<EventId, Verdict>,
    answered_disputes: HashSet<EventId>,
}

impl Corrections {
    /// Settles the corrections among events that lie in any order, each event once.
    pub(crate) fn of(events: &[&RecordedEvent]) -> Self {
        let corrected = |event: &&&RecordedEvent| event.event.kind() == Kind::CorrectionMade;
        let mut corrections: Vec<_> = events.iter().filter(corrected).collect();
        if corrections.is_empty() {
            return Self::default();
        }
        corrections.sort_unstable_by_key(|event| std::cmp::Reverse(event.position));
        let positions: HashMap<_, _> = events
            .iter()
            .map(|event| (event.event.event_id, event.position))
            .collect();
        let mut settled = Self::default();
        for event in corrections {
            if let Data::CorrectionMade(correction) = &event.event.data {
                settled.settle(event, correction, &positions);
            }
        }
        settled
    }

    fn settle(
        &mut self,
        event: &RecordedEvent,
        correction: &CorrectionMade,
        positions: &HashMap<EventId, u64>,
    ) {
        let correction = match self.in_force.get(&event.event.event_id) {
            None => Cow::Borrowed(correction),
            Some(Verdict {
                replacement: None, ..
            }) => return,
            Some(Verdict {
                replacement: Some(replacement),
                ..
            }) => Cow::Owned(replaced_correction(correction, replacement)),
        };
        self.answered_disputes.extend(correction.dispute_event_id);
        let earlier = positions
            .get(&correction.corrects)
            .is_some_and(|at| *at < event.position);
        if !earlier {
            return;
        }
        let verdict = Verdict {
            order: (event.recorded_at, event.position),
            by: event.event.event_id,
            replacement: match correction.action {
                CorrectionAction::Void => None,
                CorrectionAction::Replace => correction.replacement.clone(),
            },
        };
        let standing = self.in_force.get(&correction.corrects);
        if standing.is_none_or(|standing| standing.order < verdict.order) {
            self.in_force.insert(correction.corrects, verdict);
        }
    }

    /// Returns whether a correction in force voids the event.
    pub(crate) fn voided(&self, event: EventId) -> bool {
        self.in_force
            .get(&event)
            .is_some_and(|verdict| verdict.replacement.is_none())
    }

    /// Returns the correction in force of an event.
    pub(crate) fn corrected_by(&self, event: EventId) -> Option<EventId> {
        self.in_force.get(&event).map(|verdict| verdict.by)
    }
}

/// What a correction says after it was itself corrected. A replacement that is no correction is the new replacement
/// of the event at the end of the chain.
fn replaced_correction(first: &CorrectionMade, replacement: &Replacement) -> CorrectionMade {
    match replacement.data(Kind::CorrectionMade) {
        Ok(Data::CorrectionMade(correction)) => *correction,
        _ => CorrectionMade {
            action: CorrectionAction::Replace,
            replacement: Some(replacement.clone()),
            ..first.clone()
        },
    }
}

/// Each event once, in log order. The two frames of a merge or unmerge count as one; that of `person` is kept.
pub(crate) fn unique(person: PersonId, events: &[RecordedEvent]) -> Vec<&RecordedEvent> {
    let mut sorted: Vec<&RecordedEvent> = events.iter().collect();
    sorted.sort_by_key(|event| (event.person != person, event.position));
    let mut ids = HashSet::with_capacity(sorted.len());
    let mut merges: Vec<&RecordedEvent> = Vec::new();
    sorted.retain(|event| {
        let new = ids.insert(event.event.event_id);
        let merge = matches!(
            event.event.kind(),
            Kind::PeopleMerged | Kind::PeopleUnmerged
        );
        if !new || !merge {
            return new;
        }
        let twin = |other: &&RecordedEvent| {
            other.recorded_at == event.recorded_at
                && other.person != event.person
                && other.event.data == event.event.data
        };
        let shown = merges.iter().any(twin);
        merges.push(event);
        !shown
    });
    sorted.sort_by_key(|event| event.position);
    sorted
}

/// Every event in force but corrections, as it reads now, in log order.
pub(crate) fn effective(person: PersonId, events: &[RecordedEvent]) -> Vec<Effective<'_>> {
    let events = unique(person, events);
    let corrections = Corrections::of(&events);
    let mut in_force: Vec<_> = events
        .iter()
        .filter_map(|event| apply(event, &corrections))
        .collect();
    let disputed: HashSet<EventId> = in_force
        .iter()
        .filter_map(|event| match &*event.data {
            Data::DisputeRaised(dispute) => Some((event.recorded.event.event_id, dispute)),
            _ => None,
        })
        .filter(|(id, _)| !corrections.answered_disputes.contains(id))
        .map(|(_, dispute)| dispute.disputed_event_id)
        .collect();
    for event in &mut in_force {
        event.disputed = disputed.contains(&event.recorded.event.event_id);
    }
    in_force
}

fn apply<'e>(recorded: &'e RecordedEvent, corrections: &Corrections) -> Option<Effective<'e>> {
    let event = &recorded.event;
    if event.kind() == Kind::CorrectionMade {
        return None;
    }
    let (occurred_at, data, corrected) = match corrections.in_force.get(&event.event_id) {
        None => (event.occurred_at, Cow::Borrowed(&event.data), false),
        Some(verdict) => {
            let replacement = verdict.replacement.as_ref()?;
            // The write side has checked the replacement; one that does not read leaves the first words standing.
            match replacement.data(event.kind()) {
                Ok(data) => {
                    let occurred_at = replacement.occurred_at().unwrap_or(event.occurred_at);
                    (occurred_at, Cow::Owned(data), true)
                }
                Err(_) => (event.occurred_at, Cow::Borrowed(&event.data), false),
            }
        }
    };
    Some(Effective {
        recorded,
        occurred_at,
        data,
        corrected,
        disputed: false,
    })
}
