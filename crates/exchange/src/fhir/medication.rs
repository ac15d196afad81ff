//! MedicationRequest, MedicationDispense, MedicationAdministration and MedicationStatement to
//! `medication_recorded`, with the Medication they contain or refer to.

use sokhoe_record::json::Node;
use sokhoe_record::{Code, Decimal, Dose, Measure, MedicationRecorded, MedicationStatus};

use super::coding::{code, decimal, quantity, quantity_words, said, words};
use super::draft::{Draft, Drafts, ENTERED_IN_ERROR, Unfit};
use super::reading::Reading;
use super::reference::Target;

/// Members that say when, of whichever of the four types.
const OCCURRED_KEYS: [&str; 8] = [
    "authoredOn",
    "effectiveDateTime",
    "effectivePeriod",
    "whenHandedOver",
    "whenPrepared",
    "dateAsserted",
    "dateWritten",
    "recorded",
];

pub(crate) fn map(reading: &Reading<'_, '_>) -> Drafts {
    let node = reading.node();
    if node.get("doNotPerform").and_then(Node::as_bool) == Some(true) {
        return Err(Unfit("it asks not to give the medicine"));
    }
    let status = status(reading)?;
    let (code, text) = medicine(reading).ok_or(Unfit("no medicine"))?;
    let dosages = match reading.entry.kind {
        "MedicationAdministration" => node.get("dosage").map(std::slice::from_ref),
        "MedicationStatement" => node.get("dosage").and_then(Node::as_list),
        _ => node.get("dosageInstruction").and_then(Node::as_list),
    };
    let dosage = dosages.and_then(<[_]>::first);
    let supply = node.get("daysSupply");
    let supply = supply.or_else(|| node.path(&["dispenseRequest", "expectedSupplyDuration"]));
    let amount = node
        .get("quantity")
        .or_else(|| node.path(&["dispenseRequest", "quantity"]));
    let mut taken = vec![
        "authoredOn",
        "effectiveDateTime",
        "effectivePeriod",
        "context",
        "encounter",
        "dateAsserted",
    ];
    let usual = ["active", "completed", "stopped"];
    reading.take_usual(&usual, "medicationCodeableConcept", &mut taken);
    if reading.text("intent") == Some("order") {
        taken.push("intent");
    }
    Ok(vec![Draft::new(
        reading
            .occurred(&OCCURRED_KEYS)
            .or_else(|| reading.encounter_start()),
        MedicationRecorded {
            code,
            text,
            status,
            dose: dosage.and_then(dose),
            route: dosage
                .and_then(|dosage| dosage.get("route"))
                .and_then(|route| super::coding::code_or_text(route, reading.local)),
            started_on: reading.date(&["effectivePeriod", "effectiveDateTime", "authoredOn"]),
            ended_on: reading.end_date("effectivePeriod"),
            days: supply.and_then(days),
            amount: amount.and_then(quantity).map(Measure::Quantity),
            encounter_id: reading.encounter_id(),
            extra: reading.extra(&taken),
            ..MedicationRecorded::default()
        },
    )])
}

fn status(reading: &Reading<'_, '_>) -> Result<MedicationStatus, Unfit> {
    let status = reading.text("status");
    if status == Some("entered-in-error") {
        return Err(ENTERED_IN_ERROR);
    }
    if matches!(
        status,
        Some("cancelled" | "declined" | "not-done" | "not-taken" | "intended" | "draft")
    ) {
        return Err(Unfit("the medicine was not prescribed, given or taken"));
    }
    if matches!(reading.text("intent"), Some("proposal" | "plan" | "option")) {
        return Err(Unfit("a plan, not a prescription"));
    }
    Ok(match reading.entry.kind {
        "MedicationAdministration" => MedicationStatus::Administered,
        _ if status == Some("stopped") => MedicationStatus::Stopped,
        "MedicationRequest" => MedicationStatus::Prescribed,
        "MedicationDispense" => MedicationStatus::Dispensed,
        _ => MedicationStatus::Stated,
    })
}

