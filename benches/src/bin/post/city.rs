//! People to write about, and the events written: registrations by import, measurements by POST.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context as _, ensure};
use sokhoe_benches::child;

/// The facility whose hospital sends.
const FACILITY: &str = "99001";

/// Registers people in a new data folder, through the command line.
pub(crate) fn register(data: &Path, folder: &Path, people: u32) -> anyhow::Result<()> {
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
    let (path, data) = (
        path.to_str().context("UTF-8")?,
        data.to_str().context("UTF-8")?,
    );
    let printed = child::run(&["import", "events", path, "--data", data, "--json"])?;
    let summary: serde_json::Value = serde_json::from_str(printed.trim())?;
    ensure!(
        summary["accepted"] == people,
        "the registrations were not all taken: {summary}"
    );
    Ok(())
}

/// Makes the hospital's token.
pub(crate) fn token(data: &Path) -> anyhow::Result<String> {
    let data = data.to_str().context("UTF-8")?;
    let arguments = [
        "token",
        "--data",
        data,
        "--role",
        "hospital",
        "--facility",
        FACILITY,
    ];
    Ok(child::run(&arguments)?.trim().to_owned())
}

/// A blood pressure with its two components, as a hospital sends it.
pub(crate) fn event(out: &mut Vec<u8>, round: u32, sequence: u64, person: u32, high: u64) {
    let (id, number, low) = (event_id(round + 1, sequence), number(person), high - 50);
    // Writing to memory does not fail.
    let _ = write!(
        out,
        r#"{{"event_id":"{id}","person":{{"identifier":{{"system":"cccd","value":"{number}"}}}},"kind":"observation_recorded","occurred_at":"2026-11-01T08:10:00+07:00","facility":"{FACILITY}","data":{{"code":{{"system":"loinc","code":"85354-9"}},"value":{{"text":"{high}/{low}"}},"components":[{{"code":{{"system":"loinc","code":"8480-6"}},"value":{{"quantity":{{"value":{high},"unit":"mm[Hg]"}}}}}},{{"code":{{"system":"loinc","code":"8462-4"}},"value":{{"quantity":{{"value":{low},"unit":"mm[Hg]"}}}}}}]}}}}"#
    );
}

fn event_id(round: u32, sequence: u64) -> String {
    format!("{:08x}-7a3b-4c11-9e2f-{sequence:012x}", 0x0192_0000 + round)
}

/// A personal number of a range that was never given out.
fn number(person: u32) -> String {
    format!("099085{person:06}")
}
