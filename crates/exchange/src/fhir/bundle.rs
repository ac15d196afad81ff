//! The resources of one document and how they point at one another: which entries there are, in which order they
//! are translated, and what a reference resolves to inside the document.

use std::borrow::Cow;
use std::collections::HashMap;

use sokhoe_record::json::Node;

use super::identity::{Context, facility_code, practitioner_id};
use super::reference::{Target, text_of};
use super::resource_names::is_resource_type;

/// Identifiers looked at to name a place or a professional.
const IDENTIFIERS_MAX: usize = 50;

/// One resource of a document.
#[derive(Debug)]
pub(crate) struct Entry<'n> {
    /// The resource.
    pub(crate) node: &'n Node<'n>,
    /// Its type.
    pub(crate) kind: &'n str,
    /// Its id: its own, or the end of its full address, or a digest of its content.
    pub(crate) id: Cow<'n, str>,
    /// Its place in the bundle, from 0; `None` where the document is the resource.
    pub(crate) index: Option<usize>,
}

/// The resources of a document, with what is needed to follow references between them.
#[derive(Debug, Default)]
pub(crate) struct Document<'n> {
    /// The resources in the order of the document.
    pub(crate) entries: Vec<Entry<'n>>,
    by_url: HashMap<&'n str, usize>,
    by_id: HashMap<(&'n str, &'n str), usize>,
    /// When the document says it was put together.
    pub(crate) stamp: Option<&'n str>,
}

/// An entry that holds no resource to translate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotAResource {
    pub(crate) index: Option<usize>,
    pub(crate) pointer: String,
    pub(crate) code: &'static str,
    pub(crate) detail: &'static str,
}

impl<'n> Document<'n> {
    /// Reads a Bundle's entries, or a lone resource as a document of one.
    pub(crate) fn read(node: &'n Node<'n>) -> (Self, Vec<NotAResource>) {
        let mut document = Self {
            stamp: node.text("timestamp"),
            ..Self::default()
        };
        let mut broken = Vec::new();
        if node.text("resourceType") != Some("Bundle") {
            if let Err(fault) = document.add(node, None, None) {
                broken.push(fault);
            }
            return (document, broken);
        }
        if node
            .get("entry")
            .is_some_and(|entry| entry.as_list().is_none())
        {
            broken.push(NotAResource {
                index: None,
                pointer: "/entry".to_owned(),
                code: "wrong_type",
                detail: "expected a list of entries",
            });
        }
        let entries = node.items("entry");
        document.entries.reserve(entries.len());
        document.by_url.reserve(entries.len());
        document.by_id.reserve(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            let added = match entry.get("resource") {
                Some(resource) => asked(entry, resource, index)
                    .and_then(|()| document.add(resource, entry.text("fullUrl"), Some(index))),
                None => Err(NotAResource {
                    index: Some(index),
                    pointer: format!("/entry/{index}"),
                    code: "not_supported",
                    detail: "the entry holds no resource; requests to read or delete are not followed",
                }),
            };
            broken.extend(added.err());
        }
        (document, broken)
    }

    fn add(
        &mut self,
        node: &'n Node<'n>,
        url: Option<&'n str>,
        index: Option<usize>,
    ) -> Result<(), NotAResource> {
        let kind = known_type(node).map_err(|code| {
            let at = index
                .map(|index| format!("/entry/{index}/resource"))
                .unwrap_or_default();
            NotAResource {
                index,
                pointer: format!("{at}/resourceType"),
                code,
                detail: "expected the name of a FHIR R4 resource type",
            }
        })?;
        let id = match (node.text("id").filter(|id| !id.is_empty()), url) {
            (Some(id), _) => Cow::Borrowed(id),
            (None, Some(url)) => Cow::Borrowed(end_of(url)),
            (None, None) => Cow::Owned(content_id(node)),
        };
        let at = self.entries.len();
        if let Some(url) = url {
            self.by_url.insert(url, at);
        }
        if let Some(id) = node.text("id") {
            self.by_id.insert((kind, id), at);
        } else if let Some(Target::Literal { id, .. }) = url.map(Target::read) {
            self.by_id.insert((kind, id), at);
        }
        self.entries.push(Entry {
            node,
            kind,
            id,
            index,
        });
        Ok(())
    }

