/** Runs a query through BigQuery's REST API: jobs.query, then jobs.getQueryResults for what is left. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { RejectedError, UnavailableError } from "../domain/errors.js";
import { baseUrl, type GcpConfig } from "./config.js";
import type { Rest } from "./rest.js";

const pageRows = 5000;
const pagesMax = 200;
/** One answer waits this long for the query's end. */
const waitMs = 10_000;
const waitsMax = 6;
const deadlineMs = 30_000;
/** A query that would read more is refused before it costs anything. */
const billedBytesMax = 50 * 2 ** 30;

const cell = z.object({ v: z.unknown() });

const answer = z.object({
  jobComplete: z.boolean().default(false),
  jobReference: z.object({ jobId: z.string(), location: z.string().optional() }).optional(),
  schema: z.object({ fields: z.array(z.object({ name: z.string() })).default([]) }).optional(),
  rows: z.array(z.object({ f: z.array(cell) })).default([]),
  pageToken: z.string().optional(),
});

type Answer = z.infer<typeof answer>;

/** A row by column: texts, null, or lists of them for a repeated column. */
export type QueryRow = Readonly<Record<string, unknown>>;

/** A query in GoogleSQL with named parameters. */
export interface Query {
  readonly sql: string;
  readonly parameters: Readonly<
    Record<string, { readonly type: "STRING" | "TIMESTAMP"; readonly value: string }>
  >;
}

/** A repeated column's value is a list of cells. */
const valueOf = (value: unknown): unknown =>
  Array.isArray(value) ? value.map((one) => cell.parse(one).v) : value;

/** Rows of one page by column; pages after the first come with a schema of their own. */
const rowsOf = ({ rows, schema }: Answer, names: readonly string[]): readonly QueryRow[] => {
  const columns = schema?.fields.map(({ name }) => name) ?? names;
  return rows.map(({ f }) =>
    Object.fromEntries(columns.map((name, index) => [name, valueOf(f[index]?.v)])),
  );
};

const requestOf = ({ sql, parameters }: Query) => ({
  query: sql,
  useLegacySql: false,
  parameterMode: "NAMED",
  queryParameters: Object.entries(parameters).map(([name, { type, value }]) => ({
    name,
    parameterType: { type },
    parameterValue: { value },
  })),
  maxResults: pageRows,
  timeoutMs: waitMs,
  maximumBytesBilled: String(billedBytesMax),
  // Whole microseconds; the default is a float of seconds, which loses them.
  formatOptions: { useInt64Timestamp: true },
  // The same request twice is one job.
  requestId: randomUUID(),
});

/** The pages of a query's result, as they come; the reader may stop early. */
export async function* queryPages(
  config: GcpConfig,
  rest: Rest,
  query: Query,
): AsyncGenerator<readonly QueryRow[]> {
  const url = `${baseUrl(config, "bigquery")}/bigquery/v2/projects/${config.projectId}/queries`;
  let found = answer.parse(
    await rest.json({
      method: "POST",
      url,
      body: requestOf(query),
      isRepeatable: true,
      deadlineMs,
    }),
  );
  const { jobReference } = found;
  const next = async (pageToken: string | undefined): Promise<Answer> => {
    if (jobReference === undefined) {
      throw new RejectedError("BigQuery's answer names no job, so the rest of it cannot be read.");
    }
    const { jobId, location } = jobReference;
    return answer.parse(
      await rest.json({
        method: "GET",
        url: `${url}/${encodeURIComponent(jobId)}`,
        query: {
          location,
          pageToken,
          maxResults: pageRows,
          timeoutMs: waitMs,
          "formatOptions.useInt64Timestamp": "true",
        },
        deadlineMs,
      }),
    );
  };
  for (let waits = 0; !found.jobComplete; waits += 1) {
    if (waits >= waitsMax) {
      throw new UnavailableError(
        `BigQuery's job ${jobReference?.jobId ?? ""} has not ended after ${String((waits * waitMs) / 1000)} s. It is asked for again at the next look.`,
      );
    }
    found = await next(undefined);
  }
  const names = found.schema?.fields.map(({ name }) => name) ?? [];
  for (let page = 1; ; page += 1) {
    yield rowsOf(found, names);
    if (found.pageToken === undefined || found.pageToken === "") return;
    if (page >= pagesMax) {
      throw new RejectedError(
        `The result has more than ${String(pagesMax * pageRows)} rows. Ask for a shorter span of time.`,
      );
    }
    found = await next(found.pageToken);
  }
}
