//! One seed's run: opening with or without faults, commands, an end in order or not, and flipped bits on a copy.

use sokhoe_chain::{NodeHash, SignedNote, Signer};

use super::model::{Model, is_truth, promise};
use crate::tests::reopen::note;
use crate::tests::{clock, draft, folder, new_log, options, segment, stream};
use crate::{Draft, Log, LogOptions, OpenError, Opened, Position, ReadError, Verify};
use sokhoe_disk::testing::{Fault, MemDisk, Operation, Random, Survivors};

const STREAMS: u64 = 5;

/// How much was simulated.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Done {
    pub(super) restarts: u64,
    pub(super) events: u64,
    pub(super) failed_openings: u64,
    pub(super) failed_commits: u64,
    pub(super) failed_reads: u64,
    pub(super) torn_tails: u64,
    pub(super) clean_stops: u64,
    pub(super) kills: u64,
    pub(super) power_losses: u64,
    pub(super) flips: u64,
    pub(super) checkpoints: u64,
}

impl Done {
    fn counts(self) -> [u64; 11] {
        [
            self.restarts,
            self.events,
            self.failed_openings,
            self.failed_commits,
            self.failed_reads,
            self.torn_tails,
            self.clean_stops,
            self.kills,
            self.power_losses,
            self.flips,
            self.checkpoints,
        ]
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            restarts: self.restarts + other.restarts,
            events: self.events + other.events,
            failed_openings: self.failed_openings + other.failed_openings,
            failed_commits: self.failed_commits + other.failed_commits,
            failed_reads: self.failed_reads + other.failed_reads,
            torn_tails: self.torn_tails + other.torn_tails,
            clean_stops: self.clean_stops + other.clean_stops,
            kills: self.kills + other.kills,
            power_losses: self.power_losses + other.power_losses,
            flips: self.flips + other.flips,
            checkpoints: self.checkpoints + other.checkpoints,
        }
    }

    /// A simulation in which something never happens shows nothing about it.
    pub(super) fn must_have_met_everything(self) {
        assert!(!self.counts().contains(&0), "{self:?}");
    }
}

pub(super) struct Simulation {
    random: Random,
    disk: MemDisk,
    model: Model,
    clock: crate::Clock,
    drafted: u64,
    pub(super) done: Done,
}

impl Simulation {
    pub(super) fn new(seed: u64) -> Self {
        let disk = MemDisk::new();
        let clock = clock();
        let log = Log::create(
            std::sync::Arc::new(disk.clone()),
            folder(),
            new_log(),
            options(),
            clock.clone(),
        );
        drop(log.unwrap());
        Self {
            random: Random::new(seed),
            disk,
            model: Model::default(),
            clock,
            drafted: 0,
            done: Done::default(),
        }
    }

    /// One restart and what follows, up to the next end of the process.
    pub(super) fn cycle(&mut self) -> Result<(), String> {
        if self.random.percent(15) {
            self.open_with_fault()?;
        }
        let mut log = self.open()?;
        self.model.check(&log.reader())?;
        self.done.restarts += 1;
        if self.random.percent(10) {
            self.verify(&self.disk.duplicate(), None)?;
        }
        if self.random.percent(70) {
            if self.random.percent(60) {
                self.arm_fault();
            }
            self.commands(&mut log)?;
        }
        self.end(log)
    }

    fn options(&mut self) -> LogOptions {
        let bytes = 1024 + u32::try_from(self.random.below(8192)).unwrap();
        LogOptions {
            segment_bytes: bytes,
            first_segment_bytes: bytes,
            cache_every_events: 1 + self.random.below(60),
            ..options()
        }
    }

    fn try_open(&mut self) -> Result<Opened, OpenError> {
        let options = self.options();
        let disk = std::sync::Arc::new(self.disk.clone());
        Log::open(disk, folder(), options, self.clock.clone())
    }

    fn open(&mut self) -> Result<Log, String> {
        let opened = self
            .try_open()
            .map_err(|error| format!("opening what nothing but crashes befell: {error:?}"))?;
        self.done.torn_tails += u64::from(opened.recovery.torn.is_some());
        Ok(opened.log)
    }

    /// A start that meets a fault says so or goes well; it makes nothing worse.
    fn open_with_fault(&mut self) -> Result<(), String> {
        self.arm_fault();
        match self.try_open() {
            Ok(opened) => self.end(opened.log),
            Err(OpenError::Io { .. }) => {
                self.done.failed_openings += 1;
                self.lose();
                Ok(())
            }
            Err(error) => Err(format!("a fault of the disk was taken for {error:?}")),
        }
    }

