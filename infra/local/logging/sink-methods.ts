/** google.logging.v2.ConfigServiceV2: sinks. Log buckets, views, links and exclusions are not built. */
import { z } from "zod";
import type { CloudContext } from "../cloud.js";
import { RpcError, type ServiceImplementation } from "../protocol/service.js";
import { pageSizeOf, parentOf } from "./names.js";
import { sinkDraft, type Sink, type SinkDraft, type SinkStore } from "./sinks.js";

const sinksPerPage = 50;
const sinksPerPageMax = 1000;

interface SinkRequest {
  readonly parent?: string;
  readonly sinkName?: string;
  readonly sink?: Readonly<Record<string, unknown>>;
  readonly updateMask?: { readonly paths?: readonly string[] };
}
interface ListRequest {
  readonly parent?: string;
  readonly pageSize?: number;
  readonly pageToken?: string;
  readonly filter?: string;
}

const timestamp = (ms: number): object => ({
  seconds: String(Math.floor(ms / 1000)),
  nanos: (ms % 1000) * 1_000_000,
});

const show = ({ createMs, updateMs, ...sink }: Sink): object => ({
  ...sink,
  createTime: timestamp(createMs),
  updateTime: timestamp(updateMs),
});

const givenFields = z.record(z.string(), z.unknown());

const readDraft = (sink: unknown, name: string | undefined): SinkDraft => {
  const given = givenFields.parse(sink ?? {});
  const read = sinkDraft.safeParse(name === undefined ? given : { ...given, name });
  if (read.success) return read.data;
  throw new RpcError("INVALID_ARGUMENT", `Invalid sink: ${z.prettifyError(read.error)}`);
};

/** Without a mask, these are what an update replaces. */
const standardPaths = ["destination", "filter", "include_children"];
const fieldOfPath: Readonly<Record<string, keyof SinkDraft>> = {
  destination: "destination",
  filter: "filter",
  description: "description",
  disabled: "disabled",
  exclusions: "exclusions",
};

/** Makes the service. */
export const configService = (context: CloudContext, sinks: SinkStore): ServiceImplementation => {
  const nameOf = (full: string | undefined): readonly [parent: string, name: string] => {
    const match = /^([a-zA-Z]+\/[^/]+)\/sinks\/([^/]+)$/.exec(full ?? "");
    if (match?.[1] === undefined || match[2] === undefined) {
      throw new RpcError(
        "INVALID_ARGUMENT",
        `Invalid sink name "${full ?? ""}": write projects/PROJECT/sinks/SINK.`,
      );
    }
    return [parentOf(context, match[1]), match[2]];
  };

  const update = (request: SinkRequest): object => {
    const [parent, name] = nameOf(request.sinkName);
    const given = givenFields.parse(request.sink ?? {});
    const asked = request.updateMask?.paths ?? [];
    const paths = new Set(asked.length === 0 ? standardPaths : asked);
    const changes = Object.entries(fieldOfPath)
      .filter(([path]) => paths.has(path))
      .map(([, field]) => [field, given[field]] as const);
    const changed = { ...sinks.get(parent, name), ...Object.fromEntries(changes) };
    return show(sinks.update(parent, readDraft(changed, name)));
  };

  const list = ({ parent = "", pageSize, pageToken = "", filter = "" }: ListRequest): object => {
    if (filter !== "")
      throw new RpcError("UNIMPLEMENTED", "Sinks are listed here without a filter.");
    const limit = pageSizeOf(pageSize, sinksPerPage, sinksPerPageMax);
    const found = sinks.list(parentOf(context, parent), pageToken, limit + 1);
    const page = found.slice(0, limit);
    const last = page.at(-1);
    return {
      sinks: page.map(show),
      ...(found.length > limit && last !== undefined ? { nextPageToken: last.name } : {}),
    };
  };

  return {
    service: "google.logging.v2.ConfigServiceV2",
    unary: {
      CreateSink: ({ parent = "", sink }: SinkRequest) =>
        show(sinks.create(parentOf(context, parent), readDraft(sink, undefined))),
      GetSink: ({ sinkName }: SinkRequest) => show(sinks.get(...nameOf(sinkName))),
      ListSinks: (request: ListRequest) => list(request),
      UpdateSink: (request: SinkRequest) => update(request),
      DeleteSink: ({ sinkName }: SinkRequest) => {
        sinks.remove(...nameOf(sinkName));
        return {};
      },
    },
  };
};
