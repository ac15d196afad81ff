//! Reads frozen files with nothing but the offsets in FORMAT.md, none of this crate's code.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    missing_docs
)]

use std::collections::HashMap;

const FORMAT: &str = include_str!("../FORMAT.md");
const META: &[u8] = include_bytes!("data/log-v1/meta");
const FIRST: &[u8] = include_bytes!("data/log-v1/0000000000000001.seg");
const SECOND: &[u8] = include_bytes!("data/log-v1/0000000000000002.seg");
const HEADS: &[u8] = include_bytes!("data/log-v1/heads");

/// Field name to offset and length, as a table states them; a length of "–" is 0.
struct Layout(HashMap<String, (usize, usize)>);

impl Layout {
    /// Reads the first offset table below a heading.
    fn of(heading: &str) -> Self {
        let section = FORMAT.split_once(&format!("# {heading}\n")).unwrap().1;
        let rows = section
            .lines()
            .skip_while(|line| !line.starts_with("| offset"));
        let fields = rows
            .skip(2)
            .take_while(|line| line.starts_with('|'))
            .map(|row| {
                let cells: Vec<&str> = row.split('|').map(str::trim).collect();
                let offset = cells[1].parse().unwrap();
                (cells[3].to_owned(), (offset, cells[2].parse().unwrap_or(0)))
            });
        Self(fields.collect())
    }

    fn at(&self, name: &str) -> (usize, usize) {
        self.0[name]
    }

    /// Returns where the structure's fixed part ends.
    fn end(&self) -> usize {
        self.0
            .values()
            .map(|(offset, bytes)| offset + bytes)
            .max()
            .unwrap()
    }

    fn bytes<'a>(&self, structure: &'a [u8], name: &str) -> &'a [u8] {
        let (offset, bytes) = self.at(name);
        &structure[offset..offset + bytes]
    }

    fn number(&self, structure: &[u8], name: &str) -> u64 {
        let mut word = [0; 8];
        let bytes = self.bytes(structure, name);
        word[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(word)
    }

    fn check_crc(&self, structure: &[u8]) {
        let (at, _) = self.at("crc");
        let crc = crc32c::crc32c_append(crc32c::crc32c(&structure[..at]), &structure[at + 4..]);
        assert_eq!(self.number(structure, "crc"), u64::from(crc));
    }
}

/// What one segment adds to the chain of groups.
#[derive(Default)]
struct Chain {
    group: [u8; 32],
    group_end: u64,
    position: u64,
    segment: [u8; 32],
    heads: HashMap<Vec<u8>, ([u8; 32], u64)>,
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    *blake3::hash(bytes).as_bytes()
}

/// Reads groups to where they end and returns that offset.
fn read_groups(file: &[u8], number: u64, chain: &mut Chain) -> (usize, u64, u64) {
    let (header, trailer) = (Layout::of("Group header"), Layout::of("Group trailer"));
    let mut at = Layout::of("Segment header").end();
    let (mut groups, mut events) = (0, 0);
    while file[at..].starts_with(b"SKHGROUP") {
        let bytes = header.number(&file[at..], "group bytes") as usize;
        let group = &file[at..at + bytes];
        let frames_end = bytes - trailer.end();
        header.check_crc(&group[..header.end()]);
        trailer.check_crc(&group[frames_end..]);
        assert_eq!(trailer.bytes(&group[frames_end..], "magic"), b"SKHTRAIL");
        assert_eq!(
            trailer.bytes(&group[frames_end..], "end mark"),
            [0xa5, 0x5a, 0x3c, 0xc3]
        );
        assert_eq!(header.bytes(group, "previous group"), chain.group);
        assert_eq!(header.number(group, "previous end"), chain.group_end);
        assert_eq!(header.number(group, "first position"), chain.position + 1);
        chain.group = digest(&group[..frames_end]);
        assert_eq!(
            trailer.bytes(&group[frames_end..], "group digest"),
            chain.group
        );
        let count = header.number(group, "event count");
        assert_eq!(header.number(group, "flags"), u64::from(count == 0));
        let time = header.number(group, "time");
        let mut frame_at = header.end();
        for _ in 0..count {
            let address = (number << 32) + (at + frame_at) as u64;
            frame_at += read_frame(&group[frame_at..frames_end], address, time, chain);
        }
        assert_eq!(frame_at, frames_end);
        at += bytes;
        chain.group_end = (number << 32) + at as u64;
        groups += 1;
        events += count;
    }
    (at, groups, events)
}

