# The console behind a load balancer with Identity-Aware Proxy, for people with browsers. Only made where a domain is
# given: a forwarding rule costs money every hour. Without one, `gcloud run services proxy continuo-console` opens it.

resource "google_compute_global_address" "console" {
  project = var.project_id
  name    = "continuo-console"
  labels  = var.labels
}

resource "google_compute_managed_ssl_certificate" "console" {
  project = var.project_id
  name    = "continuo-console"

  managed {
    domains = [var.domain]
  }
}

resource "google_compute_region_network_endpoint_group" "console" {
  project               = var.project_id
  region                = var.region
  name                  = "continuo-console"
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    service = var.service
  }
}

resource "google_compute_backend_service" "console" {
  project               = var.project_id
  name                  = "continuo-console"
  protocol              = "HTTPS"
  load_balancing_scheme = "EXTERNAL_MANAGED"

  backend {
    group = google_compute_region_network_endpoint_group.console.id
  }

  iap {
    enabled = true
  }

  log_config {
    enable      = true
    sample_rate = 1
  }
}

resource "google_compute_url_map" "console" {
  project         = var.project_id
  name            = "continuo-console"
  default_service = google_compute_backend_service.console.id
}

resource "google_compute_target_https_proxy" "console" {
  project          = var.project_id
  name             = "continuo-console"
  url_map          = google_compute_url_map.console.id
  ssl_certificates = [google_compute_managed_ssl_certificate.console.id]
}

resource "google_compute_global_forwarding_rule" "console" {
  project               = var.project_id
  name                  = "continuo-console"
  labels                = var.labels
  target                = google_compute_target_https_proxy.console.id
  ip_address            = google_compute_global_address.console.id
  port_range            = "443"
  load_balancing_scheme = "EXTERNAL_MANAGED"
}

resource "google_iap_web_backend_service_iam_member" "operator" {
  for_each = toset(var.operators)

  project             = var.project_id
  web_backend_service = google_compute_backend_service.console.name
  role                = "roles/iap.httpsResourceAccessor"
  member              = each.value
}

# IAP calls the service once it knows who asks.
resource "google_cloud_run_v2_service_iam_member" "proxy" {
  project  = var.project_id
  location = var.region
  name     = var.service
  role     = "roles/run.invoker"
  member   = "serviceAccount:service-${var.project_number}@gcp-sa-iap.iam.gserviceaccount.com"
}
