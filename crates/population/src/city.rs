//! A city from a seed: its events as a stream of bounded memory.
//!
//! Households are made in waves; within a wave events come in the order of sending, so a small
//! city is one long chronological feed and a big one needs no more memory than a wave.

use std::sync::Arc;

use sokhoe_catalogue::Catalogue;
use sokhoe_record::{FacilityRegistered, Identifier, Incoming, PractitionerRegistered};

use crate::calendar::{FIRST, LAST};
use crate::cast::{PEOPLE_MIN, Part};
use crate::chronicle::{self, Setting};
use crate::household::{Household, HouseholdNumber};
use crate::identity::HOUSEHOLDS_MAX;
use crate::pen::{Hand, Pen, Sent, When};
use crate::place::Places;
use crate::truth::Truth;
use crate::{PopulationError, names, rng};

/// Households in a wave: some 5,000 events. Larger waves fall out of the processor's cache.
const WAVE_HOUSEHOLDS: u64 = 64;

/// The household number that the system events stand under; no household reaches it.
const NOBODY: HouseholdNumber = HouseholdNumber(u64::MAX >> 16);

/// Routine visits in percent of the usual ones.
const PERCENT_USUAL: u32 = 100;
const PERCENT_MAX: u32 = 1_000;

/// A synthetic city: the same people and events for ever under a seed and a size.
///
/// ```
/// use sokhoe_population::City;
///
/// let city = City::new(1, 100)?;
/// let first: Vec<_> = city.events().take(1_000).collect();
/// let again: Vec<_> = City::new(1, 100)?.events().take(1_000).collect();
/// assert_eq!(first, again);
/// # Ok::<(), sokhoe_population::PopulationError>(())
/// ```
#[derive(Debug, Clone)]
pub struct City {
    seed: u64,
    people: u64,
    percent: u32,
    places: Arc<Places>,
}

/// The people with a part in the demonstration, by the number that names them in events.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DemoPeople {
    /// Signs in as citizen.
    pub citizen: Identifier,
    /// Permits facility `99001` to read for treatment.
    pub with_consent: Identifier,
    /// Has entries of facility `99002` only and no directive.
    pub without_consent: Identifier,
    /// Is looked at by someone who has no reason to.
    pub snooped_on: Identifier,
}

impl City {
    /// Founds a city of exactly that many books, from the catalogue's built-in lists.
    ///
    /// # Errors
    /// Refuses fewer people than the cast of the demonstration needs, and more than there are
    /// personal numbers for.
    pub fn new(seed: u64, people: u64) -> Result<Self, PopulationError> {
        if people < PEOPLE_MIN {
            return Err(PopulationError::TooFew {
                people,
                people_min: PEOPLE_MIN,
            });
        }
        if HouseholdNumber::needed_for(people) > HOUSEHOLDS_MAX {
            return Err(PopulationError::TooMany { people });
        }
        let places = Arc::new(Places::new(&Catalogue::built_in())?);
        Ok(Self {
            seed,
            people,
            percent: PERCENT_USUAL,
            places,
        })
    }

    /// Sets how often people see a health worker, in percent of the usual; at most 1,000.
    #[must_use]
    pub fn with_visits_percent(self, percent: u32) -> Self {
        Self {
            percent: percent.clamp(1, PERCENT_MAX),
            ..self
        }
    }

    /// Returns how many people the city has: one `person_registered` for each.
    pub fn people(&self) -> u64 {
        self.people
    }

