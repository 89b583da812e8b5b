/** ML Metadata through the official client: stores, artifacts, executions, contexts, and the lineage between them. */
import { v1, type protos } from "@google-cloud/aiplatform";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { withLocalCloud, type LocalCloud } from "./local-cloud.js";
import { failureOf } from "./vertex-endpoints-world.js";

type ClientOptions = NonNullable<ConstructorParameters<typeof v1.MetadataServiceClient>[0]>;
type Subgraph = protos.google.cloud.aiplatform.v1.ILineageSubgraph;

let cloud: LocalCloud;
let client: v1.MetadataServiceClient;
let rest: v1.MetadataServiceClient;

const parent = "projects/demo-project/locations/us-central1";
const number = "projects/123456789012/locations/us-central1";
const store = `${parent}/metadataStores/default`;
const idOf = (name: string | null | undefined): string => (name ?? "").split("/").pop() ?? "";

const connect = (): void => {
  client = new v1.MetadataServiceClient(cloud.grpcOptions);
  // The clients bring a google-auth-library of their own, whose types do not meet those of the installed one.
  rest = new v1.MetadataServiceClient(z.custom<ClientOptions>().parse(cloud.restOptions));
};

beforeAll(async () => {
  cloud = await withLocalCloud(["pubsub", "storage", "logging", "vertex"]);
  connect();
}, 30_000);
afterAll(async () => {
  await client.close();
  await rest.close();
  await cloud.stop();
});

const artifact = async (artifactId: string, fields: object = {}): Promise<string> => {
  const [made] = await client.createArtifact({ parent: store, artifactId, artifact: fields });
  return made.name ?? "";
};
const execution = async (executionId: string): Promise<string> => {
  const [made] = await client.createExecution({
    parent: store,
    executionId,
    execution: { schemaTitle: "system.ContainerExecution", state: "RUNNING" },
  });
  return made.name ?? "";
};
const context = async (contextId: string): Promise<string> => {
  const [made] = await client.createContext({
    parent: store,
    contextId,
    context: { displayName: contextId, schemaTitle: "system.PipelineRun" },
  });
  return made.name ?? "";
};
const namesOf = (graph: Subgraph) => ({
  artifacts: (graph.artifacts ?? []).map(({ name }) => idOf(name)).toSorted(),
  executions: (graph.executions ?? []).map(({ name }) => idOf(name)).toSorted(),
  events: (graph.events ?? [])
    .map((event) => `${idOf(event.artifact)} ${String(event.type)} ${idOf(event.execution)}`)
    .toSorted(),
});

describe("metadata stores", () => {
  it("are created and deleted with what is in them, and the default one is always there", async () => {
    const [operation] = await client.createMetadataStore({
      parent,
      metadataStoreId: "team-a",
      metadataStore: { description: "of team a" },
    });
    const [made] = await operation.promise();
    expect(made).toMatchObject({
      name: `${number}/metadataStores/team-a`,
      description: "of team a",
    });
    const listed = async (): Promise<readonly string[]> => {
      const [stores] = await client.listMetadataStores({ parent });
      return stores.map(({ name }) => idOf(name));
    };
    expect(await listed()).toEqual(["default", "team-a"]);
    const own = `${parent}/metadataStores/team-a`;
    await client.createArtifact({ parent: own, artifactId: "only-here", artifact: {} });
    const [deletion] = await client.deleteMetadataStore({ name: own });
    await deletion.promise();
    expect(await listed()).toEqual(["default"]);
    const gone = client.getArtifact({ name: `${own}/artifacts/only-here` });
    expect(await failureOf(gone)).toMatchObject({ code: 5 });
    expect(await failureOf(client.getMetadataStore({ name: own }))).toMatchObject({ code: 5 });
    const kept = client.deleteMetadataStore({ name: store });
    expect(await failureOf(kept)).toMatchObject({ code: 9 });
  });
});

