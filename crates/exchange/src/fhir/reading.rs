//! One resource being read, with what its document and its source say around it: whose it is, where and by whom it
//! was written, when, and what of it no field of ours takes.

mod subject;

use std::borrow::Cow;

use sokhoe_record::json::{Node, canonical};
use sokhoe_record::limits::{EXTRA_BYTES_MAX, TEXT_CHARS_MAX, WORD_CHARS_MAX};
use sokhoe_record::{
    Author, Code, CodeOrText, CodeSystem, EventId, Label, Occurred, PartialDate, RawJson,
};

use super::bundle::{Document, Entry, end_of};
use super::coding::{self, said, shortened};
use super::identity::Context;
use super::reference::Target;

pub(crate) use subject::Subject;

/// A resource being translated.
#[derive(Debug)]
pub(crate) struct Reading<'d, 'n> {
    pub(crate) ctx: &'d Context<'d>,
    pub(crate) document: &'d Document<'n>,
    pub(crate) entry: &'d Entry<'n>,
    pub(crate) local: &'d CodeSystem,
}

/// Members that name who wrote a resource down, in the order of trust.
const AUTHOR_KEYS: [&str; 8] = [
    "participant",
    "performer",
    "requester",
    "recorder",
    "asserter",
    "author",
    "prescriber",
    "informationSource",
];

/// Members that every resource has and that say nothing about health, or that stand elsewhere in the event.
const PLAIN_KEYS: [&str; 6] = [
    "resourceType",
    "id",
    "subject",
    "patient",
    "implicitRules",
    "serviceProvider",
];

/// Bytes of `extra` kept free for the names of what was left out.
const LEFT_OUT_BYTES: usize = 1024;