/// Finds the medicine: its own concept, or the Medication contained or in the document, or the words of the
/// reference.
fn medicine(reading: &Reading<'_, '_>) -> Option<(Option<Code>, Option<String>)> {
    let node = reading.node();
    let concept = node.get("medicationCodeableConcept").or_else(|| {
        let target = Target::read(
            node.path(&["medicationReference", "reference"])?
                .as_text()?,
        );
        let medication = match target {
            Target::Contained(id) => reading.contained(id),
            other => reading.document.find(other).map(|entry| entry.node),
        };
        medication
            .filter(|found| found.text("resourceType") == Some("Medication"))?
            .get("code")
    });
    let found = concept.map(|concept| {
        let coded = concept
            .items("coding")
            .iter()
            .any(|coding| coding.text("code").is_some());
        let code = if coded {
            code(concept, reading.local)
        } else {
            None
        };
        let text = words(concept);
        let shown = code.as_ref().and_then(|code| code.display.as_deref());
        let text = text.filter(|text| shown != Some(text));
        (code, text)
    });
    found
        .filter(|(code, text)| code.is_some() || text.is_some())
        .or_else(|| {
            let display = node.path(&["medicationReference", "display"])?.as_text()?;
            Some((None, Some(said(display)?)))
        })
}

/// Reads a Dosage: its text, or words made of its parts.
fn dose(dosage: &Node<'_>) -> Option<Dose> {
    let rate = dosage.items("doseAndRate").first();
    let quantity_node = rate
        .and_then(|rate| rate.get("doseQuantity"))
        .or_else(|| dosage.get("dose"));
    let per_day = dosage.path(&["timing", "repeat"]).and_then(per_day);
    let text = dosage
        .text("text")
        .and_then(said)
        .or_else(|| made_words(dosage, quantity_node));
    Some(Dose {
        text: text?,
        quantity: quantity_node.and_then(quantity),
        per_day,
    })
}

fn made_words(dosage: &Node<'_>, quantity_node: Option<&Node<'_>>) -> Option<String> {
    let mut parts: Vec<String> = quantity_node.and_then(quantity_words).into_iter().collect();
    if let Some(repeat) = dosage.path(&["timing", "repeat"]) {
        let number = |key| repeat.get(key).and_then(Node::as_number);
        if let (Some(times), Some(period), Some(unit)) = (
            number("frequency"),
            number("period"),
            repeat.text("periodUnit"),
        ) {
            parts.push(format!("{times} × / {period} {unit}"));
        }
    }
    if dosage.get("asNeededBoolean").and_then(Node::as_bool) == Some(true) {
        parts.push("as needed".to_owned());
    }
    parts.extend(
        dosage
            .items("additionalInstruction")
            .iter()
            .filter_map(words),
    );
    said(&parts.join(", "))
}

/// How many times a day, where that comes out exactly to two decimals.
fn per_day(repeat: &Node<'_>) -> Option<Decimal> {
    let number = |key| {
        repeat
            .get(key)
            .and_then(Node::as_number)?
            .parse::<f64>()
            .ok()
    };
    let periods_per_day = match repeat.text("periodUnit")? {
        "d" => 1.0,
        "h" => 24.0,
        "wk" => 1.0 / 7.0,
        _ => return None,
    };
    let times = number("frequency")? * periods_per_day / number("period")?;
    let hundredths = times * 100.0;
    if !hundredths.is_finite() || (hundredths - hundredths.round()).abs() > 1e-9 || times <= 0.0 {
        return None;
    }
    decimal(&times.to_string())
}

fn days(duration: &Node<'_>) -> Option<u32> {
    let number = duration.get("value")?.as_number()?.parse::<u32>().ok()?;
    match duration.text("code").or_else(|| duration.text("unit"))? {
        "d" | "day" | "days" => Some(number),
        "wk" | "week" | "weeks" => number.checked_mul(7),
        _ => None,
    }
}
