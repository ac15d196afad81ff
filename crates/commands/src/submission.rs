//! Taking events in order: one, many with answers as they become durable, or all together.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sokhoe_access::Principal;
use sokhoe_record::{Data, EventId, Incoming, Instant};
use sokhoe_registry::{Digests, Registry};
use sokhoe_storage::{SubmitError, Submitter};
use tokio::sync::{OwnedSemaphorePermit, TryAcquireError, oneshot};

use crate::content::ContentDigest;
use crate::house::House;
use crate::lookup::{LookedUp, look_up, named_event};
use crate::opening::UnsealError;
use crate::prepare::{Circumstances, Prepared, into_drafts, prepare};
use crate::receipt::Receipt;
use crate::refusal::Refusal;
use crate::stage::{Decision, Plan, Reply, Request, Undecided, withdraw};

/// Lines of one submission that may wait for their answers at once.
const WAITING_MAX: usize = 4096;

/// Requests handed to the writer together.
const UNSENT_MAX: usize = 64;
/// Sealed bytes of them, after which they are handed over.
const UNSENT_BYTES_MAX: usize = 256 << 10;

/// How long a position that the writer gave out may take to become durable, a stalled disk included.
const DURABLE_WAIT_MAX: Duration = Duration::from_secs(30);

/// What tells a retry: the event's id and what was received.
#[derive(Debug, Clone, Copy)]
struct Identity {
    event_id: EventId,
    content: ContentDigest,
}

/// An event on its way.
#[derive(Debug)]
enum Line {
    Answered(Result<Receipt, Refusal>),
    Queued(oneshot::Receiver<Decision>, Identity),
    Taken(u64, Identity),
}

/// Whether a full queue turns an event away or makes it wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenFull {
    Refuse,
    Wait,
}

/// Events of one sender, taken in order and answered in order.
///
/// Push events, ask for answers; an answer comes once its event is durable. A full queue makes
/// `push` wait, and so the sender.
#[derive(Debug)]
pub struct Submission {
    house: Arc<House>,
    principal: Principal,
    lines: VecDeque<Line>,
    unsent: Unsent,
}

/// Requests of many callers on their way to the writer.
///
/// Waking the writer costs a system call, and each of many readers brings one request: those that come while the runtime
/// has others to serve go together.
#[derive(Debug)]
pub(crate) struct Gathered {
    submitter: Submitter<Vec<Request>>,
    registry: Arc<Registry>,
    waiting: Mutex<Vec<Request>>,
}

/// Hands over everything that is waiting, at the latest when it is dropped.
struct Bunch(Arc<Gathered>);

impl Drop for Bunch {
    fn drop(&mut self) {
        let waiting = std::mem::take(&mut *self.0.lock());
        self.0.hand_over(waiting);
    }
}

impl Gathered {
    pub(crate) fn new(submitter: Submitter<Vec<Request>>, registry: Arc<Registry>) -> Self {
        Self {
            submitter,
            registry,
            waiting: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Request>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a request over with those of others that are ready by the time the runtime comes back to it.
    pub(crate) fn add(self: &Arc<Self>, request: Request) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            self.hand_over(vec![request]);
            return;
        };
        let mut waiting = self.lock();
        waiting.push(request);
        let first = waiting.len() == 1;
        drop(waiting);
        if first {
            // A runtime that ends drops it, which hands over too.
            let bunch = Bunch(Arc::clone(self));
            runtime.spawn(async move {
                tokio::task::yield_now().await;
                drop(bunch);
            });
        }
    }

    fn hand_over(&self, requests: Vec<Request>) {
        if requests.is_empty() {
            return;
        }
        let Err(error) = self.submitter.submit(requests) else {
            return;
        };
        let full = matches!(error, SubmitError::Full(_));
        for request in error.into_request() {
            withdraw(&self.registry, &request.plans);
            let _ = request.reply.sender.send(Err(if full {
                Undecided::Refused(0, Refusal::Busy)
            } else {
                Undecided::Stopped
            }));
        }
    }
}

/// Requests that are to be handed to the writer together.
#[derive(Debug, Default)]
pub(crate) struct Unsent {
    pub(crate) requests: Vec<Request>,
    bytes: usize,
}

impl Submission {
    pub(crate) fn new(house: Arc<House>, principal: Principal) -> Self {
        Self {
            house,
            principal,
            lines: VecDeque::new(),
            unsent: Unsent::default(),
        }
    }

