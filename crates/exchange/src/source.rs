//! Opens files and folders of other systems' records and yields them document by document: a Bundle or a single
//! resource whole, NDJSON line by line in bounded memory. Which of the two a file is, its content says. Files that
//! are not read are said, never passed over in silence. Understands no format beyond where a document ends.

mod lines;
mod listing;
mod opened;

use std::collections::VecDeque;
use std::fmt;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

pub use lines::{Line, LineTooLong, Lines};
pub use listing::{FILES_MAX, FOLDER_DEPTH_MAX, Listing, Skipped, list};

/// Limits on what one file may ask of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a document that is read whole (a Bundle), decompressed.
    pub document_bytes_max: usize,
    /// Bytes of one NDJSON line.
    pub line_bytes_max: usize,
    /// Bytes of one file, decompressed: past it the file is a decompression bomb or a mistake.
    pub file_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            document_bytes_max: 256 << 20,
            line_bytes_max: 16 << 20,
            file_bytes_max: 64 << 30,
        }
    }
}

/// How a file is cut into documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// As the content says: one document, or one a line.
    ByContent,
    /// One document a line, whatever the content looks like.
    Lines,
}

/// Where a document stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePlace {
    /// The file, as reached from the path given.
    pub file: PathBuf,
    /// The line, from 1, where the file holds one document a line.
    pub line: Option<u64>,
}

impl fmt::Display for FilePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.file.display()),
            None => write!(f, "{}", self.file.display()),
        }
    }
}

/// What reading the sources found next.
#[derive(Debug)]
pub enum Found {
    /// A document, still unparsed.
    Document {
        /// Where it stands.
        place: FilePlace,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// A file that is not read.
    Skipped(Skipped),
    /// A document or the rest of a file that could not be read; reading goes on with what follows.
    Unreadable {
        /// Where it stands.
        place: FilePlace,
        /// `too_large` or `unreadable`.
        code: &'static str,
        /// What went wrong, without any of the content.
        detail: String,
    },
}

/// Failures that end an import before it begins.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A path given could not be read.
    #[error("list {path}")]
    Io {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Folders are nested past [`FOLDER_DEPTH_MAX`].
    #[error("list {path}: folders nested deeper than {FOLDER_DEPTH_MAX}")]
    TooDeep {
        /// The folder.
        path: PathBuf,
    },
    /// More files than one import takes.
    #[error("list files: more than {files_max}")]
    TooManyFiles {
        /// The limit.
        files_max: usize,
    },
}

/// Opens `paths`, files or folders.
///
/// # Errors
/// See [`list`]. A file that cannot be read later is a [`Found::Unreadable`], not an error.
pub fn open(paths: &[PathBuf], cut: Cut, limits: Limits) -> Result<Documents, SourceError> {
    let listing = list(paths)?;
    Ok(Documents {
        files: listing.files.into(),
        ready: listing.skipped.into_iter().map(Found::Skipped).collect(),
        current: None,
        cut,
        limits,
    })
}

/// Iterates over the documents of the files opened by [`open`].
pub struct Documents {
    files: VecDeque<PathBuf>,
    ready: VecDeque<Found>,
    current: Option<CurrentLines>,
    cut: Cut,
    limits: Limits,
}

/// A file being read line by line.
struct CurrentLines {
    path: PathBuf,
    lines: Lines<Box<dyn BufRead + Send>>,
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Documents")
            .field("files", &self.files.len())
            .finish_non_exhaustive()
    }
}

impl Iterator for Documents {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            if let Some(found) = self.ready.pop_front() {
                return Some(found);
            }
            if let Some(found) = self.next_line() {
                return Some(found);
            }
            let path = self.files.pop_front()?;
            if let Err(error) = self.begin(&path) {
                return Some(unreadable(&path, None, &error));
            }
        }
    }
}

