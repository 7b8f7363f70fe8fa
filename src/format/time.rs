//! Moments and windows. Nanosecond resolution, so that no fraction is lost on the way to a comparison.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::Malformed;

/// A moment in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(Timestamp);

impl Time {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub fn from_seconds(seconds: i64) -> Result<Self, Malformed> {
        Timestamp::from_second(seconds).map(Self).map_err(|error| Malformed::new("time", error))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z (RFC 6962 section 3.2).
    pub fn from_millis(millis: u64) -> Result<Self, Malformed> {
        let millis = i64::try_from(millis).map_err(|error| Malformed::new("time", error))?;
        Timestamp::from_millisecond(millis).map(Self).map_err(|error| Malformed::new("time", error))
    }

    /// Time since 1970-01-01T00:00:00Z. What is later than can be counted here, hours before the year 10000, is the last
    /// moment that can: RFC 5280 section 4.1.2.5 writes "never" as the last second of 9999.
    pub fn from_unix(since: Duration) -> Result<Self, Malformed> {
        let nanos = i128::try_from(since.as_nanos()).map_err(|error| Malformed::new("time", error))?;
        let nanos = nanos.min(Timestamp::MAX.as_nanosecond());
        Timestamp::from_nanosecond(nanos).map(Self).map_err(|error| Malformed::new("time", error))
    }

    /// RFC 3339, any offset, with or without a fraction.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        text.parse().map(Self).map_err(|error| Malformed::new("time", error))
    }

    /// The date of HTTP (RFC 9110 section 5.6.7), in its one form that is still written.
    pub fn parse_http(text: &str) -> Result<Self, Malformed> {
        let parsed = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text);
        parsed.map(Self).map_err(|error| Malformed::new("HTTP date", error))
    }

    /// `YYYYMMDDHHMMSS[.f...]Z`: the GeneralizedTime of RFC 3161 section 2.4.2, whose fraction DER readers refuse.
    pub fn parse_generalized(text: &str) -> Result<Self, Malformed> {
        let wrong = || Malformed::new("GeneralizedTime", "not YYYYMMDDHHMMSS[.f]Z");
        let digits = text.strip_suffix('Z').ok_or_else(wrong)?;
        let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, f)| (whole, Some(f)));
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        // DER: a fraction ends in no zero and is never empty (X.690 section 11.7.3).
        if whole.len() != 14
            || !all_digits(whole)
            || fraction.is_some_and(|f| f.is_empty() || f.ends_with('0') || !all_digits(f) || f.len() > 9)
        {
            return Err(wrong());
        }
        let part = |from: usize, to: usize| whole.get(from..to).unwrap_or_default();
        let fraction = fraction.map(|f| format!(".{f}")).unwrap_or_default();
        Self::parse(&format!(
            "{}-{}-{}T{}:{}:{}{fraction}Z",
            part(0, 4),
            part(4, 6),
            part(6, 8),
            part(8, 10),
            part(10, 12),
            part(12, 14)
        ))
    }

    /// Whole seconds since 1970, rounded towards the past.
    pub fn seconds(self) -> i64 {
        self.0.as_nanosecond().div_euclid(1_000_000_000).try_into().unwrap_or(i64::MIN)
    }

    /// Whole seconds since 1970; none before that.
    pub fn since_unix(self) -> Option<Duration> {
        u64::try_from(self.seconds()).ok().map(Duration::from_secs)
    }

    /// Without its fraction, for people.
    pub fn whole(self) -> Self {
        Self::from_seconds(self.seconds()).unwrap_or(self)
    }

    /// `YYYY-MM-DD`.
    pub fn date(self) -> String {
        self.to_string().chars().take(10).collect()
    }
}

impl fmt::Display for Time {
    /// RFC 3339 in UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A closed interval: both ends belong to it, a missing end is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First moment inside.
    pub start: Time,
    /// Last moment inside.
    pub end: Option<Time>,
}

impl Window {
    /// Whether `time` is inside, both ends included, with no allowance.
    pub fn contains(&self, time: Time) -> bool {
        self.start <= time && self.end.is_none_or(|end| time <= end)
    }

    /// Whole seconds from `time` to its end: none outside, and as many as fit where the end is open.
    pub fn left(&self, time: Time) -> Duration {
        let seconds = |end: Time| u64::try_from(end.seconds().saturating_sub(time.seconds())).unwrap_or_default();
        match self.contains(time) {
            true => self.end.map_or(Duration::MAX, |end| Duration::from_secs(seconds(end))),
            false => Duration::ZERO,
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.end {
            Some(end) => write!(f, "{} to {end}", self.start),
            None => write!(f, "{} onwards", self.start),
        }
    }
}
