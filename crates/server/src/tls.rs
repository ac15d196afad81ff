//! TLS: the server's certificate, whose certificates callers may show, and who speaks behind one.
//!
//! Owns the files and every handshake. TLS 1.3 and 1.2 with AEAD ciphers only, as rustls has no others. Invariant: what
//! the files last said stays in force until they say something else that is complete, so renewing a certificate needs
//! no restart and a mistake in it no outage.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sokhoe_access::{Principal, SystemAccount, SystemError};
use sokhoe_commands::chain_of;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ServerConfig, VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::{self, RootCertStore};
use tokio_rustls::server::TlsStream;

use crate::metrics::Metrics;
use crate::watched::{FileError, Watched, rest};

/// The largest file of certificates or keys that is read, in bytes.
const PEM_BYTES_MAX: usize = 1 << 20;

/// Where the server's certificate lies and what is asked of callers.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate with those that lead to its authority, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// Which callers may show a certificate; `None` when nobody is asked for one.
    pub clients: Option<ClientCertificates>,
}

/// Which certificates callers may show, and who they speak for.
#[derive(Debug, Clone)]
pub struct ClientCertificates {
    /// The authorities that issue them, PEM.
    pub authorities: PathBuf,
    /// Whether a caller without one is let in.
    pub need: ClientNeed,
    /// The accounts of systems, by the name in their certificate.
    pub systems: Vec<SystemAccount>,
}

/// Whether a caller without a certificate is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientNeed {
    /// Yes: who has none shows a token.
    Optional,
    /// No: the handshake fails.
    Required,
}

/// Why there is no TLS as it was asked for.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Not PEM, or nothing in it of what is looked for.
    #[error("{what} in {path}", path = path.display())]
    Pem {
        /// What is looked for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: pem::Error,
    },
    /// Certificate and key are not usable together.
    #[error("certificate {certificate} with key {key}", certificate = certificate.display(), key = key.display())]
    Certificate {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
    /// One of the authorities' certificates is not usable.
    #[error("authorities of client certificates, {path}", path = path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
    /// No verifier can be made of the authorities.
    #[error("authorities of client certificates, {path}", path = path.display())]
    Verifier {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: VerifierBuilderError,
    },
    /// A system's account is wrong.
    #[error("system {name}")]
    System {
        /// The system's name.
        name: String,
        /// What is wrong.
        source: SystemError,
    },
    /// Two accounts for one certificate.
    #[error("system {name}: another account has the same name")]
    Twice {
        /// The name.
        name: String,
    },
}

impl TlsFiles {
    /// Reads everything once, for whoever wants to know whether a server would start with it.
    ///
    /// # Errors
    /// What a start would refuse.
    pub fn check(&self) -> Result<(), TlsError> {
        systems_of(self)?;
        read(self).map(|_| ())
    }
}

/// The files, and the side of them that handshakes see.
#[derive(Debug)]
pub(crate) struct TlsKeeper {
    files: TlsFiles,
    watched: Vec<Watched>,
    current: watch::Sender<Arc<ServerConfig>>,
}

impl TlsKeeper {
    /// Reads every file for the first time, when each must be usable.
    pub(crate) fn open(files: &TlsFiles) -> Result<(Self, Handshakes), TlsError> {
        let systems = systems_of(files)?;
        let paths = [&files.certificate, &files.key].into_iter();
        let paths = paths.chain(files.clients.as_ref().map(|clients| &clients.authorities));
        let mut watched: Vec<_> = paths
            .map(|path| Watched::new(path, PEM_BYTES_MAX))
            .collect();
        look(&mut watched);
        let (current, config) = watch::channel(Arc::new(read(files)?));
        let keeper = Self {
            files: files.clone(),
            watched,
            current,
        };
        Ok((keeper, Handshakes { config, systems }))
    }

