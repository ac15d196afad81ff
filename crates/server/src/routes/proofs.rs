//! Tiles of the tree for everybody, and proofs of one event for whoever may know of it.
//!
//! Tiles and bundles are those of C2SP tlog-tiles; they hold hashes and nothing else, and never change once they are there.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Response};
use serde_json::{Value, json};
use sokhoe_access::{Purpose, ReadDecision, may_prove};
use sokhoe_chain::tile::{TILE_HEIGHT, TILE_WIDTH, Tile, entry_bundle, tile_bytes};
use sokhoe_chain::{NodeHash, StreamKind};
use sokhoe_commands::{EventProof, ProveError, StreamProof};
use sokhoe_projections::Extent;
use sokhoe_record::{EventId, Interface, PersonId};
use sokhoe_storage::{Frame, ReadError, TreeStore};

use crate::disclosure::Allowed;
use crate::error::{Kind, Problem, status};
use crate::guard::{Answer, Visit};
use crate::query::Query;
use crate::routes::events::json;

/// How long a tile that the log could already fill is waited for.
const TILE_TIMEOUT: Duration = Duration::from_secs(2);

/// Which file of the tree is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Tile(Tile),
    Entries(Tile),
}

/// Shows a tile or an entry bundle.
pub(super) async fn tile(visit: Visit, request: Request) -> Answer {
    Query::parse(request.uri().query(), &[])?;
    let asked = read_path(visit.part("path")?).ok_or_else(Problem::not_found)?;
    let place = visit.shared.prove()?;
    let found = visit.shared.app.with_tree(move |app, tree| {
        let _place = place;
        let durable = app.commands().opener().reader().position().get();
        look_up(tree, asked, durable).map_err(|error| unproved(error.into()))
    });
    let bytes = found.await?.ok_or_else(Problem::not_found)?;
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    let media_type = HeaderValue::from_static("application/octet-stream");
    headers.insert(CONTENT_TYPE, media_type);
    let for_ever = HeaderValue::from_static("public, max-age=31536000, immutable");
    headers.insert(CACHE_CONTROL, for_ever);
    Ok(response)
}

fn look_up(tree: &TreeStore, asked: Asked, durable: u64) -> Result<Option<Vec<u8>>, ReadError> {
    let (Asked::Tile(tile) | Asked::Entries(tile)) = asked;
    let last_node = tile.index * TILE_WIDTH + u64::from(tile.width);
    let shift = u32::from(tile.level) * TILE_HEIGHT;
    let leaves = u128::from(last_node) << shift;
    if leaves > u128::from(durable) {
        return Ok(None);
    }
    // The tree follows the log within a moment, but not at once.
    if !tree.wait_for(u64::try_from(leaves).unwrap_or(u64::MAX), TILE_TIMEOUT) {
        return Err(ReadError::NotThere {
            what: "the tree's nodes".to_owned(),
            durable: sokhoe_storage::Position::new(durable),
        });
    }
    match asked {
        Asked::Tile(tile) => Ok(tree.tile(&tile)?.map(|hashes| tile_bytes(&hashes))),
        Asked::Entries(tile) => {
            let entries = tree.entries(tile.index, tile.width)?;
            Ok(entries.map(|events| entry_bundle(&events)))
        }
    }
}