    /// Positions of the entries in the order of translation: places and professionals, people, the rest.
    pub(crate) fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.entries.len()).collect();
        order.sort_by_key(|&at| match self.entries.get(at).map(|entry| entry.kind) {
            Some("Organization" | "Location" | "Practitioner") => 0,
            Some("Patient") => 1,
            _ => 2,
        });
        order
    }

    /// Finds the entry that a reference points at.
    pub(crate) fn find(&self, target: Target<'_>) -> Option<&Entry<'n>> {
        let at = match target {
            Target::Urn(urn) => self.by_url.get(urn),
            Target::Literal { kind, id } => self.by_id.get(&(kind, id)),
            _ => None,
        };
        self.entries.get(*at?)
    }

    /// Follows a Reference to a facility: the code that the facility itself is registered under.
    pub(crate) fn facility(&self, ctx: &Context<'_>, reference: &Node<'_>) -> Option<String> {
        let text = text_of(reference);
        let (kind, system, value) = match text.as_deref().map(Target::read) {
            Some(Target::Conditional {
                kind,
                system,
                value,
            }) => (kind, Cow::Borrowed(system), value),
            Some(target) => {
                if let Some(entry) = self.find(target) {
                    return matches!(entry.kind, "Organization" | "Location")
                        .then(|| facility_of(ctx, entry.kind, entry.node, &entry.id));
                }
                match target {
                    Target::Literal { kind, id } => (kind, Cow::Owned(own_system(ctx, kind)), id),
                    Target::Urn(urn) => ("Organization", Cow::Borrowed(""), end_of(urn)),
                    _ => return None,
                }
            }
            None => {
                let identifier = reference.get("identifier")?;
                let kind = reference.text("type").unwrap_or("Organization");
                let system = Cow::Borrowed(identifier.text("system").unwrap_or_default());
                (kind, system, identifier.text("value")?)
            }
        };
        matches!(kind, "Organization" | "Location").then(|| facility_code(kind, &system, value))
    }

    /// Follows the reference of a PractitionerRole, one step only: roles that name one another lead nowhere.
    fn holder(&self, ctx: &Context<'_>, reference: &Node<'_>) -> Option<String> {
        let text = text_of(reference);
        let named = text
            .as_deref()
            .map(Target::read)
            .and_then(|target| self.find(target));
        match named {
            Some(entry) if entry.kind != "Practitioner" => None,
            _ => self.practitioner(ctx, reference),
        }
    }

    /// Follows a Reference to a professional: the id that the professional is registered under.
    pub(crate) fn practitioner(&self, ctx: &Context<'_>, reference: &Node<'_>) -> Option<String> {
        let text = text_of(reference);
        let target = match text.as_deref().map(Target::read) {
            Some(target) => target,
            None => {
                let identifier = reference.get("identifier")?;
                Target::Conditional {
                    kind: reference.text("type").unwrap_or("Practitioner"),
                    system: identifier.text("system").unwrap_or_default(),
                    value: identifier.text("value")?,
                }
            }
        };
        if let Some(entry) = self.find(target) {
            return match entry.kind {
                "Practitioner" => Some(practitioner_of(ctx, entry.node, &entry.id)),
                "PractitionerRole" => self.holder(ctx, entry.node.get("practitioner")?),
                _ => None,
            };
        }
        match target {
            Target::Conditional {
                kind: "Practitioner",
                system,
                value,
            } => Some(practitioner_id(system, value)),
            Target::Literal {
                kind: kind @ ("Practitioner" | "PractitionerRole"),
                id,
            } => Some(practitioner_id(&own_system(ctx, kind), id)),
            _ => None,
        }
    }
}

