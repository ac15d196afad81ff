//! Loaded lists as files of `<data>/catalogue/`: one small immutable file each, whose first line holds a
//! BLAKE3 digest of all that follows, so that any flipped bit is found and the file named. Owns all file
//! access of this crate; a file is complete under its name or not there.
//!
//! ```text
//! sokhoe-catalogue 1 <64 hex digits: BLAKE3 of every byte after this line>
//! kind list            (or: crosswalk)
//! name communes
//! system dvhc
//! version 2025-07-01
//! valid_from 2025-07-01   (or: -)
//! valid_to -
//! complete yes            (or: no)
//! code_chars 5            (or: -)
//!
//! code,name_vi,name_en,parent,valid_from,valid_to   (a crosswalk: old_code,new_code)
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sokhoe_record::Date;

use crate::catalogue::Catalogue;
use crate::dates::read_date;
use crate::error::FileError;
use crate::list::{List, ListIdentity, Loaded};
use crate::reading::{self, FILE_BYTES_MAX, LoadSpec, is_setting_byte};

/// The folder of loaded lists within a data folder.
pub const CATALOGUE_FOLDER: &str = "catalogue";
/// Most files of a catalogue folder.
pub const FOLDER_FILES_MAX: usize = 1_000;

const MAGIC: &str = "sokhoe-catalogue 1 ";
const EXTENSION: &str = "list";

/// Opens `<data>/catalogue/`: the built-in lists with every loaded one. A folder that is not there yet
/// holds no loaded lists.
///
/// # Errors
/// Names the file that is damaged or cannot be read.
pub fn open_folder(data: &Path) -> Result<Catalogue, FileError> {
    let folder = data.join(CATALOGUE_FOLDER);
    let mut paths = match fs::read_dir(&folder) {
        Ok(entries) => list_files(&folder, entries)?,
        Err(source) if source.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(source) => return Err(io_error("open catalogue folder", &folder, source)),
    };
    paths.sort();
    let mut catalogue = Catalogue::built_in();
    for path in paths {
        catalogue = catalogue.with(read_file(&path)?);
    }
    Ok(catalogue)
}

/// Writes a loaded list to `<data>/catalogue/`, in place of one of the same name, system and version.
/// Durable when it returns. Returns the file's path.
///
/// # Errors
/// Names the file that could not be written; says so when the folder holds its most files.
pub fn save(data: &Path, loaded: &Loaded) -> Result<PathBuf, FileError> {
    let folder = data.join(CATALOGUE_FOLDER);
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder);
    made.map_err(|e| io_error("create catalogue folder", &folder, e))?;
    let path = folder.join(file_name(loaded.identity()));
    if !path.exists() {
        // One more than can be opened again must not be stored.
        let entries = fs::read_dir(&folder);
        let entries = entries.map_err(|e| io_error("open catalogue folder", &folder, e))?;
        if list_files(&folder, entries)?.len() >= FOLDER_FILES_MAX {
            return Err(FileError::TooManyFiles {
                path: folder,
                files_max: FOLDER_FILES_MAX,
            });
        }
    }
    let temporary = path.with_extension("new");
    let body = write_body(loaded);
    let digest = blake3::hash(body.as_bytes()).to_hex();
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(format!("{MAGIC}{digest}\n").as_bytes())?;
        file.write_all(body.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        File::open(&folder)?.sync_all()
    };
    write().map_err(|source| io_error("write catalogue file", &path, source))?;
    Ok(path)
}

/// Removes a loaded list from `<data>/catalogue/`; built-in lists stay.
///
/// # Errors
/// Says so when no such list is loaded or the file cannot be removed.
pub fn remove(data: &Path, identity: &ListIdentity) -> Result<(), FileError> {
    let path = data.join(CATALOGUE_FOLDER).join(file_name(identity));
    fs::remove_file(&path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => FileError::NotLoaded {
            name: identity.name.clone(),
            version: identity.version.clone(),
        },
        _ => io_error("remove catalogue file", &path, source),
    })
}

/// A system may be a URI: what a file name may not hold becomes `_`, told apart by a digest.
fn file_name(identity: &ListIdentity) -> String {
    let ListIdentity {
        name,
        system,
        version,
    } = identity;
    let plain = |c: char| u8::try_from(c).is_ok_and(is_setting_byte);
    let mut stem: String = system
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .take(64)
        .collect();
    if stem != *system {
        stem.extend(['-']);
        stem.extend(blake3::hash(system.as_bytes()).to_hex().chars().take(16));
    }
    format!("{stem}+{name}@{version}.{EXTENSION}")
}

fn list_files(folder: &Path, entries: fs::ReadDir) -> Result<Vec<PathBuf>, FileError> {
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| io_error("open catalogue folder", folder, e))?;
        let path = entry.path();
        // A `.new` file is a write that a crash cut off; it was never acknowledged.
        if path
            .extension()
            .is_some_and(|extension| extension == EXTENSION)
        {
            paths.push(path);
        }
        if paths.len() > FOLDER_FILES_MAX {
            let path = folder.to_path_buf();
            return Err(FileError::TooManyFiles {
                path,
                files_max: FOLDER_FILES_MAX,
            });
        }
    }
    Ok(paths)
}

