//! Risk factors: the latest answer to each question that was asked, and risk assessments.

use serde::Serialize;

use super::{Entry, TimeKey, by_time, effective::Effective};
use crate::{
    block::{Answer, CodeOrText},
    data::{Alcohol, Data, Habit, PhysicalActivity, RiskAssessed, RiskFactorsReported},
    id::EventId,
    time::{Instant, Occurred},
};

/// The latest answer to a question; `not_asked` without an event when it was never asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Factor<T> {
    /// The answer.
    #[serde(flatten)]
    pub what: T,
    /// The event that stated it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<EventId>,
    /// When it was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Occurred>,
    /// When it was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded_at: Option<Instant>,
}

/// Answers about risks. Each is explicit: "no", "unknown" and "not asked" are three things.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct RiskFactors {
    /// Smoking tobacco.
    pub tobacco: Factor<Habit>,
    /// Smoking the water pipe.
    pub water_pipe: Factor<Habit>,
    /// Drinking alcohol.
    pub alcohol: Factor<Alcohol>,
    /// Using drugs.
    pub drugs: Factor<Habit>,
    /// Moving enough.
    pub physical_activity: Factor<PhysicalActivity>,
    /// Eating salty food.
    pub salt: Factor<Habit>,
    /// Exposures at work or at home, from the latest report that names any.
    pub exposures: Vec<CodeOrText>,
    /// The kind of toilet at home.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toilet: Option<CodeOrText>,
    /// Risk assessments, in the order of time.
    pub assessments: Vec<Entry<RiskAssessed>>,
}

/// Folds the reports, later answers over earlier ones; "not asked" never hides an answer.
pub(crate) fn fold(events: &[Effective<'_>]) -> RiskFactors {
    let mut assessments = Vec::new();
    let mut reports: Vec<(TimeKey, (&Effective<'_>, &RiskFactorsReported))> = Vec::new();
    for event in events {
        match &*event.data {
            Data::RiskFactorsReported(report) => reports.push((event.key(), (event, report))),
            Data::RiskAssessed(assessed) => {
                let what = RiskAssessed {
                    labels: Vec::new(),
                    ..(**assessed).clone()
                };
                assessments.push((event.key(), event.entry(what, &[])));
            }
            _ => {}
        }
    }
    let mut risk = RiskFactors {
        assessments: by_time(assessments),
        ..RiskFactors::default()
    };
    for (event, report) in by_time(reports) {
        answer(
            &mut risk.tobacco,
            &report.tobacco,
            report.tobacco.answer,
            event,
        );
        answer(
            &mut risk.water_pipe,
            &report.water_pipe,
            report.water_pipe.answer,
            event,
        );
        answer(
            &mut risk.alcohol,
            &report.alcohol,
            report.alcohol.answer,
            event,
        );
        answer(&mut risk.drugs, &report.drugs, report.drugs.answer, event);
        let activity = &report.physical_activity;
        answer(
            &mut risk.physical_activity,
            activity,
            activity.answer,
            event,
        );
        if let Some(salt) = &report.salt {
            answer(&mut risk.salt, salt, salt.answer, event);
        }
        if !report.exposures.is_empty() {
            risk.exposures.clone_from(&report.exposures);
        }
        if report.toilet.is_some() {
            risk.toilet.clone_from(&report.toilet);
        }
    }
    risk
}

fn answer<T: Clone>(factor: &mut Factor<T>, what: &T, answer: Answer, event: &Effective<'_>) {
    if answer != Answer::NotAsked {
        *factor = Factor {
            what: what.clone(),
            event_id: Some(event.recorded.event.event_id),
            occurred_at: Some(event.occurred_at),
            recorded_at: Some(event.recorded.recorded_at),
        };
    }
}
