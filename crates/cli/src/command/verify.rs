//! `sokhoe verify`: checks a data folder from its first byte, or evidence, and says what that shows and what not.
//! Takes no lock, opens no key, changes nothing.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use serde::Serialize;
use sokhoe_chain::{Checkpoint, SignedNote, VerifierKey};
use sokhoe_storage::{
    Damage, Disk, OpenError, OsDisk, Step, Verified, Verify, verify as verify_log,
};

use crate::arguments::VerifyArguments;
use crate::clock;
use crate::failure::{Outcome, usage};
use crate::output::Output;

mod besides;
mod bundle;

/// What it all comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum Judgement {
    #[serde(rename = "intact")]
    Intact,
    #[serde(rename = "self-consistent, unauthenticated")]
    Unauthenticated,
    #[serde(rename = "tampered")]
    Tampered,
    #[serde(rename = "damaged")]
    Damaged,
    #[serde(rename = "could not check")]
    Unchecked,
}

impl Judgement {
    fn outcome(self) -> Outcome {
        match self {
            Self::Intact | Self::Unauthenticated => Outcome::Done,
            Self::Tampered => Outcome::Tampered,
            Self::Damaged => Outcome::Damaged,
            Self::Unchecked => Outcome::Unchecked,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Intact => "INTACT",
            Self::Unauthenticated => "SELF-CONSISTENT, UNAUTHENTICATED",
            Self::Tampered => "TAMPERED",
            Self::Damaged => "DAMAGED",
            Self::Unchecked => "COULD NOT CHECK",
        }
    }

    fn next(self) -> &'static str {
        match self {
            Self::Intact => {
                "keep a copy of the folder's checkpoint apart from this machine: --since compares with it next time"
            }
            Self::Unauthenticated => {
                "give --vkey the key that was printed at the first start, to know who signed"
            }
            Self::Tampered => {
                "stop the server, keep the disk as it is, fetch a backup and the checkpoints that others kept"
            }
            Self::Damaged => {
                "stop the server, copy the folder elsewhere, and restore the named file from a backup"
            }
            Self::Unchecked => "mend what is named and run this again: nothing is known yet",
        }
    }
}

/// The first thing that is wrong.
#[derive(Debug, Clone, Serialize)]
struct Bad {
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
    what: String,
}

impl From<&Damage> for Bad {
    fn from(damage: &Damage) -> Self {
        Self {
            file: damage.file.clone(),
            offset: Some(damage.offset),
            position: damage.position.map(|position| position.get()),
            what: damage.to_string(),
        }
    }
}

/// The whole answer.
#[derive(Debug, Serialize)]
struct Verdict {
    verdict: Judgement,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_bad: Option<Bad>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    events: u64,
    groups: u64,
    streams: u64,
    segments: u64,
    payloads: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_size: Option<u64>,
    checked: Vec<String>,
    not_checked: Vec<String>,
    next: &'static str,
}

impl Verdict {
    fn new() -> Self {
        Self {
            verdict: Judgement::Unauthenticated,
            first_bad: None,
            origin: None,
            events: 0,
            groups: 0,
            streams: 0,
            segments: 0,
            payloads: 0,
            root: None,
            signed_size: None,
            checked: Vec::new(),
            not_checked: Vec::new(),
            next: "",
        }
    }

    /// Keeps the first thing that is wrong.
    fn bad(&mut self, judgement: Judgement, bad: Bad) {
        if self.first_bad.is_none() {
            self.verdict = judgement;
            self.first_bad = Some(bad);
        }
    }

    fn bad_file(&mut self, judgement: Judgement, file: &str, what: impl Into<String>) {
        let (file, what) = (file.to_owned(), what.into());
        let (offset, position) = (None, None);
        self.bad(
            judgement,
            Bad {
                file,
                offset,
                position,
                what,
            },
        );
    }
}

