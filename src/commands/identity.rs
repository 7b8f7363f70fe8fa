//! Who signs: where the ID token comes from, and whom it names.

use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::commands::{Stop, now};
use crate::config::{
    BROWSER, CLIENT_ID, CLIENT_SECRET_FILE, CONNECTOR_ID, ID_TOKEN_FILE, ISSUER, QR, Settings, TOKEN_COMMAND,
    TOKEN_SOURCE, Value,
};
use crate::format::id_token::IdToken;
use crate::outside::http::Http;
use crate::outside::oidc::{
    self, Asking, BROWSER_LIMIT, CheckedToken, DEFAULT_AUDIENCE, Login, LoginFailure, Occasion, Opener, Person,
    Refresh, Source, Surroundings, WAYS_OUT, Way, ambient,
};
use crate::outside::{files, process, terminal};
use crate::trust::Services;

/// How long one exchange with a server, a file or a command may take.
const EXCHANGE_DEADLINE: Duration = Duration::from_secs(30);
/// Most bytes of a client secret.
const MAX_SECRET_BYTES: usize = 4096;

/// Where the token comes from, and for whom it must be.
#[derive(Debug)]
pub(crate) struct Signer {
    /// The first of the sources that there are.
    pub(crate) source: Source,
    /// The client's name, which is the audience of all its tokens.
    pub(crate) audience: String,
}

/// The source that is named; else the first of environment, file, command and the job's own identity; else somebody who
/// logs in at the provider of the instance.
pub(crate) fn signer(settings: &Settings, services: &Services) -> Result<Signer, Stop> {
    process::keep_secrets();
    let audience = text(settings, CLIENT_ID)?.unwrap_or(DEFAULT_AUDIENCE).to_owned();
    let surroundings = Surroundings::found();
    let person = |way: Option<Way>| person(settings, services, &audience, &surroundings, way);
    let source = match settings.text(TOKEN_SOURCE).map_err(Stop::new)? {
        Some(("browser", _)) => person(Some(Way::Browser))?,
        Some(("device", _)) => person(Some(Way::Device))?,
        Some(("file", value)) => file(settings)?.ok_or_else(|| needs(settings, value, ID_TOKEN_FILE))?,
        Some(("command", value)) => command(settings)?.ok_or_else(|| needs(settings, value, TOKEN_COMMAND))?,
        Some((name, value)) => ambient::named(name, &surroundings, &audience)
            .map_err(|why| Stop::new(settings.unusable(TOKEN_SOURCE, value, why)))?,
        None => match environment()?.map_or_else(|| file(settings), |token| Ok(Some(token)))? {
            Some(source) => source,
            None => match (command(settings)?, ambient::of_job(&surroundings, &audience)) {
                (Some(command), _) => command,
                (None, Some(job)) => job.map_err(|why| Stop::new(format!("this job has no identity: {why}")))?,
                (None, None) => person(None)?,
            },
        },
    };
    Ok(Signer { source, audience })
}

/// A token for the signer, after however long that takes.
pub(crate) async fn token(signer: &Signer) -> Result<CheckedToken, Stop> {
    let token = oidc::request(&signer.source, asking(&Http::new(), signer)).await.map_err(Stop::new)?;
    check(signer, token).inspect(introduce)
}

/// The same of somebody who logs in, and what renews that login if it is wanted and there is any.
pub(crate) async fn login(
    signer: &Signer,
    person: &Person,
    refresh: bool,
) -> Result<(CheckedToken, Option<Refresh>), Stop> {
    let found = person.log_in(asking(&Http::new(), signer), refresh).await.map_err(Stop::new)?;
    Ok((check(signer, found.token).inspect(introduce)?, found.refresh))
}