describe("nodes", () => {
  it("keep what they were created with, once for an id", async () => {
    const fields = {
      displayName: "january",
      uri: "gs://artifacts/january",
      state: "LIVE",
      schemaTitle: "system.Dataset",
      schemaVersion: "0.0.1",
      labels: { month: "01" },
      metadata: { fields: { rows: { numberValue: 1500 } } },
    };
    const name = await artifact("kept-dataset", fields);
    expect(name).toBe(`${number}/metadataStores/default/artifacts/kept-dataset`);
    const [read] = await client.getArtifact({ name });
    expect(read).toMatchObject({ name, ...fields, etag: expect.stringMatching(/.+/) });
    expect(Number(read.createTime?.seconds)).toBeGreaterThan(0);
    expect(await failureOf(artifact("kept-dataset"))).toMatchObject({ code: 6 });
    expect(await failureOf(artifact("No"))).toMatchObject({ code: 3 });
    const elsewhere = { parent: `${parent}/metadataStores/missing`, artifact: {} };
    expect(await failureOf(client.createArtifact(elsewhere))).toMatchObject({ code: 5 });
    const [unnamed] = await client.createExecution({ parent: store, execution: {} });
    expect(unnamed.name).toMatch(/\/executions\/[0-9a-f-]{36}$/);
  });

  it("change by a mask, or without one in what is given, and not by a stale etag", async () => {
    const name = await artifact("edited-model", { displayName: "first", description: "said" });
    const [before] = await client.getArtifact({ name });
    const [masked] = await client.updateArtifact({
      artifact: { name, displayName: "second" },
      updateMask: { paths: ["display_name", "description"] },
    });
    expect(masked).toMatchObject({ displayName: "second", description: "" });
    const metadata = { fields: { auc: { numberValue: 0.7 } } };
    const [unmasked] = await client.updateArtifact({ artifact: { name, metadata } });
    expect(unmasked).toMatchObject({ displayName: "second", metadata });
    const etag = before.etag ?? "";
    const stale = client.updateArtifact({ artifact: { name, displayName: "late", etag } });
    expect(await failureOf(stale)).toMatchObject({ code: 10 });
    const unchanging = client.updateArtifact({
      artifact: { name, schemaTitle: "system.Model" },
      updateMask: { paths: ["schema_title"] },
    });
    expect(await failureOf(unchanging)).toMatchObject({ code: 3 });
    const missing = { name: `${store}/artifacts/not-yet-there`, displayName: "new" };
    expect(await failureOf(client.updateArtifact({ artifact: missing }))).toMatchObject({
      code: 5,
    });
    const [made] = await client.updateArtifact({ artifact: missing, allowMissing: true });
    expect(made.displayName).toBe("new");
    const old = client.deleteArtifact({ name, etag });
    expect(await failureOf(old)).toMatchObject({ code: 9 });
    const [deletion] = await client.deleteArtifact({ name });
    await deletion.promise();
    expect(await failureOf(client.getArtifact({ name }))).toMatchObject({ code: 5 });
  });

  it("are listed by the filters of the service", async () => {
    const [low, high] = [0.2, 0.9].map((auc) => ({
      schemaTitle: "system.Metrics",
      metadata: { fields: { auc: { numberValue: auc }, "run:id": { stringValue: String(auc) } } },
    }));
    const members = [await artifact("metrics-low", low), await artifact("metrics-high", high)];
    const group = await context("metrics-group");
    await client.addContextArtifactsAndExecutions({ context: group, artifacts: members.slice(1) });
    const found = async (filter: string): Promise<readonly string[]> => {
      const [all] = await client.listArtifacts({
        parent: store,
        filter: `schema_title = "system.Metrics" AND ${filter}`,
        orderBy: "create_time desc",
        pageSize: 1,
      });
      return all.map(({ name }) => idOf(name)).toSorted();
    };
    expect(await found("metadata.auc.number_value > 0.1")).toEqual(["metrics-high", "metrics-low"]);
    expect(await found("metadata.auc.number_value = 0.90")).toEqual(["metrics-high"]);
    expect(await found('metadata."run:id".string_value = "0.2"')).toEqual(["metrics-low"]);
    expect(await found(`in_context("${store}/contexts/metrics-group")`)).toEqual(["metrics-high"]);
    expect(await found(`name = "${members[0] ?? ""}"`)).toEqual(["metrics-low"]);
    expect(await failureOf(found("size > 3"))).toMatchObject({ code: 3 });
  });

  it("are served over REST alike", async () => {
    const [made] = await rest.createContext({
      parent: store,
      contextId: "over-rest",
      context: { displayName: "rest" },
    });
    const [changed] = await rest.updateContext({
      context: { name: made.name ?? "", displayName: "renamed" },
      updateMask: { paths: ["display_name"] },
    });
    expect(changed.displayName).toBe("renamed");
    const [listed] = await rest.listContexts({
      parent: store,
      filter: 'display_name = "renamed"',
    });
    expect(listed.map(({ name }) => name)).toEqual([made.name]);
    const [graph] = await rest.queryContextLineageSubgraph({ context: made.name ?? "" });
    expect(namesOf(graph)).toEqual({ artifacts: [], executions: [], events: [] });
    const [deletion] = await rest.deleteContext({ name: made.name ?? "" });
    await deletion.promise();
    const gone = await fetch(`${cloud.address}/v1/${made.name ?? ""}`);
    expect(gone.status).toBe(404);
  });
});

