//! One changed line of a configuration file: what is done, how it is written down, and what takes it back.
//!
//! Nothing that was there is lost: the only value of a key is replaced in its place and written down; where there are
//! several, one is added behind them. What is written down stands in the same file, before the change itself: whoever
//! is interrupted between the two finds a note of something that did not happen, and taking that back does nothing.

use std::fmt;

use crate::format::printable;
use crate::format::status::{escape, unescape};
use crate::outside::git::{self, Failure, Pair, Scope};

/// Where changes are written down: one value for each, oldest first.
pub(super) const JOURNAL: &str = "keyless-setup.change";

/// One value that was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// As people write it.
    pub(super) key: String,
    /// Ours.
    pub(super) now: String,
    pub(super) before: Before,
}

/// What the key had in the same file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing.
    Absent,
    /// This one value, which ours took the place of.
    One(String),
    /// Others, which are still there.
    Beside,
}

/// What is to be done to take a change back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It did not happen, or is taken back already.
    Nothing,
    /// Somebody changed it since: theirs stays.
    Theirs,
    /// Ours goes.
    Unset,
    /// What was there comes back to its place.
    Replace(String),
}

impl Change {
    /// What makes `now` the value that git reads last from this file; none where it is already.
    pub(super) fn plan(file: &[Pair], key: &str, now: &str) -> Result<Option<Self>, String> {
        let values = values(file, key);
        let before = match values.as_slice() {
            [.., Some(last)] if *last == now => return Ok(None),
            // A key without `=` is git's `true`.
            [.., None] if now == "true" => return Ok(None),
            [] => Before::Absent,
            [Some(only)] => Before::One((*only).to_owned()),
            several if several.contains(&Some(now)) => {
                return Err(format!("{key} has several values there, and `{now}` is not the last; leave only one"));
            }
            _ => Before::Beside,
        };
        Ok(Some(Self { key: key.to_owned(), now: now.to_owned(), before }))
    }

    /// One more value of a key that has a list of them; none where it is there already.
    pub(super) fn plan_list(file: &[Pair], key: &str, now: &str) -> Option<Self> {
        let values = values(file, key);
        let before = if values.is_empty() { Before::Absent } else { Before::Beside };
        (!values.contains(&Some(now))).then(|| Self { key: key.to_owned(), now: now.to_owned(), before })
    }

    /// Writes it down under `number`, then does it.
    pub(super) fn apply(&self, scope: Scope, number: usize) -> Result<(), Failure> {
        git::add(scope, JOURNAL, &self.written_as(number))?;
        match &self.before {
            Before::Absent | Before::Beside => git::add(scope, &self.key, &self.now),
            Before::One(was) => git::replace(scope, &self.key, was, &self.now),
        }
    }

    /// What takes it back, as the file is now.
    pub(super) fn way_back(&self, file: &[Pair]) -> Way {
        let values = values(file, &self.key);
        let ours = values.iter().filter(|value| **value == Some(self.now.as_str())).count();
        match (&self.before, ours) {
            (Before::One(was), 0) if values.as_slice() == [Some(was.as_str())] => Way::Nothing,
            (Before::Absent, 0) if values.is_empty() => Way::Nothing,
            (Before::Beside, 0) => Way::Nothing,
            (_, 0) => Way::Theirs,
            // Two that were set up at once may have set it twice.
            (Before::One(was), _) => Way::Replace(was.clone()),
            (Before::Absent | Before::Beside, _) => Way::Unset,
        }
    }

    /// Takes it back, then strikes it out, as what it was written down.
    pub(super) fn take_back(&self, scope: Scope, number: usize, way: &Way) -> Result<(), Failure> {
        match way {
            Way::Nothing | Way::Theirs => {}
            Way::Unset => git::unset(scope, &self.key, &self.now)?,
            Way::Replace(was) => git::replace(scope, &self.key, &self.now, was)?,
        }
        git::unset(scope, JOURNAL, &self.written_as(number))
    }

    /// What is written down in `file` with its numbers, oldest first; once what two that were set up at once wrote twice.
    pub(super) fn written(file: &[Pair]) -> Result<Vec<(usize, Self)>, String> {
        let wrong = |text: &str| format!("`{text}` in {JOURNAL} is not what set-up writes there");
        let read = |text: Option<&str>| {
            let text = text.unwrap_or_default();
            Self::parse(text).ok_or_else(|| wrong(text))
        };
        let mut changes = values(file, JOURNAL).into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
        changes.sort_by_key(|(number, _)| *number);
        changes.dedup();
        Ok(changes)
    }

    /// One line for each change: its number, which makes it the only one of its text, and its words.
    fn written_as(&self, number: usize) -> String {
        let before = match &self.before {
            Before::Absent => String::new(),
            Before::One(was) => format!(" was={}", escape(was)),
            Before::Beside => " beside".to_owned(),
        };
        format!("{number} {} now={}{before}", escape(&self.key), escape(&self.now))
    }

