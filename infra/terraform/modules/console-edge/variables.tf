variable "project_id" {
  description = "Project of the load balancer."
  type        = string
}

variable "project_number" {
  description = "Its number, which names IAP's service agent."
  type        = string
}

variable "region" {
  description = "Region of the console's service."
  type        = string
}

variable "labels" {
  description = "Labels of everything."
  type        = map(string)
}

variable "domain" {
  description = "Domain of the console; its DNS must point to the address that is put out."
  type        = string
  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.domain))
    error_message = "domain must be a full domain name such as continuo.example.com, without https:// and without a path."
  }
}

variable "service" {
  description = "Name of the console's service."
  type        = string
}

variable "operators" {
  description = "Members that may open the console."
  type        = list(string)
}
