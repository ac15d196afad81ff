//! Observations wherever they were made: the latest of each code, and the series of each code in the order of time.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Entry, Provenance, TimeKey, by_time, effective::Effective};
use crate::{
    block::{CodeOrText, PersonRef, Value},
    data::{Data, ObservationRecorded},
    id::EventId,
    time::Occurred,
};

/// What was observed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Observations {
    /// The latest observation of each code, sorted by code.
    pub latest: Vec<Entry<ObservationRecorded>>,
    /// Every value by `system|code`, in the order of time; components have series of their own.
    pub series: BTreeMap<String, Vec<Point>>,
    /// What the person told in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub self_reports: Vec<SelfReport>,
}

/// One value of a series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Point {
    /// When it was observed.
    pub occurred_at: Occurred,
    /// The value.
    pub value: Value,
    /// The event that stated it.
    pub event_id: EventId,
    /// The code of the observation that this was a component of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part_of: Option<String>,
    /// Whether the person reported it themselves.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub self_reported: bool,
}

/// What a person told about themselves beside measurements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SelfReport {
    /// What they feel.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub symptoms: Vec<CodeOrText>,
    /// In their words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Who wrote it for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_behalf_by: Option<PersonRef>,
    /// Where it comes from.
    #[serde(flatten)]
    pub provenance: Provenance,
}

/// Folds every observation, those inside encounters, self-reports and pregnancy visits too.
pub(crate) fn fold(events: &[Effective<'_>]) -> Observations {
    let mut all: Vec<(TimeKey, Entry<ObservationRecorded>)> = Vec::new();
    let mut self_reports = Vec::new();
    for event in events {
        match &*event.data {
            Data::ObservationRecorded(observation) => all.push(made(event, observation, None)),
            Data::EncounterRecorded(encounter) => {
                let id = Some(&encounter.encounter_id);
                all.extend(
                    encounter
                        .observations
                        .iter()
                        .map(|one| made(event, one, id)),
                );
            }
            Data::PregnancyRecorded(pregnancy) => {
                for visit in &pregnancy.visits {
                    let on = Occurred::On(visit.on);
                    all.extend(visit.observations.iter().map(|one| {
                        let (_, mut entry) = made(event, one, None);
                        entry.provenance.occurred_at = on;
                        ((on.earliest_us(), event.recorded.position), entry)
                    }));
                }
            }
            Data::SelfReportSubmitted(report) => {
                all.extend(report.observations.iter().map(|one| made(event, one, None)));
                if !report.symptoms.is_empty() || report.note.is_some() {
                    self_reports.push((
                        event.key(),
                        SelfReport {
                            symptoms: report.symptoms.clone(),
                            note: report.note.clone(),
                            on_behalf_by: report.on_behalf_by.clone(),
                            provenance: event.provenance(&[]),
                        },
                    ));
                }
            }
            _ => {}
        }
    }
    let mut observations = Observations {
        self_reports: by_time(self_reports),
        ..Default::default()
    };
    let mut latest = BTreeMap::new();
    for entry in by_time(all) {
        let key = entry.what.code.key();
        plot(&entry, &key, &mut observations.series);
        latest.insert(key, entry);
    }
    observations.latest = latest.into_values().collect();
    observations
}

fn made(
    event: &Effective<'_>,
    observation: &ObservationRecorded,
    encounter_id: Option<&String>,
) -> (TimeKey, Entry<ObservationRecorded>) {
    let mut what = observation.clone();
    let labels = std::mem::take(&mut what.labels);
    what.encounter_id = what.encounter_id.or_else(|| encounter_id.cloned());
    (event.key(), event.entry(what, &labels))
}

/// Adds the value and the components of an observation to their series.
fn plot(entry: &Entry<ObservationRecorded>, key: &str, series: &mut BTreeMap<String, Vec<Point>>) {
    let point = |value: &Value, part_of: Option<String>| Point {
        occurred_at: entry.provenance.occurred_at,
        value: value.clone(),
        event_id: entry.provenance.event_id,
        part_of,
        self_reported: entry.provenance.self_reported,
    };
    if let Some(value) = &entry.what.value {
        series
            .entry(key.to_owned())
            .or_default()
            .push(point(value, None));
    }
    for component in &entry.what.components {
        let part = point(&component.value, Some(key.to_owned()));
        series.entry(component.code.key()).or_default().push(part);
    }
}