describe("contexts", () => {
  it("have children, never in a circle", async () => {
    const [top, middle, leaf] = [
      await context("family-top"),
      await context("family-middle"),
      await context("family-leaf"),
    ];
    await client.addContextChildren({ context: top, childContexts: [middle] });
    await client.addContextChildren({ context: middle, childContexts: [leaf, leaf] });
    const [read] = await client.getContext({ name: leaf });
    expect(read.parentContexts).toEqual([middle]);
    const circle = client.addContextChildren({ context: leaf, childContexts: [top] });
    expect(await failureOf(circle)).toMatchObject({ code: 3 });
    const found = async (filter: string): Promise<readonly string[]> => {
      const [all] = await client.listContexts({ parent: store, filter });
      return all.map(({ name }) => idOf(name));
    };
    expect(await found(`parent_contexts:"${top}"`)).toEqual(["family-middle"]);
    expect(await found(`child_contexts:"${leaf}"`)).toEqual(["family-middle"]);
    await client.removeContextChildren({ context: middle, childContexts: [leaf] });
    const [alone] = await client.getContext({ name: leaf });
    expect(alone.parentContexts).toEqual([]);
  });
});

describe("lineage", () => {
  it("follows events from data over a model to its metrics", async () => {
    const [data, model, metrics] = [
      await artifact("line-data"),
      await artifact("line-model", { schemaTitle: "system.Model" }),
      await artifact("line-metrics"),
    ];
    const [train, evaluate] = [await execution("line-train"), await execution("line-evaluate")];
    await client.addExecutionEvents({
      execution: train,
      events: [
        { artifact: data, type: "INPUT" },
        { artifact: model, type: "OUTPUT", labels: { slot: "model" } },
      ],
    });
    await client.addExecutionEvents({
      execution: evaluate,
      events: [
        { artifact: model, type: "INPUT" },
        { artifact: metrics, type: "OUTPUT" },
      ],
    });
    // An event between the two is there already, and is skipped.
    await client.addExecutionEvents({
      execution: train,
      events: [{ artifact: data, type: "OUTPUT" }],
    });
    const [trained] = await client.queryExecutionInputsAndOutputs({ execution: train });
    expect(namesOf(trained)).toEqual({
      artifacts: ["line-data", "line-model"],
      executions: ["line-train"],
      events: ["line-data INPUT line-train", "line-model OUTPUT line-train"],
    });

    const reached = async (more: object) => {
      const [graph] = await client.queryArtifactLineageSubgraph({ artifact: data, ...more });
      return namesOf(graph);
    };
    expect(await reached({})).toMatchObject({
      artifacts: ["line-data", "line-metrics", "line-model"],
      executions: ["line-evaluate", "line-train"],
    });
    expect(await reached({ maxHops: 2 })).toMatchObject({
      artifacts: ["line-data", "line-model"],
      executions: ["line-train"],
    });
    expect(await reached({ filter: 'schema_title = "system.Model"' })).toMatchObject({
      artifacts: ["line-data", "line-model"],
      executions: ["line-evaluate", "line-train"],
    });
    expect(await failureOf(reached({ maxHops: -1 }))).toMatchObject({ code: 3 });

    const run = await context("line-run");
    await client.addContextArtifactsAndExecutions({
      context: run,
      artifacts: [model, metrics],
      executions: [evaluate],
    });
    const [inRun] = await client.queryContextLineageSubgraph({ context: run });
    const inside = {
      artifacts: ["line-metrics", "line-model"],
      executions: ["line-evaluate"],
      events: ["line-metrics OUTPUT line-evaluate", "line-model INPUT line-evaluate"],
    };
    expect(namesOf(inRun)).toEqual(inside);

    const untyped = client.addExecutionEvents({ execution: train, events: [{ artifact: data }] });
    expect(await failureOf(untyped)).toMatchObject({ code: 3 });
    const nothing = `${store}/artifacts/line-nothing`;
    const unknown = client.addContextArtifactsAndExecutions({ context: run, artifacts: [nothing] });
    expect(await failureOf(unknown)).toMatchObject({ code: 5 });

    await client.close();
    await rest.close();
    await cloud.stop({ keep: true });
    cloud = await withLocalCloud(["pubsub", "storage", "logging", "vertex"], {
      folder: cloud.folder,
    });
    connect();
    const [again] = await client.queryContextLineageSubgraph({ context: run });
    expect(namesOf(again)).toEqual(inside);
    const [deletion] = await client.deleteArtifact({ name: metrics });
    await deletion.promise();
    const [without] = await client.queryContextLineageSubgraph({ context: run });
    expect(namesOf(without)).toEqual({
      artifacts: ["line-model"],
      executions: ["line-evaluate"],
      events: ["line-model INPUT line-evaluate"],
    });
  });
});
