// An OpenID provider written by others, for native programs: one without a secret, one with. provider.mjs PORT FOLDER
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
// Nobody reads on after `ready`.
for (const level of ['info', 'log', 'warn']) console[level] = () => {};
const [port, folder] = process.argv.slice(2);
const require = createRequire(`${folder}/`);
const { default: Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));

const client = {
  application_type: 'native',
  grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
  redirect_uris: ['http://localhost/auth/callback'],
  response_types: ['code'],
};
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    { ...client, client_id: 'sigstore', token_endpoint_auth_method: 'none' },
    { ...client, client_id: 'corp', client_secret: 'hun/ter+2 %', token_endpoint_auth_method: 'client_secret_basic' },
  ],
  claims: { openid: ['sub'], email: ['email', 'email_verified'] },
  conformIdTokenClaims: false,
  features: { deviceFlow: { enabled: true } },
  pkce: { required: () => true },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: id, email_verified: true }),
  }),
});
provider.listen(Number(port), '127.0.0.1', () => process.stdout.write('ready\n'));
