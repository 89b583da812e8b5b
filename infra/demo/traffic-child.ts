/** The child of traffic.ts: sends requests at a steady rate until its parent disconnects. */
import { readFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import { z } from "zod";

const playSchema = z.object({
  url: z.string(),
  file: z.string(),
  requestsPerSecond: z.number(),
});

const agent = new Agent({ keepAlive: true, maxSockets: 64 });
const counts = { sent: 0, answered: 0, failed: 0 };
const startedAt = performance.now();
/** More requests in flight than this means that the endpoint cannot keep up: the stream then waits. */
const inFlightMax = 256;
const sliceMs = 20;

let play: (z.infer<typeof playSchema> & { readonly bodies: readonly Buffer[] }) | undefined;
let owed = 0;

const send = (url: string, body: Buffer): void => {
  counts.sent += 1;
  const call = request(
    url,
    {
      method: "POST",
      agent,
      timeout: 10_000,
      headers: { "content-type": "application/json", "content-length": body.length },
    },
    (response) => {
      if (response.statusCode === 200) counts.answered += 1;
      else counts.failed += 1;
      response.resume();
    },
  );
  call.on("timeout", () => call.destroy(new Error("timeout")));
  call.on("error", () => {
    counts.failed += 1;
  });
  call.end(body);
};

const slice = (): void => {
  if (play === undefined) return;
  owed += (play.requestsPerSecond * sliceMs) / 1000;
  for (; owed >= 1; owed -= 1) {
    if (counts.sent - counts.answered - counts.failed >= inFlightMax) return;
    const body = play.bodies[counts.sent % play.bodies.length];
    if (body !== undefined) send(play.url, body);
  }
};

const timers = [
  setInterval(slice, sliceMs),
  setInterval(() => {
    if (process.connected)
      process.send?.({ ...counts, seconds: (performance.now() - startedAt) / 1000 });
  }, 250),
];

process.on("message", (message) => {
  const next = playSchema.parse(message);
  void readFile(next.file, "utf8").then((text) => {
    const parsed: unknown = JSON.parse(text);
    const bodies = (Array.isArray(parsed) ? parsed : []).map((body) =>
      Buffer.from(JSON.stringify(body)),
    );
    play = { ...next, bodies };
  });
});

const stop = (): void => {
  for (const timer of timers) clearInterval(timer);
  agent.destroy();
};
process.on("disconnect", stop);
// A parent that was quicker than this start has disconnected before anybody listened.
if (!process.connected) stop();
process.on("SIGINT", () => {
  // The terminal sends it to the whole group; the parent decides when this process ends.
});
