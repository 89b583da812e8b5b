/**
 * The PredictionLog port on both of its forms: JSON lines in a folder, and a table behind a server that answers as
 * BigQuery's jobs.query and jobs.getQueryResults do (schema and rows of cells, jobs that take a while, page tokens).
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { deployedModelId } from "../../events/ids.js";
import { ConfigError, RejectedError, UnavailableError } from "../../shared/domain/errors.js";
import type { GcpConfig } from "../../shared/gcp/config.js";
import { predictionLog } from "../../shared/gcp/prediction-log.js";
import { restClient } from "../../shared/gcp/rest.js";
import type { Objects } from "../../shared/ports/objects.js";
import type { PredictionLog } from "../../shared/ports/prediction-log.js";
import { withLocalCloud } from "./local-cloud.js";

/** One request as an endpoint answered it. */
interface Logged {
  readonly timeMs: number;
  readonly endpoint: string;
  readonly deployedModelId: string;
  readonly requestId: string;
  readonly instances: readonly unknown[];
  readonly response: unknown;
  readonly statusCode: number;
}

const startMs = Date.UTC(2026, 4, 1);

const logged = (index: number, changes: Partial<Logged> = {}): Logged => ({
  timeMs: startMs + index * 1000,
  endpoint: "churn",
  deployedModelId: index % 10 === 0 ? "2" : "1",
  requestId: `r${index}`,
  instances: [{ customer: `c${index}`, age: index }],
  response: { predictions: [index / 100] },
  statusCode: 200,
  ...changes,
});

const queryBody = z.object({
  query: z.string(),
  useLegacySql: z.literal(false),
  parameterMode: z.literal("NAMED"),
  queryParameters: z.array(
    z.object({
      name: z.string(),
      parameterType: z.object({ type: z.enum(["STRING", "TIMESTAMP"]) }),
      parameterValue: z.object({ value: z.string() }),
    }),
  ),
  maxResults: z.number(),
  formatOptions: z.object({ useInt64Timestamp: z.literal(true) }),
  maximumBytesBilled: z.string().regex(/^\d+$/),
  requestId: z.string().min(1),
});

type QueryBody = z.infer<typeof queryBody>;

const columns = [
  ["logging_time", "TIMESTAMP", "NULLABLE"],
  ["deployed_model_id", "STRING", "NULLABLE"],
  ["request_id", "STRING", "NULLABLE"],
  ["request_payload", "STRING", "REPEATED"],
  ["response_payload", "STRING", "REPEATED"],
] as const;

/** What the server does otherwise. */
interface Mood {
  /** Rows of a page, whatever is asked for. */
  pageRows: number;
  /** Answers before the job is done; Infinity for never. */
  waits: number;
  refusal: { readonly code: number; readonly message: string } | null;
  /** Whether a payload is one body or one text for each instance. */
  isWhole: boolean;
}

const usual: Mood = { pageRows: 1000, waits: 0, refusal: null, isWhole: true };

