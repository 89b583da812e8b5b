/** Public keys that sign push tokens, read from their address and kept for a while. */
import { createLocalJWKSet, errors, type JWTVerifyGetKey } from "jose";
import { z } from "zod";
import { UnavailableError } from "../domain/errors.js";
import { sendHttp } from "../gcp/http.js";

const keptMs = 600_000;
/** An unknown key id asks for the keys anew, but nobody can make us ask more often than this. */
const againAfterMs = 30_000;
const deadlineMs = 5000;

const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) });

interface Keys {
  readonly find: JWTVerifyGetKey;
  readonly readAtMs: number;
}

const readKeys = async (url: string): Promise<Keys> => {
  try {
    const { code, body } = await sendHttp({ method: "GET", url, deadlineMs });
    if (code !== 200) throw new Error(`HTTP ${code}`);
    const found = keySet.parse(JSON.parse(body.toString("utf8")));
    return { find: createLocalJWKSet(found), readAtMs: performance.now() };
  } catch (error) {
    throw new UnavailableError(`the public keys at ${url} can't be fetched`, { cause: error });
  }
};

const kept = new Map<string, Promise<Keys>>();

const keysAt = async (url: string, maxAgeMs: number): Promise<Keys> => {
  const before = kept.get(url);
  // Whoever failed to read them leaves nothing behind: the next one tries again.
  const known = await before?.catch(() => undefined);
  if (known !== undefined && performance.now() - known.readAtMs < maxAgeMs) return known;
  const current = kept.get(url);
  if (current !== undefined && current !== before) return current;
  const reading = readKeys(url);
  kept.set(url, reading);
  return reading;
};

/** The keys at an address, as jose asks for them; throws UnavailableError when they can't be fetched. */
export const publicKeys =
  (url: string): JWTVerifyGetKey =>
  async (header, token) => {
    const { find } = await keysAt(url, keptMs);
    try {
      return await find(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      const newer = await keysAt(url, againAfterMs);
      return newer.find(header, token);
    }
  };
