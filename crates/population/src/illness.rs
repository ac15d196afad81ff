//! Long illnesses: who gets them and when, from published prevalence by age and sex.
//!
//! Each person draws one liability for each illness; the illness begins at the age at which the
//! prevalence curve passes it. Prevalence at every age is then the curve itself. Calibrated to
//! STEPS 2021 (hypertension 28 %, raised glucose 7 % at 25–64) and the city's screening of 2025.

use crate::calendar::Day;
use crate::codes::Coded;
use crate::rng::Rng;

/// A long illness that the city knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Illness {
    Hypertension,
    Diabetes,
    Copd,
    Asthma,
    Dyslipidaemia,
    Gastritis,
    HeartDisease,
    KidneyDisease,
    Arthrosis,
    HepatitisB,
    Depression,
    Cancer,
    Tuberculosis,
    Hiv,
}

/// What is known of one illness of one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Course {
    pub(crate) illness: Illness,
    pub(crate) onset: Day,
    /// The day a health worker names it; never for those who do not know.
    pub(crate) found: Option<Day>,
    /// The day that the person joins a programme for it.
    pub(crate) enrolled: Option<Day>,
    /// Whether treatment, once begun, reaches its target.
    pub(crate) controlled: bool,
}

/// Cases in 10,000 by age: (age, male, female); straight lines between.
type Curve = &'static [(i32, u32, u32)];

impl Illness {
    pub(crate) const ALL: [Self; 14] = [
        Self::Hypertension,
        Self::Diabetes,
        Self::Copd,
        Self::Asthma,
        Self::Dyslipidaemia,
        Self::Gastritis,
        Self::HeartDisease,
        Self::KidneyDisease,
        Self::Arthrosis,
        Self::HepatitisB,
        Self::Depression,
        Self::Cancer,
        Self::Tuberculosis,
        Self::Hiv,
    ];

    fn curve(self) -> Curve {
        match self {
            Self::Hypertension => &[
                (18, 250, 100),
                (25, 800, 400),
                (35, 1_900, 1_200),
                (45, 3_300, 2_500),
                (55, 4_800, 4_300),
                (65, 6_000, 5_900),
                (75, 6_600, 6_800),
                (90, 7_000, 7_200),
            ],
            Self::Diabetes => &[
                (25, 100, 80),
                (35, 350, 250),
                (45, 800, 650),
                (55, 1_400, 1_350),
                (65, 2_000, 2_150),
                (80, 2_200, 2_400),
            ],
            Self::Copd => &[
                (40, 50, 20),
                (50, 400, 120),
                (60, 900, 250),
                (70, 1_400, 400),
                (85, 1_900, 550),
            ],
            Self::Asthma => &[
                (3, 150, 120),
                (10, 400, 330),
                (40, 450, 430),
                (80, 550, 550),
            ],
            Self::Dyslipidaemia => &[
                (25, 400, 300),
                (40, 1_400, 1_100),
                (55, 2_300, 2_700),
                (70, 2_700, 3_300),
            ],
            Self::Gastritis => &[(15, 100, 120), (30, 900, 1_000), (60, 1_900, 2_000)],
            Self::HeartDisease => &[
                (40, 60, 30),
                (55, 400, 200),
                (70, 1_300, 900),
                (85, 2_000, 1_700),
            ],
            Self::KidneyDisease => &[(40, 60, 50), (60, 300, 250), (80, 900, 800)],
            Self::Arthrosis => &[(40, 100, 250), (60, 1_200, 2_300), (80, 2_400, 4_000)],
            Self::HepatitisB => &[(15, 150, 120), (30, 700, 550), (60, 800, 650)],
            Self::Depression => &[(15, 60, 120), (40, 250, 450), (70, 350, 600)],
            Self::Cancer => &[(30, 15, 25), (50, 90, 150), (70, 350, 280), (85, 600, 400)],
            Self::Tuberculosis => &[(15, 10, 5), (45, 90, 35), (75, 220, 90)],
            Self::Hiv => &[(18, 5, 2), (30, 45, 15), (60, 55, 20)],
        }
    }

    /// Shares in 10,000: of those ill, found; of those found, in a programme.
    fn cascade(self) -> (u32, u32) {
        match self {
            Self::Hypertension => (6_400, 6_200),
            Self::Diabetes => (5_500, 7_000),
            Self::Copd | Self::Asthma => (5_500, 5_000),
            Self::Dyslipidaemia | Self::HepatitisB => (4_500, 0),
            Self::Depression => (3_500, 4_000),
            Self::Cancer => (9_500, 3_000),
            Self::Tuberculosis | Self::Hiv => (9_000, 0),
            Self::Gastritis | Self::Arthrosis => (6_000, 0),
            Self::HeartDisease | Self::KidneyDisease => (7_500, 0),
        }
    }