    /// How many events wait for their answers.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lines.len()
    }

    /// Whether answers should be taken before more is pushed.
    #[must_use]
    pub fn full(&self) -> bool {
        self.lines.len() >= WAITING_MAX
    }

    /// Puts an event into the queue; waits while the queue is full.
    pub async fn push(&mut self, incoming: Incoming, content: ContentDigest) {
        if named_event(&incoming.event.data).is_some() {
            // It may name a line before it, which must be durable to be looked up.
            self.settle_all().await;
        }
        let line = self
            .house
            .queue(
                &self.principal,
                incoming,
                content,
                WhenFull::Wait,
                &mut self.unsent,
            )
            .await;
        self.lines.push_back(line);
        let full = self.unsent.requests.len() >= UNSENT_MAX;
        if full || self.unsent.bytes >= UNSENT_BYTES_MAX {
            self.house.hand_over(&mut self.unsent);
        }
    }

    /// Puts in the answer of a line that was refused before it became an event.
    pub fn refuse(&mut self, refusal: Refusal) {
        self.lines.push_back(Line::Answered(Err(refusal)));
    }

    /// Returns the next answer, in the order of the events; `None` when none is waiting.
    pub async fn next(&mut self) -> Option<Result<Receipt, Refusal>> {
        let line = self.lines.pop_front()?;
        // It may be among those that are still to be handed over; what is answered already does not hurry them.
        if matches!(&line, Line::Queued(receiver, _) if receiver.is_empty()) {
            self.house.hand_over(&mut self.unsent);
        }
        Some(self.house.answer(&self.principal, line).await)
    }

    async fn settle_all(&mut self) {
        self.house.hand_over(&mut self.unsent);
        for line in &mut self.lines {
            if !matches!(line, Line::Answered(_)) {
                let waiting = std::mem::replace(line, Line::Answered(Err(Refusal::Internal)));
                *line = Line::Answered(self.house.answer(&self.principal, waiting).await);
            }
        }
    }
}

impl Drop for Submission {
    /// What was pushed is taken, though nobody asks for the answers.
    fn drop(&mut self) {
        self.house.hand_over(&mut self.unsent);
    }
}

impl House {
    pub(crate) async fn submit(
        &self,
        principal: &Principal,
        incoming: Incoming,
        content: ContentDigest,
    ) -> Result<Receipt, Refusal> {
        let mut unsent = Unsent::default();
        let line = self
            .queue(principal, incoming, content, WhenFull::Refuse, &mut unsent)
            .await;
        self.hand_over(&mut unsent);
        self.answer(principal, line).await
    }

    async fn queue(
        &self,
        principal: &Principal,
        incoming: Incoming,
        content: ContentDigest,
        when_full: WhenFull,
        unsent: &mut Unsent,
    ) -> Line {
        let identity = Identity {
            event_id: incoming.event.event_id,
            content,
        };
        if let Some(position) = self
            .opener
            .registry
            .taken(self.opener.event(&identity.event_id))
        {
            return Line::Taken(position, identity);
        }
        let queued = async {
            let place = self.place(when_full, unsent).await?;
            let prepared = self.prepare(principal, incoming, content).await?;
            unsent.bytes += prepared.bytes();
            let (request, receiver) = self.request(vec![prepared], place)?;
            unsent.requests.push(request);
            Ok(receiver)
        };
        match queued.await {
            Ok(receiver) => Line::Queued(receiver, identity),
            Err(refusal) => Line::Answered(Err(refusal)),
        }
    }

    pub(crate) async fn place(
        &self,
        when_full: WhenFull,
        unsent: &mut Unsent,
    ) -> Result<OwnedSemaphorePermit, Refusal> {
        match (Arc::clone(&self.places).try_acquire_owned(), when_full) {
            (Ok(place), _) => Ok(place),
            (Err(TryAcquireError::Closed), _) => Err(Refusal::Stopped),
            (Err(TryAcquireError::NoPermits), WhenFull::Refuse) => Err(Refusal::Busy),
            (Err(TryAcquireError::NoPermits), WhenFull::Wait) => {
                // Nobody may wait for a place while holding some that only the writer gives back.
                self.hand_over(unsent);
                let place = Arc::clone(&self.places).acquire_owned().await;
                place.map_err(|_| Refusal::Stopped)
            }
        }
    }