pub(crate) fn run(arguments: &VerifyArguments, output: &mut Output) -> anyhow::Result<Outcome> {
    let vkey = arguments.vkey.as_deref().map(read_vkey).transpose()?;
    let kept = arguments.since.as_deref();
    let kept = kept
        .map(|path| read_kept(path, vkey.as_ref()))
        .transpose()?;
    let mut verdict = Verdict::new();
    if arguments.path.is_file() {
        bundle::check(&mut verdict, arguments, vkey.as_ref(), kept.as_ref())?;
    } else {
        folder(&mut verdict, arguments, vkey.as_ref(), kept.as_ref())?;
    }
    if verdict.next.is_empty() {
        verdict.next = verdict.verdict.next();
    }
    if arguments.json {
        output.json(&verdict)?;
    } else {
        say(&verdict, output)?;
    }
    Ok(verdict.verdict.outcome())
}

fn folder(
    verdict: &mut Verdict,
    arguments: &VerifyArguments,
    vkey: Option<&VerifierKey>,
    kept: Option<&Checkpoint>,
) -> anyhow::Result<()> {
    let how = Verify {
        kept: kept.map(|kept| (kept.size, kept.root)),
        key: vkey.cloned(),
        payload_percent: arguments.sample,
        seed: arguments.seed,
        progress: clock::each_second(|step: Step| {
            let Step {
                doing,
                done,
                total,
                unit,
            } = step;
            tracing::info!("{doing}: {done} of {total} {unit}");
        }),
    };
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    match verify_log(&disk, &arguments.path, &how) {
        Ok(verified) => {
            take_in(verdict, &verified, arguments.sample);
            authenticate(verdict, &verified, vkey);
            since(verdict, &verified, kept);
            besides::check(
                verdict,
                &arguments.path,
                arguments.keys.as_deref(),
                &verified,
            );
        }
        Err(error) => could_not(verdict, error)?,
    }
    Ok(())
}

fn read_vkey(path: &Path) -> anyhow::Result<VerifierKey> {
    let text = fs::read_to_string(path)
        .map_err(|error| usage(format!("--vkey: read {}: {error}", path.display())))?;
    text.trim().parse().map_err(|error| {
        usage(format!(
            "--vkey: {} holds no verifier key: {error}",
            path.display()
        ))
    })
}

/// Reads a checkpoint that somebody kept; one that the key did not sign is no measure of anything.
fn read_kept(path: &Path, vkey: Option<&VerifierKey>) -> anyhow::Result<Checkpoint> {
    let wrong =
        |error: &dyn std::fmt::Display| usage(format!("--since: {}: {error}", path.display()));
    let note = fs::read(path).map_err(|error| wrong(&error))?;
    match vkey {
        Some(key) => Checkpoint::open(&note, key).map_err(|error| wrong(&error)),
        None => {
            let note = SignedNote::parse(&note).map_err(|error| wrong(&error))?;
            Checkpoint::parse_body(note.text()).map_err(|error| wrong(&error))
        }
    }
}

fn could_not(verdict: &mut Verdict, error: OpenError) -> anyhow::Result<()> {
    match error {
        OpenError::NoLog { .. } => return Err(usage(error.to_string())),
        OpenError::Damaged(damage) => {
            let judgement = if damage.kind.tampering() {
                Judgement::Tampered
            } else {
                Judgement::Damaged
            };
            verdict.bad(judgement, Bad::from(damage.as_ref()));
        }
        OpenError::NoMeta { .. } => {
            verdict.bad_file(Judgement::Damaged, "meta", error.to_string());
        }
        OpenError::UnknownVersion { ref file, .. } => {
            let file = file.clone();
            verdict.bad_file(Judgement::Unchecked, &file, error.to_string());
        }
        OpenError::Io { ref file, .. } => {
            let (file, what) = (
                file.clone(),
                crate::failure::chain(&anyhow::Error::new(error)),
            );
            verdict.bad_file(Judgement::Unchecked, &file, what);
        }
        other => return Err(anyhow::Error::new(other).context("verify")),
    }
    Ok(())
}

