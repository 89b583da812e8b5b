import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { catalogue, type EventType } from "../../../events/index.js";
import { airflow } from "../../../events/sources/airflow.js";
import { bigQuery } from "../../../events/sources/bigquery.js";
import { cloudBuild } from "../../../events/sources/cloud-build.js";
import { cloudEvent } from "../../../events/sources/cloud-event.js";
import {
  monitoringAnomaly,
  operationAudit,
  pipelineJobState,
  registryAudit,
} from "../../../events/sources/cloud-logging.js";
import { cloudMonitoring } from "../../../events/sources/cloud-monitoring.js";
import { cloudScheduler } from "../../../events/sources/cloud-scheduler.js";
import { cloudStorage } from "../../../events/sources/cloud-storage.js";
import { eventExamples, exampleOf } from "../../../infra/docs/event-examples.js";
import { InvalidEventError } from "../../../shared/domain/errors.js";
import { readWith } from "../../../shared/runtime/edge.js";
import { messageOf, unwrap } from "../../../shared/runtime/push.js";
import { logged, pushed } from "../events/payloads.js";

const types = Object.keys(catalogue) as EventType[];

const sources = [
  cloudEvent(...types),
  cloudStorage,
  bigQuery,
  airflow,
  cloudBuild,
  cloudScheduler,
  monitoringAnomaly,
  pipelineJobState,
  registryAudit,
  operationAudit,
  cloudMonitoring,
];

interface Attempt {
  readonly data?: string | Buffer;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly publishTime?: string;
}

/** What comes of a message: its events' number, or why it was refused; any other error fails the test. */
const read = ({
  data,
  attributes = {},
  publishTime = "2026-01-02T03:04:05Z",
}: Attempt): number | string => {
  try {
    const delivery = unwrap({
      message: {
        messageId: "1",
        publishTime,
        attributes,
        ...(data === undefined ? {} : { data: Buffer.from(data).toString("base64") }),
      },
      subscription: "projects/demo/subscriptions/s",
    });
    // Each source alone as well: none may rely on another one having refused before.
    const message = messageOf(delivery);
    for (const source of sources) source(message);
    return readWith(sources, message).length;
  } catch (error) {
    if (error instanceof InvalidEventError) return error.message;
    throw error;
  }
};

const arrival = exampleOf("dataset.arrived");
const arrivalWith = (data: unknown, changes: object = {}): string =>
  JSON.stringify({ ...arrival, data, ...changes });

const uris = ["gs://b/o"];

