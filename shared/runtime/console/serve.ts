/** The console as an HTTP function: pages for people, and the api's routes for the page's own script. */
import type { ServerResponse } from "node:http";
import type { ApiContext } from "../api/context.js";
import { ApiError, asApiError } from "../api/errors.js";
import { checkHost, isSameSecret } from "../api/guard.js";
import { decode, route } from "../api/routes.js";
import {
  contextFor,
  header,
  ownHosts,
  readRequest,
  reportAs,
  sendError,
  sendReply,
} from "../api/serve.js";
import type { ApiOptions, FunctionRequest } from "../api/serve.js";
import { clientScript } from "./client-script.js";
import { plainPage } from "./page.js";
import type { PageFrame } from "./page.js";
import { deadLetterPage, modelPage, overviewPage, rolloutPage, runPage, whyPage } from "./pages.js";
import { csrfToken, hasSession, sessionCookie } from "./session.js";
import { styleSheet } from "./style.js";

const name = "console";

const pageHeaders = {
  "cache-control": "no-store",
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
} as const;

const send = (
  response: ServerResponse,
  status: number,
  contentType: string,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): void => {
  response.writeHead(status, { ...pageHeaders, "content-type": contentType, ...headers });
  response.end(body);
};

const htmlType = "text/html; charset=utf-8";

const pages: readonly (readonly [
  prefix: string,
  draw: (context: ApiContext, frame: PageFrame, id: string) => Promise<string>,
])[] = [
  ["models", modelPage],
  ["runs", runPage],
  ["rollouts", rolloutPage],
  ["dead-letters", deadLetterPage],
  ["why", whyPage],
];

const drawPage = async (context: ApiContext, path: string, csrf: string): Promise<string> => {
  if (path === "/") return overviewPage(context, { base: "./", csrf });
  const [, prefix = "", id = "", ...rest] = path.split("/");
  const found = pages.find(([candidate]) => candidate === prefix);
  if (found === undefined || id === "" || rest.length > 0) {
    throw new ApiError(404, "no-such-page", "There is no such page.");
  }
  return found[1](context, { base: "../", csrf }, decode(id));
};

/** The pages' script: it must show that it runs on one of our own pages. */
const checkScript = (request: FunctionRequest, csrf: string): void => {
  if (request.method === "GET" || request.method === "HEAD") return;
  const site = header(request, "sec-fetch-site");
  const isOwn = site === undefined || site === "same-origin";
  if (!isOwn || !isSameSecret(header(request, "x-continuo-csrf") ?? "", csrf)) {
    throw new ApiError(403, "wrong-origin", "this request does not come from the console's page");
  }
};

const answer = async (
  request: FunctionRequest,
  response: ServerResponse,
  options: ApiOptions,
): Promise<void> => {
  const { config, ports } = options;
  const host = header(request, "host") ?? "";
  const read = readRequest(request);
  if (read.path === "/console.css") {
    send(response, 200, "text/css; charset=utf-8", styleSheet);
    return;
  }
  if (read.path === "/console.js") {
    send(response, 200, "text/javascript; charset=utf-8", clientScript);
    return;
  }
  const token = config.apiToken;
  if (token !== undefined) {
    const given = read.query.get("token");
    if (given !== null && isSameSecret(given, token)) {
      const cookie = sessionCookie(token, host, config.consoleUrl?.startsWith("https:") ?? false);
      // A reload by the page itself, so that a strict cookie goes along wherever the visitor came from.
      send(response, 200, htmlType, plainPage("Welcome", "Opening the console."), {
        "set-cookie": cookie,
        refresh: `0; url=./${read.path.split("/").at(-1) ?? ""}`,
      });
      return;
    }
    if (!hasSession(header(request, "cookie"), token, host)) {
      throw new ApiError(
        401,
        "unauthorized",
        'Open the address that "continuo open" prints: it holds the key to this console.',
      );
    }
  }
  const csrf = csrfToken(token);
  const context = contextFor(options, request, name);
  if (read.path.startsWith("/api/") || read.path === "/timeline/stream") {
    checkScript(request, csrf);
    const reply = await route(context, { ...read, path: read.path.replace(/^\/api/, "") });
    await sendReply(response, reply, { ports, name });
    return;
  }
  if (read.method !== "GET") throw new ApiError(405, "method-not-allowed", "Pages answer GET.");
  send(response, 200, htmlType, await drawPage(context, read.path, csrf));
};

const isForPeople = (request: FunctionRequest): boolean =>
  (header(request, "accept") ?? "").includes("text/html");

/** Answers one request to the console. */
export const serveConsole = async (
  request: FunctionRequest,
  response: ServerResponse,
  options: ApiOptions,
): Promise<void> => {
  try {
    if (options.config.apiToken !== undefined) {
      const origin = header(request, "origin");
      checkHost({ host: header(request, "host"), origin }, ownHosts(options.config));
    }
    await answer(request, response, options);
  } catch (error) {
    if (!isForPeople(request) || response.headersSent) {
      sendError(response, error, name);
      return;
    }
    const refusal = asApiError(error);
    if (refusal.status >= 500) reportAs(name)(error);
    send(
      response,
      refusal.status,
      htmlType,
      plainPage(refusal.status === 404 ? "Not found" : "Not possible", refusal.message),
    );
  }
};
