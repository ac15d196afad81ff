//! Sokhoe's side: vault, registry and log as `commands` puts them together, with payloads that are bytes already.
//!
//! `prepare` and `Decide` here follow `commands`' own, without what depends on an event's kind.

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use sokhoe_chain::{Aead, Batch, Checkpoint, EventHeader, EventKey, LogId, StreamId, StreamKind};
use sokhoe_record::PersonId;
use sokhoe_registry::{Change, IdRuns, Registry};
use sokhoe_storage::{
    BeforeSync, Clock, Draft, Group, Log, LogOptions, NewLog, OsDisk, Reader, Stage, Stamped,
    Submitter, Writer,
};
use sokhoe_vault::Vault;
use tokio::sync::oneshot;

use super::{Client, PAYLOAD_BYTES, Store};
use crate::machine::now_us;
use crate::random::Random;

/// Requests that may wait for the writer, as in `commands`.
const QUEUE_REQUESTS_MAX: usize = 16_384;
/// How often a checkpoint is signed, as in `commands`.
const SIGN_EVERY: Duration = Duration::from_millis(250);

/// What the writer must know about one event whose person is known: nobody is ever taken out of the registry.
#[derive(Debug)]
struct Plan {
    key: EventKey,
}

#[derive(Debug)]
struct Request {
    plans: Vec<Plan>,
    drafts: Vec<Draft>,
    reply: oneshot::Sender<anyhow::Result<Vec<Stamped>>>,
}

/// The write side's part in the commit.
#[derive(Debug)]
struct Decide {
    registry: Arc<Registry>,
    vault: Arc<Vault>,
}

impl Stage for Decide {
    type Request = Request;

    fn decide(&mut self, request: Request, group: &mut Group<'_>) {
        let Request {
            plans,
            drafts,
            reply,
        } = request;
        let mut stamped = Vec::with_capacity(drafts.len());
        let taken = self.admit(&plans, group).and_then(|()| {
            group
                .append(&drafts, &mut stamped)
                .context("append to the group")
        });
        if let Err(error) = taken {
            let _ = reply.send(Err(error));
            return;
        }
        group.on_durable(move |outcome| {
            let _ = reply.send(match outcome {
                Ok(_) => Ok(stamped),
                Err(failure) => Err(failure.clone().into()),
            });
        });
    }

    fn before_sync(&mut self) -> Option<BeforeSync> {
        let vault = Arc::clone(&self.vault);
        Some(Box::new(move || {
            vault.persist_pending().map_err(Into::into)
        }))
    }
}

impl Decide {
    fn admit(&self, plans: &[Plan], group: &Group<'_>) -> anyhow::Result<()> {
        let mut position = group.last_position().get();
        for plan in plans {
            position += 1;
            self.registry
                .take(plan.key, position)
                .map_err(|_| anyhow!("the id is taken"))?;
        }
        Ok(())
    }
}

/// The open write side, and the log's reader.
pub struct Sokhoe {
    vault: Arc<Vault>,
    registry: Arc<Registry>,
    submitter: Submitter<Request>,
    reader: Reader,
    people: Arc<[PersonId]>,
    _writer: Writer<Decide>,
    _signer: Signing,
}

struct Signing {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Signing {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Sokhoe {
    /// Makes an empty log, and a key for each of so many people.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn open(folder: &Path, people: usize) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let log_id = LogId([7; 16]);
        let vault = Arc::new(Vault::create(&folder.with_extension("keys"), log_id)?);
        let new = NewLog {
            log_id,
            tenant: [0; 16],
            origin: "sokhoe.local/bench".into(),
        };
        let clock = Clock::new(now_us);
        let log = Log::create(Arc::new(OsDisk), folder, new, LogOptions::default(), clock)?;
        let mut registry = Registry::new();
        let reader = log.reader();
        let place = IdRuns {
            disk: Arc::new(OsDisk),
            folder: folder.join("cache/ids"),
            log: log_id,
            keys: Arc::new(reader.clone()),
        };
        registry.keep_ids(place, 0, 0)?;
        let registry = Arc::new(registry);
        let people = register(people, &registry, &vault)?;
        let stage = Decide {
            registry: Arc::clone(&registry),
            vault: Arc::clone(&vault),
        };
        let writer = Writer::spawn(log, stage, QUEUE_REQUESTS_MAX)?;
        Ok(Self {
            _signer: sign(Arc::clone(&vault), reader.clone(), Arc::clone(&registry))?,
            submitter: writer.submitter(),
            vault,
            registry,
            reader,
            people,
            _writer: writer,
        })
    }

    /// Returns the log's reader.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    fn person(&self, number: usize) -> anyhow::Result<PersonId> {
        self.people
            .get(number)
            .copied()
            .context("a person's number")
    }

