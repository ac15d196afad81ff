//! What rows an event makes.

use sokhoe_record::{
    Code, CodeOrText, Data, Date, Diagnosis, InForce, MedicationRecorded, ObservationRecorded,
    ProcedureRecorded, Quantity, Record, Value,
};

use super::schema::At;

/// A value of a row before it is stored.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    Day(i32),
    Whole(i32),
    Real(f64),
    Word(String),
}

impl Cell {
    fn word(word: impl Into<String>) -> Self {
        Self::Word(word.into())
    }

    fn words(word: Option<impl Into<String>>) -> Self {
        word.map_or(Self::Null, |word| Self::Word(word.into()))
    }

    fn whole(number: Option<u32>) -> Self {
        let whole = number.and_then(|number| i32::try_from(number).ok());
        whole.map_or(Self::Null, Self::Whole)
    }
}

/// A row: its table, and a value for each of the table's own columns.
pub(super) type Row = (At, Vec<Cell>);

/// Returns the row of the person of a record; `None` while nothing was ever said of who that is.
pub(super) fn person(record: &Record) -> Option<Row> {
    let said = &record.demographics;
    let commune = said
        .current_address
        .as_ref()
        .and_then(|address| address.commune.as_deref());
    if said.sex.is_none() && said.birth_date.is_none() && commune.is_none() {
        return None;
    }
    let [from, to] = said.birth_date.map_or([Cell::Null, Cell::Null], |born| {
        days((born.earliest(), born.latest()))
    });
    let sex = Cell::words(said.sex.map(|sex| sex.as_str()));
    Some((At::Person, vec![sex, from, to, Cell::words(commune)]))
}

/// Returns the rows that an event in force makes, in its own order.
pub(super) fn rows(event: &InForce<'_>) -> Vec<Row> {
    let said = Said {
        days: days(event.occurred_at.local_days()),
        facility: Cell::words(event.recorded.event.facility.as_deref()),
    };
    match &*event.data {
        Data::PersonDied(died) => {
            let days = days((died.died_on.earliest(), died.died_on.latest()));
            let cause = Cell::words(died.cause.as_ref().and_then(coded));
            vec![said.row_on(At::Death, days, [cause])]
        }
        Data::EncounterRecorded(encounter) => {
            let said = Said {
                days: days(encounter.started_at.local_days()),
                ..said
            };
            let class = Cell::word(encounter.class.as_str());
            let mut rows = vec![said.row(At::Encounter, [class])];
            rows.extend(encounter.diagnoses.iter().map(|made| said.diagnosis(made)));
            rows.extend(
                encounter
                    .observations
                    .iter()
                    .flat_map(|o| said.observation(o)),
            );
            rows.extend(encounter.medications.iter().map(|m| said.medication(m)));
            rows.extend(encounter.procedures.iter().map(|p| said.procedure(p)));
            rows
        }
        Data::ConditionRecorded(condition) => {
            let [system, code] = code(Some(&condition.code));
            let certainty = Cell::word(condition.certainty.as_str());
            vec![said.row(At::Diagnosis, [system, code, Cell::Null, certainty])]
        }
        Data::ObservationRecorded(observation) => said.observation(observation),
        Data::MedicationRecorded(medication) => vec![said.medication(medication)],
        Data::ProcedureRecorded(procedure) => vec![said.procedure(procedure)],
        Data::VaccinationRecorded(given) => {
            let [system, code] = code(Some(&given.vaccine));
            let dose = Cell::whole(given.dose_number);
            let status = Cell::word(given.status.as_str());
            vec![said.row(At::Vaccination, [system, code, dose, status])]
        }
        _ => Vec::new(),
    }
}

/// What every row of an event shares.
struct Said {
    days: [Cell; 2],
    facility: Cell,
}

impl Said {
    fn row<const N: usize>(&self, table: At, cells: [Cell; N]) -> Row {
        self.row_on(table, self.days.clone(), cells)
    }

    fn row_on<const N: usize>(&self, table: At, days: [Cell; 2], cells: [Cell; N]) -> Row {
        let facility = std::iter::once(self.facility.clone());
        (
            table,
            days.into_iter().chain(cells).chain(facility).collect(),
        )
    }

    fn diagnosis(&self, made: &Diagnosis) -> Row {
        let [system, code] = code(Some(&made.code));
        let role = Cell::word(made.role.as_str());
        self.row(At::Diagnosis, [system, code, role, Cell::Null])
    }

    fn medication(&self, medication: &MedicationRecorded) -> Row {
        let [system, code] = code(medication.code.as_ref());
        let status = Cell::word(medication.status.as_str());
        let taken = Cell::whole(medication.days);
        self.row(At::Medication, [system, code, status, taken])
    }

    fn procedure(&self, procedure: &ProcedureRecorded) -> Row {
        let performed = procedure.performed_on;
        let cells = code(procedure.code.as_ref());
        self.row_on(
            At::Procedure,
            days((performed.earliest(), performed.latest())),
            cells,
        )
    }

    fn observation(&self, observation: &ObservationRecorded) -> Vec<Row> {
        let panel = &observation.code;
        let whole = observation.value.as_ref();
        let whole = whole.map(|value| self.value(panel, None, value));
        let parts = observation.components.iter();
        let parts = parts.map(|part| self.value(&part.code, Some(panel), &part.value));
        whole.into_iter().chain(parts).collect()
    }

    fn value(&self, of: &Code, panel: Option<&Code>, value: &Value) -> Row {
        let [system, code] = code(Some(of));
        let panel = Cell::words(panel.map(|panel| panel.code.as_str()));
        let [number, unit, comparator] = match value {
            Value::Quantity(quantity) => measured(quantity),
            _ => [Cell::Null, Cell::Null, Cell::Null],
        };
        let finding = match value {
            Value::Code(finding) => Cell::word(finding.code.as_str()),
            _ => Cell::Null,
        };
        let cells = [system, code, panel, number, unit, comparator, finding];
        self.row(At::Observation, cells)
    }
}

fn measured(quantity: &Quantity) -> [Cell; 3] {
    let comparator = quantity.comparator.map(|comparator| comparator.as_str());
    [
        Cell::Real(quantity.value.to_f64()),
        Cell::word(quantity.unit.as_str()),
        Cell::words(comparator),
    ]
}

fn days((from, to): (Date, Date)) -> [Cell; 2] {
    [Cell::Day(from.days()), Cell::Day(to.days())]
}

fn code(code: Option<&Code>) -> [Cell; 2] {
    [
        Cell::words(code.map(|code| code.system.as_str())),
        Cell::words(code.map(|code| code.code.as_str())),
    ]
}

fn coded(what: &CodeOrText) -> Option<&str> {
    match what {
        CodeOrText::Code(code) => Some(&code.code),
        CodeOrText::Text(_) => None,
    }
}
