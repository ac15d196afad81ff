//! The process's environment, read once at start: only what concerns sokhoe is kept, with the platform it stands on.

use std::collections::BTreeMap;

use crate::platform::Platform;

/// Variables that belong to others although they begin like ours: the tests' data and the tokens.
const NOT_SETTINGS: [&str; 3] = ["SOKHOE_DATA", "SOKHOE_TOKEN", "SOKHOE_CONFIG"];

/// The variables that concern sokhoe, and the platform.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    variables: BTreeMap<String, String>,
    /// What data folders are opened on.
    pub(crate) platform: Platform,
}

impl Environment {
    /// The process's own environment.
    pub(crate) fn of_process(platform: Platform) -> Self {
        let ours = |name: &str| name.starts_with("SOKHOE_") || name == "RUST_LOG";
        let texts = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Self {
            variables: texts
                .filter(|(name, value)| ours(name) && !value.is_empty())
                .collect(),
            platform,
        }
    }

    /// An environment of a test.
    #[cfg(test)]
    pub(crate) fn of(variables: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            variables: variables.iter().map(owned).collect(),
            platform: Platform::default(),
        }
    }

    /// The value of a variable that is set and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Variables that begin like settings; the caller says which of them exist.
    pub(crate) fn settings(&self) -> impl Iterator<Item = &str> {
        let names = self.variables.keys().map(String::as_str);
        names.filter(|name| name.starts_with("SOKHOE_") && !NOT_SETTINGS.contains(name))
    }
}
