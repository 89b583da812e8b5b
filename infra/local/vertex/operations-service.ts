/** google.longrunning.Operations; the protocol layer also answers the REST paths that clients and gcloud poll. */
import type { CloudContext } from "../cloud.js";
import { RpcError, type ServiceImplementation } from "../protocol/service.js";
import type { CallContext } from "../protocol/service.js";
import { durationMs, type Duration } from "./messages.js";
import { operationsOf, type OperationMessage, type Operations } from "./operations.js";
import { page } from "./paging.js";

const waitMsMax = 60_000;
const pageSizeMax = 1_000;

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
