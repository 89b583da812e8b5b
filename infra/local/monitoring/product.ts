/**
 * Cloud Monitoring of the local cloud: time series in SQLite, read through ListTimeSeries. What the cloud itself
 * measures shows only `metricDelayMs` after its end, as on Google Cloud; with a very large delay Monitoring stays empty.
 */
import type { CloudContext, CloudProduct, CloudServices, MetricPoint } from "../cloud.js";
import { createTimeSeries } from "./create-methods.js";
import { descriptorHandlers } from "./descriptor-methods.js";
import { descriptorStore } from "./descriptors.js";
import { listTimeSeries } from "./list-methods.js";
import { pointStore } from "./store.js";
import { typeOf, type Value } from "./values.js";

const pruneEveryMs = 60_000;

const readPoint = (point: MetricPoint) => {
  const { metricType, metricLabels, resourceType, resourceLabels, metricKind } = point;
  const value: Value = point.value;
  const identity = { metricType, metricLabels, resourceType, resourceLabels, metricKind };
  return {
    series: { ...identity, valueType: typeOf(value) },
    startUs: Math.round(point.startMs * 1000),
    endUs: Math.round(point.endMs * 1000),
    value,
  };
};

/** Makes Cloud Monitoring. */
export const monitoringProduct = (
  context: CloudContext,
): CloudProduct & { readonly face: CloudServices["monitoring"] } => {
  const points = pointStore(context);
  const descriptors = descriptorStore(context, points);
  const parts = { context, points, descriptors };
  let timer: NodeJS.Timeout | undefined;

  return {
    services: [
      {
        service: "google.monitoring.v3.MetricService",
        types: ["google.monitoring.v3.CreateTimeSeriesSummary"],
        unary: {
          ...descriptorHandlers(context, descriptors, points),
          ListTimeSeries: (request: unknown) => listTimeSeries(parts, request),
          CreateTimeSeries: (request: unknown) => createTimeSeries(parts, request),
        },
      },
    ],
    face: {
      write: (given) => {
        points.write(given.map(readPoint), true);
      },
    },
    start: () => {
      points.prune();
      timer = setInterval(() => {
        points.prune();
      }, pruneEveryMs);
      timer.unref();
    },
    stop: () => {
      clearInterval(timer);
    },
  };
};
