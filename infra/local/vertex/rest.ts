/** Errors and bodies of the plain HTTP routes, in the form of Google's JSON APIs. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { httpCodeOf } from "../protocol/failure.js";
import { RpcError, type StatusName } from "../protocol/service.js";

const statusByHttpCode: Readonly<Record<number, StatusName>> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  409: "ABORTED",
  429: "RESOURCE_EXHAUSTED",
  499: "CANCELLED",
  501: "UNIMPLEMENTED",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};

/** The canonical status that an HTTP status of a model server becomes. */
export const statusOfHttpCode = (code: number): StatusName =>
  statusByHttpCode[code] ?? (code >= 400 && code < 500 ? "FAILED_PRECONDITION" : "INTERNAL");

/** Any thrown value as an RpcError; what is not one already is a defect here and therefore INTERNAL. */
export const asRpcError = (error: unknown): RpcError =>
  error instanceof RpcError
    ? error
    : new RpcError("INTERNAL", error instanceof Error ? error.message : String(error), {
        cause: error,
      });

/** Answers with JSON. */
export const sendJson = (response: ServerResponse, code: number, body: string): void => {
  response.writeHead(code, {
    "content-type": "application/json; charset=UTF-8",
    "content-length": Buffer.byteLength(body),
  });
  response.end(body);
};

/** Answers with an error as Google's JSON APIs do. */
export const sendError = (response: ServerResponse, error: unknown): void => {
  const { status, message } = asRpcError(error);
  const code = httpCodeOf(status);
  sendJson(response, code, JSON.stringify({ error: { code, message, status } }));
};

/** Reads a request's body; resolves with undefined as soon as it is larger than the limit. */
export const readBody = (request: IncomingMessage, bytesMax: number): Promise<Buffer | undefined> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > bytesMax) {
        // What is still coming is read and dropped, so that the caller sees the answer.
        chunks.length = 0;
        resolve(undefined);
        return;
      }
      chunks.push(chunk);
    });
    request.on("end", () => {
      resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
    });
    request.on("error", reject);
    request.on("aborted", () => {
      reject(new RpcError("CANCELLED", "The caller hung up."));
    });
  });
