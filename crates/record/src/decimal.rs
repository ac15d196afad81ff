//! Exact decimal numbers, as measured: `6.50` is not `6.5`.

use std::{fmt, str::FromStr};

use crate::{
    field::{Cx, Field, Path},
    json::Node,
};

/// Digits after the point that are kept.
const SCALE_MAX: u8 = 18;

/// A decimal number: `mantissa × 10^-scale`, trailing zeros kept.
///
/// Equality is that of what was written: `6.5` and `6.50` differ. Compare with `to_f64` where the number matters.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, wincode::SchemaWrite, wincode::SchemaRead,
)]
pub struct Decimal {
    mantissa: i64,
    scale: u8,
}

/// A text that is not a number, or has more digits than are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("read a decimal: expected a number of at most 18 digits")]
pub struct NotADecimal;

impl Decimal {
    /// Makes `mantissa × 10^-scale`; more than 18 decimals are cut to 18 without changing the mantissa.
    pub fn new(mantissa: i64, scale: u8) -> Self {
        Self {
            mantissa,
            scale: scale.min(SCALE_MAX),
        }
    }

    /// Returns the digits without the point.
    pub fn mantissa(self) -> i64 {
        self.mantissa
    }

    /// Returns how many digits stand after the point.
    pub fn scale(self) -> u8 {
        self.scale
    }

    /// Returns the nearest binary number.
    pub fn to_f64(self) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "the nearest binary number is what is asked"
        )]
        let mantissa = self.mantissa as f64;
        mantissa / 10f64.powi(i32::from(self.scale))
    }

    /// Reads the text of a JSON number, exponent included.
    ///
    /// # Errors
    /// Refuses other texts and what does not fit; nothing is rounded.
    pub fn parse(text: &str) -> Result<Self, NotADecimal> {
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i32>().map_err(|_| NotADecimal)?),
            None => (text, 0),
        };
        let (negative, digits) = match number.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, number),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() || (fraction.is_empty() && digits.len() != whole.len()) {
            return Err(NotADecimal);
        }
        let mut mantissa: i64 = 0;
        for byte in whole.bytes().chain(fraction.bytes()) {
            if !byte.is_ascii_digit() {
                return Err(NotADecimal);
            }
            mantissa = mantissa
                .checked_mul(10)
                .and_then(|shifted| shifted.checked_add(i64::from(byte - b'0')))
                .ok_or(NotADecimal)?;
        }
        let scale = i32::try_from(fraction.len())
            .ok()
            .and_then(|decimals| decimals.checked_sub(exponent))
            .ok_or(NotADecimal)?;
        Self::scaled(if negative { -mantissa } else { mantissa }, scale)
    }

    fn scaled(mantissa: i64, scale: i32) -> Result<Self, NotADecimal> {
        if let Ok(scale) = u8::try_from(scale) {
            let fits = scale <= SCALE_MAX;
            return if fits {
                Ok(Self { mantissa, scale })
            } else {
                Err(NotADecimal)
            };
        }
        if mantissa == 0 {
            return Ok(Self::default());
        }
        let power = u32::try_from(-i64::from(scale)).map_err(|_| NotADecimal)?;
        let grown = 10i64
            .checked_pow(power)
            .and_then(|ten| mantissa.checked_mul(ten));
        grown
            .map(|mantissa| Self { mantissa, scale: 0 })
            .ok_or(NotADecimal)
    }
}

impl From<i64> for Decimal {
    fn from(whole: i64) -> Self {
        Self {
            mantissa: whole,
            scale: 0,
        }
    }
}

impl FromStr for Decimal {
    type Err = NotADecimal;

    fn from_str(text: &str) -> Result<Self, NotADecimal> {
        Self::parse(text)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = self.scale.min(SCALE_MAX);
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let digits = self.mantissa.unsigned_abs();
        if scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        let unit = 10u64.pow(u32::from(scale));
        write!(
            f,
            "{sign}{}.{:0width$}",
            digits / unit,
            digits % unit,
            width = usize::from(scale)
        )
    }
}

/// Written as a JSON number with every digit.
impl serde::Serialize for Decimal {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.scale == 0 {
            return to.serialize_i64(self.mantissa);
        }
        let raw = serde_json::value::RawValue::from_string(self.to_string());
        raw.map_err(serde::ser::Error::custom)?.serialize(to)
    }
}

impl Field for Decimal {
    fn read(node: &Node<'_>, at: Path<'_>, _limit: usize, cx: &mut Cx) -> Option<Self> {
        let Some(text) = node.as_number() else {
            cx.wrong_type(at, "a number");
            return None;
        };
        let read = Self::parse(text);
        if read.is_err() {
            cx.error(at, "out_of_range", "expected a number of at most 18 digits");
        }
        read.ok()
    }

    fn schema(_limit: usize) -> serde_json::Value {
        serde_json::json!({ "type": "number" })
    }
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    #[test]
    fn every_digit_is_kept() {
        for text in [
            "0",
            "6.50",
            "-0.001",
            "148",
            "123456789012345678",
            "0.123456789012345678",
        ] {
            let read = Decimal::parse(text).unwrap();
            assert_eq!(read.to_string(), text);
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
        }
    }

    #[test]
    fn exponents_are_worked_out() {
        let read = |text: &str| Decimal::parse(text).unwrap().to_string();
        assert_eq!(read("1.5e3"), "1500");
        assert_eq!(read("15E-1"), "1.5");
        assert_eq!(read("1.50e1"), "15.0");
        assert_eq!(read("0e999"), "0");
    }

    #[test]
    fn what_does_not_fit_is_refused_not_rounded() {
        for text in [
            "1e19",
            "1e-19",
            "12345678901234567890",
            "1e99999999999",
            "",
            "-",
            "1.",
            ".5",
        ] {
            assert!(Decimal::parse(text).is_err(), "{text}");
        }
    }
}
