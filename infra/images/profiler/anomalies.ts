/** What is wrong with a dataset version: sentences with numbers, and the data gate's verdict. */
import type { Anomalies, Anomaly, ColumnProfile, Profile } from "../../../events/artifacts.js";
import { columnDrift } from "../../../shared/statistics/drift.js";
import type { ColumnRule, Configuration } from "../configuration.js";
import { asText, type Column, type Table } from "../table/table.js";
import { distributionLike } from "./profile.js";

const percent = (share: number): string => `${(100 * share).toFixed(share < 0.01 ? 2 : 1)} %`;
const brief = (value: number): string => String(Number(value.toPrecision(4)));

/** A value as it may stand in a sentence. */
const quoted = (value: string): string => JSON.stringify(value.slice(0, 40));

/** Whether a column's type satisfies the type that the schema asks for. */
function hasType(found: Column["type"], wanted: ColumnRule["type"]): boolean {
  return found === wanted || (found === "integer" && wanted === "number");
}

/** The rule of every column that matters: the schema's, and the features and label, which are required. */
function rulesOf(configuration: Configuration): ReadonlyMap<string, Partial<ColumnRule>> {
  const { features, label, timeColumn, schema } = configuration;
  const needed = [
    ...features.map(({ name }) => name),
    label,
    ...(timeColumn === undefined ? [] : [timeColumn]),
  ];
  const implied = needed.map((name) => [name, { required: true }] as const);
  return new Map<string, Partial<ColumnRule>>([...implied, ...Object.entries(schema.columns)]);
}

function missingColumns(
  table: Table,
  rules: ReadonlyMap<string, Partial<ColumnRule>>,
): readonly Anomaly[] {
  return [...rules]
    .filter(([name, rule]) => rule.required !== false && !table.columns.has(name))
    .map(([column]) => ({
      column,
      kind: "missing-column",
      severity: "stop",
      message: `column ${column} is missing; the file has ${[...table.columns.keys()].slice(0, 20).join(", ")}`,
      numbers: {},
    }));
}

function unexpectedColumns(
  table: Table,
  rules: ReadonlyMap<string, Partial<ColumnRule>>,
  { schema }: Configuration,
): readonly Anomaly[] {
  const severity = schema.unexpectedColumns;
  if (severity === "allow") return [];
  return [...table.columns.keys()]
    .filter((name) => !rules.has(name))
    .map((column) => ({
      column,
      kind: "unexpected-column",
      severity,
      message: `column ${column} is not in the schema`,
      numbers: {},
    }));
}

function wrongType(name: string, column: Column, rule: Partial<ColumnRule>): readonly Anomaly[] {
  if (rule.type === undefined || hasType(column.type, rule.type)) return [];
  const example = asText(column).dictionary.find((text) => Number.isNaN(Number(text)));
  const shown = example === undefined ? "" : `, for example ${quoted(example)}`;
  return [
    {
      column: name,
      kind: "type",
      severity: "stop",
      message: `column ${name} must be of type ${rule.type}, it holds ${column.type} values${shown}`,
      numbers: {},
    },
  ];
}

