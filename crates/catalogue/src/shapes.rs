//! The shapes of list files that can be taken in: our own documented one, and those of files that are
//! published about Vietnam's lists. A shape says which columns hold what, and what to assume otherwise.

/// How a list file is laid out.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// The shape's name, for `--shape`.
    pub name: &'static str,
    /// The columns that hold the code; the first that is not empty counts.
    pub code: &'static [&'static str],
    /// What the other columns are for.
    pub(crate) content: Content,
    /// What holds unless the operator says otherwise.
    pub(crate) defaults: Defaults,
    /// Corrections of known faults in a published file: code, wrong English name, right one.
    pub(crate) corrections: &'static [(&'static str, &'static str, &'static str)],
    /// Whether the file lists codes without names; such a code is its own name.
    pub(crate) unnamed_codes: bool,
    /// Columns that tell this file from others with the same columns.
    pub(crate) telling: &'static [&'static str],
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Content {
    Names {
        vi: &'static str,
        en: Option<&'static str>,
        parent: Option<&'static str>,
        valid_from: Option<&'static str>,
        valid_to: Option<&'static str>,
    },
    Successors {
        new: &'static str,
    },
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Defaults {
    pub(crate) name: Option<&'static str>,
    pub(crate) system: Option<&'static str>,
    pub(crate) version: Option<&'static str>,
    pub(crate) valid_from: Option<&'static str>,
    pub(crate) valid_to: Option<&'static str>,
    pub(crate) complete: bool,
    pub(crate) code_chars: Option<u8>,
}

const NOTHING: Defaults = Defaults {
    name: None,
    system: None,
    version: None,
    valid_from: None,
    valid_to: None,
    complete: false,
    code_chars: None,
};

const BARE: Shape = Shape {
    name: "",
    code: &["code"],
    content: Content::Names {
        vi: "name_vi",
        en: None,
        parent: None,
        valid_from: None,
        valid_to: None,
    },
    defaults: NOTHING,
    corrections: &[],
    unnamed_codes: false,
    telling: &[],
};

const REFORM: Option<&str> = Some("2025-07-01");
const EVE_OF_REFORM: Option<&str> = Some("2025-06-30");
/// Wards and districts changed often; the published list of "before" is that of the last half year.
const LAST_HALF_YEAR: Option<&str> = Some("2025-01-01");

/// Administrative units of the reform of 1 July 2025.
const UNITS_2025: Defaults = Defaults {
    system: Some("dvhc"),
    version: Some("2025-07-01"),
    valid_from: REFORM,
    complete: true,
    ..NOTHING
};

/// Administrative units on the eve of that reform.
const UNITS_BEFORE: Defaults = Defaults {
    system: Some("dvhc"),
    version: Some("2025-01-01"),
    valid_from: LAST_HALF_YEAR,
    valid_to: EVE_OF_REFORM,
    complete: true,
    ..NOTHING
};

const fn names(
    vi: &'static str,
    en: Option<&'static str>,
    parent: Option<&'static str>,
) -> Content {
    Content::Names {
        vi,
        en,
        parent,
        valid_from: None,
        valid_to: None,
    }
}

/// All shapes, the most telling first: a file is taken by the first one whose columns it has.
const SHAPES: &[Shape] = &[
    Shape {
        name: "communes-2025",
        content: names("full_name", Some("name_en"), Some("province_code")),
        defaults: Defaults {
            name: Some("communes"),
            code_chars: Some(5),
            ..UNITS_2025
        },
        telling: &["type", "province_code", "province_name", "formed_from_vi"],
        ..BARE
    },
    Shape {
        name: "provinces-2025",
        content: names("full_name", Some("name_en"), None),
        defaults: Defaults {
            name: Some("provinces"),
            code_chars: Some(2),
            ..UNITS_2025
        },
        telling: &["type", "n_communes", "formed_from_vi"],
        ..BARE
    },
    Shape {
        name: "wards-before-2025",
        code: &["ward_code"],
        content: names("name", None, Some("district_code")),
        defaults: Defaults {
            name: Some("communes"),
            code_chars: Some(5),
            ..UNITS_BEFORE
        },
        telling: &["district_name", "province_name"],
        ..BARE
    },
    Shape {
        name: "districts-before-2025",
        code: &["district_code"],
        content: names("name", None, Some("province_code")),
        defaults: Defaults {
            name: Some("districts"),
            code_chars: Some(3),
            ..UNITS_BEFORE
        },
        telling: &["type", "province_name"],
        ..BARE
    },
    Shape {
        name: "ward-successors",
        // Five island districts had no wards: their rows carry the district alone.
        code: &["old_ward_code", "old_district_code"],
        content: Content::Successors {
            new: "new_commune_code",
        },
        defaults: Defaults {
            name: Some("ward-successors"),
            ..UNITS_2025
        },
        telling: &["new_commune", "is_divided"],
        ..BARE
    },
    Shape {
        name: "province-successors",
        code: &["old_province_code"],
        content: Content::Successors {
            new: "new_province_code",
        },
        defaults: Defaults {
            name: Some("province-successors"),
            ..UNITS_2025
        },
        telling: &["old_province", "new_province"],
        ..BARE
    },
    Shape {
        name: "icd10-qd4469",
        content: names("name_vi", Some("name_en"), Some("category3")),
        defaults: Defaults {
            name: Some("icd10"),
            system: Some("icd10"),
            version: Some("qd4469"),
            valid_from: Some("2020-11-01"),
            // The list of TT 06/2026 takes over, but for as long as it is not loaded this one serves.
            complete: true,
            ..NOTHING
        },
        corrections: &[
            (
                "I10",
                "Other rheumatic heart diseases",
                "Essential (primary) hypertension",
            ),
            (
                "I48",
                "Paroxysmal tachycardia",
                "Atrial fibrillation and flutter",
            ),
        ],
        telling: &["code_nodot", "category3", "dagger"],
        ..BARE
    },
    Shape {
        name: "icd10-chapters",
        code: &["range"],
        content: names("name_vi", Some("name_en"), None),
        defaults: icd10_part("icd10-chapters"),
        telling: &["chapter"],
        ..BARE
    },
    Shape {
        name: "icd10-blocks",
        code: &["block"],
        content: names("name_vi", Some("name_en"), Some("chapter")),
        defaults: icd10_part("icd10-blocks"),
        telling: &["chapter"],
        ..BARE
    },
    Shape {
        name: "vaccine-schedule",
        code: &["vaccine"],
        content: names("antigens", None, None),
        defaults: Defaults {
            name: Some("vaccine-schedule"),
            system: Some("vaccine-vn"),
            version: Some("tt10-2024"),
            ..NOTHING
        },
        telling: &["due_age_days", "cvx_hint"],
        ..BARE
    },
    Shape {
        name: "cvx",
        code: &["cvx"],
        content: names("display", Some("display"), None),
        defaults: Defaults {
            name: Some("cvx"),
            system: Some("cvx"),
            version: Some("vn-core"),
            ..NOTHING
        },
        unnamed_codes: true,
        ..BARE
    },
    Shape {
        name: "ethnic-groups",
        content: names("name", None, None),
        defaults: Defaults {
            name: Some("ethnic-groups"),
            system: Some("ethnic-vn"),
            version: Some("1979"),
            complete: true,
            ..NOTHING
        },
        telling: &["other_names"],
        ..BARE
    },
    Shape {
        name: "occupations-4069",
        content: names("name", None, None),
        defaults: Defaults {
            name: Some("occupations-4069"),
            system: Some("occupation-vn"),
            version: Some("qd4069-2001"),
            ..NOTHING
        },
        telling: &["definition"],
        ..BARE
    },
    Shape {
        name: "catalogue",
        content: Content::Names {
            vi: "name_vi",
            en: Some("name_en"),
            parent: Some("parent"),
            valid_from: Some("valid_from"),
            valid_to: Some("valid_to"),
        },
        telling: &["name_en", "parent", "valid_from", "valid_to"],
        ..BARE
    },
    Shape {
        name: "successors",
        code: &["old_code"],
        content: Content::Successors { new: "new_code" },
        ..BARE
    },
    Shape {
        name: "names",
        content: names("name_vi", None, None),
        ..BARE
    },
    Shape {
        name: "name",
        content: names("name", None, None),
        ..BARE
    },
];

const fn icd10_part(name: &'static str) -> Defaults {
    Defaults {
        name: Some(name),
        system: Some("icd10"),
        version: Some("qd4469"),
        valid_from: Some("2020-11-01"),
        ..NOTHING
    }
}

impl Shape {
    /// The columns that a file of this shape must have.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &'static str> {
        let content = match self.content {
            Content::Names {
                vi,
                en,
                parent,
                valid_from,
                valid_to,
            } => [Some(vi), en, parent, valid_from, valid_to],
            Content::Successors { new } => [Some(new), None, None, None, None],
        };
        self.code
            .iter()
            .copied()
            .chain(content.into_iter().flatten())
            .chain(self.telling.iter().copied())
    }
}

/// All shapes of list files, in the order in which a header is tried.
#[must_use]
pub fn shapes() -> &'static [Shape] {
    SHAPES
}

/// The names of all shapes, for messages.
pub(crate) fn known_shapes() -> String {
    SHAPES
        .iter()
        .map(|shape| shape.name)
        .collect::<Vec<_>>()
        .join(", ")
}
