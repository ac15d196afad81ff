//! People to write about, and the events written: registrations by import, measurements by POST.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use crate::child;
use anyhow::{Context as _, ensure};

/// The facility whose hospital sends.
const FACILITY: &str = "99001";

/// Registers people in a new data folder, through the command line.
///
/// # Errors
/// When not all of them are taken.
pub fn register(data: &Path, folder: &Path, people: u32) -> anyhow::Result<()> {
    let path = folder.join("people.ndjson");
    let mut lines = BufWriter::new(File::create(&path)?);
    for person in 0..people {
        let (id, number) = (event_id(0, u64::from(person)), number(person));
        writeln!(
            lines,
            r#"{{"event_id":"{id}","person":{{"identifier":{{"system":"cccd","value":"{number}"}}}},"kind":"person_registered","occurred_at":"2026-01-05T08:00:00+07:00","facility":"{FACILITY}","data":{{"identifiers":[{{"system":"cccd","value":"{number}"}}],"name":{{"full":"Nguyễn Văn A"}},"sex":"male","birth_date":"1985-03-07"}}}}"#
        )?;
    }
    lines.flush()?;
    import(&path, data, u64::from(people))
}

/// Makes the hospital's token.
///
/// # Errors
/// When the folder has no issuer.
pub fn token(data: &Path) -> anyhow::Result<String> {
    token_of(data, &["--role", "hospital", "--facility", FACILITY])
}

/// Makes a token with these flags.
///
/// # Errors
/// When the folder has no issuer.
pub fn token_of(data: &Path, flags: &[&str]) -> anyhow::Result<String> {
    let data = data.to_str().context("UTF-8")?;
    let arguments = [&["token", "--data", data], flags].concat();
    Ok(child::run(&arguments)?.trim().to_owned())
}

/// Gives everybody this many measurements, through the command line.
///
/// # Errors
/// When not all of them are taken.
pub fn measure(data: &Path, folder: &Path, people: u32, each: u32) -> anyhow::Result<()> {
    let path = folder.join("measurements.ndjson");
    let mut lines = BufWriter::new(File::create(&path)?);
    let mut line = Vec::new();
    for visit in 0..each {
        for person in 0..people {
            line.clear();
            let sequence = u64::from(visit) * u64::from(people) + u64::from(person);
            event(&mut line, 0x7000, sequence, person, 100 + sequence % 80);
            lines.write_all(&line)?;
            lines.write_all(b"\n")?;
        }
    }
    lines.flush()?;
    import(&path, data, u64::from(people) * u64::from(each))
}

/// Returns the random ids of everybody registered, in the order of the log.
///
/// # Errors
/// When the folder cannot be read.
pub fn ids(data: &Path) -> anyhow::Result<Vec<String>> {
    let data = data.to_str().context("UTF-8")?;
    let lines = child::run(&["export", "feed", "--data", data])?;
    let registered = lines
        .lines()
        .filter(|line| line.contains(r#""type":"vn.sokhoe.person_registered""#));
    let subject = |line: &str| Some(line.split_once(r#""subject":""#)?.1.get(..36)?.to_owned());
    registered
        .map(|line| subject(line).context("a subject"))
        .collect()
}

fn import(path: &Path, data: &Path, count: u64) -> anyhow::Result<()> {
    let (path, data) = (
        path.to_str().context("UTF-8")?,
        data.to_str().context("UTF-8")?,
    );
    let printed = child::run(&["import", "events", path, "--data", data, "--json"])?;
    let summary: serde_json::Value = serde_json::from_str(printed.trim())?;
    ensure!(
        summary["accepted"] == count,
        "the events were not all taken: {summary}"
    );
    Ok(())
}

/// A blood pressure with its two components, as a hospital sends it.
pub fn event(out: &mut Vec<u8>, round: u32, sequence: u64, person: u32, high: u64) {
    let number = number(person);
    let person = format!(r#"{{"identifier":{{"system":"cccd","value":"{number}"}}}}"#);
    event_of(out, event_id(round + 1, sequence), &person, high);
}

/// The same for somebody known by their random id, under an event id of a range of its own.
pub fn event_for(out: &mut Vec<u8>, sequence: u64, person: &str, high: u64) {
    let person = format!(r#"{{"id":"{person}"}}"#);
    event_of(out, event_id(0x8000, sequence), &person, high);
}

fn event_of(out: &mut Vec<u8>, id: String, person: &str, high: u64) {
    let low = high - 50;
    // Writing to memory does not fail.
    let _ = write!(
        out,
        r#"{{"event_id":"{id}","person":{person},"kind":"observation_recorded","occurred_at":"2026-11-01T08:10:00+07:00","facility":"{FACILITY}","data":{{"code":{{"system":"loinc","code":"85354-9"}},"value":{{"text":"{high}/{low}"}},"components":[{{"code":{{"system":"loinc","code":"8480-6"}},"value":{{"quantity":{{"value":{high},"unit":"mm[Hg]"}}}}}},{{"code":{{"system":"loinc","code":"8462-4"}},"value":{{"quantity":{{"value":{low},"unit":"mm[Hg]"}}}}}}]}}}}"#
    );
}

fn event_id(round: u32, sequence: u64) -> String {
    format!("{:08x}-7a3b-4c11-9e2f-{sequence:012x}", 0x0192_0000 + round)
}

/// A personal number of a range that was never given out.
fn number(person: u32) -> String {
    format!("099085{person:06}")
}

/// Writes the request for a person's record, as a clinician's system sends it.
pub fn ask(request: &mut Vec<u8>, token: &str, person: &str) {
    // Writing to memory does not fail.
    let _ = write!(
        request,
        "GET /v1/people/{person} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\
         sokhoe-purpose: TREAT\r\n\r\n"
    );
}