fn read_file(path: &Path) -> Result<Loaded, FileError> {
    let read_error = |source| io_error("open catalogue file", path, source);
    if fs::metadata(path).map_err(read_error)?.len() > FILE_BYTES_MAX * 2 {
        return Err(damaged(path, "larger than any list"));
    }
    let bytes = fs::read(path).map_err(read_error)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| damaged(path, "not UTF-8 text"))?;
    let (first, body) = text
        .split_once('\n')
        .ok_or_else(|| damaged(path, "no first line"))?;
    let digest = first
        .strip_prefix(MAGIC)
        .ok_or_else(|| damaged(path, "not a catalogue file"))?;
    if digest != blake3::hash(body.as_bytes()).to_hex().as_str() {
        return Err(damaged(path, "its digest does not match its content"));
    }
    let (head, rows) = body
        .split_once("\n\n")
        .ok_or_else(|| damaged(path, "no end of header"))?;
    let spec = read_head(head).ok_or_else(|| damaged(path, "a header line is wrong"))?;
    let name = path.display().to_string();
    let loaded = reading::load(&spec, &name, rows.as_bytes());
    let (loaded, _) = loaded.map_err(|error| damaged(path, &error.to_string()))?;
    let expected = file_name(loaded.identity());
    if path
        .file_name()
        .is_none_or(|name| name != expected.as_str())
    {
        return Err(damaged(path, "its name is not that of the list in it"));
    }
    Ok(loaded)
}

fn read_head(head: &str) -> Option<LoadSpec> {
    let mut lines = head.lines();
    let mut value = |key: &str| lines.next()?.strip_prefix(key)?.strip_prefix(' ');
    let kind = value("kind")?;
    let name = value("name")?.to_owned();
    let system = value("system")?.to_owned();
    let version = value("version")?.to_owned();
    let valid_from = optional(value("valid_from")?, read_date)?;
    let valid_to = optional(value("valid_to")?, read_date)?;
    let complete = match value("complete")? {
        "yes" => true,
        "no" => false,
        _ => return None,
    };
    let code_chars = optional(value("code_chars")?, |text| text.parse().ok())?;
    let shape = match kind {
        "list" => "catalogue",
        "crosswalk" => "successors",
        _ => return None,
    };
    Some(LoadSpec {
        name: Some(name),
        system: Some(system),
        version: Some(version),
        shape: Some(shape.into()),
        valid_from,
        valid_to,
        complete: Some(complete),
        code_chars,
    })
}

/// Reads a value or `-`: the outer option is "well formed", the inner one "given".
fn optional<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    if text == "-" {
        Some(None)
    } else {
        read(text).map(Some)
    }
}

fn write_body(loaded: &Loaded) -> String {
    let mut rows = csv::Writer::from_writer(Vec::new());
    // Writing to memory cannot fail.
    let mut row = |cells: &[&str]| rows.write_record(cells).expect("rows have equal lengths");
    let head = match loaded {
        Loaded::List(list) => {
            row(&[
                "code",
                "name_vi",
                "name_en",
                "parent",
                "valid_from",
                "valid_to",
            ]);
            for entry in list.entries() {
                let (from, to) = (day_cell(entry.valid_from), day_cell(entry.valid_to));
                row(&[&entry.code, &entry.vi, &entry.en, &entry.parent, &from, &to]);
            }
            list_head(list)
        }
        Loaded::Crosswalk(crosswalk) => {
            row(&["old_code", "new_code"]);
            for successor in crosswalk.rows() {
                row(&[&successor.old, &successor.new]);
            }
            let from = crosswalk
                .valid_from
                .map_or_else(|| "-".into(), |day| day.to_string());
            let identity = identity_lines("crosswalk", &crosswalk.identity);
            format!("{identity}valid_from {from}\nvalid_to -\ncomplete yes\ncode_chars -\n")
        }
    };
    let rows = rows.into_inner().expect("memory needs no flush");
    format!(
        "{head}\n{}",
        String::from_utf8(rows).expect("cells are text")
    )
}

fn list_head(list: &List) -> String {
    let dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    format!(
        "{}valid_from {}\nvalid_to {}\ncomplete {}\ncode_chars {}\n",
        identity_lines("list", &list.identity),
        dash(list.valid_from.map(|day| day.to_string())),
        dash(list.valid_to.map(|day| day.to_string())),
        if list.complete { "yes" } else { "no" },
        dash(list.code_chars.map(|chars| chars.to_string())),
    )
}

fn identity_lines(kind: &str, identity: &ListIdentity) -> String {
    let ListIdentity {
        name,
        system,
        version,
    } = identity;
    format!("kind {kind}\nname {name}\nsystem {system}\nversion {version}\n")
}

fn day_cell(day: Option<Date>) -> String {
    day.map(|day| day.to_string()).unwrap_or_default()
}

fn damaged(path: &Path, what: &str) -> FileError {
    FileError::Damaged {
        path: path.to_path_buf(),
        what: what.into(),
    }
}

fn io_error(attempt: &'static str, path: &Path, source: io::Error) -> FileError {
    FileError::Io {
        attempt,
        path: path.to_path_buf(),
        source,
    }
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
