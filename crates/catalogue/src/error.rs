//! What can go wrong with lists, split by who must act: the operator's file, the stored file, the
//! choice of list. Messages hold file, line and column, never a person's data (lists have none).

use std::io;
use std::path::PathBuf;

/// A list file that cannot be taken in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file could not be read.
    #[error("read {file}")]
    Io {
        /// The file's name as given.
        file: String,
        /// The cause.
        source: io::Error,
    },
    /// The file is larger than the limit.
    #[error("read {file}: larger than {bytes_max} bytes")]
    TooLarge {
        /// The file's name as given.
        file: String,
        /// The limit that was passed.
        bytes_max: u64,
    },
    /// The file has more rows than the limit.
    #[error("read {file}: more than {rows_max} rows")]
    TooManyRows {
        /// The file's name as given.
        file: String,
        /// The limit that was passed.
        rows_max: u64,
    },
    /// The file has no rows below its header.
    #[error("read {file}: no rows below the header")]
    Empty {
        /// The file's name as given.
        file: String,
    },
    /// The header fits no known shape.
    #[error(
        "read {file}, line 1: the header fits no known shape; expected \
         code,name_vi,name_en,parent,valid_from,valid_to or one of: {known}"
    )]
    UnknownShape {
        /// The file's name as given.
        file: String,
        /// The shapes that exist.
        known: String,
    },
    /// A shape was named that does not exist.
    #[error("read {file}: no shape is called {shape}; known: {known}")]
    NoSuchShape {
        /// The file's name as given.
        file: String,
        /// The shape asked for.
        shape: String,
        /// The shapes that exist.
        known: String,
    },
    /// A column that the shape needs is missing.
    #[error("read {file}, line 1: no column {column}, which the shape {shape} needs")]
    MissingColumn {
        /// The file's name as given.
        file: String,
        /// The missing column.
        column: String,
        /// The shape in use.
        shape: String,
    },
    /// Name, system or version is missing: the shape has no default for it.
    #[error("read {file}: {field} is not given and the shape {shape} has no default for it")]
    MissingSetting {
        /// The file's name as given.
        file: String,
        /// The missing setting.
        field: &'static str,
        /// The shape in use.
        shape: String,
    },
    /// A name, system or version has characters that it may not have.
    #[error("read {file}: {field} must be 1 to 64 of a-z, 0-9, '.', '-', '_'")]
    BadSetting {
        /// The file's name as given.
        file: String,
        /// The setting.
        field: &'static str,
    },
    /// A system has characters that it may not have.
    #[error("read {file}: system must be 1 to 200 visible ASCII characters")]
    BadSystem {
        /// The file's name as given.
        file: String,
    },
    /// A row is not well-formed CSV.
    #[error("read {file}, line {line}: not well-formed CSV")]
    Csv {
        /// The file's name as given.
        file: String,
        /// The line, counted from 1.
        line: u64,
        /// The cause.
        source: csv::Error,
    },
    /// A cell does not hold what its column needs.
    #[error("read {file}, line {line}, column {column}: expected {expected}")]
    BadCell {
        /// The file's name as given.
        file: String,
        /// The line, counted from 1.
        line: u64,
        /// The column's name.
        column: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A code appears twice with different names.
    #[error(
        "read {file}, line {line}, column {column}: the code stands in line {first_line} with other names"
    )]
    Duplicate {
        /// The file's name as given.
        file: String,
        /// The line, counted from 1.
        line: u64,
        /// The column's name.
        column: String,
        /// Where the code stood first.
        first_line: u64,
    },
}

/// A stored list file that cannot be opened or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The operating system refused.
    #[error("{attempt} {}", path.display())]
    Io {
        /// What was attempted.
        attempt: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file does not match its digest or is not a catalogue file.
    #[error("open catalogue file {}: damaged ({what}); load that list again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// The folder holds more files than the limit.
    #[error("open catalogue folder {}: more than {files_max} files", path.display())]
    TooManyFiles {
        /// The folder.
        path: PathBuf,
        /// The limit that was passed.
        files_max: usize,
    },
    /// No such list is stored.
    #[error("remove list {name} {version}: it is not among the loaded lists")]
    NotLoaded {
        /// The list's name.
        name: String,
        /// The list's version.
        version: String,
    },
}

/// Any failure of this crate, for callers that only pass it on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogueError {
    /// An operator's file.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A stored file.
    #[error(transparent)]
    File(#[from] FileError),
}
