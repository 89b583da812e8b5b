/** A model's manifest: everything Continuo is told about one model. Defaults are filled in here and nowhere else. */
import { z } from "zod";
import { modelName } from "../../events/ids.js";
import { timerProblem } from "../domain/cron.js";
import { isTimeZone } from "../domain/wall-clock.js";
import { metricNames, taskNames } from "./metrics.js";

const name = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,61}[a-z0-9]$/, "2 to 63 characters: a-z, 0-9 and -");
const column = z.string().min(1).max(128);
const image = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._/:@-]{0,511}$/i, "must be a container image name");
const gcsUri = z.string().regex(/^gs:\/\/[^\s/]+\/?\S*$/, "must be gs://bucket/path");
const seconds = z
  .int()
  .min(0)
  .max(90 * 86_400);
const share = z.number().min(0).max(1);

const accelerator = z.strictObject({
  type: z.string().regex(/^[A-Z0-9_]+$/, "an AcceleratorType of Vertex AI, for example NVIDIA_L4"),
  count: z.int().min(1).max(16),
});

const machine = z.strictObject({
  type: z
    .string()
    .regex(/^[a-z0-9]+-[a-z0-9-]+$/, "a machine type, for example n1-standard-4")
    .default("n1-standard-4"),
  accelerator: accelerator.optional(),
  /** The tasks of a PipelineJob, and replicas that must not go away, cannot be on spot machines. */
  spot: z
    .boolean()
    .refine(
      (spot) => !spot,
      "spot machines need a CustomJob: give training.template a pipeline whose task runs the launcher image with jobSpec.scheduling.strategy SPOT, and leave spot out",
    )
    .default(false),
});

const columnRule = z.strictObject({
  type: z.enum(["number", "integer", "string", "boolean", "timestamp"]),
  required: z.boolean().default(true),
  min: z.number().optional(),
  max: z.number().optional(),
  domain: z.array(z.string()).max(10_000).optional(),
  /** Largest allowed share of missing values. */
  missingShareMax: share.default(0),
});

const people = z.strictObject({
  quorum: z.int().min(1).max(10).default(1),
  expiresSeconds: seconds.min(1).default(7 * 86_400),
  /** Whether who asked for it, by a run or an alias, may approve it too. */
  ownChange: z.enum(["refuse", "allow"]).default("refuse"),
});

const dataset = z.strictObject({
  name,
  /** Foreign addresses that mean this dataset: gs://bucket/prefix/, bq://project.dataset.table, airflow://dag. */
  matches: z.array(z.string().min(1).max(512)).max(20).default([]),
  label: column,
  /** The class that counts as positive: binary classification needs it, nothing else has one. */
  positiveClass: z.string().min(1).max(128).optional(),
  timeColumn: column.optional(),
  /** The newest version's last days, which are never trained on and score both models. */
  holdoutDays: z.int().min(1).max(365).default(7),
  /** How many dataset versions, the newest included, a run trains on. */
  versionsMax: z.int().min(1).max(36).default(3),
  features: z
    .array(z.strictObject({ name: column, type: z.enum(["numeric", "categorical"]) }))
    .min(1)
    .max(2000),
  schema: z
    .strictObject({
      columns: z.record(column, columnRule).default({}),
      unexpectedColumns: z.enum(["stop", "ask", "allow"]).default("allow"),
    })
    .prefault({}),
  /** Largest shift against the previous version that still trains. */
  drift: z
    .strictObject({
      jsdMax: z.number().positive().default(0.3),
      linfMax: z.number().positive().default(0.3),
    })
    .prefault({}),
  /** Who decides when the data gate asks; a run waits for them until it expires. */
  approval: people.prefault({ expiresSeconds: 3 * 86_400 }),
});

const timeZone = z
  .string()
  .min(1)
  .max(64)
  .refine(isTimeZone, { error: ({ input }) => `"${String(input)}" is no IANA time zone` })
  .default("Etc/UTC");

const schedule = z
  .strictObject({
    name,
    cron: z.string().min(9).max(100),
    timeZone,
    /**
     * scheduler: a Cloud Scheduler job, visible and pausable where its users look. timer: a document of Continuo's
     * own, for fleets with more schedules than Cloud Scheduler has jobs; it fires at the tick after its minute.
     */
    backend: z.enum(["scheduler", "timer"]).default("scheduler"),
  })
  .superRefine(({ cron, timeZone: zone, backend }, context) => {
    if (backend === "scheduler") return;
    const problem = timerProblem(cron, zone);
    if (problem !== null) context.addIssue({ code: "custom", path: ["cron"], message: problem });
  });

