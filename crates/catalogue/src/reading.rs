//! Takes in a list from CSV: finds the file's shape, checks every row and names file, line and column of
//! what is wrong. Our own shape has the header `code,name_vi,name_en,parent,valid_from,valid_to`
//! (UTF-8, comma, quotes as RFC 4180; a byte order mark is skipped; all but code and `name_vi` may be
//! empty; days are `YYYY-MM-DD`, `valid_to` is the last valid day). A row that repeats a code with the
//! same names is counted and left out; one with other names is an error.

use std::collections::HashMap;
use std::io::Read;

use sokhoe_record::Date;

use crate::code_key::KEY_BYTES_MAX;
use crate::dates::read_date;
use crate::error::ReadError;
use crate::list::{Crosswalk, Entry, List, ListHead, ListIdentity, Loaded, Successor};
use crate::shapes::{Content, Shape, known_shapes, shapes};

/// Largest list file: the whole ICD-10 has 3 MB, all communes with their history 4 MB.
pub const FILE_BYTES_MAX: u64 = 64 << 20;
/// Most rows of a list file: ten times the largest national list.
pub const ROWS_MAX: u64 = 200_000;
/// Longest code.
pub const CODE_CHARS_MAX: usize = KEY_BYTES_MAX;
/// Longest name.
pub const CELL_CHARS_MAX: usize = 1_000;

/// Longest system: a URI at most.
pub const SYSTEM_CHARS_MAX: usize = 200;

/// What the operator says about a file; what is left out comes from the file's shape.
#[derive(Debug, Clone, Default)]
pub struct LoadSpec {
    /// The list's name.
    pub name: Option<String>,
    /// The system whose codes it holds.
    pub system: Option<String>,
    /// The list's version.
    pub version: Option<String>,
    /// The file's shape; otherwise told by its header.
    pub shape: Option<String>,
    /// First day on which the list holds.
    pub valid_from: Option<Date>,
    /// Last day on which the list holds.
    pub valid_to: Option<Date>,
    /// Whether an absent code does not exist.
    pub complete: Option<bool>,
    /// The length of the codes that the list speaks for.
    pub code_chars: Option<u8>,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadReport {
    /// The shape of the file.
    pub shape: &'static str,
    /// Entries or rows taken.
    pub taken: usize,
    /// Rows that repeated another one.
    pub repeated: usize,
}

/// Reads a list or crosswalk from CSV. `file` is its name, for messages.
///
/// # Errors
/// Names file, line and column of the first thing that is wrong; nothing is taken then.
pub fn load(
    spec: &LoadSpec,
    file: &str,
    reader: impl Read,
) -> Result<(Loaded, ReadReport), ReadError> {
    let mut text = Vec::new();
    let io = |source| ReadError::Io {
        file: file.into(),
        source,
    };
    reader
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut text)
        .map_err(io)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(ReadError::TooLarge {
            file: file.into(),
            bytes_max: FILE_BYTES_MAX,
        });
    }
    let mut table = Table::open(spec, file, &text)?;
    match table.shape.content {
        Content::Names { .. } => table.read_list(spec),
        Content::Successors { .. } => table.read_crosswalk(spec),
    }
}

struct Table<'a> {
    file: &'a str,
    text: &'a [u8],
    shape: &'static Shape,
    header: csv::StringRecord,
    reader: csv::Reader<&'a [u8]>,
}

struct Row {
    line: u64,
    record: csv::StringRecord,
}

impl<'a> Table<'a> {
    fn open(spec: &LoadSpec, file: &'a str, text: &'a [u8]) -> Result<Self, ReadError> {
        let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(text);
        let csv_error = |source| ReadError::Csv {
            file: file.into(),
            line: 1,
            source,
        };
        let header = reader.headers().map_err(csv_error)?.clone();
        let shape = find_shape(spec, file, &header)?;
        Ok(Self {
            file,
            text,
            shape,
            header,
            reader,
        })
    }

