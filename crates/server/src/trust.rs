//! Whose tokens the server believes, from files: providers' keys and the list of revoked token ids.
//!
//! The files are looked at every few seconds. Invariant: what a file last said stays in force until it says something
//! else that can be read, so that a half-written or missing file neither locks anybody out nor lets anybody in.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sokhoe_access::{
    KEY_SET_BYTES_MAX, KeySet, KeySetError, Provider, ProviderTerms, REVOKED_BYTES_MAX, Revoked,
    RevokedError, TermsError, Trust, Verifier,
};
use sokhoe_commands::chain_of;
use thiserror::Error;
use tokio::sync::watch;

use crate::guard::Shared;
use crate::watched::{FileError, Watched, rest};

/// Whose tokens are believed besides the built-in issuer's, and where that is kept.
#[derive(Debug, Clone, Default)]
pub struct TrustFiles {
    /// OpenID providers, each with another issuer and name.
    pub providers: Vec<ProviderFile>,
    /// The list of revoked token ids, one a line; `None` for none.
    pub revoked: Option<PathBuf>,
}

impl TrustFiles {
    /// Reads everything once, for whoever wants to know whether a server would start with it; returns how many keys and
    /// how many revoked ids there are.
    ///
    /// # Errors
    /// What a start would refuse.
    pub fn check(&self) -> Result<(usize, usize), TrustError> {
        let kept = TrustKeeper::open(self)?;
        let keys = kept.providers.iter().map(|provider| provider.keys.count());
        Ok((keys.sum(), kept.revoked.count()))
    }
}

/// A provider and the file with its keys.
#[derive(Debug, Clone)]
pub struct ProviderFile {
    /// What is believed of it.
    pub terms: ProviderTerms,
    /// Its public keys, a JWKS.
    pub keys: PathBuf,
}

/// Why it cannot be told whose tokens to believe.
#[derive(Debug, Error)]
pub enum TrustError {
    /// A provider's terms are wrong.
    #[error("provider {name}")]
    Terms {
        /// The provider's name.
        name: String,
        /// What is wrong.
        source: TermsError,
    },
    /// Two providers of one name or issuer.
    #[error("provider {name}: another provider has its name or its issuer")]
    Twice {
        /// The later one's name.
        name: String,
    },
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file of keys holds none that can be used.
    #[error("keys of a provider, {path}", path = path.display())]
    Keys {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: KeySetError,
    },
    /// The list of revoked ids is none.
    #[error("list of revoked token ids, {path}", path = path.display())]
    Revoked {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: RevokedError,
    },
}

/// The files, with what they last said.
#[derive(Debug)]
pub(crate) struct TrustKeeper {
    providers: Vec<Kept>,
    list: Option<Watched>,
    revoked: Arc<Revoked>,
}

#[derive(Debug)]
struct Kept {
    terms: Arc<ProviderTerms>,
    file: Watched,
    keys: Arc<KeySet>,
}

impl TrustKeeper {
    /// Reads every file for the first time, when each must be readable.
    pub(crate) fn open(files: &TrustFiles) -> Result<Self, TrustError> {
        let mut providers: Vec<Kept> = Vec::new();
        for ProviderFile { terms, keys } in &files.providers {
            let name = || terms.name.clone();
            terms.check().map_err(|source| TrustError::Terms {
                name: name(),
                source,
            })?;
            let same =
                |kept: &Kept| kept.terms.name == terms.name || kept.terms.issuer == terms.issuer;
            if providers.iter().any(same) {
                return Err(TrustError::Twice { name: name() });
            }
            let mut file = Watched::new(keys, KEY_SET_BYTES_MAX);
            file.changed();
            providers.push(Kept {
                keys: Arc::new(read_keys(&file, terms)?),
                terms: Arc::new(terms.clone()),
                file,
            });
        }
        let list = files.revoked.as_deref();
        let mut list = list.map(|path| Watched::new(path, REVOKED_BYTES_MAX));
        let revoked = match &mut list {
            Some(file) => {
                file.changed();
                read_revoked(file)?
            }
            None => Revoked::default(),
        };
        Ok(Self {
            providers,
            list,
            revoked: Arc::new(revoked),
        })
    }

    /// Returns what is to be believed by what the files last said.
    pub(crate) fn trust(&self, built_in: Verifier) -> Trust {
        let provider = |kept: &Kept| Provider::new(Arc::clone(&kept.terms), Arc::clone(&kept.keys));
        let providers = self.providers.iter().map(provider).collect();
        Trust::new(built_in, providers, Arc::clone(&self.revoked))
    }

    fn watches(&self) -> bool {
        self.list.is_some() || !self.providers.is_empty()
    }

    /// Reads the files that changed; says whether anything else is to be believed now, and what could not be read.
    fn look(&mut self) -> (bool, Vec<TrustError>) {
        let (mut changed, mut failed) = (false, Vec::new());
        for kept in &mut self.providers {
            if !kept.file.changed() {
                continue;
            }
            match read_keys(&kept.file, &kept.terms) {
                Ok(keys) if keys == *kept.keys => {}
                Ok(keys) => {
                    let (provider, count) = (&kept.terms.name, keys.count());
                    tracing::info!(provider, count, "keys of a provider were read anew");
                    kept.keys = Arc::new(keys);
                    changed = true;
                }
                Err(error) => failed.push(error),
            }
        }
        if let Some(file) = &mut self.list
            && file.changed()
        {
            match read_revoked(file) {
                Ok(revoked) if revoked == *self.revoked => {}
                Ok(revoked) => {
                    let count = revoked.count();
                    tracing::info!(count, "the list of revoked token ids was read anew");
                    self.revoked = Arc::new(revoked);
                    changed = true;
                }
                Err(error) => failed.push(error),
            }
        }
        (changed, failed)
    }

    /// Looks at the files at every interval until the server stops, and hands on what they say.
    pub(crate) async fn keep(
        mut self,
        shared: Arc<Shared>,
        every: Duration,
        mut closing: watch::Receiver<bool>,
    ) {
        if !self.watches() {
            return;
        }
        while rest(every, &mut closing).await {
            let looked = tokio::task::spawn_blocking(move || {
                let seen = self.look();
                (self, seen)
            });
            let Ok((keeper, (changed, failed))) = looked.await else {
                return;
            };
            self = keeper;
            for error in failed {
                shared.metrics.reload_failed();
                let error = chain_of(&error);
                tracing::error!(
                    error,
                    "a file says nothing usable; what it said before holds"
                );
            }
            if changed {
                let built_in = shared.app.verifier().clone();
                shared.tokens.trust_anew(self.trust(built_in));
            }
        }
    }
}

fn read_keys(file: &Watched, terms: &ProviderTerms) -> Result<KeySet, TrustError> {
    let keys = KeySet::parse(&file.read()?, &terms.algorithms);
    keys.map_err(|source| TrustError::Keys {
        path: file.path().to_owned(),
        source,
    })
}

fn read_revoked(file: &Watched) -> Result<Revoked, TrustError> {
    Revoked::parse(&file.read()?).map_err(|source| TrustError::Revoked {
        path: file.path().to_owned(),
        source,
    })
}
