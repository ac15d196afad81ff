//! FHIR's data types in our building blocks: codeable concepts, quantities, dates. Nothing is rounded or guessed;
//! what does not fit gives `None` and stays readable in `extra`.

use sokhoe_record::json::Node;
use sokhoe_record::limits::{NARRATIVE_CHARS_MAX, TEXT_CHARS_MAX, WORD_CHARS_MAX};
use sokhoe_record::{
    Code, CodeOrText, CodeSystem, Comparator, Decimal, Measure, Occurred, PartialDate, Quantity,
    ReferenceRange, Value,
};

use super::systems;

/// Reads a CodeableConcept or Coding: the first coding in a system that this one knows, or else the first.
/// A concept of text alone gives a code of `local` made from the text.
pub(crate) fn code(concept: &Node<'_>, local: &CodeSystem) -> Option<Code> {
    let codings = concept.items("coding");
    let usable = |coding: &&Node<'_>| {
        coding
            .text("code")
            .is_some_and(|code| !code.trim().is_empty())
    };
    let known = |coding: &&Node<'_>| {
        coding
            .text("system")
            .is_some_and(|s| systems::known(s).is_some())
    };
    let chosen = codings
        .iter()
        .filter(usable)
        .find(known)
        .or_else(|| codings.iter().find(usable));
    if let Some(chosen) = chosen {
        let display = chosen.text("display").or_else(|| concept.text("text"));
        return Some(Code {
            system: system_of(chosen, local),
            code: chosen.text("code")?.to_owned(),
            version: chosen.text("version").map(str::to_owned),
            display: display.and_then(said),
            ..Code::default()
        });
    }
    let text = words(concept)?;
    let digest = blake3::hash(text.as_bytes()).to_hex();
    Some(Code {
        system: local.clone(),
        code: format!("text-{}", digest.split_at(16).0),
        display: Some(text),
        ..Code::default()
    })
}

/// Reads a CodeableConcept as a code where it has one, or else as words.
pub(crate) fn code_or_text(concept: &Node<'_>, local: &CodeSystem) -> Option<CodeOrText> {
    if concept
        .items("coding")
        .iter()
        .any(|coding| coding.text("code").is_some())
    {
        return code(concept, local).map(CodeOrText::Code);
    }
    words(concept).map(CodeOrText::Text)
}

fn system_of(coding: &Node<'_>, local: &CodeSystem) -> CodeSystem {
    let Some(uri) = coding.text("system") else {
        return local.clone();
    };
    let other = || CodeSystem::parse(uri).filter(|system| matches!(system, CodeSystem::Uri(_)));
    systems::known(uri)
        .or_else(other)
        .unwrap_or_else(|| local.clone())
}

/// Reads the words of a CodeableConcept: its text, or the first display, or the first code.
pub(crate) fn words(concept: &Node<'_>) -> Option<String> {
    let codings = concept.items("coding");
    concept
        .text("text")
        .and_then(said)
        .or_else(|| {
            codings
                .iter()
                .find_map(|coding| coding.text("display").and_then(said))
        })
        .or_else(|| {
            codings
                .iter()
                .find_map(|coding| coding.text("code").and_then(said))
        })
}

/// Returns a text that says something, cut to the length of a short text.
pub(crate) fn said(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| shortened(text.to_owned(), TEXT_CHARS_MAX))
}

/// Says whether a CodeableConcept has one of `codes`, in whatever system.
pub(crate) fn has_code(concept: Option<&Node<'_>>, codes: &[&str]) -> bool {
    concept.is_some_and(|concept| {
        concept.items("coding").iter().any(|coding| {
            coding
                .text("code")
                .is_some_and(|code| codes.contains(&code))
        })
    })
}

/// Returns the first code of a CodeableConcept that stands in a list of FHIR's own.
pub(crate) fn first_code<'a>(concept: Option<&'a Node<'_>>) -> Option<&'a str> {
    concept?
        .items("coding")
        .iter()
        .find_map(|coding| coding.text("code"))
}

/// Reads a Quantity (also Age, Duration, SimpleQuantity). Without a unit it is a plain number, unit `1`.
pub(crate) fn quantity(node: &Node<'_>) -> Option<Quantity> {
    let unit = node
        .text("code")
        .and_then(said)
        .or_else(|| node.text("unit").and_then(said));
    Some(Quantity {
        value: decimal(node.get("value")?.as_number()?)?,
        unit: unit.unwrap_or_else(|| "1".to_owned()),
        comparator: node.text("comparator").and_then(Comparator::from_word),
    })
}