    fn read_list(&mut self, spec: &LoadSpec) -> Result<(Loaded, ReadReport), ReadError> {
        let Content::Names {
            vi,
            en,
            parent,
            valid_from,
            valid_to,
        } = self.shape.content
        else {
            unreachable!("called for lists only")
        };
        let head = self.head(spec)?;
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen: HashMap<String, (u64, usize)> = HashMap::new();
        let mut repeated = 0;
        while let Some(row) = self.next_row()? {
            let (column, code) = self.code(&row)?;
            let name = match self.words(&row, vi)? {
                "" if self.shape.unnamed_codes => code,
                "" => return Err(self.bad(&row, vi, "a name")),
                name => name,
            };
            let entry = Entry {
                code: code.into(),
                vi: name.into(),
                en: self.english(code, self.optional(&row, en)?).into(),
                parent: parent_of(code, self.optional(&row, parent)?).into(),
                valid_from: self.day(&row, valid_from)?,
                valid_to: self.day(&row, valid_to)?,
            };
            if let (Some(from), Some(to), Some(column)) =
                (entry.valid_from, entry.valid_to, valid_to)
                && to < from
            {
                return Err(self.bad(&row, column, "a day not before valid_from"));
            }
            if let Some(&(first_line, at)) = seen.get(code) {
                if entries.get(at) != Some(&entry) {
                    return Err(self.duplicate(&row, column, first_line));
                }
                repeated += 1;
                continue;
            }
            seen.insert(code.to_owned(), (row.line, entries.len()));
            entries.push(entry);
        }
        let report = self.report(entries.len(), repeated)?;
        Ok((Loaded::List(List::build(head, entries)), report))
    }

    fn read_crosswalk(&mut self, spec: &LoadSpec) -> Result<(Loaded, ReadReport), ReadError> {
        let Content::Successors { new } = self.shape.content else {
            unreachable!("called for crosswalks only")
        };
        let head = self.head(spec)?;
        let mut rows = Vec::new();
        while let Some(row) = self.next_row()? {
            let (_, old) = self.code(&row)?;
            let successor = self.words(&row, new)?;
            if successor.is_empty() || successor.len() > CODE_CHARS_MAX {
                return Err(self.bad(&row, new, "a code of 1 to 64 bytes"));
            }
            rows.push(Successor {
                old: old.into(),
                new: successor.into(),
            });
        }
        let read = rows.len();
        let crosswalk = Crosswalk::build(head.identity, head.valid_from, rows);
        let taken = crosswalk.rows().len();
        let report = self.report(taken, read - taken)?;
        Ok((Loaded::Crosswalk(crosswalk), report))
    }

    fn next_row(&mut self) -> Result<Option<Row>, ReadError> {
        let mut record = csv::StringRecord::new();
        let read = self.reader.read_record(&mut record);
        let more = read.map_err(|source| {
            let line = source.position().map_or(1, |position| self.line(position));
            ReadError::Csv {
                file: self.file.into(),
                line,
                source,
            }
        })?;
        let line = record.position().map_or(1, |position| self.line(position));
        // The header is record 0, so the number of a row is its count.
        if record
            .position()
            .is_some_and(|position| position.record() > ROWS_MAX)
        {
            return Err(ReadError::TooManyRows {
                file: self.file.into(),
                rows_max: ROWS_MAX,
            });
        }
        Ok(more.then_some(Row { line, record }))
    }

    /// The line on which a row begins. The reader counts a CR LF only when it meets the LF, which it
    /// leaves to the row after.
    fn line(&self, position: &csv::Position) -> u64 {
        let at = usize::try_from(position.byte()).unwrap_or(usize::MAX);
        position.line() + u64::from(self.text.get(at) == Some(&b'\n'))
    }

