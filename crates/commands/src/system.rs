//! The system streams: facilities, professionals, and resources that belong to nobody.

use sokhoe_chain::StreamId;
use sokhoe_record::{Data, Event};
use sokhoe_vault::Vault;

/// A stream that is no person's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemStream {
    /// `facility_registered`.
    Facilities,
    /// `practitioner_registered`.
    Practitioners,
    /// `resource_kept` without a person.
    Resources,
}

impl SystemStream {
    /// Every system stream.
    pub const ALL: [Self; 3] = [Self::Facilities, Self::Practitioners, Self::Resources];

    pub(crate) fn of(event: &Event) -> Self {
        match event.data {
            Data::FacilityRegistered(_) => Self::Facilities,
            Data::PractitionerRegistered(_) => Self::Practitioners,
            _ => Self::Resources,
        }
    }

    /// Returns the stream's id: derived from the log's secret, so that it says nothing to others.
    #[must_use]
    pub fn id(self, vault: &Vault) -> StreamId {
        let name = match self {
            Self::Facilities => "facilities",
            Self::Practitioners => "practitioners",
            Self::Resources => "resources",
        };
        let derived = vault
            .secrets()
            .derive("sokhoe:system-stream:v1", &[name.as_bytes()]);
        StreamId(derived.first_chunk().copied().unwrap_or_default())
    }
}
