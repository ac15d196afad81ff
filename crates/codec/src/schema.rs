//! The kinds and their schema versions: the one table that says how each is stored.
//!
//! A number is given once and never used again. When a kind's fields change, also inside a block that
//! it shares with others, then
//! 1. the old struct, with the old blocks, moves to `frozen.rs` and says by `From` what it means today;
//! 2. its row gets the next version and keeps the old one: `8 EncounterRecorded 2, was 1 frozen::EncounterV1;`
//! 3. `tests/samples/<kind>.v1.json` says what the old golden bytes mean today, and the example `golden`
//!    adds the new ones. The old golden bytes stay as they are and still decode.
//!
//! A row that leaves a version out does not compile; a version without golden bytes fails the tests.

use sokhoe_record::{Data, Kind};

use crate::CodecError;
use crate::wire::{put, take_all};

/// The version of one kind's stored shape, from 1.
pub type SchemaVersion = u16;

/// Decodes a shape that is no longer written and brings it up to the present one.
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "no kind has changed its shape yet")
)]
pub(crate) fn upcast<'a, Old, New>(bytes: &'a [u8]) -> Result<Box<New>, CodecError>
where
    Old: wincode::SchemaRead<'a, crate::wire::Wire, Dst = Old>,
    New: From<Old>,
{
    take_all::<Old>(bytes).map(|old| Box::new(New::from(old)))
}

/// Returns whether `frozen` names every version from `next` up to the latest, which is not frozen.
const fn gapless(next: SchemaVersion, latest: SchemaVersion, frozen: &[SchemaVersion]) -> bool {
    match frozen {
        [] => next == latest,
        [first, rest @ ..] => *first == next && gapless(next + 1, latest, rest),
    }
}

/// Defines the table from rows `number kind latest, was version type…;`.
macro_rules! kinds {
    ($( $number:literal $kind:ident $latest:literal $(, was $old:literal $frozen:ty)* ; )+) => {
        $( const _: () = assert!(
            gapless(1, $latest, &[$( $old ),*]),
            concat!(stringify!($kind), " must name every version before its latest, from 1")
        ); )+

        /// Every kind that can be stored, its number on disk and the schema version written today.
        pub const LATEST: &[(Kind, u16, SchemaVersion)] = &[$( (Kind::$kind, $number, $latest) ),+];

        /// Returns the kind's number and the schema version written today; `None` for kinds that
        /// are never stored this way.
        #[must_use]
        pub fn schema_of(kind: Kind) -> Option<(u16, SchemaVersion)> {
            match kind {
                $( Kind::$kind => Some(($number, $latest)), )+
                _ => None,
            }
        }

        pub(crate) fn put_data(data: &Data, out: &mut Vec<u8>) -> Result<(), CodecError> {
            match data {
                $( Data::$kind(data) => put(data, out), )+
            }
        }

        pub(crate) fn take_data(
            number: u16,
            version: SchemaVersion,
            bytes: &[u8],
        ) -> Result<Data, CodecError> {
            match (number, version) {
                $(
                    ($number, $latest) => take_all(bytes).map(Data::$kind),
                    $( ($number, $old) => upcast::<$frozen, _>(bytes).map(Data::$kind), )*
                )+
                _ => Err(CodecError::UnknownSchema { kind: number, version }),
            }
        }
    };
}

kinds! {
    1 PersonRegistered 1;
    2 DemographicsChanged 1;
    3 IdentifierLinked 1;
    4 PeopleMerged 1;
    5 PeopleUnmerged 1;
    6 PersonDied 1;
    7 FamilyLinked 1;
    8 EncounterRecorded 1;
    9 ObservationRecorded 1;
    10 ConditionRecorded 1;
    11 ConditionResolved 1;
    12 AllergyRecorded 1;
    13 MedicationRecorded 1;
    14 ProcedureRecorded 1;
    15 VaccinationRecorded 1;
    16 PregnancyRecorded 1;
    17 BirthRecorded 1;
    18 DocumentAttached 1;
    19 SelfReportSubmitted 1;
    20 RiskFactorsReported 1;
    21 FamilyHistoryReported 1;
    22 DisputeRaised 1;
    23 ProgrammeEnrolled 1;
    24 ProgrammeLeft 1;
    25 AppointmentMade 1;
    26 AppointmentMissed 1;
    27 ContactAttempted 1;
    28 RiskAssessed 1;
    29 CorrectionMade 1;
    30 ConsentGranted 1;
    31 ConsentWithdrawn 1;
    32 SecondaryUseRefused 1;
    33 SecondaryUseAllowed 1;
    34 GuardianAppointed 1;
    35 GuardianEnded 1;
    36 FacilityRegistered 1;
    37 PractitionerRegistered 1;
    38 ResourceKept 1;
    39 RequestMade 1;
    40 RequestDecided 1;
    41 RecordAccessed 1;
    42 AccessRefused 1;
    43 GlassBroken 1;
    44 AccessReviewed 1;
}

/// Returns the kind that has a number.
pub(crate) fn kind_numbered(number: u16) -> Option<Kind> {
    let row = LATEST.iter().find(|row| row.1 == number);
    row.map(|row| row.0)
}

#[cfg(test)]
mod tests;