/// Reads what follows `/tile/`: a level or `entries`, an index in groups of three digits, perhaps a width.
fn read_path(path: &str) -> Option<Asked> {
    let (kind, rest) = path.split_once('/')?;
    let (index, width) = match rest.split_once(".p/") {
        Some((index, width)) => {
            let width = plain_number(width).filter(|width| (1..TILE_WIDTH).contains(width))?;
            (index, u16::try_from(width).ok()?)
        }
        None => (rest, 256),
    };
    let mut value = 0_u64;
    let mut parts = index.split('/').peekable();
    while let Some(part) = parts.next() {
        let digits = match parts.peek() {
            Some(_) => part.strip_prefix('x')?,
            None => part,
        };
        if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        value = value.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    // No tree that fits a u64 has a tile past this one.
    let index = Some(value).filter(|index| *index < u64::MAX / TILE_WIDTH)?;
    let of_level = |level| Tile {
        level,
        index,
        width,
    };
    let asked = match kind {
        "entries" => Asked::Entries(of_level(0)),
        level => {
            let level = plain_number(level).filter(|level| *level <= 7)?;
            Asked::Tile(of_level(u8::try_from(level).ok()?))
        }
    };
    let (Asked::Tile(tile) | Asked::Entries(tile)) = asked;
    let written = match asked {
        Asked::Tile(_) => tile.path(),
        Asked::Entries(_) => tile.entries_path(),
    };
    // One tile has one name.
    (written.strip_prefix("tile/") == Some(path)).then_some(asked)
}

fn plain_number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// Proves an event: its place in the signed tree, its stream's head, and that the tree only grew.
pub(super) async fn event(visit: Visit, request: Request) -> Answer {
    let purpose = visit.purpose(request.headers())?;
    let query = Query::parse(request.uri().query(), &["from"])?;
    let from = query.number("from")?;
    let id = EventId::parse(visit.part("event_id")?).map_err(|_| Problem::not_found())?;
    let app = &visit.shared.app;
    let Some(frame) = app.stored(id).await? else {
        return Err(visit.absent(purpose, Interface::Proof).await);
    };
    let allowed = may_have(&visit, request.headers(), purpose, id, &frame).await?;
    let place = visit.shared.prove()?;
    let proof = app.with_tree(move |app, tree| {
        let _place = place;
        let proved = app.commands().prove(tree, frame, from);
        proved.map_err(unproved)
    });
    let proof = proof.await?;
    if let Some(allowed) = allowed {
        let extent = Extent {
            entries: 1,
            ..Extent::default()
        };
        let position = proof.frame.position.get();
        visit.disclose(&allowed, &extent, position, false).await?;
    }
    json(status::OK, &shown(id, &proof))
}

/// Decides whether the caller may have the proof of an event; `None` for events that are nobody's.
async fn may_have(
    visit: &Visit,
    headers: &HeaderMap,
    purpose: Purpose,
    id: EventId,
    frame: &Frame,
) -> Result<Option<Allowed>, Problem> {
    let (caller, through) = (visit.caller()?, Interface::Proof);
    let Some(person) = person_of(frame) else {
        return match may_prove(caller, false) {
            Some(ReadDecision::Permit { .. }) => Ok(None),
            _ => Err(visit.absent(purpose, through).await),
        };
    };
    let own = visit.own(visit.shared.app.survivor(person));
    if let Some(decision) = may_prove(caller, own) {
        let allowed = visit.allow_by(decision, purpose, person, through);
        return allowed.await.map(Some);
    }
    let allowed = visit.allow(headers, purpose, person, through).await?;
    // What an event says decides whether its reader sees it.
    let seen = visit.shared.app.shown(allowed.filter.clone(), person);
    let seen = seen.await?;
    let visible = seen.is_some_and(|seen| {
        let mut events = seen.events.iter();
        events.any(|event| event.event.event_id == id)
    });
    if visible {
        Ok(Some(allowed))
    } else {
        Err(visit.nothing(allowed).await)
    }
}

/// Whose record the event's stream is.
fn person_of(frame: &Frame) -> Option<PersonId> {
    let of_record = frame.header.stream_kind == StreamKind::Record;
    of_record.then(|| PersonId::from_bytes(frame.header.stream.0))
}

pub(super) fn unproved(error: ProveError) -> Problem {
    match error {
        ProveError::NotYet => Problem::not_reached("the signed tree is not there yet; ask again"),
        ProveError::FromTooLarge { size } => {
            let detail = format!("from is larger than the checkpoint, which is of size {size}");
            Problem::new(Kind::BadRequest, detail)
        }
        error => Problem::internal(&error),
    }
}

fn texts(hashes: &[NodeHash]) -> Vec<String> {
    hashes.iter().map(ToString::to_string).collect()
}

fn shown(id: EventId, proof: &EventProof) -> Value {
    let frame = &proof.frame;
    let consistency = proof.consistency.as_ref().map(|proved| {
        json!({"from": proved.from, "root": proved.root.to_string(), "hashes": texts(&proved.hashes)})
    });
    json!({
        "event_id": id,
        "position": frame.position.get(),
        "hash": frame.hash().to_string(),
        "header": hex::encode(frame.header_bytes),
        "checkpoint": proof.note,
        "size": proof.checkpoint.size,
        "inclusion": {"index": frame.position.get() - 1, "hashes": texts(&proof.inclusion)},
        "consistency": consistency,
        "head": proof.head.as_ref().map(shown_head),
    })
}

fn shown_head(head: &StreamProof) -> Value {
    let event = &head.commitment.event;
    let position = event.frame.position.get();
    json!({
        "stream": head.proof.head.stream.to_string(),
        "version": head.proof.head.version,
        "hash": head.proof.head.hash.to_string(),
        "as_of": event.as_of.get(),
        "streams": event.heads.streams,
        "root": event.heads.root.to_string(),
        "index": head.proof.index,
        "hashes": texts(&head.proof.hashes),
        "commitment": {
            "position": position,
            "header": hex::encode(event.frame.header_bytes),
            "body": hex::encode(&event.frame.payload),
            "inclusion": {"index": position - 1, "hashes": texts(&head.inclusion)},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_has_one_name() {
        let tile = |level, index, width| Tile {
            level,
            index,
            width,
        };
        let tiles = [
            tile(0, 0, 256),
            tile(3, 999, 1),
            tile(0, 1_234_067, 8),
            tile(7, 1_000, 255),
        ];
        for tile in tiles {
            let read = |path: String| read_path(path.strip_prefix("tile/").unwrap());
            assert_eq!(read(tile.path()), Some(Asked::Tile(tile)));
            let bundle = Tile { level: 0, ..tile };
            assert_eq!(read(bundle.entries_path()), Some(Asked::Entries(bundle)));
        }
        let others = [
            "",
            "0",
            "0/",
            "0/0",
            "0/0000",
            "8/000",
            "00/000",
            "+1/000",
            "0/000.p/0",
            "0/000.p/256",
            "0/000.p/01",
            "0/000.p/",
            "0/x000/001",
            "0/001/001",
            "0/x001/x001",
            "0/-01",
            "entries/00",
            "0/x999/x999/x999/x999/x999/x999/999",
            "data/000",
            "0/000/",
            "0/000.p/1/2",
            "0//000",
        ];
        for path in others {
            assert_eq!(read_path(path), None, "{path}");
        }
    }
}
