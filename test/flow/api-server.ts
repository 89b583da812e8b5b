/** The functions for people behind a real HTTP server, over the ports of a memory world. */
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Ports } from "../../shared/ports/ports.js";
import { serveApi } from "../../shared/runtime/api/serve.js";
import { readConfig } from "../../shared/runtime/config.js";
import { serveConsole } from "../../shared/runtime/console/serve.js";
import { testEnvironment } from "./story.js";

export const token = "a-token-for-tests-only";

const bodyOf = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks);
};

/** A served api (under /) and console (under /console/). */
export interface ApiServer {
  readonly address: string;
  readonly call: (
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<{ readonly status: number; readonly body: Record<string, unknown> }>;
  readonly stop: () => Promise<void>;
}

/** Starts it on a free port. */
export const apiServer = async (ports: Ports): Promise<ApiServer> => {
  const config = readConfig({ ...testEnvironment, CONTINUO_API_TOKEN: token });
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const rawBody = await bodyOf(request);
    const isConsole = request.url?.startsWith("/console/") === true;
    if (isConsole) request.url = request.url?.slice("/console".length) ?? "/";
    const serve = isConsole ? serveConsole : serveApi;
    await serve(Object.assign(request, { rawBody }), response, { config, ports });
  };
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    address,
    call: async (method, path, body, headers = {}) => {
      const response = await fetch(`${address}${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, "x-continuo-user": "ada", ...headers },
        ...(body === undefined
          ? {}
          : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      return {
        status: response.status,
        body: (await response.json()) as Record<string, unknown>,
      };
    },
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
