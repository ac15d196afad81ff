//! Opening and closing the write side of a data folder for commands that work on it themselves.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use sokhoe_commands::{Commands, Follow, Opener, Settings, chain_of};
use sokhoe_projections::{Beginning, Views};
use sokhoe_storage::{LastStep, LogOptions, LogStatus, Progress, Step};

use crate::clock;
use crate::config::Config;
use crate::folder;

/// Opens the configured data folder with its keys, or makes both, and takes its lock.
pub(crate) fn open(config: &Config) -> anyhow::Result<Commands> {
    Ok(open_with(config, &LastStep::default(), |_| ())?.0)
}

/// Opens the configured data folder and the read side over it, in one reading of what lies behind their snapshots;
/// `last` is told how far that is.
pub(crate) fn open_with_views(
    config: &Config,
    last: &LastStep,
) -> anyhow::Result<(Commands, Views)> {
    let (commands, beginning) = open_with(config, last, Beginning::of)?;
    let views = Views::start(beginning).context("start the projections")?;
    Ok((commands, views))
}

fn open_with<F: Follow>(
    config: &Config,
    last: &LastStep,
    begin: impl FnOnce(&Opener) -> F,
) -> anyhow::Result<(Commands, F)> {
    let folders = config.folders()?;
    make_private(&folders.data)?;
    let said = clock::each_second(|step: Step| {
        let Step {
            doing,
            done,
            total,
            unit,
        } = step;
        tracing::info!("opening the log: {doing}, {done} of {total} {unit}");
    });
    let last = last.clone();
    let log = LogOptions {
        progress: Progress::new(move |step| {
            last.set(step);
            said.say(step);
        }),
        ..config.platform.log.clone()
    };
    let settings = Settings {
        keys: folders.keys,
        log,
        disk: Arc::clone(&config.platform.disk),
        ..Settings::new(&folders.data, folder::log_clock())
    };
    let (commands, follower) = Commands::open_with(settings, begin)?;
    let recovery = commands.recovery();
    if let Some(torn) = &recovery.torn {
        tracing::info!(?torn, "cut an unfinished group off the end of the log");
    }
    tracing::debug!(events_read = recovery.events_read, "log opened");
    Ok((commands, follower))
}

/// Opens the read side over an open write side; it follows the log on a thread of its own.
pub(crate) fn views(commands: &Commands) -> anyhow::Result<Views> {
    Views::start(Beginning::of(commands.opener())).context("start the projections")
}

/// Makes a data folder that is not there yet, for its owner alone.
fn make_private(data: &Path) -> anyhow::Result<()> {
    if data.exists() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(data);
    made.with_context(|| format!("make data folder {}", data.display()))
}

/// Finishes what is queued and leaves the clean-stop mark.
pub(crate) fn close(commands: &Commands) -> anyhow::Result<()> {
    let position = commands.close().context("close the log")?;
    tracing::debug!(position, "log closed");
    Ok(())
}

/// The write side's words for why it stopped, for messages.
pub(crate) fn why_stopped(commands: &Commands) -> Option<String> {
    match commands.status() {
        LogStatus::Stopped(failure) => Some(chain_of(&failure)),
        LogStatus::Damaged(damage) => Some(damage.to_string()),
        _ => None,
    }
}
