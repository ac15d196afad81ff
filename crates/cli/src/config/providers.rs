//! `[[providers]]` of the configuration file: OpenID providers whose tokens are believed, each for what it may vouch for.
//! Lists of tables stand in the file only: no variable and no flag can hold one.

use std::path::PathBuf;

use serde::Deserialize;
use sokhoe_access::{Algorithm, ProviderTerms, Role};
use sokhoe_server::ProviderFile;

use super::settings::Settings;

/// One table of the list. What is left out and has no default is named by the error.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    issuer: String,
    audience: String,
    keys: PathBuf,
    algorithms: Vec<String>,
    roles: Vec<String>,
    facilities: Option<Vec<String>>,
    multi_factor_roles: Option<Vec<String>>,
    #[serde(default)]
    multi_factor_acr: Vec<String>,
}

/// Reads the providers.
///
/// # Errors
/// A usage error that names the file, the provider's place in the list, and what was expected.
pub(crate) fn read(settings: &Settings) -> anyhow::Result<Vec<ProviderFile>> {
    let mut providers = Vec::new();
    for (number, written) in settings.tables::<Written>("providers")? {
        let wrong = |message: &str| settings.wrong_table("providers", number, message);
        let algorithm = |word: &String| {
            Algorithm::of_word(word).ok_or_else(|| wrong("algorithms are EdDSA, ES256, RS256"))
        };
        let algorithms: anyhow::Result<Vec<_>> = written.algorithms.iter().map(algorithm).collect();
        let terms = ProviderTerms {
            algorithms: algorithms?,
            roles: roles(&written.roles).map_err(|message| wrong(&message))?,
            multi_factor_roles: match &written.multi_factor_roles {
                Some(words) => roles(words).map_err(|message| wrong(&message))?,
                // Whoever says nothing gets the safe policy.
                None => ProviderTerms::STAFF_ROLES.to_vec(),
            },
            name: written.name,
            issuer: written.issuer,
            audience: written.audience,
            facilities: written.facilities,
            multi_factor_acr: written.multi_factor_acr,
        };
        terms.check().map_err(|error| wrong(&error.to_string()))?;
        let keys = written.keys;
        providers.push(ProviderFile { terms, keys });
    }
    Ok(providers)
}

fn roles(words: &[String]) -> Result<Vec<Role>, String> {
    let role = |word: &String| word.parse().map_err(|_| roles_there_are());
    words.iter().map(role).collect()
}

/// What a wrong role is answered with.
pub(crate) fn roles_there_are() -> String {
    let words: Vec<_> = Role::ALL.iter().map(|role| role.word()).collect();
    format!("roles are {}", words.join(", "))
}
