/** Who may push: only Pub/Sub, with a token made for this function and signed by Google (or the local cloud). */
import { errors, jwtVerify } from "jose";
import { z } from "zod";
import { UnavailableError } from "../domain/errors.js";
import { publicKeys } from "./public-keys.js";

/** What a valid token must say. */
export interface TokenPolicy {
  readonly jwksUrl: string;
  /** Exactly this audience. */
  readonly audience: string;
  /** Exactly this verified e-mail address. */
  readonly email: string;
}

const claims = z.looseObject({
  email: z.string(),
  email_verified: z.literal(true),
  exp: z.number(),
});

/** Tokens found valid, until they expire: Pub/Sub sends one with many pushes, and a signature costs more than a look. */
const accepted = new Map<string, number>();
const acceptedMax = 500;

const remember = (key: string, expiresAtMs: number): void => {
  if (accepted.size >= acceptedMax) accepted.clear();
  accepted.set(key, expiresAtMs);
};

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
  const key = JSON.stringify([token, policy.jwksUrl, policy.audience, policy.email]);
  if (Date.now() < (accepted.get(key) ?? 0)) return null;
  try {
    const { payload } = await jwtVerify(token, publicKeys(policy.jwksUrl), {
      issuer: ["https://accounts.google.com", "accounts.google.com"],
      audience: policy.audience,
      algorithms: ["RS256"],
      requiredClaims: ["exp", "iat"],
    });
    const parsed = claims.safeParse(payload);
    if (!parsed.success || parsed.data.email !== policy.email) return "another identity";
    remember(key, parsed.data.exp * 1000);
    return null;
  } catch (error) {
    if (error instanceof UnavailableError) throw error;
    return error instanceof errors.JOSEError ? error.code : "unreadable token";
  }
};
