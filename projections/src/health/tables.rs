//! The rows of every table with the positions between which they are live, and their Arrow form as of a position.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow_array::{
    ArrayRef, Date32Array, DictionaryArray, Float64Array, Int32Array, RecordBatch, StringArray,
    UInt32Array, types::UInt32Type,
};
use arrow_schema::ArrowError;
use sokhoe_record::{Data, PersonId, RecordedEvent, fold, in_force};

use super::rows::{self, Cell, Row};
use super::schema::{Kind, TABLES};

/// Until when a row is live that nothing has ended.
const LIVE: u64 = u64::MAX;
/// The event of rows that a whole record makes, not one event: positions begin at 1.
const WHOLE_RECORD: u64 = 0;

/// Where the tables look up what one event does not say.
pub trait Records {
    /// Why events could not be had.
    type Error;

    /// Returns who stands for a person at a position: the survivor of a merge, or that person.
    fn survivor(&self, person: PersonId, position: u64) -> PersonId;

    /// Returns everyone who is part of a survivor's record at a position, the survivor included.
    fn members(&self, survivor: PersonId, position: u64) -> Vec<PersonId>;

    /// Returns a person's own events up to a position, in log order.
    ///
    /// # Errors
    /// When they cannot be read.
    fn events(&self, person: PersonId, position: u64) -> Result<Vec<RecordedEvent>, Self::Error>;
}

#[derive(Debug)]
enum Store {
    Day(Vec<Option<i32>>),
    Whole(Vec<Option<i32>>),
    Real(Vec<Option<f64>>),
    Word(Vec<Option<u32>>),
}

/// One table: parallel columns, a row in each at one index.
#[derive(Debug)]
struct Rows {
    owner: Vec<u32>,
    event: Vec<u64>,
    from: Vec<u64>,
    until: Vec<u64>,
    columns: Vec<Store>,
}

/// Words by number, for every column that holds words.
#[derive(Debug, Default)]
struct Words {
    numbers: HashMap<String, u32>,
    words: Vec<String>,
}

impl Words {
    fn number(&mut self, word: String) -> u32 {
        if let Some(number) = self.numbers.get(&word) {
            return *number;
        }
        let number = count(self.words.len());
        self.words.push(word.clone());
        self.numbers.insert(word, number);
        number
    }
}

/// A row that a record has now: whose stream it comes from, of which event.
type Wanted = (u32, u64, Row);

/// Every table as of every position up to the one reached. Held in memory, rebuilt from the log.
#[derive(Debug)]
pub struct Tables {
    tables: Vec<Rows>,
    words: Words,
    numbers: HashMap<PersonId, u32>,
    people: Vec<PersonId>,
    /// For each person who stands for them, from which position on.
    stands_for: Vec<Vec<(u64, u32)>>,
    /// For each survivor who is part of the record now.
    members: Vec<BTreeSet<u32>>,
    /// For each person the live rows of their own stream, as table and index.
    live: Vec<Vec<(usize, usize)>>,
    position: u64,
}

impl Default for Tables {
    fn default() -> Self {
        let store = |kind| match kind {
            Kind::Day => Store::Day(Vec::new()),
            Kind::Whole => Store::Whole(Vec::new()),
            Kind::Real => Store::Real(Vec::new()),
            Kind::Word => Store::Word(Vec::new()),
        };
        let table = |columns: Vec<Store>| Rows {
            owner: Vec::new(),
            event: Vec::new(),
            from: Vec::new(),
            until: Vec::new(),
            columns,
        };
        Self {
            tables: TABLES
                .iter()
                .map(|of| table(of.columns.iter().map(|column| store(column.kind)).collect()))
                .collect(),
            words: Words::default(),
            numbers: HashMap::new(),
            people: Vec::new(),
            stands_for: Vec::new(),
            members: Vec::new(),
            live: Vec::new(),
            position: 0,
        }
    }
}

impl Tables {
    /// The position of the last event applied, or passed by [`Tables::advance`].
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Says that what lies up to a position was seen, and said nothing to these tables.
    pub fn advance(&mut self, position: u64) {
        self.position = self.position.max(position);
    }

    /// Applies the next event of a person; events come in log order.
    ///
    /// # Errors
    /// When a record had to be read and could not be: the tables are then as they were before the event.
    pub fn apply<R: Records>(
        &mut self,
        event: &RecordedEvent,
        records: &R,
    ) -> Result<(), R::Error> {
        match &event.event.data {
            Data::CorrectionMade(_)
            | Data::PeopleMerged(_)
            | Data::PeopleUnmerged(_)
            | Data::PersonRegistered(_)
            | Data::DemographicsChanged(_)
            | Data::BirthRecorded(_) => self.restate(event.person, event.position, records)?,
            // A correction counts only for what lies before it, so this stands as it is.
            _ => {
                let owner = self.number(event.person);
                for made in in_force(event.person, std::slice::from_ref(event)) {
                    for row in rows::rows(&made) {
                        self.begin((owner, event.position, row), event.position);
                    }
                }
            }
        }
        self.advance(event.position);
        Ok(())
    }