/** What an alert leads to: nothing, a word to people, one that wakes them, or a training run. */
const answer = z.enum(["ignore", "notify", "page", "retrain"]);

const triggers = z.strictObject({
  newData: z.boolean().default(true),
  schedules: z.array(schedule).max(10).default([]),
  drift: answer.default("retrain"),
  skew: answer.default("notify"),
  decay: answer.default("retrain"),
  newPipeline: z.boolean().default(true),
  /** `challenger`, set by hand on a version, asks for its rollout. */
  registryAliases: z.boolean().default(true),
  /** A trigger waits this long for more of its kind, at most `debounceSecondsMax` since the first. */
  debounceSeconds: seconds.default(60),
  debounceSecondsMax: seconds.default(600),
  /** Least time from a run's start to the next one's; new data is not held back by it. */
  cooldownSeconds: seconds.default(3600),
  /** Live runs of this model: one, and what arrives meanwhile joins the next one. */
  concurrentRunsMax: z
    .int()
    .default(1)
    .refine(
      (runs) => runs === 1,
      "must be 1: each run is scored against the champion that it would replace, so the next one waits for it; to train side by side, apply a second manifest under another name",
    ),
  /** Runs in a row without a promotion after which the model is parked. */
  fruitlessRunsMax: z.int().min(1).max(1000).default(20),
  /** An alert this soon after our own promotion parks the model where it can be the promotion's own doing. */
  ownChangeSeconds: seconds.default(6 * 3600),
});

const moment = z
  .string()
  .regex(
    /^(?:(?:(?:mon|tue|wed|thu|fri|sat|sun) )?|20\d\d-[01]\d-[0-3]\dT)(?:[01]\d|2[0-3]):[0-5]\d$/,
    'must be a weekday and a time ("fri 16:00"), a time of every day ("22:00") or a date and a time ("2026-12-20T00:00")',
  );

const freezeWindow = z.strictObject({
  name,
  /** By the wall clock of `timeZone`; both ends of the same form. */
  from: moment,
  to: moment,
  timeZone,
  /** Runs that a person asks for wait too; roll-backs and aborts never do. */
  stops: z
    .array(z.enum(["runs", "rollouts"]))
    .min(1)
    .default(["runs", "rollouts"]),
});

/** How long a run may stay in each phase; `training.timeoutSeconds` bounds its job's three together. */
const phaseTimeouts = z.strictObject({
  /** Until its job is submitted, the queue for Vertex AI's quota included; then the run has failed. */
  requestedSeconds: seconds.min(60).default(86_400),
  /** These three: then its job is cancelled and the run has failed. Training may take all of timeoutSeconds. */
  validatingSeconds: seconds.min(1).default(2 * 3600),
  trainingSeconds: seconds.min(1).optional(),
  evaluatingSeconds: seconds.min(1).default(2 * 3600),
  /** Until its evaluation is announced; then the tick judges it without the announcement. */
  judgingSeconds: seconds.min(1).default(600),
  /** Until its version shows in the registry; then the run has failed. */
  registeringSeconds: seconds.min(1).default(3600),
  /** Until its cancelled job has ended; then the run is parked and a person is told. */
  cancellingSeconds: seconds.min(600).default(2 * 3600),
});

const training = z.strictObject({
  /** A compiled pipeline template; absent means Continuo's own (profile, train, score, evaluate). */
  template: gcsUri.optional(),
  /** The training image of Continuo's own template. */
  image: image.default("continuo/trainer"),
  machine: machine.prefault({}),
  timeoutSeconds: seconds.min(1).default(4 * 3600),
  phaseTimeouts: phaseTimeouts.prefault({}),
  /** How often a PipelineJob that failed for lack of machines, or by the cloud's own fault, is tried again. */
  retriesMax: z.int().min(0).max(5).default(2),
  trainer: z
    .strictObject({
      algorithm: z.enum(["gradient-boosting", "logistic-regression"]).default("gradient-boosting"),
      parameters: z.record(z.string(), z.number()).default({}),
      seed: z.int().min(0).default(1),
    })
    .prefault({}),
  /** Extra parameters of the user's own template. */
  parameters: z.record(z.string(), z.unknown()).default({}),
});

const metric = z.enum(metricNames);

