//! `sokhoe serve`: listens, opens a data folder, serves it until told to stop, and leaves the clean-stop mark.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Resource, getrlimit, setrlimit};
use sokhoe_commands::Commands;
use sokhoe_projections::Views;
use sokhoe_server::{App, Handle, Listening, Server, ServerConfig};
use sokhoe_storage::LastStep;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

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
    let last = LastStep::default();
    let runtime = super::runtime()?;
    let (mut stop, listening) = runtime.block_on(async {
        let stop = StopSignals::listen()?;
        anyhow::Ok((stop, listen(config, last.clone()).await?))
    })?;
    say_where(&folders, listening.addr(), output)?;
    let opened = open_beside(config, last)?;
    let opened = runtime.block_on(async {
        tokio::select! {
            opened = opened => Some(opened),
            () = stop.come() => None,
        }
    });
    // Whoever stops the server while it opens finds nothing begun: what was not open took no event.
    let Some(opened) = opened else {
        tracing::info!("stopped while the log was being opened");
        return Ok(Outcome::Done);
    };
    let (commands, views) = opened.context("open the data folder: the thread ended")??;
    let served = runtime.block_on(async {
        let address = listening.addr();
        let handle = listening.serve(App::new(commands.clone(), views.clone()));
        say_what_is_served(&commands, config, address, output)?;
        stop.wait(&commands, &views).await;
        handle.shutdown().await;
        anyhow::Ok(())
    });
    tracing::info!("stopping");
    views.close();
    engine::close(&commands).and(served)?;
    Ok(Outcome::Done)
}

/// What opening a data folder comes to, once it does.
type Opened = oneshot::Receiver<anyhow::Result<(Commands, Views)>>;

/// Opens the data folder on a thread of its own.
fn open_beside(config: &Config, last: LastStep) -> anyhow::Result<Opened> {
    let (send, opened) = oneshot::channel();
    let config = config.clone();
    let open = move || {
        // Nobody waits any more when the server was told to stop; then the process ends.
        let _ = send.send(engine::open_with_views(&config, &last));
    };
    let thread = std::thread::Builder::new().name("opening".into());
    thread.spawn(open).context("start a thread")?;
    Ok(opened)
}

/// Lets the server have as many open files as the system allows: each connection and each segment is one.
fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit on open files stays as it is");
    }
}

/// Listens where the configuration says, with nothing to serve yet.
async fn listen(config: &Config, last: LastStep) -> anyhow::Result<Listening> {
    let server = ServerConfig {
        listen: config.listen,
        tls: config.tls.clone(),
        trust: config.trust.clone(),
        limits: config.limits.clone(),
        ..ServerConfig::default()
    };
    raise_open_files();
    let listening = Server::listen(server, last).await;
    listening.context("start the server")
}

/// Starts the server over an open write side.
pub(crate) async fn start(
    commands: &Commands,
    views: &Views,
    config: &Config,
) -> anyhow::Result<Handle> {
    let listening = listen(config, LastStep::default()).await?;
    Ok(listening.serve(App::new(commands.clone(), views.clone())))
}

fn say_where(folders: &Folders, address: SocketAddr, output: &mut Output) -> anyhow::Result<()> {
    output.line(format!("data     {}", folders.data.display()))?;
    output.line(format!("keys     {}", folders.keys.display()))?;
    output.line(format!(
        "opening  {address}  (/readyz says what it waits for)"
    ))?;
    Ok(())
}

/// Said once the log is open, so that whoever reads it finds the folder complete.
fn say_what_is_served(
    commands: &Commands,
    config: &Config,
    address: SocketAddr,
    output: &mut Output,
) -> anyhow::Result<()> {
    let position = commands.opener().reader().position();
    output.line(format!("log      {position} events"))?;
    output.line(format!(
        "vkey     {}  (keep it elsewhere)",
        commands.verifier()
    ))?;
    let (scheme, also) = match &config.tls {
        None => ("http", "loopback only: without TLS it listens nowhere else"),
        Some(tls) if tls.clients.is_some() => ("https", "systems may show certificates"),
        Some(_) => ("https", "TLS 1.3 and 1.2"),
    };
    output.line(format!("listens  {scheme}://{address}  ({also})"))?;
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

    /// Waits for one of them.
    async fn come(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Waits for one of them; says each second how far reads are until they are ready, and once when the write side
    /// stops by itself, and keeps serving what can still be read.
    pub(crate) async fn wait(mut self, commands: &Commands, views: &Views) {
        let (mut said, mut ready) = (false, false);
        loop {
            tokio::select! {
                () = self.come() => return,
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
