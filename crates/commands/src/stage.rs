//! What the log's writer decides for each request, in log order, and acknowledges once it is durable.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sokhoe_chain::{EventKey, StreamId};
use sokhoe_record::{EventId, Instant, Kind, PersonId};
use sokhoe_registry::{Change, Refused, Registry};
use sokhoe_storage::{BeforeSync, Draft, Group, Stage, Stamped, WriteFailure};
use sokhoe_vault::Vault;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::receipt::Receipt;
use crate::refusal::Refusal;

/// What the writer must know to decide about one event.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) event_id: EventId,
    pub(crate) kind: Kind,
    pub(crate) key: EventKey,
    /// Whose record it belongs to; `None` for system streams.
    pub(crate) person: Option<PersonId>,
    /// Whether the registry knew the person when the event was prepared; nobody is ever taken out of it.
    pub(crate) known: bool,
    pub(crate) changes: Vec<Change>,
    pub(crate) expected_version: Option<u64>,
    /// One, or two for what stands in both streams of a merge.
    pub(crate) frame_count: u64,
}

impl Plan {
    pub(crate) fn registers(&self) -> bool {
        matches!(self.changes.first(), Some(Change::Registered { .. }))
    }

    /// Where the event states a birth or a death.
    fn date_pointer(&self) -> &'static str {
        match self.kind {
            Kind::PersonDied => "/data/died_on",
            Kind::CorrectionMade => "/data/replacement",
            _ => "/data/birth_date",
        }
    }
}

/// Why the writer did not take a request.
#[derive(Debug)]
pub(crate) enum Undecided {
    /// The event at this index is refused.
    Refused(usize, Refusal),
    /// The id of the event at this index is taken by the event at this position.
    Taken(usize, u64),
    /// The log has stopped; whether the request is on disk is unknown.
    Stopped,
}

/// What a request comes to.
pub(crate) type Decision = Result<Vec<Receipt>, Undecided>;

/// Where the answer goes, and the runtime that waits for it, if one does.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) sender: oneshot::Sender<Decision>,
    pub(crate) runtime: Option<tokio::runtime::Handle>,
}

/// Events to take together or not at all.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) plans: Vec<Plan>,
    /// The frames of all plans in their order.
    pub(crate) drafts: Vec<Draft>,
    pub(crate) reply: Reply,
    /// A place in the queue, given back once the request is decided.
    pub(crate) place: OwnedSemaphorePermit,
}

/// Hands the answers of a group to the runtime in bunches.
///
/// Waking each waiting task from the log's own thread costs a system call apiece; a task of the
/// runtime wakes the others for next to nothing.
#[derive(Debug, Default)]
pub(crate) struct Landing {
    landed: Mutex<Vec<(oneshot::Sender<Decision>, Decision)>>,
}

