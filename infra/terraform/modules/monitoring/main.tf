# Who is told, of what, and where it can be seen. Each alert's documentation names its page in the runbook.

locals {
  channels = [for channel in google_monitoring_notification_channel.email : channel.id]

  services      = "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = starts_with(\"continuo-\")"
  subscriptions = "resource.type = \"pubsub_subscription\" AND metadata.user_labels.\"managed-by\" = \"continuo\""

  thresholds = {
    "dead-letters" = {
      title     = "Messages are dead-lettered"
      severity  = "ERROR"
      filter    = "${local.subscriptions} AND metric.type = \"pubsub.googleapis.com/subscription/dead_letter_message_count\""
      aligner   = "ALIGN_DELTA"
      reducer   = "REDUCE_SUM"
      group_by  = ["resource.label.subscription_id"]
      period    = 300
      duration  = 0
      threshold = 0
      meaning   = "A function failed on a message as often as it may, or could not read it. Nothing is lost: `continuo dead-letters list` shows the messages with their reasons."
    }
    "backlog" = {
      title     = "Messages wait too long"
      severity  = "WARNING"
      filter    = "${local.subscriptions} AND metric.type = \"pubsub.googleapis.com/subscription/oldest_unacked_message_age\""
      aligner   = "ALIGN_MAX"
      reducer   = "REDUCE_MAX"
      group_by  = ["resource.label.subscription_id"]
      period    = 60
      duration  = 300
      threshold = 600
      meaning   = "A function does not keep up, or fails and is tried again."
    }
    "push-refused" = {
      title     = "Pushes are refused"
      severity  = "ERROR"
      filter    = "${local.services} AND metric.type = \"run.googleapis.com/request_count\" AND metric.labels.response_code_class = \"4xx\" AND resource.labels.service_name != one_of(\"continuo-api\", \"continuo-console\")"
      aligner   = "ALIGN_DELTA"
      reducer   = "REDUCE_SUM"
      group_by  = ["resource.label.service_name"]
      period    = 300
      duration  = 0
      threshold = 5
      meaning   = "Somebody calls an event function without Pub/Sub's token, or identity, audience and address no longer agree."
    }
    "errors" = {
      title     = "A function fails"
      severity  = "ERROR"
      filter    = "${local.services} AND metric.type = \"run.googleapis.com/request_count\" AND metric.labels.response_code_class = \"5xx\""
      aligner   = "ALIGN_DELTA"
      reducer   = "REDUCE_SUM"
      group_by  = ["resource.label.service_name"]
      period    = 300
      duration  = 300
      threshold = 10
      meaning   = "Requests are answered with 5xx: Pub/Sub tries them again, with back-off, until they are dead-lettered."
    }
    "slow" = {
      title     = "A function is near its timeout"
      severity  = "WARNING"
      filter    = "${local.services} AND metric.type = \"run.googleapis.com/request_latencies\" AND resource.labels.service_name != one_of(\"continuo-console\", \"continuo-reconcile\", \"continuo-detect-drift\")"
      aligner   = "ALIGN_PERCENTILE_99"
      reducer   = "REDUCE_MAX"
      group_by  = ["resource.label.service_name"]
      period    = 300
      duration  = 600
      threshold = 60000
      meaning   = "One request in a hundred takes more than half of what it may."
    }
    "memory" = {
      title     = "A function runs out of memory"
      severity  = "WARNING"
      filter    = "${local.services} AND metric.type = \"run.googleapis.com/container/memory/utilizations\""
      aligner   = "ALIGN_PERCENTILE_99"
      reducer   = "REDUCE_MAX"
      group_by  = ["resource.label.service_name"]
      period    = 300
      duration  = 600
      threshold = 0.9
      meaning   = "Nine tenths of the memory are in use; the next step is that requests die."
    }
    "quota" = {
      title     = "A quota is exhausted"
      severity  = "WARNING"
      filter    = "resource.type = \"consumer_quota\" AND metric.type = \"serviceruntime.googleapis.com/quota/exceeded\" AND resource.labels.service = one_of(\"aiplatform.googleapis.com\", \"firestore.googleapis.com\", \"pubsub.googleapis.com\")"
      aligner   = "ALIGN_COUNT_TRUE"
      reducer   = "REDUCE_SUM"
      group_by  = ["metric.label.quota_metric"]
      period    = 300
      duration  = 0
      threshold = 0
      meaning   = "Google Cloud refused calls. Submissions wait and are tried again; a lasting shortage needs a higher quota."
    }
    "prediction-errors" = {
      title     = "An endpoint answers with errors"
      severity  = "ERROR"
      filter    = "resource.type = \"aiplatform.googleapis.com/Endpoint\" AND metric.type = \"aiplatform.googleapis.com/prediction/online/error_count\""
      aligner   = "ALIGN_DELTA"
      reducer   = "REDUCE_SUM"
      group_by  = ["resource.label.endpoint_id"]
      period    = 300
      duration  = 300
      threshold = 50
      meaning   = "Predictions fail. During a rollout the analysis rolls back by itself; outside one, the champion itself is ill."
    }
  }

  # Log entries that a person should see at once.
  log_matches = {
    "page" = {
      title    = "Continuo asks for a person"
      severity = "CRITICAL"
      filter   = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"continuo-notify\" AND severity=CRITICAL"
      meaning  = "A notification of severity page; its log line says what happened and to which model."
    }
    "scheduler" = {
      title    = "A schedule could not fire"
      severity = "ERROR"
      filter   = "resource.type=\"cloud_scheduler_job\" AND resource.labels.job_id:\"continuo-\" AND severity>=ERROR"
      meaning  = "Cloud Scheduler could not publish: the job's grant on its topic is gone, or the topic is."
    }
    "misconfigured" = {
      title    = "A function does not start"
      severity = "ERROR"
      filter   = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name:\"continuo-\" AND severity>=ERROR AND textPayload:\"the environment is not complete\""
      meaning  = "An environment variable is missing; the log line names it and gives an example."
    }
  }
}

