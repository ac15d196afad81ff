//! One run: the ids of a stretch of the log in a file, sorted, written once and never changed.
//!
//! Pages of 4096 bytes hold entries of 13: the first eight bytes of an event key and its position, in the order of
//! both, then their count and a checksum. Behind the pages: the first fingerprint of each, the filter, a footer with a
//! checksum of all three. The keys are keyed digests and tell nothing, so nothing here is sealed.

use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sokhoe_chain::LogId;
use sokhoe_storage::{Access, Disk, DiskFile, read_exact_at};

use super::filter::{BLOCK_BYTES, Filter};

const MAGIC: &[u8; 8] = b"SKIDRUN1";
const PAGE_BYTES: usize = 4096;
const ENTRY_BYTES: usize = 13;
const PAGE_ENTRIES: usize = (PAGE_BYTES - 6) / ENTRY_BYTES;
const COUNT_AT: usize = PAGE_BYTES - 6;
const SUM_AT: usize = PAGE_BYTES - 4;
const FOOTER_BYTES: usize = 68;
/// Bytes gathered before they are written.
const WRITE_BYTES: usize = 1 << 20;
/// Pages read at once when a run is read from its beginning.
const PAGES_AT_ONCE: usize = 256;

/// The first eight bytes of an event key, as a number that sorts like them.
pub(super) type Fingerprint = u64;

/// A fingerprint and a position.
pub(super) type Entry = (Fingerprint, u64);

/// A run, open for looking up.
#[derive(Debug)]
pub(super) struct Run {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    /// The stretch of the log whose ids are here.
    pub(super) positions: RangeInclusive<u64>,
    /// How many ids.
    pub(super) count: u64,
    firsts: Vec<Fingerprint>,
    filter: Filter,
}

impl Run {
    /// Opens a run of a log.
    ///
    /// # Errors
    /// `InvalidData` when it is cut, damaged or another log's.
    pub(super) fn open(disk: &dyn Disk, path: &Path, log: LogId) -> io::Result<Self> {
        let file = disk.open(path, Access::Read)?;
        let bytes = file.len()?;
        let footer_at = bytes.checked_sub(FOOTER_BYTES as u64).ok_or_else(damaged)?;
        let mut footer = [0; FOOTER_BYTES];
        read_exact_at(file.as_ref(), &mut footer, footer_at)?;
        let footer = Footer::decode(&footer, log).ok_or_else(damaged)?;
        let pages_bytes = footer.pages.checked_mul(PAGE_BYTES as u64);
        let rest = pages_bytes
            .and_then(|pages| footer_at.checked_sub(pages))
            .filter(|rest| Some(*rest) == footer.rest_bytes())
            .ok_or_else(damaged)?;
        let mut tables = vec![0; usize::try_from(rest).map_err(|_| damaged())?];
        read_exact_at(file.as_ref(), &mut tables, footer_at - rest)?;
        if footer.sum(&tables) != footer.sum {
            return Err(damaged());
        }
        let firsts_bytes = usize::try_from(footer.pages * 8).map_err(|_| damaged())?;
        let (firsts, filter) = tables.split_at_checked(firsts_bytes).ok_or_else(damaged)?;
        let (firsts, _) = firsts.as_chunks::<8>();
        Ok(Self {
            file,
            path: path.to_owned(),
            positions: footer.from..=footer.until,
            count: footer.count,
            firsts: firsts.iter().map(|b| u64::from_le_bytes(*b)).collect(),
            filter: Filter::read(filter),
        })
    }

    /// Where the file lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of memory that it takes to keep the run open.
    pub(super) fn memory_bytes(&self) -> usize {
        self.filter.bytes() + self.firsts.len() * 8
    }

    /// Tells whether looking in is worth while.
    pub(super) fn may_hold(&self, fingerprint: Fingerprint) -> bool {
        self.filter.may_hold(fingerprint)
    }

