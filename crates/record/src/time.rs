//! Times as clinical facts have them: instants, days, and dates known only to the month or the year.
//!
//! No clock. Local days are those of Viet Nam, +07:00 without summer time.

use std::fmt;

use crate::{
    field::{Cx, Field, Path},
    json::Node,
};

mod calendar;
mod instant;
#[cfg(test)]
mod tests;

pub use instant::Instant;

use calendar::{civil_of_days, days_of_civil, month_days};

/// The first year that a date may name; nothing in a living person's record is older.
pub const YEAR_MIN: u16 = 1800;
/// The last year that a date may name.
pub const YEAR_MAX: u16 = 2199;

/// A text that is not a date or time of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotATime {
    /// The text has another form.
    #[error("read a time: expected {expected}")]
    Form {
        /// The form that was expected.
        expected: &'static str,
    },
    /// The form is right, but the calendar has no such day, or the clock no such time.
    #[error("read a time: no such day or time between the years 1800 and 2199")]
    Impossible,
}

/// A day, as days since 1970-01-01.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Default,
    wincode::SchemaWrite,
    wincode::SchemaRead,
)]
pub struct Date(i32);

impl Date {
    /// Makes the day that lies so many days after 1970-01-01.
    pub const fn from_days(days: i32) -> Self {
        Self(days)
    }

    /// Makes a day of the calendar.
    pub fn from_ymd(year: u16, month: u8, day: u8) -> Option<Self> {
        PartialDate::day(year, month, day).map(PartialDate::earliest)
    }

    /// Returns the days since 1970-01-01.
    pub const fn days(self) -> i32 {
        self.0
    }

    /// Returns year, month and day.
    pub fn ymd(self) -> (i32, u8, u8) {
        civil_of_days(self.0)
    }

    /// Returns the instant at which this day begins in Viet Nam.
    pub fn begins_at(self) -> Instant {
        Instant::from_micros(i64::from(self.0) * Instant::DAY_US - Instant::LOCAL_OFFSET_US)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.ymd();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl serde::Serialize for Date {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// A date known to the day, the month or only the year.
///
/// Ordered by its first possible day, then the more precise one last.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Default,
    wincode::SchemaWrite,
    wincode::SchemaRead,
)]
pub struct PartialDate {
    year: u16,
    /// 0 when unknown.
    month: u8,
    /// 0 when unknown.
    day: u8,
}

const PARTIAL_FORM: NotATime = NotATime::Form {
    expected: "YYYY, YYYY-MM or YYYY-MM-DD",
};

impl PartialDate {
    /// Makes a date of which only the year is known.
    pub fn year(year: u16) -> Option<Self> {
        (YEAR_MIN..=YEAR_MAX).contains(&year).then_some(Self {
            year,
            month: 0,
            day: 0,
        })
    }

    /// Makes a date of which year and month are known.
    pub fn month(year: u16, month: u8) -> Option<Self> {
        let possible = (1..=12).contains(&month);
        Self::year(year)
            .filter(|_| possible)
            .map(|date| Self { month, ..date })
    }

    /// Makes a whole date, if the calendar has it.
    pub fn day(year: u16, month: u8, day: u8) -> Option<Self> {
        let date = Self::month(year, month)?;
        (1..=month_days(year, month))
            .contains(&day)
            .then_some(Self { day, ..date })
    }

    /// Reads `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
    ///
    /// # Errors
    /// Tells another form from a day that the calendar does not have.
    pub fn parse(text: &str) -> Result<Self, NotATime> {
        let digits = |range: std::ops::Range<usize>| -> Option<u16> {
            let part = text.get(range)?;
            part.bytes()
                .all(|byte| byte.is_ascii_digit())
                .then(|| part.parse().ok())?
        };
        let byte = |at: usize| text.as_bytes().get(at).copied();
        let small = |number: u16| u8::try_from(number).unwrap_or(u8::MAX);
        let year = digits(0..4).ok_or(PARTIAL_FORM)?;
        let made = match text.len() {
            4 => Self::year(year),
            7 if byte(4) == Some(b'-') => {
                Self::month(year, small(digits(5..7).ok_or(PARTIAL_FORM)?))
            }
            10 if byte(4) == Some(b'-') && byte(7) == Some(b'-') => {
                let month = digits(5..7).ok_or(PARTIAL_FORM)?;
                Self::day(
                    year,
                    small(month),
                    small(digits(8..10).ok_or(PARTIAL_FORM)?),
                )
            }
            _ => return Err(PARTIAL_FORM),
        };
        made.ok_or(NotATime::Impossible)
    }

    /// Returns year, month and day as far as they are known.
    pub fn parts(self) -> (u16, Option<u8>, Option<u8>) {
        (
            self.year,
            (self.month > 0).then_some(self.month),
            (self.day > 0).then_some(self.day),
        )
    }

    /// Returns the whole date, if the day is known.
    pub fn whole(self) -> Option<Date> {
        (self.day > 0).then(|| self.earliest())
    }

    /// Returns the first day that this may be.
    pub fn earliest(self) -> Date {
        Date(days_of_civil(
            i32::from(self.year),
            self.month.max(1),
            self.day.max(1),
        ))
    }

    /// Returns the last day that this may be.
    pub fn latest(self) -> Date {
        let month = if self.month == 0 { 12 } else { self.month };
        let day = if self.day == 0 {
            month_days(self.year, month)
        } else {
            self.day
        };
        Date(days_of_civil(i32::from(self.year), month, day))
    }
}

impl std::str::FromStr for PartialDate {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        Self::parse(text)
    }
}

