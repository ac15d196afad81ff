//! The vaccination programme by age, and the COVID-19 campaign by date.
//!
//! Ages and order follow Circular 10/2024/TT-BYT and, for oral polio and Japanese encephalitis,
//! common practice; codes are those of the catalogue's list of programme vaccines.

use crate::calendar::Day;
use crate::codes::{Coded, System};

/// One dose of the children's programme.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dose {
    pub(crate) vaccine: Coded,
    pub(crate) number: u8,
    /// Days of age at which it is due.
    pub(crate) due_days: i32,
    /// Days that children usually come late, at most.
    pub(crate) late_days: i32,
    /// Children in 10,000 that get it.
    pub(crate) coverage: u32,
    pub(crate) girls_only: bool,
    /// The first day on which the programme offers it.
    pub(crate) from: Day,
}

const fn vaccine(code: &'static str, display: &'static str) -> Coded {
    Coded {
        system: System::Vaccine,
        code,
        display,
    }
}

const fn dose(vaccine: Coded, number: u8, due_days: i32, late_days: i32, coverage: u32) -> Dose {
    let from = Day::of(2010, 1, 1);
    Dose {
        vaccine,
        number,
        due_days,
        late_days,
        coverage,
        girls_only: false,
        from,
    }
}

const fn since(dose: Dose, from: Day) -> Dose {
    Dose { from, ..dose }
}

const FIVE_IN_ONE: Coded = vaccine("DPT-VGB-HIB", "Bạch hầu, ho gà, uốn ván, viêm gan B, Hib");
const ORAL_POLIO: Coded = vaccine("BOPV", "Bại liệt uống (bOPV)");
const IPV: Coded = vaccine("IPV", "Bại liệt tiêm (IPV)");
const ENCEPHALITIS: Coded = vaccine("JE", "Viêm não Nhật Bản B");
const ROTA: Coded = vaccine("ROTA", "Tiêu chảy do vi rút rota");
pub(crate) const TETANUS: Coded = vaccine("TETANUS", "Uốn ván cho phụ nữ có thai");

/// The children's programme, in the order in which doses are due.
pub(crate) const CHILDREN: [Dose; 20] = [
    dose(vaccine("HEPB-BIRTH", "Viêm gan B sơ sinh"), 1, 0, 1, 8_800),
    dose(vaccine("BCG", "Lao (BCG)"), 1, 2, 26, 9_600),
    dose(FIVE_IN_ONE, 1, 60, 25, 9_600),
    dose(ORAL_POLIO, 1, 60, 25, 9_500),
    since(dose(ROTA, 1, 60, 20, 7_000), Day::of(2026, 1, 1)),
    dose(FIVE_IN_ONE, 2, 92, 30, 9_500),
    dose(ORAL_POLIO, 2, 92, 30, 9_400),
    since(dose(ROTA, 2, 92, 20, 6_700), Day::of(2026, 1, 1)),
    dose(FIVE_IN_ONE, 3, 124, 35, 9_300),
    dose(ORAL_POLIO, 3, 124, 35, 9_200),
    since(dose(IPV, 1, 160, 40, 9_100), Day::of(2018, 10, 1)),
    dose(vaccine("MEASLES", "Sởi"), 1, 272, 45, 9_500),
    since(dose(IPV, 2, 275, 60, 8_300), Day::of(2022, 6, 1)),
    dose(ENCEPHALITIS, 1, 366, 60, 9_200),
    dose(ENCEPHALITIS, 2, 440, 10, 9_100),
    dose(vaccine("MR", "Sởi, rubella (MR)"), 1, 545, 70, 9_300),
    dose(
        vaccine("DPT", "Bạch hầu, ho gà, uốn ván nhắc lại"),
        4,
        545,
        80,
        8_900,
    ),
    dose(ENCEPHALITIS, 3, 800, 90, 8_800),
    since(
        dose(
            vaccine("TD", "Uốn ván, bạch hầu giảm liều"),
            1,
            2_557,
            120,
            8_200,
        ),
        Day::of(2024, 8, 1),
    ),
    Dose {
        girls_only: true,
        ..since(
            dose(
                vaccine("HPV", "Ung thư cổ tử cung (HPV)"),
                1,
                4_020,
                200,
                6_500,
            ),
            Day::of(2026, 7, 1),
        )
    },
];

/// The products of the COVID-19 campaign with their share of doses.
pub(crate) const COVID: [(Coded, u32); 4] = [
    (
        vaccine("COVID19-ASTRAZENECA", "COVID-19 Vaxzevria (AstraZeneca)"),
        30,
    ),
    (
        vaccine("COVID19-PFIZER", "COVID-19 Comirnaty (Pfizer-BioNTech)"),
        35,
    ),
    (
        vaccine("COVID19-MODERNA", "COVID-19 Spikevax (Moderna)"),
        12,
    ),
    (
        vaccine("COVID19-SINOPHARM", "COVID-19 BBIBP-CorV (Sinopharm)"),
        23,
    ),
];

/// The first day of the city's mass COVID-19 vaccination of adults.
pub(crate) const COVID_FIRST_DAY: Day = Day::of(2021, 7, 22);
