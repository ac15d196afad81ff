//! Every look of the log in columns: by whom, at whom, when; what auditors ask, answered without opening an event.
//!
//! Some 30 bytes a look, in the order of the log, so that a period is one stretch of every column. What a look shows lies
//! in its event alone.

use std::collections::{BTreeMap, HashMap};

use sokhoe_commands::{OpenedEvent, Seen, UnsealError};
use sokhoe_record::{Data, EventId, Instant, PersonId, Purpose, Viewer};
use wincode::config::Configuration;
use wincode::{SchemaRead, SchemaWrite};

/// The layout of a snapshot.
const SNAPSHOT_VERSION: u32 = 1;
/// Bytes of one column of a snapshot.
const COLUMN_BYTES_MAX: usize = 1 << 30;

/// Who looked: the account, its role, and the facility it acts for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, SchemaRead, SchemaWrite)]
pub struct Actor {
    /// The account.
    pub id: String,
    /// The role's word.
    pub role: String,
    /// The facility, for staff.
    pub facility: Option<String>,
}

/// What kind of look a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, SchemaRead, SchemaWrite)]
pub enum LookKind {
    /// Something was shown.
    Accessed,
    /// It was refused.
    Refused,
    /// The glass was broken.
    GlassBroken,
    /// A look was reviewed.
    Reviewed,
}

/// One look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookRow<'a> {
    /// The position of its event.
    pub position: u64,
    /// When it was written down, microseconds since 1970 UTC.
    pub at_us: i64,
    /// Whose record it is about.
    pub person: PersonId,
    /// Who looked.
    pub actor: &'a Actor,
    /// What kind of look it is.
    pub kind: LookKind,
    /// Whether a directive of the person decided.
    pub directed: bool,
    /// Whether it was an emergency.
    pub emergency: bool,
}

/// Which looks are asked for; what is `None` does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LooksAsked {
    /// Of this account.
    pub actor: Option<String>,
    /// Of accounts of this facility.
    pub facility: Option<String>,
    /// At this person.
    pub person: Option<PersonId>,
    /// Of this kind.
    pub kind: Option<LookKind>,
    /// From this time on, in microseconds.
    pub from_us: Option<i64>,
    /// Until this time, in microseconds.
    pub until_us: Option<i64>,
}

/// What an actor looked at of one person in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Affected {
    /// Whose record.
    pub person: PersonId,
    /// How many looks.
    pub looks: u64,
    /// When first, in microseconds.
    pub first_us: i64,
    /// When last, in microseconds.
    pub last_us: i64,
}

/// What the columns need of one event.
#[derive(Debug)]
pub struct LookNote {
    actor: Actor,
    person: PersonId,
    at_us: i64,
    kind: LookKind,
    directed: bool,
    emergency: bool,
    /// The event itself where the glass was broken; the reviewed one in a review.
    event: Option<EventId>,
}

impl LookNote {
    /// Notes a look that is passed; `None` for what is none.
    pub(crate) fn of_seen(event: &Seen<'_>) -> Result<Option<Self>, UnsealError> {
        match event.of_access() {
            Some(content) => Ok(Self::of(event.open(content)?)),
            None => Ok(None),
        }
    }

    /// Notes an opened event.
    pub(crate) fn of(opened: &OpenedEvent) -> Option<Self> {
        let said = &opened.stored.event;
        let (kind, viewer, directed, event) = match &said.data {
            Data::RecordAccessed(look) => {
                let directed = !look.decided.directives.is_empty();
                (LookKind::Accessed, &look.viewer, directed, None)
            }
            Data::AccessRefused(refused) => (LookKind::Refused, &refused.viewer, false, None),
            Data::GlassBroken(broken) => {
                let id = Some(said.event_id);
                (LookKind::GlassBroken, &broken.viewer, false, id)
            }
            Data::AccessReviewed(reviewed) => {
                let id = Some(reviewed.reviewed);
                (LookKind::Reviewed, &reviewed.viewer, false, id)
            }
            _ => return None,
        };
        let Viewer { id, role, purpose } = viewer.clone();
        Some(Self {
            actor: Actor {
                id,
                role,
                facility: said.facility.clone(),
            },
            person: said.person.as_ref()?.id()?,
            at_us: opened.recorded_at_us,
            kind,
            directed,
            emergency: purpose == Some(Purpose::Emergency),
            event,
        })
    }
}

