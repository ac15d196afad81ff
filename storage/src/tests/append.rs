//! Appending and reading within one opening.

use std::time::Duration;

use sokhoe_chain::{EventHash, Frontier, KeeperBody, StreamKind};

use super::*;
use crate::{
    AppendError, FRAME_BYTES_MAX, Position, REQUEST_BYTES_MAX, REQUEST_EVENTS_MAX, ReadError,
};

#[test]
fn positions_have_no_gaps_and_versions_count_per_stream() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    let stamped: Vec<_> = (0..20)
        .flat_map(|n| commit(&mut log, n * 5..n * 5 + 5))
        .collect();
    let frames = all(&log.reader());
    assert_eq!(frames.len(), 100);
    let mut previous = std::collections::HashMap::new();
    for ((index, frame), stamp) in (1..).zip(&frames).zip(&stamped) {
        assert_eq!(frame.position, Position::new(index));
        assert_eq!(
            (stamp.position, stamp.address),
            (frame.position, frame.address)
        );
        assert_eq!(
            (stamp.version, stamp.hash),
            (frame.header.version, frame.hash())
        );
        assert_eq!(stamp.recorded_at_us, frame.header.recorded_at_us);
        let (version, hash) = previous
            .insert(stamp.stream, (stamp.version, stamp.hash))
            .unwrap_or((0, EventHash::ZERO));
        assert_eq!((stamp.version, stamp.previous), (version + 1, hash));
    }
}

#[test]
fn streams_read_back_through_their_links() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    for n in 0..10 {
        commit(&mut log, n * 9..n * 9 + 9);
    }
    let reader = log.reader();
    let frames = all(&reader);
    for number in 1..=3 {
        let expected: Vec<_> = frames
            .iter()
            .filter(|f| f.header.stream == stream(number))
            .cloned()
            .collect();
        assert_eq!(reader.read_stream(&stream(number)).unwrap(), expected);
        let newest = reader.read_stream_back(&stream(number), None, 4).unwrap();
        let wanted: Vec<_> = expected.iter().rev().take(4).cloned().collect();
        assert_eq!(newest, wanted);
        let older = reader
            .read_stream_back(&stream(number), newest[3].previous, 2)
            .unwrap();
        assert_eq!(older[0], expected[expected.len() - 5]);
    }
    assert!(reader.read_stream(&stream(9)).unwrap().is_empty());
}

#[test]
fn every_position_and_address_reads_back() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    for n in 0..30 {
        commit(&mut log, n * 10..n * 10 + 10);
    }
    let reader = log.reader();
    for frame in all(&reader) {
        assert_eq!(reader.read_position(frame.position).unwrap(), frame);
        assert_eq!(reader.read_at(frame.address).unwrap(), frame);
    }
    for missing in [0, 301] {
        let read = reader.read_position(Position::new(missing));
        assert!(matches!(read, Err(ReadError::NotThere { .. })), "{read:?}");
    }
    assert!(reader.status().open());
}

#[test]
fn the_position_at_a_time_is_the_last_recorded_by_then() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    let groups: Vec<_> = (0..40)
        .map(|n| commit(&mut log, n * 7..n * 7 + 7))
        .collect();
    let reader = log.reader();
    for group in &groups {
        let at = group[0].recorded_at_us;
        assert_eq!(reader.position_at_time(at).unwrap(), group[6].position);
        assert_eq!(
            reader.position_at_time(at - 1).unwrap().get() + 1,
            group[0].position.get()
        );
    }
    assert_eq!(
        reader.position_at_time(i64::MAX).unwrap(),
        Position::new(280)
    );
    assert_eq!(reader.position_at_time(0).unwrap(), Position::ZERO);
}

#[test]
fn group_time_moves_forward_when_the_clock_goes_back() {
    let disk = MemDisk::new();
    let back = AtomicI64::new(1_000_000);
    let clock = Clock::new(move || back.fetch_sub(500, Ordering::Relaxed));
    let mut log = Log::create(Arc::new(disk), folder(), new_log(), options(), clock).unwrap();
    let times: Vec<_> = (0..5)
        .map(|n| commit(&mut log, n..n + 1)[0].recorded_at_us)
        .collect();
    assert!(
        times.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{times:?}"
    );
}

