//! Checks a bundle from the signature down: checkpoint, places in the tree, chains, heads, payloads, seals.

use sokhoe_chain::proof::{Inclusion, verify_inclusion};
use sokhoe_chain::tree::event_leaf;
use sokhoe_chain::{
    Aead, Checkpoint, EVENT_HEADER_BYTES, EventHash, EventHeader, HeadProof, HeadsCommitment,
    KeeperBody, LogId, NodeHash, SignedNote, StreamHead, StreamKind, VerifierKey, event_hash,
    payload_digest,
};
use sokhoe_storage::keeper_stream;
use sokhoe_vault::{EventSecret, open_with_secret};

use super::hex::Hex;
use super::{Bundle, BundledChain, BundledEvent};

/// What a bundle shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The checkpoint that everything leads to.
    pub checkpoint: Checkpoint,
    /// Whether the given key signed it; false where none was given.
    pub signed: bool,
    /// Whole chains, complete as of `as_of`.
    pub chains: u64,
    /// The position up to which the chains are complete; `None` where there are only single events.
    pub as_of: Option<u64>,
    /// Events whose place, links and payload are right.
    pub events: u64,
    /// Of these, payloads that the keys in the bundle opened.
    pub opened: u64,
}

/// The first thing that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct Flaw {
    /// Where it stands: `checkpoint`, `commitment`, `chain 1, event 3`.
    pub place: String,
    /// The position that is claimed there, if any.
    pub position: Option<u64>,
    /// What is wrong.
    pub what: String,
}

/// An event whose place in the signed tree and payload are right.
struct Placed {
    header: EventHeader,
    hash: EventHash,
    position: u64,
    opened: bool,
}

/// What all parts are checked against.
struct Against {
    log_id: LogId,
    checkpoint: Checkpoint,
}

fn flaw(place: &str, what: impl Into<String>) -> Flaw {
    Flaw {
        place: place.to_owned(),
        position: None,
        what: what.into(),
    }
}

/// Checks everything in a bundle, with the key that its checkpoint must be signed by, where one is given.
///
/// # Errors
/// The first thing that does not hold.
pub fn check(bundle: &Bundle, key: Option<&VerifierKey>) -> Result<Checked, Flaw> {
    let checkpoint = open_checkpoint(&bundle.checkpoint, key)?;
    let log_id = bundle.log_id.array::<16>();
    let log_id = log_id.ok_or_else(|| flaw("log_id", "it has not 16 bytes"))?;
    let against = Against {
        log_id: LogId(log_id),
        checkpoint,
    };
    let commitment = bundle.commitment.as_ref();
    let commitment = commitment
        .map(|event| against.commitment(event))
        .transpose()?;
    let (mut events, mut opened) = (0, 0);
    let mut count = |placed: &Placed| {
        events += 1;
        opened += u64::from(placed.opened);
    };
    for (index, chain) in bundle.chains.iter().enumerate() {
        let place = format!("chain {}", index + 1);
        let (as_of, heads) =
            commitment.ok_or_else(|| flaw(&place, "no commitment shows that it is complete"))?;
        against.chain(&place, chain, as_of, &heads, &mut count)?;
    }
    for (index, event) in bundle.events.iter().enumerate() {
        count(&against.event(&format!("event {}", index + 1), event)?);
    }
    if bundle.chains.is_empty() && bundle.events.is_empty() {
        return Err(flaw("bundle", "it shows no event"));
    }
    Ok(Checked {
        checkpoint: against.checkpoint,
        signed: key.is_some(),
        chains: u64::try_from(bundle.chains.len()).unwrap_or(u64::MAX),
        as_of: commitment.map(|(as_of, _)| as_of),
        events,
        opened,
    })
}

fn open_checkpoint(note: &str, key: Option<&VerifierKey>) -> Result<Checkpoint, Flaw> {
    let wrong = |error: &dyn std::fmt::Display| flaw("checkpoint", error.to_string());
    if let Some(key) = key {
        return Checkpoint::open(note.as_bytes(), key).map_err(|error| wrong(&error));
    }
    let note = SignedNote::parse(note.as_bytes()).map_err(|error| wrong(&error))?;
    Checkpoint::parse_body(note.text()).map_err(|error| wrong(&error))
}

fn hashes(place: &str, proof: &[Hex]) -> Result<Vec<NodeHash>, Flaw> {
    let hash = |hex: &Hex| hex.array().map(NodeHash);
    let hashes: Option<Vec<NodeHash>> = proof.iter().map(hash).collect();
    hashes.ok_or_else(|| flaw(place, "a hash of a proof has not 32 bytes"))
}

