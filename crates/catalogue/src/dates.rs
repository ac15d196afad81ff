//! Reads the days of tables and files: `YYYY-MM-DD`, nothing else.

use sokhoe_record::{Date, PartialDate};

/// Reads a whole day; `None` for anything else.
pub(crate) fn read_date(text: &str) -> Option<Date> {
    PartialDate::parse(text).ok()?.whole()
}

/// Reads a day of a test.
#[cfg(test)]
pub(crate) fn day(text: &str) -> Date {
    read_date(text).unwrap()
}
