/** Who may ask. */
import { createHash, timingSafeEqual } from "node:crypto";
import { ApiError } from "./errors.js";

const hostname = (host: string): string => {
  try {
    return new URL(`http://${host}`).hostname;
  } catch {
    return "";
  }
};

const loopback = new Set(["127.0.0.1", "localhost", "[::1]"]);

/**
 * Refuses a request for a host that is not ours (a name rebound to loopback by somebody's DNS) or sent by a page
 * of another origin.
 */
export const checkHost = (
  { host, origin }: { readonly host: string | undefined; readonly origin: string | undefined },
  hosts: readonly string[],
): void => {
  const isOurs =
    host !== undefined && (loopback.has(hostname(host)) || hosts.includes(hostname(host)));
  if (!isOurs) {
    throw new ApiError(403, "wrong-host", "this address does not answer for that host name");
  }
  if (
    origin !== undefined &&
    !["http", "https"].some((scheme) => origin === `${scheme}://${host}`)
  ) {
    throw new ApiError(403, "wrong-origin", "requests from pages of another origin are refused");
  }
};

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/** Whether two secrets are equal, in a time that does not depend on where they differ. */
export const isSameSecret = (left: string, right: string): boolean =>
  timingSafeEqual(digest(left), digest(right));

/** Refuses a request without the right bearer token. */
export const checkToken = (authorization: string | undefined, token: string): void => {
  const given = /^Bearer (?<token>\S{1,512})$/i.exec(authorization ?? "")?.groups?.["token"];
  if (given === undefined || !isSameSecret(given, token)) {
    throw new ApiError(401, "unauthorized", "send the header Authorization: Bearer <api token>");
  }
};
