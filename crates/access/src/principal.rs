//! Who asks and for what: roles, purposes of use and the verified principal behind a token.
//!
//! Owns the closed words of contract.md for roles and HL7 PurposeOfUse; refuses to decide anything.

use std::fmt;
use std::str::FromStr;

use sokhoe_record::PersonId;
use thiserror::Error;

/// A word that is not in its closed list.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown {list}")]
pub struct UnknownWord {
    /// Which list the word should have come from.
    pub list: &'static str,
}

macro_rules! closed_words {
    ($(#[$about:meta])* $name:ident, $list:literal; $($(#[$doc:meta])* $variant:ident = $word:literal),+ $(,)?) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$doc])* $variant),+ }

        impl $name {
            /// Every member, in the contract's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the word on the wire.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(UnknownWord { list: $list }),
                }
            }
        }
    };
}

closed_words! {
    /// What a caller is to the system; a token names exactly one.
    Role, "role";
    /// A facility's system: appends for its facility, reads what it wrote.
    Hospital = "hospital",
    /// A clinician of one facility.
    Clinician = "clinician",
    /// A commune health station.
    Station = "station",
    /// The person whose record it is.
    Citizen = "citizen",
    /// Who acts for a child or a person in care.
    Guardian = "guardian",
    /// Sees who looked, never what was seen.
    Auditor = "auditor",
    /// Aggregates over releases.
    Epidemiologist = "epidemiologist",
    /// Rows under an approved study.
    Researcher = "researcher",
    /// Live, suppressed aggregates of its jurisdiction.
    Department = "department",
    /// A closed set of figures.
    Dashboard = "dashboard",
    /// Keys, policy and catalogue; no clinical data.
    Admin = "admin",
    /// The command line.
    Operator = "operator",
}

closed_words! {
    /// Why a record is read, in HL7 PurposeOfUse words.
    Purpose, "purpose of use";
    /// Treatment.
    Treatment = "TREAT",
    /// Emergency treatment: breaks the glass.
    Emergency = "ETREAT",
    /// At the person's own request.
    PatientRequest = "PATRQT",
    /// Public health.
    PublicHealth = "PUBHLTH",
    /// Health research.
    Research = "HRESCH",
    /// Operations of a health service.
    Operations = "HOPERAT",
}

impl From<sokhoe_record::Purpose> for Purpose {
    fn from(stated: sokhoe_record::Purpose) -> Self {
        match stated {
            sokhoe_record::Purpose::Treatment => Self::Treatment,
            sokhoe_record::Purpose::Emergency => Self::Emergency,
            sokhoe_record::Purpose::PatientRequest => Self::PatientRequest,
            sokhoe_record::Purpose::PublicHealth => Self::PublicHealth,
            sokhoe_record::Purpose::Research => Self::Research,
            sokhoe_record::Purpose::Operations => Self::Operations,
        }
    }
}

impl From<Purpose> for sokhoe_record::Purpose {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Treatment => Self::Treatment,
            Purpose::Emergency => Self::Emergency,
            Purpose::PatientRequest => Self::PatientRequest,
            Purpose::PublicHealth => Self::PublicHealth,
            Purpose::Research => Self::Research,
            Purpose::Operations => Self::Operations,
        }
    }
}

impl Role {
    /// Whether the role belongs to a facility's staff: bound to one facility, states a purpose when it reads.
    #[must_use]
    pub const fn staff(self) -> bool {
        matches!(self, Self::Hospital | Self::Clinician | Self::Station)
    }

    /// Returns the purpose that goes without saying; `None` for staff, who must say theirs.
    #[must_use]
    pub const fn implied_purpose(self) -> Option<Purpose> {
        match self {
            Self::Hospital | Self::Clinician | Self::Station => None,
            Self::Citizen | Self::Guardian => Some(Purpose::PatientRequest),
            Self::Researcher => Some(Purpose::Research),
            Self::Epidemiologist | Self::Department | Self::Dashboard => {
                Some(Purpose::PublicHealth)
            }
            Self::Auditor | Self::Admin | Self::Operator => Some(Purpose::Operations),
        }
    }
}

/// Why a purpose was not usable; the caller's fault, answered by naming the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PurposeError {
    /// Staff must say why they read.
    #[error("a read by this role names its purpose")]
    Missing,
    /// The word is none of HL7 PurposeOfUse that we know.
    #[error("the purpose is none of TREAT, ETREAT, PATRQT, PUBHLTH, HRESCH, HOPERAT")]
    Unknown,
}

/// A verified caller: everything a decision may look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The account, unique at its issuer.
    pub sub: String,
    /// What the caller is.
    pub role: Role,
    /// The facility that staff act for.
    pub facility: Option<String>,
    /// The administrative unit that aggregate roles may see.
    pub jurisdiction: Option<String>,
    /// The person a citizen or guardian is.
    pub person: Option<PersonId>,
    /// The approved study a researcher works under.
    pub study: Option<String>,
    /// The token's own id.
    pub jti: String,
    /// When the token ends, seconds since the Unix epoch.
    pub expires_at_s: i64,
    /// Who is written down as the sender of an event; the same over all tokens of one account.
    pub sender: String,
}

impl Principal {
    /// Returns the command line's own principal, for work on a data folder that no token is shown for.
    #[must_use]
    pub fn operator(sub: &str) -> Self {
        Self {
            sub: sub.to_owned(),
            role: Role::Operator,
            facility: None,
            jurisdiction: None,
            person: None,
            study: None,
            jti: String::new(),
            expires_at_s: i64::MAX,
            sender: sender_of(Role::Operator, None, sub),
        }
    }
}

/// Composes the sender's name: `role:account`, with `@facility` where there is one.
pub(crate) fn sender_of(role: Role, facility: Option<&str>, sub: &str) -> String {
    match facility {
        Some(facility) => format!("{role}:{sub}@{facility}"),
        None => format!("{role}:{sub}"),
    }
}

/// Reads the role back from a sender's name as stored with an event.
#[must_use]
pub fn role_of_sender(sender: &str) -> Option<Role> {
    sender.split_once(':')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back_as_itself() {
        for role in Role::ALL {
            assert_eq!(role.word().parse::<Role>().as_ref(), Ok(role));
        }
        for purpose in Purpose::ALL {
            assert_eq!(purpose.word().parse::<Purpose>().as_ref(), Ok(purpose));
        }
        assert!("root".parse::<Role>().is_err());
        assert!("treat".parse::<Purpose>().is_err());
    }

    #[test]
    fn a_sender_tells_its_role() {
        let sender = sender_of(Role::Station, Some("99001"), "tablet:3");
        assert_eq!(sender, "station:tablet:3@99001");
        assert_eq!(role_of_sender(&sender), Some(Role::Station));
        assert_eq!(role_of_sender("nobody"), None);
    }

    #[test]
    fn only_staff_must_say_why_they_read() {
        for role in Role::ALL {
            assert_eq!(role.implied_purpose().is_none(), role.staff(), "{role}");
        }
    }
}
