//! What a resource becomes that was loaded before with other content: corrections of the events that it became
//! then. Their ids come from the new content, so that loading the same change twice adds nothing.

use sokhoe_record::{
    CorrectionAction, CorrectionMade, Event, EventId, Incoming, Kind, Occurred, Replacement,
};

use super::identity::Context;

/// Why such corrections are made.
const REASON: &str = "the source sent the resource with other content";

/// Turns `new`, whose id was taken by `original` with other content, into the events that set the record right: a
/// correction that replaces, or, where the kind is another now (a resource that fits its kind at last, or was
/// entered in error), one that voids and the new event under an id of its own. `content` is the digest of
/// the item that `new` is from.
pub fn as_correction(
    ctx: &Context<'_>,
    original: EventId,
    original_kind: Kind,
    new: &Incoming,
    content: &[u8; 32],
) -> Vec<Incoming> {
    let event = &new.event;
    let same_kind = event.kind() == original_kind;
    let replacement = || Replacement::new(&event.data, Some(event.occurred_at));
    let correction = Event {
        event_id: revision(ctx, original, content, ""),
        occurred_at: Occurred::At(ctx.received()),
        data: CorrectionMade {
            corrects: original,
            action: if same_kind {
                CorrectionAction::Replace
            } else {
                CorrectionAction::Void
            },
            replacement: same_kind.then(replacement),
            reason: REASON.to_owned(),
            ..CorrectionMade::default()
        }
        .into(),
        ..event.clone()
    };
    let mut events = vec![Incoming {
        event: correction,
        expected_version: None,
    }];
    if !same_kind {
        let again = revision(ctx, original, content, "again");
        events.push(Incoming {
            event: Event {
                event_id: again,
                ..event.clone()
            },
            expected_version: None,
        });
    }
    events
}

fn revision(ctx: &Context<'_>, original: EventId, content: &[u8; 32], part: &str) -> EventId {
    EventId::from_bytes(ctx.revision_id(original.as_bytes(), content, part))
}
