//! What the browser shows at the end: local HTML, no asset from anywhere, light and dark, read aloud when it appears.

use crate::format::id_token::Claims;
use crate::format::printable;
use crate::format::time::Time;

/// What a login is for, as people know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Occasion {
    /// The repository, or else the folder.
    pub repository: String,
    /// This machine.
    pub host: String,
}

impl Occasion {
    /// The repository of a trial signature.
    pub const TRIAL: &str = "git-keyless-trial.git";
}

/// One page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) html: String,
    pub(super) good: bool,
}

/// Somebody logged in.
pub(super) fn success(claims: &Claims, occasion: &Occasion, now: Time) -> Page {
    let rows = [
        ("Identity", claims.name().to_owned()),
        ("Issuer", claims.certified_issuer().to_owned()),
        ("Repository", occasion.repository.clone()),
        ("Machine", occasion.host.clone()),
        ("Time", now.whole().to_string()),
    ];
    let rows: String = rows
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("<dt>{name}</dt><dd>{}</dd>", escaped(value)))
        .collect();
    let body = format!("<dl>{rows}</dl><p>You can close this window and go back to git.</p>");
    page(true, "You are logged in", &body)
}

/// Nobody did; `why` says what happened and what to do.
pub(super) fn failure(why: &str, occasion: &Occasion) -> Page {
    let (what, fix) = why.split_once("; ").unwrap_or((why, "Close this window and go back to git."));
    let place = match occasion.repository.is_empty() {
        true => String::new(),
        false => format!("<p class=small>{} on {}</p>", escaped(&occasion.repository), escaped(&occasion.host)),
    };
    let body = format!("<p>{}</p><p class=fix><b>What to do:</b> {}</p>{place}", escaped(what), escaped(fix));
    page(false, "You are not logged in", &body)
}

/// Nothing was asked here.
pub(super) fn refused(why: &str) -> Page {
    page(false, "Nothing to see", &format!("<p>{}</p>", escaped(why)))
}

fn page(good: bool, title: &str, body: &str) -> Page {
    let (mark, role, live) = if good { ("\u{2713}", "status", "polite") } else { ("\u{2717}", "alert", "assertive") };
    let class = if good { "good" } else { "bad" };
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n\
         <title>{title} - git-keyless</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <main class=\"{class}\" role=\"{role}\" aria-live=\"{live}\">\n\
         <h1><span class=\"mark\" aria-hidden=\"true\">{mark}</span> {title}</h1>\n{body}\n\
         <footer>git-keyless</footer>\n</main>\n</body>\n</html>\n"
    );
    Page { html, good }
}

const STYLE: &str = "\
:root{--back:#f4f5f7;--card:#fff;--text:#1c1f24;--dim:#5a616b;--good:#14753a;--bad:#b3261e;--line:#d9dce1}\
@media(prefers-color-scheme:dark){:root{--back:#15171a;--card:#1f2226;--text:#e8eaed;--dim:#a3abb5;--good:#5fd38d;\
--bad:#ff8a80;--line:#363b42}}\
*{box-sizing:border-box}\
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;background:var(--back);color:var(--text);\
font:1rem/1.5 system-ui,sans-serif}\
main{width:100%;max-width:38rem;padding:2rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem;\
border-top:.3rem solid var(--bad)}\
main.good{border-top-color:var(--good)}\
h1{margin:0 0 1rem;font-size:1.5rem}\
.mark{color:var(--bad)}.good .mark{color:var(--good)}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.4rem 1.2rem;margin:0 0 1.5rem}\
dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere;font-weight:600}\
p{overflow-wrap:anywhere}\
.fix{padding:.8rem 1rem;border-left:.25rem solid var(--bad);background:var(--back)}\
.small,footer{color:var(--dim);font-size:.85rem}\
footer{margin-top:1.5rem}";

/// Text, whatever it was: no markup, and nothing that turns the reading direction.
fn escaped(text: &str) -> String {
    printable(text)
        .chars()
        .map(|c| match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            '\'' => "&#39;".to_owned(),
            c => c.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVIL: &str = "<script>alert('x')</script>\"&\u{202e}\u{1b}[2J";

    fn claims() -> Claims {
        Claims {
            issuer: "https://issuer.test".into(),
            subject: "1234".into(),
            audience: Vec::new(),
            expiry: Time::from_seconds(0).unwrap(),
            email: Some(EVIL.into()),
            email_verified: Some(true),
            connector: Some(EVIL.into()),
            job_workflow_ref: None,
            ci_config_ref_uri: None,
        }
    }

    #[test]
    fn nothing_from_outside_is_markup() {
        let occasion = Occasion { repository: EVIL.into(), host: EVIL.into() };
        let now = Time::from_seconds(0).unwrap();
        for page in [success(&claims(), &occasion, now), failure(EVIL, &occasion), refused(EVIL)] {
            assert!(!page.html.contains("<script") && !page.html.contains("alert('"), "{}", page.html);
            assert!(page.html.contains("&lt;script&gt;"), "{}", page.html);
            assert!(!page.html.contains(['\u{202e}', '\u{1b}']), "{}", page.html);
        }
    }

    #[test]
    fn each_page_says_who_where_and_when() {
        let occasion = Occasion { repository: "project".into(), host: "my-desk".into() };
        let claims = Claims {
            email: Some("alice@example.test".into()),
            connector: Some("https://behind.test".into()),
            ..claims()
        };
        let page = success(&claims, &occasion, Time::from_seconds(1_800_000_000).unwrap());
        let rows = "<dl><dt>Identity</dt><dd>alice@example.test</dd><dt>Issuer</dt><dd>https://behind.test</dd>\
                    <dt>Repository</dt><dd>project</dd><dt>Machine</dt><dd>my-desk</dd>\
                    <dt>Time</dt><dd>2027-01-15T08:00:00Z</dd></dl>";
        assert!(page.good && page.html.contains(rows), "{}", page.html);
        let page = failure("it hangs; wait", &occasion);
        assert!(!page.good && page.html.contains("<p class=small>project on my-desk</p>"), "{}", page.html);
        // What nobody knows has no row.
        let page = success(&claims, &Occasion::default(), Time::from_seconds(0).unwrap());
        assert!(!page.html.contains("Repository") && !page.html.contains("Machine"), "{}", page.html);
        assert!(!failure("it hangs; wait", &Occasion::default()).html.contains("class=small"));
    }

    #[test]
    fn every_page_is_whole_and_stands_alone() {
        let page = failure("the server is down; start it", &Occasion::default());
        for part in ["lang=\"en\"", "role=\"alert\"", "aria-live=", "<title>", "What to do:</b> start it", "</html>"] {
            assert!(page.html.contains(part), "{part}");
        }
        assert!(!page.html.contains("http://") && !page.html.contains("https://") && !page.html.contains("src="));
        assert!(
            success(&claims(), &Occasion::default(), Time::from_seconds(0).unwrap()).html.contains("role=\"status\"")
        );
    }
}