    fn parse(text: &str) -> Option<(usize, Self)> {
        let words: Vec<_> = text.split(' ').collect();
        let (number, key, now, before) = match words.as_slice() {
            [number, key, now] => (number, key, now, Before::Absent),
            [number, key, now, "beside"] => (number, key, now, Before::Beside),
            [number, key, now, was] => (number, key, now, Before::One(unescape(was.strip_prefix("was=")?)?)),
            _ => return None,
        };
        let change = Self { key: unescape(key)?, now: unescape(now.strip_prefix("now=")?)?, before };
        Some((number.parse().ok()?, change))
    }
}

impl fmt::Display for Change {
    /// For people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, now, before } = self;
        match before {
            Before::Absent => write!(f, "{key} = {}", printable(now)),
            _ => write!(f, "{key} = {}   (there: {before})", printable(now)),
        }
    }
}

impl fmt::Display for Before {
    /// For people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("nothing"),
            Self::One(was) => write!(f, "{}", printable(was)),
            Self::Beside => f.write_str("other values, which stay"),
        }
    }
}

/// The values of `key` in `file`; section and name are case-insensitive, and no key of ours has a subsection with
/// capitals.
pub(super) fn values<'a>(file: &'a [Pair], key: &str) -> Vec<Option<&'a str>> {
    file.iter().filter(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value.as_deref()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(pairs: &[(&str, Option<&str>)]) -> Vec<Pair> {
        pairs.iter().map(|(key, value)| (key.to_lowercase(), value.map(str::to_owned))).collect()
    }

    fn planned(pairs: &[(&str, Option<&str>)]) -> Option<Before> {
        Change::plan(&file(pairs), "gpg.format", "x509").unwrap().map(|change| change.before)
    }

    #[test]
    fn what_was_there_decides_how() {
        assert_eq!(planned(&[("gpg.program", Some("gpg"))]), Some(Before::Absent));
        assert_eq!(planned(&[("GPG.format", Some("ssh"))]), Some(Before::One("ssh".into())));
        assert_eq!(planned(&[("gpg.format", Some("x509"))]), None);
        assert_eq!(planned(&[("gpg.format", Some("a")), ("gpg.format", Some("b"))]), Some(Before::Beside));
        assert_eq!(planned(&[("gpg.format", None)]), Some(Before::Beside));
        let twice = file(&[("gpg.format", Some("x509")), ("gpg.format", Some("ssh"))]);
        assert!(Change::plan(&twice, "gpg.format", "x509").unwrap_err().contains("several"));
        assert_eq!(Change::plan(&file(&[("commit.gpgSign", None)]), "commit.gpgSign", "true"), Ok(None));
    }

    #[test]
    fn what_is_written_down_is_read_again() {
        for before in [Before::Absent, Before::Beside, Before::One(String::new()), Before::One("a b=\n%\"\\é".into())]
        {
            let change = Change { key: "keyless.trustedIdentity".into(), now: "/a b/ü was=beside".into(), before };
            assert_eq!(Change::parse(&change.written_as(7)), Some((7, change.clone())));
            assert!(change.written_as(7).is_ascii());
        }
        for wrong in ["", "1 k", "1 k x509", "k now=a was=b", "1 k now=a other", "1 k now=a was=b more", "1 k now=%ff"]
        {
            assert_eq!(Change::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_way_back_is_decided_by_what_is_there_now() {
        let change = |before| Change { key: "gpg.format".into(), now: "x509".into(), before };
        let way = |before, values: &[Option<&str>]| {
            let pairs: Vec<_> = values.iter().map(|value| ("gpg.format", *value)).collect();
            change(before).way_back(&file(&pairs))
        };
        let one = || Before::One("ssh".into());
        assert_eq!(way(Before::Absent, &[Some("x509")]), Way::Unset);
        assert_eq!(way(Before::Absent, &[]), Way::Nothing);
        assert_eq!(way(Before::Absent, &[Some("openpgp")]), Way::Theirs);
        assert_eq!(way(Before::Absent, &[Some("x509"), Some("x509")]), Way::Unset);
        assert_eq!(way(one(), &[Some("x509")]), Way::Replace("ssh".into()));
        assert_eq!(way(one(), &[Some("ssh")]), Way::Nothing);
        assert_eq!(way(one(), &[]), Way::Theirs);
        assert_eq!(way(one(), &[Some("x509"), Some("openpgp")]), Way::Replace("ssh".into()));
        assert_eq!(way(Before::Beside, &[None, Some("x509")]), Way::Unset);
        assert_eq!(way(Before::Beside, &[Some("a"), Some("b")]), Way::Nothing);
    }
}