/** BigQuery as far as this port sees it: it reads the parameters of the one query that the port asks. */
const tableServer = (rows: () => readonly Logged[], mood: Mood) => {
  const queries: QueryBody[] = [];
  let waits = 0;
  const cells = (row: Logged) => {
    const texts = (whole: unknown, each: readonly unknown[]) =>
      (mood.isWhole ? [whole] : each).map((one) => ({ v: JSON.stringify(one) }));
    const { predictions = [] } = z
      .object({ predictions: z.array(z.unknown()).optional() })
      .parse(row.response);
    return {
      f: [
        { v: String(row.timeMs * 1000) },
        { v: row.deployedModelId },
        { v: row.requestId },
        { v: texts({ instances: row.instances }, row.instances) },
        { v: texts(row.response, row.statusCode < 400 ? predictions : [row.response]) },
      ],
    };
  };
  const selected = (query: QueryBody): readonly Logged[] => {
    const value = (name: string): string =>
      query.queryParameters.find((parameter) => parameter.name === name)?.parameterValue.value ??
      "";
    const limit = Number(/LIMIT (\d+)$/.exec(query.query)?.[1]);
    return rows()
      .filter(
        ({ timeMs, endpoint }) =>
          timeMs >= Date.parse(value("since")) &&
          timeMs < Date.parse(value("until")) &&
          endpoint === value("endpoint"),
      )
      .filter(
        (row) =>
          !query.query.includes("deployed_model_id = @deployedModel") ||
          row.deployedModelId === value("deployedModel"),
      )
      .toSorted((a, b) =>
        query.query.includes("DESC") ? b.timeMs - a.timeMs : a.timeMs - b.timeMs,
      )
      .slice(0, limit);
  };
  const page = (from: number) => {
    const jobReference = { projectId: "demo", jobId: "job-1", location: "EU" };
    const query = queries.at(-1);
    if (waits < mood.waits || query === undefined) {
      waits += 1;
      return { jobComplete: false, jobReference };
    }
    const all = selected(query);
    const to = from + mood.pageRows;
    return {
      jobComplete: true,
      jobReference,
      totalRows: String(all.length),
      schema: { fields: columns.map(([name, type, mode]) => ({ name, type, mode })) },
      rows: all.slice(from, to).map(cells),
      ...(to < all.length ? { pageToken: `from-${to}` } : {}),
    };
  };
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { pathname, searchParams } = new URL(request.url ?? "/", "http://127.0.0.1");
      const send = (code: number, body: unknown): void => {
        response.writeHead(code, { "content-type": "application/json" });
        response.end(JSON.stringify(body));
      };
      if (mood.refusal !== null) {
        const { code, message } = mood.refusal;
        send(code, { error: { code, message } });
      } else if (request.method === "POST" && pathname === "/bigquery/v2/projects/demo/queries") {
        waits = 0;
        queries.push(queryBody.parse(JSON.parse(Buffer.concat(chunks).toString("utf8"))));
        send(200, page(0));
      } else if (pathname === "/bigquery/v2/projects/demo/queries/job-1") {
        expect(searchParams.get("location")).toBe("EU");
        send(200, page(Number(searchParams.get("pageToken")?.replace("from-", "") ?? 0)));
      } else send(404, { error: { code: 404, message: `no such path ${pathname}` } });
    });
  });
  return { server, queries };
};

const folderOf = (rows: () => readonly Logged[]): Objects => {
  const files = (): ReadonlyMap<string, string> => {
    const found = new Map<string, string[]>();
    for (const row of rows()) {
      // An object for each ten seconds, named after its end.
      const endMs = Math.floor(row.timeMs / 10_000) * 10_000 + 10_000;
      const name = `gs://logs/predictions/${row.endpoint}/${new Date(endMs).toISOString()}-1.jsonl`;
      const { instances, timeMs, ...rest } = row;
      const text = { ...rest, time: new Date(timeMs).toISOString(), request: { instances } };
      found.set(name, [...(found.get(name) ?? []), JSON.stringify(text)]);
    }
    return new Map([...found].map(([name, lines]) => [name, `${lines.join("\n")}\nno json\n`]));
  };
  return {
    read: async (uri) => Buffer.from(files().get(uri) ?? ""),
    write: async () => undefined,
    list: async (prefix) => [...files().keys()].filter((uri) => uri.startsWith(prefix)).toSorted(),
  };
};

let rows: readonly Logged[] = [];
const mood: Mood = { ...usual };
const { server, queries } = tableServer(() => rows, mood);
let log: PredictionLog;

const configOf = (localCloud: string): GcpConfig => ({
  projectId: "demo",
  region: "us-central1",
  bucket: "demo",
  identity: "continuo@demo.iam.gserviceaccount.com",
  localCloud,
});

const logOf = (config: GcpConfig): PredictionLog =>
  predictionLog(
    config,
    restClient(config),
    folderOf(() => rows),
  );