    /// The diagnosis that doctors write; `variant` chooses where one illness has several codes.
    pub(crate) fn diagnosis(self, female: bool, variant: u64) -> Coded {
        use crate::codes as c;
        match self {
            Self::Hypertension => c::HYPERTENSION,
            Self::Diabetes if variant.is_multiple_of(5) => c::DIABETES_KIDNEY,
            Self::Diabetes => c::DIABETES,
            Self::Copd => c::COPD,
            Self::Asthma => c::ASTHMA,
            Self::Dyslipidaemia => c::DYSLIPIDAEMIA,
            Self::Gastritis => c::GASTRITIS,
            Self::HeartDisease => c::HEART_DISEASE,
            Self::KidneyDisease => c::KIDNEY_DISEASE,
            Self::Arthrosis => c::ARTHROSIS,
            Self::HepatitisB => c::HEPATITIS_B,
            Self::Depression => c::DEPRESSION,
            Self::Cancer if female => c::CANCER_BREAST,
            Self::Cancer if variant.is_multiple_of(2) => c::CANCER_LIVER,
            Self::Cancer => c::CANCER_LUNG,
            Self::Tuberculosis => c::TUBERCULOSIS,
            Self::Hiv => c::HIV,
        }
    }

    /// Visits a year once found: in a programme, and not.
    pub(crate) fn visits_a_year(self) -> (i32, i32) {
        match self {
            Self::Hypertension | Self::Diabetes => (4, 1),
            Self::Copd | Self::Asthma | Self::Hiv | Self::Cancer => (3, 2),
            Self::Tuberculosis | Self::Depression => (3, 2),
            _ => (1, 1),
        }
    }
}

/// The illnesses that someone born that day has by `until`, in the order of onset.
pub(crate) fn courses(rng: &mut Rng, born: Day, female: bool, until: Day) -> Vec<Course> {
    let mut courses = Vec::new();
    let mut metabolic = false;
    for illness in Illness::ALL {
        let mut liability = rng.below(10_000);
        if metabolic && matches!(illness, Illness::Dyslipidaemia | Illness::KidneyDisease) {
            liability /= 2;
        }
        let Some(onset_age) = onset_age(illness.curve(), female, liability) else {
            continue;
        };
        let onset = born.plus_years(onset_age).plus(rng.between(0, 364));
        if onset > until {
            continue;
        }
        metabolic |= matches!(illness, Illness::Hypertension | Illness::Diabetes);
        courses.push(course(rng, illness, onset, until));
    }
    courses.sort_by_key(|course| course.onset);
    courses
}

/// A course that is certainly found and in a programme, for the people of the demonstration.
pub(crate) fn managed_course(illness: Illness, onset: Day) -> Course {
    let (found, enrolled) = (Some(onset.plus(40)), Some(onset.plus(47)));
    Course {
        illness,
        onset,
        found,
        enrolled,
        controlled: true,
    }
}

fn course(rng: &mut Rng, illness: Illness, onset: Day, until: Day) -> Course {
    let (found, enrolled) = illness.cascade();
    let delay = rng.between(0, 900);
    let found = rng
        .chance(found)
        .then(|| onset.plus(delay))
        .filter(|day| *day <= until);
    let joins = rng.chance(enrolled);
    let delay = rng.between(0, 60);
    let enrolled = found.filter(|_| joins).map(|day| day.plus(delay));
    // Of the treated, 44 % were at target in 2022; more of those in a programme.
    let controlled = rng.chance(if joins { 5_200 } else { 3_000 });
    Course {
        illness,
        onset,
        found,
        enrolled: enrolled.filter(|day| *day <= until),
        controlled,
    }
}

/// The age in years at which the curve passes a liability; none when it never does.
fn onset_age(curve: Curve, female: bool, liability: u32) -> Option<i32> {
    let cases = |point: &(i32, u32, u32)| if female { point.2 } else { point.1 };
    let first = curve.first()?;
    if liability < cases(first) {
        return Some(first.0);
    }
    let pair = curve.windows(2).find(|pair| liability < cases(&pair[1]))?;
    let (low, high) = (cases(&pair[0]), cases(&pair[1]));
    let years = (pair[1].0 - pair[0].0).unsigned_abs();
    let into = years * (liability - low) / (high - low).max(1);
    Some(pair[0].0 + into.cast_signed())
}