resource "google_monitoring_notification_channel" "email" {
  for_each = toset(var.notification_emails)

  project      = var.project_id
  display_name = "Continuo: ${each.value}"
  type         = "email"
  labels       = { email_address = each.value }
  user_labels  = var.labels
}

resource "google_monitoring_alert_policy" "threshold" {
  for_each = local.thresholds

  project               = var.project_id
  display_name          = "Continuo: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.channels
  user_labels           = var.labels

  conditions {
    display_name = each.value.title
    condition_threshold {
      filter          = each.value.filter
      comparison      = "COMPARISON_GT"
      threshold_value = each.value.threshold
      duration        = "${each.value.duration}s"
      aggregations {
        alignment_period     = "${each.value.period}s"
        per_series_aligner   = each.value.aligner
        cross_series_reducer = each.value.reducer
        group_by_fields      = each.value.group_by
      }
    }
  }

  alert_strategy {
    auto_close = "86400s"
  }

  documentation {
    mime_type = "text/markdown"
    content   = "${each.value.meaning}\n\nRunbook: infra/docs/runbook.md#${each.key}"
  }
}

# The heart beats once a minute: silence is the one failure that nothing else reports.
resource "google_monitoring_alert_policy" "tick" {
  project               = var.project_id
  display_name          = "Continuo: The tick is silent"
  combiner              = "OR"
  severity              = "CRITICAL"
  enabled               = var.is_deployed
  notification_channels = local.channels
  user_labels           = var.labels

  conditions {
    display_name = "No tick succeeded for ten minutes"
    condition_absent {
      filter   = "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = \"continuo-tick\" AND metric.type = \"run.googleapis.com/request_count\" AND metric.labels.response_code_class = \"2xx\""
      duration = "600s"
      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  alert_strategy {
    auto_close = "86400s"
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Timers, analysis and unfinished effects stand still: rollouts keep their weight, runs are not submitted.\n\nRunbook: infra/docs/runbook.md#tick"
  }
}

resource "google_monitoring_alert_policy" "log" {
  for_each = local.log_matches

  project               = var.project_id
  display_name          = "Continuo: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.channels
  user_labels           = var.labels

  conditions {
    display_name = each.value.title
    condition_matched_log {
      filter = each.value.filter
    }
  }

  alert_strategy {
    auto_close = "86400s"
    notification_rate_limit {
      period = "300s"
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "${each.value.meaning}\n\nRunbook: infra/docs/runbook.md#${each.key}"
  }
}

# The same panels as dashboards/grafana.json; both are generated.
resource "google_monitoring_dashboard" "continuo" {
  project        = var.project_id
  dashboard_json = file("${path.module}/../../dashboards/cloud-monitoring.json")
}