    async fn prepare(
        &self,
        principal: &Principal,
        incoming: Incoming,
        content: ContentDigest,
    ) -> Result<Prepared, Refusal> {
        let looked_up = match named_event(&incoming.event.data) {
            Some((id, _)) => {
                if let Some(position) = self.opener.registry.taken(self.opener.event(&id)) {
                    self.durable_at(position).await?;
                }
                look_up(&self.opener, &incoming.event.data)?
            }
            None => LookedUp::default(),
        };
        if let Some(digest) = named_blob(&incoming.event.data)
            && !self.has_blob(digest)
        {
            let detail = "expected the digest of content that was sent to /v1/blobs before";
            return Err(Refusal::field("/data/digest", "unknown_blob", detail));
        }
        let catalogue = self.catalogue.load();
        let now_us = self.clock.now_us();
        let around = Circumstances {
            principal,
            now_us,
            catalogue: &catalogue,
        };
        prepare(&self.opener, around, incoming, content, &looked_up)
    }

    /// Makes what the writer decides as one of prepared events.
    pub(crate) fn request(
        &self,
        prepared: Vec<Prepared>,
        place: OwnedSemaphorePermit,
    ) -> Result<(Request, oneshot::Receiver<Decision>), Refusal> {
        let (plans, drafts) = into_drafts(prepared).map_err(|(plans, refusal)| {
            withdraw(&self.opener.registry, &plans);
            refusal
        })?;
        let (sender, receiver) = oneshot::channel();
        let runtime = tokio::runtime::Handle::try_current().ok();
        let reply = Reply { sender, runtime };
        let request = Request {
            plans,
            drafts,
            reply,
            place,
        };
        Ok((request, receiver))
    }

    /// Hands requests to the writer; where it takes none, their answers say why.
    pub(crate) fn hand_over(&self, unsent: &mut Unsent) {
        let Unsent { requests, .. } = std::mem::take(unsent);
        self.gathered.hand_over(requests);
    }

    async fn answer(&self, principal: &Principal, line: Line) -> Result<Receipt, Refusal> {
        match line {
            Line::Answered(answer) => answer,
            Line::Taken(position, identity) => self.compare(principal, position, identity).await,
            Line::Queued(receiver, identity) => match receiver.await {
                Ok(Ok(mut receipts)) => receipts.pop().ok_or(Refusal::Internal),
                Ok(Err(Undecided::Refused(_, refusal))) => Err(refusal),
                Ok(Err(Undecided::Taken(_, position))) => {
                    self.compare(principal, position, identity).await
                }
                Ok(Err(Undecided::Stopped)) | Err(_) => Err(Refusal::Stopped),
            },
        }
    }

    /// Tells a retry, which gets the first receipt again, from another event with the same id.
    async fn compare(
        &self,
        principal: &Principal,
        position: u64,
        identity: Identity,
    ) -> Result<Receipt, Refusal> {
        self.durable_at(position).await?;
        let found = match self.opener.by_position(position) {
            Ok(found) => found,
            Err(error) if error.erased() => return Err(Refusal::Gone),
            Err(error) => return Err(unreadable(&error)),
        };
        if found.stored.content != identity.content.sent_by(&principal.sender) {
            return Err(Refusal::IdTaken);
        }
        Ok(Receipt {
            event_id: identity.event_id,
            person_id: found.person(),
            version: found.version,
            position,
            hash: found.hash,
            recorded_at: Instant::from_micros(found.recorded_at_us),
            duplicate: true,
        })
    }

    /// Takes all events or none. Events that were taken before, alike, count as taken.
    pub(crate) async fn submit_atomic(
        &self,
        principal: &Principal,
        events: Vec<(Incoming, ContentDigest)>,
    ) -> Result<Vec<Receipt>, (usize, Refusal)> {
        let identities: Vec<Identity> = events
            .iter()
            .map(|(incoming, content)| Identity {
                event_id: incoming.event.event_id,
                content: *content,
            })
            .collect();
        let repeats = repeats(&identities)?;
        let mut receipts: Vec<Option<Receipt>> = Vec::with_capacity(events.len());
        for (index, identity) in identities.iter().enumerate() {
            let taken = self
                .opener
                .registry
                .taken(self.opener.event(&identity.event_id));
            receipts.push(match taken {
                Some(position) => {
                    let same = self.compare(principal, position, *identity).await;
                    Some(same.map_err(|refusal| (index, refusal))?)
                }
                None => None,
            });
        }
        let new: Vec<usize> = (0..events.len())
            .filter(|index| matches!(receipts.get(*index), Some(None)))
            .filter(|index| !repeats.contains_key(index))
            .collect();
        let prepared = self.prepare_all(principal, events, &new).await?;
        if !new.is_empty() {
            let fresh = self
                .send_all(principal, &new, prepared, &identities)
                .await?;
            for (index, receipt) in new.into_iter().zip(fresh) {
                if let Some(slot) = receipts.get_mut(index) {
                    *slot = Some(receipt);
                }
            }
        }
        for (index, first) in repeats {
            let receipt = receipts.get(first).cloned().flatten();
            if let Some(slot) = receipts.get_mut(index) {
                *slot = receipt.map(|receipt| Receipt {
                    duplicate: true,
                    ..receipt
                });
            }
        }
        receipts
            .into_iter()
            .map(|receipt| receipt.ok_or((0, Refusal::Internal)))
            .collect()
    }

