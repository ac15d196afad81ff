//! What sealing and keys cost here:
//! `cargo run --release -p sokhoe-vault --example seal_cost FOLDER [STREAMS]`.
//!
//! FOLDER must not exist; it is left with the keys of STREAMS streams (default 100,000).

use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use sokhoe_chain::{Aead, EventHeader, LogId, StreamId, StreamKind};
use sokhoe_vault::Vault;

const ROUNDS: u32 = 200_000;
const LOG: LogId = LogId([1; 16]);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments
        .next()
        .ok_or("name a folder that does not exist")?;
    let streams: u64 = arguments
        .next()
        .map_or(Ok(100_000), |count| count.parse())?;
    let folder = Path::new(&folder);
    let vault = Vault::create(folder, LOG)?;
    sealing(&vault)?;
    seconds("make and persist the keys, 1,000 a group", || {
        make_keys(&vault, streams)
    })??;
    drop(vault);
    let vault = seconds("open with a journal", || Vault::open(folder, LOG))??;
    seconds("fold", || vault.fold())??;
    drop(vault);
    let vault = seconds("open without a journal", || Vault::open(folder, LOG))??;
    each("find and unwrap one key again", |_| {
        vault.stream_key(stream(1))
    })?;
    each("find and unwrap keys at random", |round| {
        vault.stream_key(stream(
            u64::from(round.wrapping_mul(2_654_435_761)) % streams,
        ))
    })?;
    let gone = stream(streams / 2);
    seconds("destroy one key", || vault.destroy(&[gone]))??;
    Ok(())
}

fn sealing(vault: &Vault) -> Result<(), Box<dyn std::error::Error>> {
    let key = vault.new_stream(StreamId([0xFF; 16]))?;
    for len in [100, 256, 300, 1000] {
        let plain = vec![0x5A; len];
        each(&format!("seal {len} bytes"), |_| {
            vault.seal(&key, black_box(&plain))
        })?;
        let sealed = vault.seal(&key, &plain)?;
        let mut header = EventHeader::new(StreamKind::Record, key.stream(), Aead::Aes256Gcm);
        sealed.describe(&mut header);
        each(&format!("open {len} bytes"), |_| {
            vault.unseal(&key, &header, &sealed.bytes)
        })?;
    }
    each("digest an event id", |_| {
        vault.secrets().event_mac(&[1; 16])
    })?;
    each("digest an identifier", |_| {
        vault.secrets().identifier_digest("cccd", "099085012345")
    })?;
    Ok(())
}

fn make_keys(vault: &Vault, streams: u64) -> Result<(), Box<dyn std::error::Error>> {
    for number in 0..streams {
        vault.new_stream(stream(number))?;
        if number % 1000 == 999 {
            vault.persist_pending()?;
        }
    }
    Ok(vault.persist_pending()?)
}

/// Spreads numbers over all shards, as random ids are.
fn stream(number: u64) -> StreamId {
    let mixed = u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    StreamId(mixed.to_be_bytes())
}

#[expect(
    clippy::disallowed_methods,
    reason = "measuring takes the machine's clock"
)]
fn each<T>(what: &str, mut step: impl FnMut(u32) -> T) -> std::io::Result<()> {
    for round in 0..ROUNDS / 10 {
        black_box(step(round));
    }
    let start = Instant::now();
    for round in 0..ROUNDS {
        black_box(step(round));
    }
    let ns = start.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS);
    writeln!(std::io::stdout(), "{what:42} {ns:8.0} ns")
}

#[expect(
    clippy::disallowed_methods,
    reason = "measuring takes the machine's clock"
)]
fn seconds<T>(what: &str, step: impl FnOnce() -> T) -> std::io::Result<T> {
    let start = Instant::now();
    let done = step();
    writeln!(
        std::io::stdout(),
        "{what:42} {:8.2} s",
        start.elapsed().as_secs_f64()
    )?;
    Ok(done)
}
