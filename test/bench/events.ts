/** Chains of durable steps: our whole stack beside Restate, on the same work, in turns. */
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { duplicateEvery, models, stepsPerEvent, type System } from "./events-plan.js";
import { printProfiles } from "./events-profile.js";
import { installRestate, startContinuo, startRestate } from "./events-systems.js";

const warmUpEvents = 200;
const inFlight = 64;
/** Events per second at which latencies are taken: one that everybody bears, and one that shows who bears it. */
const latencyRates = [10, 50] as const;

/** How long and how often; the short form is for looking at a change on a busy machine. */
const forms = {
  full: { rounds: 5, throughputSeconds: 6, latencySeconds: 5 },
  short: { rounds: 3, throughputSeconds: 3, latencySeconds: 2 },
} as const;

type Form = (typeof forms)[keyof typeof forms];

/** What one round showed. */
interface Measured {
  readonly perSecond: number;
  /** Milliseconds of processor time per event under full load, by process; the bench's own beside them. */
  readonly processorMs: Readonly<Record<string, number>>;
  /** Milliseconds from an event to its last step, by the rate of events. */
  readonly latencies: ReadonlyMap<number, readonly number[]>;
}

const quantile = (values: readonly number[], q: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(q * values.length))] ??
  Number.NaN;

const median = (values: readonly number[]): number => quantile(values, 0.5);

/** Sends events; every tenth is sent twice. */
const sender = ({ send, sendAgain }: System, round: string) => {
  let sent = 0;
  const again: Promise<void>[] = [];
  return {
    send: async (): Promise<void> => {
      sent += 1;
      const event = { id: `${round}-${sent}`, model: models[sent % models.length] ?? "" };
      const done = send(event);
      if (sent % duplicateEvery === 0) again.push(sendAgain(event));
      await done;
    },
    sent: () => sent,
    settled: async (): Promise<void> => {
      await Promise.all(again);
    },
  };
};

const benchSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000_000;
};

/** Keeps a number of events in flight for some seconds. */
const throughput = async (
  system: System,
  round: string,
  { throughputSeconds }: Form,
): Promise<Pick<Measured, "perSecond" | "processorMs">> => {
  const events = sender(system, round);
  const usage = (): Readonly<Record<string, number>> => ({
    ...system.processorSeconds(),
    "this bench": benchSeconds(),
  });
  const before = usage();
  const startedAt = performance.now();
  const until = startedAt + throughputSeconds * 1000;
  let ended = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() < until) {
      await events.send();
      if (performance.now() < until) ended += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  await events.settled();
  const processorMs = Object.fromEntries(
    Object.entries(usage()).map(([name, seconds]) => [
      name,
      (1000 * (seconds - (before[name] ?? 0))) / events.sent(),
    ]),
  );
  return { perSecond: ended / throughputSeconds, processorMs };
};

/** Sends at a steady rate, whatever the replies; returns the milliseconds from each event to its last step. */
const latenciesAt = async (
  system: System,
  round: string,
  perSecond: number,
  { latencySeconds }: Form,
): Promise<readonly number[]> => {
  const events = sender(system, round);
  const taken: Promise<number>[] = [];
  const startedAt = performance.now();
  const timed = async (): Promise<number> => {
    const from = performance.now();
    await events.send();
    return performance.now() - from;
  };
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const owed = ((performance.now() - startedAt) / 1000) * perSecond;
      while (taken.length < owed) taken.push(timed());
      if (owed >= latencySeconds * perSecond) {
        clearInterval(timer);
        resolve();
      }
    }, 2);
  });
  const all = await Promise.all(taken);
  await events.settled();
  return all;
};

const warmUp = async (system: System): Promise<void> => {
  const events = sender(system, `warm-${Date.now()}`);
  const lane = async (): Promise<void> => {
    while (events.sent() < warmUpEvents) await events.send();
  };
  await Promise.all(Array.from({ length: 16 }, lane));
  await events.settled();
};

const measure = async (system: System, round: number, form: Form): Promise<Measured> => {
  const before = system.steps();
  const full = await throughput(system, `t${round}-${Date.now()}`, form);
  const latencies = new Map<number, readonly number[]>();
  for (const rate of latencyRates) {
    latencies.set(rate, await latenciesAt(system, `l${round}-${rate}-${Date.now()}`, rate, form));
  }
  if ((system.steps() - before) % stepsPerEvent !== 0) {
    console.log(`${system.name}: a step was journalled twice or not at all`);
  }
  return { ...full, latencies };
};

