//! From files to what can be submitted, on threads of its own: documents are read, parsed and translated
//! while those before them are being written. In memory are a few jobs for each thread, whatever the input's size.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use sokhoe_commands::ContentDigest;
use sokhoe_exchange::fhir::{Context, Item, Outcome, read_document, translate};
use sokhoe_exchange::source::{Cut, FilePlace, Found, Limits, SourceError, open};
use sokhoe_record::json::{self, JsonError};
use sokhoe_record::{Incoming, Invalid, read_event};

use super::tally::Refused;

/// Items handed over together.
const BATCH_ITEMS: usize = 128;

/// One item of a file.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) source: String,
    pub(crate) place: String,
    /// Whether it is kept whole, for want of a kind of its own.
    pub(crate) kept_whole: bool,
    /// Its events, at least one, with the digest of what was received.
    pub(crate) events: Vec<Incoming>,
    pub(crate) content: ContentDigest,
    /// The item's own digest, where a changed item becomes a correction.
    pub(crate) revision: Option<[u8; 32]>,
}

/// What the reading thread found, in order.
#[derive(Debug)]
pub(crate) enum Batch {
    Items(Vec<Result<Prepared, Box<Refused>>>),
    Skipped(PathBuf, &'static str),
}

/// How documents become events.
pub(crate) enum Format<'a> {
    /// One event a line.
    Events,
    /// FHIR documents.
    Fhir(&'a Context<'a>),
}

/// Documents translated together, so that a line costs no hand-over of its own.
const JOB_DOCUMENTS: usize = 64;
/// Bytes of documents, after which a job takes no more.
const JOB_BYTES: usize = 256 << 10;
/// Jobs ahead of the one whose items are handed over next, for each translating thread: what memory holds of the input.
const JOBS_AHEAD: usize = 2;

/// Reads files and hands over what is in them, in order, until `hand_over` says that nobody takes it any more.
///
/// One thread reads, as many as there are processors translate, each its share of the jobs in turn.
///
/// # Errors
/// When the files cannot be listed; a file that cannot be read later is a refused item.
pub(crate) fn read_files(
    paths: &[PathBuf],
    format: &Format<'_>,
    mut hand_over: impl FnMut(Batch) -> bool,
) -> Result<(), SourceError> {
    let documents = documents(paths, format)?;
    std::thread::scope(|scope| {
        let count = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let translators: Vec<Translator> = (0..count)
            .map(|_| Translator::start(scope, format))
            .collect();
        let mut in_turn = Turns {
            translators,
            sent: 0,
            taken: 0,
        };
        let mut jobs = Jobs(documents.peekable());
        loop {
            let full = in_turn.sent - in_turn.taken >= count * JOBS_AHEAD;
            let job = if full { None } else { jobs.next() };
            let more = match job {
                Some(job) => in_turn.send(job),
                None => match in_turn.take() {
                    Some(batches) => batches.into_iter().all(&mut hand_over),
                    None => false,
                },
            };
            if !more {
                return Ok(());
            }
        }
    })
}

/// Documents gathered into jobs.
struct Jobs<I: Iterator<Item = Found>>(std::iter::Peekable<I>);

impl<I: Iterator<Item = Found>> Iterator for Jobs<I> {
    type Item = Vec<Found>;

    fn next(&mut self) -> Option<Vec<Found>> {
        self.0.peek()?;
        let (mut job, mut bytes_read) = (Vec::new(), 0);
        while job.len() < JOB_DOCUMENTS && bytes_read < JOB_BYTES {
            let Some(found) = self.0.next() else { break };
            if let Found::Document { bytes, .. } = &found {
                bytes_read += bytes.len();
            }
            job.push(found);
        }
        Some(job)
    }
}

/// A thread that translates jobs in the order in which it gets them.
struct Translator {
    jobs: SyncSender<Vec<Found>>,
    done: Receiver<Vec<Batch>>,
}

impl Translator {
    fn start<'scope>(
        scope: &'scope std::thread::Scope<'scope, '_>,
        format: &'scope Format<'_>,
    ) -> Self {
        let (jobs, todo) = sync_channel::<Vec<Found>>(JOBS_AHEAD);
        let (give, done) = sync_channel(JOBS_AHEAD);
        scope.spawn(move || {
            // Ends when nobody sends jobs, or nobody takes what they become.
            for job in todo {
                if give.send(translated(job, format)).is_err() {
                    break;
                }
            }
        });
        Self { jobs, done }
    }
}

/// The translators, to which jobs go in turn and from which they come back in the same turn.
struct Turns {
    translators: Vec<Translator>,
    sent: usize,
    taken: usize,
}

impl Turns {
    fn at(&self, turn: usize) -> Option<&Translator> {
        self.translators
            .get(turn.checked_rem(self.translators.len())?)
    }

    /// Gives a job to whoever's turn it is; false when that thread is gone.
    fn send(&mut self, job: Vec<Found>) -> bool {
        let sent = self
            .at(self.sent)
            .is_some_and(|it| it.jobs.send(job).is_ok());
        self.sent += 1;
        sent
    }