    fn arm_fault(&mut self) {
        if self.random.percent(10) {
            let room = self.random.below(20_000);
            self.disk.limit(Some(room));
            return;
        }
        let operations = [
            Operation::Write,
            Operation::Sync,
            Operation::SyncDir,
            Operation::Rename,
            Operation::Create,
            Operation::Remove,
            Operation::SetLen,
            Operation::Read,
        ];
        let faults = [
            Fault::Io,
            Fault::NoSpace,
            Fault::HalfWritten,
            Fault::Forgotten,
            Fault::Short,
        ];
        let operation = self.random.one_of(&operations).copied().unwrap();
        let fault = self.random.one_of(&faults).copied().unwrap();
        let nth = 1 + self.random.below(30);
        if self.random.percent(20) {
            // What a failed sync leaves behind is the hardest to see.
            let fault = self
                .random
                .one_of(&[Fault::Io, Fault::Forgotten])
                .copied()
                .unwrap();
            self.disk.fail(Operation::Sync, nth, fault);
            return;
        }
        self.disk.fail(operation, nth, fault);
    }

    fn commands(&mut self, log: &mut Log) -> Result<(), String> {
        for _ in 0..self.random.below(25) {
            match self.random.below(100) {
                0..70 => {
                    if !self.append(log)? {
                        return Ok(());
                    }
                }
                70..85 => self.checkpoint(log, 0),
                85..90 => self.checkpoint(log, 1 + self.random.clone().below(3)),
                _ => self.read(log)?,
            }
        }
        if self.random.percent(35) {
            self.flip(log)?;
        }
        Ok(())
    }

    fn drafts(&mut self) -> Vec<Draft> {
        let large = self.random.percent(5);
        let count = 1 + self.random.below(6);
        (0..count)
            .map(|_| {
                let number = u8::try_from(self.random.below(STREAMS)).unwrap();
                let bytes = if large { 3_000 } else { 40 };
                self.drafted += 1;
                draft(number, self.drafted, bytes)
            })
            .collect()
    }

    /// Appends one request; false when the log has stopped.
    fn append(&mut self, log: &mut Log) -> Result<bool, String> {
        let drafts = self.drafts();
        let reader = log.reader();
        let mut stamped = Vec::new();
        let versions: Vec<u64> = (0..STREAMS)
            .map(|number| version(&reader, u8::try_from(number).unwrap()))
            .collect();
        let outcome = log.commit(|group| {
            let seen = (0..STREAMS).map(|n| group.version(&stream(u8::try_from(n).unwrap())));
            let seen = seen.eq(versions.iter().copied());
            group.append(&drafts, &mut stamped).map(|()| seen)
        });
        let Ok((appended, durable)) = outcome else {
            self.done.failed_commits += 1;
            self.model.in_flight = digests(&drafts);
            promise!(
                reader.position() == self.model.position(),
                "an event is shown that was never durable"
            );
            promise!(
                log.commit(|_| ()).is_err() && !reader.status().open(),
                "a log went on after a failure"
            );
            return Ok(false);
        };
        promise!(
            appended.is_ok_and(|seen| seen),
            "versions moved by themselves"
        );
        // The event that names a closed segment comes before those of the request.
        let first = stamped[0].position.get();
        for position in self.model.position().get() + 1..first {
            let frame = reader.read_position(Position::new(position));
            let Ok(frame) = frame else {
                return Ok(self.in_doubt(&drafts));
            };
            self.model.acknowledged.push(frame.hash());
        }
        self.model
            .acknowledged
            .extend(stamped.iter().map(|stamp| stamp.hash));
        promise!(
            durable.position == self.model.position() && reader.position() == durable.position,
            "acknowledged up to {}, durable up to {}",
            self.model.position(),
            durable.position
        );
        self.done.events += stamped.len() as u64;
        Ok(true)
    }

    /// A fault kept the simulation itself from learning what was acknowledged.
    fn in_doubt(&mut self, drafts: &[Draft]) -> bool {
        self.done.failed_reads += 1;
        self.model.in_flight = digests(drafts);
        false
    }

    /// Stores a checkpoint of what is durable, or tries to store one of events still to come.
    fn checkpoint(&mut self, log: &Log, ahead: u64) {
        let reader = log.reader();
        let (mut size, mut root) = reader.tree_head();
        if ahead > 0 {
            size += ahead;
            root = NodeHash([9; 32]);
        }
        if size == 0 {
            return;
        }
        let stored = reader.write_checkpoint(&note(size, root));
        if ahead > 0 && stored.is_err() {
            return;
        }
        self.model.notes.push((size, root));
        if stored.is_ok() {
            self.model.note_size = size;
            self.done.checkpoints += 1;
        }
    }

    /// Reads one event: it is the right one, or the disk's failure is told.
    fn read(&mut self, log: &Log) -> Result<(), String> {
        let reader = log.reader();
        let count = self.model.acknowledged.len();
        if count == 0 {
            return Ok(());
        }
        let index = self.random.index(count);
        match reader.read_position(Position::new(index as u64 + 1)) {
            Ok(frame) => promise!(
                frame.hash() == self.model.acknowledged[index],
                "another event at {}",
                index + 1
            ),
            Err(ReadError::Io { .. }) => self.done.failed_reads += 1,
            Err(error) => return Err(format!("reading position {}: {error}", index + 1)),
        }
        Ok(())
    }