/// All looks, as of one position of the log.
#[derive(Debug, Clone, Default)]
pub(crate) struct LookTable {
    columns: Columns,
    people: HashMap<PersonId, u32>,
    actors: HashMap<Actor, u32>,
}

#[derive(Debug, Clone, Default, SchemaRead, SchemaWrite)]
struct Columns {
    position: u64,
    positions: Vec<u64>,
    times: Vec<i64>,
    people: Vec<u32>,
    actors: Vec<u32>,
    kinds: Vec<LookKind>,
    directed: Vec<bool>,
    emergency: Vec<bool>,
    person_ids: Vec<PersonId>,
    actor_names: Vec<Actor>,
    /// Broken glasses that nobody has reviewed, by their positions.
    unreviewed: Vec<(u64, EventId)>,
}

/// A copy that is written to disk.
#[derive(Debug, SchemaRead, SchemaWrite)]
pub(crate) struct LooksSnapshot {
    version: u32,
    columns: Columns,
}

impl LooksSnapshot {
    /// Returns the bytes; `None` when they would be too many.
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        let config = Configuration::default().with_preallocation_size_limit::<COLUMN_BYTES_MAX>();
        wincode::config::serialize(self, config).ok()
    }
}

impl LookTable {
    pub(crate) fn position(&self) -> u64 {
        self.columns.position
    }

    pub(crate) fn advance(&mut self, position: u64) {
        self.columns.position = self.columns.position.max(position);
    }

    pub(crate) fn apply(&mut self, position: u64, note: LookNote) {
        let columns = &mut self.columns;
        let person = *self.people.entry(note.person).or_insert_with(|| {
            columns.person_ids.push(note.person);
            number(columns.person_ids.len() - 1)
        });
        let actor = match self.actors.get(&note.actor) {
            Some(actor) => *actor,
            None => {
                columns.actor_names.push(note.actor.clone());
                let new = number(columns.actor_names.len() - 1);
                self.actors.insert(note.actor, new);
                new
            }
        };
        match (note.kind, note.event) {
            (LookKind::GlassBroken, Some(event)) => columns.unreviewed.push((position, event)),
            (LookKind::Reviewed, Some(event)) => {
                columns.unreviewed.retain(|(_, open)| *open != event);
            }
            _ => {}
        }
        columns.positions.push(position);
        columns.times.push(note.at_us);
        columns.people.push(person);
        columns.actors.push(actor);
        columns.kinds.push(note.kind);
        columns.directed.push(note.directed);
        columns.emergency.push(note.emergency);
    }