const evaluation = z.strictObject({
  task: z.enum(taskNames).default("binary-classification"),
  /** The metric that decides; without it the task's usual one: auc, log-loss, rmse or ndcg. */
  primaryMetric: metric.optional(),
  /** Ranking: the column that says which query a row belongs to. */
  queryColumn: column.optional(),
  thresholds: z
    .partialRecord(
      metric,
      z.strictObject({ min: z.number().optional(), max: z.number().optional() }),
    )
    .default({}),
  comparison: z
    .strictObject({
      mode: z.enum(["superiority", "non-inferiority"]).default("non-inferiority"),
      /** How much worse the challenger may be, in the metric's own unit. */
      margin: z.number().min(0).default(0.005),
      alpha: z.number().gt(0).lt(0.5).default(0.05),
    })
    .prefault({}),
  slices: z
    .array(
      z.strictObject({
        column,
        rowsMin: z.int().min(1).default(300),
        /** How much worse a slice may be; the comparison's margin when absent. */
        margin: z.number().min(0).optional(),
        /** Values that are tested apart from the others, so that many slices do not blunt their test. */
        guards: z.array(z.string().max(128)).max(20).default([]),
      }),
    )
    .max(20)
    .default([]),
  /** What a version may take. */
  limits: z
    .strictObject({
      modelBytesMax: z.number().positive().optional(),
      /** The challenger's time to score a row, as a multiple of the champion's. */
      scoringTimeRatioMax: z.number().positive().optional(),
      /** US dollars of the serving machine that a million rows may take. */
      usdPerMillionRowsMax: z.number().positive().optional(),
    })
    .prefault({}),
});

const approval = z.discriminatedUnion("by", [
  z.strictObject({ by: z.literal("automatic") }),
  people.extend({ by: z.literal("people") }),
]);

const environment = z.strictObject({
  name,
  /** Vertex AI endpoint id in this project; made by `continuo apply` when it is missing. */
  endpoint: name,
  approval: approval.prefault({ by: "automatic" }),
});

const promotion = z.strictObject({
  /** In order; the last one is production and gets the canary, the others a smoke and latency test. */
  environments: z.array(environment).min(1).max(5),
  smokeTest: z
    .strictObject({
      requests: z.int().min(1).max(1000).default(50),
      errorsMax: z.int().min(0).default(0),
      latencyP95MsMax: z.number().positive().default(500),
    })
    .prefault({}),
});

const serving = z.strictObject({
  image: image.default("continuo/predictor"),
  healthRoute: z.string().startsWith("/").default("/health"),
  predictRoute: z.string().startsWith("/").default("/predict"),
  env: z.record(z.string(), z.string()).default({}),
  machine: machine.prefault({ type: "n1-standard-2" }),
  replicasMin: z.int().min(1).max(1000).default(1),
  replicasMax: z.int().min(1).max(1000).default(1),
});

const rollout = z.strictObject({
  strategy: z.literal("canary").default("canary"),
  /** Percent of production traffic at each step. */
  steps: z
    .array(z.int().min(1).max(100))
    .min(1)
    .max(20)
    .default([1, 10, 20, 50, 100])
    .refine((steps) => steps.at(-1) === 100, "the last step must be 100")
    .refine(
      (steps) => steps.every((step, index) => index === 0 || step > (steps[index - 1] ?? 0)),
      "steps must rise",
    ),
  /** Least time at one step. */
  bakeSeconds: seconds.default(600),
  analysis: z
    .strictObject({
      /** Points younger than this are not counted: they are still arriving. */
      ingestDelaySeconds: seconds.default(240),
      /** Challenger requests that a step needs before it may advance. */
      requestsMin: z.int().min(1).default(200),
      /** Type I error of a rollback, over the whole rollout and all looks. */
      alpha: z.number().gt(0).lt(0.5).default(0.05),
      /** A challenger whose error rate is at most this multiple of the champion's is fine. */
      errorRatioMax: z.number().min(1).default(1.2),
      /** Likewise for the share of requests slower than the champion's quantiles. */
      latencyRatioMax: z.number().min(1).default(1.5),
      /** A challenger whose memory keeps growing is fine until it holds this multiple of the champion's. */
      memoryRatioMax: z.number().min(1).default(1.5),
      /** A challenger's replica may be this many times as busy as the champion's at the same time. */
      cpuRatioMax: z.number().min(1).default(2),
      /** The challenger's predictions beside the champion's, from monitoring.predictionLog. */
      predictions: z
        .strictObject({
          /** A tenth of the champion's earlier scores, or a class, may be this many times as frequent. */
          ratioMax: z.number().min(1).default(1.5),
          /** Logged requests of the challenger that a step needs before it may advance. */
          requestsMin: z.int().min(20).default(100),
        })
        .optional(),
      /** A time series of your own in Cloud Monitoring: a mean or a rate, with a label for the deployed model. */
      business: z
        .strictObject({
          metric: z
            .string()
            .regex(
              /^[a-z0-9.-]+\.[a-z]+\/[A-Za-z0-9_./-]{1,200}$/,
              "must be a metric type, for example custom.googleapis.com/shop/conversion",
            ),
          better: z.enum(["higher", "lower"]),
          label: z
            .string()
            .regex(/^[a-z][a-z0-9_]{0,99}$/, "a metric label: a-z, 0-9 and _")
            .default("deployed_model_id"),
          /** How much worse the challenger may be, as a share of the champion's value. */
          worseShareMax: share.default(0.05),
          /** Points of one model in a window of this length count as their mean. */
          windowSeconds: seconds.min(1).default(60),
          /** Windows with both models that a step needs before it may advance. */
          windowsMin: z.int().min(10).max(10_000).default(10),
        })
        .optional(),
      /** Losses of predictions whose label has come (monitoring.quality says where), over the whole rollout. */
      quality: z
        .strictObject({
          /** The challenger's mean loss may be this multiple of the champion's. */
          lossRatioMax: z.number().min(1).default(1.1),
          /** Labelled predictions of the challenger that a step waits for; labels that come late wait for none. */
          labelsMin: z.int().min(0).default(0),
        })
        .optional(),
      /** Without a verdict for this long, the rollout is parked and a person is told. */
      inconclusiveSecondsMax: seconds.min(1).default(6 * 3600),
    })
    .prefault({}),
});

