//! Instants: microseconds since 1970 in UTC, read from and written as RFC 3339.

use std::fmt;

use super::{Date, NotATime, PartialDate, calendar::civil_of_days};

/// A moment, as microseconds since 1970-01-01T00:00:00Z.
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
pub struct Instant(i64);

const FORM: NotATime = NotATime::Form {
    expected: "RFC 3339 with an offset, such as 2026-11-01T08:00:00+07:00",
};

impl Instant {
    /// Microseconds of a second.
    pub const SECOND_US: i64 = 1_000_000;
    /// Microseconds of a day.
    pub const DAY_US: i64 = 86_400 * Self::SECOND_US;
    /// How far local time (Viet Nam) is ahead of UTC.
    pub const LOCAL_OFFSET_US: i64 = 7 * 3_600 * Self::SECOND_US;

    /// Makes the instant so many microseconds after 1970 UTC.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Returns the microseconds since 1970 UTC.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Returns the day in Viet Nam.
    pub fn local_day(self) -> Date {
        let days = self
            .0
            .saturating_add(Self::LOCAL_OFFSET_US)
            .div_euclid(Self::DAY_US);
        Date::from_days(i32::try_from(days).unwrap_or(i32::MAX))
    }

    /// Reads RFC 3339 with an offset. Digits beyond microseconds are cut; a leap second counts as the next second.
    ///
    /// # Errors
    /// Tells another form from a day or time that does not exist.
    pub fn parse(text: &str) -> Result<Self, NotATime> {
        let bytes = text.as_bytes();
        let date = text.get(..10).ok_or(FORM)?;
        let day = match PartialDate::parse(date) {
            Ok(date) => date.earliest(),
            Err(NotATime::Impossible) => return Err(NotATime::Impossible),
            Err(NotATime::Form { .. }) => return Err(FORM),
        };
        let punctuated = matches!(bytes.get(10), Some(b'T' | b't' | b' '))
            && bytes.get(13) == Some(&b':')
            && bytes.get(16) == Some(&b':');
        if !punctuated {
            return Err(FORM);
        }
        let hour = two_digits(bytes, 11)?;
        let minute = two_digits(bytes, 14)?;
        let second = two_digits(bytes, 17)?;
        let (micros, rest) = fraction(bytes.get(19..).unwrap_or_default())?;
        let offset_minutes = offset(rest)?;
        if hour > 23 || minute > 59 || second > 60 {
            return Err(NotATime::Impossible);
        }
        let seconds = (hour * 60 + minute - offset_minutes) * 60 + second;
        Ok(Self(
            i64::from(day.days()) * Self::DAY_US + seconds * Self::SECOND_US + micros,
        ))
    }
}

fn two_digits(bytes: &[u8], at: usize) -> Result<i64, NotATime> {
    match bytes.get(at..at + 2) {
        Some([tens @ b'0'..=b'9', ones @ b'0'..=b'9']) => {
            Ok(i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
        }
        _ => Err(FORM),
    }
}

/// Reads `.123…` if it is there; returns microseconds and what follows.
fn fraction(bytes: &[u8]) -> Result<(i64, &[u8]), NotATime> {
    let Some((b'.', digits)) = bytes.split_first() else {
        return Ok((0, bytes));
    };
    let count = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if count == 0 {
        return Err(FORM);
    }
    let (digits, rest) = digits.split_at(count);
    let six = digits
        .iter()
        .copied()
        .chain(std::iter::repeat(b'0'))
        .take(6);
    Ok((
        six.fold(0, |micros, digit| micros * 10 + i64::from(digit - b'0')),
        rest,
    ))
}

/// Reads `Z` or `±HH:MM` to the end; returns minutes.
fn offset(bytes: &[u8]) -> Result<i64, NotATime> {
    match bytes {
        [b'Z' | b'z'] => Ok(0),
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let (hours, minutes) = (two_digits(bytes, 1)?, two_digits(bytes, 4)?);
            if hours > 23 || minutes > 59 {
                return Err(NotATime::Impossible);
            }
            let total = hours * 60 + minutes;
            Ok(if *sign == b'-' { -total } else { total })
        }
        _ => Err(FORM),
    }
}

/// Written in UTC; microseconds only when there are some.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = i32::try_from(self.0.div_euclid(Self::DAY_US)).unwrap_or(i32::MAX);
        let of_day = self.0.rem_euclid(Self::DAY_US);
        let (year, month, day) = civil_of_days(days);
        let (seconds, micros) = (of_day / Self::SECOND_US, of_day % Self::SECOND_US);
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )?;
        if micros > 0 {
            write!(f, ".{micros:06}")?;
        }
        f.write_str("Z")
    }
}

impl serde::Serialize for Instant {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}
