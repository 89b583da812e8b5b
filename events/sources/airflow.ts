/** Airflow (Cloud Composer): a DAG's own small message; Airflow adds nothing to what its author publishes. */
import { z } from "zod";
import { datasetArrived } from "../dataset.js";
import { problemText, type Message, type Reading } from "./message.js";

const dagRun = z.looseObject({
  dag_id: z.string().min(1),
  run_id: z.string().min(1),
  uri: z.string().optional(),
  uris: z.array(z.string()).optional(),
});

/** A DAG run ended: the dataset is `airflow://<dag_id>`, its files are the message's `uri` or `uris`. */
export const airflow = (message: Message): Reading => {
  const parsed = dagRun.safeParse(message.body);
  if (!parsed.success) return null;
  const { dag_id: dag, run_id: run, uri, uris } = parsed.data;
  const dataset = `airflow://${dag}`;
  const event = datasetArrived.safeParse({
    specversion: "1.0",
    type: "dataset.arrived",
    id: `${dag}/${run}`,
    source: "airflow",
    time: message.publishTime,
    data: {
      dataset,
      uris: uris ?? [uri ?? `${dataset}/${encodeURIComponent(run)}`],
      fingerprint: `${dag}/${run}`.slice(-128),
    },
  });
  return event.success ? { events: [event.data] } : { problem: problemText(event.error) };
};
