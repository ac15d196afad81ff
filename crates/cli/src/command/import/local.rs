//! Import into a data folder of this machine: the same write side as the server's, without HTTP between.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::path::PathBuf;
use std::thread;

use anyhow::{Context as _, anyhow, bail};
use sokhoe_access::Principal;
use sokhoe_commands::{Commands, ContentDigest, Receipt, Refusal, Submission};
use sokhoe_exchange::fhir::{Context, as_correction};
use sokhoe_record::{Incoming, Instant};
use sokhoe_registry::Digests;
use tokio::sync::mpsc;

use super::reading::{Batch, Format, Prepared, read_files};
use super::tally::{Refused, Tally};
use crate::arguments::{ImportArguments, ImportFormat};
use crate::clock;
use crate::config::Config;
use crate::engine;

/// Batches read ahead of the writer.
const BATCHES_AHEAD: usize = 16;
/// The source of FHIR documents that does not say.
const SOURCE: &str = "fhir";

/// Imports files into a data folder.
pub(super) fn import(
    arguments: &ImportArguments,
    config: &Config,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let commands = engine::open(config)?;
    let derive = |parts: &[&[u8]]| commands.derive(parts);
    let received = Instant::from_micros(clock::now_us());
    let source = arguments.source.as_deref().unwrap_or(SOURCE);
    let context = Context::new(source, None, received, &derive)
        .map_err(|error| crate::failure::usage(format!("--source: {error}")))?;
    let format = match arguments.format {
        ImportFormat::Events => Format::Events,
        ImportFormat::Fhir => Format::Fhir(&context),
    };
    let imported = import_all(arguments, &commands, &context, &format, tally);
    engine::close(&commands).and(imported)
}

/// Reads all files, and those once more in which somebody was named who was registered only later: files of
/// other systems come in any order.
fn import_all(
    arguments: &ImportArguments,
    commands: &Commands,
    context: &Context<'_>,
    format: &Format<'_>,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let mut deferred = Deferred::default();
    let defer = matches!(format, Format::Fhir(_)).then_some(&mut deferred);
    pass(
        &arguments.paths,
        commands,
        context,
        format,
        tally,
        defer,
        |_| true,
    )?;
    if deferred.is_empty() {
        return Ok(());
    }
    let files: BTreeSet<PathBuf> = deferred
        .iter()
        .map(|(source, _)| PathBuf::from(source))
        .collect();
    let files: Vec<_> = files.into_iter().collect();
    let again = |batch: &mut Batch| match batch {
        Batch::Skipped(..) => false,
        Batch::Items(items) => {
            items.retain(|item| {
                // What could not be read the first time is counted already.
                item.as_ref()
                    .is_ok_and(|item| deferred.contains(&(item.source.clone(), item.place.clone())))
            });
            true
        }
    };
    pass(&files, commands, context, format, tally, None, again)
}

/// Reads files on a thread and takes what `wanted` leaves of each batch.
fn pass(
    paths: &[PathBuf],
    commands: &Commands,
    context: &Context<'_>,
    format: &Format<'_>,
    tally: &mut Tally,
    defer: Option<&mut Deferred>,
    wanted: impl Fn(&mut Batch) -> bool + Sync,
) -> anyhow::Result<()> {
    thread::scope(|scope| {
        let (send, batches) = mpsc::channel(BATCHES_AHEAD);
        let wanted = &wanted;
        let reader = scope.spawn(move || {
            read_files(paths, format, |mut batch| {
                !wanted(&mut batch) || send.blocking_send(batch).is_ok()
            })
        });
        let taking = take_all(commands, Some(context), batches, tally, defer);
        let taken = crate::command::runtime()?.block_on(taking);
        match reader.join() {
            Ok(read) => read.context("read the files").and(taken),
            Err(_) => Err(anyhow!("the thread that reads files failed")),
        }
    })
}

/// Items, by source and place, that name somebody unknown so far.
pub(crate) type Deferred = HashSet<(String, String)>;

/// An item whose events are on their way.
struct Waiting {
    source: String,
    place: String,
    kept_whole: bool,
    answers: usize,
    content: ContentDigest,
    /// What was sent, kept where the ids were taken before and a correction may be due.
    again: Vec<Incoming>,
    revision: Option<[u8; 32]>,
}

/// Takes everything that comes through the channel, in order, and counts it. Stops when asked to (ctrl-c):
/// what was submitted is finished first.
pub(crate) async fn take_all(
    commands: &Commands,
    context: Option<&Context<'_>>,
    mut batches: mpsc::Receiver<Batch>,
    tally: &mut Tally,
    defer: Option<&mut Deferred>,
) -> anyhow::Result<()> {
    let principal = Principal::operator("local");
    let mut taker = Taker {
        commands,
        context,
        submission: commands.submission(principal),
        waiting: VecDeque::new(),
        tally,
        defer,
    };
    let mut stop = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        let batch = tokio::select! {
            batch = batches.recv() => batch,
            _ = &mut stop => {
                drop(batches);
                taker.drain(0).await?;
                bail!("interrupted; what was counted is stored, the same import can go on later");
            }
        };
        match batch {
            None => break,
            Some(Batch::Skipped(file, because)) => taker.tally.skipped(&file, because),
            Some(Batch::Items(items)) => {
                for item in items {
                    taker.take(item).await?;
                }
            }
        }
    }
    taker.drain(0).await
}

