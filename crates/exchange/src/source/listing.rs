//! Which files of the given paths are read, and in which order. Folders are walked; links to folders are not
//! followed. Places and professionals come before people, people before what is said about them, so that a
//! folder of one file per resource type loads in one pass.

use std::fs;
use std::path::{Path, PathBuf};

use super::{SourceError, opened};

/// Folders nested deeper than this are refused: a guard against loops, far above any real export.
pub const FOLDER_DEPTH_MAX: usize = 32;

/// Files listed for one import at most.
pub const FILES_MAX: usize = 1_000_000;

/// A file that is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// Why it is not read.
    pub because: &'static str,
}

/// The files of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Files to read, in the order to read them.
    pub files: Vec<PathBuf>,
    /// Files passed over.
    pub skipped: Vec<Skipped>,
}

/// Lists what `paths` hold. A file named outright is read whatever its name.
///
/// # Errors
/// A path that does not exist or may not be read, too deep a folder, or too many files.
pub fn list(paths: &[PathBuf]) -> Result<Listing, SourceError> {
    let mut listing = Listing::default();
    for path in paths {
        let metadata = fs::metadata(path).map_err(|source| failed(path, source))?;
        if metadata.is_dir() {
            walk(path, 0, &mut listing)?;
        } else {
            listing.files.push(path.clone());
        }
    }
    listing
        .files
        .sort_by_cached_key(|path| (rank(path), path.clone()));
    listing.files.dedup();
    Ok(listing)
}

fn walk(folder: &Path, depth: usize, listing: &mut Listing) -> Result<(), SourceError> {
    if depth > FOLDER_DEPTH_MAX {
        return Err(SourceError::TooDeep {
            path: folder.to_owned(),
        });
    }
    for entry in fs::read_dir(folder).map_err(|source| failed(folder, source))? {
        let entry = entry.map_err(|source| failed(folder, source))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(|source| failed(&path, source))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if kind.is_dir() {
            walk(&path, depth + 1, listing)?;
        } else if kind.is_symlink() && path.is_dir() {
            listing.skipped.push(Skipped {
                path,
                because: "a link to a folder",
            });
        } else if name.starts_with('.') {
            listing.skipped.push(Skipped {
                path,
                because: "a hidden file",
            });
        } else if readable_name(&name) {
            listing.files.push(path);
        } else {
            let because = "neither .json nor .ndjson, plain, .gz or .bz2";
            listing.skipped.push(Skipped { path, because });
        }
        if listing.files.len() + listing.skipped.len() > FILES_MAX {
            return Err(SourceError::TooManyFiles {
                files_max: FILES_MAX,
            });
        }
    }
    Ok(())
}

fn failed(path: &Path, source: std::io::Error) -> SourceError {
    SourceError::Io {
        path: path.to_owned(),
        source,
    }
}

/// Says whether a file of a folder is read, by its name.
fn readable_name(name: &str) -> bool {
    let bare = bare_name(name);
    bare.ends_with(".json") || bare.ends_with(".ndjson") || bare.ends_with(".jsonl")
}

/// Says whether the name promises one resource a line.
pub(crate) fn named_as_lines(path: &Path) -> bool {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let bare = bare_name(&name);
    bare.ends_with(".ndjson") || bare.ends_with(".jsonl")
}

fn bare_name(name: &str) -> &str {
    name.strip_suffix(".gz")
        .or_else(|| name.strip_suffix(".bz2"))
        .unwrap_or(name)
}

/// Order of reading: 0 places and professionals, 1 people, 2 bundles and the rest, 3 lines about people.
fn rank(path: &Path) -> u8 {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let of_type = |wanted: &[&str]| {
        bare_name(&name)
            .split(|c: char| !c.is_ascii_alphabetic())
            .any(|word| wanted.contains(&word))
    };
    if of_type(&[
        "Organization",
        "Location",
        "Practitioner",
        "PractitionerRole",
    ]) {
        return 0;
    }
    if of_type(&["Patient"]) {
        return 1;
    }
    if !named_as_lines(path) {
        return 2;
    }
    match opened::first_resource_type(path).as_deref() {
        Some("Organization" | "Location" | "Practitioner" | "PractitionerRole") => 0,
        Some("Patient") => 1,
        Some("Bundle") => 2,
        _ => 3,
    }
}
