//! The writer's threads: order, group commit, failure, stopping, following.

use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::{
    BeforeSync, Durable, Group, LogStatus, OsDisk, Outcome, Position, Stage, SubmitError,
    WriteFailure, Writer,
};
use sokhoe_disk::testing::{Fault, Operation, Survivors};

const WAIT: Duration = Duration::from_secs(20);

type Answer = (Vec<Stamped>, Result<u64, WriteFailure>);

struct Request {
    drafts: Vec<Draft>,
    answer: mpsc::Sender<Answer>,
}

#[derive(Default)]
struct Appending {
    refused: Arc<AtomicUsize>,
    committed: Arc<Mutex<Vec<u64>>>,
    before_sync_fails: bool,
}

impl Stage for Appending {
    type Request = Request;

    fn decide(&mut self, request: Request, group: &mut Group<'_>) {
        let mut stamped = Vec::new();
        group.append(&request.drafts, &mut stamped).unwrap();
        let answer = request.answer;
        group.on_durable(move |outcome: &Outcome| {
            let outcome = outcome.as_ref().map(|durable| durable.position.get());
            let _ = answer.send((stamped, outcome.map_err(Clone::clone)));
        });
    }

    fn before_sync(&mut self) -> Option<BeforeSync> {
        let fails = self.before_sync_fails;
        Some(Box::new(
            move || if fails { Err("no keys".into()) } else { Ok(()) },
        ))
    }

    fn committed(&mut self, durable: Durable) {
        self.committed.lock().unwrap().push(durable.position.get());
    }

    fn refuse(&mut self, _request: Request, _because: &WriteFailure) {
        self.refused.fetch_add(1, Ordering::SeqCst);
    }
}

fn request(seed: u64, count: u64) -> (Request, mpsc::Receiver<Answer>) {
    let (answer, answered) = mpsc::channel();
    let drafts = (0..count)
        .map(|n| draft(u8::try_from(n % 5).unwrap(), seed * 1000 + n, 40))
        .collect();
    (Request { drafts, answer }, answered)
}

fn submit_all(writer: &Writer<Appending>, threads: u64, each: u64) {
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let submitter = writer.submitter();
            let reader = writer.reader();
            scope.spawn(move || {
                for n in 0..each {
                    let (request, answered) = request(thread * 1000 + n, 1 + n % 4);
                    submitter.submit_waiting(request, WAIT).unwrap();
                    let (stamped, outcome) = answered.recv_timeout(WAIT).unwrap();
                    let position = outcome.unwrap();
                    let last = stamped.last().unwrap();
                    assert!(position >= last.position.get());
                    assert!(
                        reader.position() >= last.position,
                        "acknowledged but not visible"
                    );
                    assert!(reader.head(&last.stream).unwrap().version >= last.version);
                    assert_eq!(reader.read_at(last.address).unwrap().hash(), last.hash);
                }
            });
        }
    });
}

#[test]
fn what_many_threads_append_is_all_there_once_in_order() {
    let disk = MemDisk::new();
    let stage = Appending::default();
    let committed = Arc::clone(&stage.committed);
    let writer = Writer::spawn(create(&disk), stage, 64).unwrap();
    submit_all(&writer, 8, 60);
    let reader = writer.reader();
    let (_, durable) = writer.stop().unwrap();
    let frames = all(&reader);
    assert_eq!(frames.len() as u64, durable.position.get());
    assert_eq!(frames.len(), 8 * 15 * (1 + 2 + 3 + 4));
    assert!(committed.lock().unwrap().is_sorted());
    assert!(matches!(reader.status(), LogStatus::Closed));
    assert!(reader.metrics().groups > 0 && reader.metrics().requests == 480);
    let opened = open(&disk);
    assert!(opened.recovery.clean_stop);
    assert_eq!(all(&opened.log.reader()), frames);
}

