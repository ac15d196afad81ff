//! `demo.json`: what programs need to find their way around a demo. Written when the demo is ready.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::json;
use sokhoe_access::{Claims, Issuer, Role};
use sokhoe_catalogue::demo_facilities;
use sokhoe_commands::Commands;
use sokhoe_record::PersonId;

use crate::clock;

/// The file's name within the data folder.
pub(super) const FILE: &str = "demo.json";
/// How long a demo's tokens hold.
const TOKEN_S: i64 = 24 * 3600;
/// The city, an administrative unit.
const CITY: &str = "79";
/// The study of the researcher.
const STUDY: &str = "demo-study";

/// Who plays which part.
#[derive(Debug, Clone)]
pub(super) struct People {
    pub(super) citizen: PersonId,
    pub(super) with_consent: PersonId,
    pub(super) without_consent: PersonId,
    pub(super) erased: Option<PersonId>,
    pub(super) snooped_on: PersonId,
}

/// What `demo.json` says.
#[derive(Debug, Clone)]
pub(super) struct Sheet {
    pub(super) base_url: String,
    pub(super) data_dir: PathBuf,
    pub(super) vkey: String,
    pub(super) tokens: BTreeMap<&'static str, String>,
    pub(super) people: People,
    pub(super) people_count: u64,
    pub(super) event_count: u64,
    pub(super) position: u64,
}

impl Sheet {
    /// Writes the file; it is there whole or not at all, and for its owner alone: it holds tokens.
    pub(super) fn write(&self, data: &Path) -> anyhow::Result<()> {
        let People {
            citizen,
            with_consent,
            without_consent,
            erased,
            snooped_on,
        } = &self.people;
        let document = json!({
            "base_url": self.base_url,
            "pg_url": null,
            "flight_url": null,
            "data_dir": self.data_dir,
            "vkey": self.vkey,
            "tokens": self.tokens,
            "people": {
                "citizen": citizen,
                "with_consent": with_consent,
                "without_consent": without_consent,
                "erased": erased,
                "snooped_on": snooped_on,
            },
            "people_count": self.people_count,
            "event_count": self.event_count,
            "position": self.position,
        });
        let path = data.join(FILE);
        let temporary = data.join("cache").join("demo.json.new");
        let write = || -> io::Result<()> {
            remove_file(&temporary)?;
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&temporary)?;
            serde_json::to_writer_pretty(&mut file, &document)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            fs::rename(&temporary, &path)
        };
        write().with_context(|| format!("write {}", path.display()))
    }
}

/// Removes the file of an earlier start, so that whoever waits for it waits for this one.
pub(super) fn remove(data: &Path) -> anyhow::Result<()> {
    let path = data.join(FILE);
    remove_file(&path).with_context(|| format!("remove {}", path.display()))
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A token for every role, signed anew at each start; earlier ones hold on until they end.
pub(super) fn tokens(
    commands: &Commands,
    citizen: PersonId,
) -> anyhow::Result<BTreeMap<&'static str, String>> {
    let issuer = Issuer::from_seed(&commands.opener().vault().secrets().issuer_seed());
    let now_s = clock::now_s();
    let mut tokens = BTreeMap::new();
    for role in Role::ALL.iter().copied() {
        let claims = Claims {
            sub: format!("demo-{role}"),
            role,
            facility: facility(role),
            jurisdiction: matches!(role, Role::Epidemiologist | Role::Department)
                .then(|| CITY.to_owned()),
            person: matches!(role, Role::Citizen | Role::Guardian).then_some(citizen),
            study: (role == Role::Researcher).then(|| STUDY.to_owned()),
            jti: uuid::Uuid::new_v4().to_string(),
            not_before_s: now_s,
            expires_at_s: now_s + TOKEN_S,
        };
        let token = issuer
            .issue(&claims)
            .with_context(|| format!("sign the token of {role}"))?;
        tokens.insert(role.word(), token);
    }
    Ok(tokens)
}

/// The facility of a role's staff: the first hospital, for stations the first station.
fn facility(role: Role) -> Option<String> {
    let level = match role {
        Role::Station => "station",
        Role::Hospital | Role::Clinician => "hospital",
        _ => return None,
    };
    let mut facilities = demo_facilities().iter();
    facilities
        .find(|facility| &*facility.level == level)
        .map(|facility| facility.code.to_string())
}
