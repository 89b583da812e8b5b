/** The api as an HTTP function: checks who asks, runs the route, writes the reply. */
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ModelName } from "../../../events/ids.js";
import type { Ports } from "../../ports/ports.js";
import type { Config } from "../config.js";
import { ConflictError } from "../../domain/errors.js";
import { handleEvent } from "../handle.js";
import { log } from "../log.js";
import type { ApiContext, ApiReply, ApiRequest } from "./context.js";
import { ApiError, asApiError } from "./errors.js";
import { ofModel, timelineFeed } from "./feed.js";
import type { Feed } from "./feed.js";
import { checkHost, checkToken } from "./guard.js";
import { route } from "./routes.js";
import { entryView } from "./views.js";

/** A request as functions-framework hands it over: the body was read already. */
export interface FunctionRequest extends IncomingMessage {
  readonly rawBody?: Buffer;
}

/** What the functions for people are made of. */
export interface ApiOptions {
  readonly config: Config;
  readonly ports: Ports;
}

/** Largest body of a request; larger messages go to the bucket. */
const bodyBytesMax = 1024 * 1024;

/** Writes an error to the log under the function's name. */
export const reportAs =
  (name: string) =>
  (error: unknown): void => {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    log("ERROR", message, { function: name });
  };

/** One header as one text. */
export const header = (request: IncomingMessage, name: string): string | undefined => {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(", ") : value;
};

/** Host names that answer besides loopback. */
export const ownHosts = (config: Config): readonly string[] =>
  config.consoleUrl === undefined ? [] : [new URL(config.consoleUrl).hostname];

/** Who asks, for the journal: as a proxy vouched for, or as the holder of the token says. */
const principalOf = (request: IncomingMessage): string => {
  const name =
    header(request, "x-goog-authenticated-user-email") ?? header(request, "x-continuo-user") ?? "";
  const plain = name.replace(/^accounts\.google\.com:/, "").replaceAll(/[^\p{L}\p{N}@._+-]/gu, "");
  return plain === "" ? "operator" : plain.slice(0, 256);
};

/** How often what a person asks for is decided on a model that keeps changing: nobody delivers it again. */
const attemptsMax = 4;

/** Does it again after a conflict; the same event is decided once, however often it is tried. */
const insisting = async <Result>(work: () => Promise<Result>): Promise<Result> => {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ConflictError) || attempt >= attemptsMax) throw error;
    }
  }
};

/** The routes' context for one request. */
export const contextFor = (
  { ports, config }: ApiOptions,
  request: IncomingMessage,
  name: string,
): ApiContext => ({
  ports,
  isLocal: config.localCloud !== undefined,
  location: `projects/${config.projectId}/locations/${config.region}`,
  by: principalOf(request),
  handle: async (event, models) => {
    const handled = await insisting(() =>
      handleEvent(event, { function: name, ports, ...(models === undefined ? {} : { models }) }),
    );
    return handled.map(({ model, entry }) => ({ model, decisions: entry?.decisions ?? [] }));
  },
  newId: randomUUID,
  report: reportAs(name),
});

/** The request in the routes' own form; throws ApiError when its body is too large. */
export const readRequest = (request: FunctionRequest): ApiRequest => {
  const body = request.rawBody ?? Buffer.alloc(0);
  if (body.byteLength > bodyBytesMax) {
    throw new ApiError(413, "too-large", `the body is larger than ${bodyBytesMax / 1024} kB`);
  }
  const url = new URL(request.url ?? "/", "http://function");
  return {
    method: request.method ?? "GET",
    path: url.pathname,
    query: url.searchParams,
    body: body.toString("utf8"),
  };
};

const commonHeaders = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
} as const;

const sendJson = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, {
    ...commonHeaders,
    "content-type": "application/json; charset=utf-8",
    ...(status === 503 ? { "retry-after": "1" } : {}),
    ...(status === 401 ? { "www-authenticate": "Bearer" } : {}),
  });
  response.end(JSON.stringify(body));
};

const feeds = new WeakMap<Ports, Feed>();

/** The process's one feed over a state store. */
const feedOf = (ports: Ports, name: string): Feed => {
  const known = feeds.get(ports);
  if (known !== undefined) return known;
  const feed = timelineFeed(ports.state, ports.clock, reportAs(name));
  feeds.set(ports, feed);
  return feed;
};

/** Milliseconds between two signs of life, so that proxies keep the connection. */
const heartbeatMs = 20_000;

/** Sends new timeline entries until the client leaves. */
const stream = async (
  response: ServerResponse,
  options: { readonly ports: Ports; readonly name: string; readonly model: ModelName | null },
): Promise<void> => {
  const { ports, name, model } = options;
  response.writeHead(200, {
    ...commonHeaders,
    "content-type": "text/event-stream; charset=utf-8",
    "x-accel-buffering": "no",
  });
  response.write("retry: 2000\n\n");
  const stop = feedOf(ports, name).watch((entries) => {
    for (const entry of ofModel(entries, model)) {
      response.write(`event: entry\ndata: ${JSON.stringify(entryView(entry))}\n\n`);
    }
  });
  const heartbeat = setInterval(() => response.write(": alive\n\n"), heartbeatMs);
  heartbeat.unref();
  await new Promise<void>((resolve) => {
    response.once("close", resolve);
  });
  clearInterval(heartbeat);
  stop();
};

/** Writes a route's reply. */
export const sendReply = async (
  response: ServerResponse,
  reply: ApiReply,
  options: { readonly ports: Ports; readonly name: string },
): Promise<void> => {
  switch (reply.kind) {
    case "json":
      sendJson(response, reply.status, reply.body);
      return;
    case "text":
      response.writeHead(reply.status, {
        ...commonHeaders,
        "content-type": "text/plain; version=0.0.4; charset=utf-8",
      });
      response.end(reply.text);
      return;
    case "stream":
      await stream(response, { ...options, model: reply.model });
  }
};

/** Writes a refusal; what is our own fault is logged and told without its inside. */
export const sendError = (response: ServerResponse, error: unknown, name: string): void => {
  const refusal = asApiError(error);
  if (refusal.status >= 500) reportAs(name)(error);
  if (response.headersSent) {
    response.end();
    return;
  }
  sendJson(response, refusal.status, {
    error: {
      code: refusal.code,
      message: refusal.message,
      ...(refusal.details === undefined ? {} : { details: refusal.details }),
    },
  });
};

/** Answers one request to the api. */
export const serveApi = async (
  request: FunctionRequest,
  response: ServerResponse,
  options: ApiOptions,
): Promise<void> => {
  const name = "api";
  const { config, ports } = options;
  try {
    if (config.apiToken !== undefined) {
      const origin = header(request, "origin");
      checkHost({ host: header(request, "host"), origin }, ownHosts(config));
      checkToken(header(request, "authorization"), config.apiToken);
    }
    const reply = await route(contextFor(options, request, name), readRequest(request));
    await sendReply(response, reply, { ports, name });
  } catch (error) {
    sendError(response, error, name);
  }
};
