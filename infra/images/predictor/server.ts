/** The HTTP side of a prediction container: a health route, a predict route, a quiet end. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { explain, ImageError } from "../arguments.js";
import type { PredictorConfig } from "./config.js";
import type { Predict } from "./predict.js";

/** Bodies above this are refused: ten times what a shared public endpoint lets through. */
const bodyBytesMax = 15_000_000;

/** What may happen to a prediction request before it is answered; a fault is an HTTP status. */
export type BeforePredict = () => Promise<number | undefined>;

/** Routes and the parts that answer them. */
export interface ServerOptions extends Pick<PredictorConfig, "healthRoute" | "predictRoute"> {
  /** The predict function once the model is loaded. */
  readonly predict: () => Predict | undefined;
  readonly before?: BeforePredict;
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
  });
  response.end(text);
}

/** The request's body as text; undefined when it is larger than the limit. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    const buffer = Buffer.from(chunk);
    bytes += buffer.length;
    if (bytes <= bodyBytesMax) chunks.push(buffer);
  }
  return bytes > bodyBytesMax ? undefined : Buffer.concat(chunks).toString("utf8");
}

/** Answers one prediction request. */
async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { predict, before }: ServerOptions,
): Promise<void> {
  const text = await readBody(request);
  if (text === undefined) {
    reply(response, 413, { error: `the body is larger than ${bodyBytesMax} bytes` });
    return;
  }
  const ready = predict();
  if (ready === undefined) {
    reply(response, 503, { error: "the model is not loaded yet" });
    return;
  }
  const fault = await before?.();
  if (fault !== undefined) {
    reply(response, fault, { error: "internal error" });
    return;
  }
  try {
    reply(response, 200, { predictions: ready(JSON.parse(text)) });
  } catch (cause) {
    const isCallers = cause instanceof ImageError || cause instanceof SyntaxError;
    const message = cause instanceof SyntaxError ? `not JSON: ${cause.message}` : explain(cause);
    reply(response, isCallers ? 400 : 500, { error: message });
  }
}

/** The server, not yet listening. */
export function predictionServer(options: ServerOptions): Server {
  const server = createServer((request, response) => {
    const path = request.url?.split("?", 1)[0];
    if (path === options.healthRoute && (request.method === "GET" || request.method === "HEAD")) {
      const isReady = options.predict() !== undefined;
      reply(response, isReady ? 200 : 503, { status: isReady ? "ok" : "loading" });
    } else if (path === options.predictRoute && request.method === "POST") {
      answer(request, response, options).catch((cause: unknown) => {
        console.error(`predictor: ${explain(cause)}`);
        response.destroy();
      });
    } else {
      reply(response, 404, {
        error: `unknown route; use GET ${options.healthRoute} or POST ${options.predictRoute}`,
      });
    }
  });
  server.keepAliveTimeout = 65_000;
  return server;
}