#[test]
fn the_writer_keeps_its_promises_on_a_real_disk_over_many_segments() {
    let target = std::env::temp_dir().join(format!("sokhoe-storage-{}", std::process::id()));
    let disk: Arc<dyn crate::Disk> = Arc::new(OsDisk);
    let options = LogOptions {
        segment_bytes: 64 << 10,
        first_segment_bytes: 16 << 10,
        in_background: true,
        cache_every_events: 200,
        ..LogOptions::default()
    };
    disk.create_dir_all(&target).unwrap();
    let log = Log::create(
        Arc::clone(&disk),
        &target,
        new_log(),
        options.clone(),
        clock(),
    )
    .unwrap();
    let writer = Writer::spawn(log, Appending::default(), 64).unwrap();
    submit_all(&writer, 6, 80);
    let frames = all(&writer.reader());
    writer.stop().unwrap();
    let opened = Log::open(disk, &target, options, clock()).unwrap();
    assert_eq!(all(&opened.log.reader()), frames);
    drop(opened);
    std::fs::remove_dir_all(&target).unwrap();
}

#[test]
fn a_log_is_verified_whole_while_a_writer_is_busy_with_it() {
    let disk = MemDisk::new();
    let writer = Writer::spawn(create(&disk), Appending::default(), 64).unwrap();
    let shared: Arc<dyn crate::Disk> = Arc::new(disk);
    let over = std::sync::atomic::AtomicBool::new(false);
    let verified = std::thread::scope(|scope| {
        let verifying = scope.spawn(|| {
            let mut times = 0;
            while !over.load(Ordering::SeqCst) || times == 0 {
                let verified = crate::verify(&shared, folder(), &crate::Verify::default());
                assert_eq!(verified.unwrap().damage, None);
                times += 1;
            }
            times
        });
        submit_all(&writer, 6, 200);
        over.store(true, Ordering::SeqCst);
        verifying.join().unwrap()
    });
    writer.stop().unwrap();
    assert!(verified > 0);
    let whole = crate::verify(&shared, folder(), &crate::Verify::default()).unwrap();
    assert_eq!((whole.damage, whole.payloads), (None, whole.events));
}

#[test]
fn every_head_that_is_seen_leads_to_a_stream_that_can_be_read() {
    let writer = Writer::spawn(create(&MemDisk::new()), Appending::default(), 64).unwrap();
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = writer.reader();
        let over = &over;
        scope.spawn(move || {
            while !over.load(Ordering::SeqCst) {
                for number in 0..4 {
                    let frames = reader.read_stream_back(&stream(number), None, 3).unwrap();
                    assert!(frames.len() <= 3);
                }
            }
        });
        submit_all(&writer, 4, 50);
        over.store(true, Ordering::SeqCst);
    });
    writer.stop().unwrap();
}

#[test]
fn a_failed_sync_reaches_every_waiting_request_and_stops_the_writer() {
    let disk = MemDisk::new();
    let stage = Appending::default();
    let writer = Writer::spawn(create(&disk), stage, 256).unwrap();
    let (first, answered) = request(1, 2);
    writer.submit(first).unwrap();
    assert!(answered.recv_timeout(WAIT).unwrap().1.is_ok());
    disk.fail(Operation::Sync, 1, Fault::Io);
    let waiting: Vec<_> = (0..100)
        .filter_map(|n| {
            let (request, answered) = request(10 + n, 1);
            writer.submit(request).ok().map(|()| answered)
        })
        .collect();
    let mut ended = 0;
    for answered in waiting {
        match answered.recv_timeout(WAIT) {
            Ok((_, Ok(_))) => assert_eq!(ended, 0, "acknowledged after a failure"),
            Ok((_, Err(_))) | Err(mpsc::RecvTimeoutError::Disconnected) => ended += 1,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("a request hangs"),
        }
    }
    assert!(ended > 0);
    assert!(matches!(writer.status(), LogStatus::Stopped(_)));
    let refused = writer.submit(request(500, 1).0);
    assert!(matches!(refused, Err(SubmitError::Stopped(_))));
    let durable = writer.reader().position();
    assert!(writer.stop().is_err());
    disk.crash(Survivors::None);
    assert_eq!(open(&disk).log.reader().position(), durable);
}

