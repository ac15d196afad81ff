//! Whether the members that the mappers read have the JSON types that FHIR gives them, and dates that exist. What
//! has another shape is refused by name: reading past it would make a resource say something that it does not.

use sokhoe_record::json::Node;
use sokhoe_record::{NotATime, Occurred, PartialDate};

/// What a member must be.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Text,
    Texts,
    Bool,
    Number,
    Object,
    Objects,
    /// A date or dateTime.
    Time,
    /// A date without a time of day.
    Day,
    /// An object with these members, as far as they are known.
    Of(&'static [Member]),
    /// A list of such objects.
    ListOf(&'static [Member]),
    /// One such object, or a list of them: what differs between versions of FHIR.
    OneOrMore(&'static [Member]),
}

/// A member and its shape.
type Member = (&'static str, Shape);

use Shape::{Bool, Day, ListOf, Number, Object, Objects, Of, OneOrMore, Text, Texts, Time};

/// A member that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// The member, as the end of a JSON pointer without its first `/`.
    pub(crate) member: String,
    /// `wrong_type`, `impossible_date` or `bad_format`.
    pub(crate) code: &'static str,
    /// What was expected.
    pub(crate) detail: &'static str,
}

const CODING: &[Member] = &[
    ("system", Text),
    ("version", Text),
    ("code", Text),
    ("display", Text),
];
const CONCEPT: &[Member] = &[("coding", ListOf(CODING)), ("text", Text)];
const PERIOD: &[Member] = &[("start", Time), ("end", Time)];
const IDENTIFIER: &[Member] = &[
    ("type", Of(CONCEPT)),
    ("system", Text),
    ("value", Text),
    ("period", Of(PERIOD)),
];
const REFERENCE: &[Member] = &[
    ("reference", Text),
    ("type", Text),
    ("identifier", Of(IDENTIFIER)),
    ("display", Text),
];
const QUANTITY: &[Member] = &[
    ("value", Number),
    ("comparator", Text),
    ("unit", Text),
    ("system", Text),
    ("code", Text),
];
const HUMAN_NAME: &[Member] = &[
    ("text", Text),
    ("family", Text),
    ("given", Texts),
    ("prefix", Texts),
    ("suffix", Texts),
];
const META: &[Member] = &[("lastUpdated", Time), ("security", ListOf(CODING))];
const RANGE: &[Member] = &[
    ("low", Of(QUANTITY)),
    ("high", Of(QUANTITY)),
    ("text", Text),
];
const COMPONENT: &[Member] = &[
    ("code", Of(CONCEPT)),
    ("dataAbsentReason", Of(CONCEPT)),
    ("valueQuantity", Of(QUANTITY)),
    ("valueCodeableConcept", Of(CONCEPT)),
    ("valueString", Text),
    ("valueBoolean", Bool),
    ("valueInteger", Number),
    ("valueDateTime", Time),
    ("valueTime", Text),
    ("valueRange", Of(RANGE)),
    ("valueRatio", Object),
    ("valuePeriod", Of(PERIOD)),
];

/// What every resource may have.
const ANY: &[Member] = &[("id", Text), ("meta", Of(META)), ("contained", Objects)];

/// What all types that are read here have in common: where they have the member at all, it is of this shape.
const READ: &[Member] = &[
    ("status", Text),
    ("identifier", ListOf(IDENTIFIER)),
    ("code", Of(CONCEPT)),
    ("subject", Of(REFERENCE)),
    ("patient", Of(REFERENCE)),
    ("encounter", Of(REFERENCE)),
    ("clinicalStatus", Of(CONCEPT)),
    ("verificationStatus", Of(CONCEPT)),
    ("severity", Of(CONCEPT)),
    ("period", Of(PERIOD)),
];

const PERSON: &[Member] = &[
    ("name", ListOf(HUMAN_NAME)),
    ("gender", Text),
    ("birthDate", Day),
    ("deceasedBoolean", Bool),
    ("deceasedDateTime", Time),
    ("telecom", ListOf(&[("system", Text), ("value", Text)])),
    ("address", ListOf(&[("text", Text), ("line", Texts)])),
];
const PLACE: &[Member] = &[("name", Text), ("partOf", Of(REFERENCE))];
const ENCOUNTER: &[Member] = &[
    ("class", Of(CODING)),
    ("type", ListOf(CONCEPT)),
    ("reasonCode", ListOf(CONCEPT)),
];
const CONDITION: &[Member] = &[
    ("onsetDateTime", Time),
    ("onsetPeriod", Of(PERIOD)),
    ("abatementDateTime", Time),
    ("abatementPeriod", Of(PERIOD)),
    ("recordedDate", Time),
    ("criticality", Text),
    ("reaction", Objects),
];
const OBSERVATION: &[Member] = &[
    ("effectiveDateTime", Time),
    ("effectiveInstant", Time),
    ("effectivePeriod", Of(PERIOD)),
    ("issued", Time),
    ("component", ListOf(COMPONENT)),
    ("interpretation", OneOrMore(CONCEPT)),
    ("referenceRange", ListOf(RANGE)),
];
const PROCEDURE: &[Member] = &[("performedDateTime", Time), ("performedPeriod", Of(PERIOD))];
const MEDICATION: &[Member] = &[
    ("medicationCodeableConcept", Of(CONCEPT)),
    ("medicationReference", Of(REFERENCE)),
    ("authoredOn", Time),
    ("effectiveDateTime", Time),
    ("effectivePeriod", Of(PERIOD)),
    ("whenHandedOver", Time),
    ("whenPrepared", Time),
    ("dateAsserted", Time),
    ("intent", Text),
    ("doNotPerform", Bool),
    ("dosageInstruction", Objects),
    ("quantity", Of(QUANTITY)),
];
const IMMUNIZATION: &[Member] = &[
    ("vaccineCode", Of(CONCEPT)),
    ("statusReason", Of(CONCEPT)),
    ("occurrenceDateTime", Time),
    ("recorded", Time),
    ("lotNumber", Text),
    ("primarySource", Bool),
];
const REPORT: &[Member] = &[
    ("effectiveDateTime", Time),
    ("effectivePeriod", Of(PERIOD)),
    ("issued", Time),
    ("created", Time),
    ("title", Text),
];
const DOCUMENT: &[Member] = &[("date", Time), ("type", Of(CONCEPT)), ("content", Objects)];

/// Members that say when, of the types that are kept whole; they are looked at where they are texts or Periods.
pub(crate) const KEPT_TIMES: [&str; 12] = [
    "date",
    "created",
    "recorded",
    "authoredOn",
    "started",
    "effectiveDateTime",
    "issued",
    "occurrenceDateTime",
    "period",
    "effectivePeriod",
    "billablePeriod",
    "recordedDate",
];

/// Members that say when, of the types that are read.
const READ_TIMES: [&str; 12] = [
    "effectiveInstant",
    "onsetDateTime",
    "onsetPeriod",
    "abatementDateTime",
    "abatementPeriod",
    "performedDateTime",
    "performedPeriod",
    "whenHandedOver",
    "whenPrepared",
    "dateAsserted",
    "deceasedDateTime",
    "birthDate",
];

/// Names the member that an event's time was read from.
pub(crate) fn time_member(node: &Node<'_>, occurred: Occurred) -> Option<&'static str> {
    let mut keys = KEPT_TIMES.into_iter().chain(READ_TIMES);
    keys.find(|key| {
        let member = node.get(key);
        let text = member.and_then(|member| member.as_text().or_else(|| member.text("start")));
        text.is_some_and(|text| Occurred::parse(text) == Ok(occurred))
    })
}

/// Finds the first known member of a resource that is not as FHIR has it.
pub(crate) fn misfit(kind: &str, node: &Node<'_>) -> Option<Misfit> {
    let of_kind: &[&[Member]] = match kind {
        "Patient" | "Practitioner" => &[READ, PERSON],
        "Organization" | "Location" => &[READ, PLACE],
        "Encounter" => &[READ, ENCOUNTER],
        "Condition" | "AllergyIntolerance" => &[READ, CONDITION],
        "Observation" => &[READ, OBSERVATION, COMPONENT],
        "Procedure" => &[READ, PROCEDURE],
        "MedicationRequest"
        | "MedicationStatement"
        | "MedicationAdministration"
        | "MedicationDispense" => &[READ, MEDICATION],
        "Immunization" => &[READ, IMMUNIZATION],
        "DiagnosticReport" | "CarePlan" => &[READ, REPORT],
        "DocumentReference" => &[READ, DOCUMENT],
        _ => return members(node, ANY).or_else(|| kept_times(node)),
    };
    members(node, ANY).or_else(|| of_kind.iter().find_map(|table| members(node, table)))
}

fn kept_times(node: &Node<'_>) -> Option<Misfit> {
    KEPT_TIMES.iter().find_map(|key| {
        let member = node.get(key)?;
        let found = match member.as_text() {
            Some(text) => time(text),
            None => member.as_object().and_then(|_| members(member, PERIOD)),
        };
        found.map(|misfit| misfit.under(key))
    })
}

fn members(node: &Node<'_>, table: &[Member]) -> Option<Misfit> {
    let present = node.as_object()?;
    present.iter().find_map(|(name, value)| {
        let (key, shape) = table.iter().find(|(key, _)| key == name)?;
        check(value, *shape).map(|misfit| misfit.under(key))
    })
}

fn check(node: &Node<'_>, shape: Shape) -> Option<Misfit> {
    match shape {
        Text => wrong(node.as_text().is_none(), "expected a text"),
        Bool => wrong(node.as_bool().is_none(), "expected true or false"),
        Number => wrong(node.as_number().is_none(), "expected a number"),
        Object => wrong(node.as_object().is_none(), "expected an object"),
        // A list of texts may have null where an extension stands for the text.
        Texts => each(node, "expected a list of texts", |item| {
            let other = item.as_text().is_none() && !item.null();
            wrong(other, "expected a text")
        }),
        Objects => each(node, "expected a list of objects", |item| {
            check(item, Object)
        }),
        Time => match node.as_text() {
            Some(text) => time(text),
            None => wrong(true, "expected a date as a text"),
        },
        Day => match node.as_text() {
            Some(text) => PartialDate::parse(text).err().map(not_a_time),
            None => wrong(true, "expected a date as a text"),
        },
        Of(table) => check(node, Object).or_else(|| members(node, table)),
        ListOf(table) => each(node, "expected a list of objects", |item| {
            check(item, Of(table))
        }),
        OneOrMore(table) => match node.as_list() {
            Some(_) => check(node, ListOf(table)),
            None => check(node, Of(table)),
        },
    }
}

fn each(
    node: &Node<'_>,
    expected: &'static str,
    check: impl Fn(&Node<'_>) -> Option<Misfit>,
) -> Option<Misfit> {
    let Some(items) = node.as_list() else {
        return wrong(true, expected);
    };
    let mut items = items.iter().enumerate();
    items.find_map(|(at, item)| check(item).map(|misfit| misfit.under(&at.to_string())))
}

fn wrong(found: bool, detail: &'static str) -> Option<Misfit> {
    found.then(|| Misfit {
        member: String::new(),
        code: "wrong_type",
        detail,
    })
}

fn time(text: &str) -> Option<Misfit> {
    Occurred::parse(text).err().map(not_a_time)
}

fn not_a_time(error: NotATime) -> Misfit {
    let (code, detail) = match error {
        NotATime::Impossible => (
            "impossible_date",
            "expected a day and time that the calendar has, between the years 1800 and 2199",
        ),
        NotATime::Form { .. } => (
            "bad_format",
            "expected YYYY, YYYY-MM, YYYY-MM-DD, or a day and time with seconds and zone",
        ),
    };
    Misfit {
        member: String::new(),
        code,
        detail,
    }
}

impl Misfit {
    fn under(mut self, key: &str) -> Self {
        self.member = match self.member.as_str() {
            "" => key.to_owned(),
            rest => format!("{key}/{rest}"),
        };
        self
    }
}
