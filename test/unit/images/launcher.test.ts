import { describe, expect, it } from "vitest";
import { ImageError } from "../../../infra/images/arguments.js";
import { launchJob, type Launch } from "../../../infra/images/launcher/launch.js";
import { UncertainError, type VertexRequest } from "../../../infra/images/launcher/vertex-rest.js";

interface Job {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly createTime: string;
  state: string;
  polls: number;
}

/** A Vertex AI of one collection: jobs end after a few looks. */
function vertex(options: { readonly loseReplies?: number; readonly endState?: string } = {}) {
  const jobs: Job[] = [];
  let lost = 0;
  const request: VertexRequest = (method, path, body) => {
    if (method === "POST" && path === "customJobs") {
      const { labels } = body as { labels: Record<string, string> };
      const name = `projects/p/locations/l/customJobs/${jobs.length + 1}`;
      const createTime = `2026-01-01T00:00:0${jobs.length}Z`;
      const job = { name, labels, createTime, state: "JOB_STATE_RUNNING", polls: 0 };
      jobs.push(job);
      if (lost < (options.loseReplies ?? 0)) {
        lost += 1;
        return Promise.reject(new UncertainError("no reply"));
      }
      return Promise.resolve(job);
    }
    if (method === "GET" && path.startsWith("customJobs?")) {
      return Promise.resolve({ customJobs: jobs.map((job) => ({ ...job })) });
    }
    const job = jobs.find(({ name }) => name.endsWith(path.replace(":cancel", "")));
    if (job === undefined) return Promise.reject(new ImageError(`unknown ${path}`));
    if (path.endsWith(":cancel")) job.state = "JOB_STATE_CANCELLED";
    else if (job.state === "JOB_STATE_RUNNING") {
      job.polls += 1;
      if (job.polls > 2) job.state = options.endState ?? "JOB_STATE_SUCCEEDED";
    }
    return Promise.resolve({ ...job, error: { message: "out of memory" } });
  };
  return { jobs, request };
}

const launch = (signal: AbortSignal = new AbortController().signal): Launch => ({
  kind: "CustomJob",
  payload: { displayName: "train", labels: { team: "a" } },
  key: "run-1/train",
  pollMs: 1,
  signal,
  log: () => undefined,
});

describe("launching a job", () => {
  it("creates one job with its label and waits for its success", async () => {
    const { jobs, request } = vertex();
    const done = await launchJob(request, launch());
    expect(done.state).toBe("JOB_STATE_SUCCEEDED");
    expect(jobs).toHaveLength(1);
    expect(jobs[0]?.labels).toMatchObject({ team: "a" });
    expect(Object.keys(jobs[0]?.labels ?? {})).toContain("continuo-launch");
  });

  it("finds the job of an earlier attempt instead of creating a second one", async () => {
    const { jobs, request } = vertex();
    await launchJob(request, launch());
    await launchJob(request, launch());
    expect(jobs).toHaveLength(1);
  });

  it("does not double the job when the reply to its creation is lost", async () => {
    const { jobs, request } = vertex({ loseReplies: 1 });
    const done = await launchJob(request, launch());
    expect(done.state).toBe("JOB_STATE_SUCCEEDED");
    expect(jobs).toHaveLength(1);
  });

  it("keeps the oldest of two and cancels the other", async () => {
    const { jobs, request } = vertex();
    await request("POST", "customJobs", { labels: {} });
    await request("POST", "customJobs", { labels: {} });
    const done = await launchJob(request, launch());
    expect(done.name).toBe(jobs[0]?.name);
    expect(jobs[1]?.state).toBe("JOB_STATE_CANCELLED");
  });

  it("fails with the job's message", async () => {
    const { request } = vertex({ endState: "JOB_STATE_FAILED" });
    await expect(launchJob(request, launch())).rejects.toThrow(/JOB_STATE_FAILED: out of memory/);
  });

  it("cancels the job when the task is stopped", async () => {
    const stop = new AbortController();
    const { jobs, request } = vertex();
    const stopping: VertexRequest = (method, path, body) => {
      if (path === "customJobs/1") stop.abort();
      return request(method, path, body);
    };
    await expect(launchJob(stopping, launch(stop.signal))).rejects.toThrow(/was cancelled/);
    expect(jobs[0]?.state).toBe("JOB_STATE_CANCELLED");
  });
});
