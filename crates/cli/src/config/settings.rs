//! The layers of the configuration: defaults, file, environment, flags, each later one winning. One table
//! of keys serves all of them, so that a key cannot exist in one layer only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use serde::de::DeserializeOwned;
use sokhoe_server::Limits;

use crate::environment::Environment;
use crate::failure::usage;

/// A key of the configuration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    /// Its name in the file; a dot parts table and key.
    pub(crate) name: &'static str,
    /// Its environment variable.
    pub(crate) variable: &'static str,
    /// What holds when nobody says anything.
    default: Option<&'static str>,
}

const fn key(name: &'static str, variable: &'static str, default: Option<&'static str>) -> Key {
    Key {
        name,
        variable,
        default,
    }
}

/// Every key there is.
pub(crate) const KEYS: &[Key] = &[
    key("data", "SOKHOE_DATA_DIR", None),
    key("keys", "SOKHOE_KEYS_DIR", None),
    key("listen", "SOKHOE_LISTEN", Some("127.0.0.1:8080")),
    key("log.format", "SOKHOE_LOG_FORMAT", Some("human")),
    key("log.filter", "RUST_LOG", Some("info")),
    key("tls.certificate", "SOKHOE_TLS_CERTIFICATE", None),
    key("tls.key", "SOKHOE_TLS_KEY", None),
    key("tls.client_ca", "SOKHOE_TLS_CLIENT_CA", None),
    key(
        "tls.client_certificates",
        "SOKHOE_TLS_CLIENT_CERTIFICATES",
        Some("optional"),
    ),
    key("tokens.revoked", "SOKHOE_TOKENS_REVOKED", None),
    key(
        "limits.connections_max",
        "SOKHOE_LIMITS_CONNECTIONS_MAX",
        None,
    ),
    key("limits.batches_max", "SOKHOE_LIMITS_BATCHES_MAX", None),
    key(
        "limits.page_items_max",
        "SOKHOE_LIMITS_PAGE_ITEMS_MAX",
        None,
    ),
    key(
        "limits.blob_bytes_max",
        "SOKHOE_LIMITS_BLOB_BYTES_MAX",
        None,
    ),
    key(
        "limits.bundle_bytes_max",
        "SOKHOE_LIMITS_BUNDLE_BYTES_MAX",
        None,
    ),
    key(
        "limits.requests_per_s",
        "SOKHOE_LIMITS_REQUESTS_PER_S",
        None,
    ),
    key(
        "limits.refusals_per_s",
        "SOKHOE_LIMITS_REFUSALS_PER_S",
        None,
    ),
    key(
        "limits.refusals_burst",
        "SOKHOE_LIMITS_REFUSALS_BURST",
        None,
    ),
    key(
        "limits.head_timeout_ms",
        "SOKHOE_LIMITS_HEAD_TIMEOUT_MS",
        None,
    ),
    key(
        "limits.body_pause_timeout_ms",
        "SOKHOE_LIMITS_BODY_PAUSE_TIMEOUT_MS",
        None,
    ),
    key(
        "limits.body_timeout_ms",
        "SOKHOE_LIMITS_BODY_TIMEOUT_MS",
        None,
    ),
    key(
        "limits.shutdown_timeout_ms",
        "SOKHOE_LIMITS_SHUTDOWN_TIMEOUT_MS",
        None,
    ),
    key(
        "limits.at_least_timeout_ms",
        "SOKHOE_LIMITS_AT_LEAST_TIMEOUT_MS",
        None,
    ),
];

/// Lists of tables, which only the file can hold.
const LISTS: &[&str] = &["providers", "systems"];

/// What flags said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags {
    given: Vec<(&'static str, &'static str, String)>,
}

impl Flags {
    /// Adds a flag that was given: the key it sets, the flag's name, its value.
    pub(crate) fn add(&mut self, key: &'static str, flag: &'static str, value: Option<String>) {
        self.given.extend(value.map(|value| (key, flag, value)));
    }
}

#[derive(Debug, Clone)]
struct Setting {
    text: String,
    place: String,
}

