// sigstore-js as judge: the same questions and answers as verify.py. Its packages are in the folder of the argument.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const require = createRequire(`${process.argv[2]}/`)
const { bundleFromJSON } = require('@sigstore/bundle')
const { TrustedRoot } = require('@sigstore/protobuf-specs')
const { PolicyError, VerificationError, Verifier, toSignedEntity, toTrustMaterial } = require('@sigstore/verify')

const json = (file) => JSON.parse(readFileSync(file, 'utf8'))
// Identities are regular expressions there.
const exactly = (text) => `^${text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}$`

function judge({ root, bundle, artifact, identity, issuer }) {
  const material = toTrustMaterial(TrustedRoot.fromJSON(json(root)))
  const entity = toSignedEntity(bundleFromJSON(json(bundle)), readFileSync(artifact))
  try {
    new Verifier(material).verify(entity, { subjectAlternativeName: exactly(identity), extensions: { issuer } })
    return null
  } catch (error) {
    if (error instanceof VerificationError || error instanceof PolicyError) return `${error.code}: ${error.message}`
    throw error
  }
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0)).map(judge)))
