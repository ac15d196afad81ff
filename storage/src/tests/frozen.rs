//! Frozen files: this version writes them again byte for byte, and opens them.

use super::*;

const FILES: [(&str, &[u8]); 4] = [
    ("meta", include_bytes!("../../tests/data/log-v1/meta")),
    (
        "log/0000000000000001.seg",
        include_bytes!("../../tests/data/log-v1/0000000000000001.seg"),
    ),
    (
        "log/0000000000000002.seg",
        include_bytes!("../../tests/data/log-v1/0000000000000002.seg"),
    ),
    (
        "cache/heads",
        include_bytes!("../../tests/data/log-v1/heads"),
    ),
];

/// Two segments: one closed by a clean stop, one left open with unwritten space.
fn write() -> MemDisk {
    let still = || Clock::new(|| 1_700_000_000_000_000);
    let disk = MemDisk::new();
    let shared: Arc<dyn crate::Disk> = Arc::new(disk.clone());
    let mut log =
        Log::create(Arc::clone(&shared), folder(), new_log(), options(), still()).unwrap();
    commit(&mut log, 0..2);
    commit(&mut log, 2..4);
    log.close().unwrap();
    let mut log = Log::open(shared, folder(), options(), still()).unwrap().log;
    commit(&mut log, 4..6);
    let file = crate::Disk::open(&disk, &segment(2), crate::Access::ReadWrite).unwrap();
    file.set_len(2048).unwrap();
    disk
}

#[test]
fn the_frozen_log_is_written_again_byte_for_byte() {
    let disk = write();
    for (name, frozen) in FILES {
        assert_eq!(disk.get(&folder().join(name)).unwrap(), frozen, "{name}");
    }
}

#[test]
fn the_frozen_log_opens() {
    let disk = MemDisk::new();
    for (name, bytes) in FILES {
        disk.put(&folder().join(name), bytes);
    }
    let opened = open(&disk);
    assert_eq!(all(&opened.log.reader()).len(), 7);
    assert_eq!(opened.recovery.cached_position.get(), 4);
}