fn take_in(verdict: &mut Verdict, verified: &Verified, sample: u32) {
    verdict.origin = Some(verified.meta.origin.clone());
    verdict.events = verified.events;
    verdict.groups = verified.groups;
    verdict.streams = verified.streams;
    verdict.segments = verified.segments;
    verdict.payloads = verified.payloads;
    verdict.root = Some(verified.root.to_string());
    if let (Some(damage), Some(tampered)) = (&verified.damage, verified.tampered()) {
        let judgement = if tampered {
            Judgement::Tampered
        } else {
            Judgement::Damaged
        };
        verdict.bad(judgement, Bad::from(damage));
        verdict
            .not_checked
            .push("everything behind the first bad place".into());
    }
    verdict.checked.push(format!(
        "log: {} segments, {} groups, {} events in {} streams: checksums, digests, links, positions, tree",
        verified.segments, verified.groups, verified.events, verified.streams
    ));
    if verified.payloads > 0 {
        let payloads = verified.payloads;
        verdict.checked.push(format!(
            "payloads: {payloads} against the digests that the event hashes cover"
        ));
    }
    if sample < 100 {
        verdict
            .not_checked
            .push(format!("payloads that a sample of {sample} % leaves out"));
    }
    if let Some(torn) = &verified.torn {
        verdict.checked.push(format!(
            "end of {}: {} bytes of a write that was never acknowledged",
            torn.file, torn.bytes
        ));
    }
    verdict
        .not_checked
        .push("what the payloads say: they are sealed".into());
}

fn authenticate(verdict: &mut Verdict, verified: &Verified, vkey: Option<&VerifierKey>) {
    let note = verified.checkpoint.as_deref();
    let signed = note.and_then(|note| SignedNote::parse(note).ok());
    let size = signed.and_then(|note| Checkpoint::parse_body(note.text()).ok());
    verdict.signed_size = size.map(|checkpoint| checkpoint.size);
    let Some(key) = vkey else {
        verdict
            .not_checked
            .push("who signed the checkpoint: no --vkey was given".into());
        return;
    };
    match note.map(|note| Checkpoint::open(note, key)) {
        Some(Ok(checkpoint)) => {
            if verdict.first_bad.is_none() {
                verdict.verdict = Judgement::Intact;
            }
            let size = checkpoint.size;
            verdict.checked.push(format!(
                "checkpoint: {size} events, signed by {}",
                key.name()
            ));
            if verified.events > size {
                let more = verified.events - size;
                verdict.not_checked.push(format!(
                    "who vouches for the last {more} events: they came after the checkpoint"
                ));
            }
        }
        Some(Err(error)) => {
            let what = format!("the checkpoint is not signed by {}: {error}", key.name());
            verdict.bad_file(Judgement::Tampered, "checkpoint", what);
        }
        None => {
            let what = "there is no checkpoint to check the key's signature on";
            verdict.bad_file(Judgement::Damaged, "checkpoint", what);
        }
    }
}

fn since(verdict: &mut Verdict, verified: &Verified, kept: Option<&Checkpoint>) {
    let Some(kept) = kept else {
        let what = "whether the log was taken back to an earlier state: no --since was given";
        verdict.not_checked.push(what.into());
        return;
    };
    if kept.origin != verified.meta.origin {
        let what = format!("the kept checkpoint is of another log, {}", kept.origin);
        verdict.bad_file(Judgement::Tampered, "meta", what);
        return;
    }
    if verified.events >= kept.size {
        let size = kept.size;
        verdict.checked.push(format!(
            "kept checkpoint: its {size} events are still the first of this log"
        ));
    }
}

fn say(verdict: &Verdict, output: &mut Output) -> anyhow::Result<()> {
    output.line(verdict.verdict.words())?;
    if let Some(bad) = &verdict.first_bad {
        let mut place = bad.file.clone();
        if let Some(offset) = bad.offset {
            place.push_str(&format!(", offset {offset}"));
        }
        if let Some(position) = bad.position {
            place.push_str(&format!(", position {position}"));
        }
        output.line(format!("first bad place  {place}"))?;
        output.line(format!("what is wrong    {}", bad.what))?;
    }
    if let (Some(origin), Some(root)) = (&verdict.origin, &verdict.root) {
        output.line(format!("log              {origin}"))?;
        output.line(format!(
            "tree             {} events, root {root}",
            verdict.events
        ))?;
    }
    for line in &verdict.checked {
        output.line(format!("checked          {line}"))?;
    }
    for line in &verdict.not_checked {
        output.line(format!("not checked      {line}"))?;
    }
    output
        .line(format!("next             {}", verdict.next))
        .context("write the verdict")
}
