/** What applying a manifest would change. */
import { plannedDetection } from "../domain/planned-detection.js";
import type { Manifest } from "./schema.js";

/** One field that differs; an absent side is undefined. */
interface Change {
  readonly path: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** What applying a manifest means. */
export interface Plan {
  readonly action: "create" | "update" | "unchanged";
  readonly changes: readonly Change[];
  /** What will be done, in sentences. */
  readonly effects: readonly string[];
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Lists of objects with a name compare by name, so that an insertion is one change. */
const keyed = (value: unknown): unknown => {
  if (!Array.isArray(value) || value.length === 0) return value;
  const named = value.map((item: unknown) =>
    isRecord(item) && typeof item["name"] === "string" ? ([item["name"], item] as const) : null,
  );
  return named.every((pair) => pair !== null) ? Object.fromEntries(named) : value;
};

const changesAt = (path: string, left: unknown, right: unknown): readonly Change[] => {
  const [before, after] = [keyed(left), keyed(right)];
  if (isRecord(before) && isRecord(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return names.flatMap((name) =>
      changesAt(path === "" ? name : `${path}.${name}`, before[name], after[name]),
    );
  }
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ path, before, after }];
};

/** The fields that differ between two manifests. */
const diffManifests = (before: Manifest, after: Manifest): readonly Change[] =>
  changesAt("", before, after);

const scheduleText = ({ name, backend }: Manifest["triggers"]["schedules"][number]): string =>
  backend === "timer" ? `timer "${name}"` : `Cloud Scheduler job "${name}"`;

const scheduleEffects = (before: Manifest | null, after: Manifest): readonly string[] => {
  const old = before?.triggers.schedules ?? [];
  const next = after.triggers.schedules;
  return [
    ...next.flatMap((schedule) => {
      const known = old.find(({ name }) => name === schedule.name);
      const what = `${scheduleText(schedule)} (${schedule.cron}, ${schedule.timeZone})`;
      if (known === undefined) return [`creates ${what}`];
      if (known.backend !== schedule.backend) {
        return [`deletes ${scheduleText(known)}`, `creates ${what}`];
      }
      return JSON.stringify(known) === JSON.stringify(schedule) ? [] : [`updates ${what}`];
    }),
    ...old
      .filter(({ name }) => !next.some((schedule) => schedule.name === name))
      .map((schedule) => `deletes ${scheduleText(schedule)}`),
  ];
};

const endpointEffects = (before: Manifest | null, after: Manifest): readonly string[] => {
  const old = before?.promotion.environments ?? [];
  const next = after.promotion.environments;
  const isIn = (environments: typeof next, endpoint: string): boolean =>
    environments.some((environment) => environment.endpoint === endpoint);
  return [
    ...next
      .filter(({ endpoint }) => !isIn(old, endpoint))
      .map(({ endpoint, name }) => `creates endpoint "${endpoint}" (${name}) unless it exists`),
    ...old
      .filter(({ endpoint }) => !isIn(next, endpoint))
      .map(
        ({ endpoint, name }) =>
          `leaves endpoint "${endpoint}" (${name}): what is deployed there goes on serving, and costs money, until you undeploy it`,
      ),
  ];
};

const rolloutEffects = ({ rollout, serving }: Manifest): readonly string[] => {
  const steps = rollout.steps.length;
  const detection = plannedDetection(rollout);
  const ownSeconds = steps * rollout.bakeSeconds + rollout.analysis.ingestDelaySeconds;
  return [
    `a rollout takes at least ${ownSeconds} s (${steps} steps of ${rollout.bakeSeconds} s, metrics ${rollout.analysis.ingestDelaySeconds} s late)` +
      ` and needs ${rollout.analysis.requestsMin} challenger requests at each step`,
    ...(detection === null ? [] : [detection]),
    `during a rollout ${serving.replicasMin} to ${serving.replicasMax} more replicas of ${serving.machine.type} run beside the champion's`,
  ];
};

/** What applying `after` over `before` would change and cause. */
export const planManifest = (before: Manifest | null, after: Manifest): Plan => {
  const changes = before === null ? [] : diffManifests(before, after);
  if (before !== null && changes.length === 0) {
    return { action: "unchanged", changes: [], effects: [] };
  }
  return {
    action: before === null ? "create" : "update",
    changes,
    effects: [
      ...endpointEffects(before, after),
      ...scheduleEffects(before, after),
      ...rolloutEffects(after),
      ...after.freezeWindows.map(
        ({ name, from, to, timeZone, stops }) =>
          `freezes ${stops.join(" and ")} from ${from} to ${to} (${timeZone}, ${name})`,
      ),
      ...(after.mode === "observe-only"
        ? ["observe-only: every decision is recorded and nothing is done"]
        : []),
    ],
  };
};
