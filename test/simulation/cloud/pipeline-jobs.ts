/** Vertex AI Pipelines in memory: jobs that run by themselves, end in every way, and tell about it or not. */
import type { RunId } from "../../../events/ids.js";
import type { PipelineJobFacts, TaskState } from "../../../shared/domain/facts.js";
import type { EvaluationSummary } from "../../../shared/domain/state.js";
import type { Pipelines } from "../../../shared/ports/vertex.js";
import { randomOf } from "../random.js";
import { tellJobState, type CloudContext } from "./context.js";
import { staleReads } from "./stale-reads.js";

/** One job. */
export interface Job {
  readonly run: RunId;
  /** The run that its label names: what a person who lists jobs goes by. */
  readonly label: string;
  readonly startedAtMs: number;
  facts: PipelineJobFacts;
  isCancelling: boolean;
}

/** The Pipelines port, and what a check may look at. */
export interface PipelineJobs {
  readonly port: Pipelines;
  readonly jobs: ReadonlyMap<RunId, Job>;
  /** The jobs of a run: one, and one more for each time that it was tried again. */
  readonly jobsOf: (run: string) => readonly Job[];
}

const minute = 60_000;

type Fate =
  | "accept"
  | "reject"
  | "stop"
  | "ask"
  | "fail"
  | "no machines"
  | "no evaluation"
  | "late failure"
  | "hang";

const isOver = ({ state }: PipelineJobFacts): boolean =>
  state === "succeeded" || state === "failed" || state === "cancelled";

const evaluationOf = (run: RunId, outcome: "accept" | "reject"): EvaluationSummary => ({
  report: `gs://demo-bucket/reports/${run}.json`,
  outcome,
  reasons: [outcome === "accept" ? "no worse than the champion" : "auc 0.4 is below 0.6"],
  numbers: { "challenger.auc": outcome === "accept" ? 0.7 : 0.4 },
  artifact: `gs://demo-bucket/artifacts/${run}`,
  artifactDigest: `sha256:${run}`,
});

const gateOf = (run: RunId, verdict: "go" | "stop" | "ask") => ({
  verdict,
  reasons: verdict === "go" ? [] : ["age: 30 % missing"],
  profileUri: `gs://demo-bucket/profiles/${run}.json`,
});

/** Makes the pipelines of a region. */
export const pipelineJobs = (context: CloudContext): PipelineJobs => {
  const { seed, scheduler, profile } = context;
  const jobs = new Map<RunId, Job>();
  const ofRun = new Map<string, Job[]>();
  const reads = staleReads<RunId, PipelineJobFacts | null>(context, "a job");

  const change = (run: RunId, next: Partial<PipelineJobFacts>): void => {
    const job = jobs.get(run);
    if (job === undefined || isOver(job.facts)) return;
    const before = job.facts.state;
    job.facts = { ...job.facts, ...next };
    reads.changed(run, job.facts);
    if (job.facts.state !== before) tellJobState(context, run, job.facts.state.toUpperCase());
  };

  const secondsOf = (job: Job): number => (scheduler.nowMs() - job.startedAtMs) / 1000;

  const end = (run: RunId, fate: Fate): void => {
    const job = jobs.get(run);
    if (job === undefined) return;
    const machineSeconds = secondsOf(job);
    switch (fate) {
      case "accept":
      case "reject":
        return change(run, {
          state: "succeeded",
          dataGate: gateOf(run, "go"),
          evaluation: evaluationOf(run, fate),
          machineSeconds,
        });
      case "no evaluation":
        return change(run, { state: "succeeded", dataGate: gateOf(run, "go"), machineSeconds });
      case "stop":
      case "ask":
        return change(run, { state: "succeeded", dataGate: gateOf(run, fate), machineSeconds });
      case "no machines":
        return change(run, {
          state: "failed",
          error: "RESOURCE_EXHAUSTED: no machines are left in this zone",
          isRetriable: true,
          machineSeconds,
        });
      case "fail":
      case "late failure":
        return change(run, { state: "failed", error: "task train exited with 1", machineSeconds });
      case "hang":
        return undefined;
    }
  };

  const tasks = (profileTask: TaskState, train: TaskState, evaluate: TaskState) => ({
    profile: profileTask,
    train,
    evaluate,
  });

  const play = (run: RunId): void => {
    const random = randomOf(seed, `job/${run}`);
    const fate: Fate = random.chance(profile().lateFailure)
      ? "late failure"
      : random.pick([
          "accept",
          "accept",
          "accept",
          "accept",
          "accept",
          "accept",
          "reject",
          "stop",
          "ask",
          "fail",
          "no machines",
          "no evaluation",
          "hang",
        ]);
    const begunMs = random.between(0, minute);
    const profiledMs = begunMs + random.between(10_000, 2 * minute);
    const trainedMs = profiledMs + random.between(minute, 12 * minute);
    const evaluatedMs = trainedMs + random.between(10_000, 2 * minute);
    scheduler.after(begunMs, () =>
      change(run, { state: "running", tasks: tasks("running", "pending", "pending") }),
    );
    if (fate === "stop" || fate === "ask") {
      scheduler.after(profiledMs, () => end(run, fate));
      return;
    }
    scheduler.after(profiledMs, () =>
      change(run, { tasks: tasks("succeeded", "running", "pending") }),
    );
    if (fate === "hang") return;
    scheduler.after(trainedMs, () =>
      fate === "fail" || fate === "no machines" || fate === "late failure"
        ? end(run, fate)
        : change(run, { tasks: tasks("succeeded", "succeeded", "running") }),
    );
    scheduler.after(evaluatedMs, () => end(run, fate));
  };

  return {
    jobs,
    jobsOf: (run) => ofRun.get(run) ?? [],
    port: {
      submit: async ({ run, labels }) => {
        if (jobs.has(run)) return;
        const facts: PipelineJobFacts = {
          state: "pending",
          error: null,
          tasks: {},
          dataGate: null,
          evaluation: null,
          machineSeconds: 0,
        };
        const label = labels["continuo-run"] ?? run;
        const job: Job = {
          run,
          label,
          startedAtMs: scheduler.nowMs(),
          facts,
          isCancelling: false,
        };
        jobs.set(run, job);
        ofRun.set(label, [...(ofRun.get(label) ?? []), job]);
        reads.changed(run, facts);
        play(run);
      },
      get: async (run) => reads.read(run) ?? null,
      cancel: async (run) => {
        const job = jobs.get(run);
        if (job === undefined || isOver(job.facts) || job.isCancelling) return;
        job.isCancelling = true;
        scheduler.after(randomOf(seed, `cancel/${run}`).between(1000, 3 * minute), () =>
          change(run, { state: "cancelled", machineSeconds: secondsOf(job) }),
        );
      },
    },
  };
};
