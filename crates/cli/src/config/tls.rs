//! `[tls]` and `[[systems]]` of the configuration: the server's certificate, and who speaks by showing one.

use serde::Deserialize;
use sokhoe_access::SystemAccount;
use sokhoe_server::{ClientCertificates, ClientNeed, TlsFiles};

use super::providers::roles_there_are;
use super::settings::Settings;

/// One table of `[[systems]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    account: String,
    role: String,
    facility: Option<String>,
}

/// Reads what is said about TLS; `None` when nothing is.
///
/// # Errors
/// A usage error that names the key or the system that does not fit the others.
pub(crate) fn read(settings: &Settings) -> anyhow::Result<Option<TlsFiles>> {
    let systems = systems(settings)?;
    let [certificate, key, authorities] =
        ["tls.certificate", "tls.key", "tls.client_ca"].map(|key| settings.path(key));
    let need = match settings.text("tls.client_certificates") {
        "optional" => ClientNeed::Optional,
        "required" => ClientNeed::Required,
        _ => return Err(settings.wrong("tls.client_certificates", "optional or required")),
    };
    let (certificate, key) = match (certificate, key) {
        (Some(certificate), Some(key)) => (certificate, key),
        (Some(_), None) => {
            return Err(settings.wrong("tls.certificate", "the certificate's key in tls.key too"));
        }
        (None, Some(_)) => {
            return Err(settings.wrong("tls.key", "the key's certificate in tls.certificate too"));
        }
        (None, None) if authorities.is_some() => {
            let expected = "a certificate of the server too: set tls.certificate and tls.key";
            return Err(settings.wrong("tls.client_ca", expected));
        }
        (None, None) => {
            return match systems.first() {
                Some(_) => Err(settings.wrong_table("systems", 1, NO_AUTHORITY)),
                None => Ok(None),
            };
        }
    };
    let clients = match authorities {
        Some(authorities) => Some(ClientCertificates {
            authorities,
            need,
            systems,
        }),
        None if !systems.is_empty() => {
            return Err(settings.wrong_table("systems", 1, NO_AUTHORITY));
        }
        None if need == ClientNeed::Required => {
            let expected = "the authorities of client certificates in tls.client_ca too";
            return Err(settings.wrong("tls.client_certificates", expected));
        }
        None => None,
    };
    Ok(Some(TlsFiles {
        certificate,
        key,
        clients,
    }))
}

const NO_AUTHORITY: &str =
    "a system shows a certificate: set tls.certificate, tls.key and tls.client_ca";

fn systems(settings: &Settings) -> anyhow::Result<Vec<SystemAccount>> {
    let mut systems: Vec<SystemAccount> = Vec::new();
    for (number, written) in settings.tables::<Written>("systems")? {
        let wrong = |message: &str| settings.wrong_table("systems", number, message);
        let role = written.role.parse();
        let account = SystemAccount {
            name: written.name,
            account: written.account,
            role: role.map_err(|_| wrong(&roles_there_are()))?,
            facility: written.facility,
        };
        account.check().map_err(|error| wrong(&error.to_string()))?;
        if systems.iter().any(|other| other.name == account.name) {
            return Err(wrong("another system has the same name"));
        }
        systems.push(account);
    }
    Ok(systems)
}
