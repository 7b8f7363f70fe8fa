//! Servers that misbehave: the program fails in time, names the server, says what to do, gives away nothing, hands over
//! nothing, and goes no step further than the fault.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::good::signing;
use super::http::Message;
use super::judge::{Expected, check_good};
use super::proxy::{Behaviour, Change, Front, Proxy};
use super::stack::{DEV, PEOPLE, Route, Service, Stack};
use super::wrong_keys::nothing_is_committed;
use crate::support::{Answer, Git, Repo};

/// Each service on a route that needs it.
const PLACES: [(Service, Route); 5] = [
    (Service::Fulcio, Route::V1),
    (Service::RekorV1, Route::V1),
    (Service::RekorV2, Route::V2),
    (Service::Tsa, Route::V1Token),
    (Service::Tsa, Route::V2),
];

/// All of them at once: most of the time is spent waiting.
fn everywhere(check: impl Fn((Service, Route)) + Sync) {
    std::thread::scope(|scope| {
        for place in PLACES {
            let check = &check;
            scope.spawn(move || check(place));
        }
    });
}

/// How the program calls it.
fn name(service: Service) -> &'static str {
    match service {
        Service::Fulcio => "certificate authority",
        Service::RekorV1 | Service::RekorV2 => "transparency log",
        Service::Tsa => "timestamp authority",
        Service::Oidc => "identity provider",
    }
}

/// One attempt to sign through a front.
struct Attempt {
    repo: Repo,
    front: Front,
    token: String,
    service: Service,
    answer: Answer,
}

impl Attempt {
    fn new(stack: &Stack, (service, route): (Service, Route), behaviour: &Behaviour) -> Self {
        let repo = signing(&Git::installed(), "sha1", stack, route, &DEV);
        let token = std::fs::read_to_string(repo.home().join("token")).unwrap();
        let front = Front::new(stack, route, service, behaviour);
        front.lead(&repo);
        let answer = repo.sign(b"a payload\n");
        Self { repo, front, token, service, answer }
    }

    /// Everything that holds for every failure.
    #[track_caller]
    fn check_refused(&self, what: &str) {
        let Answer { code, stdout, stderr } = &self.answer;
        println!("{:?}, {what}: {}", self.service, stderr.trim_end());
        assert!(*code != 0 && stdout.is_empty(), "{what}: exit {code}, {} bytes out", stdout.len());
        assert!(!stderr.contains("SIG_CREATED"), "{what}");
        check_keeps_secret(stderr, &self.token);
        assert!(stderr.contains("; ") && stderr.len() < 1_000, "what to do, in short: {stderr}");
        assert!(!stderr.chars().any(|c| c.is_control() && c != '\n'), "{stderr:?}");
        if self.service == Service::Fulcio {
            assert_eq!(self.logged(), 0, "{what}: a log was asked");
            assert!(self.front.tsa.seen().is_empty(), "{what}: a timestamp authority was asked");
        }
        for (proxy, most) in self.front.all().into_iter().zip([2, 4, 4, 4]) {
            assert!(proxy.count("POST") <= most, "{what}: {} requests", proxy.count("POST"));
        }
    }

    #[track_caller]
    fn check_names_server(&self, what: &str) {
        assert!(self.answer.stderr.contains(name(self.service)), "{what}: {}", self.answer.stderr);
    }

    #[track_caller]
    fn check_signed(&self, what: &str) {
        let Answer { code, stdout, stderr } = &self.answer;
        assert!(*code == 0 && stdout.starts_with(b"-----BEGIN SIGNED MESSAGE-----\n"), "{what}: {code} {stderr}");
    }

    fn logged(&self) -> usize {
        self.front.rekor_v1.count("POST") + self.front.rekor_v2.count("POST")
    }
}

/// Neither the token nor any of its three parts.
#[track_caller]
pub(crate) fn check_keeps_secret(text: &str, token: &str) {
    assert!(token.split('.').all(|part| part.len() > 20 && !text.contains(part)), "the token: {text}");
}

fn post_reply(status: u16, body: impl Into<Vec<u8>>) -> Behaviour {
    Behaviour::Answer(Message::reply(status, &[("Content-Type", "application/json")], body))
}

