/** The handler that cuts a collection group into parts of about equal size. */
import { RpcError, type ServiceImplementation } from "../protocol/service.js";
import type { Engine } from "./engine.js";
import { isNamePath, readQuery } from "./query-model.js";
import { runQuery } from "./query-run.js";
import type { WireQuery } from "./wire.js";

interface PartitionRequest {
  readonly parent?: string;
  readonly structuredQuery?: WireQuery;
  readonly partitionCount?: string | number;
  readonly pageSize?: number;
  readonly pageToken?: string;
}

interface PartitionReply {
  readonly partitions: readonly {
    readonly values: readonly { readonly referenceValue: string }[];
    readonly before: boolean;
  }[];
  readonly nextPageToken?: string;
}

const partitionQuery =
  (engine: Engine) =>
  (request: PartitionRequest): PartitionReply => {
    const query = readQuery(request.parent, request.structuredQuery ?? {});
    const isPlain =
      query.filter === undefined && query.orders.every(({ path }) => isNamePath(path));
    if (!query.allDescendants || !isPlain || query.limit !== undefined) {
      throw new RpcError(
        "INVALID_ARGUMENT",
        "A partitioned query must select all descendants, ordered by name, without filter or limit.",
      );
    }
    const count = Number(request.partitionCount ?? 0);
    if (!(count > 0)) throw new RpcError("INVALID_ARGUMENT", "partition_count must be positive.");
    const names = runQuery(engine.store, query).rows.map(({ document }) => document.name);
    const points = Math.min(count, Math.max(0, names.length - 1));
    const all = Array.from({ length: points }, (_, index) => {
      const name = names[Math.floor(((index + 1) * names.length) / (points + 1))] ?? "";
      return { values: [{ referenceValue: name }], before: true };
    });
    const first = Number(request.pageToken ?? 0);
    const size =
      request.pageSize === undefined || request.pageSize === 0 ? all.length : request.pageSize;
    const partitions = all.slice(first, first + size);
    const next = first + partitions.length;
    return next < all.length ? { partitions, nextPageToken: String(next) } : { partitions };
  };

/** The handlers of this file. */
export const queryPartitions = (engine: Engine): Omit<ServiceImplementation, "service"> => ({
  unary: { PartitionQuery: partitionQuery(engine) },
});
