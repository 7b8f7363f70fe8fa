//! ID tokens (OpenID Connect Core 1.0 section 2): the secret text, and what it says of whom.
//!
//! Claims are claims: their signature is for the certificate authority to check. They decide here, before anything is
//! published, who the certificate will name, and afterwards whether it does.

use std::fmt;

use zeroize::Zeroizing;

use super::Malformed;
use super::cert::Subject;
use super::time::Time;

/// Most bytes of a token; GitHub's have 2 kB, GitLab's up to 16 with all groups of a user.
pub const MAX_TOKEN_BYTES: usize = 32 << 10;

/// A token in its compact form (RFC 7515 section 3.1). Whoever has it can sign as its subject: it is wiped when it is
/// dropped, and printed by nothing.
#[derive(Clone)]
pub struct IdToken(Zeroizing<String>);

impl IdToken {
    /// Three parts of base64url, two dots, no more bytes than [`MAX_TOKEN_BYTES`]; blanks around it are dropped.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let text = text.trim_ascii();
        let wrong = |why: String| Err(Malformed::new("ID token", why));
        if text.len() > MAX_TOKEN_BYTES {
            return wrong(format!("{} bytes, more than {MAX_TOKEN_BYTES}", text.len()));
        }
        // Counted before anything splits: a token of nothing but dots costs nothing.
        match text.bytes().filter(|&byte| byte == b'.').count() {
            2 => {}
            dots => return wrong(format!("{dots} dots, not two: not a signed JWT")),
        }
        let base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if text.split('.').any(|part| part.is_empty() || !part.bytes().all(base64url)) {
            return wrong("a part that is empty or not base64url".to_owned());
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// The secret itself: for the authority it was requested for, and nobody else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for IdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdToken")
    }
}

/// What a token says, as far as it decides a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// `aud`.
    pub audience: Vec<String>,
    /// `exp`.
    pub expiry: Time,
    /// `email`.
    pub email: Option<String>,
    /// `email_verified`; nothing is assumed where it is missing.
    pub email_verified: Option<bool>,
    /// `federated_claims.connector_id`: where a provider of providers (dex) let the person log in.
    pub connector: Option<String>,
    /// `job_workflow_ref` of GitHub Actions and its like.
    pub job_workflow_ref: Option<String>,
    /// `ci_config_ref_uri` of GitLab.
    pub ci_config_ref_uri: Option<String>,
}

impl Claims {
    /// Whether a certificate for `subject` by `issuer` is what this token asks for.
    pub fn allows(&self, subject: &Subject, issuer: &str) -> bool {
        let same_issuer = issuer == self.issuer || Some(issuer) == self.connector.as_deref();
        same_issuer
            && match subject {
                Subject::Email(email) => self.email.as_deref() == Some(email),
                // Fulcio's `username` issuers: `sub!domain`, the domain being the authority's configuration.
                Subject::OtherName(name) => name.rsplit_once('!').is_some_and(|(user, _)| user == self.subject),
                Subject::Uri(uri) => match self.uris().as_slice() {
                    // An issuer of workloads whose names only its authority's configuration makes.
                    [] => self.email.is_none(),
                    uris => uris.contains(uri),
                },
            }
    }

    /// Who this is, for people: the e-mail address, else the workflow, else the bare subject.
    pub fn name(&self) -> &str {
        let workflow = self.job_workflow_ref.as_deref().or(self.ci_config_ref_uri.as_deref());
        self.email.as_deref().or(workflow).unwrap_or(&self.subject)
    }

    /// The issuer that will stand in the certificate: of a provider of providers, the one behind it.
    pub fn certified_issuer(&self) -> &str {
        self.connector.as_deref().unwrap_or(&self.issuer)
    }

    /// The names that Fulcio makes out of these claims, where the claims alone decide.
    fn uris(&self) -> Vec<String> {
        let github = self.job_workflow_ref.iter().flat_map(|workflow| {
            let host = self.issuer.split_once("://").and_then(|(_, rest)| rest.split('/').next());
            ["github.com"].into_iter().chain(host).map(move |host| format!("https://{host}/{workflow}"))
        });
        let gitlab = self.ci_config_ref_uri.iter().map(|config| format!("https://{config}"));
        let own = self.subject.contains("://").then(|| self.subject.clone());
        github.chain(gitlab).chain(own).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        Claims {
            issuer: "https://issuer.test".into(),
            subject: "1234".into(),
            audience: vec!["sigstore".into()],
            expiry: Time::from_seconds(0).unwrap(),
            email: None,
            email_verified: None,
            connector: None,
            job_workflow_ref: None,
            ci_config_ref_uri: None,
        }
    }

