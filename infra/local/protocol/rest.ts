/** RPCs over HTTP and JSON, by their google.api.http annotations. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { drain, readBody } from "./body.js";
import type { HttpBinding } from "./descriptor-json.js";
import type { Field, MessageType } from "./descriptors.js";
import { unimplemented, type Dispatch, type ServedMethod } from "./dispatch.js";
import { principalOf, toFailure } from "./failure.js";
import { makeRouter } from "./http-rules.js";
import { badField, fromJson, toJson } from "./json.js";
import { RpcError, type CallContext } from "./service.js";
import { setField, type Message } from "./wire.js";

/** Query parameters that mean the same on every Google API and bind to no field. */
const systemParameters = new Set([
  "$alt",
  "$fields",
  "$prettyPrint",
  "$.xgafv",
  "$httpMethod",
  "access_token",
  "alt",
  "callback",
  "fields",
  "key",
  "oauth_token",
  "prettyPrint",
  "quotaUser",
  "uploadType",
  "upload_protocol",
]);

const isObject = (value: unknown): value is Message =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function parseJson(body: Buffer): unknown {
  if (body.length === 0) return {};
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (error) {
    throw new RpcError(
      "INVALID_ARGUMENT",
      `Invalid JSON payload received. ${error instanceof Error ? error.message : ""}`,
      { cause: error },
    );
  }
}

/** Puts a value into a JSON request at a dotted field path; a list field collects. */
function bind(
  type: MessageType,
  json: Message,
  path: string,
  value: string,
  isQuery: boolean,
): void {
  const parts = path.split(".");
  let at = json;
  let current: MessageType | undefined = type;
  for (const [index, part] of parts.entries()) {
    const field: Field | undefined = current?.byName.get(part);
    if (field === undefined) {
      const text = `Invalid JSON payload received. Unknown name "${path}": Cannot bind query parameter. Field '${part}' could not be found in request message.`;
      throw badField(path, text, text);
    }
    // One spelling: the body may use another one of the same field.
    const key =
      [field.name, field.jsonName, field.protoName].find((name) => name in at) ?? field.name;
    if (index === parts.length - 1) {
      const before = at[key];
      if (field.repeated && isQuery) at[key] = Array.isArray(before) ? [...before, value] : [value];
      else at[key] = value;
      return;
    }
    const inner = at[key];
    const next: Message = isObject(inner) ? inner : {};
    if (field.mapKey !== undefined) {
      setField(next, parts.slice(index + 1).join("."), value);
      at[key] = next;
      return;
    }
    at[key] = next;
    at = next;
    current = field.message;
  }
}

const isHttpBody = (type: MessageType | undefined): boolean => type?.name === "google.api.HttpBody";

function requestOf(
  dispatch: Dispatch,
  type: MessageType,
  binding: HttpBinding,
  variables: readonly (readonly [string, string])[],
  query: URLSearchParams,
  body: Buffer,
  contentType: string,
): Message {
  const raw = { contentType, data: body };
  if (isHttpBody(type)) return raw;
  // A method that carries a foreign body (RawPredict) takes it as it is.
  const rawField =
    binding.body === undefined
      ? undefined
      : type.fields.find(
          (field) =>
            isHttpBody(field.message) && (binding.body === "*" || binding.body === field.protoName),
        );
  let json: Message = {};
  if (binding.body === "*" && rawField === undefined) {
    const given = parseJson(body);
    if (!isObject(given)) {
      throw new RpcError(
        "INVALID_ARGUMENT",
        "Invalid JSON payload received. The body must be a JSON object.",
      );
    }
    json = given;
  } else if (binding.body !== undefined && rawField === undefined) {
    json = { [binding.body]: parseJson(body) };
  } else if (body.length > 0 && rawField === undefined) {
    const given = parseJson(body);
    if (isObject(given) && Object.keys(given).length > 0) {
      throw new RpcError("INVALID_ARGUMENT", "This method takes no body; use query parameters.");
    }
  }
  for (const [path, value] of query) {
    if (!systemParameters.has(path)) bind(type, json, path, value, true);
  }
  for (const [path, value] of variables) bind(type, json, path, value, false);
  const request = fromJson(type, json, dispatch.lookup);
  if (rawField !== undefined) request[rawField.name] = raw;
  return request;
}

const headersOf = (request: IncomingMessage): Readonly<Record<string, string>> => {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return headers;
};

/** What a handler may ask about its call; made for those who ask, as most do not. */
function contextOf(request: IncomingMessage, response: ServerResponse): CallContext {
  let headers: Readonly<Record<string, string>> | undefined;
  let abort: AbortController | undefined;
  return {
    transport: "rest",
    get principal() {
      return principalOf(request.headers.authorization);
    },
    get signal() {
      if (abort === undefined) {
        const made = new AbortController();
        abort = made;
        const hangUp = (): void => {
          if (!response.writableFinished) made.abort();
        };
        if (response.destroyed) hangUp();
        else response.once("close", hangUp);
      }
      return abort.signal;
    },
    get headers() {
      return (headers ??= headersOf(request));
    },
  };
}

function sendText(response: ServerResponse, code: number, text: string): void {
  if (response.headersSent || response.destroyed) return;
  const bytes = Buffer.from(text);
  response.writeHead(code, {
    "content-type": "application/json; charset=UTF-8",
    "content-length": bytes.length,
  });
  response.end(bytes);
}

