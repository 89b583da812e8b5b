/** The doctor against the local cloud, broken in one place each; and against answers as Google Cloud's own APIs give them. */
import { createServer, type Server } from "node:http";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import * as manifest from "../../functions/manifest.js";
import { busChecks } from "../../infra/cli/doctor/bus.js";
import { examine, type Check, type Finding } from "../../infra/cli/doctor/finding.js";
import { googleChecks, neededApis } from "../../infra/cli/doctor/google.js";
import { storageChecks } from "../../infra/cli/doctor/storage.js";
import { locationName, type GcpConfig } from "../../shared/gcp/config.js";
import { database } from "../../shared/gcp/database.js";
import { provision } from "../../shared/gcp/provision.js";
import { restClient, type Rest } from "../../shared/gcp/rest.js";
import { templateUri } from "../../shared/runtime/training-spec.js";
import { withLocalCloud, type LocalCloud } from "./local-cloud.js";

type Patient = { readonly config: GcpConfig; readonly rest: Rest };

const complaints = async (checks: readonly Check[], patient: Patient): Promise<readonly string[]> =>
  (await Promise.all(checks.map((check) => examine(check, patient))))
    .flat()
    .filter(({ verdict }) => verdict === "failed" || verdict === "warning")
    .map(({ what }) => what);

const bucket = "demo-bucket";

describe("the doctor on the local cloud", () => {
  let cloud: LocalCloud;
  let patient: Patient;
  const repair = () =>
    provision(manifest, patient.config, {
      pushBaseUrl: "http://127.0.0.1:9",
      pushIdentity: "push@demo-project.iam.gserviceaccount.com",
      files: [
        {
          name: templateUri(bucket).slice(`gs://${bucket}/`.length),
          body: Buffer.from("{}"),
          contentType: "application/json",
        },
      ],
    });

  beforeAll(async () => {
    cloud = await withLocalCloud(["pubsub", "scheduler", "logging", "storage", "firestore"]);
    const config: GcpConfig = {
      projectId: cloud.projectId,
      region: "us-central1",
      bucket,
      identity: "doctor@demo-project.iam.gserviceaccount.com",
      localCloud: cloud.address,
    };
    patient = { config, rest: restClient(config) };
  });
  beforeEach(async () => {
    await repair();
    // As if the minute had passed.
    await patient.rest.call({ method: "POST", url: `${job("continuo-tick")}:run`, body: {} });
  });
  afterAll(async () => {
    await cloud.stop();
  });

  const pubsub = (path: string): string =>
    `${cloud.address}/v1/projects/${cloud.projectId}/${path}`;
  const job = (name: string): string =>
    `${cloud.address}/v1/${locationName(patient.config)}/jobs/${name}`;
  const change = async (name: string, body: object, updateMask: string): Promise<void> => {
    const subscription = { name: `projects/${cloud.projectId}/subscriptions/${name}`, ...body };
    await patient.rest.call({
      method: "PATCH",
      url: pubsub(`subscriptions/${name}`),
      body: { subscription, updateMask },
    });
  };
  const all = () => complaints([...busChecks, ...storageChecks], patient);

  it("finds nothing to complain about where everything was provisioned", async () => {
    await expect(all()).resolves.toEqual([]);
  });

  it.each<readonly [string, () => Promise<unknown>, RegExp]>([
    [
      "a subscription that is gone",
      () => patient.rest.call({ method: "DELETE", url: pubsub("subscriptions/tick") }),
      /^subscription tick is missing: nobody reacts to tick$/,
    ],
    [
      "a subscription that was switched to pull",
      () => change("on-alert-fired", { pushConfig: {} }, "pushConfig"),
      /^subscription on-alert-fired pushes nowhere/,
    ],
    [
      "pushes without a token",
      () =>
        change(
          "on-alert-fired",
          { pushConfig: { pushEndpoint: "http://127.0.0.1:9/on-alert-fired" } },
          "pushConfig",
        ),
      /^subscription on-alert-fired pushes without a token$/,
    ],
    [
      "no dead-letter topic",
      () => change("on-dataset-arrived", {}, "deadLetterPolicy"),
      /^subscription on-dataset-arrived has no dead-letter topic/,
    ],
    [
      "an answer that is not waited for",
      () => change("reconcile", { ackDeadlineSeconds: 10 }, "ackDeadlineSeconds"),
      /^subscription reconcile waits 10 s for an answer that may take 540 s$/,
    ],
    [
      "a subscription that expires",
      () => change("notify", { expirationPolicy: { ttl: "2678400s" } }, "expirationPolicy"),
      /^subscription notify expires/,
    ],
    [
      "a schedule that somebody paused",
      () => patient.rest.call({ method: "POST", url: `${job("continuo-tick")}:pause`, body: {} }),
      /^schedule continuo-tick is PAUSED/,
    ],
    [
      "a schedule that is gone",
      () => patient.rest.call({ method: "DELETE", url: job("continuo-reconcile") }),
      /^schedule continuo-reconcile is missing$/,
    ],
    [
      "a sink with another filter",
      () =>
        patient.rest.call({
          method: "PATCH",
          url: `${cloud.address}/v2/projects/${cloud.projectId}/sinks/endpoint-operations`,
          query: { updateMask: "filter" },
          body: { filter: "severity>=ERROR" },
        }),
      /^log sink endpoint-operations has another filter/,
    ],
    [
      "a template that is gone",
      () =>
        patient.rest.call({
          method: "DELETE",
          url: `${cloud.address}/storage/v1/b/${bucket}/o/${encodeURIComponent(templateUri(bucket).slice(`gs://${bucket}/`.length))}`,
        }),
      /^the pipeline template .* is missing/,
    ],
    [
      "a journal that nothing ends",
      () =>
        patient.rest.call({
          method: "PATCH",
          url: `${cloud.address}/v1/projects/${cloud.projectId}/databases/(default)/collectionGroups/journal/fields/expireAt`,
          query: { updateMask: "ttlConfig" },
          body: {},
        }),
      /^the documents of journal are kept for ever$/,
    ],
  ])("finds %s, and that alone", async (_, damage, complaint) => {
    await damage();
    const found = await all();
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(complaint);
    // What is paused stays so until a person resumes it.
    await patient.rest.call({ method: "POST", url: `${job("continuo-tick")}:resume`, body: {} });
  });

  it("says that a cloud does not answer", async () => {
    const nowhere = { ...patient.config, localCloud: "http://127.0.0.1:9" };
    const found = await complaints(busChecks.slice(0, 1), {
      config: nowhere,
      rest: restClient(nowhere),
    });
    expect(found).toEqual([expect.stringMatching(/^could not be looked at: /)]);
  });
});

