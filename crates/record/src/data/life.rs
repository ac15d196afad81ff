//! Vaccinations, pregnancies, births, documents, and what people say of themselves and their family.

use crate::{
    block::{Answer, Code, CodeOrText, Measure, PersonRef, YesNo},
    data::ObservationRecorded,
    decimal::Decimal,
    field::{Cx, Field, Path},
    json::{Node, Value},
    limits::{CONTENT_CHARS_MAX, NARRATIVE_CHARS_MAX, WORD_CHARS_MAX},
    rules,
    time::PartialDate,
};

words! {
    /// What happened with a vaccine.
    pub enum VaccinationStatus {
        Given = "given",
        Refused = "refused",
        Contraindicated = "contraindicated",
    }
}

data! {
    /// A vaccine was given, or was not and why.
    clinical VaccinationRecorded {
        /// The vaccine.
        vaccine: Code,
        /// Which dose of the series.
        dose_number: Option<u32> => 100,
        /// What happened.
        status: VaccinationStatus,
        /// The lot.
        lot: Option<String> => WORD_CHARS_MAX,
        /// Who made it.
        manufacturer: Option<String>,
        /// Where on the body.
        site: Option<CodeOrText>,
        /// How it was given.
        route: Option<CodeOrText>,
        /// What happened after it.
        reaction: Option<CodeOrText>,
        /// Whether the one who gave it recorded it.
        primary_source: YesNo,
        /// When the next dose is due.
        next_due: Option<PartialDate>,
    }
}

words! {
    /// Whether a pregnancy goes on.
    pub enum PregnancyStatus {
        Ongoing = "ongoing",
        Ended = "ended",
    }
}

data! {
    /// A visit in a pregnancy.
    part PregnancyVisit {
        /// The day.
        on: PartialDate,
        /// Completed weeks.
        weeks: Option<u32> => 50,
        /// What was observed.
        observations: Vec<ObservationRecorded>,
    }
}

data! {
    /// A pregnancy.
    clinical PregnancyRecorded {
        /// Whether it goes on.
        status: PregnancyStatus,
        /// When the child is due.
        due_on: Option<PartialDate>,
        /// How it ended.
        outcome: Option<CodeOrText>,
        /// Pregnancies so far.
        gravida: Option<u32> => 50,
        /// Births so far.
        para: Option<u32> => 50,
        /// Visits.
        visits: Vec<PregnancyVisit>,
    }
}

data! {
    /// A child was born; the person of the event is the child.
    clinical BirthRecorded {
        /// The mother.
        mother: PersonRef,
        /// How the child was born.
        delivery: CodeOrText,
        /// Weight; a bare number is in grams.
        weight: Measure,
        /// Length; a bare number is in centimetres.
        length: Option<Measure>,
        /// Completed weeks of pregnancy.
        gestation_weeks: Option<u32> => 50,
        /// Whether the child was short of oxygen.
        asphyxia: Answer,
        /// Defects found.
        defects: Vec<CodeOrText>,
    }
}

data! {
    /// A document about a person.
    clinical DocumentAttached {
        /// What it is called.
        title: String,
        /// Its media type.
        media_type: String => WORD_CHARS_MAX,
        /// The document itself, in base64.
        content: Option<String> => CONTENT_CHARS_MAX,
        /// The digest of a blob that was sent before.
        digest: Option<String> => WORD_CHARS_MAX,
        /// What it is about.
        about: Option<String>,
    }
    rules check_document;
}

fn check_document(document: &DocumentAttached, at: Path<'_>, cx: &mut Cx) {
    rules::content_or_digest(
        document.content.is_some(),
        document.digest.as_deref(),
        at,
        cx,
    );
    if let Some(content) = &document.content {
        rules::base64(content, at.key("content"), cx);
    }
}

data! {
    /// A person tells about themselves.
    clinical SelfReportSubmitted {
        /// What they measured.
        observations: Vec<ObservationRecorded>,
        /// What they feel.
        symptoms: Vec<CodeOrText>,
        /// In their words.
        note: Option<String> => NARRATIVE_CHARS_MAX,
        /// Who wrote it for them.
        on_behalf_by: Option<PersonRef>,
    }
    rules check_self_report;
}

fn check_self_report(report: &SelfReportSubmitted, at: Path<'_>, cx: &mut Cx) {
    if report.observations.is_empty() && report.symptoms.is_empty() && report.note.is_none() {
        cx.error(at, "missing", "expected observations, symptoms or a note");
    }
}