    /// Looks at the files at every interval until the server stops; new connections see what they say.
    pub(crate) async fn keep(
        mut self,
        metrics: Arc<Metrics>,
        every: Duration,
        mut closing: watch::Receiver<bool>,
    ) {
        while rest(every, &mut closing).await {
            let looked = tokio::task::spawn_blocking(move || {
                let changed = look(&mut self.watched);
                let config = changed.then(|| read(&self.files));
                (self, config)
            });
            let Ok((keeper, config)) = looked.await else {
                return;
            };
            self = keeper;
            match config {
                None => {}
                Some(Ok(config)) => {
                    tracing::info!("certificates were read anew");
                    self.current.send_replace(Arc::new(config));
                }
                Some(Err(error)) => {
                    metrics.reload_failed();
                    let error = chain_of(&error);
                    tracing::error!(error, "certificates are not usable; those before hold");
                }
            }
        }
    }
}

/// Asks each file whether it changed, so that none is asked again for the same change.
fn look(watched: &mut [Watched]) -> bool {
    watched
        .iter_mut()
        .fold(false, |changed, file| file.changed() | changed)
}

/// Who speaks for the DNS names in certificates.
type Systems = Arc<[(String, Arc<Principal>)]>;

/// What a connection needs to become one of TLS. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Handshakes {
    config: watch::Receiver<Arc<ServerConfig>>,
    systems: Systems,
}

impl Handshakes {
    /// Shakes hands; returns the connection and the system that it speaks for, where its certificate names one.
    pub(crate) async fn shake<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> std::io::Result<(TlsStream<S>, Option<Arc<Principal>>)> {
        let config = Arc::clone(&self.config.borrow());
        let stream = TlsAcceptor::from(config).accept(stream).await?;
        let certificates = stream.get_ref().1.peer_certificates();
        let system = certificates.and_then(|chain| self.system(chain.first()?));
        Ok((stream, system))
    }

    /// Finds the account of a verified certificate; one with the names of two systems speaks for neither.
    fn system(&self, certificate: &CertificateDer<'_>) -> Option<Arc<Principal>> {
        let parsed = webpki::EndEntityCert::try_from(certificate).ok()?;
        let names: Vec<_> = parsed.valid_dns_names().collect();
        let has = |system: &str| names.iter().any(|name| name.eq_ignore_ascii_case(system));
        let mut found = self.systems.iter().filter(|(name, _)| has(name));
        let (_, principal) = found.next()?;
        found.next().is_none().then(|| Arc::clone(principal))
    }
}

fn systems_of(files: &TlsFiles) -> Result<Systems, TlsError> {
    let mut systems: Vec<(String, Arc<Principal>)> = Vec::new();
    for account in files.clients.iter().flat_map(|clients| &clients.systems) {
        let name = || account.name.clone();
        account.check().map_err(|source| TlsError::System {
            name: name(),
            source,
        })?;
        if systems.iter().any(|(known, _)| *known == account.name) {
            return Err(TlsError::Twice { name: name() });
        }
        systems.push((name(), Arc::new(account.principal())));
    }
    Ok(systems.into())
}

/// Makes what handshakes need of what the files say now.
fn read(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let unusable = |source| TlsError::Certificate {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        source,
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let builder = match &files.clients {
        None => builder.with_no_client_auth(),
        Some(clients) => builder.with_client_cert_verifier(verifier(clients, provider)?),
    };
    let chain = certificates(&files.certificate)?;
    let bytes = Watched::new(&files.key, PEM_BYTES_MAX).read()?;
    let key = PrivateKeyDer::from_pem_slice(&bytes).map_err(|source| TlsError::Pem {
        what: "private key",
        path: files.key.clone(),
        source,
    })?;
    let mut config = builder.with_single_cert(chain, key).map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn verifier(
    clients: &ClientCertificates,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, TlsError> {
    let path = || clients.authorities.clone();
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&clients.authorities)? {
        let added = roots.add(certificate);
        added.map_err(|source| TlsError::Authority {
            path: path(),
            source,
        })?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = match clients.need {
        ClientNeed::Optional => builder.allow_unauthenticated(),
        ClientNeed::Required => builder,
    };
    builder.build().map_err(|source| TlsError::Verifier {
        path: path(),
        source,
    })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = Watched::new(path, PEM_BYTES_MAX).read()?;
    let wrong = |source| TlsError::Pem {
        what: "certificates",
        path: path.to_owned(),
        source,
    };
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match all.map_err(wrong)? {
        none if none.is_empty() => Err(wrong(pem::Error::NoItemsFound)),
        all => Ok(all),
    }
}