    /// Ends the process, in order or not, with or without the machine.
    fn end(&mut self, log: Log) -> Result<(), String> {
        if self.random.percent(30) {
            let reader = log.reader();
            let before = reader.position();
            let closed = log.close().is_ok();
            self.done.clean_stops += u64::from(closed);
            promise!(reader.position() == before, "stopping added events");
        } else if self.random.percent(50) {
            // What destructors do is too late then.
            self.disk.kill();
        }
        self.lose();
        Ok(())
    }

    fn lose(&mut self) {
        self.disk.limit(None);
        if self.random.percent(40) {
            self.done.kills += 1;
            self.disk.kill();
            return;
        }
        self.done.power_losses += 1;
        self.disk.crash(match self.random.below(10) {
            0 => Survivors::None,
            1 => Survivors::All,
            2 => Survivors::Torn(self.random.index(900)),
            _ => Survivors::Some(self.random.bits()),
        });
    }

    /// Checks a copy from its first byte; `flipped` is the file in which something must be wrong.
    fn verify(&self, disk: &MemDisk, flipped: Option<&str>) -> Result<(), String> {
        let disk = std::sync::Arc::new(disk.clone());
        let verified = match crate::verify(&(disk as _), folder(), &Verify::default()) {
            Ok(verified) => verified,
            Err(OpenError::Damaged(damage)) if Some(&*damage.file) == flipped => return Ok(()),
            Err(error) => return Err(format!("verifying: {error}")),
        };
        let damage = verified.damage.as_ref().map(|damage| &*damage.file);
        // The log holds no key: whoever has it checks the signature.
        let forged = verified.checkpoint.is_some_and(|note| !signed(&note));
        let named = damage.or(forged.then_some("checkpoint"));
        promise!(
            named == flipped || (flipped.is_some() && named.is_some()),
            "verifying names {named:?}, flipped was {flipped:?}: {:?}",
            verified.damage
        );
        promise!(
            flipped.is_some() || verified.events == self.model.position().get(),
            "verifying finds {} events of {}",
            verified.events,
            self.model.position()
        );
        Ok(())
    }

    /// Flips one bit of what is durable on a copy: it is named, and nothing wrong is shown for right.
    fn flip(&mut self, log: &Log) -> Result<(), String> {
        let Some(end) = log.reader().durable().end else {
            return Ok(());
        };
        let copy = self.disk.duplicate();
        let paths: Vec<_> = copy
            .paths()
            .into_iter()
            .filter(|path| is_truth(path))
            .collect();
        let path = paths[self.random.index(paths.len())].clone();
        let mut bytes = copy.get(&path).unwrap();
        let right = if path == segment(end.segment()) {
            end.offset() as usize
        } else {
            bytes.len()
        };
        if right == 0 || !log.reader().status().open() {
            return Ok(());
        }
        let last = right.min(1 + self.random.index(900));
        let from = if self.random.percent(50) {
            right - last
        } else {
            0
        };
        let at = from + self.random.index(right - from);
        bytes[at] ^= 1 << self.random.below(8);
        copy.put(&path, &bytes);
        self.done.flips += 1;
        let file = path.strip_prefix(folder()).unwrap().display().to_string();
        self.verify(&copy, Some(&file))?;
        let options = self.options();
        let opened = Log::open(
            std::sync::Arc::new(copy),
            folder(),
            options,
            self.clock.clone(),
        );
        let Ok(opened) = opened else {
            return Ok(());
        };
        let reader = opened.log.reader();
        promise!(
            reader.position() >= self.model.position(),
            "byte {at} of {file} flipped: events were cut off as if torn"
        );
        for (index, expected) in self.model.acknowledged.iter().enumerate() {
            let read = reader.read_position(Position::new(index as u64 + 1));
            promise!(
                read.map_or(true, |frame| frame.hash() == *expected),
                "byte {at} of {file} flipped: another event is shown"
            );
        }
        Ok(())
    }
}

fn version(reader: &crate::Reader, number: u8) -> u64 {
    reader.head(&stream(number)).map_or(0, |head| head.version)
}

fn signed(note: &[u8]) -> bool {
    let signer = Signer::from_seed("test.example/log", &[1; 32]).unwrap();
    SignedNote::parse(note).is_ok_and(|note| note.verify(signer.verifier()).is_ok())
}

fn digests(drafts: &[Draft]) -> Vec<[u8; 32]> {
    let of = |draft: &Draft| sokhoe_chain::header::payload_digest_of(&draft.header).0;
    drafts.iter().map(of).collect()
}