/// The values of all keys that somebody set, with where they stand.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    by_key: BTreeMap<&'static str, Setting>,
    /// The lists of tables, with the file that they stand in.
    lists: BTreeMap<&'static str, (Vec<toml::Value>, PathBuf)>,
}

impl Settings {
    pub(crate) fn gather(
        file: Option<&Path>,
        environment: &Environment,
        flags: Flags,
    ) -> anyhow::Result<Self> {
        let mut settings = Self {
            by_key: BTreeMap::new(),
            lists: BTreeMap::new(),
        };
        for key in KEYS {
            settings.set(key.name, key.default, || "default".into());
        }
        if let Some(path) = file {
            settings.take_file(path)?;
        }
        for key in KEYS {
            let place = || format!("environment variable {}", key.variable);
            settings.set(key.name, environment.get(key.variable), place);
        }
        for (key, flag, value) in flags.given {
            settings.set(key, Some(&value), || flag.to_owned());
        }
        Ok(settings)
    }

    fn set(&mut self, key: &'static str, text: Option<&str>, place: impl FnOnce() -> String) {
        if let Some(text) = text {
            self.by_key.insert(
                key,
                Setting {
                    text: text.to_owned(),
                    place: place(),
                },
            );
        }
    }

    fn take_file(&mut self, path: &Path) -> anyhow::Result<()> {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("read configuration file {shown}"))?;
        let mut table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map(|span| {
                1 + text
                    .bytes()
                    .take(span.start)
                    .filter(|byte| *byte == b'\n')
                    .count()
            });
            let line = line
                .map(|line| format!(", line {line}"))
                .unwrap_or_default();
            usage(format!(
                "configuration file {shown}{line}: {}",
                error.message()
            ))
        })?;
        for list in LISTS {
            match table.remove(*list) {
                None => {}
                Some(toml::Value::Array(tables)) => {
                    self.lists.insert(list, (tables, path.to_owned()));
                }
                Some(_) => {
                    let message = format!("expected a list of tables, each begun by [[{list}]]");
                    return Err(usage(format!(
                        "configuration file {shown}, key {list}: {message}"
                    )));
                }
            }
        }
        let mut found = Vec::new();
        flatten("", &table, &mut found);
        for (name, value) in found {
            let key = KEYS.iter().find(|key| key.name == name).ok_or_else(|| {
                usage(format!(
                    "configuration file {shown}, key {name}: no such key; {}",
                    list()
                ))
            })?;
            let text = match value {
                toml::Value::String(text) => text.clone(),
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Boolean(boolean) => boolean.to_string(),
                _ => {
                    let message = "expected a text or a whole number";
                    return Err(usage(format!(
                        "configuration file {shown}, key {name}: {message}"
                    )));
                }
            };
            self.set(key.name, Some(&text), || {
                format!("configuration file {shown}, key {name}")
            });
        }
        Ok(())
    }

    /// The text of a key; empty when nobody set it.
    pub(crate) fn text(&self, key: &str) -> &str {
        self.by_key
            .get(key)
            .map(|setting| setting.text.as_str())
            .unwrap_or_default()
    }

    pub(crate) fn path(&self, key: &str) -> Option<PathBuf> {
        Some(self.text(key))
            .filter(|text| !text.is_empty())
            .map(PathBuf::from)
    }

    pub(crate) fn parse<T: FromStr>(&self, key: &str, expected: &str) -> anyhow::Result<T> {
        self.text(key)
            .parse()
            .map_err(|_| self.wrong(key, expected))
    }

    /// The error for a key's value: where it stands and what was expected.
    pub(crate) fn wrong(&self, key: &str, expected: &str) -> anyhow::Error {
        let place = self
            .by_key
            .get(key)
            .map_or(key, |setting| setting.place.as_str());
        usage(format!("{place}: expected {expected}"))
    }

    /// Reads a list of tables, each with its number from 1.
    pub(crate) fn tables<T: DeserializeOwned>(
        &self,
        list: &str,
    ) -> anyhow::Result<Vec<(usize, T)>> {
        let Some((tables, _)) = self.lists.get(list) else {
            return Ok(Vec::new());
        };
        let read = |(number, table): (usize, &toml::Value)| {
            let table = table.clone().try_into();
            let table = table.map_err(|error: toml::de::Error| {
                self.wrong_table(list, number, error.message())
            })?;
            Ok((number, table))
        };
        (1..).zip(tables).map(read).collect()
    }

    /// The error for one table of a list.
    pub(crate) fn wrong_table(&self, list: &str, number: usize, message: &str) -> anyhow::Error {
        let file = self.lists.get(list);
        let file = file.map(|(_, path)| format!("configuration file {}, ", path.display()));
        let file = file.unwrap_or_default();
        usage(format!("{file}[[{list}]] number {number}: {message}"))
    }

    fn number(&self, key: &str) -> anyhow::Result<Option<u64>> {
        if self.text(key).is_empty() {
            return Ok(None);
        }
        match self.text(key).parse() {
            Ok(0) | Err(_) => Err(self.wrong(key, "a whole number above zero")),
            Ok(number) => Ok(Some(number)),
        }
    }

    /// Every setting with its value and place. No key holds a secret: `tls.key` names a file.
    pub(crate) fn effective(&self) -> Vec<(&'static str, String, String)> {
        let shown = |(key, setting): (&&'static str, &Setting)| {
            (*key, setting.text.clone(), setting.place.clone())
        };
        self.by_key.iter().map(shown).collect()
    }
}

