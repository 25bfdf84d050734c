import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { type Served, serve } from './serve.ts';

export interface TokenIssuer extends AsyncDisposable {
  rules: { jwksUrl: string; issuer: string; audience: string };
  /** A token that is good for five minutes, but for what `claims` say otherwise. */
  token(claims?: JWTPayload & { role?: unknown }): Promise<string>;
}

/** Signs tokens with a key of its own and publishes the key, as the TOQ login does. */
export async function startTokenIssuer(): Promise<TokenIssuer> {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'test', alg: 'ES256', use: 'sig' };
  const served: Served = await serve((_, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [jwk] }));
  });
  const rules = {
    jwksUrl: `${served.origin}/jwks.json`,
    issuer: 'https://login.toq.test',
    audience: 'toq-media',
  };
  return {
    rules,
    token(claims = {}) {
      const now = Math.floor(Date.now() / 1000);
      return new SignJWT({
        sub: '7',
        role: 'photographer',
        iss: rules.issuer,
        aud: rules.audience,
        exp: now + 300,
        ...claims,
      })
        .setProtectedHeader({ alg: 'ES256', kid: 'test' })
        .sign(privateKey);
    },
    [Symbol.asyncDispose]: () => served[Symbol.asyncDispose](),
  };
}
