//! The bench's output: printed as it comes, and kept in `benches/runs` when asked.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::Context as _;
use tempfile::TempDir;

use crate::disk::{self, Disk};
use crate::machine;

/// Prints lines and remembers them.
#[derive(Debug, Default)]
pub struct Report {
    lines: String,
}

/// A bench that has begun.
#[derive(Debug)]
pub struct Begun {
    /// Holds the title, the machine and the disk so far.
    pub report: Report,
    /// Where its data goes; removed with this.
    pub folder: TempDir,
    /// What the disk does by itself.
    pub disk: Disk,
}

/// Begins a bench: a folder of its own below another, and a report that says what machine and disk it runs on.
///
/// # Errors
/// When the folder cannot be made or the disk refuses.
pub fn begin(title: &str, below: &Path) -> anyhow::Result<Begun> {
    fs::create_dir_all(below)?;
    let folder = tempfile::tempdir_in(below)?;
    let mut report = Report::default();
    report.line(title);
    machine::describe(&mut report, folder.path());
    let disk = disk::measure(&mut report, folder.path())?;
    Ok(Begun {
        report,
        folder,
        disk,
    })
}

impl Report {
    /// Prints a line.
    pub fn line(&mut self, text: impl AsRef<str>) {
        let text = text.as_ref();
        self.lines.push_str(text);
        self.lines.push('\n');
        // A closed pipe is the reader's choice.
        let _ = writeln!(std::io::stdout(), "{text}");
    }

    /// Prints an empty line and a title.
    pub fn title(&mut self, text: &str) {
        self.line("");
        self.line(format!("## {text}"));
    }

    /// Keeps everything printed so far as `benches/runs/<name>.txt`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep(&self, name: &str) -> anyhow::Result<()> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("runs");
        fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{name}.txt"));
        fs::write(path, &self.lines).with_context(|| format!("keep the run {name}"))
    }
}
