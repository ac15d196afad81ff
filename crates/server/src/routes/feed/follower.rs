//! One consumer of the feed: a position, what it may see, and when it has to end.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use sokhoe_access::{Filter, Purpose, ReadDecision, SKEW_S};
use sokhoe_projections::{Ahead, Extent, Passed, Wanted};
use sokhoe_record::{Interface, Kind as EventKind, PersonId, RecordedEvent};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep_until};

use crate::clock::steady_now;
use crate::error::{Kind, Problem};
use crate::guard::Visit;

/// How long a poll goes on reading the log for something wanted before it answers with how far it came.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(5);
/// What each follower adds to the pause in which all of them gather events: a thousand wake up 20 times a second.
const PAUSE_OF_ONE: Duration = Duration::from_micros(50);
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// People whom an answer remembers to have been written down for; beyond that it is written down again.
const WITNESSED_MAX: usize = 65_536;
/// Looks written down together.
const LOOKS_AT_ONCE: usize = 256;

/// On what terms somebody follows.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) filter: Filter,
    /// Whose record alone is shown, those merged with it included.
    pub(super) own: Option<PersonId>,
    pub(super) kinds: Vec<EventKind>,
    pub(super) with_data: bool,
    pub(super) expires_at_s: i64,
    /// The rule by which it may be followed, and why it is.
    pub(super) decision: ReadDecision,
    pub(super) purpose: Purpose,
}

/// Why a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It fell too far behind.
    TooSlow,
    /// Its token is no longer valid.
    Expired,
    /// The server stops.
    Stopping,
    /// Events cannot be read; the server's log says why.
    Failed,
}

impl Ended {
    /// The word for it, and what to do.
    pub(super) const fn says(self) -> (&'static str, &'static str) {
        match self {
            Self::TooSlow => (
                "too_slow",
                "read faster, or ask for less; go on from the last id",
            ),
            Self::Expired => ("token_expired", "go on from the last id with a new token"),
            Self::Stopping => ("stopping", "the server stops; go on from the last id later"),
            Self::Failed => ("failed", "events cannot be read; /readyz says more"),
        }
    }
}

#[derive(Debug)]
pub(super) struct Follower {
    visit: Visit,
    /// Whose records it was written down for that something of them is shown in this answer.
    witnessed: HashSet<PersonId>,
    terms: Terms,
    after: u64,
    /// Whether it had come up to the end of the log.
    live: bool,
    reached: watch::Receiver<u64>,
    closing: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

impl Follower {
    /// Takes a place among the followers.
    pub(super) fn join(visit: Visit, terms: Terms, after: u64) -> Result<Self, Problem> {
        let shared = &visit.shared;
        let place = Arc::clone(&shared.followers).try_acquire_owned();
        let place = place.map_err(|_| Problem::busy())?;
        Ok(Self {
            reached: shared.app.views().watch(),
            closing: shared.closing.clone(),
            visit,
            witnessed: HashSet::new(),
            terms,
            after,
            live: false,
            _place: place,
        })
    }

    pub(super) fn source(&self) -> &str {
        &self.visit.shared.feed_source
    }

    pub(super) const fn with_data(&self) -> bool {
        self.terms.with_data
    }

    pub(super) const fn after(&self) -> u64 {
        self.after
    }

    /// Tells whether it had come up to the end of the log when it last advanced.
    pub(super) const fn at_end(&self) -> bool {
        self.live
    }

    /// Goes back to a position before those passed last, of which not all were sent.
    pub(super) fn back_to(&mut self, position: u64) {
        self.after = position;
    }

    pub(super) fn heartbeat(&self) -> Duration {
        self.visit.shared.limits.feed_heartbeat
    }

    /// Waits for events until a time; answers with none when there are none.
    pub(super) async fn poll(&mut self, limit: usize, ends: Instant) -> Result<Passed, Problem> {
        let search_ends = ends.max(steady_now() + SEARCH_TIMEOUT);
        loop {
            let passed = self.advance(limit).await.map_err(|ended| {
                let (_, detail) = ended.says();
                Problem::new(Kind::Stopped, detail)
            })?;
            let now = steady_now();
            let done = if self.live {
                now >= ends
            } else {
                now >= search_ends
            };
            if !passed.events.is_empty() || done {
                return Ok(passed);
            }
            if self.live && self.wait(ends).await.is_err() {
                return Ok(passed);
            }
        }
    }

    /// Passes on to the next events, without waiting for any to come.
    pub(super) async fn advance(&mut self, limit: usize) -> Result<Passed, Ended> {
        self.must_end()?;
        let wanted = self.wanted();
        let views = self.visit.shared.app.views();
        let passed = match views.ahead(self.after, &wanted, limit) {
            Ahead::Here(passed) => {
                self.live = true;
                passed
            }
            Ahead::Behind => {
                let lag = self.reached.borrow().saturating_sub(self.after);
                if self.live && lag > self.visit.shared.limits.feed_lag_max {
                    return Err(Ended::TooSlow);
                }
                self.live = false;
                self.read_on(wanted, limit).await?
            }
        };
        self.after = passed.position;
        Ok(passed)
    }

