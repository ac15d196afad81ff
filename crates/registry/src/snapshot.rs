//! The registry as bytes, for the checkpoint that spares a replay of the whole log.
//!
//! The file lies in `cache/`: it can be thrown away, and whoever stores it seals it and keeps its
//! digest. Order inside is free, so two snapshots of one state need not be the same bytes.

use sokhoe_chain::EventKey;
use sokhoe_record::{PartialDate, PersonId};
use wincode::config::Configuration;
use wincode::{SchemaRead, SchemaWrite};

use crate::aliases::Alias;
use crate::people::{Facts, People, PersonNumber};

const VERSION: u32 = 2;
/// The most memory that one list of a snapshot may claim before it is read.
const LIST_BYTES_MAX: usize = 4 << 30;

/// Why bytes are not a snapshot; the caller replays the log instead.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Cut short, too long, or not in this form.
    #[error("read a registry snapshot")]
    Malformed(#[source] wincode::ReadError),
    /// Written by another version of the program.
    #[error("the registry snapshot has version {found}, this program reads version {VERSION}")]
    Version {
        /// The version found.
        found: u32,
    },
}

#[derive(SchemaRead, SchemaWrite)]
struct Snapshot {
    version: u32,
    position: u64,
    people: Vec<PersonRow>,
    identifiers: Vec<([u8; 16], u32)>,
    aliases: Vec<AliasRow>,
}

#[derive(SchemaRead, SchemaWrite)]
struct PersonRow {
    id: [u8; 16],
    birth_date: Option<PartialDate>,
    died_on: Option<PartialDate>,
}

#[derive(SchemaRead, SchemaWrite)]
struct AliasRow {
    retired: u32,
    survivor: u32,
    merge: [u8; 16],
    from: u64,
    until: Option<u64>,
}

pub(crate) fn write(position: u64, people: &People) -> Vec<u8> {
    let snapshot = Snapshot {
        version: VERSION,
        position,
        people: people.list.iter().map(person_row).collect(),
        identifiers: people
            .identifiers
            .iter()
            .map(|(id, number)| (*id, number.0))
            .collect(),
        aliases: people.aliases.list().iter().map(alias_row).collect(),
    };
    let config = Configuration::default().with_preallocation_size_limit::<LIST_BYTES_MAX>();
    wincode::config::serialize(&snapshot, config).unwrap_or_default()
}

pub(crate) fn read(bytes: &[u8]) -> Result<(u64, People), SnapshotError> {
    let config = Configuration::default().with_preallocation_size_limit::<LIST_BYTES_MAX>();
    let snapshot: Snapshot =
        wincode::config::deserialize_exact(bytes, config).map_err(SnapshotError::Malformed)?;
    if snapshot.version != VERSION {
        return Err(SnapshotError::Version {
            found: snapshot.version,
        });
    }
    let mut people = People::default();
    for row in snapshot.people {
        people.restore(
            PersonId::from_bytes(row.id),
            Facts {
                birth_date: row.birth_date,
                died_on: row.died_on,
            },
        );
    }
    for (id, number) in snapshot.identifiers {
        people.identifiers.insert(id, PersonNumber(number));
    }
    for row in snapshot.aliases {
        people.aliases.begin(Alias {
            retired: PersonNumber(row.retired),
            survivor: PersonNumber(row.survivor),
            merge: EventKey(row.merge),
            from: row.from,
            until: row.until,
        });
    }
    people.reach(snapshot.position);
    Ok((snapshot.position, people))
}

fn person_row(person: &crate::people::Person) -> PersonRow {
    PersonRow {
        id: person.id.into_bytes(),
        birth_date: person.facts.birth_date,
        died_on: person.facts.died_on,
    }
}

fn alias_row(alias: &Alias) -> AliasRow {
    AliasRow {
        retired: alias.retired.0,
        survivor: alias.survivor.0,
        merge: alias.merge.0,
        from: alias.from,
        until: alias.until,
    }
}