    /// Returns the positions of all ids with a fingerprint: none, one, or hardly ever more.
    ///
    /// # Errors
    /// When a page cannot be read or its checksum is wrong.
    pub(super) fn find(&self, fingerprint: Fingerprint) -> io::Result<Vec<u64>> {
        let mut found = Vec::new();
        // Equal fingerprints may begin on the page before the first that begins with them.
        let begin = self.firsts.partition_point(|first| *first < fingerprint);
        for at in begin.saturating_sub(1)..self.firsts.len() {
            if self.firsts.get(at).is_none_or(|first| *first > fingerprint) {
                break;
            }
            let mut page = [0; PAGE_BYTES];
            let offset = u64::try_from(at * PAGE_BYTES).map_err(|_| damaged())?;
            read_exact_at(self.file.as_ref(), &mut page, offset)?;
            let entries = entries(&page).ok_or_else(damaged)?;
            let from = entries.partition_point(|entry| decode(entry).0 < fingerprint);
            let equal = entries.iter().skip(from).map(decode);
            found.extend(
                equal
                    .take_while(|(of, _)| *of == fingerprint)
                    .map(|(_, position)| position),
            );
        }
        Ok(found)
    }

    /// Reads the run from its beginning.
    pub(super) fn reading(&self) -> Reading<'_> {
        Reading {
            run: self,
            next_page: 0,
            entries: Vec::new().into_iter(),
        }
    }
}

/// A run being read in order.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    run: &'a Run,
    next_page: usize,
    entries: std::vec::IntoIter<Entry>,
}

impl Reading<'_> {
    /// Returns the next entry.
    ///
    /// # Errors
    /// When a page cannot be read or its checksum is wrong.
    pub(super) fn next(&mut self) -> io::Result<Option<Entry>> {
        if let Some(entry) = self.entries.next() {
            return Ok(Some(entry));
        }
        let pages = PAGES_AT_ONCE.min(self.run.firsts.len() - self.next_page);
        if pages == 0 {
            return Ok(None);
        }
        let mut bytes = vec![0; pages * PAGE_BYTES];
        let offset = u64::try_from(self.next_page * PAGE_BYTES).map_err(|_| damaged())?;
        read_exact_at(self.run.file.as_ref(), &mut bytes, offset)?;
        let mut all = Vec::with_capacity(pages * PAGE_ENTRIES);
        let (pages, _) = bytes.as_chunks::<PAGE_BYTES>();
        for page in pages {
            all.extend(entries(page).ok_or_else(damaged)?.iter().map(decode));
        }
        self.next_page += pages.len();
        self.entries = all.into_iter();
        Ok(self.entries.next())
    }
}

/// Writes a run under a name of its own; what is not finished is no run.
#[derive(Debug)]
pub(super) struct Writing {
    file: Arc<dyn DiskFile>,
    written: u64,
    bytes: Vec<u8>,
    page: Vec<u8>,
    firsts: Vec<Fingerprint>,
    filter: Filter,
    count: u64,
}

impl Writing {
    /// Begins a run of at most so many ids.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn begin(disk: &dyn Disk, temporary: &Path, count_max: u64) -> io::Result<Self> {
        match disk.remove(temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(Self {
            file: disk.create_new(temporary)?,
            written: 0,
            bytes: Vec::with_capacity(WRITE_BYTES + PAGE_BYTES),
            page: Vec::with_capacity(PAGE_BYTES),
            firsts: Vec::new(),
            filter: Filter::sized(count_max),
            count: 0,
        })
    }

