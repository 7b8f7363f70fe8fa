//! What `git -c` hands to the programs that git starts.

use super::{ConfigValue, Unreadable};

/// `git -c` reaches children in `GIT_CONFIG_PARAMETERS`, which the library does not read: words in shell quotes,
/// `'key'='value'`, or `'key=value'` before git 2.31.
pub(super) fn command_line(sections: &[&str]) -> Result<Vec<ConfigValue>, Unreadable> {
    let Some(parameters) = std::env::var_os("GIT_CONFIG_PARAMETERS") else { return Ok(Vec::new()) };
    let wrong = || Unreadable::Config("GIT_CONFIG_PARAMETERS is not what git writes".into());
    let text = parameters.to_str().ok_or_else(wrong)?;
    let pairs = parse_parameters(text).ok_or_else(wrong)?;
    let is_asked_for = |key: &str| key.split_once('.').is_some_and(|(section, _)| sections.contains(&section));
    let key = |full: String| {
        // Section and name are case-insensitive, a subsection between them is not.
        let (section, rest) = full.split_once('.')?;
        let (middle, name) =
            rest.rsplit_once('.').map_or((String::new(), rest), |(middle, name)| (format!("{middle}."), name));
        Some(format!("{}.{middle}{}", section.to_lowercase(), name.to_lowercase()))
    };
    Ok(pairs
        .into_iter()
        .filter_map(|(full, value)| Some((key(full)?, value)))
        .filter(|(key, _)| is_asked_for(key))
        .map(|(key, value)| ConfigValue { key, value, place: "the command line (git -c)".into() })
        .collect())
}

fn parse_parameters(text: &str) -> Option<Vec<(String, Option<String>)>> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (word, after) = unquote(rest)?;
        match after.strip_prefix('=') {
            Some(after) if after.starts_with('\'') => {
                let (value, after) = unquote(after)?;
                pairs.push((word, Some(value)));
                rest = after;
            }
            Some(after) => {
                pairs.push((word, None));
                rest = after;
            }
            None => {
                let pair =
                    word.split_once('=').map_or((word.clone(), None), |(key, value)| (key.into(), Some(value.into())));
                pairs.push(pair);
                rest = after;
            }
        }
        if !rest.is_empty() && !rest.starts_with(' ') {
            return None;
        }
        rest = rest.trim_start();
    }
    Some(pairs)
}

/// One word in single quotes, with `'\''` and `'\!'` for what cannot stand in them; and what is behind it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('\'')?;
    let mut word = String::new();
    loop {
        let (inside, after) = rest.split_once('\'')?;
        word.push_str(inside);
        let escaped = ["\\''", "\\!'"].iter().find_map(|escape| Some((escape, after.strip_prefix(escape)?)));
        let Some((escape, after)) = escaped else { return Some((word, after)) };
        word.push(if *escape == "\\''" { '\'' } else { '!' });
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_as_git_writes_them() {
        let pair = |key: &str, value: Option<&str>| (key.to_owned(), value.map(str::to_owned));
        assert_eq!(
            parse_parameters("'a.b'='c d' 'x.y'= 'old.style=v=w' 'k.l'"),
            Some(vec![pair("a.b", Some("c d")), pair("x.y", None), pair("old.style", Some("v=w")), pair("k.l", None),])
        );
        assert_eq!(parse_parameters(r"'a.b'='it'\''s'\!''"), Some(vec![pair("a.b", Some("it's!"))]));
        assert_eq!(parse_parameters(""), Some(vec![]));
        for broken in ["'a", "a.b=c", "'a'x", "'a.b'='c", "'a.b'='c'd"] {
            assert_eq!(parse_parameters(broken), None, "{broken}");
        }
    }
}
