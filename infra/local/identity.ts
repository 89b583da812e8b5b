/** Who the local cloud says it is: OpenID Connect tokens as Google's push requests carry, and the keys to check them. */
import {
  calculateJwkThumbprint,
  exportJWK,
  exportPKCS8,
  generateKeyPair,
  importPKCS8,
  SignJWT,
} from "jose";
import { createHash, createPublicKey } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "./errors.js";
import type { HttpRoute } from "./protocol/service.js";

/** Signs tokens for service accounts. */
export interface TokenSigner {
  /** A token for a service account, valid for an hour, as Google would sign it for this audience. */
  token(email: string, audience: string): Promise<string>;
}

/** The signer and the address of its public keys. */
export interface Identity extends TokenSigner {
  readonly route: HttpRoute;
}

const issuer = "https://accounts.google.com";
const lifetimeSeconds = 3600;
const signedMax = 1000;

/** Where the public keys are served, the path that Google uses. */
export const certificatesPath = "/oauth2/v3/certs";

/** A service account's stable numeric id, made from its address. */
function subjectOf(email: string): string {
  const digest = createHash("sha256").update(email).digest("hex").slice(0, 16);
  return `1${(BigInt(`0x${digest}`) % 10n ** 20n).toString().padStart(20, "0")}`;
}

async function readOrMakeKey(folder: string): Promise<string> {
  const keys = join(folder, "keys");
  const file = join(keys, "oidc.pem");
  try {
    return readFileSync(file, "utf8");
  } catch {
    const pair = await generateKeyPair("RS256", { extractable: true });
    const pem = await exportPKCS8(pair.privateKey);
    mkdirSync(keys, { recursive: true, mode: 0o700 });
    // Renamed into place, so that a crash never leaves half a key.
    writeFileSync(`${file}.new`, pem, { mode: 0o600 });
    renameSync(`${file}.new`, file);
    return pem;
  }
}

/** Reads the signing key of the folder, or makes it. */
export async function makeIdentity(folder: string, now: () => number): Promise<Identity> {
  const pem = await readOrMakeKey(folder);
  const key = await importPKCS8(pem, "RS256").catch((error: unknown) => {
    throw new ConfigError(
      `The key ${join(folder, "keys", "oidc.pem")} cannot be read. Remove it; a new one is made at the next start.`,
      { cause: error },
    );
  });
  const jwk = await exportJWK(createPublicKey(pem));
  const kid = createHash("sha1")
    .update(await calculateJwkThumbprint(jwk))
    .digest("hex");
  const published = JSON.stringify({ keys: [{ ...jwk, alg: "RS256", use: "sig", kid }] });
  // Signing costs a millisecond of processor; a token serves for half of its life.
  const signed = new Map<string, { readonly text: Promise<string>; readonly renewAtMs: number }>();

  const sign = async (email: string, audience: string, issuedAt: number): Promise<string> =>
    new SignJWT({ azp: subjectOf(email), email, email_verified: true })
      .setProtectedHeader({ alg: "RS256", kid, typ: "JWT" })
      .setIssuer(issuer)
      .setAudience(audience)
      .setSubject(subjectOf(email))
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + lifetimeSeconds)
      .sign(key);

  return {
    token: async (email, audience) => {
      const name = JSON.stringify([email, audience]);
      const known = signed.get(name);
      if (known !== undefined && known.renewAtMs > now()) return known.text;
      if (signed.size >= signedMax) signed.clear();
      const text = sign(email, audience, Math.floor(now() / 1000));
      signed.set(name, { text, renewAtMs: now() + (lifetimeSeconds * 1000) / 2 });
      return text;
    },
    route: {
      matches: (method, pathname) => method === "GET" && pathname === certificatesPath,
      handle: async (_request, response) => {
        response.writeHead(200, {
          "content-type": "application/json; charset=UTF-8",
          "cache-control": "public, max-age=300",
        });
        response.end(published);
        await Promise.resolve();
      },
    },
  };
}
