/** One HTTP request by Node's own client: its first use costs a process 25 ms less than that of `fetch`. */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { buffer } from "node:stream/consumers";

/** One request. */
export interface HttpRequest {
  readonly method: "GET" | "POST" | "PATCH" | "PUT" | "DELETE";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly deadlineMs: number;
  /** Asked before the body is read; what it throws is thrown. */
  readonly check?: (answer: Pick<HttpAnswer, "code" | "headers">) => void;
}

/** An answer, whatever its status. */
export interface HttpAnswer {
  readonly code: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const open = async (
  { method, url, headers = {}, body }: HttpRequest,
  signal: AbortSignal,
): Promise<IncomingMessage> => {
  const { request } = await (url.startsWith("http://")
    ? import("node:http")
    : import("node:https"));
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
    const sent = request(url, { method, headers: { ...headers, ...length }, signal }, resolve);
    sent.once("error", reject);
    sent.end(body);
  });
};

/** Sends it and reads the whole answer; throws what the network, or the deadline, says when there is none. */
export const sendHttp = async (request: HttpRequest): Promise<HttpAnswer> => {
  const signal = AbortSignal.timeout(request.deadlineMs);
  try {
    const reply = await open(request, signal);
    const { statusCode: code = 0, headers } = reply;
    try {
      request.check?.({ code, headers });
      return { code, headers, body: await buffer(reply) };
    } finally {
      // A body that nobody wants must not hold the connection.
      if (!reply.readableEnded) reply.destroy();
    }
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  }
};
