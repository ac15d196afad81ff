//! What one event costs the log's writer here: `cargo run --release -p sokhoe-chain --example event_cost`.

use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use sokhoe_chain::tree::{event_leaf, node_hash};
use sokhoe_chain::{
    Aead, EventHash, EventHeader, Frontier, NodeHash, Stamp, StreamId, StreamKind, event_hash,
    payload_digest, stamp,
};

const ROUNDS: u32 = 500_000;

fn main() -> std::io::Result<()> {
    let header = EventHeader::new(StreamKind::Record, StreamId([7; 16]), Aead::Aes256Gcm);
    let mut bytes = header.encode();
    let payload = [0x5A; 304];
    let (left, right) = (NodeHash([1; 32]), NodeHash([2; 32]));
    let mut joined = [1; 65];
    let mut frontier = Frontier::default();
    let mut previous = EventHash::ZERO;
    let mut version = 0;

    measure("encode a header", || black_box(&header).encode())?;
    measure("hash a header", || event_hash(black_box(&bytes)))?;
    measure("digest a payload of 304 bytes", || {
        payload_digest(black_box(&payload))
    })?;
    measure("hash a leaf", || event_leaf(black_box(&EventHash([3; 32]))))?;
    measure("hash a node, as the tree does", || {
        node_hash(black_box(&left), &right)
    })?;
    measure("hash a node, by ring", || {
        joined[1..33].copy_from_slice(&black_box(left).0);
        joined[33..].copy_from_slice(&right.0);
        ring::digest::digest(&ring::digest::SHA256, &joined)
    })?;
    measure("stamp, hash, push to the tree", || {
        version += 1;
        stamp(
            &mut bytes,
            Stamp {
                version,
                previous,
                recorded_at_us: 1,
            },
        );
        previous = event_hash(&bytes);
        frontier.push_event(&previous);
    })?;
    measure("state the root", || black_box(&frontier).root())
}

#[expect(
    clippy::disallowed_methods,
    reason = "measuring takes the machine's clock"
)]
fn measure<T>(what: &str, mut step: impl FnMut() -> T) -> std::io::Result<()> {
    for _ in 0..ROUNDS / 10 {
        black_box(step());
    }
    let start = Instant::now();
    for _ in 0..ROUNDS {
        black_box(step());
    }
    let ns = start.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS);
    writeln!(std::io::stdout(), "{what:32} {ns:8.0} ns")
}
