# Google Cloud's own log entries become messages: model monitoring, pipeline states, audit entries, BigQuery's loads.

locals {
  arrivals = length(var.bigquery_datasets) == 0 ? [] : [{
    name  = var.bigquery_arrivals.name
    topic = var.bigquery_arrivals.topic
    filter = "${var.bigquery_arrivals.filter} AND (${join(" OR ", [
      for dataset in var.bigquery_datasets : "protoPayload.resourceName:\"/datasets/${dataset}/\""
    ])})"
  }]
  sinks = { for sink in concat(var.sinks, local.arrivals) : sink.name => sink }
}

resource "google_logging_project_sink" "sink" {
  for_each = local.sinks

  project                = var.project_id
  name                   = each.key
  description            = "Made by Continuo"
  destination            = "pubsub.googleapis.com/${var.topics[each.value.topic]}"
  filter                 = each.value.filter
  unique_writer_identity = true
}

resource "google_pubsub_topic_iam_member" "writer" {
  for_each = local.sinks

  project = var.project_id
  topic   = var.topics[each.value.topic]
  role    = "roles/pubsub.publisher"
  member  = google_logging_project_sink.sink[each.key].writer_identity
}
