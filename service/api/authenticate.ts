import { createRemoteJWKSet, errors, jwtVerify } from 'jose';
import type { Middleware } from 'koa';
import { z } from 'zod';
import { Problem } from '../errors.ts';
import type { Caller } from '../media/operations.ts';
import type { RequestState } from './request.ts';

export interface TokenRules {
  jwksUrl: string;
  issuer: string;
  audience: string;
}

/** Fixed here, never taken from the token (RFC 8725 §3.1). */
const ALGORITHMS = ['RS256', 'ES256'];
const CLOCK_TOLERANCE_SECONDS = 60;

const Claims = z.object({
  sub: z.string().regex(/^[1-9]\d{0,14}$/),
  role: z.enum(['photographer', 'owner', 'admin', 'realtor']),
});

const invalidToken = (detail: string) => new Problem(401, 'token_invalid', detail);

/** The keys could not be had, which says nothing about the token. */
const isKeyOutage = (error: unknown) =>
  !(error instanceof errors.JOSEError) ||
  error instanceof errors.JWKSTimeout ||
  error instanceof errors.JWKSInvalid ||
  error.code === errors.JOSEError.code;

function refusal(error: unknown): Problem {
  if (isKeyOutage(error)) {
    return new Problem(503, 'unavailable', 'The keys that sign tokens cannot be fetched. Try again soon.');
  }
  if (error instanceof errors.JWTExpired) return new Problem(401, 'token_expired', 'The token has expired.');
  if (error instanceof errors.JWTClaimValidationFailed) {
    return invalidToken(`The token's claim ${error.claim} is missing or not the expected one.`);
  }
  return invalidToken('The token is not a JWT that one of the issuer’s keys has signed.');
}

/** Checks a bearer token (RFC 6750, RFC 7519) against the issuer's published keys and names the caller. */
export function authenticate({ jwksUrl, issuer, audience }: TokenRules): Middleware<RequestState> {
  const keys = createRemoteJWKSet(new URL(jwksUrl), { timeoutDuration: 5_000, cooldownDuration: 30_000 });

  async function callerOf(token: string): Promise<Caller> {
    const { payload } = await jwtVerify(token, keys, {
      algorithms: ALGORITHMS,
      issuer,
      audience,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      requiredClaims: ['exp', 'sub', 'role'],
    }).catch((error: unknown) => {
      throw refusal(error);
    });
    const claims = Claims.safeParse(payload);
    if (!claims.success) throw invalidToken('The token’s claims sub or role are not those of a TOQ user.');
    return { userId: Number(claims.data.sub), role: claims.data.role };
  }

  return async (ctx, next) => {
    const token = /^Bearer +([\w.~+/-]+=*)$/i.exec(ctx.get('Authorization'))?.[1];
    try {
      if (!token) throw new Problem(401, 'token_missing', 'Send Authorization: Bearer with a token.');
      ctx.state.caller = await callerOf(token);
    } catch (error) {
      if (error instanceof Problem && error.status === 401) {
        ctx.set('WWW-Authenticate', `Bearer realm="toq-media"${token ? ', error="invalid_token"' : ''}`);
      }
      throw error;
    }
    await next();
  };
}
