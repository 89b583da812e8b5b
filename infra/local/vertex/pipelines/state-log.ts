/** The log entry that Vertex AI writes for each state of a pipeline job. */
import type { CloudSettings, LogEntryJson } from "../../cloud.js";
import type { JobState, JobRecord } from "./store.js";
import { idOf } from "./task-records.js";

/** The entry of one state; the same state of the same job always has the same insert id. */
export const stateLogEntry = (
  settings: CloudSettings,
  job: JobRecord,
  state: JobState,
  atMs: number,
): LogEntryJson => {
  const timestamp = new Date(atMs).toISOString();
  return {
    insertId: `${idOf(job.uuid, state)}f0`,
    jsonPayload: {
      "@type": "type.googleapis.com/google.cloud.aiplatform.logging.PipelineJobLogEntry",
      pipelineName: job.pipelineName,
      state: `PIPELINE_STATE_${state}`,
      tenantProjectId: "local-tp",
      runtimeConfig: { gcsOutputDirectory: job.pipelineRoot },
    },
    resource: {
      type: "aiplatform.googleapis.com/PipelineJob",
      labels: {
        resource_container: `projects/${settings.projectNumber}`,
        location: settings.region,
        pipeline_job_id: job.id,
      },
    },
    timestamp,
    severity: state === "FAILED" ? "ERROR" : "INFO",
    labels: { "vertex-ai-pipelines-run-billing-id": job.uuid },
    logName: `projects/${settings.projectId}/logs/aiplatform.googleapis.com%2Fpipeline_job_events`,
    receiveTimestamp: timestamp,
  };
};
