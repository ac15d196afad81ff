//! Promises of dates and instants.

use super::{Date, Instant, NotATime, Occurred, PartialDate};

#[test]
fn every_day_of_four_centuries_goes_there_and_back() {
    let first = Date::from_ymd(1800, 1, 1).unwrap().days();
    let last = Date::from_ymd(2199, 12, 31).unwrap().days();
    assert_eq!(last - first + 1, 146_097);
    for days in first..=last {
        let date = Date::from_days(days);
        let (year, month, day) = date.ymd();
        let year = u16::try_from(year).unwrap();
        assert_eq!(Date::from_ymd(year, month, day), Some(date));
    }
}

#[test]
fn partial_dates_read_and_write_the_same() {
    for text in ["1985", "1985-03", "1985-03-07", "2000-02-29"] {
        assert_eq!(PartialDate::parse(text).unwrap().to_string(), text);
    }
}

#[test]
fn impossible_dates_are_told_from_other_forms() {
    for text in [
        "1985-02-30",
        "1900-02-29",
        "1985-13",
        "0000",
        "1799",
        "1985-00-01",
        "2300-01-01",
    ] {
        assert_eq!(
            PartialDate::parse(text),
            Err(NotATime::Impossible),
            "{text}"
        );
    }
    for text in [
        "85",
        "1985-3",
        "1985/03/07",
        "1985-03-07T",
        "abcd",
        "+985",
        "1985-0é",
        "",
    ] {
        assert!(
            matches!(PartialDate::parse(text), Err(NotATime::Form { .. })),
            "{text}"
        );
    }
}

#[test]
fn a_partial_date_spans_its_days() {
    let span = |text: &str| {
        let date = PartialDate::parse(text).unwrap();
        (date.earliest().to_string(), date.latest().to_string())
    };
    assert_eq!(span("1984"), ("1984-01-01".into(), "1984-12-31".into()));
    assert_eq!(span("1984-02"), ("1984-02-01".into(), "1984-02-29".into()));
}

#[test]
fn instants_are_written_in_utc() {
    let read = |text: &str| Instant::parse(text).unwrap().to_string();
    assert_eq!(read("2026-11-01T08:00:00+07:00"), "2026-11-01T01:00:00Z");
    assert_eq!(read("2026-11-01T00:30:00+07:00"), "2026-10-31T17:30:00Z");
    assert_eq!(
        read("2026-11-01t08:00:00.1234567z"),
        "2026-11-01T08:00:00.123456Z"
    );
    assert_eq!(
        read("1969-12-31T23:59:59.5-00:30"),
        "1970-01-01T00:29:59.500000Z"
    );
    assert_eq!(read("2016-12-31T23:59:60Z"), "2017-01-01T00:00:00Z");
}

#[test]
fn impossible_instants_are_refused() {
    for text in [
        "2026-11-01T24:00:00Z",
        "2026-11-01T08:60:00Z",
        "2026-02-29T08:00:00Z",
    ] {
        assert_eq!(Instant::parse(text), Err(NotATime::Impossible), "{text}");
    }
    for text in [
        "2026-11-01T08:00:00",
        "2026-11-01T08:00Z",
        "2026-11-01T08:00:00+0700",
        "now",
    ] {
        assert!(
            matches!(Instant::parse(text), Err(NotATime::Form { .. })),
            "{text}"
        );
    }
}

#[test]
fn a_local_day_begins_at_seventeen_hours_utc() {
    let day = |text: &str| Occurred::parse(text).unwrap().local_days().0.to_string();
    assert_eq!(day("2026-10-31T16:59:59Z"), "2026-10-31");
    assert_eq!(day("2026-10-31T17:00:00Z"), "2026-11-01");
    let date = Occurred::parse("2026-11-01").unwrap();
    assert_eq!(date.earliest().to_string(), "2026-10-31T17:00:00Z");
    assert_eq!(date.latest().to_string(), "2026-11-01T16:59:59.999999Z");
}
