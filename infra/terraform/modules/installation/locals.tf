locals {
  has_load_balancer = var.console_domain != null
  console_url       = var.console_domain == null ? "${module.settings.services["console"].url}/" : "https://${var.console_domain}/"

  # Images come from this environment's registry, or from that of the environment before it.
  image_repository = var.image_repository == null ? module.registry.images : var.image_repository
}
