/** Bad input through the real functions: refused with a reason that a person understands, and nothing else happens. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { catalogue, type EventType } from "../../events/index.js";
import { exampleOf } from "../../infra/docs/event-examples.js";
import { InvalidEventError } from "../../shared/domain/errors.js";
import { submissionGate } from "../../shared/runtime/admission.js";
import { alertGate } from "../../shared/runtime/coalesce.js";
import { keepDeadLetter, sendToDeadLetters } from "../../shared/runtime/dead-letter.js";
import type { Delivery } from "../../shared/runtime/push.js";
import { defaultLimits } from "../../shared/runtime/quota.js";
import { manifestOf } from "../fixtures/manifest.js";
import { simulatedFunctions } from "../simulation/edge.js";
import type { Invocation } from "../simulation/processes.js";
import { randomOf } from "../simulation/random.js";
import { churn, storyOf, type Story } from "./story.js";

const gates = {
  alerts: alertGate({ instance: "i", later: () => undefined }),
  submissions: submissionGate(() => defaultLimits),
};
const functions = simulatedFunctions(() => gates);
const invocation: Invocation = {
  label: "bad input",
  process: { name: "p1", skewMs: 0, isDead: false, isTicking: false },
  random: randomOf(1, "bad input"),
};

/** Events that travel, each with the function behind its topic. */
const travelling = (Object.keys(catalogue) as EventType[]).flatMap((type) => {
  const { topic } = catalogue[type];
  const reader = functions.find((known) => topic !== null && known.topic === topic);
  return reader === undefined ? [] : [{ type, reader }];
});

/** What is wrong with a value, by kinds of mistake that publishers make. */
const wrong = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    "",
    " ",
    "\u0000\u001b[31m",
    "__proto__",
    "NaN",
    "1e999",
    "1970-01-01T00:00:00Z",
    "2025-01-05T12:00:00Z",
    "9999-12-31T23:59:59Z",
    "x".repeat(5000),
    1e300,
    -1,
    0.1,
    [],
    [[[]]],
    {},
    { constructor: { prototype: { isAdmin: true } } },
  ),
  fc.anything({ maxDepth: 3 }),
);

const pathsOf = (value: unknown, at: readonly string[] = []): readonly (readonly string[])[] =>
  typeof value !== "object" || value === null
    ? [at]
    : [at, ...Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, [...at, key]))];

/** The value with one part left out, added or replaced. */
const damaged = (value: unknown, path: readonly string[], by: unknown): unknown => {
  const [head, ...rest] = path;
  if (head === undefined) return by;
  const entries = Object.entries(value as object).map(
    ([key, inner]) => [key, key === head ? damaged(inner, rest, by) : (inner as unknown)] as const,
  );
  return Array.isArray(value)
    ? entries.map(([, inner]) => inner)
    : Object.fromEntries(entries.filter(([, inner]) => inner !== undefined));
};

const deliveryOf = (
  { world }: Story,
  id: string,
  data: Buffer,
  attributes: Readonly<Record<string, string>> = {},
): Delivery => ({
  id,
  publishTime: new Date(world.nowMs).toISOString(),
  attributes,
  data,
  deliveryAttempt: 1,
});

/** Hands a message to its function as the edge does; the reason when it was refused. */
const deliver = async (
  { world }: Story,
  reader: (typeof functions)[number],
  delivery: Delivery,
): Promise<string | null> => {
  try {
    await reader.handle(delivery, world.ports, invocation);
    return null;
  } catch (error) {
    if (!(error instanceof InvalidEventError)) throw error;
    await sendToDeadLetters(reader.name, error.message, delivery, world.ports);
    return error.message;
  }
};

/** Everything that may not change when a message is refused. */
const remembered = ({ world }: Story) => ({
  state: world.models.get(churn),
  models: world.models.size,
  journal: world.journal.size,
  timers: world.timers.size,
  effects: world.effects.length,
});

describe("bad input", () => {
  it("damaged in any one place is handled as an event, or kept with a reason and changes nothing", async () => {
    const story = await storyOf(manifestOf());
    await story.firstChampion();
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...travelling),
        fc.nat(),
        fc.oneof(wrong, fc.constant(undefined)),
        async ({ type, reader }, position, value) => {
          const time = new Date(story.world.nowMs).toISOString();
          const event = { ...exampleOf(type), id: `bad/${refused}/${position}`, time };
          const paths = pathsOf(event);
          const path = paths[position % paths.length] ?? [];
          const text = JSON.stringify(damaged(event, path, value)) ?? "null";
          const before = remembered(story);
          story.world.published.length = 0;
          const reason = await deliver(story, reader, deliveryOf(story, "m1", Buffer.from(text)));
          if (reason === null) return;
          refused += 1;
          expect(remembered(story)).toEqual(before);
          const [letter, ...others] = story.world.published;
          expect(others).toEqual([]);
          expect(letter?.topic).toBe("dead-letter");
          // Words that a person can read, about this message.
          expect(letter?.attributes["continuo-reason"]).toMatch(/^[^\p{Cc}]*[a-z]{2,}[^\p{Cc}]*$/u);
        },
      ),
      { numRuns: 1500, seed: 20_261_121 },
    );
    expect(refused).toBeGreaterThan(500);
  });

  it("is kept once, however often it comes, and events after it are decided", async () => {
    const story = await storyOf(manifestOf());
    const topicOf = (name: string): string =>
      functions.find((known) => known.name === name)?.topic ?? name;
    const bodies = [
      Buffer.alloc(0),
      Buffer.from("\u0000\u0001"),
      Buffer.from('{"id":'),
      Buffer.alloc(9_000_000, " "),
      Buffer.from("[".repeat(100_000)),
      Buffer.from(`{"__proto__":${JSON.stringify(exampleOf("dataset.arrived"))}}`),
      Buffer.from(JSON.stringify({ ...exampleOf("dataset.arrived"), specversion: "2.0" })),
      Buffer.from(JSON.stringify({ ...exampleOf("dataset.arrived"), type: "dataset.vanished" })),
    ];
    const before = remembered(story);
    for (const { reader } of travelling) {
      for (const body of [...bodies, ...bodies]) {
        const id = `${reader.name}-${body.length}`;
        const delivery = deliveryOf(story, id, body, { poison: "yes" });
        expect(await deliver(story, reader, delivery)).toMatch(/[a-z]{3,}/);
      }
    }
    expect(remembered(story)).toEqual(before);
    for (const { data, attributes } of story.world.published.splice(0)) {
      await keepDeadLetter(deliveryOf(story, "dead", data, attributes), topicOf, story.world.ports);
    }
    const readers = new Set(travelling.map(({ reader }) => reader.name)).size;
    expect(story.world.letters.size).toBe(readers * bodies.length);
    await story.arrive("january");
    expect(story.model().run?.phase).toBe("validating");
  });
});
