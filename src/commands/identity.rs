//! Who signs: where the ID token comes from, and whom it names.

use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::commands::{Stop, now};
use crate::config::{
    BROWSER, CLIENT_ID, CLIENT_SECRET_FILE, CONNECTOR_ID, ID_TOKEN_FILE, ISSUER, QR, Settings, TOKEN_COMMAND,
};
use crate::outside::http::Http;
use crate::outside::oidc::{
    self, Asking, BROWSER_LIMIT, CheckedToken, DEFAULT_AUDIENCE, Login, Occasion, Opener, Person, Source, Surroundings,
    WAYS_OUT,
};
use crate::outside::{files, terminal};
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

/// The first of environment, file and command, else somebody who logs in at the provider of the instance.
pub(crate) fn signer(settings: &Settings, services: &Services) -> Result<Signer, Stop> {
    let audience = text(settings, CLIENT_ID)?.unwrap_or(DEFAULT_AUDIENCE).to_owned();
    let source = match named(settings)? {
        Some(source) => source,
        None => Source::Person(Box::new(person(settings, services, &audience)?)),
    };
    Ok(Signer { source, audience })
}

/// A token for the signer, after however long that takes. Whose it is is shown before it is used: what happens next is
/// public.
pub(crate) async fn token(signer: &Signer) -> Result<CheckedToken, Stop> {
    let Signer { source, audience } = signer;
    let asking = Asking { http: &Http::new(), audience, deadline: EXCHANGE_DEADLINE };
    let token = oidc::request(source, asking).await.map_err(Stop::new)?;
    let checked = oidc::check(token, audience, now()?).map_err(|why| Stop::new(format!("{source}: {why}")))?;
    let claims = checked.claims();
    terminal::say(&format!("git-keyless: signing as {} ({})", claims.name(), claims.certified_issuer()));
    Ok(checked)
}

fn named(settings: &Settings) -> Result<Option<Source>, Stop> {
    if let Some(token) = std::env::var_os("SIGSTORE_ID_TOKEN").filter(|token| !token.is_empty()) {
        let token = token.into_string().map_err(|_| Stop::new("SIGSTORE_ID_TOKEN is not text; it must be one JWT"))?;
        return Ok(Some(Source::Value { variable: "SIGSTORE_ID_TOKEN".to_owned(), token: Zeroizing::new(token) }));
    }
    if let Some((path, value)) = settings.text(ID_TOKEN_FILE).map_err(Stop::new)? {
        let path = files::expand(path).map_err(|why| Stop::new(settings.unusable(ID_TOKEN_FILE, value, why)))?;
        return Ok(Some(Source::File(path)));
    }
    Ok(text(settings, TOKEN_COMMAND)?.map(|command| Source::Command(command.to_owned())))
}

fn person(settings: &Settings, services: &Services, client_id: &str) -> Result<Person, Stop> {
    let provider = services.identity_provider.as_ref().map(|provider| provider.url.as_str());
    let issuer = text(settings, ISSUER)?.or(provider).ok_or_else(|| {
        Stop::new(format!(
            "nobody says who you are, and the signing config names no identity provider (oidcUrls) that is valid now; \
             set keyless.issuer, or {WAYS_OUT}"
        ))
    })?;
    let surroundings = Surroundings::found();
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
    Ok(Person {
        login,
        way: surroundings.way(opener.is_some()),
        opener: opener.unwrap_or_else(|| {
            Opener::of_platform(surroundings.platform(), surroundings.variable("BROWSER").unwrap_or_default())
        }),
        qr: settings.flag(QR).map_err(Stop::new)?,
        occasion: occasion(settings),
        browser_limit: BROWSER_LIMIT,
    })
}

fn client_secret(settings: &Settings) -> Result<Option<Zeroizing<String>>, Stop> {
    let Some((path, value)) = settings.text(CLIENT_SECRET_FILE).map_err(Stop::new)? else { return Ok(None) };
    let refused = |why: String| Stop::new(settings.unusable(CLIENT_SECRET_FILE, value, why));
    let path = files::expand(path).map_err(refused)?;
    let file = std::fs::File::open(&path).map_err(|error| refused(format!("{}: {error}", path.display())))?;
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
