//! `sokhoe serve`: opens a data folder, serves it until told to stop, and leaves the clean-stop mark.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Resource, getrlimit, setrlimit};
use sokhoe_commands::Commands;
use sokhoe_projections::Views;
use sokhoe_server::{App, Handle, Server, ServerConfig};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::{Config, Folders};
use crate::engine;
use crate::failure::Outcome;
use crate::logging;
use crate::output::Output;

/// How often the write side is asked whether it still takes events.
const WATCH_EVERY: Duration = Duration::from_secs(1);

pub(crate) fn run(config: &Config, output: &mut Output) -> anyhow::Result<Outcome> {
    let folders = config.folders()?;
    logging::say_configuration(config);
    let (commands, views) = engine::open_with_views(config)?;
    let served = super::runtime()?.block_on(async {
        let stop = StopSignals::listen()?;
        let handle = start(&commands, &views, config).await?;
        say_what_is_served(&commands, &folders, handle.addr(), output)?;
        stop.wait(&commands, &views).await;
        handle.shutdown().await;
        anyhow::Ok(())
    });
    tracing::info!("stopping");
    views.close();
    engine::close(&commands).and(served)?;
    Ok(Outcome::Done)
}

/// Lets the server have as many open files as the system allows: each connection and each segment is one.
fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit on open files stays as it is");
    }
}

/// Starts the server over an open write side.
pub(crate) async fn start(
    commands: &Commands,
    views: &Views,
    config: &Config,
) -> anyhow::Result<Handle> {
    let server = ServerConfig {
        listen: config.listen,
        limits: config.limits.clone(),
    };
    raise_open_files();
    let app = App::new(commands.clone(), views.clone());
    Server::start(server, app).await.context("start the server")
}

fn say_what_is_served(
    commands: &Commands,
    folders: &Folders,
    address: SocketAddr,
    output: &mut Output,
) -> anyhow::Result<()> {
    let position = commands.opener().reader().position();
    output.line(format!("data     {}", folders.data.display()))?;
    output.line(format!("keys     {}", folders.keys.display()))?;
    output.line(format!("log      {position} events"))?;
    output.line(format!(
        "vkey     {}  (keep it elsewhere)",
        commands.verifier()
    ))?;
    output.line(format!(
        "listens  http://{address}  (loopback only: there is no TLS yet)"
    ))?;
    Ok(())
}

/// The signals that end a server. They are listened for before anybody is told that it serves: whoever reads
/// that may stop it at once, and it must then end cleanly.
#[derive(Debug)]
pub(crate) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// Begins to listen for ctrl-c and SIGTERM; needs a runtime.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("listen for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("listen for ctrl-c")?,
        })
    }

    /// Waits for one of them; says each second how far reads are until they are ready, and once when the write side
    /// stops by itself, and keeps serving what can still be read.
    pub(crate) async fn wait(mut self, commands: &Commands, views: &Views) {
        let (mut said, mut ready) = (false, false);
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                () = tokio::time::sleep(WATCH_EVERY) => {}
            }
            let (position, ready_at) = (views.position(), views.ready_at());
            if !ready && position < ready_at {
                tracing::info!("reads are not ready: {position} of {ready_at} events applied");
            }
            ready = ready || position >= ready_at;
            if let Some(because) = engine::why_stopped(commands).filter(|_| !said) {
                said = true;
                tracing::error!(
                    because,
                    "the log takes no more events; restart after the cause is gone"
                );
            }
        }
    }
}