/// A token for somebody who has logged in before, without anybody. Whose it is is not said yet.
pub(crate) async fn renew(
    signer: &Signer,
    person: &Person,
    refresh: &Refresh,
) -> Result<(CheckedToken, Refresh), LoginFailure> {
    let (token, refresh) = person.renew(refresh, asking(&Http::new(), signer)).await?;
    let wrong = |why: Stop| LoginFailure::WrongToken { issuer: person.login.issuer.clone(), why: why.to_string() };
    Ok((check(signer, token).map_err(wrong)?, refresh))
}

/// Says whose the token is, before it is used: what happens next is public.
pub(crate) fn introduce(token: &CheckedToken) {
    let claims = token.claims();
    terminal::say(&format!("git-keyless: signing as {} ({})", claims.name(), claims.certified_issuer()));
}

fn asking<'a>(http: &'a Http, signer: &'a Signer) -> Asking<'a> {
    Asking { http, audience: &signer.audience, deadline: EXCHANGE_DEADLINE }
}

fn check(signer: &Signer, token: IdToken) -> Result<CheckedToken, Stop> {
    let Signer { source, audience } = signer;
    oidc::check(token, audience, now()?).map_err(|why| Stop::new(format!("{source}: {why}")))
}

fn environment() -> Result<Option<Source>, Stop> {
    const VARIABLE: &str = "SIGSTORE_ID_TOKEN";
    let Some(token) = std::env::var_os(VARIABLE).filter(|token| !token.is_empty()) else { return Ok(None) };
    let token = token.into_string().map_err(|_| Stop::new(format!("{VARIABLE} is not text; it must be one JWT")))?;
    Ok(Some(Source::Value { variable: VARIABLE.to_owned(), token: Zeroizing::new(token) }))
}

fn file(settings: &Settings) -> Result<Option<Source>, Stop> {
    let Some((path, value)) = settings.text(ID_TOKEN_FILE).map_err(Stop::new)? else { return Ok(None) };
    let path = files::absolute(path).map_err(|why| Stop::new(settings.unusable(ID_TOKEN_FILE, value, why)))?;
    Ok(Some(Source::File(path)))
}

fn command(settings: &Settings) -> Result<Option<Source>, Stop> {
    Ok(text(settings, TOKEN_COMMAND)?.map(|command| Source::Command(command.to_owned())))
}

fn needs(settings: &Settings, value: &Value, key: &str) -> Stop {
    Stop::new(settings.unusable(TOKEN_SOURCE, value, format!("it needs {key}, which is not set")))
}

/// Somebody who logs in, in a `way` that is named or the one that fits.
fn person(
    settings: &Settings,
    services: &Services,
    client_id: &str,
    surroundings: &Surroundings,
    way: Option<Way>,
) -> Result<Source, Stop> {
    let provider = services.identity_provider.as_ref().map(|provider| provider.url.as_str());
    let issuer = text(settings, ISSUER)?.or(provider).ok_or_else(|| {
        Stop::new(format!(
            "nobody says who you are, and the signing config names no identity provider (oidcUrls) that is valid now; \
             set keyless.issuer, or {WAYS_OUT}"
        ))
    })?;
    let opener = match settings.text(BROWSER).map_err(Stop::new)? {
        None => None,
        Some((command, value)) => {
            Some(Opener::command(command).map_err(|why| Stop::new(settings.unusable(BROWSER, value, why)))?)
        }
    };
    let login = Login {
        issuer: issuer.to_owned(),
        client_id: client_id.to_owned(),
        client_secret: client_secret(settings)?,
        connector: text(settings, CONNECTOR_ID)?.map(str::to_owned),
    };
    let fitting = surroundings.way(opener.is_some() || way == Some(Way::Browser));
    Ok(Source::Person(Box::new(Person {
        login,
        // Where nobody can be asked, no name helps.
        way: way.filter(|_| !matches!(fitting, Way::Neither(_))).unwrap_or(fitting),
        opener: opener.unwrap_or_else(|| {
            Opener::of_platform(surroundings.platform(), surroundings.variable("BROWSER").unwrap_or_default())
        }),
        forwarded: surroundings.forwards(),
        qr: settings.flag(QR).map_err(Stop::new)?,
        occasion: occasion(settings),
        browser_limit: BROWSER_LIMIT,
    })))
}

