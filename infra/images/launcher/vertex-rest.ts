/** Vertex AI's REST API with plain requests: bounded retries where they are safe, errors that say what to do. */
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { explain, ImageError } from "../arguments.js";

/** Sends one request below `projects/P/locations/L/`; answers the parsed body. */
export type VertexRequest = (
  method: "GET" | "POST",
  path: string,
  body?: unknown,
) => Promise<unknown>;

const attemptsMax = 5;
const firstDelayMs = 300;

/** A request that may or may not have reached the service: look before repeating it. */
export class UncertainError extends ImageError {}

const errorBody = z.object({ error: z.object({ message: z.string() }) });

async function problemOf(response: Response): Promise<string> {
  const text = await response.text();
  try {
    return errorBody.parse(JSON.parse(text)).error.message;
  } catch {
    return text.slice(0, 500);
  }
}

const isTransient = (status: number): boolean => status === 429 || status >= 500;

/** The access token for a request; none for a local cloud. */
type Token = () => Promise<string | undefined>;

/** Application default credentials, loaded only when a token is needed. */
export const googleToken: Token = async () => {
  const { GoogleAuth } = await import("google-auth-library");
  const scopes = ["https://www.googleapis.com/auth/cloud-platform"];
  const token = await new GoogleAuth({ scopes }).getAccessToken();
  return token ?? undefined;
};

/** A client for one project and location. */
export function vertexRest(base: string, token: Token): VertexRequest {
  const send = async (method: "GET" | "POST", path: string, body: unknown): Promise<Response> => {
    const bearer = await token();
    const headers = new Headers({ "content-type": "application/json" });
    if (bearer !== undefined) headers.set("authorization", `Bearer ${bearer}`);
    const init = { method, headers, signal: AbortSignal.timeout(60_000) };
    return fetch(
      `${base}/${path}`,
      body === undefined ? init : { ...init, body: JSON.stringify(body) },
    );
  };
  return async (method, path, body) => {
    for (let attempt = 1; ; attempt += 1) {
      const isLast = attempt === attemptsMax;
      let response: Response | undefined;
      try {
        response = await send(method, path, body);
      } catch (cause) {
        const message = `${method} ${path}: no reply (${explain(cause)})`;
        if (method === "POST") throw new UncertainError(message, { cause });
        if (isLast) throw new ImageError(message, { cause });
      }
      if (response?.ok === true) return response.json();
      if (response !== undefined) {
        const problem = `${method} ${path}: HTTP ${response.status}: ${await problemOf(response)}`;
        if (!isTransient(response.status)) throw new ImageError(problem);
        if (method === "POST" && response.status !== 429) throw new UncertainError(problem);
        if (isLast) throw new ImageError(problem);
      }
      await delay(firstDelayMs * 2 ** attempt * (0.5 + Math.random()));
    }
  };
}