impl<'n> Reading<'_, 'n> {
    pub(crate) fn node(&self) -> &'n Node<'n> {
        self.entry.node
    }

    /// Returns a text member.
    pub(crate) fn text(&self, key: &str) -> Option<&'n str> {
        self.node().text(key)
    }

    /// Returns the id of the event that `part` of this resource becomes.
    pub(crate) fn event_id(&self, part: &str) -> EventId {
        EventId::from_bytes(self.ctx.event_id(self.entry.kind, &self.entry.id, part))
    }

    /// Reads a member that is a CodeableConcept as a code.
    pub(crate) fn code(&self, key: &str) -> Option<Code> {
        coding::code(self.node().get(key)?, self.local)
    }

    /// Reads a member that is a CodeableConcept, or the first of a list of them, as words.
    pub(crate) fn words(&self, key: &str) -> Option<String> {
        coding::words(self.concept(key)?)
    }

    /// Reads a member that is a CodeableConcept, or the first of a list of them, as a code or else as words.
    pub(crate) fn code_or_text(&self, key: &str) -> Option<CodeOrText> {
        coding::code_or_text(self.concept(key)?, self.local)
    }

    fn concept(&self, key: &str) -> Option<&'n Node<'n>> {
        let member = self.node().get(key)?;
        member.as_list().map_or(Some(member), <[_]>::first)
    }

    /// Adds `key` to `taken` where the resource has at most one of it, so that an event's single field holds it all.
    pub(crate) fn take_single(&self, key: &'static str, taken: &mut Vec<&'static str>) {
        if self.node().items(key).len() <= 1 {
            taken.push(key);
        }
    }

    /// Adds the members that are lost to no one: `status` where it says what is usual, and a code of one coding.
    pub(crate) fn take_usual(
        &self,
        usual: &[&str],
        code: &'static str,
        taken: &mut Vec<&'static str>,
    ) {
        if self
            .text("status")
            .is_some_and(|status| usual.contains(&status))
        {
            taken.push("status");
        }
        if self
            .node()
            .get(code)
            .is_none_or(|concept| concept.items("coding").len() <= 1)
        {
            taken.push(code);
        }
    }

    /// Reads the first of `keys` that holds a time; a Period counts by its start.
    pub(crate) fn occurred(&self, keys: &[&str]) -> Option<Occurred> {
        keys.iter().find_map(|key| {
            let member = self.node().get(key)?;
            coding::occurred(member.as_text().or_else(|| member.text("start"))?)
        })
    }

    /// Reads the first of `keys` that holds a date; a Period counts by its start.
    pub(crate) fn date(&self, keys: &[&str]) -> Option<PartialDate> {
        keys.iter().find_map(|key| {
            let member = self.node().get(key)?;
            coding::date(member.as_text().or_else(|| member.text("start"))?)
        })
    }

    /// Reads the end of a Period as a date.
    pub(crate) fn end_date(&self, key: &str) -> Option<PartialDate> {
        coding::date(self.node().get(key)?.text("end")?)
    }

    /// Returns when the resource was last changed, or its document put together.
    pub(crate) fn stamp(&self) -> Option<Occurred> {
        let updated = self
            .node()
            .path(&["meta", "lastUpdated"])
            .and_then(Node::as_text);
        updated.or(self.document.stamp).and_then(coding::occurred)
    }

    /// Returns the labels that the source put on the resource, of those that have a word here.
    pub(crate) fn labels(&self) -> Vec<Label> {
        let security = self.node().get("meta").map(|meta| meta.items("security"));
        let mut labels: Vec<Label> = Vec::new();
        for coding in security.unwrap_or_default() {
            let label = match coding.text("code") {
                Some("HIV") => Label::Hiv,
                Some("PSY" | "MH" | "PSYTHPN") => Label::MentalHealth,
                Some("ETH" | "SUD" | "ETHUD" | "OPIOIDUD") => Label::SubstanceUse,
                Some("SEX" | "REPRO") => Label::Reproductive,
                _ => continue,
            };
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
        labels
    }

    /// Finds a contained resource.
    pub(crate) fn contained(&self, id: &str) -> Option<&'n Node<'n>> {
        self.node()
            .items("contained")
            .iter()
            .find(|node| node.text("id") == Some(id))
    }

    /// Returns the facility that the event carries: the caller's, or what the resource and its encounter say.
    pub(crate) fn facility(&self) -> String {
        if let Some(facility) = self.ctx.caller_facility() {
            return facility.to_owned();
        }
        let stated = |node: &Node<'_>, keys: &[&str]| {
            keys.iter()
                .find_map(|key| self.document.facility(self.ctx, node.get(key)?))
        };
        stated(self.node(), &["serviceProvider", "custodian"])
            .or_else(|| stated(self.encounter()?.node, &["serviceProvider"]))
            .or_else(|| self.performing_organization())
            .or_else(|| {
                stated(
                    self.node(),
                    &["provider", "location", "facility", "managingOrganization"],
                )
            })
            .unwrap_or_else(|| self.ctx.default_facility().to_owned())
    }

    fn performing_organization(&self) -> Option<String> {
        self.node()
            .items("performer")
            .iter()
            .find_map(|performer| self.document.facility(self.ctx, actor(performer)))
    }

    /// Returns the reference to the encounter, under whichever name the type has it.
    fn encounter_reference(&self) -> Option<&'n str> {
        let node = self.node();
        let member = node
            .get("encounter")
            .or_else(|| {
                node.get("context")
                    .filter(|context| context.get("reference").is_some())
            })
            .or_else(|| node.path(&["context", "encounter"])?.as_list()?.first())?;
        member.text("reference")
    }

    fn encounter(&self) -> Option<&Entry<'n>> {
        let entry = self
            .document
            .find(Target::read(self.encounter_reference()?))?;
        (entry.kind == "Encounter").then_some(entry)
    }

    /// Returns when the encounter of this resource began.
    pub(crate) fn encounter_start(&self) -> Option<Occurred> {
        coding::occurred(self.encounter()?.node.get("period")?.text("start")?)
    }

    /// Returns the id of the encounter that this resource belongs to.
    pub(crate) fn encounter_id(&self) -> Option<String> {
        let target = Target::read(self.encounter_reference()?);
        if let Some(entry) = self.document.find(target) {
            return (entry.kind == "Encounter").then(|| entry.id.clone().into_owned());
        }
        match target {
            Target::Literal {
                kind: "Encounter",
                id,
            } => Some(id.to_owned()),
            Target::Conditional {
                kind: "Encounter",
                value,
                ..
            } => Some(value.to_owned()),
            Target::Urn(urn) => Some(end_of(urn).to_owned()),
            _ => None,
        }
    }

    /// Returns who wrote the resource down.
    pub(crate) fn author(&self) -> Option<Author> {
        AUTHOR_KEYS.iter().find_map(|key| {
            let member = self.node().get(key)?;
            let references = member.as_list().unwrap_or(std::slice::from_ref(member));
            references.iter().find_map(|reference| {
                let reference = actor(reference);
                let id = self.document.practitioner(self.ctx, reference)?;
                let name = reference.text("display").and_then(said);
                let name = name.map(|name| shortened(name, TEXT_CHARS_MAX));
                Some(Author {
                    id: shortened(id, WORD_CHARS_MAX),
                    name,
                    role: None,
                })
            })
        })
    }

    /// Collects what no field of the event takes, so that nothing of the resource goes lost. `taken` are the
    /// members that the event's own fields hold.
    pub(crate) fn extra(&self, taken: &[&str]) -> Option<RawJson> {
        let mut kept = String::new();
        let mut left_out: Vec<Cow<'_, str>> = Vec::new();
        for (key, value) in self.node().as_object().unwrap_or_default() {
            let known = PLAIN_KEYS.contains(&&**key) || taken.contains(&&**key);
            let plain = key
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if known || !plain || says_nothing(key, value) || self.holds_only_the_author(key, value)
            {
                continue;
            }
            let written = written(value);
            if kept.len() + written.len() + key.len() + LEFT_OUT_BYTES > EXTRA_BYTES_MAX {
                left_out.push(Cow::Borrowed(key));
                continue;
            }
            kept.push_str(if kept.is_empty() { "\"" } else { ",\"" });
            kept.push_str(key);
            kept.push_str("\":");
            kept.push_str(&written);
        }
        if kept.is_empty() && left_out.is_empty() {
            return None;
        }
        let mut text = format!("{{\"fhir\":{{{kept}}}");
        if !left_out.is_empty() {
            text.push_str(",\"fhir_left_out\":\"");
            text.push_str(&shortened(left_out.join(" "), LEFT_OUT_BYTES / 4));
            text.push('"');
        }
        text.push('}');
        RawJson::new(text).ok()
    }

    fn holds_only_the_author(&self, key: &str, value: &Node<'_>) -> bool {
        let references = value.as_list().unwrap_or(std::slice::from_ref(value));
        match references {
            [one] if AUTHOR_KEYS.contains(&key) => {
                self.document.practitioner(self.ctx, actor(one)).is_some()
            }
            _ => false,
        }
    }
}

/// Says whether a member that every resource may have says nothing about it: a narrative made from the other
/// members, or metadata without labels or tags.
fn says_nothing(key: &str, value: &Node<'_>) -> bool {
    match key {
        "text" => matches!(value.text("status"), Some("generated" | "empty")),
        "meta" => value.get("security").is_none() && value.get("tag").is_none(),
        _ => false,
    }
}

/// Returns the reference inside a participation, or the reference itself.
fn actor<'a, 'n>(member: &'a Node<'n>) -> &'a Node<'n> {
    member
        .get("individual")
        .or_else(|| member.get("actor"))
        .unwrap_or(member)
}

/// Writes a value without white space.
fn written(node: &Node<'_>) -> String {
    let mut bytes = Vec::with_capacity(node.raw().len());
    canonical(node, &mut |part: &[u8]| bytes.extend_from_slice(part));
    String::from_utf8(bytes).unwrap_or_default()
}
