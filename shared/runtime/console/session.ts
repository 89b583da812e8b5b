/** Who may look at the console: the holder of the printed address, by a cookie that no script can read. */
import { createHmac } from "node:crypto";
import { isSameSecret } from "../api/guard.js";

const derive = (token: string, purpose: string): string =>
  createHmac("sha256", token).update(purpose).digest("base64url");

/** Cookies know no ports, so that two instances on one machine need two names. */
const cookieName = (host: string): string =>
  `continuo_session_${host.replaceAll(/[^A-Za-z0-9]/g, "_")}`;

/** The cookie that a visitor with the right token gets. */
export const sessionCookie = (token: string, host: string, isSecure: boolean): string =>
  [
    `${cookieName(host)}=${derive(token, "console session")}`,
    "Path=/",
    "HttpOnly",
    "SameSite=Strict",
    "Max-Age=604800",
    ...(isSecure ? ["Secure"] : []),
  ].join("; ");

/** Whether a request's cookies hold that session. */
export const hasSession = (cookies: string | undefined, token: string, host: string): boolean => {
  const name = cookieName(host);
  const given = (cookies ?? "")
    .split(";")
    .map((pair) => pair.trim().split("="))
    .find(([key]) => key === name)?.[1];
  return given !== undefined && isSameSecret(given, derive(token, "console session"));
};

/** The value that a page's requests must carry in a header: a foreign page can neither read nor send it. */
export const csrfToken = (token: string | undefined): string =>
  token === undefined ? "same-origin" : derive(token, "console csrf");
