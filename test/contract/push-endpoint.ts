/** A push endpoint for tests: an HTTP server that answers as it is told and keeps what came. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** A push request as it came. */
export interface Pushed {
  readonly body: Record<string, unknown>;
  readonly headers: IncomingMessage["headers"];
  readonly atMs: number;
}

/** A push endpoint that answers with the codes it is given, one after the other; the last one stays. */
export async function endpoint(...codes: number[]) {
  const pushed: Pushed[] = [];
  const server: Server = createServer((request, response) => {
    let text = "";
    request.on("data", (part: Buffer) => (text += part.toString()));
    request.on("end", () => {
      const body = JSON.parse(text) as Record<string, unknown>;
      pushed.push({ body, headers: request.headers, atMs: performance.now() });
      const code = codes[Math.min(pushed.length, codes.length) - 1] ?? 204;
      response.writeHead(code).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/push`,
    pushed,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