    /// The code of a row with the column it stood in: the first code column that is not empty.
    fn code<'r>(&self, row: &'r Row) -> Result<(&'static str, &'r str), ReadError> {
        let columns = self.shape.code.iter().copied();
        let mut cells = columns.map(|column| (column, self.cell(row, column)));
        let first = cells.next().unwrap_or_default();
        let (column, code) = std::iter::once(first)
            .chain(cells)
            .find(|(_, cell)| !cell.is_empty())
            .unwrap_or(first);
        if code.is_empty() || code.len() > CODE_CHARS_MAX || code.contains(char::is_control) {
            return Err(self.bad(row, column, "a code of 1 to 64 bytes"));
        }
        Ok((column, code))
    }

    fn words<'r>(&self, row: &'r Row, column: &str) -> Result<&'r str, ReadError> {
        let cell = self.cell(row, column);
        let right = cell.chars().count() <= CELL_CHARS_MAX && !cell.contains(['\0', '\u{1b}']);
        right
            .then_some(cell)
            .ok_or_else(|| self.bad(row, column, "at most 1000 characters of text"))
    }

    fn optional<'r>(&self, row: &'r Row, column: Option<&str>) -> Result<&'r str, ReadError> {
        column.map_or(Ok(""), |column| self.words(row, column))
    }

    fn day(&self, row: &Row, column: Option<&str>) -> Result<Option<Date>, ReadError> {
        let Some(column) = column else {
            return Ok(None);
        };
        match self.cell(row, column) {
            "" => Ok(None),
            cell => match read_date(cell) {
                Some(day) => Ok(Some(day)),
                None => Err(self.bad(row, column, "a day YYYY-MM-DD or nothing")),
            },
        }
    }

    fn cell<'r>(&self, row: &'r Row, column: &str) -> &'r str {
        let at = self.header.iter().position(|name| name == column);
        at.and_then(|at| row.record.get(at)).unwrap_or_default()
    }

    fn english<'r>(&self, code: &str, name: &'r str) -> &'r str {
        let fault = self
            .shape
            .corrections
            .iter()
            .find(|fault| (fault.0, fault.1) == (code, name));
        fault.map_or(name, |fault| fault.2)
    }

    fn head(&self, spec: &LoadSpec) -> Result<ListHead, ReadError> {
        let defaults = &self.shape.defaults;
        let given = |field, given: &Option<String>, default: Option<&str>| {
            let value = given.clone().or_else(|| default.map(str::to_owned));
            value.ok_or_else(|| ReadError::MissingSetting {
                file: self.file.into(),
                field,
                shape: self.shape.name.into(),
            })
        };
        let bad = |field| ReadError::BadSetting {
            file: self.file.into(),
            field,
        };
        let name = given("name", &spec.name, defaults.name)?;
        let system = given("system", &spec.system, defaults.system)?;
        let version = given("version", &spec.version, defaults.version)?;
        for (field, value) in [("name", &name), ("version", &version)] {
            if !is_setting(value) {
                return Err(bad(field));
            }
        }
        let system_right = (1..=SYSTEM_CHARS_MAX).contains(&system.len())
            && system.bytes().all(|byte| byte.is_ascii_graphic());
        if !system_right {
            return Err(ReadError::BadSystem {
                file: self.file.into(),
            });
        }
        Ok(ListHead {
            identity: ListIdentity {
                name,
                system,
                version,
            },
            valid_from: spec.valid_from.or(defaults.valid_from.and_then(read_date)),
            valid_to: spec.valid_to.or(defaults.valid_to.and_then(read_date)),
            complete: spec.complete.unwrap_or(defaults.complete),
            code_chars: spec.code_chars.or(defaults.code_chars),
        })
    }

    fn report(&self, taken: usize, repeated: usize) -> Result<ReadReport, ReadError> {
        if taken == 0 {
            return Err(ReadError::Empty {
                file: self.file.into(),
            });
        }
        Ok(ReadReport {
            shape: self.shape.name,
            taken,
            repeated,
        })
    }

    fn bad(&self, row: &Row, column: &str, expected: &'static str) -> ReadError {
        let (file, column) = (self.file.into(), column.into());
        ReadError::BadCell {
            file,
            line: row.line,
            column,
            expected,
        }
    }

    fn duplicate(&self, row: &Row, column: &str, first_line: u64) -> ReadError {
        let (file, column) = (self.file.into(), column.into());
        ReadError::Duplicate {
            file,
            line: row.line,
            column,
            first_line,
        }
    }
}

/// A category that names itself as its category has no parent.
fn parent_of<'r>(code: &str, parent: &'r str) -> &'r str {
    if parent == code { "" } else { parent }
}

fn is_setting(value: &str) -> bool {
    (1..=64).contains(&value.len()) && !value.starts_with('.') && value.bytes().all(is_setting_byte)
}

/// Names and versions become file names, so nothing else is let in.
pub(crate) fn is_setting_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_')
}

fn find_shape(
    spec: &LoadSpec,
    file: &str,
    header: &csv::StringRecord,
) -> Result<&'static Shape, ReadError> {
    let has = |column: &str| header.iter().any(|name| name == column);
    let Some(asked) = &spec.shape else {
        return shapes()
            .iter()
            .find(|shape| shape.columns().all(has))
            .ok_or_else(|| ReadError::UnknownShape {
                file: file.into(),
                known: known_shapes(),
            });
    };
    let shape = shapes()
        .iter()
        .find(|shape| shape.name == asked)
        .ok_or_else(|| ReadError::NoSuchShape {
            file: file.into(),
            shape: asked.clone(),
            known: known_shapes(),
        })?;
    match shape.columns().find(|column| !has(column)) {
        None => Ok(shape),
        Some(column) => Err(ReadError::MissingColumn {
            file: file.into(),
            column: column.into(),
            shape: shape.name.into(),
        }),
    }
}

#[cfg(test)]
#[path = "reading_tests.rs"]
mod tests;