beforeAll(async () => {
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  // The server's own address is known once it listens.
  const { port } = server.address() as AddressInfo;
  log = logOf(configOf(`http://127.0.0.1:${port}`));
});

afterAll(async () => {
  await new Promise((resolve) => {
    server.close(resolve);
  });
});

beforeEach(() => {
  rows = [];
  Object.assign(mood, usual);
  queries.splice(0);
});

const locations = {
  "JSON lines in a folder": "gs://logs/predictions",
  "a table whose payloads are whole bodies": "bq://demo-project.logging.predictions",
  "a table whose payloads are one text for each instance": "bq://demo-project.logging.predictions",
};

const span = { endpoint: "churn", sinceMs: startMs, untilMs: startMs + 86_400_000, rowsMax: 1000 };

describe.each(Object.entries(locations))("the prediction log as %s", (what, location) => {
  beforeEach(() => {
    mood.isWhole = !what.includes("each instance");
  });
  const read = (changes: Partial<Parameters<PredictionLog["read"]>[0]> = {}) =>
    log.read({ ...span, location, ...changes });

  it("gives every instance with its prediction, oldest first", async () => {
    rows = [logged(12), logged(3), logged(7, { endpoint: "other" })];
    expect(await read()).toEqual(
      [3, 12].map((index) => ({
        timeMs: startMs + index * 1000,
        deployedModelId: deployedModelId.parse("1"),
        requestId: `r${index}`,
        instance: { customer: `c${index}`, age: index },
        prediction: index / 100,
      })),
    );
  });

  it("keeps to its span, and to the newest when there are more than asked for", async () => {
    rows = Array.from({ length: 100 }, (_, index) => logged(index));
    mood.pageRows = 7;
    const ages = (found: Awaited<ReturnType<typeof read>>) =>
      found.map(({ instance }) => instance["age"]);
    const cut = await read({ sinceMs: startMs + 10_000, untilMs: startMs + 40_000 });
    expect(ages(cut)).toEqual(Array.from({ length: 30 }, (_, index) => 10 + index));
    expect(ages(await read({ rowsMax: 5 }))).toEqual([95, 96, 97, 98, 99]);
    expect(ages(await read({ rowsMax: 5, isFirst: true }))).toEqual([0, 1, 2, 3, 4]);
    const ofOne = { rowsMax: 3, deployedModelId: deployedModelId.parse("2") };
    expect(ages(await read(ofOne))).toEqual([70, 80, 90]);
    expect(ages(await read({ ...ofOne, isFirst: true }))).toEqual([0, 10, 20]);
    expect(await read({ sinceMs: startMs + 200_000 })).toEqual([]);
  });

  it("spreads a request with several instances, and leaves out what is no object", async () => {
    const instances = [{ age: 1 }, 7, { age: 2 }];
    rows = [logged(1, { instances, response: { predictions: ["a", "b", "c"] } })];
    const found = await read();
    expect(found.map(({ instance, prediction }) => [instance["age"], prediction])).toEqual([
      [1, "a"],
      [2, "c"],
    ]);
    expect(new Set(found.map(({ requestId }) => requestId))).toEqual(new Set(["r1"]));
  });

  it("leaves out requests that failed", async () => {
    rows = [
      logged(1),
      logged(2, { statusCode: 500, response: { error: { code: 500, message: "broken" } } }),
    ];
    expect((await read()).map(({ requestId }) => requestId)).toEqual(["r1"]);
  });

  it("keeps the attributions that a container or Vertex AI's Explain put beside the answer", async () => {
    const own = { predictions: [{ score: 0.5, attributions: { age: 0.25, plan: -0.5 } }] };
    rows = [logged(1, { response: own })];
    if (mood.isWhole) {
      const featureAttributions = { age: 0.125, plan: [0.5, 0.5] };
      const explanations = [{ attributions: [{ featureAttributions }] }];
      rows = [...rows, logged(2, { response: { predictions: [0.5], explanations } })];
    }
    expect((await read()).map(({ attributions }) => attributions)).toEqual([
      { age: 0.25, plan: -0.5 },
      // A list has no one distance.
      ...(mood.isWhole ? [{ age: 0.125 }] : []),
    ]);
  });
});