/// The code that an Organization or Location is registered under.
pub(crate) fn facility_of(ctx: &Context<'_>, kind: &str, node: &Node<'_>, id: &str) -> String {
    match first_identifier(node) {
        Some((system, value)) => facility_code(kind, system, value),
        None => facility_code(kind, &own_system(ctx, kind), id),
    }
}

/// The id that a Practitioner is registered under.
pub(crate) fn practitioner_of(ctx: &Context<'_>, node: &Node<'_>, id: &str) -> String {
    match first_identifier(node) {
        Some((system, value)) => practitioner_id(system, value),
        None => practitioner_id(&own_system(ctx, "Practitioner"), id),
    }
}

fn first_identifier<'a>(node: &'a Node<'_>) -> Option<(&'a str, &'a str)> {
    node.items("identifier")
        .iter()
        .take(IDENTIFIERS_MAX)
        .find_map(|identifier| Some((identifier.text("system")?, identifier.text("value")?)))
}

/// The system of ids that only this source knows.
fn own_system(ctx: &Context<'_>, kind: &str) -> String {
    format!("{}/{kind}", ctx.source())
}

/// The end of a full address: the id in it.
pub(crate) fn end_of(url: &str) -> &str {
    match Target::read(url) {
        Target::Literal { id, .. } => id,
        _ => url
            .trim_start_matches("urn:uuid:")
            .trim_start_matches("urn:oid:"),
    }
}

fn content_id(node: &Node<'_>) -> String {
    format!(
        "content-{}",
        blake3::Hash::from(super::content_digest(node))
            .to_hex()
            .split_at(32)
            .0
    )
}

/// Reads the type of a resource, or says what is wrong with it.
fn known_type<'n>(node: &'n Node<'n>) -> Result<&'n str, &'static str> {
    let member = node.get("resourceType").ok_or("missing")?;
    let kind = member.as_text().ok_or("wrong_type")?;
    if is_resource_type(kind) {
        Ok(kind)
    } else {
        Err("unknown_type")
    }
}

/// Checks that an entry asks for nothing but that its resource be taken. Without a request it does.
fn asked(entry: &Node<'_>, resource: &Node<'_>, index: usize) -> Result<(), NotAResource> {
    let fault = |member: &str, code, detail| {
        Err(NotAResource {
            index: Some(index),
            pointer: format!("/entry/{index}/{member}"),
            code,
            detail,
        })
    };
    if entry
        .get("fullUrl")
        .is_some_and(|url| url.as_text().is_none())
    {
        return fault("fullUrl", "wrong_type", "expected a text");
    }
    let Some(request) = entry.get("request") else {
        return Ok(());
    };
    if request.as_object().is_none() {
        return fault("request", "wrong_type", "expected an object");
    }
    let Some(method) = request.get("method") else {
        return Ok(());
    };
    match method.as_text() {
        Some("POST") => Ok(()),
        Some("PUT") if puts_where_it_says(request, resource) => Ok(()),
        Some("PUT") => fault(
            "request/url",
            "id_mismatch",
            "expected the type and id of the entry's resource",
        ),
        Some(_) => fault(
            "request/method",
            "not_supported",
            "expected POST or PUT; nothing is read, patched or deleted through a Bundle",
        ),
        None => fault("request/method", "wrong_type", "expected a text"),
    }
}

/// Says whether a PUT's address is the one of its resource. One that searches names no id.
fn puts_where_it_says(request: &Node<'_>, resource: &Node<'_>) -> bool {
    let Some(url) = request.text("url") else {
        return false;
    };
    let kind = resource.text("resourceType");
    if let Some((path, _)) = url.split_once('?') {
        return path.rsplit('/').next() == kind;
    }
    match Target::read(url) {
        Target::Literal { kind: named, id } => {
            Some(named) == kind && Some(id) == resource.text("id")
        }
        _ => false,
    }
}