/// Reads a number; one of more digits than a decimal holds is rounded to 15 significant ones, which is what a
/// source computing in binary meant.
pub(crate) fn decimal(number: &str) -> Option<Decimal> {
    if let Ok(exact) = Decimal::parse(number) {
        return Some(exact);
    }
    let value: f64 = number.parse().ok()?;
    Decimal::parse(&format!("{value:.14e}"))
        .or_else(|_| Decimal::parse(&format!("{value:.12}")))
        .ok()
}

/// Reads the value of an Observation or of one of its components, whichever of FHIR's types it has.
pub(crate) fn value(holder: &Node<'_>, local: &CodeSystem) -> Option<Value> {
    if let Some(node) = holder.get("valueQuantity") {
        return quantity(node).map(Value::Quantity);
    }
    if let Some(node) = holder.get("valueCodeableConcept") {
        return code(node, local).map(Value::Code);
    }
    if let Some(truth) = holder.get("valueBoolean").and_then(Node::as_bool) {
        return Some(Value::Boolean(truth));
    }
    if let Some(number) = holder.get("valueInteger").and_then(Node::as_number) {
        let value = decimal(number)?;
        return Some(Value::Quantity(Quantity {
            value,
            unit: "1".to_owned(),
            comparator: None,
        }));
    }
    for key in ["valueString", "valueDateTime", "valueTime"] {
        if let Some(text) = holder.text(key) {
            let text = shortened(text.to_owned(), NARRATIVE_CHARS_MAX);
            return (!text.trim().is_empty()).then_some(Value::Text(text));
        }
    }
    if let Some(range) = holder.get("valueRange") {
        let end = |key| {
            range
                .get(key)
                .map_or_else(|| Some("…".to_owned()), quantity_words)
        };
        return Some(Value::Text(format!("{} – {}", end("low")?, end("high")?)));
    }
    if let Some(ratio) = holder.get("valueRatio") {
        let part = |key| ratio.get(key).and_then(quantity_words);
        return Some(Value::Text(format!(
            "{} : {}",
            part("numerator")?,
            part("denominator")?
        )));
    }
    if let Some(period) = holder.get("valuePeriod") {
        let end = |key| period.text(key).unwrap_or("…");
        return Some(Value::Text(format!("{} – {}", end("start"), end("end"))));
    }
    let absent = holder.get("dataAbsentReason")?;
    let reason = first_code(Some(absent))
        .map(str::to_owned)
        .or_else(|| words(absent));
    let reason = reason.unwrap_or_else(|| "unknown".to_owned());
    Some(Value::Absent(shortened(reason, WORD_CHARS_MAX)))
}

/// Reads an Observation's reference range.
pub(crate) fn reference_range(node: &Node<'_>) -> ReferenceRange {
    let end = |key| node.get(key).and_then(quantity).map(Measure::Quantity);
    ReferenceRange {
        low: end("low"),
        high: end("high"),
        text: node
            .text("text")
            .and_then(said)
            .map(|text| shortened(text, TEXT_CHARS_MAX)),
    }
}

/// Cuts a text to `chars_max` characters, the last of them saying so.
pub(crate) fn shortened(text: String, chars_max: usize) -> String {
    if text.len() <= chars_max || text.chars().count() <= chars_max {
        return text;
    }
    text.chars()
        .take(chars_max.saturating_sub(1))
        .chain(['…'])
        .collect()
}

/// Says whether an Observation or component has a value in a type that [`value`] does not read.
pub(crate) fn unread_value(holder: &Node<'_>) -> bool {
    holder.get("valueSampledData").is_some()
}

/// Writes a Quantity as one would say it.
pub(crate) fn quantity_words(node: &Node<'_>) -> Option<String> {
    let number = node.get("value")?.as_number()?;
    let comparator = node.text("comparator").unwrap_or_default();
    let unit = node
        .text("unit")
        .or_else(|| node.text("code"))
        .unwrap_or_default();
    Some(format!("{comparator}{number} {unit}").trim_end().to_owned())
}

/// Reads a date or dateTime as an instant or a partial date.
pub(crate) fn occurred(text: &str) -> Option<Occurred> {
    Occurred::parse(text).ok()
}

/// Reads the day of a date or dateTime, in the time zone that the sender wrote it in.
pub(crate) fn date(text: &str) -> Option<PartialDate> {
    let day = text.split_once('T').map_or(text, |(day, _)| day);
    PartialDate::parse(day).ok()
}
