//! What the server serves: the write side, the read side, and the key that tokens are verified with.
//!
//! The seam between routes and the crates below: routes ask here how things stand, and refusals become problems here.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use sokhoe_access::{Filter, Issuer, Principal, Verifier};
use sokhoe_catalogue::{FileError, ListIdentity, LoadSpec, ReadReport};
use sokhoe_commands::{
    BlobReceipt, Commands, Commitment, ContentDigest, KeepError, Receipt, Refusal, Submission,
};
use sokhoe_projections::{AsOf, Facts, Found, HistoryPage, ReadError, RecordView, Shown, Views};
use sokhoe_record::{
    EventId, Identifier, Incoming, Instant, Kind as EventKind, PartialDate, PersonId,
    RecordedEvent, Sex,
};
use sokhoe_storage::{Clock, Damage, Frame, LogStatus, Position, TreeStore};
use tokio::sync::OwnedSemaphorePermit;

use crate::error::{Kind, Problem};
use crate::routes::unreadable;
use crate::search::Wanted;

/// Everything the server needs from its owner.
#[derive(Debug, Clone)]
pub struct App {
    commands: Commands,
    views: Views,
    verifier: Verifier,
    clock: Clock,
}

/// People that one search finds at most; more means that more must be said.
const HITS_MAX: usize = 50;

/// How things stand, for `/readyz` and the metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Why the writer takes no more; `None` while it does.
    pub(crate) writer_stopped: Option<Cow<'static, str>>,
    /// Whether the log has grown beyond its stored checkpoint because no newer one can be stored.
    pub(crate) checkpoint_late: bool,
    /// The last durable position.
    pub(crate) durable: u64,
    /// The position that reads have reached.
    pub(crate) reached: u64,
    /// The log's end found at start, which reads must reach to be ready.
    pub(crate) ready_at: u64,
    /// Whether reads stopped following the log.
    pub(crate) views_stopped: bool,
    /// Requests that wait for the writer.
    pub(crate) queued: usize,
}

impl App {
    /// Serves an open house; tokens are those of its built-in issuer.
    #[must_use]
    pub fn new(commands: Commands, views: Views) -> Self {
        let opener = commands.opener();
        let verifier = Issuer::from_seed(&opener.vault().secrets().issuer_seed()).verifier();
        let clock = commands.settings().clock.clone();
        Self {
            commands,
            views,
            verifier,
            clock,
        }
    }

    pub(crate) fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    pub(crate) fn now_us(&self) -> i64 {
        self.clock.now_us()
    }

    pub(crate) fn now_s(&self) -> i64 {
        self.clock.now_us().div_euclid(1_000_000)
    }

    pub(crate) fn commands(&self) -> &Commands {
        &self.commands
    }

    pub(crate) fn views(&self) -> &Views {
        &self.views
    }

    pub(crate) fn standing(&self) -> Standing {
        let durable = self.commands.opener().reader().position().get();
        Standing {
            writer_stopped: stopped_because(&self.commands.status()),
            checkpoint_late: self.commands.checkpoint_late(),
            durable,
            reached: self.views.position(),
            ready_at: self.views.ready_at(),
            views_stopped: self.views.failed(),
            queued: self.commands.queue().0,
        }
    }

    /// Returns the latest signed checkpoint; `None` before the first.
    pub(crate) async fn checkpoint(&self) -> Option<String> {
        let reader = self.commands.opener().reader().clone();
        let read = tokio::task::spawn_blocking(move || reader.checkpoint_note());
        read.await.ok()?.ok()
    }

    pub(crate) async fn submit(
        &self,
        principal: &Principal,
        incoming: Incoming,
        content: ContentDigest,
    ) -> Result<Receipt, Problem> {
        self.commands
            .submit(principal, incoming, content)
            .await
            .map_err(Problem::from)
    }

    pub(crate) fn submission(&self, principal: &Principal) -> Submission {
        self.commands.submission(principal.clone())
    }

    pub(crate) async fn submit_atomic(
        &self,
        principal: &Principal,
        events: Vec<(Incoming, ContentDigest)>,
    ) -> Result<Vec<Receipt>, (usize, Problem)> {
        let taken = self.commands.submit_atomic(principal, events).await;
        taken.map_err(|(index, refusal)| (index, refusal.into()))
    }

    pub(crate) async fn keep_blob(
        &self,
        principal: &Arc<Principal>,
        content: Bytes,
    ) -> Result<BlobReceipt, Problem> {
        let (commands, principal) = (self.commands.clone(), Arc::clone(principal));
        let kept = tokio::task::spawn_blocking(move || commands.put_blob(&principal, &content));
        let kept = kept.await.map_err(|error| Problem::internal(&error))?;
        kept.map_err(Problem::from)
    }