    /// Adds an entry; they come in order.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn push(&mut self, (fingerprint, position): Entry) -> io::Result<()> {
        if self.page.is_empty() {
            self.firsts.push(fingerprint);
        }
        self.filter.insert(fingerprint);
        self.count += 1;
        self.page.extend_from_slice(&fingerprint.to_le_bytes());
        let [position @ .., _, _, _] = position.to_le_bytes();
        self.page.extend_from_slice(&position);
        if self.page.len() == PAGE_ENTRIES * ENTRY_BYTES {
            self.end_page()?;
        }
        Ok(())
    }

    /// Makes the run durable under its final name.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn finish(
        mut self,
        disk: &dyn Disk,
        (temporary, path): (&Path, &Path),
        log: LogId,
        positions: RangeInclusive<u64>,
    ) -> io::Result<()> {
        if !self.page.is_empty() {
            self.end_page()?;
        }
        let mut tables = Vec::with_capacity(self.firsts.len() * 8 + self.filter.bytes());
        for first in &self.firsts {
            tables.extend_from_slice(&first.to_le_bytes());
        }
        self.filter.write(&mut tables);
        let mut footer = Footer {
            from: *positions.start(),
            until: *positions.end(),
            count: self.count,
            pages: self.firsts.len() as u64,
            blocks: (self.filter.bytes() / BLOCK_BYTES) as u64,
            log,
            sum: 0,
        };
        footer.sum = footer.sum(&tables);
        self.bytes.extend_from_slice(&tables);
        self.bytes.extend_from_slice(&footer.encode());
        self.flush()?;
        self.file.sync_all()?;
        disk.rename(temporary, path)?;
        path.parent().map_or(Ok(()), |folder| disk.sync_dir(folder))
    }

    fn end_page(&mut self) -> io::Result<()> {
        let count = u16::try_from(self.page.len() / ENTRY_BYTES).unwrap_or(0);
        self.page.resize(COUNT_AT, 0);
        self.page.extend_from_slice(&count.to_le_bytes());
        let sum = crc32c::crc32c(&self.page);
        self.page.extend_from_slice(&sum.to_le_bytes());
        self.bytes.append(&mut self.page);
        if self.bytes.len() >= WRITE_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_at(&self.bytes, self.written)?;
        self.written += self.bytes.len() as u64;
        self.bytes.clear();
        Ok(())
    }
}

/// The entries of a page whose checksum is right.
fn entries(page: &[u8; PAGE_BYTES]) -> Option<&[[u8; ENTRY_BYTES]]> {
    let (content, sum) = page.split_at(SUM_AT);
    if crc32c::crc32c(content).to_le_bytes() != sum {
        return None;
    }
    let count = u16::from_le_bytes(*content.get(COUNT_AT..)?.first_chunk()?);
    let (entries, _) = content.as_chunks::<ENTRY_BYTES>();
    entries.get(..usize::from(count))
}

fn decode(entry: &[u8; ENTRY_BYTES]) -> Entry {
    let [a, b, c, d, e, f, g, h, position @ ..] = *entry;
    let [p, q, r, s, t] = position;
    (
        u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        u64::from_le_bytes([p, q, r, s, t, 0, 0, 0]),
    )
}

/// What stands at a run's end.
#[derive(Debug)]
struct Footer {
    from: u64,
    until: u64,
    count: u64,
    pages: u64,
    blocks: u64,
    log: LogId,
    sum: u32,
}

impl Footer {
    fn encode(&self) -> [u8; FOOTER_BYTES] {
        let mut bytes = [0; FOOTER_BYTES];
        let fields = [self.from, self.until, self.count, self.pages, self.blocks];
        let parts = std::iter::once(MAGIC.to_vec())
            .chain(fields.map(|field| field.to_le_bytes().to_vec()))
            .chain([self.log.0.to_vec(), self.sum.to_le_bytes().to_vec()]);
        for (to, from) in bytes.iter_mut().zip(parts.flatten()) {
            *to = from;
        }
        bytes
    }

    fn decode(bytes: &[u8; FOOTER_BYTES], log: LogId) -> Option<Self> {
        let number = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let own = bytes.starts_with(MAGIC) && bytes.get(48..64)? == log.0;
        own.then_some(())?;
        Some(Self {
            from: number(8)?,
            until: number(16)?,
            count: number(24)?,
            pages: number(32)?,
            blocks: number(40)?,
            log,
            sum: u32::from_le_bytes(*bytes.get(64..)?.first_chunk()?),
        })
    }

    /// Bytes of the two tables.
    fn rest_bytes(&self) -> Option<u64> {
        let firsts = self.pages.checked_mul(8)?;
        firsts.checked_add(self.blocks.checked_mul(BLOCK_BYTES as u64)?)
    }

    fn sum(&self, tables: &[u8]) -> u32 {
        let bytes = self.encode();
        crc32c::crc32c_append(crc32c::crc32c(tables), bytes.get(..64).unwrap_or(&bytes))
    }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a run of event ids is damaged")
}
