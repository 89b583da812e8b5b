# Topics, their schemas, and one push subscription per function: OIDC, retry, dead letter, and no expiry.

locals {
  pubsub_agent = "serviceAccount:service-${var.project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"

  # Who may publish what: the functions by their list, and nobody to every topic.
  publishers = {
    for pair in flatten([
      for name, settings in var.functions : [for topic in settings.publishes : { function = name, topic = topic }]
    ]) : "${pair.function}/${pair.topic}" => pair
  }

  subscriptions = { for name, settings in var.event_functions : name => settings if var.is_deployed }
}

resource "google_pubsub_schema" "schema" {
  for_each = var.schemas

  project    = var.project_id
  name       = "continuo-${each.key}"
  type       = "PROTOCOL_BUFFER"
  definition = each.value
}

resource "google_pubsub_topic" "topic" {
  for_each = toset(var.topics)

  project                    = var.project_id
  name                       = each.value
  labels                     = merge(var.labels, { trigger = each.value })
  message_retention_duration = "604800s"

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  dynamic "schema_settings" {
    for_each = contains(keys(var.schemas), each.value) ? [google_pubsub_schema.schema[each.value].id] : []
    content {
      schema   = schema_settings.value
      encoding = "JSON"
    }
  }
}

resource "google_pubsub_subscription" "push" {
  for_each = local.subscriptions

  project = var.project_id
  name    = each.key
  topic   = google_pubsub_topic.topic[each.value.topic].id
  labels  = merge(var.labels, { trigger = each.value.topic })

  # An answer is waited for as long as the function may take.
  ack_deadline_seconds = min(600, max(10, each.value.timeoutSeconds))
  # What nobody could handle is kept as long as Pub/Sub keeps anything.
  message_retention_duration = each.value.topic == var.dead_letter_topic ? "2678400s" : "604800s"

  push_config {
    push_endpoint = "${var.services[each.key].url}/${each.key}"
    oidc_token {
      service_account_email = var.push_identity
      audience              = "${var.services[each.key].url}/${each.key}"
    }
  }

  retry_policy {
    minimum_backoff = "${each.value.retry.minBackoffSeconds}s"
    maximum_backoff = "${min(600, each.value.retry.maxBackoffSeconds)}s"
  }

  # A dead letter that cannot be read would otherwise be dead-lettered to where it came from, for ever.
  dynamic "dead_letter_policy" {
    for_each = each.value.topic == var.dead_letter_topic ? [] : [each.value.retry.deliveryAttemptsMax]
    content {
      dead_letter_topic     = google_pubsub_topic.topic[var.dead_letter_topic].id
      max_delivery_attempts = dead_letter_policy.value
    }
  }

  expiration_policy {
    ttl = ""
  }
}

# Pub/Sub itself moves dead letters: it publishes to their topic and takes them from each subscription.
resource "google_pubsub_topic_iam_member" "dead_letter_publisher" {
  project = var.project_id
  topic   = google_pubsub_topic.topic[var.dead_letter_topic].name
  role    = "roles/pubsub.publisher"
  member  = local.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "dead_letter_subscriber" {
  for_each = { for name, settings in local.subscriptions : name => settings if settings.topic != var.dead_letter_topic }

  project      = var.project_id
  subscription = google_pubsub_subscription.push[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}

resource "google_pubsub_topic_iam_member" "publisher" {
  for_each = local.publishers

  project = var.project_id
  topic   = google_pubsub_topic.topic[each.value.topic].name
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:${var.identities[each.value.function]}"
}

# Ingestion jobs and other publishers outside Continuo.
resource "google_pubsub_topic_iam_member" "outside_publisher" {
  for_each = { for pair in var.outside_publishers : "${pair.topic}/${pair.member}" => pair }

  project = var.project_id
  topic   = google_pubsub_topic.topic[each.value.topic].name
  role    = "roles/pubsub.publisher"
  member  = each.value.member
}
