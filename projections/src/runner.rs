//! The runner: reads the log in order and keeps the directory up with it.

use sokhoe_commands::{OpenedEvent, Opener, UnsealError};
use sokhoe_record::{Change, Data, PersonId, fold};
use sokhoe_storage::Position;

use crate::directory::{Card, Directory};
use crate::streams::Streams;

/// Events opened before they are applied: what one hold of the directory's lock covers.
const EVENTS_AT_ONCE: usize = 512;

/// The next events in log order, and the position after them.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Each event with its sealed size.
    events: Vec<(OpenedEvent, usize)>,
    position: u64,
}

impl Batch {
    /// The position of the last event read; 0 when there was nothing to read.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Gives the events away.
    pub(crate) fn into_events(self) -> Vec<(OpenedEvent, usize)> {
        self.events
    }
}

/// Reads and opens what follows a position.
pub(crate) fn read(opener: &Opener, after: u64) -> Result<Batch, UnsealError> {
    let mut scan = opener.reader().scan(Position::new(after + 1));
    let mut batch = Batch::default();
    while batch.events.len() < EVENTS_AT_ONCE {
        let Some(frame) = scan.next_frame()? else {
            break;
        };
        match opener.open_scanned(&frame) {
            Ok(opened) => {
                let bytes = frame.payload.len();
                batch.events.extend(opened.map(|opened| (opened, bytes)));
            }
            Err(error) if error.erased() => {}
            Err(error) => return Err(error),
        }
        batch.position = frame.position.get();
    }
    Ok(batch)
}

/// Applies a batch.
pub(crate) fn apply_batch(
    directory: &mut Directory,
    streams: &Streams,
    batch: &Batch,
) -> Result<(), UnsealError> {
    for (opened, _) in &batch.events {
        apply(directory, streams, opened)?;
    }
    directory.advance(batch.position);
    Ok(())
}

fn apply(
    directory: &mut Directory,
    streams: &Streams,
    opened: &OpenedEvent,
) -> Result<(), UnsealError> {
    let Some(person) = opened.person() else {
        return Ok(());
    };
    let event = &opened.stored.event;
    let facility = event
        .facility
        .as_deref()
        .map(|code| directory.facility(code));
    if let Some(facility) = facility {
        directory.visited(person, facility);
    }
    match &event.data {
        Data::PersonRegistered(data) => directory.describe(person, |card| {
            card.name.clone_from(&data.name.full);
            card.birth_date = Some(data.birth_date);
            card.sex = Some(data.sex);
            card.said_by = facility;
        }),
        Data::DemographicsChanged(data) => {
            let told = !matches!(
                (&data.name, &data.birth_date, &data.sex),
                (Change::Keep, Change::Keep, Change::Keep)
            );
            if told {
                refold(directory, streams, person, opened.position, facility)?;
            }
        }
        Data::CorrectionMade(_) => {
            refold(directory, streams, person, opened.position, facility)?;
        }
        Data::PeopleMerged(data) if !opened.mirror() => {
            if let Some(retired) = data.retired.id() {
                directory.describe(retired, |card| card.merged_into = Some(person));
            }
        }
        Data::PeopleUnmerged(_) if opened.mirror() => {
            directory.describe(person, |card| card.merged_into = None);
        }
        _ => {}
    }
    Ok(())
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

/// Builds a directory from the first event to the log's present end.
pub(crate) fn from_zero(streams: &Streams) -> Result<Directory, UnsealError> {
    let mut directory = Directory::default();
    loop {
        let batch = read(streams.opener(), directory.position())?;
        if batch.position() == 0 {
            return Ok(directory);
        }
        apply_batch(&mut directory, streams, &batch)?;
    }
}
