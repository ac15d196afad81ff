//! Third-party test vectors, read from the folder that `SOKHOE_DATA` names; skipped without it.
#![expect(
    clippy::unwrap_used,
    reason = "a test stops at data that is not as described"
)]

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sokhoe_chain::proof::{Consistency, Inclusion, verify_consistency, verify_inclusion};
use sokhoe_chain::signature;
use sokhoe_chain::tile::{Tile, tile_bytes};
use sokhoe_chain::tree::leaf_hash;
use sokhoe_chain::{Checkpoint, Frontier, NodeHash, SignedNote, VerifierKey};

#[expect(
    clippy::disallowed_methods,
    reason = "tests take the data folder from the environment"
)]
fn vectors(folder: &str) -> Option<PathBuf> {
    let Ok(data) = std::env::var("SOKHOE_DATA") else {
        eprintln!("skipped: SOKHOE_DATA is not set");
        return None;
    };
    Some(Path::new(&data).join("vectors").join(folder))
}

fn json<T: DeserializeOwned>(path: &Path) -> T {
    let text = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files
}

/// Only 32 bytes are a hash.
fn hash(text: &str) -> Option<NodeHash> {
    Some(NodeHash(STANDARD.decode(text).ok()?.try_into().ok()?))
}

fn hashes(texts: Option<&Vec<String>>) -> Option<Vec<NodeHash>> {
    texts.into_iter().flatten().map(|text| hash(text)).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InclusionVector {
    leaf_idx: u64,
    tree_size: u64,
    root: String,
    leaf_hash: String,
    proof: Option<Vec<String>>,
    want_err: bool,
}

#[test]
fn all_inclusion_vectors_give_the_expected_verdict() {
    let Some(folder) = vectors("rfc6962-merkle/testdata/inclusion") else {
        return;
    };
    let files = json_files(&folder);
    assert_eq!(files.len(), 98);
    for file in files {
        let vector: InclusionVector = json(&file);
        let verdict = || {
            let (root, leaf) = (hash(&vector.root)?, hash(&vector.leaf_hash)?);
            let proof = hashes(vector.proof.as_ref())?;
            let claim = Inclusion {
                index: vector.leaf_idx,
                size: vector.tree_size,
                leaf,
                root,
            };
            verify_inclusion(&claim, &proof).ok()
        };
        assert_eq!(verdict().is_some(), !vector.want_err, "{}", file.display());
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConsistencyVector {
    size1: u64,
    size2: u64,
    root1: String,
    root2: String,
    proof: Option<Vec<String>>,
    want_err: bool,
}

/// The vectors use short texts as roots that do not matter; they stay distinct when filled up.
fn placeholder_root(text: &str) -> Option<NodeHash> {
    let mut bytes = STANDARD.decode(text).ok()?;
    if bytes.starts_with(b"don't care") {
        bytes.resize(32, 0);
    }
    Some(NodeHash(bytes.try_into().ok()?))
}

#[test]
fn all_consistency_vectors_give_the_expected_verdict() {
    let Some(folder) = vectors("rfc6962-merkle/testdata/consistency") else {
        return;
    };
    let files = json_files(&folder);
    assert_eq!(files.len(), 98);
    for file in files {
        let vector: ConsistencyVector = json(&file);
        let verdict = || {
            let claim = Consistency {
                old_size: vector.size1,
                new_size: vector.size2,
                old_root: placeholder_root(&vector.root1)?,
                new_root: placeholder_root(&vector.root2)?,
            };
            verify_consistency(&claim, &hashes(vector.proof.as_ref())?).ok()
        };
        assert_eq!(verdict().is_some(), !vector.want_err, "{}", file.display());
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SubtreeInclusionVector {
    leaf_idx: u64,
    start: u64,
    end: u64,
    root: String,
    leaf_hash: String,
    proof: Option<Vec<String>>,
    want_err: bool,
}

/// A subtree is a tree of its own that starts where a complete one of its width could.
#[test]
fn all_subtree_inclusion_vectors_give_the_expected_verdict() {
    let Some(folder) = vectors("rfc6962-merkle/testdata/subtreeinclusion") else {
        return;
    };
    let files = json_files(&folder);
    assert_eq!(files.len(), 204);
    for file in files {
        let vector: SubtreeInclusionVector = json(&file);
        let verdict = || {
            let size = vector
                .end
                .checked_sub(vector.start)
                .filter(|size| *size > 0)?;
            let aligned = vector
                .start
                .is_multiple_of(size.checked_next_power_of_two()?);
            let claim = Inclusion {
                index: vector
                    .leaf_idx
                    .checked_sub(vector.start)
                    .filter(|_| aligned)?,
                size,
                leaf: hash(&vector.leaf_hash)?,
                root: hash(&vector.root)?,
            };
            verify_inclusion(&claim, &hashes(vector.proof.as_ref())?).ok()
        };
        assert_eq!(verdict().is_some(), !vector.want_err, "{}", file.display());
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SubtreeConsistencyVector {
    start: u64,
    end: u64,
    size: u64,
    root1: String,
    root2: String,
    proof: Option<Vec<String>>,
    want_err: bool,
}

/// Subtrees that begin at the first leaf are earlier trees. The others, and the empty one, belong to a draft whose proofs this log
/// neither makes nor verifies.
#[test]
fn subtree_consistency_vectors_of_earlier_trees_give_the_expected_verdict() {
    let Some(folder) = vectors("rfc6962-merkle/testdata/subtreeconsistency") else {
        return;
    };
    let files = json_files(&folder);
    assert_eq!(files.len(), 118);
    let mut checked = 0;
    for file in files {
        let vector: SubtreeConsistencyVector = json(&file);
        if vector.start != 0 || vector.end == 0 {
            continue;
        }
        checked += 1;
        let verdict = || {
            let claim = Consistency {
                old_size: vector.end,
                new_size: vector.size,
                old_root: placeholder_root(&vector.root1)?,
                new_root: placeholder_root(&vector.root2)?,
            };
            verify_consistency(&claim, &hashes(vector.proof.as_ref())?).ok()
        };
        assert_eq!(verdict().is_some(), !vector.want_err, "{}", file.display());
    }
    assert_eq!(checked, 91);
}

const TESSERA_KEY: &str =
    "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";

#[test]
fn tessera_log_rebuilds_to_its_tiles_and_signed_roots() {
    let Some(folder) = vectors("tessera-testlog/testdata/log") else {
        return;
    };
    let key: VerifierKey = TESSERA_KEY.parse().unwrap();
    let open = |name: &str| {
        Checkpoint::open(&std::fs::read(folder.join(name)).unwrap(), &key)
            .unwrap_or_else(|error| panic!("{name}: {error:?}"))
    };
    let bundle = std::fs::read(folder.join("tile/entries/000.p/15")).unwrap();
    let mut entries = bundle.as_slice();
    let mut frontier = Frontier::default();
    let mut leaves = Vec::new();
    for size in 0..=15_u16 {
        let checkpoint = open(&format!("checkpoint.{size}"));
        assert_eq!(checkpoint.size, u64::from(size));
        assert_eq!(checkpoint.root, frontier.root(), "root of size {size}");
        if size > 0 {
            let taken = bundle.len() - entries.len();
            let tile = Tile {
                level: 0,
                index: 0,
                width: size,
            };
            let stored = std::fs::read(folder.join(tile.path())).unwrap();
            assert_eq!(tile_bytes(&leaves), stored, "{}", tile.path());
            let stored = std::fs::read(folder.join(tile.entries_path())).unwrap();
            assert_eq!(bundle[..taken], stored, "{}", tile.entries_path());
        }
        let Some((length, rest)) = entries.split_first_chunk::<2>() else {
            continue;
        };
        let (entry, rest) = rest.split_at(u16::from_be_bytes(*length).into());
        entries = rest;
        leaves.push(leaf_hash(entry));
        frontier.push(leaf_hash(entry));
    }
    assert_eq!(leaves.len(), 15);
    assert_eq!(open("checkpoint").size, 15);
}

#[test]
fn examples_of_the_note_specifications_read_and_print_the_same() {
    let Some(folder) = vectors("c2sp-spec-examples") else {
        return;
    };
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    for name in [
        "signed-note-example.txt",
        "signed-note-quasimodo.txt",
        "tlog-checkpoint-example.txt",
        "tlog-cosignature-example.txt",
    ] {
        let note = SignedNote::parse(&read(name)).unwrap();
        assert_eq!(note.to_string().as_bytes(), read(name), "{name}");
    }
    let key = String::from_utf8(read("signed-note-example.vkey")).unwrap();
    let note = SignedNote::parse(&read("signed-note-example.txt")).unwrap();
    assert_eq!(note.verify(&key.parse().unwrap()), Ok(()));
    let note = SignedNote::parse(&read("tlog-cosignature-example.txt")).unwrap();
    assert_eq!(
        Checkpoint::parse_body(note.text()).unwrap().size,
        20_852_163
    );
    assert_eq!(note.signatures().len(), 2);
    // A request to a witness is an old size, a proof, a blank line and a checkpoint; its answer more signature lines.
    let request = String::from_utf8(read("tlog-witness-add-checkpoint-request.txt")).unwrap();
    let answer = String::from_utf8(read("tlog-witness-add-checkpoint-response.txt")).unwrap();
    let (head, checkpoint) = request.split_once("\n\n").unwrap();
    assert!(head.starts_with("old 20852014\n"));
    assert!(head.lines().skip(1).all(|line| hash(line).is_some()));
    let asked = SignedNote::parse(checkpoint.as_bytes()).unwrap();
    let body = Checkpoint::parse_body(asked.text()).unwrap();
    assert_eq!(
        (body.size, body.origin.as_str()),
        (20_852_163, "example.com/behind-the-sofa")
    );
    let signed = SignedNote::parse(format!("{checkpoint}{answer}").as_bytes()).unwrap();
    let signatures = asked.signatures().len() + answer.lines().count();
    assert_eq!(
        (signed.text(), signed.signatures().len()),
        (asked.text(), signatures)
    );
}

#[derive(Deserialize)]
struct Ed25519Vector {
    number: u32,
    key: String,
    sig: String,
    msg: String,
    flags: Option<Vec<String>>,
}

#[test]
fn all_ed25519_edge_cases_follow_the_strict_rule() {
    let Some(folder) = vectors("cctv-ed25519") else {
        return;
    };
    let cases: Vec<Ed25519Vector> = json(&folder.join("ed25519vectors.json"));
    assert_eq!(cases.len(), 914);
    let refused = [
        "low_order_A",
        "low_order_R",
        "non_canonical_A",
        "non_canonical_R",
        "low_order_residue",
    ];
    for case in cases {
        let flags = case.flags.unwrap_or_default();
        let expected = !flags.iter().any(|flag| refused.contains(&flag.as_str()));
        let key: [u8; 32] = hex::decode(&case.key).unwrap().try_into().unwrap();
        let sig: [u8; 64] = hex::decode(&case.sig).unwrap().try_into().unwrap();
        let verdict = signature::verify(&key, case.msg.as_bytes(), &sig);
        assert_eq!(verdict.is_ok(), expected, "case {}: {flags:?}", case.number);
    }
}

#[derive(Deserialize)]
struct Blake3Vectors {
    key: String,
    context_string: String,
    cases: Vec<Blake3Case>,
}

#[derive(Deserialize)]
struct Blake3Case {
    input_len: usize,
    hash: String,
    keyed_hash: String,
    derive_key: String,
}

#[test]
fn blake3_gives_the_official_digests() {
    let Some(folder) = vectors("blake3") else {
        return;
    };
    let vectors: Blake3Vectors = json(&folder.join("test_vectors/test_vectors.json"));
    let key: [u8; 32] = vectors.key.as_bytes().try_into().unwrap();
    assert_eq!(vectors.cases.len(), 35);
    for case in vectors.cases {
        let input: Vec<u8> = (0..=250_u8).cycle().take(case.input_len).collect();
        let first = |hex_text: &str| hex_text[..64].to_owned();
        assert_eq!(
            sokhoe_chain::payload_digest(&input).to_string(),
            first(&case.hash)
        );
        assert_eq!(
            blake3::keyed_hash(&key, &input).to_string(),
            first(&case.keyed_hash)
        );
        let derived = blake3::derive_key(&vectors.context_string, &input);
        assert_eq!(hex::encode(derived), first(&case.derive_key));
    }
}