    /// Streams every event: facilities and professionals, then the households.
    pub fn events(&self) -> Events<'_> {
        let mut wave = Vec::new();
        self.founding(&mut wave);
        Events {
            city: self,
            wave: wave.into_iter(),
            next: HouseholdNumber(0),
            people_left: self.people,
            truth: Truth::default(),
        }
    }

    /// Returns who plays which part.
    pub fn demo_people(&self) -> DemoPeople {
        let one = |number| {
            let household = Household::new(self.seed, HouseholdNumber(number));
            chronicle::identifier(self.seed, &household, 0)
        };
        DemoPeople {
            citizen: one(0),
            with_consent: one(1),
            without_consent: one(2),
            snooped_on: one(3),
        }
    }

    /// Counts what is true of the whole city, by making it once: about 3 µs an event.
    pub fn truth(&self) -> Truth {
        let mut events = self.events();
        events.by_ref().for_each(drop);
        events.truth
    }

    /// Returns the identifiers of the namesakes that are merged and parted, and of the original
    /// and duplicate that stay merged, survivors first.
    pub fn merged_people(&self) -> [(Identifier, Identifier); 2] {
        let pair = |number| {
            let household = Household::new(self.seed, HouseholdNumber(number));
            debug_assert!(
                Part::of(household.number, 2).is_some(),
                "the cast has moved"
            );
            let one = |index| chronicle::identifier(self.seed, &household, index);
            (one(0), one(2))
        };
        [pair(4), pair(5)]
    }

    /// The events without a person: who treats the people of this city.
    fn founding(&self, wave: &mut Vec<Sent>) {
        let places = &*self.places;
        let mut pen = Pen::new(self.seed, NOBODY, places, wave);
        let mut rng = rng::Rng::new(self.seed, rng::Purpose::Stories, NOBODY.0);
        let when = When::at(FIRST.plus(-3).minute(480), 0);
        for (provider, facility) in places.providers() {
            let registered = FacilityRegistered {
                facility: facility.code.to_string(),
                name: facility.vi.to_string(),
                level: Some(facility.level.to_string()),
                commune: Some(facility.commune.to_string()),
                valid_from: Some(FIRST.plus(-3).date()),
                ..FacilityRegistered::default()
            };
            pen.write_about(None, when, Hand::Clerk(provider), registered.into());
            for number in 1..=5 {
                let family = names::family(&mut rng);
                let name = names::of_family(&mut rng, family, number % 2 == 0);
                let registered = PractitionerRegistered {
                    id: format!("{}/BS-{number:06}", facility.code),
                    name: name.full(),
                    facility: Some(facility.code.to_string()),
                    role: Some("doctor".into()),
                    ..PractitionerRegistered::default()
                };
                pen.write_about(None, when, Hand::Clerk(provider), registered.into());
            }
        }
    }
}

/// The stream of a city's events.
#[derive(Debug)]
pub struct Events<'a> {
    city: &'a City,
    wave: std::vec::IntoIter<Sent>,
    next: HouseholdNumber,
    people_left: u64,
    truth: Truth,
}

impl Events<'_> {
    /// Returns the counts so far: of lives in the waves begun, of events given out.
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// Makes the next wave; false when the city is complete.
    fn next_wave(&mut self) -> bool {
        let city = self.city;
        let setting = Setting {
            seed: city.seed,
            percent: city.percent,
            places: &city.places,
        };
        let mut sent = Vec::new();
        for _ in 0..WAVE_HOUSEHOLDS {
            if self.people_left == 0 {
                break;
            }
            let size = u64::from(self.next.size(city.seed)).min(self.people_left);
            let people = usize::try_from(size).unwrap_or(0);
            chronicle::write(setting, self.next, people, &mut sent, &mut self.truth);
            self.people_left -= size;
            self.next.0 += 1;
        }
        debug_assert!(
            sent.iter().all(|sent| sent.at.day() <= LAST),
            "an event after the end"
        );
        sent.sort_unstable_by_key(|sent| (sent.at, sent.order));
        let more = !sent.is_empty();
        self.wave = sent.into_iter();
        more
    }
}

impl Iterator for Events<'_> {
    type Item = Incoming;

    fn next(&mut self) -> Option<Incoming> {
        loop {
            if let Some(sent) = self.wave.next() {
                self.truth.count_event(&sent.incoming.event);
                return Some(*sent.incoming);
            }
            if !self.next_wave() {
                return None;
            }
        }
    }
}
