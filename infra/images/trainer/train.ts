/** Trains a model on a table: encodes features, fits, and describes what it saw. */
import { areaUnderRoc } from "../../../shared/statistics/auc.js";
import { logLoss } from "../../../shared/statistics/classification.js";
import {
  categoricalDistribution,
  distributionEdges,
  numericDistribution,
} from "../../../shared/statistics/drift.js";
import type { Distribution } from "../../../events/artifacts.js";
import { ImageError } from "../arguments.js";
import type { Configuration } from "../configuration.js";
import { readLabels } from "../labels.js";
import type { Model } from "../model/schema.js";
import { compilePredictor, encodeTable, scoreColumns, sigmoid } from "../model/score.js";
import { asText, isMissing, textAt, type Table } from "../table/table.js";
import {
  boostingParameters,
  categoriesMax,
  trainGradientBoosting,
  type TrainingRows,
} from "./gradient-boosting.js";
import { logisticParameters, trainLogisticRegression } from "./logistic-regression.js";

/** Version of the trainer, written into every model; a change of results raises it. */
const trainerVersion = "1.0.0";

const rowsMin = 50;

/** The most frequent categories of a feature, in an order that does not depend on the rows' order. */
function categoriesOf(table: Table, name: string): string[] {
  const column = table.columns.get(name);
  if (column === undefined) throw new ImageError(`the feature ${name} is not in the training rows`);
  const { codes, dictionary } = asText(column);
  const counts = new Float64Array(dictionary.length);
  for (const code of codes) if (code >= 0) counts[code] = (counts[code] ?? 0) + 1;
  const present = dictionary.map((text, code) => ({ text, count: counts[code] ?? 0 }));
  return present
    .filter(({ count }) => count > 0)
    .toSorted((a, b) => b.count - a.count || (a.text < b.text ? -1 : 1))
    .slice(0, categoriesMax)
    .map(({ text }) => text)
    .toSorted();
}

/** Features as the model stores them. */
function featuresOf(table: Table, configuration: Configuration): Model["features"] {
  return configuration.features.map(({ name, type }) =>
    type === "numeric" ? { name, type } : { name, type, categories: categoriesOf(table, name) },
  );
}

/** Distribution of a feature on the training rows. */
function distributionOf(feature: Model["features"][number], table: Table): Distribution {
  const column = table.columns.get(feature.name);
  if (column === undefined) throw new ImageError(`the feature ${feature.name} is not in the rows`);
  if (feature.type === "numeric" && column.type !== "string") {
    return spread(column.values);
  }
  const rows = Array.from({ length: table.rows }, (_, row) => row);
  const values = rows.map((row) => (isMissing(column, row) ? undefined : textAt(column, row)));
  const { counts, other, missing } = categoricalDistribution(values);
  return { type: "categorical", counts: { ...counts }, other, missing };
}

/** Distribution of numbers over edges of their own. */
function spread(values: Float64Array): Distribution {
  const edges = distributionEdges(values.filter((value) => !Number.isNaN(value)).toSorted());
  const { counts, missing } = numericDistribution(values, edges);
  return { type: "numeric", edges: [...edges], counts: [...counts], missing };
}

/** Fits the configured algorithm; unknown parameters are errors. */
function fit(
  rows: TrainingRows,
  { trainer }: Configuration,
): { readonly predictor: Model["predictor"]; readonly scores: Float64Array } {
  const parse = trainer.algorithm === "gradient-boosting" ? boostingParameters : logisticParameters;
  const checked = parse.safeParse(trainer.parameters);
  if (!checked.success) {
    const issue = checked.error.issues[0];
    throw new ImageError(
      `trainer.parameters${issue === undefined ? "" : `.${issue.path.join(".")}: ${issue.message}`}; ${trainer.algorithm} knows ${Object.keys(parse.shape).join(", ")}`,
    );
  }
  if (trainer.algorithm === "gradient-boosting") {
    const parameters = boostingParameters.parse(trainer.parameters);
    const { predictor, logOdds } = trainGradientBoosting(rows, parameters);
    return { predictor, scores: logOdds.map(sigmoid) };
  }
  const predictor = trainLogisticRegression(rows, logisticParameters.parse(trainer.parameters));
  return { predictor, scores: scoreColumns(compilePredictor(predictor), rows.columns) };
}

/** A complete model from training rows. */
export function trainModel(
  table: Table,
  configuration: Configuration,
  origin: { readonly datasets: readonly string[]; readonly before: string | undefined },
): Model {
  const { labels, classes } = readLabels(table, configuration.label, configuration.positiveClass);
  const positives = labels.reduce((sum, label) => sum + label, 0);
  if (table.rows < rowsMin || positives === 0 || positives === table.rows) {
    throw new ImageError(
      `training needs ${rowsMin} rows of both classes: there are ${table.rows} rows, ${positives} of them ${classes[1]}`,
    );
  }
  const features = featuresOf(table, configuration);
  const columns = encodeTable(features, table);
  const { predictor, scores } = fit({ features, columns, labels }, configuration);
  const distributions = Object.fromEntries(
    features.map((feature) => [feature.name, distributionOf(feature, table)] as const),
  );
  return {
    format: "continuo-model",
    formatVersion: 1,
    trainer: { name: "continuo-trainer", version: trainerVersion },
    algorithm: predictor.algorithm,
    parameters: configuration.trainer.parameters,
    seed: configuration.trainer.seed,
    label: configuration.label,
    classes: [...classes],
    features,
    training: {
      rows: table.rows,
      positiveRate: positives / table.rows,
      ...(origin.before === undefined ? {} : { before: origin.before }),
      datasets: [...origin.datasets],
      metrics: { auc: areaUnderRoc(labels, scores), logLoss: logLoss(labels, scores) },
      distributions,
      score: spread(scores),
    },
    predictor,
  };
}