/** Shapes after the references of Service Usage v1, Cloud Run v2, Resource Manager v1, IAM v1, Pub/Sub v1 and Cloud Quotas v1. */
describe("the doctor on Google Cloud", () => {
  const projectId = "demo-project";
  const region = "europe-west4";
  const agent = "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com";
  const memberOf = (identity: string): string =>
    `serviceAccount:${identity}@${projectId}.iam.gserviceaccount.com`;
  const roleOf = (name: string): string =>
    `projects/${projectId}/roles/continuo_${name.replaceAll("-", "_")}`;

  const databasePath = `/v1/projects/${projectId}/databases/(default)`;

  const healthy = (): Map<string, object> =>
    new Map<string, object>([
      [
        `/v1/projects/${projectId}/services`,
        {
          services: neededApis.map((name) => ({ name: `projects/123456789012/services/${name}` })),
        },
      ],
      [`/v1/projects/${projectId}`, { projectId, projectNumber: "123456789012" }],
      [
        `/v1/projects/${projectId}:getIamPolicy`,
        {
          bindings: manifest.functions.map(({ name, identity }) => ({
            role: roleOf(name),
            members: [memberOf(identity)],
          })),
        },
      ],
      [
        databasePath,
        {
          type: "FIRESTORE_NATIVE",
          deleteProtectionState: "DELETE_PROTECTION_ENABLED",
          pointInTimeRecoveryEnablement: "POINT_IN_TIME_RECOVERY_ENABLED",
        },
      ],
      [
        `${databasePath}/collectionGroups/-/indexes`,
        {
          indexes: Object.entries(database.indexes).map(([name, { collection, fields }]) => ({
            name: `projects/${projectId}/databases/(default)/collectionGroups/${collection}/indexes/${name}`,
            queryScope: "COLLECTION",
            state: "READY",
            fields: [
              ...fields.map(({ path, order }) => ({ fieldPath: path, order })),
              { fieldPath: "__name__", order: fields.at(-1)?.order },
            ],
          })),
        },
      ],
      [
        `/v1/projects/${projectId}/topics/dead-letter:getIamPolicy`,
        { bindings: [{ role: "roles/pubsub.publisher", members: [agent] }] },
      ],
      [
        `/v1/projects/${projectId}/locations/global/services/aiplatform.googleapis.com/quotaInfos`,
        {
          quotaInfos: [
            {
              metric: "aiplatform.googleapis.com/custom_model_training_cpus",
              dimensionsInfos: [{ applicableLocations: [region], details: { value: "42" } }],
            },
          ],
        },
      ],
      ...manifest.functions.flatMap((spec): readonly [string, object][] => [
        [
          `/v1/projects/${projectId}/subscriptions/${spec.name}:getIamPolicy`,
          { bindings: [{ role: "roles/pubsub.subscriber", members: [agent] }] },
        ],
        [`/v1/${roleOf(spec.name)}`, { includedPermissions: spec.permissions }],
        [
          `/v2/projects/${projectId}/locations/${region}/services/continuo-${spec.name}`,
          {
            ingress:
              "topic" in spec.trigger ? "INGRESS_TRAFFIC_INTERNAL_ONLY" : "INGRESS_TRAFFIC_ALL",
            terminalCondition: { type: "Ready", state: "CONDITION_SUCCEEDED" },
            trafficStatuses: [
              { type: "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", revision: "r-1", percent: 100 },
              { type: "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", revision: "r-2", tag: "next" },
            ],
            template: {
              serviceAccount: `${spec.identity}@${projectId}.iam.gserviceaccount.com`,
              timeout: `${spec.timeoutSeconds}s`,
              maxInstanceRequestConcurrency: spec.concurrency,
              // Zero is not shown.
              scaling: { maxInstanceCount: spec.instancesMax },
              containers: [
                {
                  image: `${region}-docker.pkg.dev/${projectId}/continuo/${spec.name}@sha256:${"0".repeat(64)}`,
                  resources: { limits: { memory: `${spec.memoryMib}Mi`, cpu: "1" } },
                  env: spec.environment.map((name) => ({ name, value: "x" })),
                },
              ],
            },
          },
        ],
        [
          `/v2/projects/${projectId}/locations/${region}/services/continuo-${spec.name}:getIamPolicy`,
          { bindings: [{ role: "roles/run.invoker", members: [memberOf("continuo-push")] }] },
        ],
      ]),
    ]);

  let server: Server;
  let answers: Map<string, object>;
  let patient: Patient;

  beforeEach(async () => {
    answers = healthy();
    server = createServer((request, reply) => {
      const { pathname } = new URL(request.url ?? "/", "http://localhost");
      const answer = answers.get(decodeURIComponent(pathname));
      reply.writeHead(answer === undefined ? 404 : 200, { "content-type": "application/json" });
      reply.end(
        JSON.stringify(
          answer ?? { error: { code: 404, status: "NOT_FOUND", message: `no ${pathname}` } },
        ),
      );
    });
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    const { port } = z.object({ port: z.number() }).parse(server.address());
    const config: GcpConfig = {
      projectId,
      region,
      bucket,
      identity: "doctor@demo-project.iam.gserviceaccount.com",
      localCloud: `http://127.0.0.1:${port}`,
    };
    patient = { config, rest: restClient(config) };
  });
  afterEach(() => {
    server.close();
    server.closeAllConnections();
  });

  const replaceIn = (path: string, from: string, to: string): void => {
    const text = JSON.stringify(answers.get(path));
    expect(text).toContain(from);
    answers.set(path, z.record(z.string(), z.unknown()).parse(JSON.parse(text.replace(from, to))));
  };
  const tick = `/v2/projects/${projectId}/locations/${region}/services/continuo-tick`;

  it("finds nothing to complain about in an installation that is as it should be", async () => {
    await expect(complaints(googleChecks, patient)).resolves.toEqual([]);
    const found = (await Promise.all(googleChecks.map((check) => examine(check, patient)))).flat();
    expect(found.map(({ verdict }: Finding) => verdict)).toEqual(["ok", "ok", "ok", "ok", "ok"]);
  });

  it.each<readonly [string, () => unknown, RegExp]>([
    [
      "an API that is switched off",
      () => {
        replaceIn(
          `/v1/projects/${projectId}/services`,
          "pubsub.googleapis.com",
          "other.googleapis.com",
        );
      },
      /^pubsub\.googleapis\.com is switched off$/,
    ],
    ["a service that is gone", () => answers.delete(tick), /^service continuo-tick is missing$/],
    [
      "a service that anybody may call",
      () => {
        replaceIn(`${tick}:getIamPolicy`, memberOf("continuo-push"), "allUsers");
      },
      /^service continuo-tick may be called by anybody$/,
    ],
    [
      "an event function that can be reached from outside",
      () => {
        replaceIn(tick, "INGRESS_TRAFFIC_INTERNAL_ONLY", "INGRESS_TRAFFIC_ALL");
      },
      /^service continuo-tick can be reached from outside/,
    ],
    [
      "an image by tag",
      () => {
        replaceIn(tick, `@sha256:${"0".repeat(64)}`, ":latest");
      },
      /^service continuo-tick runs an image that is not named by digest$/,
    ],
    [
      "a variable that is not set",
      () => {
        replaceIn(tick, "CONTINUO_BUCKET", "CONTINUO_BUCKETS");
      },
      /^service continuo-tick lacks the variables CONTINUO_BUCKET$/,
    ],
    [
      "fewer instances",
      () => {
        replaceIn(tick, '"maxInstanceCount":4', '"maxInstanceCount":1');
      },
      /^service continuo-tick has 0 to 1 instances, not 0 to 4$/,
    ],
    [
      "less of a CPU",
      () => {
        replaceIn(tick, '"cpu":"1"', '"cpu":"500m"');
      },
      /^service continuo-tick has 500m CPUs, not 1$/,
    ],
    [
      "a release that stopped half-way",
      () => {
        replaceIn(tick, '"percent":100', '"percent":50');
      },
      /^service continuo-tick splits its traffic between revisions/,
    ],
    [
      "another service's identity",
      () => {
        replaceIn(tick, "fn-tick@", "fn-api@");
      },
      /^service continuo-tick runs as fn-api@/,
    ],
    [
      "an owner",
      () => {
        replaceIn(`/v1/projects/${projectId}:getIamPolicy`, roleOf("notify"), "roles/owner");
      },
      /^fn-notify holds roles\/owner$/,
    ],
    [
      "a role without a permission",
      () => {
        replaceIn(`/v1/${roleOf("tick")}`, "aiplatform.endpoints.deploy", "aiplatform.x.y");
      },
      /^the role of fn-tick lacks aiplatform\.endpoints\.deploy$/,
    ],
    [
      "dead letters that Pub/Sub may not publish",
      () => {
        replaceIn(`/v1/projects/${projectId}/topics/dead-letter:getIamPolicy`, agent, "user:a@b.c");
      },
      /^Pub\/Sub's service agent may not publish dead letters/,
    ],
    [
      "dead letters that Pub/Sub may not take",
      () => answers.delete(`/v1/projects/${projectId}/subscriptions/tick:getIamPolicy`),
      /^Pub\/Sub's service agent may not take dead letters from subscription tick/,
    ],
    [
      "an index that an apply did not come to",
      () => {
        replaceIn(
          `${databasePath}/collectionGroups/-/indexes`,
          '"fieldPath":"pendingSlot"',
          '"fieldPath":"x"',
        );
      },
      /^the index of journal, pendingSlot ASCENDING, receivedAtMs ASCENDING is missing/,
    ],
    [
      "an index that is built",
      () => {
        replaceIn(`${databasePath}/collectionGroups/-/indexes`, "READY", "CREATING");
      },
      /^the index of journal, .* is CREATING$/,
    ],
    [
      "a database that may be deleted",
      () => {
        replaceIn(databasePath, "DELETE_PROTECTION_ENABLED", "DELETE_PROTECTION_DISABLED");
      },
      /^the database may be deleted by mistake$/,
    ],
    ["no database", () => answers.delete(databasePath), /^there is no database$/],
    [
      "a quota of nothing",
      () => {
        replaceIn(
          `/v1/projects/${projectId}/locations/global/services/aiplatform.googleapis.com/quotaInfos`,
          '"42"',
          '"0"',
        );
      },
      /^every quota of custom training is 0 in europe-west4/,
    ],
  ])("finds %s", async (_, damage, complaint) => {
    damage();
    const found = await complaints(googleChecks, patient);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(complaint);
  });
});
