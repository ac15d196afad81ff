//! Showing parts of a record: decided first, written down second, sent last.
//!
//! Every route that shows something of a person goes through here. A look, and a refusal, is durable in the person's
//! access stream before anything of the answer leaves; where it cannot be written, nothing is shown. Who asks for
//! somebody who is not there is written down under nobody's name, so that an absent person and a hidden one take the
//! same time and look the same.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use sokhoe_access::{
    Denial, EmergencyGrant, Filter, GLASS_OPEN_US, Outcome, POLICY_VERSION, PersonFacts, Principal,
    Purpose, Question, ReadDecision, RuleId, decide, may_break_glass,
};
use sokhoe_commands::Look;
use sokhoe_projections::{Extent, Facts};
use sokhoe_record::{
    AccessRefused, Data, DecidedBy, EventId, GlassBroken, Instant, Interface, Occurred, PersonId,
    RecordAccessed, Viewer,
};

use crate::app::App;
use crate::error::{Kind, Problem};
use crate::guard::{Visit, denied};
use crate::query::decode;

/// The header in which staff say why they break the glass.
const REASON: &str = "sokhoe-reason";
/// Under whose name it is written down that somebody asked for a person who is not there.
pub(crate) const NOBODY: PersonId = PersonId::from_bytes([0; 16]);
/// Broken glasses that are remembered; who is forgotten breaks it anew.
const GLASSES_MAX: usize = 10_000;

/// A read that was permitted, as far as it was.
#[derive(Debug)]
pub(crate) struct Allowed {
    /// Whose record it is: the survivor, where the person asked for is merged.
    pub(crate) person: PersonId,
    /// How much of it is seen.
    pub(crate) filter: Filter,
    purpose: Purpose,
    through: Interface,
    decided: DecidedBy,
}

/// Glasses that are broken now, by whom and for whom.
#[derive(Debug, Default)]
pub(crate) struct Glasses(Mutex<HashMap<(String, PersonId), EmergencyGrant>>);

impl Glasses {
    fn lock(&self) -> MutexGuard<'_, HashMap<(String, PersonId), EmergencyGrant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, caller: &Principal, person: PersonId, now: Instant) -> Option<EmergencyGrant> {
        let glasses = self.lock();
        let grant = glasses.get(&(caller.sender.clone(), person)).copied();
        grant.filter(|grant| now <= grant.until)
    }

    fn keep(&self, caller: &Principal, person: PersonId, grant: EmergencyGrant, now: Instant) {
        let mut glasses = self.lock();
        if glasses.len() >= GLASSES_MAX {
            glasses.retain(|_, grant| now <= grant.until);
        }
        if glasses.len() >= GLASSES_MAX {
            glasses.clear();
        }
        glasses.insert((caller.sender.clone(), person), grant);
    }
}

impl Visit {
    /// Decides what the caller sees of a person now, and breaks the glass where that is asked for.
    ///
    /// A refusal is written down before it is answered.
    pub(crate) async fn allow(
        &self,
        headers: &HeaderMap,
        purpose: Purpose,
        person: PersonId,
        through: Interface,
    ) -> Result<Allowed, Problem> {
        let caller = self.caller()?;
        let Some(facts) = self.shared.app.facts(person).await? else {
            return Err(self.unknown(headers, purpose, through).await?);
        };
        let now = Instant::from_micros(self.shared.app.now_us());
        let emergency = match purpose {
            Purpose::Emergency => self.glass(headers, &facts, through, now).await?,
            _ => None,
        };
        let own = self.own(facts.survivor);
        let decision = decide(&Question {
            principal: caller,
            purpose,
            own,
            facts: &facts.known,
            emergency,
            now,
        });
        let decided = DecidedBy {
            rules: decision.rules.iter().map(RuleId::to_string).collect(),
            directives: decision.directives.clone(),
            glass: emergency.map(|grant| grant.event),
            policy: decision.policy.to_owned(),
            position: facts.position,
        };
        let person = facts.survivor;
        match (decision.outcome, decision.filter) {
            (Outcome::Permit | Outcome::PermitWithheld(_), Some(filter)) => Ok(Allowed {
                person,
                filter,
                purpose,
                through,
                decided,
            }),
            (
                Outcome::Deny {
                    denial,
                    looks_absent,
                },
                _,
            ) => {
                self.refuse(person, purpose, through, decided).await?;
                Err(if looks_absent {
                    Problem::not_found()
                } else {
                    denied(&denial)
                })
            }
            (_, None) => Err(Problem::not_found()),
        }
    }

