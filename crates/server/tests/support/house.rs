//! A server in a folder of its own, and tokens for whoever comes to its door.

use std::net::SocketAddr;
use std::time::Duration;

use sokhoe_access::{Claims, Issuer, Role};
use sokhoe_server::{App, Handle, Limits, Server, ServerConfig, WallClock};

/// The second at which every test takes place.
pub const NOW_S: i64 = 1_795_000_000;
pub const CITIZEN: &str = "0192f0c1-7a3b-4c11-9e2f-0242ac120002";

pub struct House {
    pub addr: SocketAddr,
    pub handle: Handle,
}

impl House {
    pub async fn open() -> Self {
        Self::with(Limits::default()).await
    }

    /// A house that loses its patience within a test's time.
    pub async fn hasty() -> Self {
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

    pub async fn with(limits: Limits) -> Self {
        let listen = "127.0.0.1:0".parse().expect("an address");
        let config = ServerConfig { listen, limits };
        let handle = Server::start(config, app())
            .await
            .expect("a started server");
        Self {
            addr: handle.addr(),
            handle,
        }
    }
}

pub fn app() -> App {
    App {
        catalogue: Default::default(),
        verifier: issuer().verifier(),
        clock: WallClock::new(|| NOW_S * 1_000_000),
    }
}

pub fn issuer() -> Issuer {
    Issuer::from_seed(&[7; 32])
}

/// The value of an Authorization header for this role.
pub fn bearer(role: Role) -> String {
    bearer_of(&issuer(), claims(role))
}

pub fn bearer_of(issuer: &Issuer, claims: Claims) -> String {
    format!("Bearer {}", issuer.issue(&claims).expect("a token"))
}

pub fn claims(role: Role) -> Claims {
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
