//! The pen that writes events down: ids in order, who sent them from where, and when.
//!
//! An event is sent when it happened or a little later, never before; the household's events are
//! put in the order of sending by the city.

use sokhoe_record::{
    Author, Data, Event, EventId, Identifier, Incoming, Occurred, PartialDate, PersonRef, Source,
};

use crate::calendar::{Day, LAST, Moment};
use crate::household::HouseholdNumber;
use crate::identity;
use crate::life::Life;
use crate::place::{Places, Provider};

/// An event with the moment at which it is sent.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) at: Moment,
    /// Household and count: orders what is sent in the same moment.
    pub(crate) order: (HouseholdNumber, u32),
    pub(crate) incoming: Box<Incoming>,
}

/// Who writes an entry, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Hand {
    Doctor(Provider),
    Nurse(Provider),
    Clerk(Provider),
    /// The person, or who cares for them.
    Citizen,
}

/// When something happened and how long its sender takes to say so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct When {
    pub(crate) occurred: Occurred,
    pub(crate) sent: Moment,
}

/// Someone whose book is written in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Person<'a> {
    pub(crate) life: &'a Life,
    pub(crate) id: &'a Identifier,
    /// The place among the household's members.
    pub(crate) index: usize,
}

/// Writes the events of one household.
#[derive(Debug)]
pub(crate) struct Pen<'a> {
    seed: u64,
    household: HouseholdNumber,
    count: u32,
    pub(crate) places: &'a Places,
    sent: &'a mut Vec<Sent>,
}

impl Person<'_> {
    /// The moment at which the book is opened.
    pub(crate) fn opened(&self) -> Moment {
        let in_turn = i32::try_from(self.index).unwrap_or(0) * 7;
        self.life.registered.minute(8 * 60 + in_turn)
    }

    /// Where the person mostly goes: children and old people to the station.
    pub(crate) fn usual(&self, day: Day) -> Provider {
        let age = self.life.age_on(day);
        if (6..68).contains(&age) {
            self.life.hospital
        } else {
            self.life.station
        }
    }

    /// Whether a day lies between the opening of the book and the end of the life.
    pub(crate) fn present(&self, day: Day) -> bool {
        self.life.registered < day && day <= self.life.last_day()
    }
}

impl When {
    /// At that moment, sent some minutes later.
    pub(crate) fn at(moment: Moment, delay_minutes: i32) -> Self {
        Self {
            occurred: moment.occurred(),
            sent: moment.plus_minutes(delay_minutes),
        }
    }

    /// Known only as a date, sent at that moment.
    pub(crate) fn on(date: PartialDate, sent: Moment) -> Self {
        Self {
            occurred: Occurred::On(date),
            sent,
        }
    }
}

impl Hand {
    pub(crate) fn provider(self) -> Option<Provider> {
        match self {
            Self::Doctor(provider) | Self::Nurse(provider) | Self::Clerk(provider) => {
                Some(provider)
            }
            Self::Citizen => None,
        }
    }

    fn role(self) -> &'static str {
        match self {
            Self::Doctor(_) => "doctor",
            Self::Nurse(_) => "nurse",
            Self::Clerk(_) => "clerk",
            Self::Citizen => "citizen",
        }
    }
}

impl<'a> Pen<'a> {
    pub(crate) fn new(
        seed: u64,
        household: HouseholdNumber,
        places: &'a Places,
        sent: &'a mut Vec<Sent>,
    ) -> Self {
        Self {
            seed,
            household,
            count: 0,
            places,
            sent,
        }
    }

    /// Writes one event about a person and gives its id back. What would be sent after the last
    /// day is sent on it.
    pub(crate) fn write(
        &mut self,
        person: Person<'_>,
        when: When,
        hand: Hand,
        data: impl Into<Data>,
    ) -> EventId {
        let about = Some(PersonRef::Identifier(person.id.clone()));
        // Nobody writes into a book before it is opened.
        let sent = when.sent.max(person.opened().plus_minutes(1));
        self.write_about(about, When { sent, ..when }, hand, data.into())
    }

    pub(crate) fn write_about(
        &mut self,
        person: Option<PersonRef>,
        when: When,
        hand: Hand,
        data: Data,
    ) -> EventId {
        let event_id = identity::event_id(self.seed, self.household, self.count);
        let about_someone = person.is_some();
        let event = Event {
            event_id,
            person,
            occurred_at: when.occurred,
            facility: hand
                .provider()
                .map(|provider| self.places.code(provider).to_owned()),
            author: self.author(hand),
            source: self.source(hand, about_someone),
            data,
        };
        let at = when.sent.min(LAST.plus(1).minute(-1));
        let incoming = Box::new(Incoming {
            event,
            expected_version: None,
        });
        self.sent.push(Sent {
            at,
            order: (self.household, self.count),
            incoming,
        });
        self.count += 1;
        event_id
    }

    /// Where the next event will stand among those written; for [`Pen::written_since`].
    pub(crate) fn mark(&self) -> usize {
        self.sent.len()
    }

    /// What was written since a mark.
    pub(crate) fn written_since(&self, mark: usize) -> &[Sent] {
        self.sent.get(mark..).unwrap_or_default()
    }

    /// Takes back what was written since a mark and would be sent in a span of time.
    pub(crate) fn take_back(&mut self, mark: usize, from: Moment, until: Moment) {
        let kept = self
            .sent
            .drain(mark..)
            .filter(|sent| sent.at <= from || sent.at >= until);
        let kept: Vec<Sent> = kept.collect();
        self.sent.extend(kept);
    }

    /// A number for what a facility counts: encounters, appointments.
    pub(crate) fn local_number(&self, kind: &str, day: Day) -> String {
        format!(
            "{kind}-{}-{:06}-{:03}",
            day.year(),
            self.household.0,
            self.count
        )
    }

    fn author(&self, hand: Hand) -> Option<Author> {
        let provider = hand.provider()?;
        // Each facility has five of each role; a household mostly meets the same ones.
        let number = (self.household.0 + u64::from(self.count % 2)) % 5 + 1;
        let letters = if matches!(hand, Hand::Doctor(_)) {
            "BS"
        } else {
            "NV"
        };
        let id = format!("{}/{letters}-{number:06}", self.places.code(provider));
        Some(Author {
            id,
            role: Some(hand.role().to_owned()),
            ..Author::default()
        })
    }

    fn source(&self, hand: Hand, about_someone: bool) -> Option<Source> {
        let provider = hand.provider()?;
        let system = format!("his-{}", self.places.code(provider));
        let record = about_someone.then(|| format!("LK-{:06}-{:04}", self.household.0, self.count));
        Some(Source { system, record })
    }
}
