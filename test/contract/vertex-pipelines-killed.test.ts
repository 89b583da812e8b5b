import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { v1 } from "@google-cloud/aiplatform";
import grpc from "@grpc/grpc-js";
import { afterAll, expect, test } from "vitest";
import { z } from "zod";
import { eventually } from "./local-cloud.js";
import { shellPipeline } from "./vertex-pipelines-memory-world.js";
import { statesOf, structOf } from "./vertex-pipelines-world.js";

const folder = mkdtempSync(join(tmpdir(), "continuo-killed-"));
const images = join(folder, "images.json");
writeFileSync(images, JSON.stringify({ images: { shell: { entrypoint: ["sh", "-c"] } } }));
const started: ChildProcess[] = [];
afterAll(async () => {
  for (const child of started) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGTERM");
      await once(child, "exit");
    }
  }
  rmSync(folder, { recursive: true, force: true });
});

const readyLine = z.object({ address: z.string() });

const startProcess = async () => {
  const args = [
    "--import",
    "tsx",
    "infra/local/main.ts",
    "--folder",
    join(folder, "cloud"),
    "--port",
    "0",
  ];
  const child = spawn(
    process.execPath,
    [
      ...args,
      "--images",
      images,
      "--products",
      "storage,logging,pubsub,vertex",
      "--project",
      "demo-project",
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  started.push(child);
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  const { address } = await eventually(
    "the cloud is ready",
    () => text.includes("\n") && readyLine.parse(JSON.parse(text.split("\n")[0] ?? "")),
    90_000,
  );
  const client = new v1.PipelineServiceClient({
    projectId: "demo-project",
    apiEndpoint: "127.0.0.1",
    port: Number(new URL(address).port),
    sslCreds: grpc.credentials.createInsecure(),
  });
  return { child, client, address };
};

const parent = "projects/demo-project/locations/us-central1";
const name = `${parent}/pipelineJobs/survivor`;

const lines = (file: string): readonly string[] =>
  readFileSync(join(folder, file), { encoding: "utf8", flag: "a+" })
    .split("\n")
    .filter((line) => line !== "");

test("a killed cloud finishes its jobs after the next start, and no container is left behind", async () => {
  const first = await startProcess();
  await fetch(`${first.address}/storage/v1/b?project=demo-project`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: "artifacts" }),
  });
  await first.client.createPipelineJob({
    parent,
    pipelineJobId: "survivor",
    pipelineJob: {
      pipelineSpec: structOf(
        shellPipeline({
          one: {
            script: `echo one >> ${folder}/runs; mkdir -p "$(dirname "$0")"; echo kept > "$0"`,
            args: ["{{$.outputs.artifacts['data'].path}}"],
            outputs: { artifacts: { data: { artifactType: { schemaTitle: "system.Dataset" } } } },
          },
          two: {
            script: `echo $$ >> ${folder}/pids; test "$(wc -l < ${folder}/pids)" -gt 1 || exec sleep 600; test "$(cat "$0")" = kept`,
            args: ["{{$.inputs.artifacts['data'].path}}"],
            inputs: {
              artifacts: {
                data: { taskOutputArtifact: { producerTask: "one", outputArtifactKey: "data" } },
              },
            },
            inputDefinitions: {
              artifacts: { data: { artifactType: { schemaTitle: "system.Dataset" } } },
            },
          },
        }),
      ),
      runtimeConfig: { gcsOutputDirectory: "gs://artifacts/root" },
    },
  });
  const [pid = ""] = await eventually("the second task runs", () => {
    const pids = lines("pids");
    return pids.length === 1 && pids;
  });
  first.child.kill("SIGKILL");
  await once(first.child, "exit");
  await first.client.close();

  const second = await startProcess();
  const job = await eventually(
    "the job ends",
    async () => {
      const [found] = await second.client.getPipelineJob({ name });
      return /SUCCEEDED|FAILED/.test(String(found.state)) && found;
    },
    60_000,
  );
  expect(job.error?.message).toBeUndefined();
  expect(statesOf(job)).toEqual({ one: "SUCCEEDED", two: "SUCCEEDED" });
  expect(lines("runs")).toEqual(["one"]);
  expect(lines("pids")).toHaveLength(2);
  await eventually("the container of the killed cloud is gone", () => {
    try {
      process.kill(Number(pid), 0);
      return /^\d+ \(.*\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
    } catch {
      return true;
    }
  });
  await second.client.close();
});
