/** What models predict, and the metrics that can gate a challenger. */

/** The metrics of every task; the first one is the usual choice. */
export const metricsOfTask = {
  "binary-classification": ["auc", "accuracy", "log-loss", "brier", "average-precision"],
  "multi-class-classification": ["log-loss", "accuracy", "macro-f1", "brier"],
  regression: ["rmse", "mae", "r-squared"],
  ranking: ["ndcg", "mrr"],
} as const;

/** What a model predicts. */
export type Task = keyof typeof metricsOfTask;
/** A metric that can gate a challenger. */
export type MetricName = (typeof metricsOfTask)[Task][number];

/** Every task's name. */
export const taskNames = [
  "binary-classification",
  "multi-class-classification",
  "regression",
  "ranking",
] as const satisfies readonly Task[];

/** Every metric's name. */
export const metricNames: readonly MetricName[] = [
  ...new Set<MetricName>(Object.values(metricsOfTask).flat()),
];

/** Whether a metric can gate a model of this task. */
export const isMetricOf = (task: Task, name: string): boolean =>
  metricsOfTask[task].some((metric) => metric === name);
