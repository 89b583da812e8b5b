/** Request bodies over HTTP, bounded. */
import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { RpcError } from "./service.js";

/** The largest message over either transport. */
export const messageBytesMax = 32 * 1024 * 1024;

const tooLarge = (): RpcError =>
  new RpcError(
    "INVALID_ARGUMENT",
    `Request payload size exceeds the limit: ${messageBytesMax} bytes. Send less in one request.`,
  );

/** Reads a whole body, inflating gzip, and refuses what is larger than the limit. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > messageBytesMax) throw tooLarge();
    parts.push(part);
  }
  const body = Buffer.concat(parts);
  if (request.headers["content-encoding"] !== "gzip" || body.length === 0) return body;
  try {
    return await promisify(gunzip)(body, { maxOutputLength: messageBytesMax });
  } catch (error) {
    if (error instanceof RangeError) throw tooLarge();
    throw new RpcError("INVALID_ARGUMENT", "The body is not valid gzip.", { cause: error });
  }
}
