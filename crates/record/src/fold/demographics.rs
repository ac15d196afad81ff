//! Who the person is now: each value in force by its effective date, the survivor's before those of the retired.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Entry, TimeKey, effective::Effective};
use crate::{
    block::{
        Address, BloodGroup, Change, CodeOrText, Household, Identifier, IdentifierStatus,
        Insurance, Name, PersonRef,
    },
    data::{BirthRecorded, Data, DemographicsChanged, PersonDied, PersonRegistered, Sex},
    id::{EventId, PersonId},
    time::{Occurred, PartialDate},
};

/// A death, as recorded.
pub type Death = Entry<PersonDied>;
/// A birth, as recorded on the child.
pub type Birth = Entry<BirthRecorded>;

macro_rules! demographics {
    ($( $(#[$doc:meta])* $field:ident : $type:ty ),+ $(,)?) => {
        /// Who a person is.
        #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
        pub struct Demographics {
            $(
                $(#[$doc])*
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $field: Option<$type>,
            )+
            /// Telephone numbers.
            pub phones: Vec<String>,
            /// Every number ever linked, with its standing.
            pub identifiers: Vec<Identifier>,
            /// When the person died.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub died_on: Option<PartialDate>,
            /// The death as recorded.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub death: Option<Death>,
            /// The birth as recorded on the child.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub birth: Option<Birth>,
            /// The entries that were merged into this one.
            #[serde(skip_serializing_if = "Vec::is_empty")]
            pub merged: Vec<PersonId>,
            /// For each value the event that stated it.
            pub stated_by: BTreeMap<&'static str, EventId>,
        }

        /// The latest statement about each field by one entry of the person.
        #[derive(Debug, Default)]
        struct Stated {
            $( $field: Latest<$type>, )+
            phones: Latest<Vec<String>>,
        }

        impl Stated {
            fn register(&mut self, at: (TimeKey, EventId), said: &PersonRegistered) {
                $( self.$field.say(at, Said::first(&said.$field)); )+
                self.phones.say(at, Said::first(&said.phones));
            }

            fn change(&mut self, at: (TimeKey, EventId), said: &DemographicsChanged) {
                $( self.$field.say(at, Said::change(&said.$field)); )+
                self.phones.say(at, Said::change(&said.phones));
            }

            /// Fills what is still empty.
            fn fill(self, demographics: &mut Demographics) {
                let stated_by = &mut demographics.stated_by;
                $( self.$field.fill(&mut demographics.$field, stringify!($field), stated_by); )+
                let mut phones = None;
                if demographics.phones.is_empty() {
                    self.phones.fill(&mut phones, "phones", stated_by);
                    demographics.phones = phones.unwrap_or_default();
                }
            }
        }
    };
}

demographics! {
    /// Name.
    name: Name,
    /// Sex.
    sex: Sex,
    /// When the person was born, as far as it is known.
    birth_date: PartialDate,
    /// Where the person was born.
    birth_place: Address,
    /// Ethnic group.
    ethnic_group: CodeOrText,
    /// Nationality.
    nationality: CodeOrText,
    /// Religion.
    religion: CodeOrText,
    /// Occupation.
    occupation: CodeOrText,
    /// Blood group.
    blood_group: BloodGroup,
    /// Where the person lives now.
    current_address: Address,
    /// Where the person is registered as living.
    permanent_address: Address,
    /// E-mail address.
    email: String,
    /// Household.
    household: Household,
    /// Mother.
    mother: PersonRef,
    /// Father.
    father: PersonRef,
    /// Who cares for the person.
    carer: PersonRef,
    /// Health insurance.
    insurance: Insurance,
}

/// What one event says about one field.
enum Said<T> {
    Nothing,
    Gone,
    Is(T),
}

/// Turns the fields of a registration, required or not, into what they say.
trait First<T> {
    fn first(&self) -> Said<T>;
}

impl<T: Clone> First<T> for Option<T> {
    fn first(&self) -> Said<T> {
        self.clone().map_or(Said::Nothing, Said::Is)
    }
}

impl First<Vec<String>> for Vec<String> {
    fn first(&self) -> Said<Vec<String>> {
        if self.is_empty() {
            Said::Nothing
        } else {
            Said::Is(self.clone())
        }
    }
}

macro_rules! first_always {
    ($( $type:ty ),+) => {
        $( impl First<$type> for $type {
            fn first(&self) -> Said<$type> {
                Said::Is(self.clone())
            }
        } )+
    };
}

first_always!(Name, Sex, PartialDate);

impl<T: Clone> Said<T> {
    fn first(field: &impl First<T>) -> Self {
        field.first()
    }

    fn change(change: &Change<T>) -> Self {
        match change {
            Change::Keep => Self::Nothing,
            Change::Clear => Self::Gone,
            Change::Set(value) => Self::Is(value.clone()),
        }
    }
}

/// The latest statement about one field.
#[derive(Debug)]
struct Latest<T>(Option<(TimeKey, EventId, Option<T>)>);

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Latest<T> {
    fn say(&mut self, (key, event): (TimeKey, EventId), said: Said<T>) {
        let value = match said {
            Said::Nothing => return,
            Said::Gone => None,
            Said::Is(value) => Some(value),
        };
        if self.0.as_ref().is_none_or(|(latest, ..)| *latest < key) {
            self.0 = Some((key, event, value));
        }
    }

    fn fill(
        self,
        field: &mut Option<T>,
        name: &'static str,
        stated_by: &mut BTreeMap<&'static str, EventId>,
    ) {
        if let (None, Some((_, event, Some(value)))) = (&field, self.0) {
            *field = Some(value);
            stated_by.insert(name, event);
        }
    }
}

/// Folds what all entries of the person say about who they are.
pub(crate) fn fold(person: PersonId, events: &[Effective<'_>]) -> Demographics {
    let mut entries: BTreeMap<(bool, PersonId), Stated> = BTreeMap::new();
    let mut numbers: BTreeMap<(String, String), (TimeKey, Identifier)> = BTreeMap::new();
    for event in events {
        let owner = event.recorded.person;
        let stated = entries.entry((owner != person, owner)).or_default();
        let id = event.recorded.event.event_id;
        match &*event.data {
            Data::PersonRegistered(said) => {
                stated.register((event.key(), id), said);
                said.identifiers
                    .iter()
                    .for_each(|it| link(&mut numbers, event.key(), it, None));
            }
            Data::DemographicsChanged(said) => {
                let key = effective_key(event, said.effective_on);
                stated.change((key, id), said);
                said.identifiers
                    .iter()
                    .for_each(|it| link(&mut numbers, key, it, None));
            }
            Data::IdentifierLinked(said) => {
                link(
                    &mut numbers,
                    event.key(),
                    &said.identifier,
                    Some(said.status),
                );
            }
            _ => {}
        }
    }
    let mut demographics = Demographics {
        merged: entries
            .keys()
            .filter(|(other, _)| *other)
            .map(|(_, id)| *id)
            .collect(),
        identifiers: numbers
            .into_values()
            .map(|(_, identifier)| identifier)
            .collect(),
        ..Demographics::default()
    };
    entries
        .into_values()
        .for_each(|stated| stated.fill(&mut demographics));
    life_and_death(person, events, &mut demographics);
    demographics
}

fn effective_key(event: &Effective<'_>, effective_on: Option<PartialDate>) -> TimeKey {
    let effective = effective_on.map(Occurred::On).unwrap_or(event.occurred_at);
    (effective.earliest_us(), event.recorded.position)
}

/// Links a number, or gives a linked one the standing of the latest statement.
fn link(
    numbers: &mut BTreeMap<(String, String), (TimeKey, Identifier)>,
    key: TimeKey,
    identifier: &Identifier,
    status: Option<IdentifierStatus>,
) {
    let status = status.or(identifier.status).unwrap_or_default();
    let mut linked = Identifier {
        status: Some(status),
        ..identifier.clone()
    };
    let name = (
        identifier.system.as_str().to_owned(),
        identifier.value.clone(),
    );
    match numbers.get_mut(&name) {
        None => {
            numbers.insert(name, (key, linked));
        }
        Some((latest, known)) => {
            let newer = *latest < key;
            let (newest, older) = if newer {
                (&mut linked, &*known)
            } else {
                (&mut *known, &linked)
            };
            newest.issued_on = newest.issued_on.or(older.issued_on);
            newest.issued_by = newest.issued_by.take().or_else(|| older.issued_by.clone());
            if newer {
                (*latest, *known) = (key, linked);
            }
        }
    }
}

/// The survivor's death and birth before those of the retired, then the latest recorded.
fn life_and_death(person: PersonId, events: &[Effective<'_>], demographics: &mut Demographics) {
    let rank = |event: &&Effective<'_>| (event.recorded.person == person, event.recorded.position);
    let died = |event: &&Effective<'_>| matches!(&*event.data, Data::PersonDied(_));
    if let Some(event) = events.iter().filter(died).max_by_key(rank)
        && let Data::PersonDied(death) = &*event.data
    {
        demographics.died_on = Some(death.died_on);
        let what = PersonDied {
            labels: Vec::new(),
            ..(**death).clone()
        };
        demographics.death = Some(event.entry(what, &[]));
    }
    let born = |event: &&Effective<'_>| matches!(&*event.data, Data::BirthRecorded(_));
    if let Some(event) = events.iter().filter(born).max_by_key(rank)
        && let Data::BirthRecorded(birth) = &*event.data
    {
        let what = BirthRecorded {
            labels: Vec::new(),
            ..(**birth).clone()
        };
        demographics.birth = Some(event.entry(what, &[]));
    }
}
