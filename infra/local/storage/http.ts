/** The small amount of HTTP that the JSON API needs: addresses, JSON in and out, refusals. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { z } from "zod";
import { errorBody, invalid, type StorageError } from "./errors.js";

const jsonBytesMax = 2_000_000;

/** One request on its way through a route. */
export interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  /** The named segments of the path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** Where the caller reached us, for links it will follow. */
  readonly address: string;
}

/** A method and a path such as `b/:bucket/o/:object`, and what answers it. */
export interface StorageRoute {
  readonly method: string;
  readonly path: string;
  readonly handle: (call: Call) => Promise<void> | void;
}

const decode = (segment: string): string => {
  try {
    return decodeURIComponent(segment);
  } catch (error) {
    throw new URIError(`"${segment}" is not well-formed percent-encoding`, { cause: error });
  }
};

const matchPath = (pattern: string, path: string): Record<string, string> | undefined => {
  const wanted = pattern.split("/");
  const given = path.split("/");
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, segment] of wanted.entries()) {
    const value = given[index] ?? "";
    if (segment.startsWith(":")) params[segment.slice(1)] = decode(value);
    else if (segment !== value) return undefined;
  }
  return params;
};

/** The first route that fits, with its parameters. */
export const findRoute = (
  routes: readonly StorageRoute[],
  method: string,
  path: string,
):
  | { readonly route: StorageRoute; readonly params: Readonly<Record<string, string>> }
  | undefined => {
  for (const route of routes) {
    if (route.method !== method) continue;
    const params = matchPath(route.path, path);
    if (params !== undefined) return { route, params };
  }
  return undefined;
};

/** A path parameter that the route's pattern guarantees. */
export const param = (call: Call, name: string): string => {
  const value = call.params[name];
  if (value === undefined || value === "") throw invalid(`Required parameter: ${name}`);
  return value;
};

/** A request header's single value. */
export const header = (request: IncomingMessage, name: string): string | undefined => {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
};

/** Answers with JSON. */
export const reply = (call: Call, body: object, httpCode = 200): void => {
  const bytes = Buffer.from(JSON.stringify(body));
  call.response.writeHead(httpCode, {
    "content-type": "application/json; charset=UTF-8",
    "content-length": bytes.length,
    "cache-control": "no-cache, no-store, max-age=0, must-revalidate",
  });
  call.response.end(bytes);
};

/** Answers that it is done and there is nothing to say. */
export const replyEmpty = (call: Call): void => {
  call.response.writeHead(204).end();
};

/** Answers with a refusal; a reply that has begun can only be broken off. */
export const refuse = (response: ServerResponse, error: StorageError): void => {
  if (response.headersSent) {
    response.destroy(error);
    return;
  }
  if (error.httpCode === 304) {
    response.writeHead(304).end();
    return;
  }
  const bytes = Buffer.from(JSON.stringify(errorBody(error)));
  response.writeHead(error.httpCode, {
    "content-type": "application/json; charset=UTF-8",
    "content-length": bytes.length,
  });
  response.end(bytes);
};

/** The chunks of a request's body. */
export const chunksOf = async function* chunksOf(request: IncomingMessage): AsyncIterable<Buffer> {
  for await (const chunk of request) {
    if (Buffer.isBuffer(chunk)) yield chunk;
  }
};

/** Reads a small JSON body by its schema; an absent body reads as `{}`. */
export const readJson = async <Schema extends z.ZodType>(
  request: IncomingMessage,
  schema: Schema,
): Promise<z.infer<Schema>> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunksOf(request)) {
    size += chunk.length;
    if (size > jsonBytesMax) throw invalid(`The JSON body exceeds ${jsonBytesMax} bytes.`);
    chunks.push(chunk);
  }
  return parseJson(Buffer.concat(chunks).toString("utf8"), schema);
};

/** Parses JSON by its schema and refuses what does not fit, naming the field. */
export const parseJson = <Schema extends z.ZodType>(
  text: string,
  schema: Schema,
): z.infer<Schema> => {
  let value: unknown;
  try {
    value = text.trim() === "" ? {} : JSON.parse(text);
  } catch {
    throw invalid("Parse Error: the body is not JSON.");
  }
  const read = schema.safeParse(value);
  if (!read.success) throw invalid(`Invalid value: ${z.prettifyError(read.error)}`);
  return read.data;
};

/** A whole number between bounds from the query, or a default. */
export const countIn = (call: Call, name: string, standard: number): number => {
  const value = call.query.get(name);
  if (value === null) return standard;
  if (!/^\d{1,9}$/.test(value)) throw invalid(`Invalid value for ${name}: "${value}".`);
  const count = Number(value);
  return count === 0 ? standard : Math.min(count, standard);
};
