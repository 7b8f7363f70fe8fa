//! Differences that stay: the request, what the sandbox and what the servers answer with a stroke between, and why.

const AXUM: &str = "a charset that the sandbox's library adds; nobody reads it";
const BELIEVES: &str =
    "the real one takes any key details it knows, whatever the key; no client of ours sends wrong ones";
const ES256: &str = "another algorithm of the provider, by choice";
const FIRST_VALUE: &str = "the real ones stop reading after the first JSON value";
const FRONT: &str = "the stack serves tiles from a file server of its own";
const MISTYPED: &str = "to the sandbox a field of the wrong type is a missing one";
const NO_SETTING: &str = "the sandbox has no hosts and trust domains to compare with";
const NO_PRODUCT: &str = "the stack's provider is a script of this suite; nothing asks there";
const RFC6749: &str =
    "section 5.2: a missing parameter is invalid_request; the stack's provider is a script of this suite";
const SUBJECT: &str = "section 2 of OpenID Connect demands one; the sandbox takes no token without";
const STRICT: &str = "the sandbox takes no null for a field and no number for an enum";
const UNESCAPED: &str = "the real one escapes it; the sandbox writes down what it is told, or nothing";
const VERSION: &str = "the real one does not look at the version of a query";
const WORDS: &str = "the same verdict in other words";

pub(super) const KNOWN: &[(&str, &str, &str)] = &[
    ("federated: number for connector", "status: 400 | 200", MISTYPED),
    ("fulcio: list", "/message: other words", WORDS),
    ("fulcio: more behind it", "/message: other words", FIRST_VALUE),
    ("fulcio: null", "/message: other words", WORDS),
    ("fulcio: null for credentials", "/message: other words", STRICT),
    ("fulcio: number for token", "/message: other words", WORDS),
    ("fulcio: request is no base64", "/message: other words", WORDS),
    ("oidc: discovery", "/userinfo_endpoint: missing | there", NO_PRODUCT),
    ("oidc: keys", "/keys/0/alg: ES256 | RS256", ES256),
    ("oidc: keys", "/keys/0/crv: there | missing", ES256),
    ("oidc: keys", "/keys/0/e: missing | there", ES256),
    ("oidc: keys", "/keys/0/n: missing | there", ES256),
    ("oidc: keys", "/keys/0/x: there | missing", ES256),
    ("oidc: keys", "/keys/0/y: there | missing", ES256),
    ("oidc: no code", "/error: invalid_request | invalid_grant", RFC6749),
    ("oidc: no device", "/error: invalid_request | invalid_grant", RFC6749),
    ("rekor v1: empty data", "/message: other words", WORDS),
    ("rekor v1: empty signature", "/message: other words", WORDS),
    ("rekor v1: list for all", "status: 422 | 500", MISTYPED),
    ("rekor v1: more behind it", "location: none | /api/v1/log/entries/HEX", FIRST_VALUE),
    ("rekor v1: more behind it", "status: 500 | 409", FIRST_VALUE),
    ("rekor v1: null for data", "/message: other words", WORDS),
    ("rekor v1: number for kind", "status: 422 | 500", MISTYPED),
    ("rekor v1: signature is no base64", "/message: other words", WORDS),
    ("rekor v1: text for spec", "/message: other words", WORDS),
    ("rekor v2: digest is a number", "/message: other words", WORDS),
    ("rekor v2: digest is no base64", "/message: other words", WORDS),
    ("rekor v2: list for all", "/message: other words", WORDS),
    ("rekor v2: more behind it", "/message: other words", FIRST_VALUE),
    ("rekor v2: no key details", "/message: other words", STRICT),
    ("rekor v2: null for digest", "/message: other words", STRICT),
    ("rekor v2: null for signature", "/message: other words", STRICT),
    ("rekor v2: number for key details", "status: 400 | 409", STRICT),
    ("rekor v2: number for key details", "x-log-index: none | #", STRICT),
    ("rekor v2: refused key details", "status: 400 | 201", BELIEVES),
    ("rekor v2: unknown key details", "/message: other words", WORDS),
    ("rekor v2: unknown tile", "content-type: text/plain; charset=utf-8 | none", FRONT),
    ("spiffe: of another domain", "status: 200 | 400", NO_SETTING),
    ("tsa: other version", "status: 400 | 200", VERSION),
    ("tsa: ping", "content-type: text/plain; charset=utf-8 | text/plain", AXUM),
    ("uri: of another host", "status: 200 | 400", NO_SETTING),
    ("uri: with a blank", "status: 400 | 200", UNESCAPED),
    ("workflow: no sub", "status: 400 | 200", SUBJECT),
];