    /// Returns the kind of a stored event.
    pub(crate) fn kind_of(&self, event: EventId) -> Result<EventKind, Problem> {
        match self.commands.opener().by_id(event) {
            Ok(Some(opened)) => Ok(opened.stored.event.kind()),
            Ok(None) => Err(Problem::not_found()),
            Err(error) if error.erased() => Err(Refusal::Gone.into()),
            Err(error) => Err(Problem::internal(&error)),
        }
    }

    /// Derives ids from a source's names, the same for ever under this log's keys.
    pub(crate) fn derive(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.commands.derive(parts)
    }

    /// Finds people within what the filter lets be found.
    /// `anybody` finds by an identifier beyond that.
    pub(crate) async fn search(
        &self,
        filter: Filter,
        anybody: bool,
        wanted: Wanted,
    ) -> Result<Vec<Hit>, Problem> {
        self.off_thread(move |app| match &wanted {
            Wanted::Identifier(identifier) => Ok(app.by_identifier(&filter, anybody, identifier)),
            Wanted::Demographics(query) => {
                let found = app.views.search(&filter, query, HITS_MAX);
                Ok(found.into_iter().map(Hit::from).collect())
            }
        })
        .await
    }

    fn by_identifier(&self, filter: &Filter, anybody: bool, identifier: &Identifier) -> Vec<Hit> {
        let Some(person) = self.commands.find(identifier) else {
            return Vec::new();
        };
        let survivor = self.survivor(person);
        let members = self.commands.opener().registry().members(survivor, None);
        let visited = |facility: &str| {
            let mut all = members.iter().chain([&survivor]);
            all.any(|member| self.views.has_visited(*member, facility))
        };
        let visible = match filter {
            _ if anybody => true,
            Filter::All => true,
            Filter::OnlyFacility(facility) => visited(facility),
            Filter::Shared(sight) => visited(sight.facility()),
        };
        visible
            .then(|| Hit::of_identifier(survivor))
            .into_iter()
            .collect()
    }

    /// Returns the person whose record holds this one's entries: another after a merge.
    pub(crate) fn survivor(&self, person: PersonId) -> PersonId {
        self.commands
            .opener()
            .registry()
            .survivor(person, None)
            .unwrap_or(person)
    }

    pub(crate) async fn record(
        &self,
        filter: Filter,
        person: PersonId,
        as_of: AsOf,
    ) -> Result<Option<RecordView>, Problem> {
        if as_of == AsOf::Now
            && let Some(view) = self.views.finished_record(&filter, person)
        {
            return Ok(Some(view));
        }
        self.off_thread(move |app| app.views.record(&filter, person, as_of).map_err(unread))
            .await
    }

    pub(crate) async fn history(
        &self,
        filter: Filter,
        person: PersonId,
        page: (u64, usize),
    ) -> Result<Option<HistoryPage>, Problem> {
        let read = move |app: &Self| app.views.history(&filter, person, AsOf::Now, page);
        self.off_thread(move |app| read(app).map_err(unread)).await
    }

    pub(crate) async fn at_least(&self, position: u64, timeout: Duration) -> Result<(), Problem> {
        self.views.at_least(position, timeout).await.map_err(unread)
    }

    /// Returns a stored event of some person, for whoever may then be shown it.
    pub(crate) async fn event(&self, id: EventId) -> Result<Option<RecordedEvent>, Problem> {
        self.off_thread(move |app| app.views.event(id).map_err(unread))
            .await
    }

    /// Returns what a decision about a person needs, as of now or a position.
    pub(crate) async fn facts_at(
        &self,
        person: PersonId,
        at: Option<u64>,
    ) -> Result<Option<Facts>, Problem> {
        self.off_thread(move |app| app.views.facts(person, at).map_err(unread))
            .await
    }

    /// Returns the position of a moment, which must be there.
    pub(crate) async fn position_of(&self, at: AsOf) -> Result<u64, Problem> {
        self.off_thread(move |app| app.views.position_of(at).map_err(unread))
            .await
    }

    /// Returns the time of a moment: of a position, when its event was recorded.
    pub(crate) async fn moment(&self, at: AsOf) -> Result<Instant, Problem> {
        match at {
            AsOf::Now => Ok(Instant::from_micros(self.now_us())),
            AsOf::Time(time) => Ok(time),
            AsOf::Position(position) => {
                let read = move |app: &Self| {
                    let reader = app.commands.opener().reader();
                    let frame = reader.read_position(Position::new(position));
                    frame.map_err(|error| Problem::internal(&error))
                };
                let frame = self.off_thread(read).await?;
                Ok(Instant::from_micros(frame.header.recorded_at_us))
            }
        }
    }

    /// Returns the events of a person's record that the filter lets be seen now.
    pub(crate) async fn shown(
        &self,
        filter: Filter,
        person: PersonId,
    ) -> Result<Option<Shown>, Problem> {
        self.off_thread(move |app| app.views.shown(&filter, person).map_err(unread))
            .await
    }

