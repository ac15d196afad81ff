//! Log lines on stderr, for people or as JSON. What may stand in them is decided where they are written.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};
use crate::failure::usage;

/// Starts logging for the rest of the process. A second start in one process changes nothing.
///
/// # Errors
/// A usage error when the filter is not understood.
pub(crate) fn start(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log_filter).map_err(|error| {
        usage(format!(
            "log filter (RUST_LOG, or log.filter of the file): {error}"
        ))
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    let started = match config.log_format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Human => builder.with_ansi(io::stderr().is_terminal()).try_init(),
    };
    // Tests run several commands in one process; the first one's subscriber stays.
    let _ = started;
    Ok(())
}

/// Logs what holds and where it comes from.
pub(crate) fn say_configuration(config: &Config) {
    for (key, value, place) in &config.effective {
        tracing::info!(key, value, from = place, "configuration");
    }
    for name in &config.unknown_variables {
        tracing::warn!(name, "environment variable is no setting of sokhoe");
    }
}