    /// Returns the rows that fit, newest first: at most `limit` before a position.
    pub(crate) fn rows(&self, asked: &LooksAsked, before: u64, limit: usize) -> Vec<LookRow<'_>> {
        let end = self.columns.positions.partition_point(|at| *at < before);
        let rows = self.fitting(asked, end);
        rows.rev().take(limit).collect()
    }

    /// Counts what fits person by person, those looked at most first.
    pub(crate) fn affected(&self, asked: &LooksAsked) -> Vec<Affected> {
        let mut by_person: HashMap<PersonId, Affected> = HashMap::new();
        for row in self.fitting(asked, self.columns.positions.len()) {
            let affected = by_person.entry(row.person).or_insert(Affected {
                person: row.person,
                looks: 0,
                first_us: row.at_us,
                last_us: row.at_us,
            });
            affected.looks += 1;
            affected.last_us = row.at_us;
        }
        let mut all: Vec<Affected> = by_person.into_values().collect();
        all.sort_unstable_by_key(|affected| (std::cmp::Reverse(affected.looks), affected.person));
        all
    }

    /// Returns the broken glasses that nobody has reviewed, oldest first.
    pub(crate) fn unreviewed(&self) -> &[(u64, EventId)] {
        &self.columns.unreviewed
    }

    /// The rows that fit among the first `end`, in the order of the log.
    pub(crate) fn fitting(
        &self,
        asked: &LooksAsked,
        end: usize,
    ) -> impl DoubleEndedIterator<Item = LookRow<'_>> {
        let columns = &self.columns;
        let actors: Vec<bool> = columns
            .actor_names
            .iter()
            .map(|actor| {
                asked.actor.as_ref().is_none_or(|id| *id == actor.id)
                    && (asked.facility.is_none() || asked.facility == actor.facility)
            })
            .collect();
        let person = asked.person.map(|person| self.people.get(&person).copied());
        let times = columns.times.get(..end).unwrap_or_default();
        // The log's times never go back.
        let from = asked
            .from_us
            .map_or(0, |from| times.partition_point(|at| *at < from));
        let until = asked
            .until_us
            .map_or(end, |until| times.partition_point(|at| *at <= until));
        let kind = asked.kind;
        (from..until.max(from))
            .filter(move |row| {
                let is = |column: &[u32]| column.get(*row).copied();
                let actor = is(&columns.actors).and_then(|at| actors.get(at as usize).copied());
                actor.unwrap_or(false)
                    && person.is_none_or(|person| is(&columns.people) == person && person.is_some())
                    && kind.is_none_or(|kind| columns.kinds.get(*row) == Some(&kind))
            })
            .filter_map(|row| self.row(row))
    }

    fn row(&self, row: usize) -> Option<LookRow<'_>> {
        let columns = &self.columns;
        let person = *columns.people.get(row)? as usize;
        let actor = *columns.actors.get(row)? as usize;
        Some(LookRow {
            position: *columns.positions.get(row)?,
            at_us: *columns.times.get(row)?,
            person: *columns.person_ids.get(person)?,
            actor: columns.actor_names.get(actor)?,
            kind: *columns.kinds.get(row)?,
            directed: *columns.directed.get(row)?,
            emergency: *columns.emergency.get(row)?,
        })
    }

    pub(crate) fn snapshot(&self) -> LooksSnapshot {
        LooksSnapshot {
            version: SNAPSHOT_VERSION,
            columns: self.columns.clone(),
        }
    }

    /// Restores from [`LooksSnapshot::encode`] bytes; `None` when they cannot be used.
    pub(crate) fn restore(bytes: &[u8]) -> Option<Self> {
        let config = Configuration::default().with_preallocation_size_limit::<COLUMN_BYTES_MAX>();
        let snapshot: LooksSnapshot = wincode::config::deserialize_exact(bytes, config).ok()?;
        if snapshot.version != SNAPSHOT_VERSION {
            return None;
        }
        let columns = snapshot.columns;
        let people = columns.person_ids.iter().copied().zip(0..).collect();
        let actors = columns.actor_names.iter().cloned().zip(0..).collect();
        Some(Self {
            columns,
            people,
            actors,
        })
    }
}

/// Four thousand million people or accounts do not come here.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// Something about looks that somebody should look at, by a rule that can be explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// The rule.
    pub rule: &'static str,
    /// Who looked.
    pub actor: Actor,
    /// At whom, where it is about one person.
    pub person: Option<PersonId>,
    /// How many looks or people it is about.
    pub count: u64,
    /// When first, in microseconds.
    pub first_us: i64,
    /// When last, in microseconds.
    pub last_us: i64,
    /// Position of the last look that it is about.
    pub position: u64,
}

/// People within an hour, beyond which an account looks at many.
pub const MANY_PEOPLE: u64 = 60;
/// The hours of the day, in Vietnam, at which few have reason to read for anything but an emergency.
pub const OUT_OF_HOURS: std::ops::Range<i64> = 22..29;
const HOUR_US: i64 = 3_600_000_000;
/// Vietnam has one time, without summer time.
const LOCAL_US: i64 = 7 * HOUR_US;

