import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

interface Ready {
  readonly address: string;
  readonly pid: number;
}

const main = new URL("../../infra/local/main.ts", import.meta.url).pathname;
let folder = "";
const children: ChildProcess[] = [];

function start(...flags: string[]) {
  const child = spawn(
    process.execPath,
    ["--import", "tsx", main, "--folder", folder, "--products", "pubsub", "--port", "0", ...flags],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  children.push(child);
  let errors = "";
  child.stderr.on("data", (part: Buffer) => (errors += part.toString()));
  const exited = once(child, "exit").then(([code]) => ({ code: code as number | null, errors }));
  const ready = (async (): Promise<Ready> => {
    for await (const line of createInterface({ input: child.stdout })) {
      return JSON.parse(line) as Ready;
    }
    throw new Error(`it never became ready: ${errors}`);
  })();
  ready.catch(() => undefined);
  return { child, ready, exited };
}

async function call(address: string, method: string, path: string, body: unknown) {
  const response = await fetch(`${address}/v1/projects/continuo-demo/${path}`, {
    method,
    body: JSON.stringify(body),
  });
  return (await response.json()) as Record<string, unknown>;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "continuo-process-"));
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  }
  rmSync(folder, { recursive: true, force: true });
});

describe("the local cloud's process", () => {
  it("loses nothing acknowledged to SIGKILL, takes the dead one's lock over, and stops cleanly", async () => {
    const first = start();
    const { address } = await first.ready;
    await call(address, "PUT", "topics/kept", {});
    await call(address, "PUT", "subscriptions/kept", {
      topic: "projects/continuo-demo/topics/kept",
    });
    const published = await call(address, "POST", "topics/kept:publish", {
      messages: [{ data: "aGVsbG8=" }],
    });
    first.child.kill("SIGKILL");
    await first.exited;
    expect(existsSync(join(folder, "lock"))).toBe(true);

    const second = start();
    const again = await second.ready;
    const pulled = await call(again.address, "POST", "subscriptions/kept:pull", {
      maxMessages: 1,
      returnImmediately: true,
    });
    expect(pulled["receivedMessages"]).toMatchObject([
      { message: { messageId: (published["messageIds"] as string[])[0], data: "aGVsbG8=" } },
    ]);
    second.child.kill("SIGTERM");
    expect((await second.exited).code).toBe(0);
    expect(existsSync(join(folder, "lock"))).toBe(false);
  });

  it("refuses a second instance on the same folder, naming the first", async () => {
    const first = start();
    const { pid } = await first.ready;
    const { code, errors } = await start().exited;
    expect(code).toBe(2);
    expect(errors).toContain(`process ${pid}`);
    expect(errors).toContain("--folder");
  });

  it("takes the next free port when the wanted one is busy", async () => {
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, "127.0.0.1", resolve));
    const { port } = blocker.address() as AddressInfo;
    const { address } = await start("--port", String(port)).ready;
    expect(Number(new URL(address).port)).toBeGreaterThan(port);
    blocker.close();
  });

  it.each([
    ["a flag that does not exist", ["--colour", "red"], "--folder"],
    ["a value out of range", ["--port", "99999"], "Example: --port 8790"],
    ["a product that does not exist", ["--products", "bigquery"], "Example: --products"],
  ])("says what is wrong with %s", async (_what, flags, advice) => {
    const { code, errors } = await start(...flags).exited;
    expect(code).toBe(2);
    expect(errors).toContain(advice);
    expect(errors).not.toContain("    at ");
  });

  it("says what to do about a damaged database", async () => {
    writeFileSync(join(folder, "cloud.db"), Buffer.alloc(8192, "x"));
    const { code, errors } = await start().exited;
    expect(code).toBe(2);
    expect(errors).toContain("damaged");
    expect(existsSync(join(folder, "lock"))).toBe(false);
  });

  it.skipIf(process.getuid?.() === 0)("says what to do about a read-only folder", async () => {
    chmodSync(folder, 0o500);
    const { code, errors } = await start().exited;
    chmodSync(folder, 0o700);
    expect(code).toBe(2);
    expect(errors).toContain("writable");
  });
});
