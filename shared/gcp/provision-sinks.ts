/** Cloud Logging sinks that turn log entries into messages. */
import { z } from "zod";
import { baseUrl, type GcpConfig } from "./config.js";
import { attempting } from "./errors.js";
import { restClient, type Rest } from "./rest.js";
import type { Changes, SinkTopology, Topology } from "./topology.js";

/** Sinks have no labels: ours are known by this description. */
const description = "Made by Continuo";

const sinkShape = z.object({
  name: z.string(),
  destination: z.string().default(""),
  filter: z.string().default(""),
  description: z.string().default(""),
});

type Sink = z.infer<typeof sinkShape>;

const sinkList = z.object({
  sinks: z.array(sinkShape).default([]),
  nextPageToken: z.string().optional(),
});

const pagesMax = 20;

const sinkOf = (config: GcpConfig, { name, topic, filter }: SinkTopology): Sink => ({
  name,
  destination: `pubsub.googleapis.com/projects/${config.projectId}/topics/${topic}`,
  filter,
  description,
});

const listed = async (rest: Rest, url: string): Promise<readonly Sink[]> => {
  const sinks: Sink[] = [];
  let pageToken: string | undefined;
  for (let page = 0; page < pagesMax; page += 1) {
    const answer = sinkList.parse(
      await rest.json({ method: "GET", url, query: { pageSize: 100, pageToken } }),
    );
    sinks.push(...answer.sinks);
    pageToken = answer.nextPageToken === "" ? undefined : answer.nextPageToken;
    if (pageToken === undefined) break;
  }
  return sinks;
};

const ensure = (rest: Rest, url: string, wanted: Sink, found: Sink | undefined): Promise<Changes> =>
  attempting(`provision log sink ${wanted.name}`, async () => {
    if (found === undefined) {
      const query = { uniqueWriterIdentity: "true" };
      await rest.call({ method: "POST", url, query, body: wanted });
      return [`created log sink ${wanted.name}`];
    }
    const isEqual =
      found.destination === wanted.destination &&
      found.filter === wanted.filter &&
      found.description === wanted.description;
    if (isEqual) return [];
    await rest.call({
      method: "PATCH",
      url: `${url}/${wanted.name}`,
      query: { uniqueWriterIdentity: "true", updateMask: "destination,filter,description" },
      body: wanted,
      isRepeatable: true,
    });
    return [`updated log sink ${wanted.name}`];
  });

/**
 * Makes the sinks as the topology says, and deletes sinks of ours that it no longer has. On Google Cloud each sink's
 * writer identity must be allowed to publish to its topic: that binding belongs to terraform. Through REST, because
 * the official client leaves its sink calls untyped and costs a third of a second to load.
 */
export const provisionSinks = (topology: Topology, config: GcpConfig): Promise<Changes> =>
  attempting("provision log sinks", async () => {
    const rest = restClient(config);
    const url = `${baseUrl(config, "logging")}/v2/projects/${config.projectId}/sinks`;
    const existing = await listed(rest, url);
    const byName = new Map(existing.map((sink) => [sink.name, sink]));
    const wanted = topology.sinks.map((sink) => sinkOf(config, sink));
    const ensured = await Promise.all(
      wanted.map((sink) => ensure(rest, url, sink, byName.get(sink.name))),
    );
    const surplus = existing.filter(
      (sink) => sink.description === description && !wanted.some(({ name }) => name === sink.name),
    );
    const removed = await Promise.all(
      surplus.map(async ({ name }) => {
        await rest.call({ method: "DELETE", url: `${url}/${name}`, isRepeatable: true });
        return `deleted log sink ${name}`;
      }),
    );
    return [...ensured.flat(), ...removed];
  });