const hostile: readonly (readonly [string, Attempt, RegExp])[] = [
  ["10 MB", { data: Buffer.alloc(10_000_000, "x") }, /10000000 bytes.*bucket/],
  ["10 MB of zeros", { data: Buffer.alloc(10_000_000) }, /at most 262144/],
  ["one byte too many", { data: `"${"x".repeat(256 * 1024)}"` }, /at most 262144/],
  ["attributes only", { attributes: { key: "value" } }, /no data/],
  ["nothing at all", {}, /no data/],
  ["text", { data: "hello" }, /not JSON/],
  ["half of a document", { data: '{"specversion":"1.0"' }, /not JSON/],
  ["a byte order mark", { data: "\uFEFF{}" }, /not JSON/],
  ["bytes that are no text", { data: Buffer.from([0xff, 0xfe, 0x00, 0x80]) }, /not JSON/],
  ["NaN", { data: '{"rows":NaN}' }, /not JSON/],
  ["a bare number", { data: "1" }, /known shapes/],
  ["null", { data: "null" }, /known shapes/],
  ["a list", { data: "[]" }, /known shapes/],
  ["an empty object", { data: "{}" }, /known shapes/],
  ["depth", { data: "[".repeat(100_000) }, /deeper than 32/],
  ["depth inside an object", { data: '{"a":'.repeat(5000) }, /deeper than 32/],
  ["brackets inside a text", { data: JSON.stringify("[".repeat(1000)) }, /known shapes/],
  [
    "a number beyond all numbers",
    { data: arrivalWith({ dataset: "d", uris, rows: 1 }).replace('"rows":1', '"rows":1e999') },
    /data\.rows/,
  ],
  ["a negative count", { data: arrivalWith({ dataset: "d", uris, rows: -1 }) }, /data\.rows/],
  ["half a row", { data: arrivalWith({ dataset: "d", uris, rows: 0.5 }) }, /data\.rows/],
  ["a count as text", { data: arrivalWith({ dataset: "d", uris, rows: "5" }) }, /data\.rows/],
  [
    "control characters",
    { data: arrivalWith({ dataset: "d\u0000\u001b[31m", uris }) },
    /data\.dataset: must not hold control/,
  ],
  [
    "half a character",
    { data: arrivalWith({ dataset: "d", uris }, { id: "\uD800" }) },
    /id: must not hold control/,
  ],
  [
    "an address that is none",
    { data: arrivalWith({ dataset: "d", uris: ["/etc/passwd"] }) },
    /uris/,
  ],
  ["no address", { data: arrivalWith({ dataset: "d", uris: [] }) }, /uris/],
  [
    "a thousand addresses and one",
    { data: arrivalWith({ dataset: "d", uris: Array.from({ length: 1001 }, () => "a://b") }) },
    /uris/,
  ],
  ["the year 1970", { data: JSON.stringify({ ...arrival, time: "1970-01-01T00:00:00Z" }) }, /time/],
  ["the year 9999", { data: JSON.stringify({ ...arrival, time: "9999-12-31T23:59:59Z" }) }, /time/],
  [
    "a time without a zone",
    { data: JSON.stringify({ ...arrival, time: "2026-01-02T03:04:05" }) },
    /time/,
  ],
  [
    "the 30th of February",
    { data: JSON.stringify({ ...arrival, time: "2026-02-30T00:00:00Z" }) },
    /time/,
  ],
  ["a time as a number", { data: JSON.stringify({ ...arrival, time: 1_767_323_045 }) }, /time/],
  ["an id of nothing", { data: JSON.stringify({ ...arrival, id: "" }) }, /id/],
  ["an endless id", { data: JSON.stringify({ ...arrival, id: "x".repeat(5000) }) }, /id/],
  [
    "an unknown type",
    { data: JSON.stringify({ ...arrival, type: "dataset.deleted" }) },
    /not accepted/,
  ],
  [
    "an endless type",
    { data: JSON.stringify({ ...arrival, type: "x".repeat(50_000) }) },
    /^.{1,600}$/s,
  ],
  ["a future version", { data: JSON.stringify({ ...arrival, specversion: "2.0" }) }, /specversion/],
  [
    "a notification published at an impossible time",
    {
      ...pushed("gcs_notification_pubsub_finalize"),
      publishTime: "soon",
      data: "{}",
      attributes: {
        bucketId: "b",
        objectId: "o",
        objectGeneration: "1",
        eventType: "OBJECT_FINALIZE",
      },
    },
    /time/,
  ],
];

