/** Who may push: only Pub/Sub, with a token made for this function and signed by Google (or the local cloud). */
import { createRemoteJWKSet, errors, jwtVerify, type JWTVerifyGetKey } from "jose";
import { z } from "zod";
import { UnavailableError } from "../domain/errors.js";

/** What a valid token must say. */
export interface TokenPolicy {
  readonly jwksUrl: string;
  /** Exactly this audience. */
  readonly audience: string;
  /** Exactly this verified e-mail address. */
  readonly email: string;
}

const claims = z.looseObject({ email: z.string(), email_verified: z.literal(true) });
const keySets = new Map<string, JWTVerifyGetKey>();

const keysAt = (url: string): JWTVerifyGetKey => {
  const known = keySets.get(url);
  if (known !== undefined) return known;
  const made = createRemoteJWKSet(new URL(url));
  keySets.set(url, made);
  return made;
};

/** Whether the failure is the key server's and not the token's. */
const isUnreachable = (error: unknown): boolean =>
  error instanceof errors.JWKSTimeout ||
  error instanceof errors.JWKSInvalid ||
  error instanceof TypeError ||
  (error instanceof errors.JOSEError && error.code === "ERR_JOSE_GENERIC");

/**
 * Checks an Authorization header; null when it is valid, otherwise why not (never the token itself).
 * Throws UnavailableError when the public keys can't be fetched.
 */
export const refusalOf = async (
  authorization: string | undefined,
  policy: TokenPolicy,
): Promise<string | null> => {
  const token = /^Bearer (?<token>[\w-]+\.[\w-]+\.[\w-]+)$/.exec(authorization ?? "")?.groups?.[
    "token"
  ];
  if (token === undefined) return "no bearer token";
  try {
    const { payload } = await jwtVerify(token, keysAt(policy.jwksUrl), {
      issuer: ["https://accounts.google.com", "accounts.google.com"],
      audience: policy.audience,
      algorithms: ["RS256"],
      requiredClaims: ["exp", "iat"],
    });
    const parsed = claims.safeParse(payload);
    return parsed.success && parsed.data.email === policy.email ? null : "another identity";
  } catch (error) {
    if (isUnreachable(error)) {
      throw new UnavailableError(`the public keys at ${policy.jwksUrl} can't be fetched`, {
        cause: error,
      });
    }
    return error instanceof errors.JOSEError ? error.code : "unreadable token";
  }
};
