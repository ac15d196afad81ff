//! What a command says on stdout: lines for people, tables, one JSON document for programs. Logs and
//! progress go to stderr and are not here.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

/// The command's stdout.
pub(crate) struct Output {
    stdout: Box<dyn Write + Send>,
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Output")
    }
}

impl Output {
    /// The process's own stdout.
    pub(crate) fn of_process() -> Self {
        Self {
            stdout: Box::new(io::stdout()),
        }
    }

    /// Writes one line and flushes it, so that a reader of a pipe sees it at once.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        self.stdout.write_all(text.as_ref().as_bytes())?;
        self.stdout.write_all(b"\n")?;
        self.stdout.flush()
    }

    /// Writes a value as one line of JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        self.line(serde_json::to_string(value)?)
    }

    /// Writes a table: a header, and rows padded to the widest cell of each column.
    pub(crate) fn table<const N: usize>(
        &mut self,
        header: [&str; N],
        rows: &[[String; N]],
    ) -> io::Result<()> {
        let mut widths = header.map(|cell| cell.chars().count());
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let line = |cells: [&str; N]| {
            let padded = cells
                .iter()
                .zip(widths)
                .map(|(cell, width)| format!("{cell:<width$}"));
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        self.line(line(header))?;
        for row in rows {
            self.line(line(row.each_ref().map(String::as_str)))?;
        }
        Ok(())
    }
}

/// Says whether somebody watches stderr, so that progress may be drawn there.
pub(crate) fn watched() -> bool {
    io::stderr().is_terminal()
}