    /// Allows what a rule permits that looks at no directives; a refusal is written down before it is answered.
    pub(crate) async fn allow_by(
        &self,
        decision: ReadDecision,
        purpose: Purpose,
        person: PersonId,
        through: Interface,
    ) -> Result<Allowed, Problem> {
        let Some((survivor, position)) = self.shared.app.known(person) else {
            let absent = self.absent(purpose, through).await;
            return Err(match decision {
                ReadDecision::Denied(denial) if absent.kind() == Kind::NotFound => denied(&denial),
                _ => absent,
            });
        };
        let by = |rule: RuleId| DecidedBy {
            rules: vec![rule.to_string()],
            policy: POLICY_VERSION.to_owned(),
            position,
            ..DecidedBy::default()
        };
        let (rule, problem) = match decision {
            ReadDecision::Permit { rule, filter } => {
                return Ok(Allowed {
                    person: survivor,
                    filter,
                    purpose,
                    through,
                    decided: by(rule),
                });
            }
            ReadDecision::Hidden { rule } => (rule, Problem::not_found()),
            ReadDecision::Denied(denial) => (denial.rule, denied(&denial)),
        };
        let refused = self.refuse(survivor, purpose, through, by(rule));
        refused.await?;
        Err(problem)
    }

    /// Whether a record is the caller's own, before and after merges.
    pub(crate) fn own(&self, survivor: PersonId) -> bool {
        let own = self.caller().ok().and_then(|caller| caller.person);
        own.is_some_and(|own| self.shared.app.survivor(own) == survivor)
    }

    /// Writes a look down; only then may the answer leave.
    pub(crate) async fn disclose(
        &self,
        allowed: &Allowed,
        extent: &Extent,
        position: u64,
        unchanged: bool,
    ) -> Result<(), Problem> {
        let look = self.look(allowed, extent, position, unchanged)?;
        self.shared.app.witness(vec![look]).await
    }

    /// Makes what is written down of a look.
    pub(crate) fn look(
        &self,
        allowed: &Allowed,
        extent: &Extent,
        position: u64,
        unchanged: bool,
    ) -> Result<Look, Problem> {
        let data = RecordAccessed {
            viewer: self.viewer(Some(allowed.purpose))?,
            through: allowed.through,
            request: self.request_id.clone(),
            sections: extent.sections.clone(),
            entries: extent.entries,
            withheld: extent.withheld.clone(),
            unchanged,
            position,
            decided: allowed.decided.clone(),
        };
        self.written(allowed.person, data.into())
    }

    /// Writes down that nothing of a person could be shown, and returns what is answered: as if nobody were there.
    pub(crate) async fn nothing(&self, allowed: Allowed) -> Problem {
        let Allowed {
            person,
            purpose,
            through,
            decided,
            ..
        } = allowed;
        let refused = self.refuse(person, purpose, through, decided).await;
        refused.err().unwrap_or_else(Problem::not_found)
    }

    /// Writes down that somebody asked for a person who is not there.
    pub(crate) async fn absent(&self, purpose: Purpose, through: Interface) -> Problem {
        let decided = DecidedBy {
            policy: POLICY_VERSION.to_owned(),
            ..DecidedBy::default()
        };
        let refused = self.refuse(NOBODY, purpose, through, decided).await;
        refused.err().unwrap_or_else(Problem::not_found)
    }

    /// What is answered about a person who is not there: what would be answered about one of whom nothing is seen.
    async fn unknown(
        &self,
        headers: &HeaderMap,
        purpose: Purpose,
        through: Interface,
    ) -> Result<Problem, Problem> {
        let caller = self.caller()?;
        let reason = match purpose {
            Purpose::Emergency => reason(headers)?,
            _ => None,
        };
        let unbroken = reason
            .as_ref()
            .map(|reason| may_break_glass(caller, reason));
        let decision = decide(&Question {
            principal: caller,
            purpose: match reason {
                // Whoever has a reason is told what treating tells.
                Some(_) => Purpose::Treatment,
                None => purpose,
            },
            own: false,
            facts: &PersonFacts::default(),
            emergency: None,
            now: Instant::from_micros(self.shared.app.now_us()),
        });
        let absent = self.absent(purpose, through).await;
        if absent.kind() != Kind::NotFound {
            return Ok(absent);
        }
        Ok(match (unbroken, decision.outcome) {
            (Some(Err(denial)), _)
            | (
                None,
                Outcome::Deny {
                    denial,
                    looks_absent: false,
                },
            ) => denied(&denial),
            _ => absent,
        })
    }