const spread = (values: readonly number[], digits = 0): string =>
  `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)}-${Math.max(...values).toFixed(digits)})`;

const row = (what: string, cells: readonly string[]): void => {
  console.log(`${what.padEnd(34)}${cells.map((cell) => cell.padStart(22)).join("")}`);
};

const profile = async (form: Form): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "continuo-bench-profile-"));
  try {
    const system = await startContinuo(folder);
    await warmUp(system);
    await throughput(system, "profile", form);
    const events = system.steps() / stepsPerEvent;
    await system.stop();
    console.log(
      `\nwhere our time goes, over ${events.toFixed(0)} events of ${stepsPerEvent} steps`,
    );
    printProfiles(folder, events);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** Prints what each process of a system took per event; the bench's own share is part of the machine's work too. */
const processorRow = (name: string, rounds: readonly Measured[]): void => {
  const names = Object.keys(rounds[0]?.processorMs ?? {});
  const cells = names.map(
    (one) =>
      `${one} ${spread(
        rounds.map(({ processorMs }) => processorMs[one] ?? NaN),
        2,
      )}`,
  );
  console.log(`ms of processor time per event, ${name}: ${cells.join(", ")}`);
};

/** What can be asked for by name. */
const options = ["short", "profile"] as const;

/** Measures both in turns, prints the ratios and where our time goes. `short` is quicker, `profile` does no more than that. */
export const benchEvents = async (named: readonly string[]): Promise<void> => {
  const unknown = named.find((name) => !options.some((option) => option === name));
  if (unknown !== undefined) {
    throw new Error(`No option is called ${unknown}: name some of ${options.join(", ")}, or none`);
  }
  const form = named.includes("short") ? forms.short : forms.full;
  if (named.includes("profile")) {
    await profile(form);
    return;
  }
  const installed = installRestate();
  console.log(
    `${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(2)}, node ${process.version}, ${form.rounds} rounds in turns, ${inFlight} events in flight, every ${duplicateEvery}th sent twice\n`,
  );
  const ours = await startContinuo();
  const theirs = await startRestate(installed);
  const pairs: { readonly ours: Measured; readonly theirs: Measured }[] = [];
  try {
    await warmUp(ours);
    await warmUp(theirs);
    for (let round = 1; round <= form.rounds; round += 1) {
      pairs.push({
        ours: await measure(ours, round, form),
        theirs: await measure(theirs, round, form),
      });
      process.stderr.write(`round ${round} of ${form.rounds}\n`);
    }
  } finally {
    await ours.stop();
    await theirs.stop();
  }
  const column = (pick: (measured: Measured) => number, isRate: boolean, digits: number) => {
    const mine = pairs.map((pair) => pick(pair.ours));
    const other = pairs.map((pair) => pick(pair.theirs));
    const ratios = mine.map((value, index) =>
      isRate ? value / (other[index] ?? NaN) : (other[index] ?? NaN) / value,
    );
    return [spread(mine, digits), spread(other, digits), spread(ratios, 2)];
  };
  const systemMs = ({ processorMs }: Measured): number =>
    Object.entries(processorMs)
      .filter(([name]) => name !== "this bench")
      .reduce((sum, [, ms]) => sum + ms, 0);
  row("median (lowest-highest)", ["Continuo", "Restate", "ratio, 1 = alike"]);
  row(
    "events/s",
    column(({ perSecond }) => perSecond, true, 0),
  );
  row("processor ms per event", column(systemMs, false, 2));
  for (const rate of latencyRates) {
    for (const q of [0.5, 0.95]) {
      row(
        `p${100 * q} at ${rate}/s, ms`,
        column(({ latencies }) => quantile(latencies.get(rate) ?? [], q), false, 1),
      );
    }
  }
  console.log("");
  processorRow(
    "Continuo",
    pairs.map(({ ours: measured }) => measured),
  );
  processorRow(
    "Restate",
    pairs.map(({ theirs: measured }) => measured),
  );
  console.log(`\nload at the end ${loadavg()[0]?.toFixed(2)}`);
  await profile(form);
};
