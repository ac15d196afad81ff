//! What an import counts, shows and leaves behind: progress while somebody watches, each refused item as a
//! line of NDJSON, the summary at the end.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;
use sokhoe_record::FieldError;

use crate::clock;
use crate::failure::Outcome;
use crate::output::{self, Output};

/// How often progress is drawn.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);
/// How many refused items are shown when no file was named for them.
const REFUSED_SHOWN_MAX: u64 = 20;

/// An item that was not taken.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Refused {
    /// The file.
    pub(crate) source: String,
    /// Where in the file: a line, a resource of a bundle.
    pub(crate) place: String,
    /// JSON pointer of the first wrong field; empty for the whole item.
    pub(crate) pointer: String,
    /// Stable word for what is wrong.
    pub(crate) code: String,
    /// What is wrong and what was expected; never the sender's values.
    pub(crate) detail: String,
    /// All wrong fields, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<FieldError>,
}

/// What was counted; `kept_whole` is part of `accepted`.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Counts {
    pub(crate) read: u64,
    pub(crate) accepted: u64,
    pub(crate) duplicate: u64,
    pub(crate) refused: u64,
    pub(crate) kept_whole: u64,
}

/// The line that `--json` ends with.
#[derive(Debug, Serialize)]
struct Summary {
    #[serde(flatten)]
    counts: Counts,
    seconds: f64,
    position: u64,
}

/// Counts, shows progress and writes refused items.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) counts: Counts,
    /// The highest position that a receipt named.
    pub(crate) position: u64,
    begun: Instant,
    drawn: Option<Instant>,
    watched: bool,
    file: Option<(PathBuf, BufWriter<File>)>,
    skipped: u64,
}

impl Tally {
    /// Begins to count; refused items go to `file`.
    pub(crate) fn begin(file: Option<&Path>) -> anyhow::Result<Self> {
        let create = |path: &Path| -> anyhow::Result<_> {
            // Refused items carry what a record would: they are for their owner alone.
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(path)
                .with_context(|| format!("make the file of refused items {}", path.display()))?;
            Ok((path.to_owned(), BufWriter::new(file)))
        };
        Ok(Self {
            counts: Counts::default(),
            position: 0,
            begun: clock::steady(),
            drawn: None,
            watched: output::watched(),
            file: file.map(create).transpose()?,
            skipped: 0,
        })
    }

    /// Counts an item that was taken, now or before.
    pub(crate) fn taken(&mut self, position: u64, duplicate: bool) {
        self.counts.read += 1;
        self.position = self.position.max(position);
        if duplicate {
            self.counts.duplicate += 1;
        } else {
            self.counts.accepted += 1;
        }
        self.draw();
    }

    /// Counts an item that was not taken and writes it down.
    pub(crate) fn refused(&mut self, item: &Refused) -> anyhow::Result<()> {
        self.counts.read += 1;
        self.counts.refused += 1;
        match &mut self.file {
            Some((path, file)) => {
                let written = serde_json::to_writer(&mut *file, item).map_err(io::Error::from);
                written
                    .and_then(|()| file.write_all(b"\n"))
                    .with_context(|| format!("write refused items to {}", path.display()))?;
            }
            None if self.counts.refused <= REFUSED_SHOWN_MAX => {
                self.clear();
                let Refused {
                    source,
                    place,
                    pointer,
                    code,
                    detail,
                    ..
                } = item;
                eprintln!("refused: {source} {place} {pointer}: {code}: {detail}");
            }
            None => {}
        }
        self.draw();
        Ok(())
    }

    /// Says that a file was passed over.
    pub(crate) fn skipped(&mut self, file: &Path, because: &str) {
        self.skipped += 1;
        self.clear();
        eprintln!("skipped: {}: {because}", file.display());
    }

    /// Ends the count: flushes the file of refused items, says what happened.
    pub(crate) fn end(mut self, json: bool, output: &mut Output) -> anyhow::Result<Outcome> {
        self.clear();
        if let Some((path, mut file)) = self.file.take() {
            file.flush()
                .with_context(|| format!("write refused items to {}", path.display()))?;
        }
        let counts = self.counts;
        let seconds = self.begun.elapsed().as_secs_f64();
        if json {
            let position = self.position;
            let seconds = (seconds * 1_000.0).round() / 1_000.0;
            output.json(&Summary {
                counts,
                seconds,
                position,
            })?;
        } else {
            let Counts {
                read,
                accepted,
                duplicate,
                refused,
                kept_whole,
            } = counts;
            output.line(format!(
                "{read} read: {accepted} accepted ({kept_whole} kept whole), {duplicate} there \
                 before, {refused} refused; {seconds:.1} s, {:.0}/s, position {}",
                rate(read, seconds),
                self.position
            ))?;
            if self.skipped > 0 {
                output.line(format!("{} files skipped", self.skipped))?;
            }
        }
        Ok(if counts.refused == 0 {
            Outcome::Done
        } else {
            Outcome::SomeRefused
        })
    }

    fn draw(&mut self) {
        if !self.watched || !self.counts.read.is_multiple_of(64) {
            return;
        }
        let now = clock::steady();
        if self
            .drawn
            .is_some_and(|drawn| now.duration_since(drawn) < PROGRESS_EVERY)
        {
            return;
        }
        self.drawn = Some(now);
        let Counts {
            read,
            refused,
            duplicate,
            ..
        } = self.counts;
        let seconds = now.duration_since(self.begun).as_secs_f64();
        let rate = rate(read, seconds);
        eprint!("\r{read} read, {duplicate} there before, {refused} refused, {rate:.0}/s   ");
    }

    fn clear(&mut self) {
        if self.drawn.take().is_some() {
            eprint!("\r{:70}\r", "");
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn rate(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        count as f64 / seconds
    } else {
        0.0
    }
}

impl Refused {
    /// An item of which these fields are wrong.
    pub(crate) fn fields(source: String, place: String, mut errors: Vec<FieldError>) -> Box<Self> {
        let first = errors.first().cloned();
        if errors.len() == 1 {
            errors.clear();
        }
        let (pointer, code, detail) = match first {
            Some(error) => (
                error.pointer,
                error.code.to_owned(),
                error.detail.to_string(),
            ),
            None => (
                String::new(),
                "invalid".to_owned(),
                "the item is not valid".to_owned(),
            ),
        };
        Box::new(Self {
            source,
            place,
            pointer,
            code,
            detail,
            errors,
        })
    }

    /// An item that is refused as a whole.
    pub(crate) fn whole(source: String, place: String, code: &str, detail: String) -> Box<Self> {
        let pointer = String::new();
        Box::new(Self {
            source,
            place,
            pointer,
            code: code.to_owned(),
            detail,
            errors: Vec::new(),
        })
    }
}