impl Against {
    /// Checks an event by itself: header, place in the tree, payload, seal.
    fn event(&self, place: &str, event: &BundledEvent) -> Result<Placed, Flaw> {
        let wrong = |what: String| Flaw {
            place: place.to_owned(),
            position: Some(event.position),
            what,
        };
        let header_bytes = event.header.array::<EVENT_HEADER_BYTES>();
        let header_bytes =
            header_bytes.ok_or_else(|| wrong("its header has not 192 bytes".into()))?;
        let hash = event_hash(&header_bytes);
        let claim = Inclusion {
            index: event
                .position
                .checked_sub(1)
                .ok_or_else(|| wrong("positions begin at 1".into()))?,
            size: self.checkpoint.size,
            leaf: event_leaf(&hash),
            root: self.checkpoint.root,
        };
        let proof = hashes(place, &event.inclusion)?;
        verify_inclusion(&claim, &proof)
            .map_err(|error| wrong(format!("it is not in the signed tree: {error}")))?;
        let header =
            EventHeader::decode(&header_bytes).map_err(|error| wrong(error.to_string()))?;
        let stated = u64::from(header.payload_bytes) + u64::from(header.attachment_bytes);
        let payload = &event.payload.0;
        if u64::try_from(payload.len()).ok() != Some(stated) {
            return Err(wrong(
                "its payload has another length than its header says".into(),
            ));
        }
        let sealed = usize::try_from(header.payload_bytes)
            .ok()
            .and_then(|bytes| payload.get(..bytes))
            .unwrap_or_default();
        if payload_digest(sealed) != header.payload_digest {
            return Err(wrong(
                "its payload is not the one that its hash covers".into(),
            ));
        }
        if let Some(secret) = &event.secret {
            let secret = secret.array().map(EventSecret::from_bytes);
            let secret = secret.ok_or_else(|| wrong("its key has not 32 bytes".into()))?;
            open_with_secret(&secret, self.log_id, &header, sealed)
                .map_err(|error| wrong(error.to_string()))?;
        }
        Ok(Placed {
            header,
            hash,
            position: event.position,
            opened: event.secret.is_some(),
        })
    }

    /// Checks the commitment to all heads; returns up to which position it speaks, and of what.
    fn commitment(&self, event: &BundledEvent) -> Result<(u64, HeadsCommitment), Flaw> {
        const PLACE: &str = "commitment";
        let placed = self.event(PLACE, event)?;
        let of_keeper = placed.header.stream_kind == StreamKind::Keeper
            && placed.header.aead == Aead::Clear
            && placed.header.stream == keeper_stream(self.log_id);
        if !of_keeper {
            return Err(flaw(PLACE, "it is no event of the log's own stream"));
        }
        match KeeperBody::decode(&event.payload.0) {
            Ok(KeeperBody::HeadsCommitted { position, heads }) if position < placed.position => {
                Ok((position, heads))
            }
            Ok(_) => Err(flaw(PLACE, "it commits to no heads before it")),
            Err(error) => Err(flaw(PLACE, error.to_string())),
        }
    }

    /// Checks that a chain is whole: from its first event, link by link, to the one that the commitment says is the last.
    fn chain(
        &self,
        place: &str,
        chain: &BundledChain,
        as_of: u64,
        heads: &HeadsCommitment,
        count: &mut impl FnMut(&Placed),
    ) -> Result<(), Flaw> {
        let mut last: Option<Placed> = None;
        for (index, event) in chain.events.iter().enumerate() {
            let place = format!("{place}, event {}", index + 1);
            let placed = self.event(&place, event)?;
            let wrong = |what: &str| Flaw {
                place: place.clone(),
                position: Some(placed.position),
                what: what.to_owned(),
            };
            let (version, previous) = last.as_ref().map_or((1, EventHash::ZERO), |last| {
                (last.header.version.saturating_add(1), last.hash)
            });
            let header = &placed.header;
            if last
                .as_ref()
                .is_some_and(|last| last.header.stream != header.stream)
            {
                return Err(wrong("it is of another stream"));
            }
            if header.version != version || header.previous != previous {
                return Err(wrong("it does not follow the event before it"));
            }
            if placed.position > as_of {
                return Err(wrong("it came after the commitment"));
            }
            count(&placed);
            last = Some(placed);
        }
        let last = last.ok_or_else(|| flaw(place, "it has no event"))?;
        let head = HeadProof {
            head: StreamHead {
                stream: last.header.stream,
                version: last.header.version,
                hash: last.hash,
            },
            index: chain.head.index,
            hashes: hashes(place, &chain.head.proof)?,
        };
        head.verify(heads).map_err(|error| {
            let what =
                format!("its last event is not the stream's last as of the commitment: {error}");
            flaw(place, what)
        })
    }
}
