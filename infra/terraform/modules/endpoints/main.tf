# Endpoints of QA and production. What is deployed on them, its traffic and the labels by which deployments are found
# again belong to the control plane: Terraform never touches them.

resource "google_vertex_ai_endpoint" "endpoint" {
  for_each = var.endpoints

  project                    = var.project_id
  location                   = var.region
  region                     = var.region
  name                       = each.key
  display_name               = each.key
  description                = each.value.description
  dedicated_endpoint_enabled = each.value.is_dedicated
  labels                     = merge(var.labels, { model = each.value.model })

  lifecycle {
    ignore_changes = [traffic_split, labels, predict_request_response_logging_config]
  }
}
