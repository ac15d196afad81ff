//! Lines of a reader, one at a time, each with its number and a limit on its length. A line past the limit is
//! named and skipped without being held in memory; the lines after it are read as if nothing had happened.

use std::io::{self, BufRead};

/// One line of input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Number of the line, from 1.
    pub number: u64,
    /// The line without its end, or the fact that it was too long to be read.
    pub text: Result<Vec<u8>, LineTooLong>,
}

/// A line longer than the limit; its bytes were passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("read line {number}: longer than {bytes_max} bytes")]
pub struct LineTooLong {
    /// Number of the line, from 1.
    pub number: u64,
    /// The limit it broke.
    pub bytes_max: usize,
}

/// Iterates over the lines of a reader, blank ones left out.
///
/// ```
/// let lines = sokhoe_exchange::source::Lines::new(&b"{}\n\n[1]\n"[..], 100);
/// let numbers: Vec<u64> = lines.map(|line| line.unwrap().number).collect();
/// assert_eq!(numbers, [1, 3]);
/// ```
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    number: u64,
    bytes_max: usize,
}

impl<R: BufRead> Lines<R> {
    /// Reads `reader` line by line, refusing lines longer than `bytes_max`.
    pub fn new(reader: R, bytes_max: usize) -> Self {
        Self {
            reader,
            number: 0,
            bytes_max,
        }
    }

    /// Changes the limit for the lines that follow.
    pub(crate) fn set_bytes_max(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
    }

    /// Gives the reader back, standing after the last line read.
    pub(crate) fn into_reader(self) -> R {
        self.reader
    }

    fn read_line(&mut self) -> io::Result<Option<Line>> {
        let mut text = Vec::new();
        let mut too_long = false;
        let mut ended = false;
        let mut any = false;
        while !ended {
            let available = self.reader.fill_buf()?;
            if available.is_empty() {
                break;
            }
            any = true;
            let newline = available.iter().position(|&byte| byte == b'\n');
            let (part, used) = match newline {
                Some(at) => (available.get(..at).unwrap_or_default(), at + 1),
                None => (available, available.len()),
            };
            if text.len() + part.len() > self.bytes_max {
                too_long = true;
                text = Vec::new();
            }
            if !too_long {
                text.extend_from_slice(part);
            }
            ended = newline.is_some();
            self.reader.consume(used);
        }
        if !any {
            return Ok(None);
        }
        self.number += 1;
        if text.last() == Some(&b'\r') {
            text.pop();
        }
        let number = self.number;
        let text = if too_long {
            Err(LineTooLong {
                number,
                bytes_max: self.bytes_max,
            })
        } else {
            Ok(text)
        };
        Ok(Some(Line { number, text }))
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.read_line() {
                Ok(Some(line)) if line.text.as_ref().is_ok_and(|text| is_blank(text)) => {}
                Ok(line) => return line.map(Ok),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Says whether `text` holds nothing but white space.
pub(crate) fn is_blank(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_past_the_limit_is_named_and_the_next_is_read() {
        let input = b"short\nfar too long a line\nlast".as_slice();
        let lines: Vec<Line> = Lines::new(io::BufReader::with_capacity(4, input), 8)
            .map(Result::unwrap)
            .collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0].text.as_deref(), Ok(b"short".as_slice()));
        assert_eq!(
            lines[1].text,
            Err(LineTooLong {
                number: 2,
                bytes_max: 8
            })
        );
        assert_eq!(
            lines[2],
            Line {
                number: 3,
                text: Ok(b"last".to_vec())
            }
        );
    }

    #[test]
    fn blank_lines_are_left_out_but_counted() {
        let lines: Vec<u64> = Lines::new(b"\r\n{}\r\n \n{}".as_slice(), 8)
            .map(|l| l.unwrap().number)
            .collect();
        assert_eq!(lines, [2, 4]);
    }
}
