//! Where to sign and what to judge under: files, ages, servers, clocks, proxies.

use std::time::{Duration, SystemTime};

use super::login::{self, Here};
use super::{Finding, calls, keys, mend, public, redacted, redacted_proxy};
use crate::commands::instance::{Instance, instance, lists};
use crate::commands::{Stop, now, session, shell_word, trust_root, wait_for};
use crate::config::{Settings, TRUSTED_ROOT};
use crate::format::hex;
use crate::format::time::Time;
use crate::outside::files;
use crate::outside::git::Seen;
use crate::outside::http::{Endpoint, Http, Request, Server};
use crate::sign::Signer;
use crate::trust::{Services, TrustRoot};

/// How long a server may take to say anything at all.
const DEADLINE: Duration = Duration::from_secs(4);
/// Most bytes of what it says, which nobody reads.
const MAX_BYTES: usize = 1 << 20;
/// How far clocks may be apart; an ID token that seems to be from the future is refused beyond that.
const MAX_SKEW_SECONDS: u64 = 60;
const DAY_SECONDS: u64 = 86_400;
const PROXIES: [&str; 8] =
    ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "all_proxy", "http_proxy", "https_proxy", "no_proxy"];

pub(super) fn examine(settings: &Settings, seen: &[Seen], offline: bool) -> Vec<Finding> {
    let now = match now() {
        Ok(now) => now,
        Err(stop) => return vec![Finding::fault("clock", &stop, mend::CLOCK)],
    };
    let mut findings = vec![root(settings, now)];
    findings.extend(proxies());
    match instance(settings, now) {
        Err(stop) => {
            let name_one = calls::ours("setup --client-trust-config FILE");
            findings.push(Finding::fault("instance", &stop, mend::of(&stop, seen, name_one)));
        }
        Ok(instance) => {
            findings.extend(one(&instance));
            findings.extend(keys::examine(&instance, now));
            findings.extend(people(settings, seen, &instance));
            match offline {
                true => findings.push(Finding::note("servers", &"not asked")),
                false => findings.extend(servers(&instance.options.services, now)),
            }
        }
    }
    findings
}

fn root(settings: &Settings, now: Time) -> Finding {
    const CHECK: &str = "trust-root";
    match trust_root(None, settings) {
        Err(stop) => Finding::fault(CHECK, &stop, calls::ours("setup --trusted-root FILE")),
        Ok(root) => {
            let digest = hex(&root.digest);
            let digest = digest.get(..16).unwrap_or_default();
            let (from, newest) = (origin(settings), newest_key(&root, now));
            Finding::good(CHECK, &format!("{} (sha256 {digest}...), {from}{newest}", root.instance))
        }
    }
}

fn origin(settings: &Settings) -> String {
    if let Ok(Some((path, value))) = settings.text(TRUSTED_ROOT) {
        return format!("{path}, {}, from {}", age(path), value.place);
    }
    let gitsigns = settings.foreign_trust().filter(|foreign| {
        // Without certificates of its own it judges under the built-in root.
        foreign.trusted_root(settings.git_dir()).is_ok_and(|root| root.is_some())
    });
    gitsigns.map_or_else(
        || format!("built into git-keyless {}", env!("CARGO_PKG_VERSION")),
        |foreign| format!("gitsign's, from {}", foreign.place()),
    )
}

fn age(path: &str) -> String {
    let changed =
        files::absolute(path).ok().and_then(|path| path.metadata().ok()).and_then(|meta| meta.modified().ok());
    let age = changed.and_then(|then| SystemTime::now().duration_since(then).ok());
    age.map_or_else(|| "of unknown age".to_owned(), |age| format!("{} days old", age.as_secs() / DAY_SECONDS))
}

/// What no file's date can say: since when the youngest key of the root counts.
fn newest_key(root: &TrustRoot, now: Time) -> String {
    let authorities = root.authorities.iter().chain(&root.timestamp_authorities).map(|one| one.window);
    let logs = root.logs.iter().chain(&root.ct_logs).flat_map(|log| log.windows.iter().copied());
    let starts = authorities.chain(logs).map(|window| window.start).filter(|start| *start <= now);
    starts.max().map(|start| format!(", newest key of {}", start.date())).unwrap_or_default()
}

