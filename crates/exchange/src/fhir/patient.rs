//! Patient to `person_registered`, and `person_died` when the day of death is told.

use sokhoe_record::json::Node;
use sokhoe_record::limits::TEXT_CHARS_MAX;
use sokhoe_record::{
    Address, Identifier, IdentifierStatus, IdentifierSystem, Name, Occurred, PersonDied, PersonRef,
    PersonRegistered, Sex,
};

use super::coding::{date, first_code, occurred, said, shortened};
use super::draft::{Draft, Drafts, Unfit};
use super::reading::Reading;

/// Part of the event id that tells the death from the registration.
const DIED: &str = "died";

/// A person without a birth date cannot be told from others of that name, nor counted by age.
pub(crate) const NO_BIRTH_DATE: Unfit = Unfit("no birth date");

/// What stands for a name where the source gives none.
const NAMELESS: &str = "(no name)";

/// Identifiers taken from one Patient.
const IDENTIFIERS_MAX: usize = 50;

/// Telephone numbers taken from one Patient.
const PHONES_MAX: usize = 20;

const BIRTH_PLACE_URL: &str = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace";

pub(crate) fn map(reading: &Reading<'_, '_>) -> Drafts {
    let node = reading.node();
    let birth_date = reading.date(&["birthDate"]).ok_or(NO_BIRTH_DATE)?;
    let own = match reading.own_patient(&reading.entry.id) {
        PersonRef::Identifier(own) => own,
        _ => return Err(Unfit("no identifier")),
    };
    let foreign = foreign_numbers(reading);
    let mut taken = vec![
        "birthDate",
        "gender",
        "deceasedDateTime",
        "managingOrganization",
    ];
    if !foreign {
        taken.push("identifier");
    }
    reading.take_single("name", &mut taken);
    reading.take_single("address", &mut taken);
    let mut drafts = vec![Draft::new(
        reading.stamp(),
        PersonRegistered {
            identifiers: identifiers(reading, own),
            name: name(node),
            sex: match node.text("gender") {
                Some("male") => Sex::Male,
                Some("female") => Sex::Female,
                Some("other") => Sex::Other,
                _ => Sex::Unknown,
            },
            birth_date,
            birth_place: birth_place(node),
            current_address: best(node.items("address"), &["home", "temp"]).and_then(address),
            phones: phones(node),
            email: telecom(node, "email").next(),
            extra: reading.extra(&taken),
            ..PersonRegistered::default()
        },
    )];
    if let Some(died_on) = node.text("deceasedDateTime").and_then(date) {
        let at = node.text("deceasedDateTime").and_then(occurred);
        drafts.push(Draft {
            part: DIED,
            occurred: at.or(Some(Occurred::On(died_on))),
            data: PersonDied {
                died_on,
                ..PersonDied::default()
            }
            .into(),
        });
    }
    Ok(drafts)
}

/// The source's own id first, then every identifier that names a person, none twice.
fn identifiers(reading: &Reading<'_, '_>, own: Identifier) -> Vec<Identifier> {
    let mut found = vec![own];
    for node in reading.node().items("identifier") {
        let kind = first_code(node.get("type")).unwrap_or_default();
        let system = node.text("system").unwrap_or_default();
        let mapped = node
            .text("value")
            .and_then(|value| reading.ctx.person_identifier(system, kind, value.trim()));
        let Some((system, value)) = mapped else {
            continue;
        };
        let Some(system) = IdentifierSystem::parse(&system) else {
            continue;
        };
        let known = found
            .iter()
            .any(|known| known.system == system && known.value == value);
        if known || found.len() >= IDENTIFIERS_MAX {
            continue;
        }
        found.push(Identifier {
            system,
            value,
            issued_on: node
                .path(&["period", "start"])
                .and_then(Node::as_text)
                .and_then(date),
            issued_by: node
                .path(&["assigner", "display"])
                .and_then(Node::as_text)
                .and_then(said),
            status: (node.text("use") == Some("old")).then_some(IdentifierStatus::Replaced),
        });
    }
    found
}

/// Says whether an identifier stays in `extra` because it names nobody here.
fn foreign_numbers(reading: &Reading<'_, '_>) -> bool {
    reading.node().items("identifier").iter().any(|node| {
        let kind = first_code(node.get("type")).unwrap_or_default();
        let system = node.text("system").unwrap_or_default();
        let value = node.text("value").unwrap_or_default();
        reading.ctx.person_identifier(system, kind, value).is_none()
    })
}

/// Finds the item with the first of `uses` that there is, or else the first that is not old.
fn best<'a, 'n>(items: &'a [Node<'n>], uses: &[&str]) -> Option<&'a Node<'n>> {
    uses.iter()
        .find_map(|wanted| items.iter().find(|item| item.text("use") == Some(*wanted)))
        .or_else(|| items.iter().find(|item| item.text("use") != Some("old")))
        .or_else(|| items.first())
}

fn name(node: &Node<'_>) -> Name {
    let nameless = || Name {
        full: NAMELESS.to_owned(),
        ..Name::default()
    };
    best(node.items("name"), &["official", "usual"])
        .and_then(human_name)
        .unwrap_or_else(nameless)
}

/// Reads a HumanName; the whole name is its text or its parts in the order that the language has.
pub(crate) fn human_name(name: &Node<'_>) -> Option<Name> {
    let join = |key| {
        let words: Vec<&str> = name.items(key).iter().filter_map(Node::as_text).collect();
        said(&words.join(" "))
    };
    let (family, given) = (name.text("family").and_then(said), join("given"));
    let parts = [
        join("prefix"),
        given.clone(),
        family.clone(),
        join("suffix"),
    ];
    let full = name.text("text").and_then(said).or_else(|| {
        said(
            &parts
                .into_iter()
                .flatten()
                .collect::<Vec<String>>()
                .join(" "),
        )
    });
    Some(Name {
        full: full?,
        family,
        given,
    })
}

fn address(address: &Node<'_>) -> Option<Address> {
    let text = address.text("text").map(str::to_owned).unwrap_or_else(|| {
        let lines = address.items("line").iter().filter_map(Node::as_text);
        let rest = ["district", "city", "state", "postalCode", "country"];
        let parts: Vec<&str> = lines
            .chain(rest.iter().filter_map(|key| address.text(key)))
            .collect();
        parts.join(", ")
    });
    Some(Address {
        text: Some(said(&shortened(text, TEXT_CHARS_MAX))?),
        ..Address::default()
    })
}

fn birth_place(node: &Node<'_>) -> Option<Address> {
    let extension = node
        .items("extension")
        .iter()
        .find(|extension| extension.text("url") == Some(BIRTH_PLACE_URL))?;
    address(extension.get("valueAddress")?)
}

fn phones(node: &Node<'_>) -> Vec<String> {
    telecom(node, "phone").take(PHONES_MAX).collect()
}

fn telecom<'a>(node: &'a Node<'_>, system: &'a str) -> impl Iterator<Item = String> + 'a {
    node.items("telecom")
        .iter()
        .filter(move |contact| contact.text("system") == Some(system))
        .filter(|contact| contact.text("use") != Some("old"))
        .filter_map(|contact| said(contact.text("value")?))
}