data! {
    /// A habit or exposure. A lone answer is taken as `answer`.
    part Habit {
        /// Whether.
        answer: Answer,
        /// Since when.
        since: Option<PartialDate>,
        /// Until when.
        stopped_on: Option<PartialDate>,
    }
    lone lone_habit;
    rules check_habit;
}

fn lone_habit(node: &Node<'_>, at: Path<'_>, cx: &mut Cx) -> Option<Option<Habit>> {
    lone_answer(node, at, cx, |answer| Habit {
        answer,
        ..Habit::default()
    })
}

fn lone_answer<T>(
    node: &Node<'_>,
    at: Path<'_>,
    cx: &mut Cx,
    whole: impl FnOnce(Answer) -> T,
) -> Option<Option<T>> {
    matches!(node.value(), Value::Text(_)).then(|| Answer::read(node, at, 0, cx).map(whole))
}

fn check_habit(habit: &Habit, at: Path<'_>, cx: &mut Cx) {
    rules::in_order(
        ("since", habit.since),
        ("stopped_on", habit.stopped_on),
        at,
        cx,
    );
}

data! {
    /// Drinking alcohol.
    part Alcohol {
        /// Whether.
        answer: Answer,
        /// Standard drinks a day.
        per_day: Option<Decimal>,
        /// Since when.
        since: Option<PartialDate>,
        /// Until when.
        stopped_on: Option<PartialDate>,
    }
    lone lone_alcohol;
    rules check_alcohol;
}

fn lone_alcohol(node: &Node<'_>, at: Path<'_>, cx: &mut Cx) -> Option<Option<Alcohol>> {
    lone_answer(node, at, cx, |answer| Alcohol {
        answer,
        ..Alcohol::default()
    })
}

fn check_alcohol(alcohol: &Alcohol, at: Path<'_>, cx: &mut Cx) {
    rules::in_order(
        ("since", alcohol.since),
        ("stopped_on", alcohol.stopped_on),
        at,
        cx,
    );
}

data! {
    /// Moving enough.
    part PhysicalActivity {
        /// Whether.
        answer: Answer,
        /// How many minutes a week.
        minutes_per_week: Option<u32> => 10_080,
        /// Since when.
        since: Option<PartialDate>,
        /// Until when.
        stopped_on: Option<PartialDate>,
    }
    lone lone_activity;
    rules check_activity;
}

fn lone_activity(node: &Node<'_>, at: Path<'_>, cx: &mut Cx) -> Option<Option<PhysicalActivity>> {
    lone_answer(node, at, cx, |answer| PhysicalActivity {
        answer,
        ..PhysicalActivity::default()
    })
}

fn check_activity(activity: &PhysicalActivity, at: Path<'_>, cx: &mut Cx) {
    rules::in_order(
        ("since", activity.since),
        ("stopped_on", activity.stopped_on),
        at,
        cx,
    );
}

data! {
    /// What a person answered about risks.
    clinical RiskFactorsReported {
        /// Smoking tobacco.
        tobacco: Habit,
        /// Smoking the water pipe.
        water_pipe: Habit,
        /// Drinking alcohol.
        alcohol: Alcohol,
        /// Using drugs.
        drugs: Habit,
        /// Moving enough.
        physical_activity: PhysicalActivity,
        /// Eating salty food.
        salt: Option<Habit>,
        /// Exposures at work or at home.
        exposures: Vec<CodeOrText>,
        /// The kind of toilet at home.
        toilet: Option<CodeOrText>,
    }
}

data! {
    /// A condition that a relative has, has not, or may have.
    part FamilyCondition {
        /// The condition.
        condition: Code,
        /// What the relative is to the person.
        relation: String => WORD_CHARS_MAX,
        /// Whether they have it.
        answer: Answer,
        /// The relative's age in years when it began.
        age_at_onset: Option<u32> => 130,
    }
}

data! {
    /// What a person answered about the family.
    clinical FamilyHistoryReported {
        /// The answers.
        entries: Vec<FamilyCondition>,
    }
    rules check_family_history;
}

fn check_family_history(history: &FamilyHistoryReported, at: Path<'_>, cx: &mut Cx) {
    if history.entries.is_empty() {
        cx.error(at.key("entries"), "missing", "expected at least one entry");
    }
}