    async fn refuse(
        &self,
        person: PersonId,
        purpose: Purpose,
        through: Interface,
        decided: DecidedBy,
    ) -> Result<(), Problem> {
        let data = AccessRefused {
            viewer: self.viewer(Some(purpose))?,
            through,
            request: self.request_id.clone(),
            decided,
        };
        let look = self.written(person, data.into())?;
        self.shared.app.witness(vec![look]).await
    }

    pub(crate) fn viewer(&self, purpose: Option<Purpose>) -> Result<Viewer, Problem> {
        let caller = self.caller()?;
        Ok(Viewer {
            id: caller.sub.clone(),
            role: caller.role.word().to_owned(),
            purpose: purpose.map(Into::into),
        })
    }

    pub(crate) fn written(&self, person: PersonId, data: Data) -> Result<Look, Problem> {
        let facility = self.caller()?.facility.clone();
        Ok(Look {
            person,
            facility,
            data,
        })
    }

    /// The glass that the caller broke for a person, breaking it now if there is none and a reason is given.
    async fn glass(
        &self,
        headers: &HeaderMap,
        facts: &Facts,
        through: Interface,
        now: Instant,
    ) -> Result<Option<EmergencyGrant>, Problem> {
        let (caller, glasses) = (self.caller()?, &self.shared.glasses);
        let person = facts.survivor;
        let broken = glasses.of(caller, person, now);
        let reason = reason(headers)?;
        let Some(reason) = reason.filter(|_| broken.is_none()) else {
            return Ok(broken);
        };
        if let Err(denial) = may_break_glass(caller, &reason) {
            return Err(self.unbroken(facts, through, &denial).await);
        }
        let until = Instant::from_micros(now.micros().saturating_add(GLASS_OPEN_US));
        let data = GlassBroken {
            viewer: self.viewer(Some(Purpose::Emergency))?,
            reason: reason.trim().to_owned(),
            until: Occurred::At(until),
            request: self.request_id.clone(),
            policy: POLICY_VERSION.to_owned(),
        };
        let look = self.written(person, data.into())?;
        let event = self.shared.app.witness_one(look).await?;
        let grant = EmergencyGrant { event, until };
        glasses.keep(caller, person, grant, now);
        Ok(Some(grant))
    }

    async fn unbroken(&self, facts: &Facts, through: Interface, denial: &Denial) -> Problem {
        let decided = DecidedBy {
            rules: vec![denial.rule.to_string()],
            policy: POLICY_VERSION.to_owned(),
            position: facts.position,
            ..DecidedBy::default()
        };
        let (person, purpose) = (facts.survivor, Purpose::Emergency);
        let refused = self.refuse(person, purpose, through, decided).await;
        refused.err().unwrap_or_else(|| denied(denial))
    }
}

/// Reads the reason for breaking the glass.
fn reason(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(REASON) else {
        return Ok(None);
    };
    let text = value.to_str().ok().and_then(decode);
    let wrong = "the header Sokhoe-Reason is percent-encoded UTF-8";
    text.map(Some)
        .ok_or_else(|| Problem::new(Kind::Purpose, wrong))
}

impl App {
    /// Returns what a decision about a person needs; `None` when nobody has that id.
    pub(crate) async fn facts(&self, person: PersonId) -> Result<Option<Facts>, Problem> {
        match self.views().facts_at_hand(person) {
            Some(facts) => Ok(facts),
            None => self.facts_at(person, None).await,
        }
    }

    /// Returns whose record a person's is, and the position that this is true at; `None` when nobody has that id.
    fn known(&self, person: PersonId) -> Option<(PersonId, u64)> {
        let opener = self.commands().opener();
        let position = opener.reader().position().get();
        let survivor = opener.registry().survivor(person, Some(position))?;
        Some((survivor, position))
    }

    /// Writes looks down; returns once they are durable.
    pub(crate) async fn witness(&self, looks: Vec<Look>) -> Result<(), Problem> {
        let written = self.commands().witness(looks).await;
        written.map(drop).map_err(Problem::from)
    }

    /// Writes one down and returns its id.
    pub(crate) async fn witness_one(&self, look: Look) -> Result<EventId, Problem> {
        let written = self.commands().witness(vec![look]).await;
        let receipts = written.map_err(Problem::from)?;
        let receipt = receipts.first().map(|receipt| receipt.event_id);
        receipt.ok_or_else(|| Problem::not_reached("the look is not written down; ask again"))
    }
}