function send(response: ServerResponse, code: number, body: unknown): void {
  sendText(response, code, JSON.stringify(body));
}

/** Google's JSON form of an error. */
export function errorJson(
  error: unknown,
  call: string,
  dispatch: Dispatch,
  log: (line: string) => void,
) {
  const failure = toFailure(error, call, log);
  const any = dispatch.type("google.protobuf.Any");
  const details = failure.details.map((detail) => toJson(any, detail, { lookup: dispatch.lookup }));
  return {
    httpCode: failure.httpCode,
    body: {
      error: {
        code: failure.httpCode,
        message: failure.message,
        status: failure.status,
        ...(details.length > 0 ? { details } : {}),
      },
    },
  };
}

/** A streamed reply is passed on in pieces of this size, in characters, or at the end of the turn. */
const streamPieceMax = 65_536;

/** Resolves when the reader has taken what was written, or is gone. */
const drained = (response: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const go = (): void => {
      response.off("drain", go);
      response.off("close", go);
      resolve();
    };
    response.on("drain", go);
    response.on("close", go);
  });

type Target = ServedMethod | { readonly service: string; readonly name: string };

/** Answers HTTP requests at RPCs' addresses. */
export function restHandler(
  dispatch: Dispatch,
  log: (line: string) => void,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const router = makeRouter<Target>([
    ...dispatch.methods.map((one) => ({ target: one, bindings: one.method.bindings })),
    ...dispatch.addresses.map((one) => ({ target: one, bindings: one.bindings })),
  ]);

  const replyUnary = async (
    one: ServedMethod,
    request: Message,
    context: CallContext,
    response: ServerResponse,
    enumNumbers: boolean,
  ): Promise<void> => {
    const reply = await one.unary(request, context);
    if (isHttpBody(one.method.reply) && isObject(reply)) {
      const data = reply["data"];
      const bytes = data instanceof Uint8Array ? data : Buffer.alloc(0);
      response.writeHead(200, {
        "content-type":
          typeof reply["contentType"] === "string"
            ? reply["contentType"]
            : "application/octet-stream",
        "content-length": bytes.length,
      });
      response.end(bytes);
      return;
    }
    send(response, 200, toJson(one.method.reply, reply, { lookup: dispatch.lookup, enumNumbers }));
  };

  const replyStream = async (
    one: ServedMethod,
    request: Message,
    context: CallContext,
    response: ServerResponse,
    enumNumbers: boolean,
  ): Promise<void> => {
    let count = 0;
    let pending = "";
    let soon: NodeJS.Immediate | undefined;
    const flush = (): void => {
      soon = undefined;
      if (response.destroyed) return;
      if (!response.headersSent) {
        response.writeHead(200, { "content-type": "application/json; charset=UTF-8" });
      }
      response.write(pending);
      pending = "";
    };
    try {
      for await (const reply of one.serverStream(request, context)) {
        const json = toJson(one.method.reply, reply, { lookup: dispatch.lookup, enumNumbers });
        pending += `${count === 0 ? "[" : ",\r\n"}${JSON.stringify(json)}`;
        count += 1;
        // Replies that come at once go out in one piece: a piece costs more than what is in it.
        soon ??= setImmediate(flush);
        if (pending.length > streamPieceMax) {
          clearImmediate(soon);
          flush();
        }
        if (response.writableNeedDrain && !response.destroyed) await drained(response);
      }
    } catch (error) {
      if (count === 0) throw error;
      const call = `${one.method.service}/${one.method.name}`;
      const { body } = errorJson(error, call, dispatch, log);
      pending += `,\r\n${JSON.stringify(body)}`;
    }
    if (soon !== undefined) clearImmediate(soon);
    const rest = count === 0 ? "[]" : `${pending}]`;
    if (response.headersSent || response.destroyed) response.end(rest);
    else sendText(response, 200, rest);
  };

  return async (request, response) => {
    let call = `${request.method ?? "GET"} ${request.url ?? "/"}`;
    try {
      const url = new URL(request.url ?? "/", "http://localhost");
      const match = router.match(request.method ?? "GET", url.pathname);
      if (match === undefined) {
        throw new RpcError(
          "NOT_FOUND",
          `Nothing is served at ${request.method ?? "GET"} ${url.pathname}. Check the version, the resource's path and the method.`,
        );
      }
      const { target } = match;
      if (!("method" in target)) throw unimplemented(target.service, target.name);
      call = `${target.method.service}/${target.method.name}`;
      const body = await readBody(request);
      const context = contextOf(request, response);
      const message = requestOf(
        dispatch,
        target.method.request,
        match.binding,
        match.variables,
        url.searchParams,
        body,
        request.headers["content-type"] ?? "application/json",
      );
      const alt = url.searchParams.get("$alt") ?? url.searchParams.get("alt") ?? "";
      const enumNumbers = alt.includes("enum-encoding=int");
      if (target.method.isRequestStream)
        throw unimplemented(target.method.service, target.method.name);
      if (target.method.isReplyStream) {
        await replyStream(target, message, context, response, enumNumbers);
      } else {
        await replyUnary(target, message, context, response, enumNumbers);
      }
    } catch (error) {
      const { httpCode, body } = errorJson(error, call, dispatch, log);
      if (!request.complete && !response.headersSent) response.setHeader("connection", "close");
      send(response, httpCode, body);
      drain(request);
    }
  };
}
