//! How long an answer to a data subject may take: the law's days, versioned, so that every clock says by which rule it runs.
//!
//! Source: the answer times of Decree 356/2025 as `vietnam.md` §3 of the design's references gives them. Public holidays are
//! not known here: a deadline in working days may in truth be a holiday later, never earlier.

use sokhoe_record::{Instant, RequestRight};

/// Which version of the table a deadline comes from.
pub const DEADLINES_VERSION: &str = "decree-356-2025/1";

/// Working days within which a request is acknowledged.
const ACKNOWLEDGE_WORKING_DAYS: u32 = 2;
/// Vietnam has one time, without summer time, 7 hours ahead of UTC.
const LOCAL_US: i64 = 7 * 3_600_000_000;

/// How long a request under one right may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerTime {
    /// Days within which it is answered.
    pub days: u32,
    /// Days by which that may be extended, once.
    pub extension_days: u32,
}

/// Returns how long a request may take.
#[must_use]
pub const fn answer_time(right: RequestRight) -> AnswerTime {
    let (days, extension_days) = match right {
        RequestRight::View | RequestRight::Correct => (10, 10),
        RequestRight::Restrict | RequestRight::Withdraw | RequestRight::Object => (15, 15),
        RequestRight::Erase => (20, 20),
    };
    AnswerTime {
        days,
        extension_days,
    }
}

/// Returns the last moment at which a request is answered in time.
#[must_use]
pub fn answer_by(right: RequestRight, made: Instant, extended: bool) -> Instant {
    let AnswerTime {
        days,
        extension_days,
    } = answer_time(right);
    let days = days + if extended { extension_days } else { 0 };
    end_of(day_of(made) + i64::from(days))
}

/// Returns the last moment at which a request is acknowledged in time.
#[must_use]
pub fn acknowledge_by(made: Instant) -> Instant {
    let mut day = day_of(made);
    let mut left = ACKNOWLEDGE_WORKING_DAYS;
    while left > 0 {
        day += 1;
        // 1 January 1970 was a Thursday.
        let weekday = (day + 4).rem_euclid(7);
        left -= u32::from(!matches!(weekday, 0 | 6));
    }
    end_of(day)
}

fn day_of(moment: Instant) -> i64 {
    (moment.micros() + LOCAL_US).div_euclid(Instant::DAY_US)
}

fn end_of(day: i64) -> Instant {
    Instant::from_micros((day + 1) * Instant::DAY_US - LOCAL_US - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        Instant::parse(text).unwrap()
    }

    #[test]
    fn an_answer_is_due_at_the_end_of_its_last_day_in_vietnam() {
        let made = at("2026-11-27T23:30:00+07:00");
        let due = answer_by(RequestRight::View, made, false);
        assert_eq!(due, at("2026-12-07T23:59:59.999999+07:00"));
        assert_eq!(
            answer_by(RequestRight::View, made, true),
            at("2026-12-17T23:59:59.999999+07:00")
        );
        assert_eq!(
            answer_by(RequestRight::Erase, made, false),
            at("2026-12-17T23:59:59.999999+07:00")
        );
        assert_eq!(
            answer_by(RequestRight::Withdraw, made, true),
            at("2026-12-27T23:59:59.999999+07:00")
        );
    }

    #[test]
    fn a_request_is_acknowledged_within_two_working_days() {
        // A Friday, a Saturday, a Sunday, a Monday.
        for (made, by) in [
            ("2026-11-27T10:00:00+07:00", "2026-12-01"),
            ("2026-11-28T10:00:00+07:00", "2026-12-01"),
            ("2026-11-29T10:00:00+07:00", "2026-12-01"),
            ("2026-11-30T10:00:00+07:00", "2026-12-02"),
        ] {
            assert_eq!(
                acknowledge_by(at(made)),
                at(&format!("{by}T23:59:59.999999+07:00")),
                "{made}"
            );
        }
    }
}
