/** One list of panels, drawn for Cloud Monitoring and for Grafana. */

/** One chart. */
interface Panel {
  readonly title: string;
  /** Metric and resource, in Cloud Monitoring's filter language. */
  readonly filter: string;
  readonly aligner: string;
  readonly reducer: string;
  readonly groupBy: string;
  /** Grafana's name of the unit. */
  readonly unit: string;
  readonly yLabel: string;
}

const service =
  'resource.type="cloud_run_revision" resource.labels.service_name=starts_with("continuo-")';
const subscription = 'resource.type="pubsub_subscription"';
const endpoint = 'resource.type="aiplatform.googleapis.com/Endpoint"';
const database = 'resource.type="firestore.googleapis.com/Database"';
const online = "aiplatform.googleapis.com/prediction/online";

const metric = (type: string, resource: string): string => `metric.type="${type}" ${resource}`;

const rate = { aligner: "ALIGN_RATE", reducer: "REDUCE_SUM" };
const most = { aligner: "ALIGN_MAX", reducer: "REDUCE_MAX" };
const slowest = { aligner: "ALIGN_PERCENTILE_95", reducer: "REDUCE_MAX" };
const mean = { aligner: "ALIGN_MEAN", reducer: "REDUCE_MEAN" };

/** Every panel: what is served, what is decided, what waits, what it costs. */
const panels: readonly Panel[] = [
  {
    title: "Predictions per deployed model",
    filter: metric(`${online}/response_count`, endpoint),
    ...rate,
    groupBy: "metric.label.deployed_model_id",
    unit: "reqps",
    yLabel: "responses/s",
  },
  {
    title: "Prediction errors per deployed model",
    filter: metric(`${online}/error_count`, endpoint),
    ...rate,
    groupBy: "metric.label.deployed_model_id",
    unit: "reqps",
    yLabel: "errors/s",
  },
  {
    title: "Prediction latency, 95th percentile",
    filter: metric(
      `${online}/prediction_latencies`,
      `${endpoint} metric.labels.latency_type="total"`,
    ),
    ...slowest,
    groupBy: "metric.label.deployed_model_id",
    unit: "ms",
    yLabel: "ms",
  },
  {
    title: "CPU per deployed model",
    filter: metric(`${online}/cpu/utilization`, endpoint),
    ...mean,
    groupBy: "metric.label.deployed_model_id",
    unit: "percentunit",
    yLabel: "of what it has",
  },
  {
    title: "Memory per deployed model",
    filter: metric(`${online}/memory/bytes_used`, endpoint),
    ...most,
    groupBy: "metric.label.deployed_model_id",
    unit: "bytes",
    yLabel: "bytes",
  },
  {
    title: "Replicas per endpoint",
    filter: metric(`${online}/replicas`, endpoint),
    ...most,
    groupBy: "resource.label.endpoint_id",
    unit: "none",
    yLabel: "replicas",
  },
  {
    title: "Events per function",
    filter: metric("run.googleapis.com/request_count", service),
    ...rate,
    groupBy: "resource.label.service_name",
    unit: "reqps",
    yLabel: "requests/s",
  },
  {
    title: "Failures per function",
    filter: metric(
      "run.googleapis.com/request_count",
      `${service} metric.labels.response_code_class="5xx"`,
    ),
    ...rate,
    groupBy: "resource.label.service_name",
    unit: "reqps",
    yLabel: "failures/s",
  },
  {
    title: "Time per event, 95th percentile",
    filter: metric("run.googleapis.com/request_latencies", service),
    ...slowest,
    groupBy: "resource.label.service_name",
    unit: "ms",
    yLabel: "ms",
  },
  {
    title: "Instances per function",
    filter: metric("run.googleapis.com/container/instance_count", service),
    ...most,
    groupBy: "resource.label.service_name",
    unit: "none",
    yLabel: "instances",
  },
  {
    title: "Oldest waiting message",
    filter: metric("pubsub.googleapis.com/subscription/oldest_unacked_message_age", subscription),
    ...most,
    groupBy: "resource.label.subscription_id",
    unit: "s",
    yLabel: "seconds",
  },
  {
    title: "Waiting messages",
    filter: metric("pubsub.googleapis.com/subscription/num_undelivered_messages", subscription),
    ...most,
    groupBy: "resource.label.subscription_id",
    unit: "none",
    yLabel: "messages",
  },
  {
    title: "Dead-lettered messages",
    filter: metric("pubsub.googleapis.com/subscription/dead_letter_message_count", subscription),
    aligner: "ALIGN_DELTA",
    reducer: "REDUCE_SUM",
    groupBy: "resource.label.subscription_id",
    unit: "none",
    yLabel: "messages",
  },
  {
    title: "Firestore reads",
    filter: metric("firestore.googleapis.com/document/read_count", database),
    ...rate,
    groupBy: "metric.label.type",
    unit: "ops",
    yLabel: "reads/s",
  },
  {
    title: "Firestore writes",
    filter: metric("firestore.googleapis.com/document/write_count", database),
    ...rate,
    groupBy: "metric.label.op",
    unit: "ops",
    yLabel: "writes/s",
  },
];