#[test]
fn out_of_reach_or_out_of_its_mind() {
    let Some(stack) = Stack::shared() else { return };
    let refusal = |status| post_reply(status, r#"{"code":13,"message":"\u001b[31mno\nwonder"}"#);
    let cases = [
        ("refuses", Behaviour::Refuse),
        ("noise", Behaviour::Noise),
        ("200 and no JSON", post_reply(200, "<html>It works!</html>")),
        ("201 and nothing", post_reply(201, "")),
        ("201 and {}", post_reply(201, "{}")),
        ("201 and null", post_reply(201, "null")),
        ("200 and deep nesting", post_reply(200, "[".repeat(100_000))),
        ("204", post_reply(204, "")),
        ("400", refusal(400)),
        ("401", refusal(401)),
        ("404", refusal(404)),
        ("429", refusal(429)),
        ("500", refusal(500)),
        ("endless", Behaviour::Endless),
        ("dies", Behaviour::DieMidBody),
    ];
    everywhere(|place| {
        for (what, behaviour) in &cases {
            let attempt = Attempt::new(stack, place, behaviour);
            attempt.check_refused(what);
            attempt.check_names_server(what);
        }
    });
}

#[test]
fn git_reports_it_and_writes_nothing() {
    let Some(stack) = Stack::shared() else { return };
    for git in Git::all() {
        for (service, route) in PLACES {
            let repo = signing(&git, "sha1", stack, route, &DEV);
            let front = Front::new(stack, route, service, &post_reply(400, "{}"));
            front.lead(&repo);
            nothing_is_committed(&repo);
            let tree = repo.ok(["write-tree"]);
            let tagged = repo.run(["tag", "-a", "-m", "one", "v1", &tree]);
            assert_eq!(tagged.code, 128, "{}", tagged.stderr);
            // git shows what its helper said since 2.40.
            let shown = tagged.stderr.contains(name(service)) && tagged.stderr.contains("; ");
            assert!(shown || git.version.starts_with("2.39."), "{}", tagged.stderr);
            assert_eq!(repo.ok(["for-each-ref"]), "");
        }
    }
}

/// The token must not travel, nor the certificate, nor the name.
#[test]
fn redirects_lead_nowhere() {
    let Some(stack) = Stack::shared() else { return };
    everywhere(|place @ (service, _)| {
        for status in [301, 302, 303, 307, 308] {
            let trap = Proxy::new(stack.port(service), Behaviour::Forward);
            let location = format!("{}/api/v2/signingCert", trap.url());
            let moved = Behaviour::Answer(Message::reply(status, &[("Location", &location)], ""));
            let attempt = Attempt::new(stack, place, &moved);
            attempt.check_refused(&format!("{status}"));
            attempt.check_names_server("redirect");
            assert_eq!(trap.seen().len(), 0, "{service:?} {status}: the redirect was followed");
        }
    });
}

/// A fault that passes is survived, and what comes out is a whole signature.
#[test]
fn a_second_attempt_after_a_passing_fault() {
    let Some(stack) = Stack::shared() else { return };
    let busy = Message::reply(503, &[("Retry-After", "1")], "busy");
    everywhere(|place @ (service, route)| {
        for (what, behaviour) in
            [("503 once", Behaviour::AnswerOnce(busy.clone())), ("answer lost once", Behaviour::LoseAnswerOnce)]
        {
            let attempt = Attempt::new(stack, place, &behaviour);
            attempt.check_signed(what);
            assert!(attempt.front.proxy(service).count("POST") >= 2, "{what}");
            attempt.repo.commit("and through git");
            check_good(&attempt.repo, "HEAD", Expected { stack, route, person: &DEV });
        }
    });
}

/// The log has this entry already, because somebody on the way sent it first.
#[test]
fn a_true_duplicate_is_ours() {
    let Some(stack) = Stack::shared() else { return };
    for place in [(Service::RekorV1, Route::V1), (Service::RekorV2, Route::V2)] {
        Attempt::new(stack, place, &Behaviour::Twice).check_signed("sent twice");
    }
}

/// Replies that the real servers gave to somebody else.
#[test]
fn answers_for_somebody_else() {
    let Some(stack) = Stack::shared() else { return };
    for place @ (service, route) in PLACES {
        let earlier = Attempt::new(stack, (Service::Oidc, route), &Behaviour::Forward);
        earlier.check_signed("the one that is recorded");
        let recorded = earlier.front.proxy(service).recorded();
        let attempt = Attempt::new(stack, place, &Behaviour::Answer(recorded));
        attempt.check_refused("a recorded reply");
        attempt.check_names_server("a recorded reply");
    }
}

fn json(change: impl Fn(&mut Value) + Send + Sync + 'static) -> Change {
    Arc::new(move |mut message| {
        let mut value = serde_json::from_slice(&message.body).unwrap();
        change(&mut value);
        message.body = value.to_string().into_bytes();
        message
    })
}

/// The authority is asked with somebody else's token for our key: a true certificate, ours but for the name.
#[test]
fn a_certificate_for_our_key_and_another_person() {
    let Some(stack) = Stack::shared() else { return };
    for person in &PEOPLE[1..] {
        let token = stack.token(person);
        let swap = Behaviour::Ask(json(move |request| {
            request["credentials"]["oidcIdentityToken"] = token.clone().into();
        }));
        let attempt = Attempt::new(stack, (Service::Fulcio, Route::V1), &swap);
        attempt.check_refused(person.subject);
        assert!(attempt.answer.stderr.contains(person.subject), "{}", attempt.answer.stderr);
    }
}

#[test]
fn certificates_in_the_wrong_place() {
    let Some(stack) = Stack::shared() else { return };
    let chain = |reply: &mut Value, change: &dyn Fn(&mut Vec<Value>)| {
        change(reply["signedCertificateEmbeddedSct"]["chain"]["certificates"].as_array_mut().unwrap());
    };
    let cases: [(&str, Change); 4] = [
        ("reversed", json(move |reply| chain(reply, &|list| list.reverse()))),
        ("the authority's own", json(move |reply| chain(reply, &|list| drop(list.remove(0))))),
        ("none", json(move |reply| chain(reply, &|list| list.clear()))),
        ("text", json(move |reply| chain(reply, &|list| list[0] = "not a certificate".into()))),
    ];
    for (what, change) in cases {
        let attempt = Attempt::new(stack, (Service::Fulcio, Route::V2), &Behaviour::Alter(change));
        attempt.check_refused(what);
        attempt.check_names_server(what);
    }
}

/// The one value of a Rekor v1 reply.
fn entry(reply: &mut Value) -> &mut Value {
    reply.as_object_mut().unwrap().values_mut().next().unwrap()
}

fn add(value: &mut Value, more: i64) {
    *value = match value.as_str() {
        Some(text) => (text.parse::<i64>().unwrap() + more).to_string().into(),
        None => (value.as_i64().unwrap() + more).into(),
    };
}

/// Another character in the middle of a text.
fn spoil(value: &mut Value) {
    let mut text = value.as_str().unwrap().to_owned().into_bytes();
    let at = text.len() / 2;
    text[at] = if text[at] == b'2' { b'3' } else { b'2' };
    *value = String::from_utf8(text).unwrap().into();
}

#[test]
fn entries_with_one_thing_wrong() {
    let Some(stack) = Stack::shared() else { return };
    // With an index of 0 in a small tree some changes would be none.
    for route in [Route::V1, Route::V2] {
        for _ in 0..2 {
            Attempt::new(stack, (Service::Oidc, route), &Behaviour::Forward).check_signed("to fill the log");
        }
    }
    fn proof(reply: &mut Value) -> &mut Value {
        &mut entry(reply)["verification"]["inclusionProof"]
    }
    let v1: [(&str, Change); 14] = [
        ("time", json(|reply| add(&mut entry(reply)["integratedTime"], 1))),
        ("time in the past", json(|reply| entry(reply)["integratedTime"] = 0.into())),
        ("index", json(|reply| add(&mut entry(reply)["logIndex"], 1))),
        ("negative index", json(|reply| entry(reply)["logIndex"] = (-1).into())),
        ("log id", json(|reply| spoil(&mut entry(reply)["logID"]))),
        ("body", json(|reply| spoil(&mut entry(reply)["body"]))),
        ("promise", json(|reply| spoil(&mut entry(reply)["verification"]["signedEntryTimestamp"]))),
        ("no promise", json(|reply| entry(reply)["verification"]["signedEntryTimestamp"] = Value::Null)),
        ("proof's index", json(|reply| add(&mut proof(reply)["logIndex"], 1))),
        ("proof's size", json(|reply| add(&mut proof(reply)["treeSize"], 1))),
        ("proof's root", json(|reply| spoil(&mut proof(reply)["rootHash"]))),
        ("proof's hashes", json(|reply| proof(reply)["hashes"] = Value::Array(Vec::new()))),
        ("checkpoint", json(|reply| spoil(&mut proof(reply)["checkpoint"]))),
        (
            "two entries",
            json(|reply| {
                let copy = entry(reply).clone();
                reply["0".repeat(80)] = copy;
            }),
        ),
    ];
    let v2: [(&str, Change); 10] = [
        ("index", json(|reply| add(&mut reply["logIndex"], 1))),
        ("log id", json(|reply| spoil(&mut reply["logId"]["keyId"]))),
        ("kind", json(|reply| reply["kindVersion"]["version"] = "0.0.1".into())),
        ("body", json(|reply| spoil(&mut reply["canonicalizedBody"]))),
        ("proof's index", json(|reply| add(&mut reply["inclusionProof"]["logIndex"], -1))),
        ("proof's size", json(|reply| add(&mut reply["inclusionProof"]["treeSize"], 1))),
        ("proof's root", json(|reply| spoil(&mut reply["inclusionProof"]["rootHash"]))),
        ("proof's hashes", json(|reply| reply["inclusionProof"]["hashes"] = Value::Array(Vec::new()))),
        ("no proof", json(|reply| reply["inclusionProof"] = Value::Null)),
        ("checkpoint", json(|reply| spoil(&mut reply["inclusionProof"]["checkpoint"]["envelope"]))),
    ];
    for (place, cases) in [((Service::RekorV1, Route::V1), v1.to_vec()), ((Service::RekorV2, Route::V2), v2.to_vec())] {
        for (what, change) in cases {
            Attempt::new(stack, place, &Behaviour::Alter(change)).check_refused(what);
        }
    }
}

/// A promise without proof yet: the log is asked once more, and the proof it then gives is kept.
#[test]
fn a_proof_that_comes_later() {
    let Some(stack) = Stack::shared() else { return };
    let late = json(|reply| drop(entry(reply)["verification"].as_object_mut().unwrap().remove("inclusionProof")));
    let attempt = Attempt::new(stack, (Service::RekorV1, Route::V1), &Behaviour::Alter(late));
    attempt.check_signed("proof by a second request");
    assert_eq!(attempt.front.rekor_v1.count("GET"), 1);
}

#[test]
fn timestamps_over_something_else() {
    let Some(stack) = Stack::shared() else { return };
    // version, algorithm, then OCTET STRING of 32 bytes; the nonce is behind it, 16 bytes or fewer, then certReq.
    let at = |body: &[u8], tag: &[u8]| body.windows(tag.len()).position(|window| window == tag).unwrap() + tag.len();
    let change = |edit: fn(&mut [u8], usize)| -> Change {
        Arc::new(move |mut message| {
            let imprint = at(&message.body, &[4, 32]);
            edit(&mut message.body, imprint);
            message
        })
    };
    let asked: [(&str, Change); 2] = [
        ("another imprint", change(|body, imprint| body[imprint + 7] ^= 1)),
        ("another nonce", change(|body, imprint| body[imprint + 32 + 8] ^= 1)),
    ];
    for route in [Route::V1Token, Route::V2] {
        for (what, change) in asked.clone() {
            let attempt = Attempt::new(stack, (Service::Tsa, route), &Behaviour::Ask(change));
            attempt.check_refused(what);
        }
        // The last bytes are the token's own signature; the first few the status.
        for (what, back) in [("signature", 5), ("within", 300)] {
            let spoiled: Change = Arc::new(move |mut message| {
                let length = message.body.len();
                message.body[length - back] ^= 1;
                message
            });
            Attempt::new(stack, (Service::Tsa, route), &Behaviour::Alter(spoiled)).check_refused(what);
        }
        let rejected: Change = Arc::new(|message| {
            Message::reply(
                200,
                &[("Content-Type", "application/timestamp-reply")],
                [&[0x30, 5, 0x30, 3, 2, 1, 2], &message.body[..0]].concat(),
            )
        });
        Attempt::new(stack, (Service::Tsa, route), &Behaviour::Alter(rejected)).check_refused("status rejection");
    }
}

/// 409 is only as good as the entry behind it, and that is looked for on this very log.
#[test]
fn a_conflict_that_leads_astray() {
    let Some(stack) = Stack::shared() else { return };
    let earlier = Attempt::new(stack, (Service::Oidc, Route::V1), &Behaviour::Forward);
    let reply: Value = serde_json::from_slice(&earlier.front.rekor_v1.recorded().body).unwrap();
    let foreign = reply.as_object().unwrap().keys().next().unwrap().clone();
    let trap = Proxy::new(stack.port(Service::RekorV1), Behaviour::Forward);
    let path = format!("/api/v1/log/entries/{foreign}");
    let locations = [
        ("a foreign entry", path.clone(), 1),
        ("another host", format!("{}{path}", trap.url()), 0),
        ("another host without scheme", format!("//127.0.0.1:{}{path}", trap.port), 0),
        ("a user in front", format!("http://user@127.0.0.1:{}{path}", trap.port), 0),
        ("nowhere", String::new(), 0),
        ("somewhere else on the log", "/api/v1/log/entries/../../../ping".to_owned(), 0),
        ("no UUID", "/api/v1/log/entries/latest".to_owned(), 0),
        ("no such entry", format!("/api/v1/log/entries/{}", "0".repeat(80)), 2),
    ];
    for (what, location, asked) in locations {
        let conflict =
            Message::reply(409, &[("Location", location.as_str())], r#"{"code":409,"message":"equivalent entry"}"#);
        let attempt = Attempt::new(stack, (Service::RekorV1, Route::V1), &Behaviour::Answer(conflict));
        attempt.check_refused(what);
        attempt.check_names_server(what);
        assert_eq!(trap.seen().len(), 0, "{what}: another host was asked");
        assert!(attempt.front.rekor_v1.count("GET") <= asked, "{what}");
    }
    // Rekor v2 says no address: a fresh signature is tried once, and then it is over.
    let conflict = Message::reply(409, &[("X-Log-Index", "0")], r#"{"code":6,"message":"an equivalent entry exists"}"#);
    let attempt = Attempt::new(stack, (Service::RekorV2, Route::V2), &Behaviour::Answer(conflict));
    attempt.check_refused("everything is a duplicate");
    attempt.check_names_server("everything is a duplicate");
}

/// A server that hangs or drips, called through the library, where deadlines can be short.
#[test]
fn nobody_waits_for_ever() {
    let Some(stack) = Stack::shared() else { return };
    let short = Duration::from_millis(1_500);
    everywhere(|place @ (service, route)| {
        for (what, behaviour) in [("hangs", Behaviour::Hang), ("drips", Behaviour::Drip(Duration::from_millis(20)))] {
            let front = Front::new(stack, route, service, &behaviour);
            let began = Instant::now();
            let failure = super::library::sign(stack, front.signing_config(), place, short).unwrap_err();
            println!("{service:?} {what}: {failure}");
            assert!(failure.contains(name(service)) && failure.contains("did not answer within"), "{failure}");
            // The certificate takes its own time; nothing else is waited for.
            assert!(began.elapsed() < short * 4, "{service:?} {what}: {:?}", began.elapsed());
        }
    });
}

/// The same with the program's own deadlines, second attempt included.
#[test]
#[ignore = "waits for most of a minute"]
fn the_deadlines_of_the_program() {
    let Some(stack) = Stack::shared() else { return };
    everywhere(|place| {
        let began = Instant::now();
        let attempt = Attempt::new(stack, place, &Behaviour::Hang);
        println!("{place:?} after {:?}", began.elapsed());
        attempt.check_refused("hangs");
        assert!(began.elapsed() < Duration::from_secs(95), "{:?}", began.elapsed());
    });
}
