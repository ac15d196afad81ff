//! Medians, percentiles, and numbers as people read them.

use std::time::Duration;

/// Values of which median and spread are asked.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// Adds a value.
    pub fn add(&mut self, value: f64) {
        self.0.push(value);
    }

    /// Returns the value below which this share (0 to 1) of all values lies; 0 when there are none.
    #[must_use]
    pub fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index"
        )]
        let at = (last as f64 * share).round() as usize;
        sorted.get(at).copied().unwrap_or(0.0)
    }

    /// Returns the middle value.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// Returns the smallest value.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.quantile(0.0)
    }

    /// Returns the largest value.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.quantile(1.0)
    }
}

/// Durations, counted in buckets a sixteenth of their power of two wide, so that many cost little.
#[derive(Clone, Debug)]
pub struct Latencies {
    buckets: Vec<u64>,
    count: u64,
    max_ns: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            buckets: vec![0; 64 * 16],
            count: 0,
            max_ns: 0,
        }
    }
}

impl Latencies {
    /// Counts a duration.
    pub fn add(&mut self, took: Duration) {
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(16);
        let exponent = ns.ilog2();
        let fraction = (ns >> (exponent - 4)) & 15;
        let at = u64::from(exponent) * 16 + fraction;
        self.buckets[usize::try_from(at).unwrap_or(0)] += 1;
        self.count += 1;
        self.max_ns = self.max_ns.max(ns);
    }

    /// Adds another's counts.
    pub fn merge(&mut self, other: &Self) {
        for (to, from) in self.buckets.iter_mut().zip(&other.buckets) {
            *to += from;
        }
        self.count += other.count;
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    /// Returns how many durations were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns the upper end of the bucket below which this share (0 to 1) lies, in microseconds.
    #[must_use]
    pub fn quantile_us(&self, share: f64) -> f64 {
        let wanted = share * self.count as f64;
        let mut seen = 0;
        for (at, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen as f64 >= wanted && *count > 0 {
                let step = 2_f64.powf((at / 16) as f64) / 16.0;
                let upper = (16.0 + (at % 16) as f64 + 1.0) * step;
                return upper.min(self.max_ns as f64) / 1e3;
            }
        }
        self.max_us()
    }

    /// Returns the longest duration in microseconds.
    #[must_use]
    pub fn max_us(&self) -> f64 {
        self.max_ns as f64 / 1e3
    }
}

/// Prints a number with groups of three digits.
#[must_use]
pub fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 {
        format!("-{text}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        let check = |value: f64, expected: &str| assert_eq!(grouped(value), expected);
        check(0.0, "0");
        check(999.4, "999");
        check(1_234_567.0, "1,234,567");
        check(-1000.0, "-1,000");
    }

    #[test]
    fn quantiles_of_latencies_are_within_a_sixteenth() {
        let mut latencies = Latencies::default();
        (1..=1000).for_each(|us| latencies.add(Duration::from_micros(us)));
        let check = |share: f64, expected: f64| {
            let found = latencies.quantile_us(share);
            assert!((found / expected - 1.0).abs() < 0.07, "{share}: {found}");
        };
        check(0.5, 500.0);
        check(0.99, 990.0);
        assert!((latencies.max_us() - 1000.0).abs() < 1e-9);
    }
}