impl Documents {
    fn next_line(&mut self) -> Option<Found> {
        let current = self.current.as_mut()?;
        match current.lines.next() {
            None => {
                self.current = None;
                None
            }
            Some(Ok(line)) => Some(as_found(&current.path, line)),
            Some(Err(error)) => {
                let found = unreadable(&current.path, None, &error);
                self.current = None;
                Some(found)
            }
        }
    }

    /// Opens the next file and decides how to cut it.
    fn begin(&mut self, path: &Path) -> std::io::Result<()> {
        let reader = opened::open(path, self.limits.file_bytes_max)?;
        if self.cut == Cut::Lines || listing::named_as_lines(path) {
            let lines = Lines::new(reader, self.limits.line_bytes_max);
            self.current = Some(CurrentLines {
                path: path.to_owned(),
                lines,
            });
            return Ok(());
        }
        let mut lines = Lines::new(reader, self.limits.document_bytes_max);
        let Some(first) = lines.next().transpose()? else {
            return Err(std::io::Error::new(
                std::io::ErrorKind::UnexpectedEof,
                "the file is empty",
            ));
        };
        let second = lines.next().transpose()?;
        if let Some(second) = second {
            if one_a_line(&first, &second) {
                lines.set_bytes_max(self.limits.line_bytes_max);
                self.ready
                    .extend([as_found(path, first), as_found(path, second)]);
                self.current = Some(CurrentLines {
                    path: path.to_owned(),
                    lines,
                });
            } else {
                let found = self.whole(path, first, Some(second), lines)?;
                self.ready.push_back(found);
            }
        } else {
            let found = self.whole(path, first, None, lines)?;
            self.ready.push_back(found);
        }
        Ok(())
    }

    fn whole(
        &self,
        path: &Path,
        first: Line,
        second: Option<Line>,
        lines: Lines<Box<dyn BufRead + Send>>,
    ) -> std::io::Result<Found> {
        let place = FilePlace {
            file: path.to_owned(),
            line: None,
        };
        let bytes_max = self.limits.document_bytes_max;
        let too_large = || Found::Unreadable {
            place: FilePlace {
                file: path.to_owned(),
                line: None,
            },
            code: "too_large",
            detail: format!("the document is longer than {bytes_max} bytes"),
        };
        let (Ok(mut bytes), Ok(more)) = (first.text, second.map_or(Ok(Vec::new()), |l| l.text))
        else {
            return Ok(too_large());
        };
        bytes.push(b'\n');
        bytes.extend_from_slice(&more);
        bytes.push(b'\n');
        let left = u64::try_from(bytes_max.saturating_sub(bytes.len())).unwrap_or(u64::MAX);
        lines
            .into_reader()
            .take(left.saturating_add(1))
            .read_to_end(&mut bytes)?;
        if bytes.len() > bytes_max {
            return Ok(too_large());
        }
        Ok(Found::Document { place, bytes })
    }
}

fn as_found(path: &Path, line: Line) -> Found {
    let place = FilePlace {
        file: path.to_owned(),
        line: Some(line.number),
    };
    match line.text {
        Ok(bytes) => Found::Document { place, bytes },
        Err(too_long) => Found::Unreadable {
            place,
            code: "too_large",
            detail: format!("the line is longer than {} bytes", too_long.bytes_max),
        },
    }
}

fn unreadable(path: &Path, line: Option<u64>, error: &std::io::Error) -> Found {
    let code = match error.kind() {
        std::io::ErrorKind::FileTooLarge => "too_large",
        _ => "unreadable",
    };
    let place = FilePlace {
        file: path.to_owned(),
        line,
    };
    Found::Unreadable {
        place,
        code,
        detail: error.to_string(),
    }
}

/// Says whether the first two lines that are not blank belong to a file of one document a line: in JSON an object
/// may only begin a later line after `[`, `,` or `:`.
fn one_a_line(first: &Line, second: &Line) -> bool {
    let (Ok(first), Ok(second)) = (&first.text, &second.text) else {
        return false;
    };
    let ends_open = matches!(first.trim_ascii_end().last(), Some(b'[' | b',' | b':'));
    second.trim_ascii_start().first() == Some(&b'{') && !ends_open
}
