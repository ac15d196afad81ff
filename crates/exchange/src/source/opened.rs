//! One open file: decompression by what the bytes say (gzip, bzip2, plain), never by the name alone, and a limit
//! on how much may come out.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;

/// Bytes looked at to find the type of a file's first resource.
const PEEK_BYTES: u64 = 64 * 1024;

/// Opens `path` and reads what is inside it, decompressed, failing past `bytes_max`.
pub(crate) fn open(path: &Path, bytes_max: u64) -> io::Result<Box<dyn BufRead + Send>> {
    let mut raw = BufReader::with_capacity(256 * 1024, File::open(path)?);
    let magic = raw.fill_buf()?;
    let reader: Box<dyn Read + Send> = if magic.starts_with(&[0x1f, 0x8b]) {
        Box::new(MultiGzDecoder::new(raw))
    } else if magic.starts_with(b"BZh") {
        Box::new(MultiBzDecoder::new(raw))
    } else {
        Box::new(raw)
    };
    Ok(Box::new(BufReader::with_capacity(
        256 * 1024,
        Limited {
            reader,
            left: bytes_max,
        },
    )))
}

/// A reader that fails, rather than ends, at its limit.
struct Limited<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        let read = u64::try_from(count).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(read).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::FileTooLarge,
                "more bytes than the limit on one file",
            )
        })?;
        Ok(count)
    }
}

/// The `resourceType` that the beginning of a file names first, if it can be read.
pub(crate) fn first_resource_type(path: &Path) -> Option<String> {
    let mut start = Vec::new();
    open(path, u64::MAX)
        .ok()?
        .take(PEEK_BYTES)
        .read_to_end(&mut start)
        .ok()?;
    let start = String::from_utf8_lossy(&start);
    let (_, after) = start.split_once("\"resourceType\"")?;
    let (_, after) = after.split_once('"')?;
    after.split_once('"').map(|(name, _)| name.to_owned())
}
