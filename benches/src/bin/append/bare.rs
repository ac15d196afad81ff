//! What the parts of an event's way cost on one core, so that a rate can be set against the work in it.

use std::hint::black_box;
use std::time::Instant;

use sokhoe_benches::report::Report;
use sokhoe_chain::{
    Aead, EventHeader, Frontier, LogId, StreamId, StreamKind, event_hash, group_digest,
};
use sokhoe_vault::Vault;

use sokhoe_benches::append::PAYLOAD_BYTES;

const ROUNDS: u32 = 100_000;

/// Parts with their nanoseconds.
#[derive(Debug, Default)]
pub(crate) struct Parts(Vec<(&'static str, f64)>);

impl Parts {
    pub(crate) fn print(&self, report: &mut Report) {
        for (name, ns) in &self.0 {
            report.line(format!("{name:<44}{ns:>8.0} ns"));
        }
        let sum: f64 = self.0.iter().map(|(_, ns)| ns).sum();
        report.line(format!("{:<44}{sum:>8.0} ns", "sum"));
    }

    fn each<T>(&mut self, name: &'static str, per: u32, mut step: impl FnMut() -> T) {
        for _ in 0..ROUNDS / per / 10 {
            black_box(step());
        }
        let start = Instant::now();
        for _ in 0..ROUNDS / per {
            black_box(step());
        }
        self.0.push((
            name,
            start.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS),
        ));
    }
}

/// Measures sealing, hashing and tree for one event.
pub(crate) fn measure() -> anyhow::Result<Parts> {
    let folder = tempfile::tempdir()?;
    let vault = Vault::create(&folder.path().join("keys"), LogId([1; 16]))?;
    let key = vault.new_stream(StreamId([2; 16]))?;
    let plain = [0x5A; PAYLOAD_BYTES];
    let sealed = vault.seal(&key, &plain)?;
    let mut header = EventHeader::new(StreamKind::Record, key.stream(), Aead::Aes256Gcm);
    sealed.describe(&mut header);
    let encoded = header.encode();
    let hash = event_hash(&encoded);
    let mut frontier = Frontier::default();
    let group = vec![0x5A_u8; 1 << 20];
    let per_group = u32::try_from(group.len() / 544)?;

    let mut parts = Parts::default();
    parts.each("unwrap the stream's key", 1, || {
        vault.stream_key(key.stream())
    });
    parts.each("digest the event id", 1, || {
        vault.secrets().event_mac(&[3; 16])
    });
    parts.each("seal and digest 256 bytes", 1, || {
        vault.seal(&key, black_box(&plain))
    });
    parts.each("encode the header", 1, || black_box(&header).encode());
    parts.each("hash the header", 1, || event_hash(black_box(&encoded)));
    parts.each("add to the tree", 1, || {
        frontier.push_event(black_box(&hash))
    });
    parts.each("digest the event's part of a group", per_group, || {
        group_digest(black_box(&group))
    });
    Ok(parts)
}
