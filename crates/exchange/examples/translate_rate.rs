//! Measures how many FHIR resources a second one core parses and translates.
//! `cargo run --release -p sokhoe-exchange --example translate_rate -- FOLDER`; reading and decompressing the files
//! is not counted.

#![expect(
    clippy::print_stdout,
    reason = "a measuring program prints its numbers"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a measuring program owns its clock"
)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use sokhoe_exchange::fhir::{Context, Outcome, read_document, translate};
use sokhoe_exchange::source::{Cut, Found, Limits, open};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let hash = |parts: &[&[u8]]| {
        let mut hasher = blake3::Hasher::new_keyed(&[7; 32]);
        for part in parts {
            hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.update(part);
        }
        hasher.finalize().into()
    };
    let received = sokhoe_record::Instant::from_micros(1_790_000_000_000_000);
    let ctx = Context::new("fhir", None, received, &hash)?;
    let (mut bytes_read, mut events, mut kept, mut refused) = (0, 0, 0, 0);
    let (mut parsing, mut translating) = (Duration::ZERO, Duration::ZERO);
    let mut resources = 0;
    for found in open(&paths, Cut::ByContent, Limits::default())? {
        let Found::Document { bytes, .. } = found else {
            continue;
        };
        bytes_read += bytes.len();
        let begun = Instant::now();
        let document = read_document(&bytes)?;
        let parsed = Instant::now();
        let items = translate(&document, &ctx);
        parsing += parsed - begun;
        translating += parsed.elapsed();
        resources += items.len();
        for item in &items {
            match &item.outcome {
                Outcome::Events(made) => events += made.len(),
                Outcome::Kept { .. } => kept += 1,
                Outcome::Refused(_) => refused += 1,
            }
        }
    }
    let seconds = (parsing + translating).as_secs_f64();
    println!(
        "{resources} resources, {bytes_read} bytes: {events} events, {kept} kept, {refused} refused"
    );
    println!(
        "parse {:.3} s, translate {:.3} s: {:.0} resources/s, {:.0} MB/s",
        parsing.as_secs_f64(),
        translating.as_secs_f64(),
        resources as f64 / seconds,
        bytes_read as f64 / seconds / 1e6,
    );
    Ok(())
}
