//! What a person allows and refuses, and who may decide for them.

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{
    block::{Label, PersonRef, Section},
    field::{Cx, Field, Path},
    json::Node,
    limits::{NARRATIVE_CHARS_MAX, WORD_CHARS_MAX},
    rules,
    time::Occurred,
};

words! {
    /// The purpose of a use (HL7 PurposeOfUse).
    pub enum Purpose {
        Treatment = "TREAT",
        Emergency = "ETREAT",
        PatientRequest = "PATRQT",
        PublicHealth = "PUBHLTH",
        Research = "HRESCH",
        Operations = "HOPERAT",
    }
}

words! {
    /// What a directive does.
    pub enum Effect {
        Deny = "deny",
        Permit = "permit",
    }
}

/// Whom a directive speaks of.
#[derive(Debug, Clone, PartialEq, Eq, wincode::SchemaWrite, wincode::SchemaRead)]
pub enum Recipient {
    /// A facility.
    Facility(String),
    /// One professional, by id.
    Professional(String),
    /// Everyone in a role.
    Role(String),
    /// Everyone who treats the person.
    AnyoneTreating,
}

impl Default for Recipient {
    fn default() -> Self {
        Self::Facility(String::new())
    }
}

impl Serialize for Recipient {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut object = to.serialize_map(Some(1))?;
        match self {
            Self::Facility(code) => object.serialize_entry("facility", code)?,
            Self::Professional(id) => object.serialize_entry("professional", id)?,
            Self::Role(role) => object.serialize_entry("role", role)?,
            Self::AnyoneTreating => object.serialize_entry("anyone_treating", &true)?,
        }
        object.end()
    }
}

impl Field for Recipient {
    fn read(node: &Node<'_>, at: Path<'_>, _limit: usize, cx: &mut Cx) -> Option<Self> {
        let [(key, value)] = cx.object(node, at)? else {
            let expected = "expected exactly one of facility, professional, role, anyone_treating";
            cx.error(at, "conflict", expected);
            return None;
        };
        let place = at.key(key);
        let text = |cx: &mut Cx| String::read(value, place, WORD_CHARS_MAX, cx);
        match &**key {
            "facility" => text(cx).map(Self::Facility),
            "professional" => text(cx).map(Self::Professional),
            "role" => text(cx).map(Self::Role),
            "anyone_treating" if value.as_bool() == Some(true) => Some(Self::AnyoneTreating),
            "anyone_treating" => {
                cx.wrong_type(place, "true");
                None
            }
            other => {
                cx.unknown_field(at, other);
                None
            }
        }
    }

    fn check(&self, at: Path<'_>, _limit: usize, cx: &mut Cx) {
        match self {
            Self::Facility(text) => text.check(at.key("facility"), WORD_CHARS_MAX, cx),
            Self::Professional(text) => text.check(at.key("professional"), WORD_CHARS_MAX, cx),
            Self::Role(text) => text.check(at.key("role"), WORD_CHARS_MAX, cx),
            Self::AnyoneTreating => {}
        }
    }

    fn schema(_limit: usize) -> serde_json::Value {
        serde_json::json!({
            "type": "object",
            "properties": {
                "facility": String::schema(WORD_CHARS_MAX),
                "professional": String::schema(WORD_CHARS_MAX),
                "role": String::schema(WORD_CHARS_MAX),
                "anyone_treating": { "const": true },
            },
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1,
        })
    }
}

data! {
    /// A directive: who may, or may not, use what for which purpose.
    plain ConsentGranted {
        /// The id of the directive.
        consent_id: String => WORD_CHARS_MAX,
        /// For which purpose.
        purpose: Purpose,
        /// Whom it speaks of.
        to: Recipient,
        /// Which sections; all when left out.
        sections: Vec<Section>,
        /// Which labels; see the policy when left out.
        labels: Vec<Label>,
        /// What it does.
        effect: Effect,
        /// From when it holds.
        from: Occurred,
        /// Until when.
        until: Option<Occurred>,
        /// How the person expressed it.
        evidence: String => NARRATIVE_CHARS_MAX,
    }
    rules check_consent;
}

fn check_consent(consent: &ConsentGranted, at: Path<'_>, cx: &mut Cx) {
    rules::in_order(
        ("from", Some(consent.from)),
        ("until", consent.until),
        at,
        cx,
    );
}

data! {
    /// A directive ends.
    plain ConsentWithdrawn {
        /// The directive.
        consent_id: String => WORD_CHARS_MAX,
        /// From when.
        from: Occurred,
    }
}

words! {
    /// Which secondary use is meant.
    pub enum SecondaryUseScope {
        All = "all",
        Research = "research",
        StatisticsBeyondLaw = "statistics_beyond_law",
    }
}

data! {
    /// A person refuses, or allows again, uses beyond their own care.
    plain SecondaryUse {
        /// Which uses.
        scope: SecondaryUseScope,
        /// From when.
        from: Occurred,
    }
}

words! {
    /// Why someone may decide for another.
    pub enum GuardianGround {
        Parent = "parent",
        Court = "court",
        PowerOfAttorney = "power_of_attorney",
    }
}

data! {
    /// Someone may decide for the person.
    plain GuardianAppointed {
        /// Who.
        guardian: PersonRef,
        /// Why.
        ground: GuardianGround,
        /// From when.
        from: Occurred,
        /// Until when.
        until: Option<Occurred>,
    }
    rules check_guardian;
}

fn check_guardian(guardian: &GuardianAppointed, at: Path<'_>, cx: &mut Cx) {
    rules::in_order(
        ("from", Some(guardian.from)),
        ("until", guardian.until),
        at,
        cx,
    );
}

data! {
    /// Someone may no longer decide for the person.
    plain GuardianEnded {
        /// Who.
        guardian: PersonRef,
        /// On which ground they could.
        ground: Option<GuardianGround>,
        /// From when they no longer can; the time of the event when left out.
        from: Option<Occurred>,
        /// Until when they could.
        until: Option<Occurred>,
    }
}
