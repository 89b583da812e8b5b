# The three jobs that the system owns. Models' own schedules are made by `continuo apply`.

locals {
  scheduler_agent = "serviceAccount:service-${var.project_number}@gcp-sa-cloudscheduler.iam.gserviceaccount.com"
  schedules       = { for schedule in var.schedules : schedule.name => schedule }
}

resource "google_cloud_scheduler_job" "system" {
  for_each = local.schedules

  project     = var.project_id
  region      = var.region
  name        = each.key
  description = "Publishes to ${each.value.topic}, made by Continuo"
  schedule    = each.value.cron
  time_zone   = var.time_zone
  paused      = !var.is_deployed

  pubsub_target {
    topic_name = var.topics[each.value.topic]
    data       = base64encode(jsonencode({ kind = each.value.topic }))
    attributes = { kind = each.value.topic }
  }

  retry_config {
    retry_count = 3
  }
}

# The system's jobs, and those of the models on the topic schedule.
resource "google_pubsub_topic_iam_member" "scheduler" {
  for_each = toset(concat([for schedule in var.schedules : schedule.topic], ["schedule"]))

  project = var.project_id
  topic   = var.topics[each.value]
  role    = "roles/pubsub.publisher"
  member  = local.scheduler_agent
}