fn client_secret(settings: &Settings) -> Result<Option<Zeroizing<String>>, Stop> {
    let Some((path, value)) = settings.text(CLIENT_SECRET_FILE).map_err(Stop::new)? else { return Ok(None) };
    let refused = |why: String| Stop::new(settings.unusable(CLIENT_SECRET_FILE, value, why));
    let path = files::absolute(path).map_err(refused)?;
    let file = files::open(&path).map_err(|error| refused(format!("{}: {error}", path.display())))?;
    let bytes =
        Zeroizing::new(files::read_limited(file, MAX_SECRET_BYTES, &path.display().to_string()).map_err(refused)?);
    let secret = std::str::from_utf8(&bytes).map_err(|_| refused("it is not text".to_owned()))?;
    Ok(Some(Zeroizing::new(secret.trim().to_owned())).filter(|secret| !secret.is_empty()))
}

/// The repository by the name of its folder, as people know it.
fn occasion(settings: &Settings) -> Occasion {
    let git_dir = settings.git_dir().and_then(|path| path.canonicalize().ok());
    let folder = git_dir.as_deref().map(|path| match path.file_name() {
        Some(name) if name == ".git" => path.parent().unwrap_or(path),
        _ => path,
    });
    let repository = folder.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    Occasion { repository: repository.unwrap_or_default(), host: terminal::host() }
}

fn text<'a>(settings: &'a Settings, key: &str) -> Result<Option<&'a str>, Stop> {
    Ok(settings.text(key).map_err(Stop::new)?.map(|(text, _)| text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outside::repo::{ConfigValue, Configuration};

    fn secret_at(path: &Path) -> Result<Option<String>, String> {
        let value = ConfigValue {
            key: CLIENT_SECRET_FILE.to_lowercase(),
            value: Some(path.to_str().unwrap().to_owned()),
            place: "a file".to_owned(),
        };
        let settings =
            Settings::new(Configuration { values: vec![value], ..Configuration::default() }, |_| None).unwrap();
        let secret = client_secret(&settings).map_err(|why| why.to_string())?;
        Ok(secret.map(|secret| secret.to_string()))
    }

    #[test]
    fn a_clients_secret_is_what_its_file_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let secret = |content: &[u8]| {
            std::fs::write(&path, content).unwrap();
            secret_at(&path)
        };
        let longest = "x".repeat(MAX_SECRET_BYTES);
        for (content, expected) in [
            ("hunter2", Some("hunter2")),
            ("hunter2\n", Some("hunter2")),
            (" a b \r\n", Some("a b")),
            ("", None),
            (" \n", None),
            (&longest, Some(longest.as_str())),
        ] {
            assert_eq!(secret(content.as_bytes()), Ok(expected.map(str::to_owned)), "{content:?}");
        }
        for (content, expected) in [
            (format!("{longest}x").into_bytes(), "has more than 4096 bytes"),
            (format!("{longest}\n").into_bytes(), "has more than 4096 bytes"),
            (b"hunter2\xff".to_vec(), "it is not text"),
        ] {
            let why = secret(&content).unwrap_err();
            assert!(why.starts_with("keyless.clientSecretFile in a file: ") && why.contains(expected), "{why}");
            assert!(!why.contains("hunter2"), "{why}");
        }
        // A pipe, say, would keep git waiting.
        assert!(secret_at(folder.path()).unwrap_err().contains("it is not a file"));
        assert!(secret_at(&folder.path().join("nowhere")).unwrap_err().contains("nowhere: "));
        assert!(secret_at(Path::new("secret")).unwrap_err().contains("relative path"));
        assert_eq!(client_secret(&Settings::default()).unwrap(), None);
    }
}