    /// Makes the projections anew from the first event; the place is given back when that is done.
    pub(crate) async fn rebuild(&self, place: OwnedSemaphorePermit) -> Result<u64, Problem> {
        self.off_thread(move |app| {
            let rebuilt = app.views.rebuild().map_err(unread);
            drop(place);
            rebuilt
        })
        .await
    }

    /// Commits to all stream heads; the place is given back when that is durable.
    pub(crate) async fn commit_heads(
        &self,
        place: OwnedSemaphorePermit,
    ) -> Result<Arc<Commitment>, Problem> {
        self.off_thread(move |app| {
            let committed = app.commands.commit_heads();
            drop(place);
            committed.map_err(|error| match error {
                KeepError::NotTaken => Problem::not_reached("the log takes nothing now"),
                error => Problem::internal(&error),
            })
        })
        .await
    }

    /// Runs what needs the tree on disk, away from the threads that serve everyone.
    pub(crate) async fn with_tree<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self, &TreeStore) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        self.off_thread(move |app| {
            let tree = app.commands.tree();
            let tree = tree.map_err(|error| Problem::internal(&error))?;
            work(app, &tree)
        })
        .await
    }

    /// Returns an event as it is stored, whoever's it is.
    pub(crate) async fn stored(&self, id: EventId) -> Result<Option<Frame>, Problem> {
        let read = move |app: &Self| app.commands.stored(id);
        self.off_thread(move |app| read(app).map_err(|error| Problem::internal(&error)))
            .await
    }

    /// Reads a code list, stores it in the data folder and puts it in force.
    pub(crate) async fn load_list(
        &self,
        spec: LoadSpec,
        csv: Bytes,
        place: OwnedSemaphorePermit,
    ) -> Result<(ListIdentity, ReadReport), Problem> {
        self.off_thread(move |app| {
            let read = sokhoe_catalogue::load(&spec, "the list", csv.as_ref());
            let (loaded, report) = read.map_err(|error| unreadable(&error))?;
            let saved = sokhoe_catalogue::save(&app.commands.settings().data, &loaded);
            saved.map_err(|error| match error {
                FileError::TooManyFiles { files_max, .. } => {
                    let detail =
                        format!("there are {files_max} loaded lists, the most there may be");
                    Problem::new(Kind::Conflict, detail)
                }
                error => Problem::internal(&error),
            })?;
            app.commands.catalogue().add(&loaded);
            drop(place);
            Ok((loaded.identity().clone(), report))
        })
        .await
    }

    /// Runs what may wait for the disk away from the threads that serve everyone.
    pub(crate) async fn off_thread<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Self) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let app = self.clone();
        let read = tokio::task::spawn_blocking(move || read(&app)).await;
        read.map_err(|error| Problem::internal(&error))?
    }
}

/// A person that a search found.
#[derive(Debug, Serialize)]
pub(crate) struct Hit {
    pub(crate) person_id: PersonId,
    /// What fitted: the `identifier`, all that was said (`whole`), or `part` of the name.
    r#match: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    birth_date: Option<PartialDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sex: Option<Sex>,
}

impl Hit {
    const fn of_identifier(person_id: PersonId) -> Self {
        Self {
            person_id,
            r#match: "identifier",
            name: None,
            birth_date: None,
            sex: None,
        }
    }
}

impl From<Found> for Hit {
    fn from(found: Found) -> Self {
        Self {
            person_id: found.person_id,
            r#match: if found.whole { "whole" } else { "part" },
            name: Some(found.name),
            birth_date: found.birth_date,
            sex: found.sex,
        }
    }
}

fn unread(error: ReadError) -> Problem {
    match error {
        ReadError::NotThere { durable, .. } => Problem::new(
            Kind::BadRequest,
            format!("the record as of then is not there yet: the log ends at position {durable}"),
        ),
        ReadError::TooLate { reached, .. } => {
            Problem::not_reached(format!("reads have reached position {reached}; ask again"))
        }
        error => Problem::internal(&error),
    }
}

/// Says why no events are taken, without names of files.
fn stopped_because(status: &LogStatus) -> Option<Cow<'static, str>> {
    Some(match status {
        LogStatus::Open => return None,
        LogStatus::ReadOnly => "the log is open for reading only".into(),
        LogStatus::Closed => "the log is closed".into(),
        LogStatus::Stopped(failure) if failure.no_space() => {
            "the disk is full: make room, then restart the server".into()
        }
        LogStatus::Stopped(_) => {
            "a write or sync failed; see the server's log, then restart the server".into()
        }
        LogStatus::Damaged(damage) => damaged_because(damage).into(),
    })
}

fn damaged_because(damage: &Damage) -> String {
    let what = match damage.file.as_str() {
        "checkpoint" => "the stored checkpoint",
        _ => "the log",
    };
    let place = damage
        .position
        .map(|position| format!(" at position {position}"));
    let place = place.unwrap_or_default();
    format!("{what} is damaged{place}; keep the disk as it is and run sokhoe verify")
}