    /// Prepares the events at the given indexes; when one is refused, nothing stays announced.
    async fn prepare_all(
        &self,
        principal: &Principal,
        events: Vec<(Incoming, ContentDigest)>,
        new: &[usize],
    ) -> Result<Vec<Prepared>, (usize, Refusal)> {
        let mut prepared: Vec<Prepared> = Vec::with_capacity(new.len());
        for (index, (incoming, content)) in events.into_iter().enumerate() {
            if new.binary_search(&index).is_err() {
                continue;
            }
            match self.prepare(principal, incoming, content).await {
                Ok(event) => prepared.push(event),
                Err(refusal) => {
                    let plans: Vec<Plan> = prepared.into_iter().map(|event| event.plan).collect();
                    withdraw(&self.opener.registry, &plans);
                    return Err((index, refusal));
                }
            }
        }
        Ok(prepared)
    }

    async fn send_all(
        &self,
        principal: &Principal,
        new: &[usize],
        prepared: Vec<Prepared>,
        identities: &[Identity],
    ) -> Result<Vec<Receipt>, (usize, Refusal)> {
        let at = |index: usize| new.get(index).copied().unwrap_or(0);
        let first = |refusal| (at(0), refusal);
        let mut unsent = Unsent::default();
        let place = self.place(WhenFull::Refuse, &mut unsent).await;
        let (request, receiver) = self
            .request(prepared, place.map_err(first)?)
            .map_err(first)?;
        unsent.requests.push(request);
        self.hand_over(&mut unsent);
        match receiver.await {
            Ok(Ok(receipts)) => Ok(receipts),
            Ok(Err(Undecided::Refused(index, refusal))) => Err((at(index), refusal)),
            Ok(Err(Undecided::Taken(index, position))) => {
                // Somebody took the id meanwhile: a retry of the whole batch will see which.
                let index = at(index);
                let refusal = match identities.get(index) {
                    Some(identity) => match self.compare(principal, position, *identity).await {
                        Ok(_) => Refusal::Busy,
                        Err(refusal) => refusal,
                    },
                    None => Refusal::Internal,
                };
                Err((index, refusal))
            }
            Ok(Err(Undecided::Stopped)) | Err(_) => Err((at(0), Refusal::Stopped)),
        }
    }

    /// Waits until a position that the writer has given out is durable.
    pub(crate) async fn durable_at(&self, position: u64) -> Result<(), Refusal> {
        let mut durable = self.durable.clone();
        let reader = &self.opener.reader;
        // A log that stops tells of it here too; nothing becomes durable any more.
        let settled = durable.wait_for(|durable| *durable >= position || !reader.status().open());
        let reached = match tokio::time::timeout(DURABLE_WAIT_MAX, settled).await {
            Ok(Ok(durable)) => *durable >= position,
            Ok(Err(_)) | Err(_) => false,
        };
        if reached {
            Ok(())
        } else {
            Err(Refusal::Stopped)
        }
    }
}

/// Finds events that stand twice in one request: the index of each repetition, and of its first.
///
/// # Errors
/// Where two have one id and different contents, the index of the second.
fn repeats(identities: &[Identity]) -> Result<HashMap<usize, usize>, (usize, Refusal)> {
    let mut first = HashMap::with_capacity(identities.len());
    let mut repeats = HashMap::new();
    for (index, identity) in identities.iter().enumerate() {
        match first.entry(identity.event_id) {
            Entry::Vacant(new) => {
                new.insert((index, identity.content));
            }
            Entry::Occupied(before) if before.get().1 == identity.content => {
                repeats.insert(index, before.get().0);
            }
            Entry::Occupied(_) => return Err((index, Refusal::IdTaken)),
        }
    }
    Ok(repeats)
}

fn named_blob(data: &Data) -> Option<&str> {
    match data {
        Data::DocumentAttached(data) => data.digest.as_deref(),
        Data::ResourceKept(data) => data.digest.as_deref(),
        _ => None,
    }
}

fn unreadable(error: &UnsealError) -> Refusal {
    tracing::error!(error = %crate::chain_of(error), "a stored event could not be opened");
    Refusal::Internal
}