struct Taker<'a> {
    commands: &'a Commands,
    context: Option<&'a Context<'a>>,
    submission: Submission,
    waiting: VecDeque<Waiting>,
    tally: &'a mut Tally,
    defer: Option<&'a mut Deferred>,
}

impl Taker<'_> {
    async fn take(&mut self, item: Result<Prepared, Box<Refused>>) -> anyhow::Result<()> {
        let item = match item {
            Ok(item) => item,
            Err(refused) => return self.tally.refused(&refused),
        };
        let Prepared {
            source,
            place,
            kept_whole,
            events,
            content,
            revision,
        } = item;
        let opener = self.commands.opener();
        let mut again = Vec::new();
        if revision.is_some() {
            let taken = |event: &Incoming| {
                opener
                    .registry()
                    .taken(opener.event(&event.event.event_id))
                    .is_some()
            };
            again.extend(events.iter().filter(|event| taken(event)).cloned());
        }
        let answers = events.len();
        for event in events {
            self.submission.push(event, content).await;
        }
        let waiting = Waiting {
            source,
            place,
            kept_whole,
            answers,
            content,
            again,
            revision,
        };
        self.waiting.push_back(waiting);
        if self.submission.full() {
            self.drain(self.waiting.len() / 2).await?;
        }
        Ok(())
    }

    /// Waits for answers until only so many items are on their way.
    async fn drain(&mut self, left: usize) -> anyhow::Result<()> {
        while self.waiting.len() > left {
            let Some(waiting) = self.waiting.pop_front() else {
                return Ok(());
            };
            self.settle(waiting).await?;
        }
        Ok(())
    }

    /// Counts one item: accepted when any of its events is new, there before when none is.
    async fn settle(&mut self, item: Waiting) -> anyhow::Result<()> {
        let mut receipts = Vec::with_capacity(item.answers);
        let mut refusal = None;
        for _ in 0..item.answers {
            let answer = self.submission.next().await;
            match answer.ok_or_else(|| anyhow!("an event was left without an answer"))? {
                Ok(receipt) => receipts.push(receipt),
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        if matches!(refusal, Some(Refusal::IdTaken)) {
            refusal = self.correct(&item, &mut receipts).await?;
        }
        match refusal {
            Some(Refusal::Stopped) => {
                bail!("the log stopped taking events; see the log lines above")
            }
            Some(refusal) => {
                if let Some(defer) = self
                    .defer
                    .as_deref_mut()
                    .filter(|_| unknown_person(&refusal))
                {
                    defer.insert((item.source, item.place));
                    return Ok(());
                }
                self.tally.refused(&refused(item, refusal))
            }
            None => {
                let position = receipts.iter().map(|receipt| receipt.position).max();
                let duplicate = receipts.iter().all(|receipt| receipt.duplicate);
                self.tally.taken(position.unwrap_or_default(), duplicate);
                if item.kept_whole && !duplicate {
                    self.tally.counts.kept_whole += 1;
                }
                Ok(())
            }
        }
    }

    /// A resource that was loaded before with other content corrects what it was.
    async fn correct(
        &mut self,
        item: &Waiting,
        receipts: &mut Vec<Receipt>,
    ) -> anyhow::Result<Option<Refusal>> {
        let (Some(context), Some(revision)) = (self.context, item.revision) else {
            return Ok(Some(Refusal::IdTaken));
        };
        let principal = Principal::operator("local");
        for event in &item.again {
            let id = event.event.event_id;
            let original = self
                .commands
                .opener()
                .by_id(id)
                .context("open a stored event")?;
            let Some(original) = original else { continue };
            if original.stored.recorded_by != principal.sender {
                return Ok(Some(Refusal::IdTaken));
            }
            let kind = original.stored.event.kind();
            for correction in as_correction(context, id, kind, event, &revision) {
                match self
                    .commands
                    .submit(&principal, correction, item.content)
                    .await
                {
                    Ok(receipt) => receipts.push(receipt),
                    Err(refusal) => return Ok(Some(refusal)),
                }
            }
        }
        Ok(None)
    }
}

fn unknown_person(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Invalid(errors) if errors.iter().all(|error| error.pointer == "/person"))
}

fn refused(item: Waiting, refusal: Refusal) -> Box<Refused> {
    let Waiting { source, place, .. } = item;
    let code = match &refusal {
        Refusal::Invalid(errors) => return Refused::fields(source, place, errors.clone()),
        Refusal::Forbidden { .. } => "forbidden",
        Refusal::IdTaken => "id_taken",
        Refusal::Gone => "gone",
        Refusal::VersionMismatch { .. } => "version_mismatch",
        Refusal::Conflict { .. } => "conflict",
        Refusal::TooLarge { .. } => "too_large",
        Refusal::Busy => "busy",
        Refusal::Full => "disk_full",
        Refusal::Stopped => "stopped",
        Refusal::Internal => "internal",
    };
    Refused::whole(source, place, code, refusal.to_string())
}
