import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { v1 } from "@google-cloud/pubsub";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { readConfig } from "../../infra/local/config.js";
import { startCloud } from "../../infra/local/server.js";
import { grpcOptionsOf } from "./local-cloud.js";

const line = z.object({
  atMs: z.number(),
  call: z.number(),
  method: z.string(),
  step: z.string(),
  lengths: z.record(z.string(), z.number()),
});

describe("calls of the local cloud", () => {
  it("take as long as the setting says, before and after their effect, and are logged step by step", async () => {
    const folder = mkdtempSync(join(tmpdir(), "continuo-calls-"));
    const callLogFile = join(folder, "calls.jsonl");
    const flags = `--folder ${folder} --port 0 --call-delays CreateTopic=120+80,GetTopic=0+0`;
    const settings = readConfig([...flags.split(" "), "--call-log", callLogFile], {});
    const cloud = await startCloud({ ...settings, products: ["pubsub"] });
    const publisher = new v1.PublisherClient(grpcOptionsOf(cloud.port));
    try {
      const topic = "projects/continuo-demo/topics/slow";
      await publisher.createTopic({ name: topic });
      await expect(publisher.getTopic({ topic: `${topic}er` })).rejects.toThrow("NOT_FOUND");
      const messages = ["one", "two"].map((text) => ({ data: Buffer.from(text) }));
      await publisher.publish({ topic, messages });

      const lines = readFileSync(callLogFile, "utf8")
        .trim()
        .split("\n")
        .map((text) => line.parse(JSON.parse(text)));
      const [asked, applied, answered] = lines;
      expect(lines.map(({ call, method, step }) => `${call} ${method} ${step}`)).toEqual([
        "1 google.pubsub.v1.Publisher/CreateTopic asked",
        "1 google.pubsub.v1.Publisher/CreateTopic applied",
        "1 google.pubsub.v1.Publisher/CreateTopic answered",
        "2 google.pubsub.v1.Publisher/GetTopic asked",
        "2 google.pubsub.v1.Publisher/GetTopic failed",
        "3 google.pubsub.v1.Publisher/Publish asked",
        "3 google.pubsub.v1.Publisher/Publish applied",
        "3 google.pubsub.v1.Publisher/Publish answered",
      ]);
      expect(lines.map(({ lengths }) => lengths["messages"] ?? 0)).toEqual([
        0, 0, 0, 0, 0, 2, 2, 2,
      ]);
      // A timer may fire a millisecond early by the other clock.
      expect((applied?.atMs ?? 0) - (asked?.atMs ?? 0)).toBeGreaterThanOrEqual(119);
      expect((answered?.atMs ?? 0) - (applied?.atMs ?? 0)).toBeGreaterThanOrEqual(79);
    } finally {
      await publisher.close();
      await cloud.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("are not delayed by a setting that nobody can read", () => {
    expect(() => readConfig(["--call-delays", "CreateTopic=soon"], {})).toThrow(
      "--call-delays (or CONTINUO_LOCAL_CALL_DELAYS): must name RPCs, each with milliseconds before it is done and before it is answered. Example: --call-delays CreatePipelineJob=200+200,Publish=50+50",
    );
    expect(readConfig([], {}).callDelays).toEqual([]);
  });
});
