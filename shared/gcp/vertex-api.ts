/** Vertex AI's REST API: names and long-running operations. The official client costs 1.5 s to load; its types are free. */
import { z } from "zod";
import { baseUrl, locationName, type GcpConfig } from "./config.js";
import { asCloudError } from "./errors.js";
import type { Rest, RestCall } from "./rest.js";

/** Access to one region. */
export interface VertexApi {
  readonly parent: string;
  /** JSON of a resource by its path below the region, for example `endpoints/churn`. */
  readonly request: (
    method: RestCall["method"],
    path: string,
    options?: Pick<RestCall, "query" | "body" | "isRepeatable" | "deadlineMs">,
  ) => Promise<unknown>;
  /** Like a GET request; null when there is no such resource. */
  readonly find: (path: string) => Promise<unknown>;
  /** A resource's long-running operations, newest last; none when there is no such resource. */
  readonly operations: (path: string) => Promise<readonly VertexOperation[]>;
  readonly url: (path: string) => string;
}

const operation = z.object({
  name: z.string(),
  done: z.boolean().default(false),
  metadata: z
    .object({
      "@type": z.string().default(""),
      genericMetadata: z
        .object({ createTime: z.string().optional(), updateTime: z.string().optional() })
        .default({}),
    })
    .prefault({}),
  error: z.object({ code: z.number().default(2), message: z.string().default("") }).optional(),
});

const operationList = z.object({
  operations: z.array(operation).default([]),
  nextPageToken: z.string().optional(),
});

/** A long-running operation. */
export interface VertexOperation {
  readonly name: string;
  /** The metadata's message name without its package, for example `DeployModelOperationMetadata`. */
  readonly kind: string;
  readonly isDone: boolean;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly error: string | null;
}

const pagesMax = 10;
const pageSize = 100;

const timeMs = (text: string | undefined): number => (text === undefined ? 0 : Date.parse(text));

const operationOf = ({
  name,
  done,
  metadata,
  error,
}: z.infer<typeof operation>): VertexOperation => ({
  name,
  kind: metadata["@type"].slice(metadata["@type"].lastIndexOf(".") + 1),
  isDone: done,
  createdAtMs: timeMs(metadata.genericMetadata.createTime),
  updatedAtMs: timeMs(metadata.genericMetadata.updateTime),
  error: error === undefined ? null : error.message,
});

/** Access to Vertex AI in the configured region. */
export const vertexApi = (config: GcpConfig, rest: Rest): VertexApi => {
  const parent = locationName(config);
  const url = (path: string): string => `${baseUrl(config, "aiplatform")}/v1/${parent}/${path}`;
  const request: VertexApi["request"] = (method, path, options = {}) =>
    rest.json({ method, url: url(path), ...options });
  const find = async (path: string): Promise<unknown> => {
    try {
      return await request("GET", path);
    } catch (error) {
      if (asCloudError(error).status === "NOT_FOUND") return null;
      throw error;
    }
  };
  return {
    parent,
    url,
    request,
    find,
    operations: async (path) => {
      const found: VertexOperation[] = [];
      let pageToken: string | undefined;
      for (let page = 0; page < pagesMax; page += 1) {
        let answer: unknown;
        try {
          answer = await request("GET", `${path}/operations`, { query: { pageSize, pageToken } });
        } catch (error) {
          if (asCloudError(error).status === "NOT_FOUND") return [];
          throw error;
        }
        const { operations, nextPageToken } = operationList.parse(answer);
        found.push(...operations.map(operationOf));
        pageToken = nextPageToken === "" ? undefined : nextPageToken;
        if (pageToken === undefined) break;
      }
      return found.toSorted((a, b) => a.createdAtMs - b.createdAtMs);
    },
  };
};