    /// Seals one event, as a request's task does.
    fn prepare(
        &self,
        event_id: [u8; 16],
        person: PersonId,
        payload: &[u8],
    ) -> anyhow::Result<(Plan, EventHeader, Vec<u8>)> {
        let key = self.vault.secrets().event_mac(&event_id);
        if self.registry.taken(key).is_some() || !self.registry.knows(person) {
            bail!("the id is taken, or the person not known");
        }
        let stream = StreamId(person.into_bytes());
        let stream_key = self.vault.stream_key_or_new(stream)?;
        let sealed = self.vault.seal(&stream_key, payload)?;
        let mut header = EventHeader::new(StreamKind::Record, stream, Aead::Aes256Gcm);
        sealed.describe(&mut header);
        header.event_key = key;
        header.key_epoch = stream_key.epoch();
        Ok((Plan { key }, header, sealed.bytes))
    }

    fn submit(&self, plans: Vec<Plan>, drafts: Vec<Draft>) -> anyhow::Result<()> {
        let (reply, answer) = oneshot::channel();
        let request = Request {
            plans,
            drafts,
            reply,
        };
        self.submitter
            .submit(request)
            .map_err(|error| anyhow!("{error}"))?;
        answer.blocking_recv()??;
        Ok(())
    }
}

/// One writer or reader.
struct Caller<'a> {
    store: &'a Sokhoe,
    random: Random,
    payload: [u8; PAYLOAD_BYTES],
}

impl Client for Caller<'_> {
    fn append(&mut self, people: &[usize]) -> anyhow::Result<()> {
        let mut plans = Vec::with_capacity(people.len());
        let mut drafts = Vec::with_capacity(people.len());
        let count = u16::try_from(people.len())?;
        let batch_id = self.random.number() | 1;
        for (index, person) in (0..count).zip(people) {
            self.random.fill(&mut self.payload);
            let person = self.store.person(*person)?;
            let (plan, mut header, bytes) =
                self.store
                    .prepare(self.random.id(), person, &self.payload)?;
            header.batch = (count > 1).then_some(Batch {
                id: batch_id,
                index,
                count,
            });
            plans.push(plan);
            drafts.push(Draft::new(&header, bytes)?);
        }
        self.store.submit(plans, drafts)
    }

    /// Reads the frames, which checks them, and opens every payload, which checks it against its commitment.
    fn read(&mut self, person: usize) -> anyhow::Result<usize> {
        let stream = StreamId(self.store.person(person)?.into_bytes());
        let key = self.store.vault.stream_key(stream)?;
        let frames = self.store.reader.read_stream(&stream)?;
        for frame in &frames {
            self.store
                .vault
                .unseal(&key, &frame.header, &frame.payload)?;
        }
        Ok(frames.len())
    }
}

impl Store for Sokhoe {
    fn name(&self) -> &'static str {
        "Sokhoe"
    }

    fn people(&self) -> usize {
        self.people.len()
    }

    fn client(&self, seed: u64) -> anyhow::Result<Box<dyn Client + '_>> {
        Ok(Box::new(Caller {
            store: self,
            random: Random::from_seed(seed),
            payload: [0; PAYLOAD_BYTES],
        }))
    }

    fn appended(&self) -> (f64, Option<f64>) {
        let metrics = self.reader.metrics();
        (metrics.bytes as f64, Some(metrics.syncs as f64))
    }
}

impl std::fmt::Debug for Sokhoe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sokhoe").finish_non_exhaustive()
    }
}

/// Registers people and makes their streams' keys.
fn register(people: usize, registry: &Registry, vault: &Vault) -> anyhow::Result<Arc<[PersonId]>> {
    let mut random = Random::from_seed(2);
    let people: Vec<PersonId> = (0..people)
        .map(|_| PersonId::from_bytes(random.id()))
        .collect();
    for part in people.chunks(10_000) {
        for person in part {
            let registered = Change::Registered {
                person: *person,
                identifiers: Vec::new(),
            };
            registry.apply(&[registered], 1)?;
            vault.new_stream(StreamId(person.into_bytes()))?;
        }
        vault.persist_pending()?;
    }
    Ok(people.into())
}

/// Signs the tree's head and puts event ids on the disk now and then, as `commands` does.
fn sign(vault: Arc<Vault>, reader: Reader, registry: Arc<Registry>) -> anyhow::Result<Signing> {
    let (stop, stopped) = mpsc::channel();
    let signer = vault.secrets().signer(&reader.meta().origin)?;
    let thread = std::thread::Builder::new()
        .name("signer".into())
        .spawn(move || {
            while stopped.recv_timeout(SIGN_EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
                let (size, root) = reader.tree_head();
                let note = Checkpoint::new(&reader.meta().origin, size, root).sign(&signer);
                let written = note.map(|note| reader.write_checkpoint(&note.to_string()));
                let settled = registry.settle_ids(size, false);
                if !matches!((written, settled), (Ok(Ok(())), Ok(()))) {
                    return;
                }
            }
        })?;
    Ok(Signing {
        stop: Some(stop),
        thread: Some(thread),
    })
}