impl From<Date> for PartialDate {
    /// Days outside the years that a date may name become the nearest such day.
    fn from(date: Date) -> Self {
        let (year, month, day) = date.ymd();
        match u16::try_from(year) {
            Ok(year) if (YEAR_MIN..=YEAR_MAX).contains(&year) => Self { year, month, day },
            Ok(year) if year > YEAR_MAX => Self {
                year: YEAR_MAX,
                month: 12,
                day: 31,
            },
            _ if year > i32::from(YEAR_MAX) => Self {
                year: YEAR_MAX,
                month: 12,
                day: 31,
            },
            _ => Self {
                year: YEAR_MIN,
                month: 1,
                day: 1,
            },
        }
    }
}

impl fmt::Display for PartialDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            (year, Some(month), Some(day)) => write!(f, "{year:04}-{month:02}-{day:02}"),
            (year, Some(month), None) => write!(f, "{year:04}-{month:02}"),
            (year, ..) => write!(f, "{year:04}"),
        }
    }
}

impl serde::Serialize for PartialDate {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// When something happened: an instant, or a date as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, wincode::SchemaWrite, wincode::SchemaRead)]
pub enum Occurred {
    /// Known to the second or better.
    At(Instant),
    /// Known to the day, month or year, in local days.
    On(PartialDate),
}

impl Default for Occurred {
    fn default() -> Self {
        Self::On(PartialDate::default())
    }
}

impl Occurred {
    /// Reads RFC 3339 with an offset, or a partial date.
    ///
    /// # Errors
    /// Tells another form from a day or time that does not exist.
    pub fn parse(text: &str) -> Result<Self, NotATime> {
        if text.len() > 10 {
            Instant::parse(text).map(Self::At)
        } else {
            PartialDate::parse(text).map(Self::On)
        }
    }

    /// Returns the first instant that this may be.
    pub fn earliest(self) -> Instant {
        match self {
            Self::At(instant) => instant,
            Self::On(date) => date.earliest().begins_at(),
        }
    }

    /// Returns the last instant (to the microsecond) that this may be.
    pub fn latest(self) -> Instant {
        match self {
            Self::At(instant) => instant,
            Self::On(date) => {
                let next = Date(date.latest().days().saturating_add(1));
                Instant::from_micros(next.begins_at().micros() - 1)
            }
        }
    }

    /// Returns the first instant that this may be, in microseconds since 1970 UTC.
    pub fn earliest_us(self) -> i64 {
        self.earliest().micros()
    }

    /// Returns the last instant that this may be, in microseconds since 1970 UTC.
    pub fn latest_us(self) -> i64 {
        self.latest().micros()
    }

    /// Returns the first and last local day that this may be.
    pub fn local_days(self) -> (Date, Date) {
        match self {
            Self::At(instant) => (instant.local_day(), instant.local_day()),
            Self::On(date) => (date.earliest(), date.latest()),
        }
    }

    /// Returns the local date, as far as it is known.
    pub fn date(self) -> PartialDate {
        match self {
            Self::At(instant) => instant.local_day().into(),
            Self::On(date) => date,
        }
    }
}

impl From<Instant> for Occurred {
    fn from(instant: Instant) -> Self {
        Self::At(instant)
    }
}

impl From<PartialDate> for Occurred {
    fn from(date: PartialDate) -> Self {
        Self::On(date)
    }
}

impl fmt::Display for Occurred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(instant) => instant.fmt(f),
            Self::On(date) => date.fmt(f),
        }
    }
}

impl serde::Serialize for Occurred {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

fn read_time<T>(
    node: &Node<'_>,
    at: Path<'_>,
    cx: &mut Cx,
    parse: impl FnOnce(&str) -> Result<T, NotATime>,
) -> Option<T> {
    match parse(cx.text(node, at)?) {
        Ok(read) => Some(read),
        Err(NotATime::Form { expected }) => {
            cx.error(at, "bad_format", format!("expected {expected}"));
            None
        }
        Err(NotATime::Impossible) => {
            cx.error(
                at,
                "impossible_date",
                "expected a day and time that exist, from 1800 to 2199",
            );
            None
        }
    }
}

impl Field for PartialDate {
    fn read(node: &Node<'_>, at: Path<'_>, _limit: usize, cx: &mut Cx) -> Option<Self> {
        read_time(node, at, cx, Self::parse)
    }

    fn check(&self, at: Path<'_>, _limit: usize, cx: &mut Cx) {
        if self.year == 0 {
            cx.missing(at);
        }
    }

    fn schema(_limit: usize) -> serde_json::Value {
        serde_json::json!({ "type": "string", "pattern": r"^\d{4}(-\d{2}(-\d{2})?)?$" })
    }
}

impl Field for Occurred {
    fn read(node: &Node<'_>, at: Path<'_>, _limit: usize, cx: &mut Cx) -> Option<Self> {
        read_time(node, at, cx, Self::parse)
    }

    fn check(&self, at: Path<'_>, limit: usize, cx: &mut Cx) {
        if let Self::On(date) = self {
            date.check(at, limit, cx);
        }
    }

    fn schema(limit: usize) -> serde_json::Value {
        serde_json::json!({
            "anyOf": [{ "type": "string", "format": "date-time" }, PartialDate::schema(limit)],
        })
    }
}
