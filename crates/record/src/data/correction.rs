//! Corrections and disputes: nothing is changed, an event names the event that it corrects.

use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::Data;
use crate::{
    block::RawJson,
    field::{Cx, Field, FieldError, Path},
    id::EventId,
    json::{self, Node},
    kind::Kind,
    limits::{NARRATIVE_CHARS_MAX, REPLACEMENT_BYTES_MAX},
    time::Occurred,
};

words! {
    /// What a correction does.
    pub enum CorrectionAction {
        Void = "void",
        Replace = "replace",
    }
}

data! {
    /// An earlier event was wrong.
    plain CorrectionMade {
        /// The event that was wrong; may itself be a correction.
        corrects: EventId,
        /// What becomes of it.
        action: CorrectionAction,
        /// What it should have said.
        replacement: Option<Replacement>,
        /// Why.
        reason: String => NARRATIVE_CHARS_MAX,
        /// The dispute that led to it.
        dispute_event_id: Option<EventId>,
    }
    rules check_correction;
}

fn check_correction(correction: &CorrectionMade, at: Path<'_>, cx: &mut Cx) {
    let at = at.key("replacement");
    match (correction.action, &correction.replacement) {
        (CorrectionAction::Replace, None) => cx.missing(at),
        (CorrectionAction::Void, Some(_)) => {
            cx.error(at, "conflict", "a correction that voids has no replacement");
        }
        _ => {}
    }
}

impl CorrectionMade {
    /// Settles the replacement, and one inside it when a correction is corrected by a correction.
    ///
    /// `corrected` is the kind of the event that this corrects, `root` that of the event at the end of the chain; they
    /// differ only when this corrects a correction. The data of `root` alone is then the new replacement. `visit`
    /// resolves references, marks codes and adds labels in the data of `root`.
    ///
    /// # Errors
    /// Returns every bad field, pointing from `/data/replacement`.
    pub fn settle(
        &mut self,
        corrected: Kind,
        root: Kind,
        visit: &mut dyn FnMut(&mut Data),
    ) -> Result<(), Vec<FieldError>> {
        let Some(replacement) = &mut self.replacement else {
            return Ok(());
        };
        let of_correction = corrected == Kind::CorrectionMade && replacement.names_corrected();
        let mut data = replacement.data(if of_correction { corrected } else { root })?;
        match &mut data {
            // The depth of the JSON bounds how far this goes.
            Data::CorrectionMade(inner) => inner.settle(corrected, root, visit)?,
            data => visit(data),
        }
        replacement.settle(&data);
        Ok(())
    }
}

data! {
    /// A person says that an entry is wrong.
    plain DisputeRaised {
        /// The entry.
        disputed_event_id: EventId,
        /// What is wrong with it.
        statement: String => NARRATIVE_CHARS_MAX,
    }
}

/// What a corrected event should have said: the whole data of its kind, and its time when that was wrong too.
///
/// The kind is that of the corrected event, which only the write side can look up; until then the data is raw JSON.
/// It stays JSON when stored, so that corrections of corrections do not nest types.
///
/// A sender writes `{"data": {…}, "occurred_at"?, "kind"?}`, or the data itself with `occurred_at` beside its fields.
#[derive(Debug, Clone, PartialEq, Eq, Default, wincode::SchemaWrite, wincode::SchemaRead)]
pub struct Replacement {
    occurred_at: Option<Occurred>,
    data: RawJson,
    /// Whether the write side has checked it and resolved what it refers to.
    settled: bool,
}

impl Replacement {
    /// Makes a settled replacement from typed data.
    pub fn new(data: &Data, occurred_at: Option<Occurred>) -> Self {
        Self {
            occurred_at,
            data: RawJson::write(data),
            settled: true,
        }
    }

    /// Returns the time that the event should have had, when that is corrected.
    pub fn occurred_at(&self) -> Option<Occurred> {
        self.occurred_at
    }

    /// Returns the data as JSON.
    pub fn raw(&self) -> &RawJson {
        &self.data
    }

    /// Reads the data as that of `kind`, the kind of the corrected event.
    ///
    /// # Errors
    /// Returns every bad field, pointing from `/data/replacement`.
    pub fn data(&self, kind: Kind) -> Result<Data, Vec<FieldError>> {
        let mut cx = if self.settled {
            Cx::stored()
        } else {
            Cx::default()
        };
        let at = Path::ROOT;
        let (at_data, at_field) = (at.key("data"), "replacement");
        let at = at_data.key(at_field);
        let read = match json::parse(self.data.as_str().as_bytes()) {
            Ok(node) => Data::read(kind, &node, at, &mut cx),
            Err(_) => {
                cx.wrong_type(at, "an object");
                None
            }
        };
        match read {
            Some(data) if cx.clean() => Ok(data),
            _ => Err(cx.into_errors()),
        }
    }

    /// Whether the data is that of a correction, by the one field that only corrections have.
    fn names_corrected(&self) -> bool {
        let node = json::parse(self.data.as_str().as_bytes());
        node.is_ok_and(|node| node.get("corrects").is_some())
    }

    /// Puts checked data, with its references resolved and its codes marked, in the place of what was sent.
    pub fn settle(&mut self, data: &Data) {
        self.data = RawJson::write(data);
        self.settled = true;
    }
}

impl Serialize for Replacement {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut object = to.serialize_struct("Replacement", 2)?;
        object.serialize_field("data", &self.data)?;
        if let Some(occurred_at) = &self.occurred_at {
            object.serialize_field("occurred_at", occurred_at)?;
        }
        object.end()
    }
}

impl Field for Replacement {
    fn read(node: &Node<'_>, at: Path<'_>, _limit: usize, cx: &mut Cx) -> Option<Self> {
        let members = cx.object(node, at)?;
        let time = node.get("occurred_at").filter(|time| !time.null());
        let occurred_at = match time {
            Some(time) => Some(Occurred::read(time, at.key("occurred_at"), 0, cx)?),
            None => None,
        };
        let stored = cx.stored;
        let Some(data) = node.get("data").filter(|data| data.as_object().is_some()) else {
            let data = without_time(node);
            RawJson::check(&data, at, REPLACEMENT_BYTES_MAX, cx);
            return Some(Self {
                occurred_at,
                data,
                settled: stored,
            });
        };
        for (key, _) in members {
            if !matches!(&**key, "data" | "occurred_at" | "kind") {
                cx.unknown_field(at, key);
            }
        }
        let data = RawJson::read(data, at.key("data"), REPLACEMENT_BYTES_MAX, cx)?;
        Some(Self {
            occurred_at,
            data,
            settled: stored,
        })
    }

    fn check(&self, at: Path<'_>, _limit: usize, cx: &mut Cx) {
        self.occurred_at.check(at.key("occurred_at"), 0, cx);
        self.data.check(at.key("data"), REPLACEMENT_BYTES_MAX, cx);
    }

    fn schema(_limit: usize) -> serde_json::Value {
        serde_json::json!({
            "type": "object",
            "description": "the whole data of the corrected event's kind",
            "properties": {
                "data": { "type": "object" },
                "occurred_at": Occurred::schema(0),
                "kind": { "type": "string" },
            },
        })
    }
}

/// The object without its `occurred_at`, other members as they were sent.
fn without_time(node: &Node<'_>) -> RawJson {
    let members = node.as_object().unwrap_or_default();
    let kept: std::collections::BTreeMap<&str, RawJson> = members
        .iter()
        .filter(|(key, _)| key != "occurred_at")
        .map(|(key, value)| (&**key, RawJson::of(value)))
        .collect();
    RawJson::write(&kept)
}
