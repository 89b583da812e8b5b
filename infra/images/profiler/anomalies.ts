/** What is wrong with a dataset version: sentences with numbers, and the data gate's verdict. */
import type {
  Anomalies,
  Anomaly,
  ColumnProfile,
  Distribution,
  Profile,
} from "../../../events/artifacts.js";
import { columnDrift } from "../../../shared/statistics/drift.js";
import type { ColumnRule, Configuration } from "../configuration.js";
import type { Source } from "./duckdb.js";
import { askFacts, type Facts, type Reference } from "./facts.js";
import type { Profiled } from "./profile.js";

const percent = (share: number): string => `${(100 * share).toFixed(share < 0.01 ? 2 : 1)} %`;
const brief = (value: number): string => String(Number(value.toPrecision(4)));

/** A value as it may stand in a sentence. */
const quoted = (value: string): string => JSON.stringify(value.slice(0, 40));

/** Whether a column's type satisfies the type that the schema asks for. */
function hasType(found: ColumnProfile["type"], wanted: ColumnRule["type"]): boolean {
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

const namesOf = ({ profile }: Profiled): readonly string[] => Object.keys(profile.columns);

function missingColumns(
  profiled: Profiled,
  rules: ReadonlyMap<string, Partial<ColumnRule>>,
): readonly Anomaly[] {
  const names = namesOf(profiled);
  return [...rules]
    .filter(([name, rule]) => rule.required !== false && !names.includes(name))
    .map(([column]) => ({
      column,
      kind: "missing-column",
      severity: "stop",
      message: `column ${column} is missing; the file has ${names.slice(0, 20).join(", ")}`,
      numbers: {},
    }));
}

function unexpectedColumns(
  profiled: Profiled,
  rules: ReadonlyMap<string, Partial<ColumnRule>>,
  { schema }: Configuration,
): readonly Anomaly[] {
  const severity = schema.unexpectedColumns;
  if (severity === "allow") return [];
  return namesOf(profiled)
    .filter((name) => !rules.has(name))
    .map((column) => ({
      column,
      kind: "unexpected-column",
      severity,
      message: `column ${column} is not in the schema`,
      numbers: {},
    }));
}

function wrongType(
  name: string,
  profiled: Profiled,
  rule: Partial<ColumnRule>,
): readonly Anomaly[] {
  const column = profiled.profile.columns[name];
  // A column without any value has no type: that its values are missing is told apart.
  if (column === undefined || column.missing === profiled.profile.rows) return [];
  if (rule.type === undefined || hasType(column.type, rule.type)) return [];
  const { counts = [] } = profiled.values.get(name) ?? {};
  const read = rule.type === "timestamp" ? Date.parse : Number;
  const example = counts.find(({ value }) => Number.isNaN(read(value)))?.value;
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

function wrongRange(
  name: string,
  column: ColumnProfile,
  rule: Partial<ColumnRule>,
  { outsideRange }: Facts,
): readonly Anomaly[] {
  const outside = outsideRange.get(name) ?? 0;
  if (outside === 0) return [];
  const { min = -Infinity, max = Infinity } = rule;
  const present = presentOf(column);
  const share = outside / present;
  const [low, high] = [column.min ?? 0, column.max ?? 0];
  return [
    {
      column: name,
      kind: "range",
      severity: "stop",
      message: `column ${name} must lie in [${min}, ${max}]: ${outside} of ${present} values (${percent(share)}) do not, they span ${brief(low)} to ${brief(high)}`,
      numbers: { outside, share, low, high },
    },
  ];
}

/** Number of values of a column that are there. */
const presentOf = ({ distribution }: ColumnProfile): number =>
  distribution.type === "numeric"
    ? distribution.counts.reduce((sum, count) => sum + count, 0)
    : Object.values(distribution.counts).reduce((sum, count) => sum + count, distribution.other);

function wrongDomain(
  name: string,
  column: ColumnProfile,
  { outsideDomain }: Facts,
): readonly Anomaly[] {
  const { outside = 0, examples = [] } = outsideDomain.get(name) ?? {};
  if (outside === 0) return [];
  const share = outside / presentOf(column);
  return [
    {
      column: name,
      kind: "domain",
      severity: "stop",
      message: `column ${name}: ${outside} values (${percent(share)}) lie outside its domain: ${examples.map(quoted).join(", ")}; allowed 0 %`,
      numbers: { outside, share },
    },
  ];
}

/** A number beyond every number breaks means and models: it is told, whatever the schema says. */
function infiniteValues(name: string, { infinite = 0 }: ColumnProfile): readonly Anomaly[] {
  return infinite === 0
    ? []
    : [
        {
          column: name,
          kind: "infinite-values",
          severity: "stop",
          message: `column ${name} holds ${infinite} infinite values; write them as missing or as numbers`,
          numbers: { infinite },
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

/** Why nothing can be learned from the label's values; undefined when something can. */
function labelProblem(
  profiled: Profiled,
  { label, positiveClass }: Configuration,
): string | undefined {
  const { rows, columns } = profiled.profile;
  const { counts = [], isComplete = false } = profiled.values.get(label) ?? {};
  const missing = columns[label]?.missing ?? 0;
  if (positiveClass !== undefined) {
    const positives = counts.find(({ value }) => value === positiveClass)?.count ?? 0;
    if (positives === 0) return `never holds ${quoted(positiveClass)}`;
    if (positives === rows) return `holds ${quoted(positiveClass)} alone`;
  }
  if (missing > 0) return `is missing in ${missing} of ${rows} rows`;
  const isMany = positiveClass !== undefined && (counts.length > 2 || !isComplete);
  if (isMany) return `holds ${columns[label]?.distinct ?? 0} classes instead of two`;
  return columns[label]?.distinct === 1 ? "holds one value alone" : undefined;
}

/** A label that cannot be learned from stops the run before any training. */
function unusableLabel(profiled: Profiled, configuration: Configuration): readonly Anomaly[] {
  const { label } = configuration;
  const column = profiled.profile.columns[label];
  if (column === undefined) return [];
  const problem = labelProblem(profiled, configuration);
  if (problem === undefined) return [];
  const { counts = [] } = profiled.values.get(label) ?? {};
  const seen = counts
    .slice(0, 5)
    .map(({ value }) => quoted(value))
    .join(", ");
  return [
    {
      column: label,
      kind: "label",
      severity: "stop",
      message: `the label ${label} ${problem}; values seen: ${seen || "none"}`,
      numbers: { missing: column.missing, rows: profiled.profile.rows },
    },
  ];
}

const since = {
  drift: "has moved since the previous version",
  skew: "differs from the champion's training data",
} as const;

function moved(
  name: string,
  kind: keyof typeof since,
  sides: { readonly before: Distribution; readonly now: Distribution },
  { drift }: Configuration,
): readonly Anomaly[] {
  const found = columnDrift(sides.before, sides.now);
  const isNumeric = found.statistic === "jensen-shannon-divergence";
  const threshold = isNumeric ? drift.jsdMax : drift.linfMax;
  if (!(found.value > threshold) || !(found.value > found.nullQuantile)) return [];
  const unit = isNumeric ? " bits" : "";
  return [
    {
      column: name,
      kind,
      severity: kind === "drift" ? "ask" : "note",
      message: `column ${name} ${since[kind]}: ${found.statistic} ${brief(found.value)}${unit}, above the threshold ${threshold} and above ${brief(found.nullQuantile)}, which 99 % of unchanged samples of this size stay below (PSI ${brief(found.stability)})`,
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
  profiled: Profiled,
  facts: Facts,
  name: string,
  rule: Partial<ColumnRule>,
): readonly Anomaly[] {
  const column = profiled.profile.columns[name];
  if (column === undefined) return [];
  const types = wrongType(name, profiled, rule);
  const others = [
    ...infiniteValues(name, column),
    ...tooManyMissing(name, column, profiled.profile.rows, rule),
  ];
  if (types.length > 0) return [...types, ...others];
  return [...wrongRange(name, column, rule, facts), ...wrongDomain(name, column, facts), ...others];
}

/** A column that was numbers and is text now, or the other way round, has no distance: that it changed is told instead. */
function changedKind(
  profiled: Profiled,
  references: readonly Reference[],
  compared: Facts["compared"],
  { drift }: Configuration,
): readonly Anomaly[] {
  // No distance exceeds 1: that limit allows every change, as people do who let a version pass.
  const isAllowed = Math.min(drift.jsdMax, drift.linfMax) >= 1;
  const isCompared = new Set(compared.map(({ reference }) => reference));
  const held = { numeric: "numbers", categorical: "text" };
  return references.flatMap((reference) => {
    const { column, kind, distribution } = reference;
    const now = profiled.profile.columns[column]?.distribution;
    if (now === undefined || isCompared.has(reference)) return [];
    if (now.missing === profiled.profile.rows) return [];
    return [
      {
        column,
        kind,
        severity: kind === "drift" && !isAllowed ? "ask" : "note",
        message: `column ${column} ${since[kind]}: it held ${held[distribution.type]} and holds ${held[now.type]}`,
        numbers: {},
      },
    ];
  });
}

/** Features that the configuration calls numeric must hold numbers, whatever the schema says. */
function featureTypes(profiled: Profiled, { features, schema }: Configuration): readonly Anomaly[] {
  return features
    .filter(({ name, type }) => type === "numeric" && schema.columns[name]?.type === undefined)
    .flatMap(({ name }) =>
      profiled.profile.columns[name]?.type === "string"
        ? wrongType(name, profiled, { type: "number" })
        : [],
    );
}

/** Rows without a readable time belong to no side of the holdout, so that nothing would be learned or judged by them. */
function unusableTime(profiled: Profiled, { timeColumn }: Configuration): readonly Anomaly[] {
  const column = timeColumn === undefined ? undefined : profiled.profile.columns[timeColumn];
  if (timeColumn === undefined || column === undefined) return [];
  const { rows } = profiled.profile;
  const { missing, type } = column;
  if (missing < rows && (type === "string" || type === "boolean")) {
    return wrongType(timeColumn, profiled, { type: "timestamp" });
  }
  if (missing === 0) return [];
  return [
    {
      column: timeColumn,
      kind: "missing-values",
      severity: missing === rows ? "stop" : "note",
      message: `the time ${timeColumn} is missing in ${missing} of ${rows} rows: these are neither trained on nor judged by`,
      numbers: { missing, share: column.missingShare },
    },
  ];
}

/** Nothing is learned from a feature without a value, unless the schema says that all may be missing. */
function emptyFeatures(
  profiled: Profiled,
  { features, schema }: Configuration,
): readonly Anomaly[] {
  const { rows, columns } = profiled.profile;
  return features
    .filter(({ name }) => schema.columns[name] === undefined && columns[name]?.missing === rows)
    .map(({ name }) => ({
      column: name,
      kind: "missing-values",
      severity: "stop",
      message: `feature ${name} has no value in any of ${rows} rows; where that is right, dataset.schema.columns says missingShareMax: 1`,
      numbers: { missing: rows, share: 1 },
    }));
}

/** A table without a schema passes every rule: people should know that it was not looked at. */
const noSchema = ({ schema }: Configuration): readonly Anomaly[] =>
  Object.keys(schema.columns).length > 0
    ? []
    : [
        {
          kind: "no-schema",
          severity: "note",
          message:
            "the manifest has no dataset.schema.columns: profile.json proposes one from this version (inferredSchema); review it and put it there",
          numbers: {},
        },
      ];

/** The distributions that this version is compared with. */
export interface Baselines {
  /** The previous version's profile. */
  readonly previous?: Profile | undefined;
  /** Distributions of the champion's training rows. */
  readonly champion?: Readonly<Record<string, Distribution>> | undefined;
}

/** The data gate: anomalies against the schema, the previous version and the champion's training rows. */
export async function findAnomalies(
  source: Source,
  profiled: Profiled,
  configuration: Configuration,
  { previous, champion = {} }: Baselines,
): Promise<Anomalies> {
  const { profile } = profiled;
  const rules = rulesOf(configuration);
  const inputs = new Set([...configuration.features.map(({ name }) => name), configuration.label]);
  const references: readonly Reference[] = [
    ...Object.entries(previous?.columns ?? {}).map(([column, { distribution }]) => ({
      kind: "drift" as const,
      column,
      distribution,
    })),
    ...Object.entries(champion).map(([column, distribution]) => ({
      kind: "skew" as const,
      column,
      distribution,
    })),
  ].filter(({ column }) => inputs.has(column));
  const empty: readonly Anomaly[] =
    profile.rows > 0
      ? []
      : [
          {
            kind: "no-rows",
            severity: "stop",
            message: "the dataset has no rows",
            numbers: { rows: 0 },
          },
        ];
  const facts =
    profile.rows === 0 ? undefined : await askFacts(source, profiled, rules, references);
  const found: readonly Anomaly[] = [
    ...empty,
    ...missingColumns(profiled, rules),
    ...unexpectedColumns(profiled, rules, configuration),
    // Columns without values have no type and break every rule: the missing rows are the one reason.
    ...(facts === undefined
      ? []
      : [
          ...[...rules].flatMap(([name, rule]) => columnAnomalies(profiled, facts, name, rule)),
          ...featureTypes(profiled, configuration),
          ...emptyFeatures(profiled, configuration),
          ...unusableTime(profiled, configuration),
          ...unusableLabel(profiled, configuration),
          ...facts.compared.flatMap(({ reference, now }) =>
            moved(
              reference.column,
              reference.kind,
              { before: reference.distribution, now },
              configuration,
            ),
          ),
          ...changedKind(profiled, references, facts.compared, configuration),
          ...noSchema(configuration),
        ]),
  ];
  const severities = new Set(found.map(({ severity }) => severity));
  const verdict = severities.has("stop") ? "stop" : severities.has("ask") ? "ask" : "go";
  return { formatVersion: 1, dataset: profile.dataset, verdict, anomalies: [...found] };
}