/// One instance, as far as its two files say it; and whether signing would begin.
fn one(instance: &Instance) -> Vec<Finding> {
    const CHECK: &str = "instance";
    let (root, url) = (&instance.root, instance.options.services.authority.url.as_str());
    let other = calls::ours("setup --client-trust-config FILE");
    let mut named: Vec<_> =
        root.authorities.iter().map(|one| redacted(&one.uri)).filter(|uri| !uri.is_empty()).collect();
    named.dedup();
    let first = match lists(root, url) || named.is_empty() {
        true => Finding::good(CHECK, &format!("{}: certificates from {}", root.instance, redacted(url))),
        false => {
            let found = format!(
                "certificates come from {}, and the trust root is of {}: what is signed may be of somebody unknown",
                redacted(url),
                named.join(", ")
            );
            Finding::warning(CHECK, &found, other.as_str())
        }
    };
    let refused = Signer::new(root, &instance.options).err().map(|why| Finding::fault(CHECK, &why, other));
    std::iter::once(first).chain(refused).collect()
}

fn people(settings: &Settings, seen: &[Seen], instance: &Instance) -> Vec<Finding> {
    let committer = session::committer().ok();
    let here = Here { settings, seen, instance, committer: committer.as_deref() };
    let (mut findings, who) = login::examine(&here);
    findings.extend(public::examine(settings, seen, instance, &who, committer.as_deref().unwrap_or_default()));
    findings
}

fn proxies() -> Vec<Finding> {
    let set = PROXIES.iter().filter_map(|name| Some((name, std::env::var(name).ok().filter(|text| !text.is_empty())?)));
    set.map(|(name, value)| Finding::note("proxy", &format!("{name} is {}", redacted_proxy(&value)))).collect()
}

/// Any answer is one: what a server says to a bare question does not matter.
fn servers(services: &Services, now: Time) -> Vec<Finding> {
    let mut asked = vec![
        (Server::CertificateAuthority, services.authority.url.as_str()),
        (Server::TransparencyLog, services.log.url.as_str()),
    ];
    asked.extend(services.timestamp_authority.iter().map(|one| (Server::TimestampAuthority, one.url.as_str())));
    asked.extend(services.identity_provider.iter().map(|one| (Server::IdentityProvider, one.url.as_str())));
    asked.into_iter().flat_map(|(server, url)| ask(server, url, now)).collect()
}

fn ask(server: Server, url: &str, now: Time) -> Vec<Finding> {
    let asked = wait_for(async {
        let endpoint = Endpoint::parse(server, url).map_err(Stop::new)?;
        let request = Request {
            endpoint: &endpoint,
            headers: &[],
            body: None,
            accept: "*/*",
            limit: MAX_BYTES,
            deadline: DEADLINE,
        };
        Http::new().send(request).await.map_err(Stop::new)
    });
    let look = || format!("curl -v {}, which says more; or try again later", shell_word(&redacted(url)));
    match asked {
        // Whoever has logged in already, or brings a token, needs no provider.
        Err(stop) if matches!(server, Server::IdentityProvider) => {
            vec![Finding::warning("servers", &stop, look())]
        }
        Err(stop) => vec![Finding::fault("servers", &stop, look())],
        Ok(reply) => {
            let there = Finding::good("servers", &format!("the {server} at {} answers", redacted(url)));
            let date = reply.date.as_deref().and_then(|date| Time::parse_http(date).ok());
            std::iter::once(there).chain(date.and_then(|there| clock(server, there, now))).collect()
        }
    }
}

fn clock(server: Server, there: Time, now: Time) -> Option<Finding> {
    let apart = there.seconds().abs_diff(now.seconds());
    (apart > MAX_SKEW_SECONDS).then(|| {
        Finding::warning(
            "clock",
            &format!("it is {} here and {there} at the {server}, {apart} s apart", now.whole()),
            mend::CLOCK,
        )
    })
}