    /// Returns a table as of a position: the rows live there, each under the person who stood for its own then.
    /// `None` when there is no such table, or the position is not reached yet.
    ///
    /// # Errors
    /// When the columns do not fit the schema: a bug.
    pub fn batch(&self, table: &str, position: u64) -> Result<Option<RecordBatch>, ArrowError> {
        let Some(at) = TABLES.iter().position(|of| of.name == table) else {
            return Ok(None);
        };
        let (Some(of), Some(rows)) = (TABLES.get(at), self.tables.get(at)) else {
            return Ok(None);
        };
        if position > self.position {
            return Ok(None);
        }
        let lives = rows.from.iter().zip(&rows.until).enumerate();
        let live: Vec<usize> = lives
            .filter(|(_, (from, until))| **from <= position && position < **until)
            .map(|(index, _)| index)
            .collect();
        let people = picked(&rows.owner, &live).map(|owner| self.stood_for(owner, position));
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(people.collect::<UInt32Array>())];
        let words: ArrayRef = Arc::new(self.words.words.iter().map(Some).collect::<StringArray>());
        for column in &rows.columns {
            arrays.push(array(column, &live, &words)?);
        }
        RecordBatch::try_new(Arc::new(of.arrow()), arrays).map(Some)
    }

    /// Returns the number of a person, which columns named `person` hold; `None` when nothing was said of them.
    #[must_use]
    pub fn person(&self, person: PersonId) -> Option<u32> {
        self.numbers.get(&person).copied()
    }

    fn stood_for(&self, owner: u32, position: u64) -> u32 {
        let standing = self.stands_for.get(index(owner));
        let mut standing = standing.into_iter().flatten().rev();
        let then = standing.find(|(from, _)| *from <= position);
        then.map_or(owner, |(_, survivor)| *survivor)
    }

    fn number(&mut self, person: PersonId) -> u32 {
        if let Some(number) = self.numbers.get(&person) {
            return *number;
        }
        let number = count(self.people.len());
        self.numbers.insert(person, number);
        self.people.push(person);
        self.stands_for.push(Vec::new());
        self.members.push(BTreeSet::from([number]));
        self.live.push(Vec::new());
        number
    }

    /// Makes the rows of everyone who is, or was until now, part of one record with a person follow their events.
    fn restate<R: Records>(
        &mut self,
        person: PersonId,
        position: u64,
        records: &R,
    ) -> Result<(), R::Error> {
        let number = self.number(person);
        let stood = self.stood_for(number, self.position);
        let before = self.members.get(index(stood)).cloned().unwrap_or_default();
        let before = before.iter().filter_map(|was| self.people.get(index(*was)));
        let concerned: Vec<PersonId> = before.copied().chain([person]).collect();
        let survivors: BTreeSet<PersonId> = concerned
            .iter()
            .map(|concerned| records.survivor(*concerned, position))
            .collect();
        // All that can fail comes before all that changes.
        let mut groups = Vec::new();
        for survivor in survivors {
            let members = records.members(survivor, position);
            let mut events = Vec::new();
            for member in &members {
                events.extend(records.events(*member, position)?);
            }
            groups.push((survivor, members, events));
        }
        for (survivor, members, events) in groups {
            self.regroup(survivor, &members, position);
            let wanted = self.wanted(survivor, &events);
            self.follow(&members, wanted, position);
        }
        Ok(())
    }

    fn regroup(&mut self, survivor: PersonId, members: &[PersonId], position: u64) {
        let stands = self.number(survivor);
        let members: BTreeSet<u32> = members.iter().map(|member| self.number(*member)).collect();
        for member in &members {
            let changed = self.stood_for(*member, position) != stands;
            if let Some(standing) = self.stands_for.get_mut(index(*member)).filter(|_| changed) {
                standing.push((position, stands));
            }
        }
        if let Some(kept) = self.members.get_mut(index(stands)) {
            *kept = members;
        }
    }

    /// Returns every row that a record has.
    fn wanted(&mut self, survivor: PersonId, events: &[RecordedEvent]) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        for event in in_force(survivor, events) {
            let owner = self.number(event.recorded.person);
            let rows = rows::rows(&event).into_iter();
            wanted.extend(rows.map(|row| (owner, event.recorded.position, row)));
        }
        if let Some(row) = rows::person(&fold(survivor, events)) {
            wanted.push((self.number(survivor), WHOLE_RECORD, row));
        }
        wanted
    }

    /// Ends the live rows of some people that are not wanted, and begins those wanted that are not live.
    fn follow(&mut self, members: &[PersonId], wanted: Vec<Wanted>, position: u64) {
        let mut missing: HashMap<(u32, u64), Vec<Row>> = HashMap::new();
        for (owner, event, row) in wanted {
            missing.entry((owner, event)).or_default().push(row);
        }
        for member in members {
            let owner = self.number(*member);
            let live = self.live.get_mut(index(owner)).map(std::mem::take);
            let mut kept = Vec::new();
            for (table, at) in live.unwrap_or_default() {
                let Some((event, cells)) = self.read(table, at) else {
                    continue;
                };
                let same = |row: &Row| row.0 as usize == table && row.1 == cells;
                let rows = missing.get_mut(&(owner, event));
                let found = rows.and_then(|rows| {
                    let found = rows.iter().position(same)?;
                    Some(rows.remove(found))
                });
                if found.is_some() {
                    kept.push((table, at));
                } else if let Some(until) = self
                    .tables
                    .get_mut(table)
                    .and_then(|rows| rows.until.get_mut(at))
                {
                    *until = position;
                }
            }
            if let Some(live) = self.live.get_mut(index(owner)) {
                *live = kept;
            }
        }
        let mut missing: Vec<_> = missing.into_iter().collect();
        missing.sort_unstable_by_key(|(of, _)| *of);
        for ((owner, event), rows) in missing {
            for row in rows {
                self.begin((owner, event, row), position);
            }
        }
    }

    fn read(&self, table: usize, at: usize) -> Option<(u64, Vec<Cell>)> {
        let rows = self.tables.get(table)?;
        let word = |number: &u32| self.words.words.get(index(*number)).cloned();
        let cell = |column: &Store| match column {
            Store::Day(values) => values.get(at).copied().flatten().map(Cell::Day),
            Store::Whole(values) => values.get(at).copied().flatten().map(Cell::Whole),
            Store::Real(values) => values.get(at).copied().flatten().map(Cell::Real),
            Store::Word(values) => {
                let number = values.get(at)?.as_ref()?;
                word(number).map(Cell::Word)
            }
        };
        let cells = rows
            .columns
            .iter()
            .map(|column| cell(column).unwrap_or(Cell::Null));
        Some((*rows.event.get(at)?, cells.collect()))
    }

    fn begin(&mut self, (owner, event, (table, cells)): Wanted, position: u64) {
        let table = table as usize;
        let Some(rows) = self.tables.get_mut(table) else {
            return;
        };
        let at = rows.owner.len();
        rows.owner.push(owner);
        rows.event.push(event);
        rows.from.push(position);
        rows.until.push(LIVE);
        debug_assert_eq!(rows.columns.len(), cells.len(), "a cell for each column");
        for (column, cell) in rows.columns.iter_mut().zip(cells) {
            match (column, cell) {
                (Store::Day(values), Cell::Day(day)) => values.push(Some(day)),
                (Store::Whole(values), Cell::Whole(number)) => values.push(Some(number)),
                (Store::Real(values), Cell::Real(number)) => values.push(Some(number)),
                (Store::Word(values), Cell::Word(word)) => {
                    values.push(Some(self.words.number(word)));
                }
                (Store::Day(values) | Store::Whole(values), other) => {
                    debug_assert_eq!(other, Cell::Null, "a cell of its column's kind");
                    values.push(None);
                }
                (Store::Real(values), other) => {
                    debug_assert_eq!(other, Cell::Null, "a cell of its column's kind");
                    values.push(None);
                }
                (Store::Word(values), other) => {
                    debug_assert_eq!(other, Cell::Null, "a cell of its column's kind");
                    values.push(None);
                }
            }
        }
        if let Some(live) = self.live.get_mut(index(owner)) {
            live.push((table, at));
        }
    }
}

fn array(column: &Store, live: &[usize], words: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    Ok(match column {
        Store::Day(values) => Arc::new(picked(values, live).collect::<Date32Array>()),
        Store::Whole(values) => Arc::new(picked(values, live).collect::<Int32Array>()),
        Store::Real(values) => Arc::new(picked(values, live).collect::<Float64Array>()),
        Store::Word(values) => {
            let keys = picked(values, live).collect::<UInt32Array>();
            let words = Arc::clone(words);
            Arc::new(DictionaryArray::<UInt32Type>::try_new(keys, words)?)
        }
    })
}

fn picked<'v, T: Copy>(values: &'v [T], live: &'v [usize]) -> impl Iterator<Item = T> + 'v {
    live.iter().filter_map(|at| values.get(*at).copied())
}

/// People, and words, are numbered in 32 bits: the registry refuses more people long before.
fn count(held: usize) -> u32 {
    u32::try_from(held).unwrap_or(u32::MAX)
}

fn index(number: u32) -> usize {
    number as usize
}