/// Variables that look like settings and are none. They are not refused: the environment is shared.
pub(crate) fn unknown_variables(environment: &Environment) -> Vec<String> {
    let known = |name: &str| KEYS.iter().any(|key| key.variable == name);
    environment
        .settings()
        .filter(|name| !known(name))
        .map(str::to_owned)
        .collect()
}

/// Reads the limits that somebody set over the server's own.
pub(crate) fn read_limits(settings: &Settings, limits: &mut Limits) -> anyhow::Result<()> {
    let counts: [(&str, &mut usize); 5] = [
        ("limits.connections_max", &mut limits.connections_max),
        ("limits.batches_max", &mut limits.batches_max),
        ("limits.page_items_max", &mut limits.page_items_max),
        ("limits.blob_bytes_max", &mut limits.blob_bytes_max),
        ("limits.bundle_bytes_max", &mut limits.bundle_bytes_max),
    ];
    for (key, place) in counts {
        if let Some(number) = settings.number(key)? {
            *place =
                usize::try_from(number).map_err(|_| settings.wrong(key, "a smaller number"))?;
        }
    }
    let small = |key: &str| {
        let number = settings.number(key)?.map(u32::try_from).transpose();
        number.map_err(|_| settings.wrong(key, "a smaller number"))
    };
    limits.requests_per_s = small("limits.requests_per_s")?;
    let rates: [(&str, &mut u32); 2] = [
        ("limits.refusals_per_s", &mut limits.refusals_per_s),
        ("limits.refusals_burst", &mut limits.refusals_burst),
    ];
    for (key, place) in rates {
        if let Some(number) = small(key)? {
            *place = number;
        }
    }
    let times: [(&str, &mut Duration); 5] = [
        ("limits.head_timeout_ms", &mut limits.head_timeout),
        (
            "limits.body_pause_timeout_ms",
            &mut limits.body_pause_timeout,
        ),
        ("limits.body_timeout_ms", &mut limits.body_timeout),
        ("limits.shutdown_timeout_ms", &mut limits.shutdown_timeout),
        ("limits.at_least_timeout_ms", &mut limits.at_least_timeout),
    ];
    for (key, place) in times {
        if let Some(number) = settings.number(key)? {
            *place = Duration::from_millis(number);
        }
    }
    Ok(())
}

fn flatten<'a>(prefix: &str, table: &'a toml::Table, found: &mut Vec<(String, &'a toml::Value)>) {
    for (name, value) in table {
        let name = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        match value {
            toml::Value::Table(inner) => flatten(&name, inner, found),
            value => found.push((name, value)),
        }
    }
}

fn list() -> String {
    let names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
    let lists = LISTS.iter().map(|list| format!("[[{list}]]"));
    let all: Vec<_> = names.into_iter().map(str::to_owned).chain(lists).collect();
    format!("keys are: {}", all.join(", "))
}
