/** Messages pushed to the simulated functions: what becomes of duplicates, and of what nobody can read. */
import { modelName } from "../../../events/ids.js";
import { InvalidEventError } from "../../../shared/domain/errors.js";
import type { Ports } from "../../../shared/ports/ports.js";
import { submissionGate } from "../../../shared/runtime/admission.js";
import { alertGate } from "../../../shared/runtime/coalesce.js";
import { sendToDeadLetters } from "../../../shared/runtime/dead-letter.js";
import { defaultLimits } from "../../../shared/runtime/quota.js";
import { manifestOf } from "../../fixtures/manifest.js";
import { storyOf } from "../../flow/story.js";
import { simulatedFunctions } from "../edge.js";
import { fleetOf } from "../processes.js";
import { calm } from "../profile.js";
import { pubSub, type Outgoing } from "../pub-sub.js";
import { randomOf } from "../random.js";
import { schedulerAt } from "../scheduler.js";
import { traceOf } from "../trace.js";

/** What messages came to. */
export interface PushFigures {
  /** Journal entries by the id of their event. */
  readonly entries: Readonly<Record<string, number>>;
  /** Dead letters by the digest of their message. */
  readonly letters: Readonly<Record<string, number>>;
}

/** A message and where it goes. */
export type Pushed = Partial<Outgoing> & Pick<Outgoing, "data"> & { readonly topic: string };

const countBy = (values: Iterable<string>): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
};

const minute = 60_000;

/** Pushes messages to the functions of a project with one model, until each is acknowledged. */
export const push = async (
  messages: readonly Pushed[],
  options: { readonly model: string; readonly startMs: number },
): Promise<PushFigures> => {
  const model = modelName.parse(options.model);
  const story = await storyOf(manifestOf());
  const dataset = { ...manifestOf().dataset, name: model };
  const environments = [{ name: "production", endpoint: `${model}-production` }];
  const manifest = manifestOf({ name: model, dataset, promotion: { environments } });
  const before = new Set(story.world.journal.keys());
  const scheduler = schedulerAt(options.startMs);
  const trace = traceOf({ isOn: false, sinceStartMs: scheduler.nowMs });
  const topics = pubSub({ seed: 1, scheduler, trace, profile: () => calm });
  const ports: Ports = {
    ...story.world.ports,
    bus: {
      publish: async (topic, message) => {
        topics.publish(topic, message);
      },
    },
    clock: () => Math.floor(scheduler.nowMs()),
  };
  const fleet = fleetOf(randomOf(1, "fleet"), () => 0);
  const gates = {
    alerts: alertGate({ instance: "i1", later: scheduler.after }),
    submissions: submissionGate(() => defaultLimits),
  };
  for (const { name, topic, handle } of simulatedFunctions(() => gates)) {
    topics.subscribe(name, topic, (delivery, answer) => {
      const handled = async (): Promise<void> => {
        try {
          await handle(delivery, ports, fleet.invoke(name, randomOf(1, name)));
        } catch (error) {
          if (!(error instanceof InvalidEventError)) throw error;
          await sendToDeadLetters(name, error.message, delivery, ports);
        }
      };
      handled().then(
        () => answer("ack"),
        () => answer("nack"),
      );
    });
  }
  await story.handle({
    specversion: "1.0",
    type: "manifest.applied",
    id: `manifest/${model}`,
    source: "pushes",
    time: new Date(options.startMs).toISOString(),
    data: { model, version: 1, digest: "m1", by: "pushes", manifest },
  });
  for (const { topic, data, attributes = {} } of messages) {
    topics.publish(topic, { data, attributes });
  }
  await scheduler.run(options.startMs + 30 * minute, () => topics.unacknowledged() === 0);
  const { journal, letters } = story.world;
  return {
    entries: countBy(
      [...journal.values()].filter(({ key }) => !before.has(key)).map(({ event }) => event.id),
    ),
    letters: countBy([...letters.values()].map(({ digest }) => digest)),
  };
};
