#!/bin/bash
# openssl.sh DIR DIGEST BOUND IMPRINT QUERY_OPTION KEY_OPTION...
#
# Makes a timestamp authority in DIR with OpenSSL, and lets it stamp DIR/signature as of 2026-11-10: DIR/token, DIR/tsa.der
# and DIR/root.der. It signs with DIGEST, names its certificate by BOUND, and stamps an IMPRINT. Needs openssl and faketime.
set -euo pipefail
cd "$1"
digest=$2 bound=$3 imprint=$4 query=$5
shift 5
export TZ=UTC
cat >conf <<EOF
[req]
distinguished_name = dn
[dn]
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[tsa]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[ts]
serial = $PWD/serial
default_policy = 1.2.3.4
digests = sha256, sha384, sha512
signer_digest = $digest
ess_cert_id_alg = $bound
accuracy = secs:1
ordering = yes
tsa_name = yes
EOF
echo 0a >serial
at() { faketime "$1" openssl "${@:2}"; }
early='2026-01-01 00:00:00'
at "$early" req -x509 -config conf -extensions root -newkey ec -pkeyopt ec_paramgen_curve:P-384 -noenc -keyout root.key \
  -subj '/O=example.com/CN=root of openssl' -days 36500 -out root.pem
at "$early" req -new -config conf -newkey "$@" -noenc -keyout tsa.key -subj '/O=example.com/CN=tsa of openssl' -out tsa.csr
at "$early" x509 -req -in tsa.csr -CA root.pem -CAkey root.key -set_serial 7 -extfile conf -extensions tsa -days 36500 \
  -out tsa.pem
openssl ts -query -data signature "-$imprint" $query -out query
at '2026-11-10 12:00:01' ts -reply -config conf -section ts -queryfile query -inkey tsa.key -signer tsa.pem -out reply
openssl ts -reply -config conf -in reply -token_out -out token
for name in tsa root; do openssl x509 -in $name.pem -outform DER -out $name.der; done