    /// Reads the log; few do so at a time, since it is work.
    async fn read_on(&self, wanted: Wanted, limit: usize) -> Result<Passed, Ended> {
        let mut closing = self.closing.clone();
        let turn = tokio::select! {
            turn = Arc::clone(&self.visit.shared.feed_readers).acquire_owned() => turn,
            _ = closing.wait_for(|closing| *closing) => return Err(Ended::Stopping),
        };
        let turn = turn.map_err(|_| Ended::Stopping)?;
        let (views, after) = (self.visit.shared.app.views().clone(), self.after);
        let read = tokio::task::spawn_blocking(move || {
            let read = views.read_on(after, &wanted, limit);
            drop(turn);
            read
        });
        match read.await {
            Ok(Ok(passed)) => Ok(passed),
            Ok(Err(error)) => {
                let error = sokhoe_commands::chain_of(&error);
                tracing::error!(error, "the feed cannot read events");
                Err(Ended::Failed)
            }
            Err(_) => Err(Ended::Failed),
        }
    }

    /// Writes down for each person that something of theirs is shown, once in an answer; only then may it be sent.
    pub(super) async fn witness(&mut self, passed: &Passed) -> Result<(), Problem> {
        let mut shown: HashMap<PersonId, Vec<&RecordedEvent>> = HashMap::new();
        let new = passed.events.iter();
        for event in new.filter(|event| !self.witnessed.contains(&event.person)) {
            shown.entry(event.person).or_default().push(event);
        }
        if shown.is_empty() {
            return Ok(());
        }
        let mut looks = Vec::with_capacity(shown.len());
        for (person, events) in &shown {
            let decision = self.terms.decision.clone();
            let purpose = self.terms.purpose;
            let allowed = self
                .visit
                .allow_by(decision, purpose, *person, Interface::Feed);
            let extent = Extent::of(events.iter().copied());
            let allowed = allowed.await?;
            looks.push(self.visit.look(&allowed, &extent, passed.position, false)?);
        }
        if self.witnessed.len() + shown.len() > WITNESSED_MAX {
            self.witnessed.clear();
        }
        self.witnessed.extend(shown.keys());
        let app = &self.visit.shared.app;
        while !looks.is_empty() {
            let rest = looks.split_off(looks.len().min(LOOKS_AT_ONCE));
            app.witness(std::mem::replace(&mut looks, rest)).await?;
        }
        Ok(())
    }

    /// Waits until there may be more, or a time; gathers what comes while others are served too.
    pub(super) async fn wait(&mut self, until: Instant) -> Result<(), Ended> {
        let left_s = self
            .ends_at_s()
            .saturating_sub(self.visit.shared.app.now_s());
        let left_s = u64::try_from(left_s).unwrap_or(0);
        let until = until.min(steady_now() + Duration::from_secs(left_s.min(3600)));
        let after = self.after;
        tokio::select! {
            moved = self.reached.wait_for(|reached| *reached > after) => {
                moved.map_err(|_| Ended::Stopping)?;
            }
            _ = self.closing.wait_for(|closing| *closing) => {}
            () = sleep_until(until) => {}
        }
        self.must_end()?;
        let places = self.visit.shared.limits.feed_followers_max;
        let others = places.saturating_sub(self.visit.shared.followers.available_permits() + 1);
        let others = u32::try_from(others).unwrap_or(u32::MAX);
        let pause = PAUSE_OF_ONE.saturating_mul(others).min(PAUSE_MAX);
        sleep_until((steady_now() + pause).min(until)).await;
        Ok(())
    }

    fn must_end(&self) -> Result<(), Ended> {
        if *self.closing.borrow() {
            return Err(Ended::Stopping);
        }
        if self.visit.shared.app.now_s() >= self.ends_at_s() {
            return Err(Ended::Expired);
        }
        if self.visit.shared.app.views().failed() {
            return Err(Ended::Failed);
        }
        Ok(())
    }

    /// When its token stops to be taken at the door.
    const fn ends_at_s(&self) -> i64 {
        self.terms.expires_at_s.saturating_add(SKEW_S)
    }

    fn wanted(&self) -> Wanted {
        let registry = self.visit.shared.app.commands().opener().registry();
        let people = self.terms.own.map(|own| {
            let survivor = registry.survivor(own, None).unwrap_or(own);
            registry.members(survivor, None)
        });
        Wanted {
            filter: self.terms.filter.clone(),
            people,
            kinds: self.terms.kinds.clone(),
        }
    }
}
