/** Several functions behind one port: each answers under its own name. */
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";

/** Cloud Run refuses larger HTTP/1 requests; the framework itself would read a gigabyte. */
const bodyBytesMax = 32 * 1024 * 1024;

/** Answers with an error as JSON. */
export const refuse = (
  response: ServerResponse,
  status: number,
  code: string,
  message: string,
): void => {
  response.writeHead(status, { "content-type": "application/json", connection: "close" });
  response.end(JSON.stringify({ error: { code, message } }));
};

/** Why a request must not reach the framework; null when it may. */
const refusalOf = ({ headers }: IncomingMessage): readonly [number, string, string] | null => {
  if (headers["transfer-encoding"] !== undefined) {
    return [411, "length-required", "send the body with a content-length"];
  }
  if (headers["content-encoding"] !== undefined) {
    return [415, "encoded-body", "send the body without content-encoding"];
  }
  return Number(headers["content-length"] ?? 0) > bodyBytesMax
    ? [413, "too-large", `the body is larger than ${bodyBytesMax / 1024 / 1024} MB`]
    : null;
};

/** A server that hands each request to its function, with the function's name taken off the path; anything else is 404. */
export const pathRouter = (
  names: readonly string[],
  answer: (name: string, request: IncomingMessage, response: ServerResponse) => void,
): Server =>
  createServer((request, response) => {
    const [, name = "", rest = ""] = /^\/([^/?]*)(.*)$/s.exec(request.url ?? "/") ?? [];
    if (name === "healthz") {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ functions: names }));
      return;
    }
    if (!names.includes(name)) {
      refuse(response, 404, "no-such-function", `no function "${name}" is served here`);
      return;
    }
    // Pages link to each other relative to their function's root.
    if (request.method === "GET" && !rest.startsWith("/")) {
      response.writeHead(308, { location: `/${name}/${rest}` });
      response.end();
      return;
    }
    const refusal = refusalOf(request);
    if (refusal !== null) {
      refuse(response, ...refusal);
      return;
    }
    request.url = rest.startsWith("/") ? rest : `/${rest}`;
    answer(name, request, response);
  });