    fn uri(text: &str) -> Subject {
        Subject::Uri(text.into())
    }

    #[test]
    fn only_compact_jws_of_reasonable_size() {
        for good in ["a.b.c", " eyJ0.eyJ-_.c2ln\n"] {
            assert!(IdToken::parse(good).is_ok(), "{good}");
        }
        let dots = ".".repeat(1000);
        let large = format!("a.{}.c", "b".repeat(3 << 20));
        for bad in ["", "a.b", "a.b.c.d", "a..c", "a.b.", "a.b=.c", "a.b c.d", "a.b\n.c", "a.b.é", &dots, &large] {
            assert!(IdToken::parse(bad).is_err(), "{}", &bad[..bad.len().min(20)]);
        }
    }

    #[test]
    fn nothing_prints_the_secret() {
        let token = IdToken::parse("c2VjcmV0.c2VjcmV0.c2VjcmV0").unwrap();
        assert_eq!(format!("{token:?}"), "IdToken");
        assert_eq!(token.reveal(), "c2VjcmV0.c2VjcmV0.c2VjcmV0");
    }

    #[test]
    fn an_address_is_the_tokens_and_so_is_its_issuer() {
        let email = |address: &str| Subject::Email(address.into());
        let person = Claims { email: Some("a@x.test".into()), ..claims() };
        assert!(person.allows(&email("a@x.test"), "https://issuer.test"));
        assert!(!person.allows(&email("A@x.test"), "https://issuer.test"));
        assert!(!person.allows(&email("a@x.test"), "https://issuer.test/"));
        assert!(!person.allows(&uri("https://anything.test"), "https://issuer.test"));
        assert!(!claims().allows(&email("a@x.test"), "https://issuer.test"));

        let federated = Claims { connector: Some("https://github.com/login/oauth".into()), ..person };
        assert!(federated.allows(&email("a@x.test"), "https://github.com/login/oauth"));
        assert!(!federated.allows(&email("a@x.test"), "https://accounts.google.com"));
        assert_eq!(federated.certified_issuer(), "https://github.com/login/oauth");
        assert_eq!((federated.name(), claims().name()), ("a@x.test", claims().subject.as_str()));
    }

    #[test]
    fn a_workflow_is_named_by_its_reference() {
        let workflow = "o/r/.github/workflows/w.yml@refs/heads/main";
        let github = Claims {
            issuer: "https://token.actions.githubusercontent.com".into(),
            job_workflow_ref: Some(workflow.into()),
            ..claims()
        };
        let allows = |name: &str| github.allows(&uri(name), &github.issuer);
        assert!(allows(&format!("https://github.com/{workflow}")));
        assert!(!allows("https://github.com/o/r/.github/workflows/other.yml@refs/heads/main"));
        assert!(!allows(&format!("https://evil.test/{workflow}")));

        assert_eq!(github.name(), workflow);

        let enterprise = Claims { issuer: "https://ghe.corp.test/_services/token".into(), ..github.clone() };
        assert!(enterprise.allows(&uri(&format!("https://ghe.corp.test/{workflow}")), &enterprise.issuer));

        let config = "gitlab.com/g/p//.gitlab-ci.yml@refs/heads/main";
        let gitlab = Claims { ci_config_ref_uri: Some(config.into()), ..claims() };
        assert!(gitlab.allows(&uri(&format!("https://{config}")), &gitlab.issuer));
        assert!(!gitlab.allows(&uri("https://gitlab.com/g/p"), &gitlab.issuer));
    }

    #[test]
    fn other_workloads() {
        let spiffe = Claims { subject: "spiffe://d.test/ci".into(), ..claims() };
        assert!(spiffe.allows(&uri("spiffe://d.test/ci"), &spiffe.issuer));
        assert!(!spiffe.allows(&uri("spiffe://d.test/admin"), &spiffe.issuer));
        assert!(claims().allows(&uri("https://kubernetes.io/namespaces/n"), "https://issuer.test"));
        let person = Claims { email: Some("a@x.test".into()), ..claims() };
        assert!(!person.allows(&uri("https://kubernetes.io/namespaces/n"), "https://issuer.test"));
        assert!(claims().allows(&Subject::OtherName("1234!corp.test".into()), "https://issuer.test"));
        assert!(!claims().allows(&Subject::OtherName("12345!corp.test".into()), "https://issuer.test"));
    }
}