function wrongRange(name: string, column: Column, rule: Partial<ColumnRule>): readonly Anomaly[] {
  if (column.type === "string" || (rule.min === undefined && rule.max === undefined)) return [];
  const { min = -Infinity, max = Infinity } = rule;
  let outside = 0;
  let [low, high] = [Infinity, -Infinity];
  for (const value of column.values) {
    if (value < min || value > max) outside += 1;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (outside === 0) return [];
  const share = outside / column.values.length;
  return [
    {
      column: name,
      kind: "range",
      severity: "stop",
      message: `column ${name} must lie in [${min}, ${max}]: ${outside} of ${column.values.length} values (${percent(share)}) do not, they span ${brief(low)} to ${brief(high)}`,
      numbers: { outside, share, low, high },
    },
  ];
}

function wrongDomain(name: string, column: Column, rule: Partial<ColumnRule>): readonly Anomaly[] {
  if (rule.domain === undefined) return [];
  const allowed = new Set(rule.domain);
  const { codes, dictionary } = asText(column);
  const isForeign = dictionary.map((text) => !allowed.has(text));
  const outside = codes.reduce((sum, code) => sum + (isForeign[code] === true ? 1 : 0), 0);
  if (outside === 0) return [];
  const shown = dictionary
    .filter((_, code) => isForeign[code])
    .slice(0, 5)
    .map(quoted)
    .join(", ");
  const share = outside / codes.length;
  return [
    {
      column: name,
      kind: "domain",
      severity: "stop",
      message: `column ${name} holds ${outside} values (${percent(share)}) outside its domain: ${shown}`,
      numbers: { outside, share },
    },
  ];
}

function tooManyMissing(
  name: string,
  profile: ColumnProfile,
  rows: number,
  rule: Partial<ColumnRule>,
): readonly Anomaly[] {
  const allowed = rule.missingShareMax;
  if (allowed === undefined || profile.missingShare <= allowed) return [];
  return [
    {
      column: name,
      kind: "missing-values",
      severity: "stop",
      message: `column ${name} is missing in ${profile.missing} of ${rows} rows (${percent(profile.missingShare)}), at most ${percent(allowed)} are allowed`,
      numbers: { missing: profile.missing, share: profile.missingShare, allowed },
    },
  ];
}

/** A label that cannot be learned from stops the run before any training. */
function unusableLabel(table: Table, { label, positiveClass }: Configuration): readonly Anomaly[] {
  const column = table.columns.get(label);
  if (column === undefined || positiveClass === undefined || table.rows === 0) return [];
  const { codes, dictionary } = asText(column);
  const positive = dictionary.indexOf(positiveClass);
  const positives = codes.reduce((sum, code) => sum + (code === positive ? 1 : 0), 0);
  const missing = codes.reduce((sum, code) => sum + (code < 0 ? 1 : 0), 0);
  const problem =
    positive < 0 || positives === 0
      ? `never holds ${quoted(positiveClass)}`
      : positives === table.rows
        ? `holds ${quoted(positiveClass)} alone`
        : missing > 0
          ? `is missing in ${missing} of ${table.rows} rows`
          : dictionary.length > 2
            ? `holds ${dictionary.length} classes instead of two`
            : undefined;
  if (problem === undefined) return [];
  const seen = dictionary.slice(0, 5).map(quoted).join(", ");
  return [
    {
      column: label,
      kind: "label",
      severity: "stop",
      message: `the label ${label} ${problem}; values seen: ${seen || "none"}`,
      numbers: { positives, missing, rows: table.rows },
    },
  ];
}

function drifted(
  name: string,
  column: Column,
  before: ColumnProfile,
  { drift }: Configuration,
): readonly Anomaly[] {
  const current = distributionLike(before.distribution, column);
  if (current === undefined) return [];
  const found = columnDrift(before.distribution, current);
  const isNumeric = found.statistic === "jensen-shannon-divergence";
  const threshold = isNumeric ? drift.jsdMax : drift.linfMax;
  if (!(found.value > threshold) || !(found.value > found.nullQuantile)) return [];
  const unit = isNumeric ? " bits" : "";
  return [
    {
      column: name,
      kind: "drift",
      severity: "ask",
      message: `column ${name} has moved since the previous version: ${found.statistic} ${brief(found.value)}${unit}, above the threshold ${threshold} and above ${brief(found.nullQuantile)}, which 99 % of unchanged samples of this size stay below (PSI ${brief(found.stability)})`,
      numbers: {
        value: found.value,
        threshold,
        nullQuantile: found.nullQuantile,
        stability: found.stability,
      },
    },
  ];
}

/** Everything wrong with one column that is there. */
function columnAnomalies(
  table: Table,
  profile: Profile,
  name: string,
  rule: Partial<ColumnRule>,
): readonly Anomaly[] {
  const column = table.columns.get(name);
  const statistics = profile.columns[name];
  if (column === undefined || statistics === undefined) return [];
  const types = wrongType(name, column, rule);
  const missing = tooManyMissing(name, statistics, table.rows, rule);
  if (types.length > 0) return [...types, ...missing];
  return [...wrongRange(name, column, rule), ...wrongDomain(name, column, rule), ...missing];
}

/** Features that the configuration calls numeric must hold numbers, whatever the schema says. */
function featureTypes(table: Table, { features, schema }: Configuration): readonly Anomaly[] {
  return features
    .filter(({ name, type }) => type === "numeric" && schema.columns[name]?.type === undefined)
    .flatMap(({ name }) => {
      const column = table.columns.get(name);
      return column?.type === "string" ? wrongType(name, column, { type: "number" }) : [];
    });
}

/** The data gate: anomalies of a dataset version against its schema and the previous version's profile. */
export function findAnomalies(
  table: Table,
  profile: Profile,
  configuration: Configuration,
  previous: Profile | undefined,
): Anomalies {
  const rules = rulesOf(configuration);
  const inputs = new Set([...configuration.features.map(({ name }) => name), configuration.label]);
  const drifts = Object.entries(previous?.columns ?? {}).flatMap(([name, before]) => {
    const column = table.columns.get(name);
    return column === undefined || !inputs.has(name)
      ? []
      : drifted(name, column, before, configuration);
  });
  const empty: readonly Anomaly[] =
    table.rows > 0
      ? []
      : [
          {
            kind: "no-rows",
            severity: "stop",
            message: "the dataset has no rows",
            numbers: { rows: 0 },
          },
        ];
  const found: readonly Anomaly[] = [
    ...empty,
    ...missingColumns(table, rules),
    ...unexpectedColumns(table, rules, configuration),
    // Columns without values have no type and break every rule: the missing rows are the one reason.
    ...(table.rows === 0
      ? []
      : [
          ...[...rules].flatMap(([name, rule]) => columnAnomalies(table, profile, name, rule)),
          ...featureTypes(table, configuration),
          ...unusableLabel(table, configuration),
          ...drifts,
        ]),
  ];
  const severities = new Set(found.map(({ severity }) => severity));
  const verdict = severities.has("stop") ? "stop" : severities.has("ask") ? "ask" : "go";
  return { formatVersion: 1, dataset: profile.dataset, verdict, anomalies: [...found] };
}
