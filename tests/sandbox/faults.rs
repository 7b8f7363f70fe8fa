//! Whatever goes wrong at a server: no signature, an error that names it, and no long wait.

use std::time::{Duration, Instant};

use git_keyless::sandbox::{Fault, Rekor, Service};
use git_keyless::sign::Timestamp;

use super::{alice, signed, signed_within, start};

use Service::{CertificateAuthority as Fulcio, TimestampAuthority as Tsa, TransparencyLog as Log};

/// A deadline that a test can wait for.
const SHORT: Duration = Duration::from_millis(400);

fn fails(rekor: Rekor, service: Service, faults: &[(Fault, &str)]) {
    let home = start(rekor);
    for (fault, expected) in faults {
        home.sandbox.switch(service, *fault);
        let started = Instant::now();
        let failure = signed_within(SHORT, None, &home.sandbox, &alice(), Timestamp::Always).map(|signed| signed.armor);
        let said = failure.expect_err(&format!("{service:?} {fault:?}")).to_string();
        assert!(said.contains(expected), "{service:?} {fault:?}: {said}");
        assert!(started.elapsed() < Duration::from_secs(1), "{service:?} {fault:?}: {:?}", started.elapsed());
    }
    home.sandbox.switch(service, Fault::None);
    signed(&home.sandbox, &alice(), Timestamp::Always).unwrap();
}

const ALL: [Fault; 9] = [
    Fault::BusyOnce,
    Fault::Dies,
    Fault::Endless,
    Fault::Error,
    Fault::Garbage,
    Fault::Hangs,
    Fault::Redirects,
    Fault::Refuses,
    Fault::Slow(Duration::from_secs(2)),
];

/// In every way; those that make one wait, side by side with the others.
fn fails_in_every_way(rekor: Rekor, service: Service, name: &str) {
    let slow = |fault: &Fault| matches!(fault, Fault::Hangs | Fault::Slow(_));
    let (waiting, quick): (Vec<_>, Vec<_>) = ALL.into_iter().map(|fault| (fault, name)).partition(|(f, _)| slow(f));
    std::thread::scope(|threads| {
        threads.spawn(|| fails(rekor, service, &quick));
        for one in &waiting {
            threads.spawn(|| fails(rekor, service, std::slice::from_ref(one)));
        }
    });
}

#[test]
fn the_certificate_authority_fails() {
    fails_in_every_way(Rekor::V1, Fulcio, "the certificate authority http");
}

#[test]
fn the_log_of_rekor_v1_fails() {
    fails_in_every_way(Rekor::V1, Log, "the transparency log http");
}

#[test]
fn the_log_of_rekor_v2_fails() {
    fails_in_every_way(Rekor::V2, Log, "the transparency log http");
}

#[test]
fn the_timestamp_authority_fails() {
    fails_in_every_way(Rekor::V1, Tsa, "the timestamp authority http");
}

#[test]
fn lies_of_the_certificate_authority() {
    fails(
        Rekor::V1,
        Fulcio,
        &[
            (Fault::OtherKey, "certificate for another key"),
            (Fault::OtherIdentity, "somebody.else@sandbox.invalid"),
            (Fault::ForeignSct, "the certificate authority gave a certificate that would not verify: sct-log-unknown"),
            (Fault::WrongSignature, "the certificate authority gave a certificate that would not verify: sct-invalid"),
            (Fault::Skewed(1800), "at step 8"),
            (Fault::Skewed(-1800), "at step 8"),
        ],
    );
}

#[test]
fn lies_of_the_logs() {
    for rekor in [Rekor::V1, Rekor::V2] {
        fails(
            rekor,
            Log,
            &[
                (Fault::OtherEntry, "the transparency log http"),
                (Fault::WrongSignature, if rekor == Rekor::V1 { "the transparency log http" } else { "at step 6" }),
                (Fault::WrongProof, if rekor == Rekor::V1 { "the transparency log http" } else { "at step 6" }),
            ],
        );
    }
    fails(Rekor::V1, Log, &[(Fault::Skewed(1800), "at step 8"), (Fault::Skewed(-1800), "at step 8")]);
}

#[test]
fn lies_of_the_timestamp_authority() {
    for rekor in [Rekor::V1, Rekor::V2] {
        fails(
            rekor,
            Tsa,
            &[
                (Fault::OtherEntry, "at step 7"),
                (Fault::WrongSignature, "at step 7"),
                (Fault::WrongNonce, "the timestamp authority http"),
                (Fault::Skewed(1800), "at step 8"),
                (Fault::Skewed(-1800), "at step 8"),
            ],
        );
    }
}

/// What may pass is tried once more; a log that had the entry already is asked where it is.
#[test]
fn what_passes_does_no_harm() {
    let retry = Some(Duration::from_millis(5));
    for rekor in [Rekor::V1, Rekor::V2] {
        let home = start(rekor);
        for service in [Fulcio, Log, Tsa] {
            home.sandbox.switch(service, Fault::BusyOnce);
            signed_within(Duration::from_secs(5), retry, &home.sandbox, &alice(), Timestamp::Always).unwrap();
        }
    }
}
