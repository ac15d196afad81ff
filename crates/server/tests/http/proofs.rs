//! Proofs over HTTP: what a reader who trusts nothing but the key can check, and who may ask.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};
use signed_note::{Note, StandardVerifier, VerifierList};
use sokhoe_access::{Claims, Role};
use sokhoe_chain::heads::HeadProof;
use sokhoe_chain::tree::event_leaf;
use sokhoe_chain::{
    EventHash, EventHeader, EventHeaderBytes, KeeperBody, NodeHash, StreamHead, StreamId,
    event_hash, payload_digest,
};
use tlog_tiles::{Hash, Tile, TileHashReader, TileReader};

use crate::house::{House, bearer_of, claims};
use crate::peer::{Answer, send};
use crate::sent::{append, event_id, identified, pressure, registration};

/// A reader of somebody else's making, on a connection of its own each time.
fn fetch(addr: SocketAddr, path: &str) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(addr).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: sokhoe\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|at| at == b"\r\n\r\n").unwrap() + 4;
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_ascii_lowercase(), answer[end..].to_vec())
}

struct OverHttp(SocketAddr);

impl TileReader for OverHttp {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = tiles.iter().map(|tile| {
            // Its paths say the height, which C2SP tlog-tiles leaves out.
            let path = tile.path().replacen("tile/8/", "/tile/", 1);
            let (status, head, body) = fetch(self.0, &path);
            assert_eq!(status, 200, "{path}");
            assert!(head.contains("cache-control: public, max-age=31536000, immutable"));
            assert!(head.contains("content-type: application/octet-stream"));
            body
        });
        Ok(read.collect())
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

/// Opens the checkpoint as anybody would who has the key from elsewhere.
fn checkpoint(addr: SocketAddr, vkey: &str) -> tlog_tiles::Checkpoint {
    let (status, head, body) = fetch(addr, "/checkpoint");
    assert_eq!(status, 200);
    assert!(head.contains("cache-control: no-cache"));
    open_note(&body, vkey)
}

fn open_note(note: &[u8], vkey: &str) -> tlog_tiles::Checkpoint {
    let note = Note::from_bytes(note).unwrap();
    let key = StandardVerifier::new(vkey).unwrap();
    let (verified, _) = note
        .verify(&VerifierList::new(vec![Box::new(key)]))
        .unwrap();
    assert_eq!(verified.len(), 1);
    tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap()
}

fn covering(addr: SocketAddr, vkey: &str, size: u64) -> tlog_tiles::Checkpoint {
    for _ in 0..400 {
        let found = checkpoint(addr, vkey);
        if found.size() >= size {
            return found;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("no checkpoint of size {size}");
}

fn read_as_a_stranger(addr: SocketAddr, vkey: &str, receipts: &[(u64, EventHash)]) {
    let now = covering(addr, vkey, 600);
    let (size, root) = (now.size(), *now.hash());
    let tiles = OverHttp(addr);
    let reader = TileHashReader::new(size, root, &tiles);
    for (position, hash) in receipts.iter().step_by(37) {
        let index = position - 1;
        let leaf = tlog_tiles::record_hash(&hash.0);
        let proof = tlog_tiles::prove_record(size, index, &reader).unwrap();
        tlog_tiles::check_record(&proof, size, root, index, leaf).unwrap();
    }
    for old in [1, 2, 255, 256, 257, 512, 599, size] {
        let proof = tlog_tiles::prove_tree(size, old, &reader).unwrap();
        let old_root = tlog_tiles::tree_hash(old, &reader).unwrap();
        tlog_tiles::check_tree(&proof, size, root, old, old_root).unwrap();
    }
    for (path, first, count) in [("000", 0, 256), ("001", 256, 256), ("002.p/88", 512, 88)] {
        let (status, _, body) = fetch(addr, &format!("/tile/entries/{path}"));
        assert_eq!((status, body.len()), (200, count * 34), "{path}");
        for (entry, (_, hash)) in body.chunks(34).zip(&receipts[first..]) {
            assert_eq!(
                (&entry[..2], &entry[2..]),
                ([0, 32].as_slice(), hash.0.as_slice())
            );
        }
    }
    for path in [
        "0/003",
        "0/002.p/255",
        "9/000",
        "x",
        "0/0",
        "entries/009",
        "0/000.p/256",
    ] {
        assert_eq!(fetch(addr, &format!("/tile/{path}")).0, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_made_of_public_crates_accepts_the_log_over_http() {
    let house = House::open().await;
    let mut receipts = Vec::new();
    for number in 0..600 {
        let receipt = append(&house, &registration(number)).await.json();
        let position = receipt["position"].as_u64().unwrap();
        receipts.push((position, EventHash(hash_of(&receipt["hash"]))));
    }
    let (addr, vkey) = (house.addr, house.commands.verifier().to_string());
    let read = move || read_as_a_stranger(addr, &vkey, &receipts);
    tokio::task::spawn_blocking(read).await.unwrap();
}

fn bytes_of(text: &Value) -> Vec<u8> {
    // Streams are written as ids of people are.
    let digits = text.as_str().unwrap().replace('-', "");
    let nibble = |digit: u8| char::from(digit).to_digit(16).unwrap();
    let bytes = digits
        .as_bytes()
        .chunks(2)
        .map(|two| nibble(two[0]) * 16 + nibble(two[1]));
    bytes.map(|byte| u8::try_from(byte).unwrap()).collect()
}

fn hash_of(text: &Value) -> [u8; 32] {
    bytes_of(text).try_into().unwrap()
}

fn hashes_of(list: &Value) -> Vec<Hash> {
    let list = list.as_array().unwrap();
    list.iter().map(|hash| Hash(hash_of(hash))).collect()
}

fn header_of(text: &Value) -> (EventHeader, EventHash) {
    let bytes: EventHeaderBytes = bytes_of(text).try_into().unwrap();
    (EventHeader::decode(&bytes).unwrap(), event_hash(&bytes))
}

/// Checks an inclusion proof of an answer with the public crate.
fn check_inclusion(proof: &Value, at: &tlog_tiles::Checkpoint, hash: EventHash) {
    let index = proof["index"].as_u64().unwrap();
    let leaf = Hash(event_leaf(&hash).0);
    let hashes = hashes_of(&proof["hashes"]);
    tlog_tiles::check_record(&hashes, at.size(), *at.hash(), index, leaf).unwrap();
}

/// Checks everything that an answer claims, with nothing but the key; returns the head's version, if there is one.
fn check(answer: &Value, vkey: &str) -> Option<u64> {
    let at = open_note(answer["checkpoint"].as_str().unwrap().as_bytes(), vkey);
    let (header, hash) = header_of(&answer["header"]);
    assert_eq!(answer["hash"], json!(hash.to_string()));
    check_inclusion(&answer["inclusion"], &at, hash);
    if let Some(proof) = answer["consistency"]
        .as_object()
        .filter(|proof| proof["from"] != 0)
    {
        let (from, root) = (
            proof["from"].as_u64().unwrap(),
            Hash(hash_of(&proof["root"])),
        );
        let hashes = hashes_of(&proof["hashes"]);
        tlog_tiles::check_tree(&hashes, at.size(), *at.hash(), from, root).unwrap();
    }
    let head = answer["head"].as_object()?;
    let commitment = &head["commitment"];
    let (keeper, keeper_hash) = header_of(&commitment["header"]);
    check_inclusion(&commitment["inclusion"], &at, keeper_hash);
    let body = bytes_of(&commitment["body"]);
    assert_eq!(payload_digest(&body), keeper.payload_digest);
    let KeeperBody::HeadsCommitted { position, heads } = KeeperBody::decode(&body).unwrap() else {
        panic!("another keeper event");
    };
    assert_eq!(head["as_of"], json!(position));
    let version = head["version"].as_u64().unwrap();
    let proof = HeadProof {
        head: StreamHead {
            stream: StreamId(bytes_of(&head["stream"]).try_into().unwrap()),
            version,
            hash: EventHash(hash_of(&head["hash"])),
        },
        index: head["index"].as_u64().unwrap(),
        hashes: hashes_of(&head["hashes"])
            .iter()
            .map(|hash| NodeHash(hash.0))
            .collect(),
    };
    proof.verify(&heads).unwrap();
    assert_eq!(proof.head.stream, header.stream);
    Some(version)
}

async fn prove(house: &House, token: &str, number: u32, query: &str) -> Answer {
    let headers = [("authorization", token), ("sokhoe-purpose", "TREAT")];
    let path = format!("GET /v1/proofs/{}{query}", event_id(number));
    send(house.addr, &path, &headers, "").await
}

async fn commit_heads(house: &House) {
    let token = house.bearer(Role::Admin);
    let headers = [("authorization", token.as_str())];
    let answer = send(house.addr, "POST /v1/admin/heads", &headers, "").await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_holds_without_the_server_and_shows_where_the_stream_ended() {
    let house = House::open().await;
    let vkey = house.commands.verifier().to_string();
    let auditor = house.bearer(Role::Auditor);
    append(&house, &registration(1)).await;
    append(&house, &pressure(2, 1)).await;
    let early = prove(&house, &auditor, 1, "").await;
    assert_eq!(early.header("cache-control"), Some("no-store"));
    let early = early.json();
    assert_eq!(check(&early, &vkey), None, "no commitment yet");
    assert_eq!(early["consistency"], Value::Null);
    commit_heads(&house).await;
    append(&house, &pressure(3, 1)).await;
    append(&house, &registration(4)).await;
    let size = early["size"].as_u64().unwrap();
    let later = prove(&house, &auditor, 1, &format!("?from={size}"))
        .await
        .json();
    assert_eq!(
        check(&later, &vkey),
        Some(2),
        "the stream had two events then"
    );
    assert_eq!(later["consistency"]["from"], json!(size));
    let new = prove(&house, &auditor, 4, "?from=0").await.json();
    assert_eq!(
        check(&new, &vkey),
        None,
        "the stream began after the commitment"
    );
    assert_eq!(new["consistency"]["hashes"], json!([]));
    commit_heads(&house).await;
    let last = prove(&house, &auditor, 3, "").await.json();
    assert_eq!(check(&last, &vkey), Some(3));
    assert_eq!(
        last["head"]["hash"], last["hash"],
        "nothing hides behind it"
    );
    for wrong in ["?from=999999", "?from=x", "?to=1"] {
        assert_eq!(
            prove(&house, &auditor, 1, wrong).await.status,
            400,
            "{wrong}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn proofs_of_merged_people_are_of_the_streams_their_events_stand_in() {
    let house = House::open().await;
    let vkey = house.commands.verifier().to_string();
    let first = append(&house, &registration(1)).await.json();
    let second = append(&house, &registration(2)).await.json();
    append(&house, &pressure(3, 2)).await;
    let merge = json!({
        "event_id": event_id(4), "person": identified(1), "kind": "people_merged",
        "occurred_at": "2026-11-01T09:00:00+07:00",
        "data": {"retired": identified(2), "grounds": "the same card"},
    });
    let merged = append(&house, &merge).await;
    assert_eq!(merged.status, 201, "{merged:?}");
    append(&house, &pressure(5, 2)).await;
    commit_heads(&house).await;
    let stream_of = |receipt: &Value| receipt["person_id"].as_str().unwrap().to_owned();
    let (survivor, retired) = (stream_of(&first), stream_of(&second));
    // The survivor, who is both now, may have proofs of all.
    let own = Claims {
        person: first["person_id"].as_str().unwrap().parse().ok(),
        ..claims(Role::Citizen)
    };
    let own = bearer_of(house.issuer(), own);
    let mut streams = Vec::new();
    for number in 1..=5 {
        let answer = prove(&house, &own, number, "").await;
        assert_eq!(answer.status, 200, "{number}: {answer:?}");
        let answer = answer.json();
        assert!(check(&answer, &vkey).is_some());
        streams.push(answer["head"]["stream"].as_str().unwrap().to_owned());
    }
    assert_eq!(
        streams[..4],
        [&survivor, &retired, &retired, &survivor].map(String::clone)
    );
    assert!([&survivor, &retired].contains(&&streams[4]));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_know_of_an_event_gets_the_answer_of_an_unknown_one() {
    let house = House::open().await;
    let receipt = append(&house, &registration(1)).await.json();
    let person = receipt["person_id"].as_str().unwrap();
    let of = |role: Role, person: Option<&str>| {
        let person = person.map_or(claims(role).person, |id| id.parse().ok());
        bearer_of(
            house.issuer(),
            Claims {
                person,
                ..claims(role)
            },
        )
    };
    let elsewhere = Claims {
        facility: Some("99002".to_owned()),
        ..claims(Role::Hospital)
    };
    let masked = |answer: Answer| {
        let mut body = answer.json();
        body["instance"] = Value::Null;
        (answer.status, body)
    };
    let hidden = [
        of(Role::Guardian, None),
        of(Role::Citizen, None),
        bearer_of(house.issuer(), elsewhere),
    ];
    for token in hidden {
        let absent = masked(prove(&house, &token, 77, "").await);
        assert_eq!(absent.0, 404);
        assert_eq!(masked(prove(&house, &token, 1, "").await), absent);
    }
    let seeing = [
        of(Role::Guardian, Some(person)),
        of(Role::Citizen, Some(person)),
        of(Role::Auditor, None),
        house.bearer(Role::Hospital),
    ];
    for token in seeing {
        assert_eq!(prove(&house, &token, 1, "").await.status, 200);
        assert_eq!(prove(&house, &token, 77, "").await.status, 404);
    }
    for role in [Role::Operator, Role::Admin, Role::Researcher] {
        assert_eq!(
            prove(&house, &house.bearer(role), 1, "").await.status,
            403,
            "{role}"
        );
    }
}
