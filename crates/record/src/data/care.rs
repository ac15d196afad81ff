//! Care over time: programmes, appointments, contacts, risk assessments.

use crate::{
    block::{CodeOrText, RawJson},
    decimal::Decimal,
    limits::{EXTRA_BYTES_MAX, NARRATIVE_CHARS_MAX, WORD_CHARS_MAX},
    time::PartialDate,
};

words! {
    /// A programme of care.
    pub enum Programme {
        Other = "other",
        Hypertension = "hypertension",
        Diabetes = "diabetes",
        Copd = "copd",
        Asthma = "asthma",
        Cancer = "cancer",
        MentalHealth = "mental_health",
        Elderly = "elderly",
        MotherChild = "mother_child",
    }
}

data! {
    /// A person joins a programme.
    clinical ProgrammeEnrolled {
        /// The programme.
        programme: Programme,
        /// Since when.
        enrolled_on: PartialDate,
        /// The facility that cares for them.
        facility: String => WORD_CHARS_MAX,
    }
}

data! {
    /// A person leaves a programme.
    clinical ProgrammeLeft {
        /// The programme.
        programme: Programme,
        /// Since when.
        left_on: PartialDate,
        /// Why.
        reason: CodeOrText,
    }
}

data! {
    /// A person should come on a day.
    clinical AppointmentMade {
        /// The sender's id of the appointment.
        appointment_id: String => WORD_CHARS_MAX,
        /// The day.
        due_on: PartialDate,
        /// For which programme.
        programme: Option<Programme>,
        /// Where.
        facility: String => WORD_CHARS_MAX,
    }
}

data! {
    /// A person did not come.
    clinical AppointmentMissed {
        /// The appointment.
        appointment_id: String => WORD_CHARS_MAX,
    }
}

data! {
    /// Someone tried to reach a person.
    clinical ContactAttempted {
        /// About which appointment.
        appointment_id: Option<String> => WORD_CHARS_MAX,
        /// By what means.
        channel: String => WORD_CHARS_MAX,
        /// What came of it.
        result: String => NARRATIVE_CHARS_MAX,
    }
}

words! {
    /// An instrument that turns answers and measurements into a risk.
    pub enum Instrument {
        Other = "other",
        Findrisc = "findrisc",
        WhoCvdLab = "who_cvd_lab",
        WhoCvdNonlab = "who_cvd_nonlab",
    }
}

data! {
    /// A risk was computed.
    clinical RiskAssessed {
        /// By which instrument.
        instrument: Instrument,
        /// In which version.
        version: String => WORD_CHARS_MAX,
        /// From what, as the instrument names it.
        inputs: RawJson => EXTRA_BYTES_MAX,
        /// The score.
        score: Decimal,
        /// The band that the score lies in.
        band: String => WORD_CHARS_MAX,
    }
}
