//! Adds the golden bytes of what is written today: `cargo run -p sokhoe-codec --example golden`.
//!
//! Golden bytes are added, never edited: a file that exists is never written again, and one that differs from what
//! is written today is an error that asks for a new schema version.
#![expect(
    clippy::print_stdout,
    reason = "a program for the terminal says what it did"
)]

#[path = "../tests/codec/sample.rs"]
mod sample;

use std::fs::{File, create_dir_all, read};
use std::io::Write;

use sokhoe_codec::{LATEST, encode};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut differing = Vec::new();
    for &(kind, _, version) in LATEST {
        let stored = sample::stored(&read(sample::sample_path(kind, version))?)
            .map_err(|invalid| format!("sample of {kind}: {invalid:?}"))?;
        let bytes = encode(&stored)?;
        let path = sample::golden_path(kind, version);
        if path.is_file() {
            if read(&path)? != bytes {
                differing.push(format!("{kind} version {version}"));
            }
            continue;
        }
        if let Some(folder) = path.parent() {
            create_dir_all(folder)?;
        }
        File::create_new(&path)?.write_all(&bytes)?;
        println!("{kind} version {version}: {} bytes", bytes.len());
    }
    if differing.is_empty() {
        return Ok(());
    }
    let differing = differing.join(", ");
    Err(
        format!("golden bytes are added, never edited; a new schema version is due: {differing}")
            .into(),
    )
}