#[test]
fn keys_that_cannot_be_made_durable_stop_the_writer_before_the_log_is_written() {
    let disk = MemDisk::new();
    let stage = Appending {
        before_sync_fails: true,
        ..Appending::default()
    };
    let writer = Writer::spawn(create(&disk), stage, 4).unwrap();
    let (request, answered) = request(1, 1);
    writer.submit(request).unwrap();
    let (_, outcome) = answered.recv_timeout(WAIT).unwrap();
    assert!(matches!(outcome, Err(WriteFailure::BeforeSync { .. })));
    drop(writer);
    assert_eq!(open(&disk).log.reader().position(), Position::ZERO);
}

#[test]
fn a_full_queue_hands_the_request_back() {
    struct Slow(mpsc::Sender<()>, mpsc::Receiver<()>);
    impl Stage for Slow {
        type Request = u64;
        fn decide(&mut self, _request: u64, _group: &mut Group<'_>) {
            let _ = self.0.send(());
            let _ = self.1.recv_timeout(WAIT);
        }
    }
    let (begun, decides) = mpsc::channel();
    let (go, wait) = mpsc::channel();
    let writer = Writer::spawn(create(&MemDisk::new()), Slow(begun, wait), 2).unwrap();
    writer.submit(0).unwrap();
    decides.recv_timeout(WAIT).unwrap();
    let full = (0..10).find_map(|n| writer.submit(n).err()).unwrap();
    assert!(matches!(full, SubmitError::Full(_)));
    let waited = writer
        .submit_waiting(77, Duration::from_millis(1))
        .unwrap_err();
    assert_eq!(waited.into_request(), 77);
    drop(go);
    writer.stop().unwrap();
}

#[test]
fn a_stage_that_panics_stops_the_log_and_nothing_hangs() {
    struct Panicking;
    impl Stage for Panicking {
        type Request = ();
        fn decide(&mut self, (): (), _group: &mut Group<'_>) {
            panic!("a bug in the stage");
        }
    }
    let writer = Writer::spawn(create(&MemDisk::new()), Panicking, 2).unwrap();
    let reader = writer.reader();
    writer.submit(()).unwrap();
    let durable = reader.wait_past(Position::ZERO, WAIT);
    assert_eq!(durable.position, Position::ZERO);
    assert!(matches!(
        reader.status(),
        LogStatus::Stopped(WriteFailure::Panicked)
    ));
    assert!(writer.stop().is_err());
}

#[test]
fn a_follower_sees_every_event_as_it_becomes_durable() {
    let disk = MemDisk::new();
    let writer = Writer::spawn(create(&disk), Appending::default(), 16).unwrap();
    let reader = writer.reader();
    let heard = Arc::new(AtomicI64::new(0));
    let hears = Arc::clone(&heard);
    reader.on_advance(move |durable| {
        hears.store(
            i64::try_from(durable.position.get()).unwrap(),
            Ordering::SeqCst,
        );
    });
    let follower = std::thread::spawn(move || {
        let mut scan = reader.scan(Position::new(1));
        let mut seen = 0;
        while seen < 240 {
            while let Some(frame) = scan.next_frame().unwrap() {
                seen += 1;
                assert_eq!(frame.position, Position::new(seen));
            }
            let _ = reader.wait_past(Position::new(seen), WAIT);
        }
    });
    for n in 0..120 {
        let (request, answered) = request(n, 2);
        writer.submit_waiting(request, WAIT).unwrap();
        answered.recv_timeout(WAIT).unwrap().1.unwrap();
    }
    follower.join().unwrap();
    assert_eq!(heard.load(Ordering::SeqCst), 240);
    writer.stop().unwrap();
}

#[test]
fn requests_after_the_stop_are_refused() {
    let writer = Writer::spawn(create(&MemDisk::new()), Appending::default(), 4).unwrap();
    let submitter = writer.submitter();
    writer.stop().unwrap();
    assert!(matches!(
        submitter.submit(request(1, 1).0),
        Err(SubmitError::Stopped(_))
    ));
}