    /// Waits for the oldest job; `None` when there is none.
    fn take(&mut self) -> Option<Vec<Batch>> {
        if self.taken == self.sent {
            return None;
        }
        let done = self.at(self.taken)?.done.recv().ok();
        self.taken += 1;
        done
    }
}

fn translated(job: Vec<Found>, format: &Format<'_>) -> Vec<Batch> {
    let (mut batches, mut items) = (Vec::new(), Vec::new());
    for found in job {
        match found {
            Found::Skipped(skipped) => {
                batches.push(Batch::Items(std::mem::take(&mut items)));
                batches.push(Batch::Skipped(skipped.path, skipped.because));
            }
            Found::Unreadable {
                place,
                code,
                detail,
            } => {
                let (source, place) = shown(&place);
                items.push(Err(Refused::whole(source, place, code, detail)));
            }
            Found::Document { place, bytes } => match format {
                Format::Events => items.push(event(&place, &bytes)),
                Format::Fhir(context) => resources(&place, &bytes, context, &mut items),
            },
        }
        if items.len() >= BATCH_ITEMS {
            batches.push(Batch::Items(std::mem::take(&mut items)));
        }
    }
    batches.push(Batch::Items(items));
    batches.retain(|batch| !matches!(batch, Batch::Items(items) if items.is_empty()));
    batches
}

/// Opens the documents of files.
pub(super) fn documents(
    paths: &[PathBuf],
    format: &Format<'_>,
) -> Result<impl Iterator<Item = Found> + use<>, SourceError> {
    let cut = match format {
        Format::Events => Cut::Lines,
        Format::Fhir(_) => Cut::ByContent,
    };
    open(paths, cut, Limits::default())
}

fn event(place: &FilePlace, bytes: &[u8]) -> Result<Prepared, Box<Refused>> {
    let (source, place) = shown(place);
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match read_one(bytes) {
        Ok((incoming, content)) => Ok(Prepared {
            source,
            place,
            kept_whole: false,
            events: vec![incoming],
            content,
            revision: None,
        }),
        Err(invalid) => Err(not_an_event(source, place, invalid)),
    }
}

/// Reads one event as a server would.
pub(crate) fn read_one(bytes: &[u8]) -> Result<(Incoming, ContentDigest), Invalid> {
    let node = json::parse(bytes).map_err(Invalid::Malformed)?;
    let incoming = read_event(&node)?;
    Ok((incoming, ContentDigest::of_json(&node)))
}

fn resources(
    place: &FilePlace,
    bytes: &[u8],
    context: &Context<'_>,
    items: &mut Vec<Result<Prepared, Box<Refused>>>,
) {
    let (source, in_file) = shown(place);
    match read_document(bytes) {
        Err(error) => items.push(Err(malformed(source, in_file, &error))),
        Ok(node) => items.extend(translate(&node, context).into_iter().map(|item| {
            let place = place_of(&in_file, &item);
            resource(source.clone(), place, item)
        })),
    }
}

fn resource(source: String, place: String, item: Item) -> Result<Prepared, Box<Refused>> {
    let Item {
        content, outcome, ..
    } = item;
    let (kept_whole, events) = match outcome {
        Outcome::Events(events) => (false, events),
        Outcome::Kept { event, .. } => (true, vec![*event]),
        Outcome::Refused(refused) => {
            let mut item = Refused::whole(source, place, refused.code, refused.detail);
            item.pointer = refused.pointer;
            return Err(item);
        }
    };
    let revision = Some(content);
    let content = ContentDigest::of_bytes(&content);
    Ok(Prepared {
        source,
        place,
        kept_whole,
        events,
        content,
        revision,
    })
}

/// Where an item stands in its file: the file's own place, the entry, the resource's type. Ids of resources
/// are left out: a source may have made them from somebody's number.
pub(super) fn place_of(in_file: &str, item: &Item) -> String {
    let resource_type = &item.place.resource_type;
    let entry = item.place.index.map(|index| format!("entry {index}"));
    let parts = [
        in_file.to_owned(),
        entry.unwrap_or_default(),
        resource_type.clone(),
    ];
    parts
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// File and line of a document.
pub(super) fn shown(place: &FilePlace) -> (String, String) {
    let line = place
        .line
        .map(|line| format!("line {line}"))
        .unwrap_or_default();
    (place.file.display().to_string(), line)
}

pub(super) fn malformed(source: String, place: String, error: &JsonError) -> Box<Refused> {
    let JsonError {
        line, column, what, ..
    } = error;
    Refused::whole(
        source,
        place,
        "malformed",
        format!("line {line}, column {column}: {what}"),
    )
}

fn not_an_event(source: String, place: String, invalid: Invalid) -> Box<Refused> {
    match invalid {
        Invalid::TooLarge { bytes_max } => {
            let detail = format!("an event has at most {bytes_max} bytes");
            Refused::whole(source, place, "too_large", detail)
        }
        Invalid::Malformed(error) => malformed(source, place, &error),
        Invalid::ForbiddenKind { kind } => {
            let detail = format!("events of kind {kind} are written by the server alone");
            Refused::whole(source, place, "forbidden_kind", detail)
        }
        Invalid::Content { errors } => Refused::fields(source, place, errors),
    }
}
