//! Evidence: a file that somebody was handed, checked with the log's key and nothing else.

use std::fs;

use sokhoe_chain::{Checkpoint, VerifierKey};
use sokhoe_exchange::evidence::{
    Bundle, Checked, EVIDENCE_BYTES_MAX, ReadError, check as check_all,
};

use super::{Bad, Judgement, Verdict};
use crate::arguments::VerifyArguments;
use crate::failure::usage;

pub(super) fn check(
    verdict: &mut Verdict,
    arguments: &VerifyArguments,
    vkey: Option<&VerifierKey>,
    kept: Option<&Checkpoint>,
) -> anyhow::Result<()> {
    if arguments.keys.is_some() || arguments.sample < 100 {
        return Err(usage(
            "--keys and --sample are for data folders; evidence is always checked whole",
        ));
    }
    if kept.is_some() {
        return Err(usage(
            "--since is for data folders: evidence holds no proof about an earlier checkpoint",
        ));
    }
    let file = arguments.path.display().to_string();
    let length = fs::metadata(&arguments.path).map(|metadata| metadata.len());
    let read = length.and_then(|length| {
        if length > EVIDENCE_BYTES_MAX as u64 {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        fs::read(&arguments.path)
    });
    let bytes = match read {
        Ok(bytes) => bytes,
        Err(error) => {
            verdict.bad_file(Judgement::Unchecked, &file, error.to_string());
            return Ok(());
        }
    };
    let bundle = match Bundle::read(&bytes) {
        Ok(bundle) => bundle,
        Err(error) => {
            let judgement = match error {
                ReadError::UnknownFormat { .. } | ReadError::TooLong { .. } => Judgement::Unchecked,
                ReadError::Shape(_) => Judgement::Damaged,
            };
            verdict.bad_file(judgement, &file, error.to_string());
            verdict.next = "fetch the evidence again: it is no longer what was written";
            return Ok(());
        }
    };
    match check_all(&bundle, vkey) {
        Ok(checked) => take_in(verdict, &checked, vkey),
        Err(flaw) => {
            let bad = Bad {
                file,
                offset: None,
                position: flaw.position,
                what: flaw.to_string(),
            };
            verdict.bad(Judgement::Tampered, bad);
            verdict.next =
                "do not rely on it; ask for new evidence and the log's key by another way";
        }
    }
    Ok(())
}

fn take_in(verdict: &mut Verdict, checked: &Checked, vkey: Option<&VerifierKey>) {
    let size = checked.checkpoint.size;
    verdict.origin = Some(checked.checkpoint.origin.clone());
    verdict.root = Some(checked.checkpoint.root.to_string());
    verdict.events = checked.events;
    verdict.streams = checked.chains;
    verdict.payloads = checked.events;
    verdict.signed_size = Some(size);
    verdict.checked.push(format!(
        "{} events: each with its payload in a tree of {size} events",
        checked.events
    ));
    match checked.as_of {
        Some(as_of) => {
            verdict.checked.push(format!(
                "{} chains: whole from the first event to the last as of position {as_of}",
                checked.chains
            ));
            let later = format!("what came after position {as_of}: ask for evidence again");
            verdict.not_checked.push(later);
        }
        None => {
            let others = "what else the stream holds: single events show nothing of it";
            verdict.not_checked.push(others.into());
        }
    }
    if checked.opened > 0 {
        let opened = checked.opened;
        verdict.checked.push(format!(
            "contents: {opened} opened with their keys, and they are what the hashes cover"
        ));
    }
    if checked.opened < checked.events {
        let sealed = "what sealed payloads say: no key is given for them, or it was destroyed";
        verdict.not_checked.push(sealed.into());
    }
    match vkey {
        Some(key) => {
            verdict.verdict = Judgement::Intact;
            let name = key.name();
            verdict
                .checked
                .push(format!("checkpoint: signed by {name}"));
        }
        None => verdict
            .not_checked
            .push("who signed the checkpoint: no --vkey was given".into()),
    }
}
