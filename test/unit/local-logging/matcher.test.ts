import { describe, expect, it } from "vitest";
import { matcherOf, timeBoundsOf } from "../../../infra/local/logging/filter/matcher.js";
import { RpcError } from "../../../infra/local/protocol/service.js";

const drift = {
  logName: "projects/demo/logs/aiplatform.googleapis.com%2Fmodel_monitoring_anomaly",
  insertId: "a@1",
  timestamp: "2022-02-03T19:00:00.5Z",
  severity: "WARNING",
  resource: {
    type: "aiplatform.googleapis.com/ModelDeploymentMonitoringJob",
    labels: { location: "us-central1", model_deployment_monitoring_job: "668" },
  },
  labels: { "app.example.com/team": "Ranking", tier: "3" },
  jsonPayload: {
    "@type": "type.googleapis.com/google.cloud.aiplatform.logging.ModelMonitoringAnomaliesLogEntry",
    anomalyObjective: "RAW_FEATURE_SKEW",
    totalAnomaliesCount: 2,
    isTest: false,
    note: null,
    featureAnomalies: [
      { featureDisplayName: "age", deviation: 0.9 },
      { featureDisplayName: "education", deviation: 0.6 },
    ],
  },
  httpRequest: { status: 503, responseSize: "2048", latency: "1.250s" },
  operation: { id: "op", last: true },
};

const matching = [
  ``,
  `resource.type="aiplatform.googleapis.com/ModelDeploymentMonitoringJob"`,
  `resource.type = aiplatform.googleapis.com/ModelDeploymentMonitoringJob`,
  `resource.labels.location = "US-CENTRAL1"`,
  `logName="projects/demo/logs/aiplatform.googleapis.com%2Fmodel_monitoring_anomaly"`,
  `log_id("aiplatform.googleapis.com/model_monitoring_anomaly")`,
  `log_name:anomaly`,
  `severity>=WARNING severity<ERROR`,
  `severity=(ERROR OR WARNING)`,
  `severity != ERROR`,
  `NOT severity=ERROR`,
  `-severity=ERROR`,
  `jsonPayload.anomalyObjective="raw_feature_skew"`,
  `jsonPayload.anomalyObjective:(RAW AND "SKEW" AND NOT "DRIFT")`,
  `jsonPayload."@type":"ModelMonitoringAnomaliesLogEntry"`,
  `jsonPayload.totalAnomaliesCount=2`,
  `jsonPayload.totalAnomaliesCount>1.5 AND jsonPayload.totalAnomaliesCount<=2`,
  `jsonPayload.isTest=false`,
  `jsonPayload.note=null`,
  `jsonPayload.featureAnomalies.featureDisplayName="education"`,
  `jsonPayload.featureAnomalies.deviation>0.8`,
  `jsonPayload.featureAnomalies:"educ"`,
  `jsonPayload.note:*`,
  `labels."app.example.com/team"=ranking`,
  `labels:tier`,
  `timestamp>="2022-02-03T19:00:00Z" timestamp<"2022-02-03T20:00:00+01:00" OR timestamp="2022-02-03T19:00:00.500Z"`,
  `timestamp>2022-02-03`,
  `timestamp >= 2022-02-03T19:00:00Z`,
  `jsonPayload.anomalyObjective=~"^RAW_\\w+W$"`,
  `jsonPayload.anomalyObjective=~"(?i)skew$"`,
  `jsonPayload.anomalyObjective!~"DRIFT"`,
  `httpRequest.status>=500 AND httpRequest.responseSize>1000`,
  `httpRequest.latency>"1s"`,
  `http_request.status=503`,
  `operation.last=true AND operation.first=false`,
  `education`,
  `"raw_feature" AND NOT "gone"`,
  `SEARCH("education age")`,
  `SEARCH(jsonPayload.anomalyObjective, "RAW_FEATURE_SKEW")`,
  `trace=""`,
  `NOT jsonPayload.missing="x"`,
  // a OR b AND c OR d reads as (a OR b) AND (c OR d).
  `severity=WARNING OR severity=ERROR AND insertId="b" OR insertId="a@1"`,
  `severity=WARNING -- a remark\nAND insertId="a@1"`,
  `(severity=ERROR) OR (insertId="a@1" resource.type:Monitoring)`,
];

const failing = [
  `severity>WARNING`,
  `severity=ERROR OR severity=INFO`,
  `jsonPayload.anomalyObjective="RAW_FEATURE"`,
  `jsonPayload.anomalyObjective=~"skew"`,
  `jsonPayload.missing!="x"`,
  `jsonPayload.missing:*`,
  `jsonPayload.totalAnomaliesCount="two"`,
  `labels.tier:4`,
  `timestamp>"2022-02-03T19:00:00.500000001Z"`,
  `nowhere`,
  `severity=WARNING AND NOT insertId="a@1"`,
  `trace:*`,
  `SEARCH("educat")`,
  `textPayload:"x"`,
];

const broken = [
  `severity=`,
  `severity=LOUD`,
  `(severity=ERROR`,
  `severity=ERROR)`,
  `jsonPayload.a="open`,
  `thud=1`,
  `operation.thud=1`,
  `textPayload.thud=1`,
  `timestamp>"yesterday"`,
  `jsonPayload.a=~"("`,
  `AND severity=ERROR`,
  `severity=ERROR OR`,
  `sample(insertId, 0.5)`,
  "(".repeat(500),
];

describe("a logging filter", () => {
  it.each(matching)("matches: %s", (filter) => {
    expect(matcherOf(filter)(drift)).toBe(true);
  });
  it.each(failing)("does not match: %s", (filter) => {
    expect(matcherOf(filter)(drift)).toBe(false);
  });
  it.each(broken)("is refused with the place of the mistake: %s", (filter) => {
    expect(() => matcherOf(filter)).toThrow(RpcError);
    expect(() => matcherOf(filter)).toThrow(/Unparseable filter/);
  });
});

describe("the time bounds of a filter", () => {
  it("come from comparisons that must hold", () => {
    const bounds = timeBoundsOf(
      `severity=ERROR AND timestamp>="2022-01-01T00:00:00Z" AND timestamp<"2022-02-01T00:00:00Z"`,
    );
    expect(bounds).toEqual({
      from: "2022-01-01T00:00:00.000000000Z",
      to: "2022-02-01T00:00:00.000000000Z",
    });
  });
  it("are none where the comparison may fail", () => {
    expect(timeBoundsOf(`timestamp>="2022-01-01T00:00:00Z" OR severity=ERROR`)).toEqual({
      from: "0",
      to: "9",
    });
  });
});
