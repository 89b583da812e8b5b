# One Cloud Run service per function, by digest. Event functions are reached by Pub/Sub alone.

locals {
  deployed = { for name, settings in var.functions : name => settings if var.is_deployed }

  values = {
    for name, settings in var.functions : name => {
      CONTINUO_PROJECT                = var.project_id
      CONTINUO_REGION                 = var.region
      CONTINUO_BUCKET                 = var.bucket
      CONTINUO_IDENTITY               = var.identities[name]
      CONTINUO_PIPELINE_IDENTITY      = var.pipeline_identity
      CONTINUO_PUSH_AUDIENCE          = var.services[name].url
      CONTINUO_PUSH_IDENTITY          = var.push_identity
      CONTINUO_CONSOLE_URL            = var.console_url
      CONTINUO_SLOTS                  = tostring(var.scale.slots)
      CONTINUO_TICK_PARTITIONS        = tostring(var.scale.tick_partitions)
      CONTINUO_SUBMISSIONS_PER_MINUTE = tostring(var.scale.submissions_per_minute)
      CONTINUO_ACCELERATOR_JOBS       = jsonencode(var.scale.accelerator_jobs)
    }
  }

  # Console and api answer to people that IAM or IAP let in.
  invokers = {
    for pair in setproduct([for name, settings in local.deployed : name if settings.route != null], var.operators) :
    "${pair[0]}/${pair[1]}" => { function = pair[0], member = pair[1] }
  }
}

resource "google_cloud_run_v2_service" "function" {
  for_each = local.deployed

  project             = var.project_id
  location            = var.region
  name                = var.services[each.key].service
  description         = "Continuo's function ${each.key}."
  ingress             = each.value.topic != null ? "INGRESS_TRAFFIC_INTERNAL_ONLY" : (each.key == "console" && var.has_load_balancer ? "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER" : "INGRESS_TRAFFIC_ALL")
  deletion_protection = false
  labels              = merge(var.labels, { trigger = each.value.topic != null ? each.value.topic : each.value.route })
  # Push tokens are made for the function's path, as on a laptop.
  custom_audiences = each.value.topic != null ? ["${var.services[each.key].url}/${each.key}"] : []

  template {
    service_account                  = var.identities[each.key]
    timeout                          = "${each.value.timeoutSeconds}s"
    max_instance_request_concurrency = each.value.concurrency
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2"
    labels                           = merge(var.labels, { trigger = each.value.topic != null ? each.value.topic : each.value.route })

    scaling {
      min_instance_count = each.value.instancesMin
      max_instance_count = each.value.instancesMax
    }

    containers {
      image = "${var.image_repository}/${each.key}@${var.image_digests[each.key]}"

      resources {
        limits = {
          cpu    = tostring(each.value.cpu)
          memory = "${each.value.memoryMib}Mi"
        }
        cpu_idle          = true
        startup_cpu_boost = true
      }

      dynamic "env" {
        for_each = each.value.environment
        content {
          name  = env.value
          value = local.values[each.key][env.value]
        }
      }
    }
  }

  lifecycle {
    # Releases move the image and the traffic between revisions; this file says everything else.
    ignore_changes = [client, client_version, template[0].containers[0].image, template[0].revision, traffic]
  }
}

resource "google_cloud_run_v2_service_iam_member" "push" {
  for_each = { for name, settings in local.deployed : name => settings if settings.topic != null }

  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_service.function[each.key].name
  role     = "roles/run.invoker"
  member   = "serviceAccount:${var.push_identity}"
}

resource "google_cloud_run_v2_service_iam_member" "operator" {
  for_each = local.invokers

  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_service.function[each.value.function].name
  role     = "roles/run.invoker"
  member   = each.value.member
}
