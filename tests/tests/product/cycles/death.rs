//! How a server dies: at a random moment, while it starts, or at a named place of its way to the disk.

use sokhoe_disk::testing::Random;

/// What every server of the cycles is ordered: segments and caches that are done with soon.
const SMALL: &str = "segment_bytes=32768 cache_every_events=64";
/// The longest that a server lives under load, in microseconds.
const LIFE_US_MAX: u64 = 50_000;
/// The longest that it is let start before it is killed at that.
const START_US_MAX: u64 = 120_000;

/// A named place: what it is called in the figures, the call, and how often it may be passed before.
struct Point {
    name: &'static str,
    orders: &'static str,
    nth_max: u64,
}

const fn point(name: &'static str, orders: &'static str, nth_max: u64) -> Point {
    Point {
        name,
        orders,
        nth_max,
    }
}

const POINTS: &[Point] = &[
    point(
        "group: before it is written",
        "do=kill-before call=write at=/log/",
        12,
    ),
    point(
        "group: half written",
        "do=kill-half call=write at=/log/",
        12,
    ),
    point(
        "group: written, not synced",
        "do=kill-before call=sync at=/log/",
        12,
    ),
    point(
        "group: synced, not answered",
        "do=kill-after call=sync at=/log/",
        12,
    ),
    point(
        "new segment: header half written",
        "do=kill-half call=write at=prepared",
        6,
    ),
    point(
        "new segment: before it has its name",
        "do=kill-before call=rename at=/log/",
        3,
    ),
    point(
        "new segment: named, folder not synced",
        "do=kill-before call=sync-dir at=/log",
        4,
    ),
    point(
        "new segment: folder synced",
        "do=kill-after call=sync-dir at=/log",
        4,
    ),
    point(
        "closing a segment, or a torn tail: before the cut",
        "do=kill-before call=set-len at=/log/",
        4,
    ),
    point(
        "closing a segment, or a torn tail: after the cut",
        "do=kill-after call=set-len at=/log/",
        4,
    ),
    point(
        "checkpoint: made, not written",
        "do=kill-after call=create at=/checkpoint",
        2,
    ),
    point(
        "checkpoint: half written",
        "do=kill-half call=write at=/checkpoint",
        2,
    ),
    point(
        "checkpoint: written, not synced",
        "do=kill-before call=sync at=/checkpoint",
        2,
    ),
    point(
        "checkpoint: before it has its name",
        "do=kill-before call=rename at=/checkpoint",
        2,
    ),
    point(
        "checkpoint: named, folder not synced",
        "do=kill-after call=rename at=/checkpoint",
        2,
    ),
    point(
        "cache: half written",
        "do=kill-half call=write at=/cache/",
        12,
    ),
    point(
        "cache: before it has its name",
        "do=kill-before call=rename at=/cache/",
        3,
    ),
    point("anywhere: before a call", "do=kill-before call=any", 40),
    point("anywhere: after a call", "do=kill-after call=any", 40),
];

/// The end that one server is to come to.
#[derive(Debug, Clone)]
pub(crate) struct Death {
    /// Where, for the figures.
    pub(crate) place: &'static str,
    pub(crate) orders: String,
    /// When it is killed from outside at the latest, in microseconds of load.
    pub(crate) after_us: u64,
    /// Whether that is counted from the start of the program.
    pub(crate) starting: bool,
}

/// The place of those who were killed from outside before they reached theirs.
pub(crate) const ANY_MOMENT: &str = "any moment";

impl Death {
    pub(crate) fn draw(random: &mut Random) -> Self {
        let outside = |place, after_us, starting| Self {
            place,
            orders: SMALL.to_owned(),
            after_us,
            starting,
        };
        match random.below(20) {
            0 => outside("any moment of a start", random.below(START_US_MAX), true),
            1..=8 => outside(ANY_MOMENT, 500 + random.below(LIFE_US_MAX), false),
            _ => {
                let point = random.one_of(POINTS).unwrap();
                let nth = 1 + random.below(point.nth_max);
                Self {
                    place: point.name,
                    orders: format!("{SMALL} {} nth={nth}", point.orders),
                    after_us: 3 * LIFE_US_MAX,
                    starting: false,
                }
            }
        }
    }

    /// No death at all.
    pub(crate) fn none() -> Self {
        Self {
            place: "",
            orders: SMALL.to_owned(),
            after_us: 0,
            starting: false,
        }
    }
}
