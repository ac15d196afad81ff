//! A server in a folder of its own, and tokens for whoever comes to its door.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sokhoe_access::{Claims, Issuer, Role};
use sokhoe_commands::{Commands, Settings};
use sokhoe_projections::{Beginning, Views};
use sokhoe_server::{App, Handle, Limits, Server, ServerConfig};
use sokhoe_storage::Clock;
use tempfile::TempDir;

/// The second at which every test takes place.
pub(crate) const NOW_S: i64 = 1_795_000_000;
pub(crate) const CITIZEN: &str = "0192f0c1-7a3b-4c11-9e2f-0242ac120002";

pub(crate) struct House {
    pub(crate) addr: SocketAddr,
    pub(crate) handle: Handle,
    pub(crate) commands: Commands,
    /// Microseconds since 1970, which go on by one whenever anybody asks.
    pub(crate) clock: Arc<AtomicI64>,
    issuer: Issuer,
    _folder: TempDir,
}

impl House {
    pub(crate) async fn open() -> Self {
        Self::with(Limits::default()).await
    }

    /// A house that loses its patience within a test's time.
    pub(crate) async fn hasty() -> Self {
        let short = Duration::from_millis(300);
        let limits = Limits {
            head_timeout: short,
            body_pause_timeout: short,
            write_stall_timeout: short,
            at_least_timeout: short,
            connections_max: 8,
            ..Limits::default()
        };
        Self::with(limits).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        let config = ServerConfig {
            limits,
            ..ServerConfig::default()
        };
        Self::of(config).await
    }

    /// A house at any free port.
    pub(crate) async fn of(mut config: ServerConfig) -> Self {
        config.listen.set_port(0);
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(AtomicI64::new(NOW_S * 1_000_000));
        let commands = commands_at(folder.path(), &clock);
        let issuer = Issuer::from_seed(&commands.opener().vault().secrets().issuer_seed());
        let views = Views::start(Beginning::of(commands.opener())).expect("views");
        let handle = Server::start(config, App::new(commands.clone(), views)).await;
        let handle = handle.expect("a started server");
        Self {
            addr: handle.addr(),
            handle,
            commands,
            clock,
            issuer,
            _folder: folder,
        }
    }

    pub(crate) fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The value of an Authorization header for this role.
    pub(crate) fn bearer(&self, role: Role) -> String {
        bearer_of(&self.issuer, claims(role))
    }
}

/// A new house in an empty folder, where time goes on from the test's second.
pub(crate) fn commands(folder: &Path) -> Commands {
    commands_at(folder, &Arc::new(AtomicI64::new(NOW_S * 1_000_000)))
}

fn commands_at(folder: &Path, ticks: &Arc<AtomicI64>) -> Commands {
    let ticks = Arc::clone(ticks);
    let clock = Clock::new(move || ticks.fetch_add(1, Ordering::Relaxed));
    Commands::open(Settings::new(&folder.join("data"), clock)).expect("an open house")
}

pub(crate) fn bearer_of(issuer: &Issuer, claims: Claims) -> String {
    format!("Bearer {}", issuer.issue(&claims).expect("a token"))
}

pub(crate) fn claims(role: Role) -> Claims {
    Claims {
        sub: format!("the-{role}"),
        role,
        facility: role.staff().then(|| "99001".to_owned()),
        jurisdiction: None,
        person: CITIZEN.parse().ok(),
        study: None,
        jti: "1".to_owned(),
        not_before_s: NOW_S - 10,
        expires_at_s: NOW_S + 3600,
    }
}
