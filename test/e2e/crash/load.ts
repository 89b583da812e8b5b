/** What a demo-like day publishes: datasets, the same ones again, alerts, and messages that nobody can read. */
import { createHash } from "node:crypto";
import { seededRandom, type Random } from "../../../shared/statistics/random.js";
import { sendRequests } from "../instance.js";
import { poisonFor } from "../poison.js";
import { datasetOf, instanceOf, manifestOf } from "./manifest.js";
import type { World } from "./world.js";

/** One event or one unreadable message that the cloud took, once or several times. */
export interface Published {
  readonly kind: "dataset" | "alert" | "poison";
  readonly model: string;
  readonly source: string;
  readonly id: string;
  /** sha256 of the message's data. */
  readonly digest: string;
  readonly times: number;
}

const source = "crash-test";
const pauseMs = { min: 700, max: 2200 };
const requestsPerSecond = 25;
const largeBytes = 100_000;

interface Message {
  readonly kind: Published["kind"];
  readonly model: string;
  readonly id: string;
  readonly topic: string;
  readonly data: Buffer;
  readonly attributes: Readonly<Record<string, string>>;
}

const eventMessage = (
  kind: "dataset" | "alert",
  type: string,
  model: string,
  id: string,
  data: object,
): Message => ({
  kind,
  model,
  id,
  topic: kind,
  data: Buffer.from(
    JSON.stringify({
      specversion: "1.0",
      type,
      id,
      source,
      time: new Date().toISOString(),
      data,
    }),
  ),
  attributes: {},
});

const alert = (model: string, id: string, atMs: number): Message =>
  eventMessage("alert", "drift.detected", model, id, {
    model,
    objective: "feature",
    window: {
      start: new Date(atMs - 3_600_000).toISOString(),
      end: new Date(atMs).toISOString(),
    },
    anomalies: [{ feature: "wind", deviation: 0.4, threshold: 0.1 }],
  });

const pick = <Item>(items: readonly Item[], random: Random): Item | undefined =>
  items[Math.floor(random() * items.length)];

/** Applies the models' manifests and publishes until it is stopped. */
export const startLoad = async (
  world: World,
  options: { readonly models: readonly string[]; readonly seed: number },
) => {
  const { seen, pubsub, upload, folder } = world;
  const { models, seed } = options;
  const { functions, token } = world.instance();
  for (const model of models) {
    await fetch(`${functions}/api/manifests`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(manifestOf(model)),
    }).then(async (reply) => {
      if (!reply.ok) throw new Error(`${model}: ${reply.status} ${await reply.text()}`);
    });
  }
  const published = new Map<string, Published>();
  const messages: Message[] = [];
  const stopping = new AbortController();
  let uploads = 0;

  const publish = async (message: Message): Promise<void> => {
    const { kind, model, id, topic, data, attributes } = message;
    // The client itself repeats what a dead cloud did not answer.
    await pubsub.topic(topic).publishMessage({ data, attributes });
    const digest = createHash("sha256").update(data).digest("hex");
    const times = (published.get(digest)?.times ?? 0) + 1;
    published.set(digest, { kind, model, source, id, digest, times });
  };

  const newDataset = async (model: string, random: Random): Promise<Message> => {
    uploads += 1;
    const id = `${model}/${uploads}`;
    const uri = await upload(`crash/${id}.csv`, datasetOf(random));
    return eventMessage("dataset", "dataset.arrived", model, id, {
      dataset: model,
      uris: [uri],
      fingerprint: `rows-${id}`,
    });
  };

  const act = async (model: string, random: Random): Promise<void> => {
    // A day begins with data: until there is some, there is nothing to repeat or to alert about. Then comes poison, so
    // that the shortest day has some.
    const hasData = messages.some((message) => message.model === model);
    const hasPoison = [...published.values()].some(
      (one) => one.kind === "poison" && one.model === model,
    );
    const draw = hasData && hasPoison ? random() : Number(hasData);
    if (draw < 0.45) {
      const message = await newDataset(model, random);
      messages.push(message);
      await publish(message);
      if (random() < 0.3) await publish(message);
    } else if (draw < 0.7) {
      const again = pick(messages, random);
      if (again !== undefined) await publish(again);
    } else if (draw < 0.85) {
      const count = 1 + Math.floor(random() * 4);
      uploads += 1;
      const storm = Array.from({ length: count }, (_, index) =>
        alert(model, `${model}/alert-${uploads}-${index}`, Date.now()),
      );
      await Promise.all(storm.map(publish));
    } else {
      uploads += 1;
      const small = poisonFor(model, `${model}/poison-${uploads}`).filter(
        // The large and the empty ones are alike each time: the storm's test sends those.
        ({ data }) => data.length > 100 && data.length < largeBytes,
      );
      const poison = pick(small, random);
      if (poison === undefined) return;
      const { topic, data, attributes = {} } = poison;
      const marked = poison.what === "deep nesting" ? `${data.toString()} ${uploads}` : data;
      await publish({
        kind: "poison",
        model,
        id: poison.what,
        topic,
        data: Buffer.from(marked),
        attributes,
      });
    }
  };

  const problems: string[] = [];
  const lane = async (model: string, index: number): Promise<void> => {
    const random = seededRandom(seed * 1000 + index);
    while (!stopping.signal.aborted) {
      try {
        await act(model, random);
      } catch (error) {
        // Nobody confirmed it, so nothing is expected of it.
        problems.push(error instanceof Error ? error.message : String(error));
      }
      const ms = pauseMs.min + random() * (pauseMs.max - pauseMs.min);
      await new Promise((resolve) => setTimeout(resolve, ms));
    }
  };
  const lanes = models.map(lane);
  const random = seededRandom(seed);
  const traffic = models.map((model) =>
    sendRequests(seen, {
      folder,
      endpoint: `${model}-production`,
      perSecond: requestsPerSecond,
      instances: Array.from({ length: 200 }, () => instanceOf(random)),
    }),
  );

  return {
    published: (): readonly Published[] => [...published.values()],
    problems: (): readonly string[] => problems,
    /** Publishes nothing more; requests for predictions go on, because rollouts need them. */
    stop: async (): Promise<void> => {
      stopping.abort();
      await Promise.all(lanes);
    },
    stopTraffic: async (): Promise<void> => {
      await Promise.all(traffic.map((stream) => stream.stop()));
    },
  };
};

/** A running load. */
export type Load = Awaited<ReturnType<typeof startLoad>>;
