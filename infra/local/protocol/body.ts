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

/** How long a refused sender may go on before the connection ends. */
const drainMsMax = 5_000;

/** Lets a sender finish what nobody wants, so that it comes to read the refusal; ends it if it does not stop. */
export function drain(request: IncomingMessage): void {
  if (request.complete) return;
  request.resume();
  const timer = setTimeout(() => request.destroy(), drainMsMax);
  request.once("close", () => {
    clearTimeout(timer);
  });
}

async function readRaw(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  return new Promise((resolve, reject) => {
    request.on("data", (part: Buffer) => {
      length += part.length;
      if (length <= messageBytesMax) parts.push(part);
      else {
        parts.length = 0;
        reject(tooLarge());
      }
    });
    request.once("end", () => {
      resolve(Buffer.concat(parts));
    });
    request.once("error", reject);
    request.once("close", () => {
      // Every request closes in the end; an error is made for the one that is not whole, as its stack is costly.
      if (!request.complete) {
        reject(new RpcError("CANCELLED", "The caller hung up in the middle of its request."));
      }
    });
  });
}

/** Reads a whole body, inflating gzip, and refuses what is larger than the limit. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const body = await readRaw(request);
  if (request.headers["content-encoding"] !== "gzip" || body.length === 0) return body;
  try {
    return await promisify(gunzip)(body, { maxOutputLength: messageBytesMax });
  } catch (error) {
    if (error instanceof RangeError) throw tooLarge();
    throw new RpcError("INVALID_ARGUMENT", "The body is not valid gzip.", { cause: error });
  }
}