fn read_frame(rest: &[u8], address: u64, time: u64, chain: &mut Chain) -> usize {
    let layout = Layout::of("Frame");
    let length = layout.number(rest, "frame bytes") as usize;
    let frame = &rest[..length];
    layout.check_crc(frame);
    chain.position += 1;
    assert_eq!(layout.number(frame, "position"), chain.position);
    let event = layout.bytes(frame, "event header");
    let word = |at: usize| u64::from_le_bytes(event[at..at + 8].try_into().unwrap());
    let payload_bytes = u32::from_le_bytes(event[12..16].try_into().unwrap()) as usize;
    let (payload_at, _) = layout.at("payload");
    let padding = &frame[payload_at + payload_bytes..];
    assert!(padding.len() < 8 && padding.iter().all(|byte| *byte == 0));
    let hash = digest(event);
    let before = chain.heads.insert(event[32..48].to_vec(), (hash, address));
    let (previous, previous_at) = before.unwrap_or_default();
    assert_eq!(event[160..192], previous);
    assert_eq!(layout.number(frame, "previous frame"), previous_at);
    assert_eq!(word(56), time);
    length
}

fn read_segment_header(file: &[u8], number: u64, chain: &Chain) {
    let layout = Layout::of("Segment header");
    layout.check_crc(&file[..layout.end()]);
    assert_eq!(layout.bytes(file, "magic"), b"SKHSEGMT");
    assert_eq!(layout.number(file, "segment number"), number);
    assert_eq!(layout.number(file, "first position"), chain.position + 1);
    assert_eq!(layout.bytes(file, "log id"), [7; 16]);
    assert_eq!(layout.bytes(file, "previous segment"), chain.segment);
    assert_eq!(layout.number(file, "writer epoch"), number);
}

#[test]
fn frozen_segments_read_with_the_offsets_of_the_format_file() {
    let mut chain = Chain::default();
    read_segment_header(FIRST, 1, &chain);
    let (end, groups, events) = read_groups(FIRST, 1, &mut chain);
    assert_eq!((groups, events), (3, 4));
    let footer = Layout::of("Segment footer");
    let bytes = &FIRST[end..];
    assert_eq!(bytes.len(), footer.end());
    footer.check_crc(bytes);
    assert_eq!(footer.bytes(bytes, "magic"), b"CLOSEDSG");
    assert_eq!(footer.number(bytes, "event count"), events);
    assert_eq!(footer.number(bytes, "group count"), groups);
    assert_eq!(footer.number(bytes, "data end"), end as u64);
    assert_eq!(footer.number(bytes, "last position"), chain.position);
    assert_eq!(footer.bytes(bytes, "last group"), chain.group);
    let header = &FIRST[..Layout::of("Segment header").end()];
    let (own_at, _) = footer.at("own digest");
    chain.segment = digest(&[header, &bytes[..own_at]].concat());
    assert_eq!(footer.bytes(bytes, "own digest"), chain.segment);

    read_segment_header(SECOND, 2, &chain);
    let (end, groups, events) = read_groups(SECOND, 2, &mut chain);
    assert_eq!((groups, events, chain.position), (1, 3, 7));
    assert!(SECOND[end..].iter().all(|byte| *byte == 0));
}

#[test]
fn the_frozen_meta_file_reads_with_the_offsets_of_the_format_file() {
    let layout = Layout::of("Meta file");
    assert_eq!(layout.bytes(META, "magic"), b"SKHLMETA");
    assert_eq!(layout.number(META, "format version"), 1);
    assert_eq!(layout.bytes(META, "log id"), [7; 16]);
    let (origin_at, _) = layout.at("origin");
    let origin_bytes = layout.number(META, "origin bytes") as usize;
    assert_eq!(
        &META[origin_at..origin_at + origin_bytes],
        b"test.example/log"
    );
    let digest_at = origin_at + origin_bytes.next_multiple_of(8);
    assert_eq!(META[digest_at..], digest(&META[..digest_at]));
}

#[test]
fn the_frozen_heads_read_with_the_offsets_of_the_format_file() {
    let layout = Layout::of("Checkpoint of heads (`cache/heads`)");
    let digest_at = HEADS.len() - 32;
    assert_eq!(HEADS[digest_at..], digest(&HEADS[..digest_at]));
    assert_eq!(layout.bytes(HEADS, "magic"), b"SKHHEADS");
    assert_eq!(layout.number(HEADS, "position"), 4);
    assert_eq!(layout.number(HEADS, "clean stop"), 1);
    let (streams, entries) = (
        layout.number(HEADS, "streams"),
        layout.number(HEADS, "entries"),
    );
    let (tree_at, _) = layout.at("tree");
    let heads_at = tree_at + (layout.number(HEADS, "tree bytes") as usize).next_multiple_of(8);
    assert_eq!(
        heads_at as u64 + streams * 64 + entries * 16,
        digest_at as u64
    );
    let mut chain = Chain::default();
    read_groups(FIRST, 1, &mut chain);
    for head in HEADS[heads_at..].chunks(64).take(streams as usize) {
        let (hash, address) = chain.heads[&head[..16]];
        assert_eq!(head[16..48], hash);
        assert_eq!(head[56..64], address.to_le_bytes());
    }
}
