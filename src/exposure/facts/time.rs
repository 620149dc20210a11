//! A moment as AWS writes it: [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339), or seconds.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::fmt;

/// Seconds since 1970, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

/// Seconds of a day.
const DAY: i64 = 86_400;

impl Time {
    /// Read `2026-11-21T20:00:00.000Z`, with another offset, without seconds, or a date alone.
    pub fn parse(text: &str) -> Option<Time> {
        let bytes = text.as_bytes();
        let number = |from: usize, len: usize| {
            let digits = text.get(from..from.checked_add(len)?)?;
            let all = digits.bytes().all(|b| b.is_ascii_digit());
            if all { digits.parse::<i64>().ok() } else { None }
        };
        let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
        let separated = bytes.get(4) == Some(&b'-') && bytes.get(7) == Some(&b'-');
        if !separated || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let midnight = days(year, month, day) * DAY;
        if bytes.len() == 10 {
            return Some(Time(midnight));
        }
        let (hour, minute) = (number(11, 2)?, number(14, 2)?);
        let mut rest = text.get(16..)?;
        let mut second = 0;
        if let Some(after) = rest.strip_prefix(':') {
            second = number(17, 2)?;
            rest = after.get(2..)?;
        }
        if !matches!(bytes.get(10), Some(b'T' | b't' | b' ')) || hour > 24 || minute > 59 {
            return None;
        }
        if let Some(fraction) = rest.strip_prefix('.') {
            rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
        }
        let local = midnight + hour * 3600 + minute * 60 + second;
        Some(Time(local - offset(rest)?))
    }

    /// Whole days from `earlier` to here; negative when it is later.
    pub fn days_since(self, earlier: Time) -> i64 {
        self.0.saturating_sub(earlier.0).div_euclid(DAY)
    }

    /// The moment so many days before.
    #[must_use]
    pub fn minus_days(self, days: i64) -> Time {
        Time(self.0.saturating_sub(days.saturating_mul(DAY)))
    }
}

/// Seconds east of UTC of `Z`, `+02:00`, `+0200` or nothing.
fn offset(text: &str) -> Option<i64> {
    if matches!(text, "" | "Z" | "z") {
        return Some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: String = text.get(1..)?.chars().filter(|c| *c != ':').collect();
    if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: i64 = digits.parse().ok()?;
    Some(sign * (number / 100 * 3600 + number % 100 * 60))
}

/// Days from 1970-01-01 to a day of the Gregorian calendar: years begin in March, so that the leap
/// day is the last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The day of the Gregorian calendar.
fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days.saturating_add(719_468);
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date(self.0.div_euclid(DAY));
        let second = self.0.rem_euclid(DAY);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let time = match &value {
            Value::String(text) => Time::parse(text),
            // The first version of the CLI writes seconds with a fraction; nothing reads the latter.
            Value::Number(number) => {
                let text = number.to_string();
                text.split('.').next().and_then(|whole| whole.parse().ok()).map(Time)
            }
            _ => None,
        };
        time.ok_or_else(|| D::Error::custom(format!("not a time: {value}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_the_same_moment() {
        let expected = Time(1_795_291_200);
        assert_eq!(expected.to_string(), "2026-11-21T20:00:00Z");
        for text in [
            "2026-11-21T20:00:00Z",
            "2026-11-21T20:00:00.000Z",
            "2026-11-21T22:00:00+02:00",
            "2026-11-21T15:30:00.123456-0430",
            "2026-11-21 20:00",
        ] {
            assert_eq!(Time::parse(text), Some(expected), "{text}");
        }
        for json in ["1795291200", "1795291200.25", "\"2026-11-21T20:00:00Z\""] {
            assert_eq!(serde_json::from_str::<Time>(json).unwrap(), expected);
        }
        assert_eq!(Time::parse("1970-01-01"), Some(Time(0)));
        assert_eq!(
            Time::parse("2000-02-29").map(|t| t.to_string()).unwrap(),
            "2000-02-29T00:00:00Z"
        );
        for text in [
            "",
            "no_information",
            "2026-13-01",
            "2026-11-21T20:00:00+2",
            "2026-11-21x20:00",
            "é026-11-21",
        ] {
            assert_eq!(Time::parse(text), None, "{text}");
        }
        assert_eq!(Time(i64::MIN).days_since(Time(i64::MAX)), i64::MIN / DAY - 1);
    }

    #[test]
    fn days_count_to_and_fro() {
        for day in (-800_000..800_000).step_by(97) {
            let (year, month, of_month) = date(day);
            assert_eq!(days(year, month, of_month), day);
        }
    }
}
