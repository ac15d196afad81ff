//! Sealed content that is too large for an event, addressed by the digest of its ciphertext.

use std::path::PathBuf;

use serde::Serialize;
use sokhoe_access::{Principal, Role};
use sokhoe_storage::{Access, no_space, write_file_atomic};
use sokhoe_vault::{BLOB_BYTES_MAX, BlobError};

use crate::house::House;
use crate::refusal::Refusal;

/// The answer to stored content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BlobReceipt {
    /// What an event names it by: BLAKE3 of the stored, sealed bytes, as hex.
    pub digest: String,
    /// Bytes of the content as received.
    pub size: u64,
}

impl House {
    /// Seals and stores content; durable when this returns. Blocks on the disk.
    pub(crate) fn put_blob(
        &self,
        principal: &Principal,
        content: &[u8],
    ) -> Result<BlobReceipt, Refusal> {
        let sends = principal.role.staff()
            || matches!(
                principal.role,
                Role::Citizen | Role::Guardian | Role::Operator
            );
        if !sends {
            let because = "this role does not send documents";
            return Err(Refusal::Forbidden {
                rule: "append.otherwise",
                because,
            });
        }
        if !self.opener.reader.status().open() {
            return Err(Refusal::Stopped);
        }
        if content.len() > BLOB_BYTES_MAX {
            let limit = u64::try_from(BLOB_BYTES_MAX).unwrap_or(u64::MAX);
            return Err(Refusal::TooLarge {
                what: "the content",
                limit,
            });
        }
        let sealed = self
            .opener
            .vault
            .seal_blob(content)
            .map_err(|error| blob_failed(&error))?;
        // The key must be on disk before anything sealed under it is.
        let kept = self.opener.vault.persist_pending();
        kept.map_err(|error| failed(&error))?;
        let path = self.blob_path(&sealed.digest.to_string());
        let disk = &self.settings.disk;
        let folder = path
            .parent()
            .map_or(Ok(()), |folder| disk.create_dir_all(folder));
        let written = folder.and_then(|()| write_file_atomic(disk.as_ref(), &path, &sealed.bytes));
        written.map_err(|error| failed(&error))?;
        Ok(BlobReceipt {
            digest: sealed.digest.to_string(),
            size: u64::try_from(content.len()).unwrap_or(u64::MAX),
        })
    }

    /// Whether content with this digest was stored.
    pub(crate) fn has_blob(&self, digest: &str) -> bool {
        let hex = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        let disk = &self.settings.disk;
        hex && disk.open(&self.blob_path(digest), Access::Read).is_ok()
    }

    fn blob_path(&self, digest: &str) -> PathBuf {
        let folder = digest.get(..2).unwrap_or("00");
        self.settings.data.join("blobs").join(folder).join(digest)
    }
}

fn blob_failed(error: &BlobError) -> Refusal {
    failed(error)
}

fn failed(error: &(dyn std::error::Error + 'static)) -> Refusal {
    tracing::error!(error = %crate::chain_of(error), "content could not be stored");
    if no_space(error) {
        Refusal::Full
    } else {
        Refusal::Internal
    }
}