impl Landing {
    fn land(self: &Arc<Self>, reply: Reply, decision: Decision) {
        let Some(runtime) = reply.runtime else {
            let _ = reply.sender.send(decision);
            return;
        };
        let first = {
            let mut landed = self.lock();
            landed.push((reply.sender, decision));
            landed.len() == 1
        };
        if first {
            // Answers when it is run, and also when a runtime that ends drops it, even at once.
            let bunch = Bunch(Arc::clone(self));
            runtime.spawn(async move { drop(bunch) });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(oneshot::Sender<Decision>, Decision)>> {
        self.landed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers everything that has landed, at the latest when it is dropped.
struct Bunch(Arc<Landing>);

impl Drop for Bunch {
    fn drop(&mut self) {
        let landed = std::mem::take(&mut *self.0.lock());
        for (reply, decision) in landed {
            let _ = reply.send(decision);
        }
    }
}

/// The write side's part in the commit.
#[derive(Debug)]
pub(crate) struct Decide {
    pub(crate) registry: Arc<Registry>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) landing: Arc<Landing>,
}

impl Stage for Decide {
    /// Requests that came together, each decided by itself: handing over many at once wakes the writer once.
    type Request = Vec<Request>;

    fn decide(&mut self, requests: Vec<Request>, group: &mut Group<'_>) {
        for request in requests {
            group.begin_request();
            self.decide_one(request, group);
        }
    }

    fn before_sync(&mut self) -> Option<BeforeSync> {
        let vault = Arc::clone(&self.vault);
        Some(Box::new(move || {
            vault.persist_pending().map_err(Into::into)
        }))
    }

    fn refuse(&mut self, requests: Vec<Request>, _because: &WriteFailure) {
        for request in requests {
            withdraw(&self.registry, &request.plans);
            let _ = request.reply.sender.send(Err(Undecided::Stopped));
        }
    }
}

impl Decide {
    fn decide_one(&self, request: Request, group: &mut Group<'_>) {
        let Request {
            plans,
            drafts,
            reply,
            place,
        } = request;
        drop(place);
        let admitted = self.admit(&plans, group);
        withdraw(&self.registry, &plans);
        if let Err(undecided) = admitted {
            let _ = reply.sender.send(Err(undecided));
            return;
        }
        let mut stamped = Vec::with_capacity(drafts.len());
        if let Err(error) = group.append(&drafts, &mut stamped) {
            // Sizes are checked before the queue, so this is a bug. Nothing was written; the ids stay
            // taken until the next start, which is the safe side.
            tracing::error!(%error, "a checked request does not fit a commit group");
            let _ = reply
                .sender
                .send(Err(Undecided::Refused(0, Refusal::Internal)));
            return;
        }
        let receipts = receipts(&plans, &stamped);
        let landing = Arc::clone(&self.landing);
        group.on_durable(move |outcome| {
            let decision = match outcome {
                Ok(_) => Ok(receipts),
                Err(_) => Err(Undecided::Stopped),
            };
            landing.land(reply, decision);
        });
    }
}

/// Takes back what registrations announced, now that they are decided or given up.
pub(crate) fn withdraw(registry: &Registry, plans: &[Plan]) {
    for plan in plans.iter().filter(|plan| plan.registers()) {
        if let Some(person) = plan.person {
            registry.withdraw(person, &plan.changes);
        }
    }
}

impl Decide {
    /// Takes ids and applies changes of all events, or of none.
    fn admit(&self, plans: &[Plan], group: &Group<'_>) -> Result<(), Undecided> {
        let mut position = group.last_position().get();
        let mut planned = Vec::with_capacity(plans.len());
        for (index, plan) in plans.iter().enumerate() {
            let before = plans.get(..index).unwrap_or_default();
            if let Err(refusal) = self.expect(plan, before, group) {
                self.give_back(before);
                return Err(Undecided::Refused(index, refusal));
            }
            if let Err(taken) = self.registry.take(plan.key, position + 1) {
                self.give_back(before);
                return Err(Undecided::Taken(index, taken));
            }
            planned.push(position + 1);
            position += plan.frame_count;
        }
        if plans.iter().all(|plan| plan.changes.is_empty()) {
            return Ok(());
        }
        let changes = plans
            .iter()
            .zip(&planned)
            .map(|(plan, at)| (plan.changes.as_slice(), *at));
        self.registry
            .apply_all(changes)
            .map_err(|(index, refused)| {
                self.give_back(plans);
                let date_pointer = plans.get(index).map_or("/data", Plan::date_pointer);
                Undecided::Refused(index, refusal_of(refused, date_pointer))
            })
    }

    /// Checks that the person is there and the record at the version that the sender expects.
    fn expect(&self, plan: &Plan, before: &[Plan], group: &Group<'_>) -> Result<(), Refusal> {
        let Some(person) = plan.person else {
            return Ok(());
        };
        let in_batch = || {
            before
                .iter()
                .any(|e| e.registers() && e.person == Some(person))
        };
        let known = plan.known || plan.registers() || self.registry.knows(person) || in_batch();
        if !known {
            return Err(unknown_person());
        }
        let Some(expected) = plan.expected_version else {
            return Ok(());
        };
        let survivor = self.registry.survivor(person, None).unwrap_or(person);
        let mut members = self.registry.members(survivor, None);
        if members.is_empty() {
            members.push(person);
        }
        let committed: u64 = members
            .iter()
            .map(|member| group.version(&record_stream(*member)))
            .sum();
        let added: u64 = before
            .iter()
            .filter(|e| e.person.is_some_and(|person| members.contains(&person)))
            .map(|e| e.frame_count)
            .sum();
        let current = committed + added;
        if current == expected {
            Ok(())
        } else {
            Err(Refusal::VersionMismatch { current })
        }
    }

    fn give_back(&self, plans: &[Plan]) {
        for plan in plans {
            self.registry.give_back(plan.key);
        }
    }
}

fn receipts(plans: &[Plan], stamped: &[Stamped]) -> Vec<Receipt> {
    let mut receipts = Vec::with_capacity(plans.len());
    let mut stamped = stamped.iter();
    for plan in plans {
        let Some(first) = stamped.next() else { break };
        if plan.frame_count == 2 {
            stamped.next();
        }
        receipts.push(Receipt {
            event_id: plan.event_id,
            person_id: plan.person,
            version: first.version,
            position: first.position.get(),
            hash: first.hash,
            recorded_at: Instant::from_micros(first.recorded_at_us),
            duplicate: false,
        });
    }
    receipts
}

fn unknown_person() -> Refusal {
    let expected = "expected a person who was registered before";
    Refusal::field("/person", "unknown_person", expected)
}

/// Says why the registry refused; `date_pointer` is where the event states a birth or a death.
fn refusal_of(refused: Refused, date_pointer: &str) -> Refusal {
    match refused {
        Refused::IdentifierTaken => Refusal::Conflict {
            because: "an identifier is already linked to another person",
        },
        Refused::UnknownPerson => unknown_person(),
        Refused::AlreadyMerged => Refusal::Conflict {
            because: "the two are the same person, or one of them is already merged",
        },
        Refused::NoSuchMerge => Refusal::Conflict {
            because: "no merge in force of this person has this event id",
        },
        Refused::DeathBeforeBirth => Refusal::field(
            date_pointer,
            "impossible_date",
            "expected a death that does not come before the birth",
        ),
    }
}

/// The stream of a person's record: it has the person's id.
#[must_use]
pub fn record_stream(person: PersonId) -> StreamId {
    StreamId(person.into_bytes())
}
