/** Airflow (Cloud Composer): a DAG's own small message; Airflow adds nothing to what its author publishes. */
import { z } from "zod";
import { datasetArrived } from "../dataset.js";
import { text } from "../ids.js";
import { problemText, type Message, type Reading } from "./message.js";

const ofDag = z.looseObject({ dag_id: z.unknown() });

/** Airflow's own limit for both ids is 250 characters. */
const dagRun = z.looseObject({
  dag_id: text(250),
  run_id: text(250),
  uri: z.string().optional(),
  uris: z.array(z.string()).optional(),
});

/** A DAG run ended: the dataset is `airflow://<dag_id>`, its files are the message's `uri` or `uris`. */
export const airflow = (message: Message): Reading => {
  if (!ofDag.safeParse(message.body).success) return null;
  const parsed = dagRun.safeParse(message.body);
  if (!parsed.success) return { problem: problemText(parsed.error) };
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
