//! Days and instants of the generated years, as plain numbers of days in the city (UTC+7).
//!
//! It owns the window that every event falls into and refuses time zones other than the city's.

use sokhoe_record::{Date, Instant, Occurred, PartialDate};

/// A local day, counted from 1 January 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Day(pub(crate) i32);

/// A moment: microseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Moment(pub(crate) i64);

/// The first day on which anything is sent: 5 January 2015.
pub(crate) const FIRST: Day = Day::of(2015, 1, 5);

/// The last day on which anything happens: 31 October 2026.
pub(crate) const LAST: Day = Day::of(2026, 10, 31);

const MICROS_PER_MINUTE: i64 = 60_000_000;
const MINUTES_PER_DAY: i64 = 24 * 60;
const CITY_OFFSET_MINUTES: i64 = 7 * 60;

impl Day {
    /// The day of a civil date (proleptic Gregorian; Howard Hinnant's `days_from_civil`).
    pub(crate) const fn of(year: i32, month: i32, day: i32) -> Self {
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let shifted = (month + 9) % 12;
        let day_of_year = (153 * shifted + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Self(era * 146_097 + day_of_era - 719_468)
    }

    /// Year, month and day of month.
    pub(crate) const fn civil(self) -> (i32, i32, i32) {
        let shifted = self.0 + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        };
        let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
        (year, month, day)
    }

    pub(crate) const fn year(self) -> i32 {
        self.civil().0
    }

    pub(crate) const fn plus(self, days: i32) -> Self {
        Self(self.0 + days)
    }

    /// The day some years later, with the leap day moved to 28 February.
    pub(crate) const fn plus_years(self, years: i32) -> Self {
        let (year, month, day) = self.civil();
        let day = if month == 2 && day == 29 { 28 } else { day };
        Self::of(year + years, month, day)
    }

    /// Whole years of age on this day of someone born then.
    pub(crate) const fn age(self, born: Self) -> i32 {
        let (year, month, day) = self.civil();
        let (born_year, born_month, born_day) = born.civil();
        let before = month < born_month || (month == born_month && day < born_day);
        year - born_year - if before { 1 } else { 0 }
    }

    /// The day as events write it.
    pub(crate) fn date(self) -> PartialDate {
        Date::from_days(self.0).into()
    }

    /// Only year and month of the day.
    pub(crate) fn month_date(self) -> PartialDate {
        let (year, month, _) = self.civil();
        let parts = u16::try_from(year).ok().zip(u8::try_from(month).ok());
        parts
            .and_then(|(year, month)| PartialDate::month(year, month))
            .unwrap_or_default()
    }

    /// Only the year of the day.
    pub(crate) fn year_date(self) -> PartialDate {
        u16::try_from(self.year())
            .ok()
            .and_then(PartialDate::year)
            .unwrap_or_default()
    }

    /// The moment that many minutes after local midnight.
    pub(crate) const fn minute(self, minute: i32) -> Moment {
        let minutes = self.0 as i64 * MINUTES_PER_DAY + minute as i64 - CITY_OFFSET_MINUTES;
        Moment(minutes * MICROS_PER_MINUTE)
    }
}

impl Moment {
    pub(crate) const fn plus_minutes(self, minutes: i32) -> Self {
        Self(self.0 + minutes as i64 * MICROS_PER_MINUTE)
    }

    /// The moment as events write it.
    pub(crate) fn occurred(self) -> Occurred {
        Occurred::At(Instant::from_micros(self.0))
    }

    /// The local day that this moment falls on.
    pub(crate) fn day(self) -> Day {
        Day(Instant::from_micros(self.0).local_day().days())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn civil_dates_come_back() {
        assert_eq!(Day::of(1970, 1, 1), Day(0));
        assert_eq!(Day::of(2000, 3, 1), Day(11_017));
        for day in (Day::of(1899, 1, 1).0..Day::of(2030, 1, 1).0).map(Day) {
            let (year, month, of_month) = day.civil();
            assert_eq!(Day::of(year, month, of_month), day);
        }
    }

    #[test]
    fn a_birthday_ends_a_year_of_age() {
        let born = Day::of(2000, 2, 29);
        assert_eq!(Day::of(2001, 2, 28).age(born), 0);
        assert_eq!(Day::of(2001, 3, 1).age(born), 1);
    }

    #[test]
    fn local_midnight_is_five_in_the_afternoon_utc() {
        assert_eq!(Day(1).minute(0), Moment(17 * 3_600_000_000));
        assert_eq!(Day(1).minute(0).day(), Day(1));
    }
}
