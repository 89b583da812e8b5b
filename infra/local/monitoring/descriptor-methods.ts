/** Metric and monitored-resource descriptors over the API. */
import { z } from "zod";
import type { CloudContext } from "../cloud.js";
import { RpcError, type UnaryHandler } from "../protocol/service.js";
import { descriptorSchema, type Descriptor, type DescriptorStore } from "./descriptors.js";
import { parseFilter } from "./filter.js";
import { descriptorTypeOf, requireProject } from "./names.js";
import type { PointStore } from "./store.js";

const pageSizeMax = 10_000;
const customType = /^(custom|external|workload)\.googleapis\.com\//;

interface ListRequest {
  readonly name?: string;
  readonly filter?: string;
  readonly pageSize?: number;
  readonly pageToken?: string;
}
interface NameRequest {
  readonly name?: string;
}

/** Resource types that time series here are about. */
const resourceDescriptors = [
  {
    type: "aiplatform.googleapis.com/Endpoint",
    displayName: "Vertex AI Endpoint",
    labels: ["resource_container", "location", "endpoint_id"],
  },
  { type: "global", displayName: "Global", labels: ["project_id"] },
  {
    type: "generic_task",
    displayName: "Generic Task",
    labels: ["project_id", "location", "namespace", "job", "task_id"],
  },
] as const;

const pageOf = <Item>(all: readonly Item[], { pageSize = 0, pageToken = "" }: ListRequest) => {
  const limit = pageSize <= 0 ? pageSizeMax : Math.min(pageSize, pageSizeMax);
  const skip = pageToken === "" ? 0 : Number(pageToken);
  if (!Number.isSafeInteger(skip) || skip < 0) {
    throw new RpcError("INVALID_ARGUMENT", `Field pageToken "${pageToken}" is invalid.`);
  }
  const isMore = skip + limit < all.length;
  return {
    items: all.slice(skip, skip + limit),
    next: isMore ? { nextPageToken: String(skip + limit) } : {},
  };
};

const requireCustom = (type: string): void => {
  if (customType.test(type)) return;
  throw new RpcError(
    "INVALID_ARGUMENT",
    `The metric type "${type}" must begin with custom.googleapis.com/, external.googleapis.com/ or workload.googleapis.com/.`,
  );
};

/** The handlers for descriptors. */
export const descriptorHandlers = (
  context: CloudContext,
  descriptors: DescriptorStore,
  points: PointStore,
): Readonly<Record<string, UnaryHandler>> => {
  const { projectId } = context.settings;
  const show = (descriptor: Descriptor): object => ({
    name: `projects/${projectId}/metricDescriptors/${descriptor.type}`,
    ...descriptor,
  });
  const showResource = ({ type, displayName, labels }: (typeof resourceDescriptors)[number]) => ({
    name: `projects/${projectId}/monitoredResourceDescriptors/${type}`,
    type,
    displayName,
    labels: labels.map((key) => ({ key })),
  });
  const requireKnown = (type: string): Descriptor => {
    const found = descriptors.find(type);
    if (found !== undefined) return found;
    throw new RpcError("NOT_FOUND", `The metric descriptor ${type} does not exist.`);
  };
  return {
    ListMetricDescriptors: (request: ListRequest) => {
      requireProject(context, request.name);
      const { matches } = parseFilter(request.filter ?? "", projectId);
      const found = descriptors
        .all()
        .filter(({ type }) =>
          matches({ metricType: type, metricLabels: {}, resourceType: "", resourceLabels: {} }),
        );
      const { items, next } = pageOf(found, request);
      return { metricDescriptors: items.map(show), ...next };
    },
    GetMetricDescriptor: ({ name }: NameRequest) =>
      show(requireKnown(descriptorTypeOf(context, name))),
    CreateMetricDescriptor: (request: NameRequest & { readonly metricDescriptor?: unknown }) => {
      requireProject(context, request.name);
      const read = descriptorSchema.safeParse(request.metricDescriptor);
      if (!read.success) {
        throw new RpcError(
          "INVALID_ARGUMENT",
          `Invalid metric descriptor: ${z.prettifyError(read.error)}`,
        );
      }
      requireCustom(read.data.type);
      descriptors.save(read.data);
      return show(read.data);
    },
    DeleteMetricDescriptor: ({ name }: NameRequest) => {
      const type = descriptorTypeOf(context, name);
      requireKnown(type);
      requireCustom(type);
      descriptors.remove(type);
      points.deleteMetric(type);
      return {};
    },
    ListMonitoredResourceDescriptors: (request: ListRequest) => {
      requireProject(context, request.name);
      if ((request.filter ?? "") !== "") {
        throw new RpcError(
          "UNIMPLEMENTED",
          "Resource descriptors are listed here without a filter.",
        );
      }
      const { items, next } = pageOf(resourceDescriptors, request);
      return { resourceDescriptors: items.map(showResource), ...next };
    },
    GetMonitoredResourceDescriptor: ({ name = "" }: NameRequest) => {
      const type = name.replace(/^projects\/[^/]+\/monitoredResourceDescriptors\//, "");
      const found = resourceDescriptors.find((one) => one.type === type);
      if (found !== undefined) return showResource(found);
      throw new RpcError("NOT_FOUND", `The monitored resource descriptor ${type} does not exist.`);
    },
  };
};