describe("hostile messages", () => {
  it.each(hostile)("%s: refused, and the reason says what is wrong", (_name, attempt, reason) => {
    const result = read(attempt);
    expect(result).toMatch(reason);
  });

  it.each(["__proto__", String.raw`\u005f_proto__`])("a key %s reaches nobody", (name) => {
    const data = `{"${name}":{"isAdmin":true},"constructor":{"prototype":{"isAdmin":true}}}`;
    const delivery = unwrap({
      message: { messageId: "1", publishTime: "t", data: Buffer.from(data).toString("base64") },
      subscription: "s",
    });
    const { body } = messageOf(delivery);
    expect(Object.keys(body as object)).toEqual(["constructor"]);
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
    expect(({ ...(body as object) } as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  });

  it("a manifest in an event keeps no __proto__ either", () => {
    const { manifest, ...data } = eventExamples["manifest.applied"].data;
    const text = JSON.stringify({ ...exampleOf("manifest.applied"), data: { ...data, manifest } });
    const poisoned = text.replace('"kind"', '"__proto__":{"isAdmin":true},"kind"');
    expect(read({ data: poisoned })).toBe(1);
  });

  const anything = fc.anything({
    withNullPrototype: false,
    maxDepth: 4,
    values: [
      fc.constantFrom<unknown>(
        "__proto__",
        "1.0",
        "dataset.arrived",
        "OBJECT_FINALIZE",
        "2026-01-02T03:04:05Z",
        "NaN",
        "-1",
        "gs://b/o",
        "\uD800",
        Number.MAX_SAFE_INTEGER + 2,
        1e308,
        -0,
        null,
      ),
      fc.string(),
      fc.double(),
      fc.boolean(),
    ],
  });

  it("whatever the data is: events, or one reason in a sentence", () => {
    fc.assert(
      fc.property(anything, (value) => {
        const result = read({ data: JSON.stringify(value) ?? "null" });
        expect(typeof result === "number" || result.length > 5).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it("whatever the bytes and the attributes are: events, or one reason", () => {
    const keys = fc.constantFrom(
      "eventType",
      "bucketId",
      "objectId",
      "objectGeneration",
      "buildId",
      "__proto__",
      "status",
      "eventTime",
      "x",
    );
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.dictionary(keys, fc.string({ unit: "binary", maxLength: 50 })),
        fc.string({ maxLength: 40 }),
        (bytes, attributes, publishTime) => {
          const result = read({
            data: Buffer.from(bytes),
            attributes,
            publishTime: publishTime || "x",
          });
          expect(typeof result === "number" || result.length > 5).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });

  /** Real messages, which the property damages in one place. */
  const seeds = [
    ...types.map((type) => exampleOf(type)),
    logged("vertex_monitoring_v1_anomaly_logentry").body,
    logged("vertex_pipelinejob_state_logentry").body,
    logged("vertex_audit_UploadModel_last").body,
    logged("vertex_audit_MergeVersionAliases").body,
    logged("vertex_audit_DeployModel_failed").body,
    logged("monitoring_incident_v1.2_open").body,
    logged("bigquery_auditlog_insertjob_load_v2").body,
    pushed("bigquery_dts_transfer_run_finished").body,
    pushed("cloudbuild_topic_message").body,
    pushed("airflow_pubsubpublish_message").body,
    pushed("scheduler_continuo_schedule").body,
  ];

  const paths = (value: unknown, at: readonly string[] = []): readonly (readonly string[])[] =>
    typeof value !== "object" || value === null
      ? [at]
      : [at, ...Object.entries(value).flatMap(([key, inner]) => paths(inner, [...at, key]))];

  const replaced = (value: unknown, path: readonly string[], by: unknown): unknown => {
    const [head, ...rest] = path;
    if (head === undefined) return by;
    const inner = (value as Record<string, unknown>)[head];
    return Object.assign(
      Array.isArray(value) ? [...(value as unknown[])] : { ...(value as object) },
      {
        [head]: replaced(inner, rest, by),
      },
    );
  };

  it("a real message with any one part replaced by anything: events, or one reason", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.nat(),
        anything,
        fc.constantFrom("", "TRANSFER_RUN_FINISHED"),
        fc.boolean(),
        (seed, position, value, eventType, isBuild) => {
          const all = paths(seed);
          const path = all[position % all.length] ?? [];
          const data = JSON.stringify(replaced(seed, path, value)) ?? "null";
          const attributes = {
            ...(eventType === "" ? {} : { eventType }),
            ...(isBuild ? { buildId: "b" } : {}),
          };
          const result = read({ data, attributes });
          expect(typeof result === "number" || result.length > 5).toBe(true);
        },
      ),
      { numRuns: 1500 },
    );
  });

  it("a publisher that is patient is refused within the test's own limit", () => {
    const patient = [
      Buffer.alloc(10_000_000, "["),
      `"${"\\".repeat(200_000)}`,
      arrivalWith({ dataset: "x".repeat(200_000), uris }),
      JSON.stringify({ ...arrival, id: "a-".repeat(100_000) }),
    ];
    for (const data of patient) expect(read({ data })).toMatch(/\w/);
  });
});
