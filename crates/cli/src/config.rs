//! The configuration: file, environment and flags made into one checked value. An error names where the
//! wrong value stands (file and key, variable, or flag); an unknown key is refused, never ignored.

mod providers;
mod settings;
mod tls;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use sokhoe_server::{Limits, TlsFiles, TrustFiles};

use crate::environment::Environment;
use crate::failure::usage;
use crate::platform::Platform;

pub(crate) use settings::Flags;
use settings::Settings;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// The checked configuration of this process.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The data folder.
    pub(crate) data: Option<PathBuf>,
    /// The key folder; by default beside the data folder.
    pub(crate) keys: Option<PathBuf>,
    /// Where the server listens.
    pub(crate) listen: SocketAddr,
    /// How log lines look.
    pub(crate) log_format: LogFormat,
    /// Which log lines are written.
    pub(crate) log_filter: String,
    /// The server's certificate; without one it listens on loopback only.
    pub(crate) tls: Option<TlsFiles>,
    /// Whose tokens the server believes besides those of the built-in issuer.
    pub(crate) trust: TrustFiles,
    /// The server's limits.
    pub(crate) limits: Limits,
    /// What data folders are opened on.
    pub(crate) platform: Platform,
    /// Variables that look like settings and are none; they are named in the log.
    pub(crate) unknown_variables: Vec<String>,
    /// Each setting with its value and where it came from, for the start's log line.
    pub(crate) effective: Vec<(&'static str, String, String)>,
}

impl Config {
    /// Reads and checks the configuration of a process.
    ///
    /// # Errors
    /// A usage error that names file and key, variable or flag.
    pub(crate) fn read(
        file: Option<&Path>,
        environment: &Environment,
        flags: Flags,
    ) -> anyhow::Result<Self> {
        let file = file
            .map(Path::to_owned)
            .or_else(|| environment.get("SOKHOE_CONFIG").map(PathBuf::from));
        let settings = Settings::gather(file.as_deref(), environment, flags)?;
        let mut limits = Limits::default();
        settings::read_limits(&settings, &mut limits)?;
        let listen: SocketAddr =
            settings.parse("listen", "an address and port, as 127.0.0.1:8080")?;
        let tls = tls::read(&settings)?;
        if !listen.ip().is_loopback() && tls.is_none() {
            return Err(settings.wrong(
                "listen",
                "a loopback address (127.0.0.1 or ::1), or TLS, without which the server listens nowhere else: \
                 set tls.certificate and tls.key",
            ));
        }
        Ok(Self {
            data: settings.path("data"),
            keys: settings.path("keys"),
            listen,
            log_format: match settings.text("log.format") {
                "human" => LogFormat::Human,
                "json" => LogFormat::Json,
                _ => return Err(settings.wrong("log.format", "human or json")),
            },
            log_filter: settings.text("log.filter").to_owned(),
            trust: TrustFiles {
                providers: providers::read(&settings)?,
                revoked: settings.path("tokens.revoked"),
            },
            tls,
            limits,
            platform: environment.platform.clone(),
            unknown_variables: settings::unknown_variables(environment),
            effective: settings.effective(),
        })
    }

    /// How the server's addresses begin.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// The data folder and the key folder that belongs to it.
    ///
    /// # Errors
    /// A usage error when no data folder is named.
    pub(crate) fn folders(&self) -> anyhow::Result<Folders> {
        let data = self.data.clone().ok_or_else(|| {
            usage(
                "no data folder is named: give --data DIR, set SOKHOE_DATA_DIR, \
                 or write `data` into the configuration file",
            )
        })?;
        let keys = self.keys.clone().unwrap_or_else(|| keys_beside(&data));
        if keys.starts_with(&data) {
            return Err(usage(format!(
                "the key folder {} lies inside the data folder: a copy of the data would carry its keys",
                keys.display()
            )));
        }
        Ok(Folders { data, keys })
    }
}

/// Where data and keys lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folders {
    /// The data folder.
    pub(crate) data: PathBuf,
    /// The key folder.
    pub(crate) keys: PathBuf,
}

/// `<data>.keys`, the default key folder.
pub(crate) fn keys_beside(data: &Path) -> PathBuf {
    // A trailing slash or dot must not put the keys inside: `d/` has its keys in `d.keys`.
    let mut name = data.components().as_path().as_os_str().to_owned();
    name.push(".keys");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests;