const columns = 3;
/** Cloud Monitoring's grid has 48 columns, Grafana's 24. */
const place = (index: number, gridColumns: number, height: number) => ({
  x: (index % columns) * (gridColumns / columns),
  y: Math.floor(index / columns) * height,
  width: gridColumns / columns,
  height,
});

/** The dashboard as Cloud Monitoring takes it. */
export const cloudMonitoringDashboard = (): string =>
  JSON.stringify(
    {
      displayName: "Continuo",
      labels: { continuo: "" },
      mosaicLayout: {
        columns: 48,
        tiles: panels.map((panel, index) => {
          const { x, y, width, height } = place(index, 48, 16);
          return {
            xPos: x,
            yPos: y,
            width,
            height,
            widget: {
              title: panel.title,
              xyChart: {
                dataSets: [
                  {
                    plotType: "LINE",
                    targetAxis: "Y1",
                    timeSeriesQuery: {
                      timeSeriesFilter: {
                        filter: panel.filter,
                        aggregation: {
                          alignmentPeriod: "60s",
                          perSeriesAligner: panel.aligner,
                          crossSeriesReducer: panel.reducer,
                          groupByFields: [panel.groupBy],
                        },
                      },
                    },
                  },
                ],
                yAxis: { label: panel.yLabel, scale: "LINEAR" },
              },
            },
          };
        }),
      },
    },
    null,
    2,
  );

/** Grafana takes a filter as a list: name, operator, value, AND, name ... */
const filterList = (filter: string): readonly string[] =>
  [...filter.matchAll(/([\w.]+)=(starts_with\()?"([^"]*)"\)?/g)].flatMap(
    ([, name = "", prefix, value = ""], index) => [
      ...(index === 0 ? [] : ["AND"]),
      name,
      prefix === undefined ? "=" : "=~",
      prefix === undefined ? value : `^${value}.*`,
    ],
  );

/** The dashboard as Grafana imports it; it asks for a Cloud Monitoring data source and for the project. */
export const grafanaDashboard = (): string =>
  JSON.stringify(
    {
      __inputs: [
        {
          name: "DS_CLOUD_MONITORING",
          label: "Google Cloud Monitoring",
          type: "datasource",
          pluginId: "stackdriver",
          pluginName: "Google Cloud Monitoring",
        },
      ],
      uid: "continuo",
      title: "Continuo",
      tags: ["continuo"],
      schemaVersion: 39,
      timezone: "utc",
      refresh: "1m",
      time: { from: "now-6h", to: "now" },
      templating: {
        list: [
          {
            name: "project",
            label: "Project",
            type: "textbox",
            query: "",
            current: { text: "", value: "" },
          },
        ],
      },
      panels: panels.map((panel, index) => {
        const { x, y, width, height } = place(index, 24, 8);
        const datasource = { type: "stackdriver", uid: "${DS_CLOUD_MONITORING}" };
        return {
          id: index + 1,
          type: "timeseries",
          title: panel.title,
          datasource,
          gridPos: { x, y, w: width, h: height },
          fieldConfig: {
            defaults: { unit: panel.unit, custom: { axisLabel: panel.yLabel } },
            overrides: [],
          },
          targets: [
            {
              refId: "A",
              datasource,
              queryType: "timeSeriesList",
              timeSeriesList: {
                projectName: "${project}",
                filters: filterList(panel.filter),
                alignmentPeriod: "+60s",
                perSeriesAligner: panel.aligner,
                crossSeriesReducer: panel.reducer,
                groupBys: [panel.groupBy],
                view: "FULL",
              },
            },
          ],
        };
      }),
    },
    null,
    2,
  );
