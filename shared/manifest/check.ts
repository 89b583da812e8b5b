/** Rules that join several fields of a manifest; a field's own rules are in its schema. */
import { Cron } from "croner";
import { momentOf } from "../domain/freeze.js";
import { isMetricOf, metricsOfTask } from "./metrics.js";
import type { Manifest } from "./schema.js";

/** A rule that a manifest breaks, and where. */
export interface Breach {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

const cronError = (cron: string): string | null => {
  if (cron.trim().split(/\s+/).length !== 5) {
    return "needs the five fields of cron: minute hour day month weekday";
  }
  try {
    return new Cron(cron, { paused: true }).nextRun() === null ? "never comes due" : null;
  } catch (error) {
    // The library counts days and months from zero in its message, so its number is left out.
    const text = error instanceof Error ? error.message : String(error);
    return text.replace(/^CronPattern: /, "").replace(/: -?\d+$/, "");
  }
};

const repeated = (
  values: readonly string[],
  at: (index: number) => readonly PropertyKey[],
): readonly Breach[] =>
  values.flatMap((value, index) =>
    values.indexOf(value) === index
      ? []
      : [{ path: at(index), message: `"${value}" is used twice; each must be unique` }],
  );

const scheduleBreaches = ({ triggers }: Manifest): readonly Breach[] =>
  triggers.schedules.flatMap(({ cron }, index) => {
    const error = cronError(cron);
    const path = ["triggers", "schedules", index, "cron"];
    return error === null ? [] : [{ path, message: `"${cron}": ${error}` }];
  });

/** Whether a date and a time are in the calendar: 2026-02-31 is not. */
const isInCalendar = (text: string): boolean => {
  const moment = momentOf(text);
  if (moment.every !== "once") return true;
  return !Number.isNaN(moment.wallMs) && new Date(moment.wallMs).toISOString().startsWith(text);
};

const freezeBreaches = ({ freezeWindows }: Manifest): readonly Breach[] => [
  ...repeated(
    freezeWindows.map(({ name }) => name),
    (index) => ["freezeWindows", index, "name"],
  ),
  ...freezeWindows.flatMap(({ from, to }, index) => {
    const at = ["freezeWindows", index];
    const [first, last] = [momentOf(from), momentOf(to)];
    const isBackwards =
      first.every === "once" && last.every === "once" && first.wallMs >= last.wallMs;
    return [
      ...(["from", "to"] as const).flatMap((end) => {
        const text = end === "from" ? from : to;
        return isInCalendar(text)
          ? []
          : [{ path: [...at, end], message: `"${text}" is not in the calendar` }];
      }),
      ...(first.every === last.every
        ? []
        : [{ path: [...at, "to"], message: `"${to}" must have the form of from, "${from}"` }]),
      ...(isBackwards
        ? [{ path: [...at, "to"], message: `"${to}" is not after from, "${from}"` }]
        : []),
    ];
  }),
];

const evaluationBreaches = ({ evaluation }: Manifest): readonly Breach[] =>
  Object.entries(evaluation.thresholds).flatMap(([metric, { min, max }]) =>
    min !== undefined && max !== undefined && min > max
      ? [
          {
            path: ["evaluation", "thresholds", metric],
            message: `min ${min} is above max ${max}: nothing could pass`,
          },
        ]
      : [],
  );

const when = (isBroken: boolean, breach: Breach): readonly Breach[] => (isBroken ? [breach] : []);

/** What is predicted must fit the metrics, the label and the trainer. */
const taskBreaches = ({ evaluation, dataset, training }: Manifest): readonly Breach[] => {
  const { task, primaryMetric, thresholds, queryColumn } = evaluation;
  const isBinary = task === "binary-classification";
  const foreign = (metric: string, path: readonly PropertyKey[]): readonly Breach[] =>
    isMetricOf(task, metric)
      ? []
      : [
          {
            path,
            message: `is no metric of ${task}: use one of ${metricsOfTask[task].join(", ")}`,
          },
        ];
  return [
    ...(primaryMetric === undefined ? [] : foreign(primaryMetric, ["evaluation", "primaryMetric"])),
    ...Object.keys(thresholds).flatMap((name) => foreign(name, ["evaluation", "thresholds", name])),
    ...when(isBinary && dataset.positiveClass === undefined, {
      path: ["dataset", "positiveClass"],
      message: "is needed: which value of the label is the positive class?",
    }),
    ...when(task === "ranking" && queryColumn === undefined, {
      path: ["evaluation", "queryColumn"],
      message: "is needed to rank: which column says what query a row belongs to?",
    }),
    ...when(!isBinary && training.template === undefined, {
      path: ["training", "template"],
      message: `is needed: Continuo's own trainer makes binary classifiers, a model for ${task} comes from your template`,
    }),
  ];
};

const datasetBreaches = ({ dataset, evaluation }: Manifest): readonly Breach[] => {
  const features = dataset.features.map(({ name }) => name);
  const known = new Set([...features, dataset.label, ...Object.keys(dataset.schema.columns)]);
  return [
    ...repeated(features, (index) => ["dataset", "features", index, "name"]),
    ...features.flatMap((name, index) =>
      name === dataset.label
        ? [
            {
              path: ["dataset", "features", index, "name"],
              message: `"${name}" is the label; a model must not be given what it predicts`,
            },
          ]
        : [],
    ),
    ...evaluation.slices.flatMap(({ column }, index) =>
      known.has(column)
        ? []
        : [
            {
              path: ["evaluation", "slices", index, "column"],
              message: `"${column}" is neither a feature nor a column of dataset.schema`,
            },
          ],
    ),
  ];
};

const servingBreaches = ({ serving, promotion, monitoring }: Manifest): readonly Breach[] => [
  ...repeated(
    promotion.environments.map(({ name }) => name),
    (index) => ["promotion", "environments", index, "name"],
  ),
  ...repeated(
    promotion.environments.map(({ endpoint }) => endpoint),
    (index) => ["promotion", "environments", index, "endpoint"],
  ),
  ...(serving.replicasMin > serving.replicasMax
    ? [
        {
          path: ["serving", "replicasMin"],
          message: `${serving.replicasMin} is above replicasMax ${serving.replicasMax}`,
        },
      ]
    : []),
  ...Object.keys(serving.env).flatMap((name) =>
    name.startsWith("AIP_")
      ? [{ path: ["serving", "env", name], message: "AIP_ names belong to Vertex AI" }]
      : [],
  ),
  ...(["drift", "skew", "quality"] as const).flatMap((name) =>
    when(monitoring[name] !== undefined && monitoring.predictionLog === undefined, {
      path: ["monitoring", name],
      message: "needs monitoring.predictionLog: without logged predictions nothing is compared",
    }),
  ),
];

const ofAnalysis = (name: string): readonly PropertyKey[] => ["rollout", "analysis", name];

/** What the analysis is to look at must be written down somewhere. */
const analysisBreaches = ({ rollout, monitoring, evaluation }: Manifest): readonly Breach[] => {
  const { predictions, quality } = rollout.analysis;
  const needsLog = "needs monitoring.predictionLog: without logged predictions nothing is compared";
  const isLogged = monitoring.predictionLog !== undefined && monitoring.samplingRate > 0;
  const hasLoss = evaluation.task === "binary-classification" || evaluation.task === "regression";
  return [
    ...when(predictions !== undefined && !isLogged, {
      path: ofAnalysis("predictions"),
      message: needsLog,
    }),
    ...when(quality !== undefined && !isLogged, { path: ofAnalysis("quality"), message: needsLog }),
    ...when(quality !== undefined && monitoring.quality?.labels === undefined, {
      path: ofAnalysis("quality"),
      message: "needs monitoring.quality.labels: where do the labels come from?",
    }),
    ...when(quality !== undefined && !hasLoss, {
      path: ofAnalysis("quality"),
      message: `has no loss for ${evaluation.task}: it judges binary classification and regression`,
    }),
  ];
};

/** The rules between fields that a manifest breaks. */
export const breaches = (manifest: Manifest): readonly Breach[] => [
  ...scheduleBreaches(manifest),
  ...freezeBreaches(manifest),
  ...evaluationBreaches(manifest),
  ...taskBreaches(manifest),
  ...datasetBreaches(manifest),
  ...servingBreaches(manifest),
  ...analysisBreaches(manifest),
  ...(manifest.triggers.debounceSeconds > manifest.triggers.debounceSecondsMax
    ? [
        {
          path: ["triggers", "debounceSeconds"],
          message: `${manifest.triggers.debounceSeconds} is above debounceSecondsMax ${manifest.triggers.debounceSecondsMax}`,
        },
      ]
    : []),
  ...(manifest.budget.usdPerRunMax > manifest.budget.usdPerMonthMax
    ? [
        {
          path: ["budget", "usdPerRunMax"],
          message: `${manifest.budget.usdPerRunMax} is above usdPerMonthMax ${manifest.budget.usdPerMonthMax}: no run could start`,
        },
      ]
    : []),
];
