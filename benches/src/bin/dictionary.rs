//! Makes a dictionary for stored events from an invented city: run once for each dictionary that is ever written.
//!
//! A dictionary is part of the format: what was written under one can be read only with it, so a file that exists is
//! never written again. The city's people and texts come from the generator, nobody's data is in it.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Parser;
use sokhoe_benches::random::Random;
use sokhoe_codec::{Stored, encode};
use sokhoe_population::City;
use sokhoe_record::{PersonId, PersonRef};

#[derive(Debug, Parser)]
struct Arguments {
    /// The dictionary file to make.
    file: PathBuf,
    /// Its size.
    #[arg(long, default_value_t = 32 << 10)]
    bytes: usize,
    /// People of the city that it learns from.
    #[arg(long, default_value_t = 4_000)]
    people: u64,
    /// Seed of that city.
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if arguments.file.exists() {
        bail!("a dictionary is never written twice; name another file");
    }
    let city = City::new(arguments.seed, arguments.people)?;
    let mut random = Random::from_seed(arguments.seed);
    let mut samples = Vec::new();
    for incoming in city.events() {
        let mut event = incoming.event;
        let mut id = || PersonRef::Id(PersonId::from_bytes(random.id()));
        event.person = event.person.map(|_| id());
        event.data.person_refs_mut(|_, person| *person = id());
        let mut content = [0; 32];
        random.fill(&mut content);
        let facility = event.facility.clone().unwrap_or_default();
        let stored = Stored {
            event,
            recorded_by: format!("hospital/{facility}"),
            content,
            cause: None,
        };
        samples.push(encode(&stored)?);
    }
    let plain: usize = samples.iter().map(Vec::len).sum();
    // Few of many: training time grows with the samples, what they teach does not.
    let step = samples.len().div_ceil(40_000);
    let taught: Vec<&Vec<u8>> = samples.iter().step_by(step).collect();
    let dictionary = zstd::dict::from_samples(&taught, arguments.bytes).context("train")?;
    let mut compressor = zstd::bulk::Compressor::with_dictionary(3, &dictionary)?;
    let mut packed = 0;
    for sample in &samples {
        packed += compressor.compress(sample)?.len();
    }
    let count = samples.len().max(1);
    eprintln!(
        "{count} events: {} bytes each, {} packed",
        plain / count,
        packed / count
    );
    File::create_new(&arguments.file)?.write_all(&dictionary)?;
    Ok(())
}