#[test]
fn the_tree_holds_every_event_hash_in_order() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    commit(&mut log, 0..25);
    let reader = log.reader();
    let mut tree = Frontier::default();
    all(&reader)
        .iter()
        .for_each(|frame| tree.push_event(&frame.hash()));
    assert_eq!(reader.tree_head(), (25, tree.root()));
}

#[test]
fn a_scan_at_the_end_goes_on_when_more_is_durable() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    let reader = log.reader();
    let mut scan = reader.scan(Position::new(4));
    assert!(scan.next_frame().unwrap().is_none());
    commit(&mut log, 0..5);
    assert_eq!(
        scan.next_frame().unwrap().unwrap().position,
        Position::new(4)
    );
    assert_eq!(
        scan.next_frame().unwrap().unwrap().position,
        Position::new(5)
    );
    assert!(scan.next_frame().unwrap().is_none());
    commit(&mut log, 5..6);
    assert_eq!(
        scan.next_frame().unwrap().unwrap().position,
        Position::new(6)
    );
    assert_eq!(
        reader.wait_past(Position::new(5), Duration::ZERO).position,
        Position::new(6)
    );
}

#[test]
fn a_full_segment_is_followed_by_one_whose_first_event_names_it() {
    let disk = MemDisk::new();
    let small = LogOptions {
        segment_bytes: 4096,
        first_segment_bytes: 4096,
        ..options()
    };
    let mut log = create_with(&disk, small);
    for n in 0..60 {
        commit(&mut log, n..n + 1);
    }
    let reader = log.reader();
    let frames = all(&reader);
    let keepers: Vec<_> = frames
        .iter()
        .filter(|f| f.header.stream_kind == StreamKind::Keeper)
        .collect();
    assert!(keepers.len() > 2);
    for (number, frame) in (1..).zip(&keepers) {
        let body = KeeperBody::decode(&frame.payload).unwrap();
        let KeeperBody::SegmentClosed {
            segment,
            first_position,
            event_count,
            footer_digest,
            ..
        } = body
        else {
            panic!("{body:?}");
        };
        assert_eq!(segment, number);
        assert_eq!(first_position + event_count, frame.position.get());
        let file = disk
            .get(&super::segment(u32::try_from(number).unwrap()))
            .unwrap();
        assert_eq!(footer_digest, file[file.len() - 48..][..32]);
    }
    assert_eq!(frames.len(), 60 + keepers.len());
    for frame in &frames {
        assert_eq!(reader.read_position(frame.position).unwrap(), *frame);
    }
}

#[test]
fn a_request_past_a_limit_is_refused_whole() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    let tiny = draft(1, 1, 8);
    let large = draft(1, 1, FRAME_BYTES_MAX - 300);
    let mut stamped = Vec::new();
    let too_many = vec![tiny.clone(); REQUEST_EVENTS_MAX + 1];
    let too_large = vec![large; REQUEST_BYTES_MAX / FRAME_BYTES_MAX + 1];
    let (results, durable) = log
        .commit(|group| {
            [
                group.append(&too_many, &mut stamped),
                group.append(&too_large, &mut stamped),
            ]
        })
        .unwrap();
    assert!(matches!(results[0], Err(AppendError::TooManyEvents { .. })));
    assert!(matches!(
        results[1],
        Err(AppendError::RequestTooLarge { .. })
    ));
    assert!(stamped.is_empty());
    assert_eq!(durable.position.get(), 0);
    let header = sokhoe_chain::EventHeader::new(StreamKind::Record, stream(1), Aead::Aes256Gcm);
    let refused = Draft::new(&header, vec![1]);
    assert_eq!(
        refused.unwrap_err(),
        AppendError::PayloadLength {
            header: 0,
            payload: 1
        }
    );
}

#[test]
fn the_largest_request_fits_in_one_group() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    let large = draft(1, 1, FRAME_BYTES_MAX - 300);
    let drafts = vec![large; REQUEST_BYTES_MAX / FRAME_BYTES_MAX];
    let mut stamped = Vec::new();
    log.commit(|group| group.append(&drafts, &mut stamped))
        .unwrap()
        .0
        .unwrap();
    commit(&mut log, 0..3);
    assert_eq!(all(&log.reader()).len(), drafts.len() + 4);
}
