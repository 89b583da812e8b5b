/** New data: our own event, a Cloud Storage notification, a BigQuery job or an Airflow message. */
import { http } from "@google-cloud/functions-framework";
import { airflow } from "../../events/sources/airflow.js";
import { bigQuery } from "../../events/sources/bigquery.js";
import { cloudEvent } from "../../events/sources/cloud-event.js";
import { cloudStorage } from "../../events/sources/cloud-storage.js";
import { onEvents } from "../../shared/runtime/edge.js";

http(
  "on-dataset-arrived",
  onEvents("on-dataset-arrived", cloudEvent("dataset.arrived"), cloudStorage, bigQuery, airflow),
);
