//! Where to sign and what to judge under: files, ages, servers, clocks, proxies.

use std::time::{Duration, SystemTime};

use super::{Finding, calls, login, redacted, redacted_proxy};
use crate::commands::instance::instance;
use crate::commands::{now, trust_root, wait_for};
use crate::config::{Settings, TRUSTED_ROOT};
use crate::format::hex;
use crate::format::time::Time;
use crate::outside::files;
use crate::outside::http::{Endpoint, Http, Request, Server};
use crate::trust::{Services, TrustRoot};

/// How long a server may take to say anything at all.
const DEADLINE: Duration = Duration::from_secs(4);
/// Most bytes of what it says, which nobody reads.
const MAX_BYTES: usize = 1 << 20;
/// How far clocks may be apart; an ID token that seems to be from the future is refused beyond that.
const MAX_SKEW_SECONDS: u64 = 60;
const PROXIES: [&str; 8] =
    ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "all_proxy", "http_proxy", "https_proxy", "no_proxy"];

pub(super) fn examine(settings: &Settings, offline: bool) -> Vec<Finding> {
    let mut findings = vec![root(settings)];
    let now = match now() {
        Ok(now) => now,
        Err(stop) => return vec![Finding::fault("clock", &stop, "set this machine's clock")],
    };
    findings.extend(proxies());
    match instance(settings, now) {
        Err(stop) => findings.push(Finding::fault("instance", &stop, calls::ours("setup --client-trust-config FILE"))),
        Ok(instance) => {
            let services = &instance.options.services;
            let url = redacted(&services.authority.url);
            findings.push(Finding::good("instance", &format!("{}: certificates from {url}", instance.root.instance)));
            findings.extend(keys(&instance.root, now));
            findings.extend(login::examine(settings, &instance));
            match offline {
                true => findings.push(Finding::note("servers", &"not asked")),
                false => findings.extend(servers(services, now)),
            }
        }
    }
    findings
}

fn root(settings: &Settings) -> Finding {
    const CHECK: &str = "trust-root";
    match trust_root(None, settings) {
        Err(stop) => Finding::fault(CHECK, &stop, calls::ours("setup --trusted-root FILE")),
        Ok(root) => {
            let digest = hex(&root.digest);
            let digest = digest.get(..16).unwrap_or_default();
            Finding::good(CHECK, &format!("{} (sha256 {digest}...), {}", root.instance, age(settings)))
        }
    }
}

fn age(settings: &Settings) -> String {
    let Ok(Some((path, value))) = settings.text(TRUSTED_ROOT) else { return "built in, or gitsign's".to_owned() };
    let changed =
        files::absolute(path).ok().and_then(|path| path.metadata().ok()).and_then(|meta| meta.modified().ok());
    let days = changed.and_then(|then| SystemTime::now().duration_since(then).ok()).map(|age| age.as_secs() / 86_400);
    let days = days.map_or_else(|| "of unknown age".to_owned(), |days| format!("{days} days old"));
    format!("{path}, {days}, from {}", value.place)
}

/// What is signed today must be judged by keys of today.
fn keys(root: &TrustRoot, now: Time) -> Vec<Finding> {
    let authority = root.authorities.iter().any(|one| one.chain.is_ok() && one.window.contains(now));
    let log = root.logs.is_empty() || root.logs.iter().any(|log| log.key.is_ok() && log.check_covers(now).is_ok());
    let mend = "ask who runs the instance for a current trust root, or look at this machine's clock";
    let missing =
        |what: &str| Finding::fault("trust-root-keys", &format!("no {what} of the trust root is valid now"), mend);
    let mut findings = Vec::new();
    findings.extend((!authority).then(|| missing("certificate authority")));
    findings.extend((!log).then(|| missing("transparency log")));
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
        let endpoint = Endpoint::parse(server, url).map_err(super::Stop::new)?;
        let request = Request {
            endpoint: &endpoint,
            headers: &[],
            body: None,
            accept: "*/*",
            limit: MAX_BYTES,
            deadline: DEADLINE,
        };
        Http::new().send(request).await.map_err(super::Stop::new)
    });
    match asked {
        // Whoever has logged in already, or brings a token, needs no provider.
        Err(stop) if matches!(server, Server::IdentityProvider) => {
            vec![Finding::warning("servers", &stop, "look at the network, or try again later")]
        }
        Err(stop) => vec![Finding::fault("servers", &stop, "look at the network and the proxies, or try again later")],
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
            "set this machine's clock",
        )
    })
}
