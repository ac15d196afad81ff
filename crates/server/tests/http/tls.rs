//! TLS at the door: what is spoken, certificates that are renewed, systems that show theirs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sokhoe_access::{Role, SystemAccount};
use sokhoe_projections::{Beginning, Views};
use sokhoe_server::{
    App, ClientCertificates, ClientNeed, Limits, Server, ServerConfig, StartError, TlsFiles,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{
    ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion, version,
};

use crate::house::{House, commands};
use crate::peer::{Answer, parse, raw};

const BOTH: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];

/// A house whose certificate lies in a folder where it can be renewed.
struct Safe {
    house: House,
    folder: TempDir,
}

impl Safe {
    async fn open(need: Option<ClientNeed>) -> Self {
        Self::with(need, Limits::default()).await
    }

    async fn with(need: Option<ClientNeed>, limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), "server");
        let config = ServerConfig {
            tls: Some(files(folder.path(), need)),
            reload_every: Duration::from_millis(20),
            limits,
            ..ServerConfig::default()
        };
        let house = House::of(config).await;
        Self { house, folder }
    }

    /// Shakes hands as a client with this certificate.
    async fn connect(
        &self,
        shown: Option<&str>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> io::Result<TlsStream<TcpStream>> {
        let connector = TlsConnector::from(Arc::new(client(shown, versions)));
        let stream = TcpStream::connect(self.house.addr).await?;
        let name = ServerName::try_from("localhost").unwrap();
        connector.connect(name, stream).await
    }

    /// One request; an error when there is no TLS or no answer. TLS 1.3 tells a client only then that its certificate
    /// was not taken.
    async fn ask(
        &self,
        shown: Option<&str>,
        path: &str,
        bearer: Option<&str>,
    ) -> io::Result<Answer> {
        let mut stream = self.connect(shown, BOTH).await?;
        let bearer = bearer.map(|bearer| format!("authorization: {bearer}\r\n"));
        let bearer = bearer.unwrap_or_default();
        let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{bearer}\r\n");
        stream.write_all(head.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(parse(&String::from_utf8_lossy(&answer)))
    }
}

fn fixture(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates");
    folder.join(name)
}

/// Puts a certificate and its key into the folder, key last, as careless tools do.
fn put(folder: &Path, name: &str) {
    for ending in ["pem", "key"] {
        let from = fixture(&format!("{name}.{ending}"));
        std::fs::copy(from, folder.join(format!("used.{ending}"))).unwrap();
    }
}

fn files(folder: &Path, need: Option<ClientNeed>) -> TlsFiles {
    let system = |name: &str| SystemAccount {
        name: format!("{name}.example.vn"),
        account: name.to_owned(),
        role: Role::Hospital,
        facility: Some("99001".to_owned()),
    };
    TlsFiles {
        certificate: folder.join("used.pem"),
        key: folder.join("used.key"),
        clients: need.map(|need| ClientCertificates {
            authorities: fixture("authority.pem"),
            need,
            systems: vec![system("his"), system("lab")],
        }),
    }
}

fn client(shown: Option<&str>, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(fixture("authority.pem")).unwrap();
    roots.add(authority).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(versions).unwrap();
    let builder = builder.with_root_certificates(roots);
    match shown {
        None => builder.with_no_client_auth(),
        Some(name) => {
            let chain = CertificateDer::from_pem_file(fixture(&format!("{name}.pem"))).unwrap();
            let key = PrivateKeyDer::from_pem_file(fixture(&format!("{name}.key"))).unwrap();
            builder.with_client_auth_cert(vec![chain], key).unwrap()
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_house_with_a_certificate_speaks_tls_and_nothing_else() {
    let safe = Safe::open(None).await;
    assert_eq!(safe.ask(None, "/livez", None).await.unwrap().status, 200);
    let bearer = safe.house.bearer(Role::Hospital);
    let answer = safe
        .ask(None, "/v1/catalogue", Some(&bearer))
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(
        safe.ask(None, "/v1/catalogue", None).await.unwrap().status,
        401
    );
    let plain = raw(safe.house.addr, b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(!plain.contains("HTTP/1.1"), "{plain:?}");
    let metrics = safe.ask(None, "/metrics", None).await.unwrap().body;
    assert!(
        metrics.contains("sokhoe_tls_handshakes_failed_total 1\n"),
        "{metrics}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_that_are_safe_are_spoken() {
    let safe = Safe::open(None).await;
    for (one, spoken) in [
        (&version::TLS13, ProtocolVersion::TLSv1_3),
        (&version::TLS12, ProtocolVersion::TLSv1_2),
    ] {
        let stream = safe.connect(None, &[one]).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(spoken));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_shown_without_a_restart() {
    let safe = Safe::open(None).await;
    let shown = async || {
        let stream = safe.connect(None, BOTH).await.unwrap();
        let chain = stream.get_ref().1.peer_certificates().unwrap();
        chain[0].clone().into_owned()
    };
    let before = shown().await;
    // A certificate that is none, and one without its key, change nothing.
    std::fs::write(safe.folder.path().join("used.pem"), "-----BEGIN").unwrap();
    let failed = async || {
        let metrics = safe.ask(None, "/metrics", None).await.unwrap().body;
        !metrics.contains("sokhoe_reloads_failed_total 0\n")
    };
    while !failed().await {}
    assert_eq!(shown().await, before);
    put(safe.folder.path(), "renewed");
    let renewed = CertificateDer::from_pem_file(fixture("renewed.pem")).unwrap();
    let seen = async { while shown().await != renewed {} };
    let seen = tokio::time::timeout(Duration::from_secs(20), seen).await;
    seen.expect("the renewed certificate");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_speaks_by_its_certificate() {
    let safe = Safe::open(Some(ClientNeed::Optional)).await;
    let ask = async |shown, bearer| safe.ask(shown, "/v1/catalogue", bearer).await;
    assert_eq!(ask(Some("his"), None).await.unwrap().status, 200);
    // Who has none, or one that names no account or two, needs a token.
    let bearer = safe.house.bearer(Role::Clinician);
    for shown in [None, Some("unlisted"), Some("both")] {
        assert_eq!(ask(shown, None).await.unwrap().status, 401, "{shown:?}");
        assert_eq!(ask(shown, Some(&bearer)).await.unwrap().status, 200);
    }
    // A certificate is no way round a bad token, nor to what its role may not do.
    assert_eq!(
        ask(Some("his"), Some("Bearer x.y.z")).await.unwrap().status,
        401
    );
    let admin = safe
        .ask(Some("his"), "/v1/admin/rebuild", None)
        .await
        .unwrap();
    assert!([403, 405].contains(&admin.status), "{admin:?}");
    assert!(ask(Some("stranger"), None).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_certificates_are_required_nobody_comes_without_one() {
    let safe = Safe::open(Some(ClientNeed::Required)).await;
    let bearer = safe.house.bearer(Role::Hospital);
    for shown in [None, Some("stranger")] {
        assert!(safe.ask(shown, "/livez", Some(&bearer)).await.is_err());
    }
    assert_eq!(
        safe.ask(Some("unlisted"), "/livez", None)
            .await
            .unwrap()
            .status,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_shakes_hands_is_let_go() {
    let limits = Limits {
        head_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let safe = Safe::with(None, limits).await;
    assert_eq!(raw(safe.house.addr, b"").await, "");
    assert_eq!(raw(safe.house.addr, &[22, 3, 1, 2, 0, 1]).await, "");
    assert_eq!(safe.ask(None, "/livez", None).await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_loopback_there_is_tls_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "server");
    let house = tempfile::tempdir().unwrap();
    let commands = commands(house.path());
    let app = App::new(
        commands.clone(),
        Views::start(Beginning::of(commands.opener())).unwrap(),
    );
    let config = |tls| ServerConfig {
        listen: "0.0.0.0:0".parse().unwrap(),
        tls,
        ..ServerConfig::default()
    };
    let refused = Server::start(config(None), app.clone()).await.unwrap_err();
    assert!(
        matches!(refused, StartError::NotLoopback { .. }),
        "{refused}"
    );
    let mismatched = TlsFiles {
        key: fixture("renewed.key"),
        ..files(folder.path(), None)
    };
    let refused = Server::start(config(Some(mismatched)), app.clone()).await;
    assert!(matches!(refused, Err(StartError::Tls(_))), "{refused:?}");
    let started = Server::start(config(Some(files(folder.path(), None))), app).await;
    assert!(!started.unwrap().addr().ip().is_loopback());
}