/** How far served values may lie from others; a window with fewer rows gives no verdict. */
const distances = z.strictObject({
  rowsMin: z.int().min(50).default(1000),
  jsdMax: z.number().positive().default(0.1),
  linfMax: z.number().positive().default(0.1),
});

const quality = z.strictObject({
  rowsMin: z.int().min(50).default(500),
  /** How far the area under the ROC curve may fall below its evaluation. */
  dropMax: z.number().positive().max(0.5).default(0.05),
  /** Folder of JSON lines {"id", "label"}; without it quality is only estimated. */
  labels: gcsUri.optional(),
  /** The instance field that names a prediction, and that labels are joined by. */
  idField: column.default("id"),
  /** Labels take this long; younger predictions are not expected to have one. */
  labelDelaySeconds: seconds.default(86_400),
  /** Least share of the older predictions that must have their label. */
  coverageMin: share.default(0.8),
});

const monitoring = z.strictObject({
  /** Where requests and responses are logged: a table of BigQuery, or our own JSON lines in a local folder. */
  predictionLog: z
    .string()
    .max(512)
    .regex(
      /^(?:gs:\/\/[^\s/]+\/?\S*|bq:\/\/(?:[a-z0-9.-]{1,100}:)?[a-z0-9-]{1,63}\.\w+(?:\.[\w-]+)?)$/,
      "must be bq://project.dataset.table, or a gs:// folder on a local cloud",
    )
    .optional(),
  samplingRate: share.default(1),
  /** The newest served rows against the first that the champion served. */
  drift: distances.optional(),
  /** The newest served rows against the champion's training rows. */
  skew: distances.optional(),
  /** The champion's quality, by labels where they come and by its own confidence before. */
  quality: quality.optional(),
});

const budget = z.strictObject({
  usdPerRunMax: z.number().positive().default(50),
  usdPerMonthMax: z.number().positive().default(500),
});

/** Schema of `kind: Model`, version `continuo/v1`. */
export const manifestSchema = z.strictObject({
  apiVersion: z.literal("continuo/v1"),
  kind: z.literal("Model"),
  name: modelName,
  description: z.string().max(2000).optional(),
  owner: z.string().max(256).default("unknown"),
  /** observe-only: every decision is made and recorded, nothing is done. */
  mode: z.enum(["active", "observe-only"]).default("active"),
  labels: z.record(name, z.string().regex(/^[a-z0-9_-]{0,63}$/)).default({}),
  dataset,
  triggers: triggers.prefault({}),
  freezeWindows: z.array(freezeWindow).max(20).default([]),
  training: training.prefault({}),
  evaluation: evaluation.prefault({}),
  promotion,
  serving: serving.prefault({}),
  rollout: rollout.prefault({}),
  monitoring: monitoring.prefault({}),
  budget: budget.prefault({}),
});

/** A validated manifest with every default filled in. */
export type Manifest = Readonly<z.infer<typeof manifestSchema>>;