describe("a table's query", () => {
  const read = (location = "bq://demo-project.logging.predictions") =>
    log.read({ ...span, location });

  it("asks for the newest rows of one endpoint, every value as a parameter", async () => {
    await log.read({
      location: "bq://demo-project.logging",
      endpoint: "churn' OR TRUE --",
      sinceMs: startMs,
      untilMs: startMs + 1000,
      rowsMax: 20,
    });
    expect(queries[0]?.query).toBe(
      [
        "SELECT logging_time, deployed_model_id, CAST(request_id AS STRING) AS request_id, request_payload, response_payload",
        "FROM `demo-project.logging.request_response_logging`",
        "WHERE logging_time >= @since AND logging_time < @until",
        "AND REGEXP_EXTRACT(CAST(endpoint AS STRING), r'[^/]+$') = @endpoint",
        "ORDER BY logging_time DESC",
        "LIMIT 20",
      ].join("\n"),
    );
    expect(queries[0]?.queryParameters).toEqual([
      {
        name: "since",
        parameterType: { type: "TIMESTAMP" },
        parameterValue: { value: "2026-05-01T00:00:00.000Z" },
      },
      {
        name: "until",
        parameterType: { type: "TIMESTAMP" },
        parameterValue: { value: "2026-05-01T00:00:01.000Z" },
      },
      {
        name: "endpoint",
        parameterType: { type: "STRING" },
        parameterValue: { value: "churn' OR TRUE --" },
      },
    ]);
  });

  it.each([
    ["bq://demo-project.logging", "`demo-project.logging.request_response_logging`"],
    ["bq://demo-project.logging.predictions", "`demo-project.logging.predictions`"],
    ["bq://demo-project.logging.churn-log", "`demo-project.logging.churn-log`"],
    ["bq://example.com:demo.logging.t", "`example.com:demo.logging.t`"],
  ])("of %s reads %s", async (location, table) => {
    await read(location);
    expect(queries.at(-1)?.query).toContain(`FROM ${table}\n`);
  });

  it("waits for a job that takes a while, and gives up on one that does not end", async () => {
    rows = [logged(1)];
    mood.waits = 3;
    expect(await read()).toHaveLength(1);
    mood.waits = Infinity;
    await expect(read()).rejects.toThrow(UnavailableError);
  });

  it("is one of a table that the address names", async () => {
    for (const location of ["bq://demo-project", "bq://p.d.t`; DROP TABLE x", "bq://a b.c.d"]) {
      await expect(read(location)).rejects.toThrow(/names no table/);
    }
    await expect(read("s3://logs")).rejects.toThrow(ConfigError);
    expect(queries).toEqual([]);
  });

  it("that BigQuery refuses is refused for good, in its words", async () => {
    mood.refusal = { code: 404, message: "Not found: Table demo-project:logging.predictions" };
    const refused = read();
    await expect(refused).rejects.toThrow(RejectedError);
    await expect(refused).rejects.toThrow(/Not found: Table/);
  });

  it("leaves out rows that are not as Vertex AI writes them", async () => {
    rows = [logged(1), logged(2, { deployedModelId: "" }), logged(3, { timeMs: Number.NaN })];
    expect((await read()).map(({ requestId }) => requestId)).toEqual(["r1"]);
  });

  it("is not answered by the local cloud, which logs to a folder", async () => {
    const cloud = await withLocalCloud(["storage"]);
    try {
      const local = logOf(configOf(cloud.address));
      await expect(local.read({ ...span, location: "bq://demo-project.logging" })).rejects.toThrow(
        RejectedError,
      );
    } finally {
      await cloud.stop();
    }
  });
});
