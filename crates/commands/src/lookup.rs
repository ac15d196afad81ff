//! What must be looked up in the log before an event that names another event can be decided.

use sokhoe_record::{Data, EventId, PersonId};
use sokhoe_registry::Digests;

use crate::opening::{OpenedEvent, Opener, UnsealError};
use crate::refusal::Refusal;

/// How many corrections of corrections are followed to the entry at their root.
const CORRECTIONS_DEEP_MAX: usize = 64;

/// What was found; empty for events that name no other.
#[derive(Debug, Default)]
pub(crate) struct LookedUp {
    named: Option<OpenedEvent>,
    pointer: &'static str,
    root: Option<OpenedEvent>,
    retired: Option<PersonId>,
}

impl LookedUp {
    /// The event that is named: corrected or disputed.
    pub(crate) fn event(&self) -> Option<&OpenedEvent> {
        self.named.as_ref()
    }

    /// Where the event is named.
    pub(crate) fn pointer(&self) -> &'static str {
        self.pointer
    }

    /// The data at the root of a chain of corrections.
    pub(crate) fn root_data(&self) -> Option<&Data> {
        self.root
            .as_ref()
            .or(self.named.as_ref())
            .map(|event| &event.stored.event.data)
    }

    /// Who was retired by the merge that is undone.
    pub(crate) fn retired(&self) -> Option<PersonId> {
        self.retired
    }
}

/// Names the event that must be durable before this one can be decided, and where it is named.
pub(crate) fn named_event(data: &Data) -> Option<(EventId, &'static str)> {
    match data {
        Data::CorrectionMade(data) => Some((data.corrects, "/data/corrects")),
        Data::DisputeRaised(data) => Some((data.disputed_event_id, "/data/disputed_event_id")),
        Data::PeopleUnmerged(data) => Some((data.merge_event_id, "/data/merge_event_id")),
        _ => None,
    }
}

/// Looks up what an event names.
///
/// # Errors
/// When there is no such event, or it cannot be opened.
pub(crate) fn look_up(opener: &Opener, data: &Data) -> Result<LookedUp, Refusal> {
    let Some((id, pointer)) = named_event(data) else {
        return Ok(LookedUp::default());
    };
    if let Data::PeopleUnmerged(_) = data {
        let merge = opener.registry.merge_of(opener.event(&id));
        let retired = merge.map(|(_, retired)| retired);
        return match retired {
            Some(_) => Ok(LookedUp {
                retired,
                ..LookedUp::default()
            }),
            None => Err(unknown(pointer)),
        };
    }
    let named = opener
        .by_id(id)
        .map_err(failed)?
        .ok_or_else(|| unknown(pointer))?;
    let root = root_of(opener, &named).map_err(failed)?;
    Ok(LookedUp {
        named: Some(named),
        pointer,
        root,
        retired: None,
    })
}

/// Follows corrections of corrections to the entry that they are about; `None` when the event is one.
///
/// # Errors
/// When an event on the way cannot be opened.
pub(crate) fn root_of(
    opener: &Opener,
    event: &OpenedEvent,
) -> Result<Option<OpenedEvent>, UnsealError> {
    let mut root: Option<OpenedEvent> = None;
    for _ in 0..CORRECTIONS_DEEP_MAX {
        let current = root.as_ref().unwrap_or(event);
        let Some(corrected) = current.corrects() else {
            break;
        };
        match opener.by_id(corrected)? {
            Some(found) => root = Some(found),
            None => break,
        }
    }
    Ok(root)
}

fn unknown(pointer: &'static str) -> Refusal {
    Refusal::field(
        pointer,
        "unknown_event",
        "expected the id of an event in this person's record",
    )
}

fn failed(error: UnsealError) -> Refusal {
    if error.erased() {
        return Refusal::Gone;
    }
    tracing::error!(error = %crate::chain_of(&error), "an event that another names could not be opened");
    Refusal::Internal
}