impl LookTable {
    /// Gathers signals about looks of a period: each account, or account and person, once for each rule.
    ///
    /// `knows` says whether a facility has entries of a person.
    pub(crate) fn signals(
        &self,
        asked: &LooksAsked,
        knows: impl Fn(PersonId, &str) -> bool,
    ) -> Vec<Signal> {
        let mut found: BTreeMap<(&'static str, String, Option<PersonId>), Signal> = BTreeMap::new();
        let mut hours: HashMap<&Actor, std::collections::VecDeque<(i64, PersonId)>> =
            HashMap::new();
        let mut tell = |rule: &'static str,
                        row: &LookRow<'_>,
                        person: Option<PersonId>,
                        count: Option<u64>| {
            let name = format!("{}@{:?}", row.actor.id, row.actor.facility);
            let signal = found.entry((rule, name, person)).or_insert_with(|| Signal {
                rule,
                actor: row.actor.clone(),
                person,
                count: 0,
                first_us: row.at_us,
                last_us: row.at_us,
                position: row.position,
            });
            signal.count = count.map_or(signal.count + 1, |count| signal.count.max(count));
            (signal.last_us, signal.position) = (row.at_us, row.position);
        };
        let rows = self.fitting(asked, self.columns.positions.len());
        for row in rows.filter(|row| row.kind != LookKind::Reviewed) {
            let facility = row.actor.facility.as_deref();
            if row.kind == LookKind::Refused {
                tell("refused", &row, Some(row.person), None);
                continue;
            }
            let (true, Some(facility)) = (staff(&row.actor.role), facility) else {
                continue;
            };
            let recent = hours.entry(row.actor).or_default();
            recent.push_back((row.at_us, row.person));
            while recent
                .front()
                .is_some_and(|(at, _)| row.at_us - at > HOUR_US)
            {
                recent.pop_front();
            }
            // A system of a facility reads for all its staff.
            if row.actor.role != "hospital" && recent.len() as u64 > MANY_PEOPLE {
                let people: std::collections::HashSet<_> =
                    recent.iter().map(|(_, who)| who).collect();
                let people = people.len() as u64;
                if people > MANY_PEOPLE {
                    tell("many_people", &row, None, Some(people));
                }
            }
            if !row.directed && !knows(row.person, facility) {
                tell("no_treatment_relation", &row, Some(row.person), None);
            }
            if !row.emergency && row.actor.role != "hospital" && out_of_hours(row.at_us) {
                tell("out_of_hours", &row, None, None);
            }
        }
        found.into_values().collect()
    }
}

fn staff(role: &str) -> bool {
    matches!(role, "hospital" | "clinician" | "station")
}

fn out_of_hours(at_us: i64) -> bool {
    let hour = (at_us + LOCAL_US).rem_euclid(Instant::DAY_US) / HOUR_US;
    OUT_OF_HOURS.contains(&hour) || OUT_OF_HOURS.contains(&(hour + 24))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(actor: &str, person: u8, at_us: i64) -> LookNote {
        LookNote {
            actor: Actor {
                id: actor.to_owned(),
                role: "clinician".to_owned(),
                facility: Some("99001".to_owned()),
            },
            person: PersonId::from_bytes([person; 16]),
            at_us,
            kind: LookKind::Accessed,
            directed: false,
            emergency: false,
            event: None,
        }
    }

    fn table(notes: Vec<LookNote>) -> LookTable {
        let mut table = LookTable::default();
        for (position, note) in (1..).zip(notes) {
            table.apply(position, note);
            table.advance(position);
        }
        table
    }

    /// Ten in the morning in Vietnam.
    const MORNING: i64 = 3 * HOUR_US;

    #[test]
    fn looks_are_found_by_who_whom_and_when() {
        let table = table(vec![
            note("a", 1, 10),
            note("b", 1, 20),
            note("a", 2, 30),
            note("a", 1, 40),
        ]);
        let of_a = LooksAsked {
            actor: Some("a".to_owned()),
            ..LooksAsked::default()
        };
        let at = |asked: &LooksAsked, before| -> Vec<u64> {
            let rows = table.rows(asked, before, 10);
            rows.iter().map(|row| row.position).collect()
        };
        assert_eq!(at(&of_a, u64::MAX), [4, 3, 1]);
        assert_eq!(at(&of_a, 4), [3, 1]);
        let in_period = LooksAsked {
            from_us: Some(20),
            until_us: Some(30),
            ..LooksAsked::default()
        };
        assert_eq!(at(&in_period, u64::MAX), [3, 2]);
        let nobody = LooksAsked {
            person: Some(PersonId::from_bytes([9; 16])),
            ..LooksAsked::default()
        };
        assert_eq!(at(&nobody, u64::MAX), [] as [u64; 0]);
        let affected = table.affected(&of_a);
        assert_eq!(
            (affected[0].looks, affected[0].first_us, affected[0].last_us),
            (2, 10, 40)
        );
        assert_eq!(affected.len(), 2);
    }

    #[test]
    fn a_snapshot_gives_the_same_table() {
        let mut before = table(vec![note("a", 1, 10), note("b", 2, 20)]);
        let glass = LookNote {
            kind: LookKind::GlassBroken,
            event: Some(EventId::from_bytes([7; 16])),
            ..note("a", 1, 30)
        };
        before.apply(3, glass);
        let bytes = before.snapshot().encode().unwrap();
        let mut after = LookTable::restore(&bytes).unwrap();
        assert_eq!(after.unreviewed(), before.unreviewed());
        for table in [&mut before, &mut after] {
            table.apply(4, note("b", 1, 40));
        }
        let all = LooksAsked::default();
        assert_eq!(
            before.rows(&all, u64::MAX, 9),
            after.rows(&all, u64::MAX, 9)
        );
        assert!(LookTable::restore(&bytes[1..]).is_none());
    }

    #[test]
    fn a_review_takes_a_broken_glass_out_of_the_queue() {
        let event = Some(EventId::from_bytes([7; 16]));
        let broken = LookNote {
            kind: LookKind::GlassBroken,
            event,
            ..note("a", 1, 10)
        };
        let mut table = table(vec![broken]);
        assert_eq!(table.unreviewed().len(), 1);
        let review = LookNote {
            kind: LookKind::Reviewed,
            event,
            ..note("auditor", 1, 20)
        };
        table.apply(2, review);
        assert!(table.unreviewed().is_empty());
    }

    #[test]
    fn signals_name_their_rule_once_for_each_account() {
        let mut notes: Vec<LookNote> = (0..=70)
            .map(|person| note("busy", person, MORNING + i64::from(person)))
            .collect();
        notes.push(note("night", 1, MORNING + 13 * HOUR_US));
        notes.push(note("known", 200, MORNING + 24 * HOUR_US));
        let table = table(notes);
        let signals = table.signals(&LooksAsked::default(), |_, _| true);
        let told: Vec<_> = signals
            .iter()
            .map(|signal| (signal.rule, signal.actor.id.as_str(), signal.count))
            .collect();
        assert_eq!(
            told,
            [("many_people", "busy", 71), ("out_of_hours", "night", 1)]
        );
        let unrelated = table.signals(&LooksAsked::default(), |person, _| {
            person != PersonId::from_bytes([200; 16])
        });
        assert!(unrelated.iter().any(|signal| {
            signal.rule == "no_treatment_relation" && signal.actor.id == "known"
        }));
    }

    #[test]
    fn nights_are_those_of_vietnam() {
        for (utc_hour, out) in [(14, false), (15, true), (21, true), (22, false), (3, false)] {
            assert_eq!(out_of_hours(utc_hour * HOUR_US), out, "{utc_hour}");
        }
    }
}
