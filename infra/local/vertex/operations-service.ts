/** google.longrunning.Operations over gRPC, and over the REST paths that clients and gcloud poll. */
import type { CloudContext } from "../cloud.js";
import { RpcError, type HttpRoute, type ServiceImplementation } from "../protocol/service.js";
import type { CallContext } from "../protocol/service.js";
import { durationMs, jsonOfMessage, type Duration } from "./messages.js";
import { operationsOf, type OperationMessage, type Operations } from "./operations.js";
import { page } from "./paging.js";
import { readBody, sendError, sendJson } from "./rest.js";

const waitMsMax = 60_000;
const pageSizeMax = 1_000;
const bodyBytesMax = 65_536;

interface Named {
  readonly name?: string;
}

interface ListRequest extends Named {
  readonly filter?: string;
  readonly pageSize?: number;
  readonly pageToken?: string;
}

interface WaitRequest extends Named {
  readonly timeout?: Duration;
}

const listOperations = (
  operations: Operations,
  request: ListRequest,
): { readonly operations: readonly OperationMessage[]; readonly nextPageToken?: string } => {
  const filter = request.filter ?? "";
  const wanted = /^\s*done\s*=\s*(true|false)\s*$/.exec(filter);
  if (filter.trim() !== "" && wanted === null) {
    throw new RpcError(
      "UNIMPLEMENTED",
      `The filter "${filter}" is not supported for operations here: use done=true or done=false.`,
    );
  }
  const all = operations
    .list(request.name ?? "")
    .filter((operation) => wanted === null || (operation.done === true) === (wanted[1] === "true"));
  const { items, nextPageToken } = page(all, request, pageSizeMax);
  return { operations: items, ...(nextPageToken === undefined ? {} : { nextPageToken }) };
};

const waitOperation = (
  operations: Operations,
  request: WaitRequest,
  signal: AbortSignal,
): Promise<OperationMessage> =>
  operations.wait(
    request.name ?? "",
    Math.min(request.timeout === undefined ? waitMsMax : durationMs(request.timeout), waitMsMax),
    signal,
  );

/** The Operations service. */
export const operationsService = (context: CloudContext): ServiceImplementation => {
  const operations = operationsOf(context);
  return {
    service: "google.longrunning.Operations",
    unary: {
      GetOperation: (request: Named) => operations.get(request.name ?? ""),
      ListOperations: (request: ListRequest) => listOperations(operations, request),
      CancelOperation: (request: Named) => {
        operations.cancel(request.name ?? "");
        return {};
      },
      DeleteOperation: (request: Named) => {
        operations.remove(request.name ?? "");
        return {};
      },
      WaitOperation: (request: WaitRequest, call: CallContext) =>
        waitOperation(operations, request, call.signal),
    },
  };
};

const pathPattern =
  /^\/(?:ui|v1|v1beta1)\/(projects\/[^/]+\/locations\/[^/]+(?:\/[^/:]+)*)\/operations(?:\/([^/:]+)(?::(cancel|wait))?)?$/;

const jsonDurationMs = (text: unknown): number | undefined => {
  const match = typeof text === "string" ? /^(\d+(?:\.\d+)?)s$/.exec(text) : null;
  return match === null ? undefined : Number(match[1]) * 1000;
};

const waitTimeoutMs = (body: Buffer | undefined): number => {
  if (body === undefined || body.length === 0) return waitMsMax;
  const parsed: unknown = JSON.parse(body.toString("utf8"));
  const timeout =
    typeof parsed === "object" && parsed !== null && "timeout" in parsed
      ? jsonDurationMs(parsed.timeout)
      : undefined;
  return Math.min(timeout ?? waitMsMax, waitMsMax);
};

/** The REST paths of operations; no protobuf annotation names them, the clients carry them in their configuration. */
export const operationsRoute = (context: CloudContext): HttpRoute => {
  const operations = operationsOf(context);

  const answer = async (
    method: string,
    url: URL,
    body: () => Promise<Buffer | undefined>,
    signal: AbortSignal,
  ): Promise<unknown> => {
    const [, parent = "", id, verb] = pathPattern.exec(decodeURIComponent(url.pathname)) ?? [];
    if (id === undefined) {
      if (method !== "GET")
        throw new RpcError("UNIMPLEMENTED", `${method} is not a list of operations.`);
      const pageSize = Number(url.searchParams.get("pageSize") ?? 0);
      return listOperations(operations, {
        name: parent,
        filter: url.searchParams.get("filter") ?? "",
        pageSize,
        pageToken: url.searchParams.get("pageToken") ?? "",
      });
    }
    const name = `${parent}/operations/${id}`;
    if (method === "GET" && verb === undefined) return operations.get(name);
    if (method === "POST" && verb === "wait") {
      return operations.wait(name, waitTimeoutMs(await body()), signal);
    }
    if (method === "POST" && verb === "cancel") {
      operations.cancel(name);
      return {};
    }
    if (method === "DELETE" && verb === undefined) {
      operations.remove(name);
      return {};
    }
    throw new RpcError("UNIMPLEMENTED", `${method} ${url.pathname} is not a method of operations.`);
  };

  return {
    matches: (_method, pathname) => pathPattern.test(decodeURIComponent(pathname)),
    handle: async (request, response) => {
      const hangUp = new AbortController();
      response.on("close", () => {
        hangUp.abort();
      });
      try {
        const reply = await answer(
          request.method ?? "GET",
          new URL(request.url ?? "/", "http://localhost"),
          () => readBody(request, bodyBytesMax),
          hangUp.signal,
        );
        sendJson(response, 200, JSON.stringify(jsonOfMessage(reply)));
      } catch (error) {
        sendError(response, error);
      }
    },
  };
};
