//! What lies in a data folder besides the log: keys, blobs, code lists, and what nobody knows.

use std::fs;
use std::io;
use std::path::Path;

use sokhoe_storage::Verified;
use sokhoe_vault::check_key_files;

use super::{Judgement, Verdict};
use crate::failure;

/// Names at the top of a data folder that are checked or need not be.
const KNOWN: [&str; 8] = [
    "meta",
    "log",
    "checkpoint",
    "blobs",
    "catalogue",
    "lock",
    "cache",
    "demo.json",
];

pub(super) fn check(verdict: &mut Verdict, data: &Path, keys: Option<&Path>, verified: &Verified) {
    match keys {
        None => verdict
            .not_checked
            .push("keys: --keys was not given".into()),
        Some(dir) => match check_key_files(dir, verified.meta.log_id) {
            Ok(checked) => verdict.checked.push(format!(
                "keys: the digests of {} files, {} keys; none was opened",
                checked.files, checked.keys
            )),
            Err(error) => {
                let what = failure::chain(&anyhow::Error::new(error));
                verdict.bad_file(Judgement::Damaged, &dir.display().to_string(), what);
            }
        },
    }
    match sokhoe_catalogue::open_folder(data) {
        Ok(_) => verdict
            .checked
            .push("code lists: each loaded list against its digest".into()),
        Err(error) => {
            let what = failure::chain(&anyhow::Error::new(error));
            verdict.bad_file(Judgement::Damaged, "catalogue", what);
        }
    }
    match blobs(verdict, &data.join("blobs")) {
        Ok(0) => {}
        Ok(count) => {
            let what = format!("blobs: {count}, each against the digest it is named by");
            verdict.checked.push(what);
        }
        Err(error) => verdict.bad_file(Judgement::Unchecked, "blobs", error.to_string()),
    }
    if let Ok(names) = names(data) {
        let unknown = names.iter().filter(|name| !KNOWN.contains(&name.as_str()));
        verdict
            .not_checked
            .extend(unknown.map(|name| format!("{name}: no file of this format")));
    }
}

/// Compares every blob with its name; returns how many there are.
fn blobs(verdict: &mut Verdict, folder: &Path) -> io::Result<u64> {
    let mut count = 0;
    for group in names(folder)? {
        for name in names(&folder.join(&group))? {
            count += 1;
            let bytes = fs::read(folder.join(&group).join(&name))?;
            let found = sokhoe_chain::payload_digest(&bytes).to_string();
            if found != name || !name.starts_with(&group) {
                let file = format!("blobs/{group}/{name}");
                let what = "the blob is not what its name says";
                verdict.bad_file(Judgement::Damaged, &file, what);
            }
        }
    }
    Ok(count)
}

/// The names in a folder, sorted; none where there is no folder.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
