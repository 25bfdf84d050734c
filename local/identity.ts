import { exportJWK, generateKeyPair, type JSONWebKeySet, SignJWT } from 'jose';

/** Long enough for a stack that stays up over a holiday. */
const TOKEN_LIFETIME = '30d';
const KEY_ID = 'local';

export interface User {
  /** numeric id of the user */
  id: number;
  role: 'photographer' | 'owner' | 'admin' | 'realtor';
}

/** The sign-in that TOQ would be: an ES256 key (RFC 7518 §3.4) in memory, its public half and tokens signed with it. */
export async function createIdentity({ issuer, audience }: { issuer: string; audience: string }) {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const jwk = { ...(await exportJWK(publicKey)), kid: KEY_ID, alg: 'ES256', use: 'sig' };
  const jwks: JSONWebKeySet = { keys: [jwk] };
  return {
    jwks,
    token: ({ id, role }: User) =>
      new SignJWT({ role })
        .setProtectedHeader({ alg: 'ES256', kid: KEY_ID, typ: 'JWT' })
        .setSubject(String(id))
        .setIssuer(issuer)
        .setAudience(audience)
        .setIssuedAt()
        .setExpirationTime(TOKEN_LIFETIME)
        .sign(privateKey),
  };
}
export type Identity = Awaited<ReturnType<typeof createIdentity>>;
