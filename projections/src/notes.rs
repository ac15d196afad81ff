//! What the directory needs of an event, and how it is applied: alike behind the log's tail and when it is made anew.

use sokhoe_commands::{OpenedEvent, Opener, Seen, UnsealError};
use sokhoe_record::{Change, Data, Kind, PartialDate, PersonId, Sex, fold};

use crate::directory::{Card, Directory};
use crate::streams::Streams;

/// What the directory needs of one event in a person's record.
#[derive(Debug)]
pub struct Note {
    person: PersonId,
    facility: Option<Box<str>>,
    said: Said,
}

/// What an event says about who people are.
#[derive(Debug)]
enum Said {
    Nothing,
    Registered {
        name: String,
        birth_date: PartialDate,
        sex: Sex,
    },
    /// The person is described anew from their events.
    Changed,
    /// A correction of something that could not be told yet when this was noted.
    Corrected(Box<OpenedEvent>),
    Merged {
        retired: PersonId,
    },
    Unmerged,
}

/// Tells whether events of a kind say more than that a facility has an entry; most are passed over unread.
fn concerns(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::PersonRegistered
            | Kind::DemographicsChanged
            | Kind::CorrectionMade
            | Kind::PeopleMerged
            | Kind::PeopleUnmerged
    )
}

/// Tells whether an event says what a person is called; corrections of no others change that.
fn describes(event: &OpenedEvent) -> bool {
    let kind = event.stored.event.kind();
    matches!(kind, Kind::PersonRegistered | Kind::DemographicsChanged)
}

impl Note {
    /// Notes an event that is passed; `None` when it stands in no record.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn of_seen(opener: &Opener, event: &Seen<'_>) -> Result<Option<Self>, UnsealError> {
        let Some((person, content)) = event.of_person() else {
            return Ok(None);
        };
        if !concerns(content.kind) {
            return Ok(Some(Self {
                person,
                facility: content.facility.map(Box::from),
                said: Said::Nothing,
            }));
        }
        let opened = event.open(content)?;
        let root = match opened.corrects() {
            Some(_) => event.root(opener, opened)?,
            None => None,
        };
        Ok(Self::about(opened, root))
    }

    /// Notes an opened event; `None` when it stands in no record. What it corrects is looked up when it is applied.
    pub(crate) fn of(opened: &OpenedEvent) -> Option<Self> {
        Self::about(opened, None)
    }

    /// Whatever it says, the person is described anew.
    #[cfg(test)]
    pub(crate) fn describing_anew(self) -> Self {
        let said = Said::Changed;
        Self { said, ..self }
    }

    /// Notes an event with the entry that it is about, where it is a correction and that is known.
    fn about(opened: &OpenedEvent, root: Option<&OpenedEvent>) -> Option<Self> {
        let event = &opened.stored.event;
        let said = match &event.data {
            data if !concerns(data.kind()) => Said::Nothing,
            Data::PersonRegistered(data) => Said::Registered {
                name: data.name.full.clone(),
                birth_date: data.birth_date,
                sex: data.sex,
            },
            Data::DemographicsChanged(data) => match (&data.name, &data.birth_date, &data.sex) {
                (Change::Keep, Change::Keep, Change::Keep) => Said::Nothing,
                _ => Said::Changed,
            },
            Data::CorrectionMade(_) => match root {
                Some(root) if describes(root) => Said::Changed,
                Some(_) => Said::Nothing,
                None => Said::Corrected(Box::new(opened.clone())),
            },
            Data::PeopleMerged(data) if !opened.mirror() => match data.retired.id() {
                Some(retired) => Said::Merged { retired },
                None => Said::Nothing,
            },
            Data::PeopleUnmerged(_) if opened.mirror() => Said::Unmerged,
            _ => Said::Nothing,
        };
        Some(Self {
            person: opened.person()?,
            facility: event.facility.as_deref().map(Box::from),
            said,
        })
    }

    /// Applies the note of the event at a position.
    ///
    /// # Errors
    /// When the person is to be described anew and their events cannot be read.
    pub(crate) fn apply(
        self,
        position: u64,
        directory: &mut Directory,
        streams: &Streams,
    ) -> Result<(), UnsealError> {
        let person = self.person;
        let facility = self.facility.map(|code| directory.facility(&code));
        if let Some(facility) = facility {
            directory.visited(person, facility);
        }
        match self.said {
            Said::Nothing => {}
            Said::Registered {
                name,
                birth_date,
                sex,
            } => directory.describe(person, |card| {
                card.name = name;
                card.birth_date = Some(birth_date);
                card.sex = Some(sex);
                card.said_by = facility;
            }),
            Said::Changed => refold(directory, streams, person, position, facility)?,
            Said::Corrected(correction) => {
                let root = streams.opener().root(&correction)?;
                if root.as_ref().is_none_or(describes) {
                    refold(directory, streams, person, position, facility)?;
                }
            }
            Said::Merged { retired } => {
                directory.describe(retired, |card| card.merged_into = Some(person));
            }
            Said::Unmerged => directory.describe(person, |card| card.merged_into = None),
        }
        Ok(())
    }
}

/// Describes a person anew from their events up to a position, corrections and times considered.
fn refold(
    directory: &mut Directory,
    streams: &Streams,
    person: PersonId,
    position: u64,
    facility: Option<u32>,
) -> Result<(), UnsealError> {
    let stream = match streams.get(person) {
        Ok(stream) => stream,
        Err(error) if error.erased() => return Ok(()),
        Err(error) => return Err(error),
    };
    let until = stream.partition_point(|event| event.position <= position);
    let record = fold(person, stream.get(..until).unwrap_or_default());
    let demographics = record.demographics;
    directory.describe(person, |card: &mut Card| {
        let name = demographics.name.map(|name| name.full).unwrap_or_default();
        let unchanged = name == card.name
            && demographics.birth_date == card.birth_date
            && demographics.sex == card.sex;
        if !unchanged {
            card.said_by = facility.or(card.said_by);
        }
        card.name = name;
        card.birth_date = demographics.birth_date;
        card.sex = demographics.sex;
    });
    Ok(())
}
