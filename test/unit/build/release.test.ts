import { execFile, execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";

const root = fileURLToPath(new URL("../../../", import.meta.url)).replace(/\/$/, "");
const names = ["tick", "on-pipeline-released", "api", "console"];
const digest = (name: string): string =>
  `sha256:${Buffer.from(name).toString("hex").padEnd(64, "0")}`;

/** A command that notes how it was called and answers as it is told. */
const command = (body: string): string => `#!/bin/bash
echo "$(basename "$0") $*" >> "$CALLS"
${body}
`;

/** Cloud Run as the script sees it: each service serves one revision, and has a next one once it was updated. */
const gcloud = command(`
service() {
  echo '{"metadata": {"name": "'"$1"'", "annotations": {"run.googleapis.com/ingress": "'"\${INGRESS:-all}"'"}},
    "status": {"url": "https://'"$1"'", "conditions": [{"type": "Ready", "status": "'"\${READY:-True}"'"}],
    "traffic": [{"revisionName": "'"$1"'-1", "percent": '"\${PERCENT:-100}"'}, {"tag": "next", "url": "https://next---'"$1"'"}]}}'
}
case "$*" in
  "run services list "*) echo "[${names.map((name) => `$(service continuo-${name})`).join(",")}]" ;;
  *print-identity-token*) echo token ;;
  *"services update continuo-\${BROKEN:-none} "*) echo "it does not start" >&2; exit 1 ;;
esac`);
/** The functions as the smoke test meets them: the api, the console's first page, and the journal of the event it sent. */
const curl = command(`
case "$*" in
  *"\${REFUSED:-nobody}") exit 22 ;;
  *"\${SILENT:-nobody}/timeline?"*) echo '{"entries": []}' ;;
  *"/timeline?"*) echo '{"entries": [{"function": "on-pipeline-released", "decisions": [{"do": "'"\${DECIDED:-ignore}"'"}]}]}' ;;
  *"/status" | *"/publish") ;;
  *) echo "<title>\${TITLE:-Overview · Continuo}</title>" ;;
esac`);
const docker = command(
  'if [[ "$*" == "buildx imagetools inspect"* && "$*" == *"/${ABSENT:-none}:"* ]]; then exit 1; fi\n' +
    'if [[ "$*" == *imagetools* ]]; then echo "${DIGEST:-sha256:' +
    "a".repeat(64) +
    '}"; fi',
);

/** A shim in front of Python takes longer than what the scripts ask of it. */
const python = execFileSync("python3", ["-c", "import sys; print(sys.executable)"], {
  encoding: "utf8",
}).trim();

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const failure = z.object({ code: z.number(), stderr: z.string(), stdout: z.string() });

const play = async (
  script: readonly string[],
  env: Readonly<Record<string, string>>,
  digests = names.map((name) => `${name} ${digest(name)}\n`).join(""),
) => {
  const folder = mkdtempSync(join(tmpdir(), "continuo-release-"));
  folders.push(folder);
  mkdirSync(join(folder, "bin"));
  mkdirSync(join(folder, "release"));
  for (const [name, text] of Object.entries({ gcloud, curl, docker })) {
    writeFileSync(join(folder, "bin", name), text);
    chmodSync(join(folder, "bin", name), 0o755);
  }
  symlinkSync(python, join(folder, "bin/python3"));
  const list = names.map((name) => `${name}\n`).join("");
  writeFileSync(join(folder, "release/functions.txt"), list);
  writeFileSync(join(folder, "release/names.txt"), list);
  writeFileSync(join(folder, "release/digests.txt"), digests);
  const calls = join(folder, "calls");
  writeFileSync(calls, "");
  const [program = "", ...args] = script;
  const ended = await new Promise<z.infer<typeof failure>>((resolve) => {
    execFile(
      program,
      args,
      {
        cwd: root,
        env: {
          PATH: `${join(folder, "bin")}:${process.env["PATH"] ?? ""}`,
          CALLS: calls,
          CONTINUO_BUILD_FOLDER: folder,
          _ROUTINE: "main",
          _REGION: "us-central1",
          _REPOSITORY: "r",
          PROJECT_ID: "p",
          COMMIT_SHA: "c0ffee0",
          SMOKE_TEST_SECONDS: "0",
          ...env,
        },
      },
      (error, stdout, stderr) =>
        resolve(failure.parse({ code: error === null ? 0 : error.code, stdout, stderr })),
    );
  });
  const told = readFileSync(calls, "utf8").split(/\n(?=gcloud|curl|docker|$)/);
  const changes = told.flatMap((line) => {
    const found =
      /^gcloud run services (update-traffic|update) (\S+) .*?(--to-\S+ \S+|--image \S+)/.exec(line);
    return found === null ? [] : [`${found[2]} ${found[3]}`];
  });
  return {
    ...ended,
    told,
    changes,
    written: () => readFileSync(join(folder, "release/digests.txt"), "utf8"),
  };
};

const release = (env: Readonly<Record<string, string>> = {}, digests?: string) =>
  play(["bash", "infra/build/release.sh"], env, digests);
const images = (action: string, env: Readonly<Record<string, string>> = {}) =>
  play(["sh", "infra/build/images.sh", action], env);

const updates = names.map((name) => `continuo-${name} --image r/${name}@${digest(name)}`);
const returns = names.map((name) => `continuo-${name} --to-revisions continuo-${name}-1=100`);

const moved = (...some: readonly string[]) =>
  some.map((name) => `continuo-${name} --to-tags next=100`);
/** One event function serves before the others. */
const all = moved("on-pipeline-released", "tick", "api", "console");

describe("a release", () => {
  it("makes a revision of each digest, tries the new api and console, and one event function before the others", async () => {
    const { code, changes, told, stdout } = await release();
    expect(code).toBe(0);
    expect(changes).toEqual([...updates, ...all]);
    const order = told.flatMap((line) =>
      /^curl|--to-tags/.test(line)
        ? [line.startsWith("curl") ? (line.split(" ").at(-1) ?? "") : (line.split(" ")[4] ?? "")]
        : [],
    );
    const event = /timeline\?correlation=smoke-test-c0ffee0-\d+-\d+$/;
    expect(order).toEqual([
      "https://next---continuo-api/status",
      "https://next---continuo-console",
      "continuo-on-pipeline-released",
      "https://next---continuo-api/publish",
      expect.stringMatching(event),
      "continuo-tick",
      "continuo-api",
      "continuo-console",
      "https://continuo-api/status",
      "https://continuo-console",
      "https://continuo-api/publish",
      expect.stringMatching(event),
    ]);
    expect(stdout).toContain("released 4 functions of commit c0ffee0");
  });

  it("does not ask a console that stands behind its load balancer", async () => {
    const { code, told, stdout } = await release({ INGRESS: "internal-and-cloud-load-balancing" });
    expect(code).toBe(0);
    expect(stdout).toContain("its pages were not asked for");
    expect(told.filter((line) => /^curl.*console$/.test(line))).toEqual([]);
  });

  it.each([
    ["the new api does not answer", { REFUSED: "next---continuo-api/status" }, []],
    ["the new console does not answer", { REFUSED: "next---continuo-console" }, []],
    ["the new console draws another page", { TITLE: "Sign in" }, []],
    ["no event can be published", { REFUSED: "next---continuo-api/publish" }, all.slice(0, 1)],
    ["no function handles the event", { SILENT: "next---continuo-api" }, all.slice(0, 1)],
    ["the event is acted on", { DECIDED: "start-training-run" }, all.slice(0, 1)],
    ["the api does not answer with all traffic", { REFUSED: "https://continuo-api/status" }, all],
    ["no function handles the event with all traffic", { SILENT: "https://continuo-api" }, all],
    ["a service is not ready", { READY: "False" }, all],
  ])("goes back to the revisions before when %s", async (_what, env, before) => {
    const { code, changes } = await release(env);
    expect(code).not.toBe(0);
    expect(changes).toEqual([...updates, ...before, ...returns]);
  });

  it("goes back with what was touched when a revision does not start", async () => {
    const { code, changes } = await release({ BROKEN: "api" });
    expect(code).not.toBe(0);
    expect(changes).toEqual([...updates.slice(0, 3), ...returns.slice(0, 3)]);
  });

  it("changes nothing when a digest is missing, or a service has no single revision to go back to", async () => {
    const missing = await release({}, `tick ${digest("tick")}\n`);
    expect(missing).toMatchObject({ changes: [] });
    expect(missing.stderr).toContain("no digest of on-pipeline-released");
    const split = await release({ PERCENT: "50" });
    expect(split).toMatchObject({ changes: [] });
    expect(split.stderr).toContain("serves no single revision");
    expect(missing.code * split.code).not.toBe(0);
  });

  it("is none in a pull request", async () => {
    expect(await release({ _ROUTINE: "pull-request" })).toMatchObject({ code: 0, told: [""] });
  });
});

describe("images", () => {
  it("are pushed with a list of packages and the record of their build, but for those of an earlier try", async () => {
    const { told } = await images("push", { ABSENT: "api" });
    expect(told.join("\n")).toMatch(/buildx bake .*--sbom=true --provenance=mode=max --push api\n/);
    const again = await images("push");
    expect(again.told.join("\n")).not.toContain("bake");
    expect(again.stdout).toContain("was pushed before");
  });

  it("of a pull request are built without filling the cache, and never pushed", async () => {
    const built = await images("build", { _ROUTINE: "pull-request" });
    expect(built.told.join("\n")).toContain("--set *.cache-to=");
    expect(await images("push", { _ROUTINE: "pull-request" })).toMatchObject({
      code: 0,
      told: [""],
    });
  });

  it("of a tag are looked up and not built again", async () => {
    const env = { _ROUTINE: "tag" };
    expect(await images("build", env)).toMatchObject({ code: 0, told: [""] });
    expect(await images("push", env)).toMatchObject({ code: 0, told: [""] });
    const found = await images("digests", env);
    expect(found.told[0]).toContain("imagetools inspect r/tick:c0ffee0");
    expect(found.written()).toBe(
      names.map((name) => `${name} sha256:${"a".repeat(64)}\n`).join(""),
    );
  });

  it("that were never built are named", async () => {
    const { code, stderr } = await images("digests", { DIGEST: "none" });
    expect(code).toBe(1);
    expect(stderr).toContain("r/tick:c0ffee0 has no digest (none): was this commit built on main?");
  });
});
