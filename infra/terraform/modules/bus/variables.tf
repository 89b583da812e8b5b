variable "project_id" {
  description = "Project of the topics."
  type        = string
}

variable "project_number" {
  description = "Its number, which names Pub/Sub's service agent."
  type        = string
}

variable "region" {
  description = "Region in which messages are kept."
  type        = string
}

variable "labels" {
  description = "Labels of everything."
  type        = map(string)
}

variable "topics" {
  description = "Names of the topics, from the manifest."
  type        = list(string)
}

variable "dead_letter_topic" {
  description = "The topic that takes what could not be handled."
  type        = string
  validation {
    condition     = contains(var.topics, var.dead_letter_topic)
    error_message = "dead_letter_topic must be one of the topics: functions/manifest.json names a topic that it does not list."
  }
}

variable "schemas" {
  description = "Schema of each topic that only our own events travel on."
  type        = map(string)
  default     = {}
}

variable "functions" {
  description = "Every function by its name."
  type        = any
}

variable "event_functions" {
  description = "Functions that a topic pushes to."
  type        = any
  validation {
    condition     = alltrue([for name, settings in var.event_functions : contains(var.topics, settings.topic)])
    error_message = "functions/manifest.json has functions on unknown topics: ${join(", ", [for name, settings in var.event_functions : "${name} on ${settings.topic}" if !contains(var.topics, settings.topic)])}. Add the topic to functions/manifest.ts and run npm run generate."
  }
}

variable "services" {
  description = "Address of each function's service."
  type        = map(object({ service = string, url = string, identity = string }))
}

variable "identities" {
  description = "E-mail address of each function's identity."
  type        = map(string)
}

variable "push_identity" {
  description = "Whom push tokens name."
  type        = string
}

variable "is_deployed" {
  description = "Whether there is something to push to."
  type        = bool
}

variable "outside_publishers" {
  description = "Members outside Continuo that may publish to a topic, for example an ingestion job to dataset."
  type        = list(object({ topic = string, member = string }))
  default     = []
  validation {
    condition     = alltrue([for pair in var.outside_publishers : contains(var.topics, pair.topic)])
    error_message = "outside_publishers names topics that do not exist: ${join(", ", [for pair in var.outside_publishers : pair.topic if !contains(var.topics, pair.topic)])}. Topics are ${join(", ", var.topics)}."
  }
  validation {
    condition     = alltrue([for pair in var.outside_publishers : can(regex("^(serviceAccount|group|user|principal|principalSet):.+", pair.member))])
    error_message = "outside_publishers' members must be written as serviceAccount:NAME@PROJECT.iam.gserviceaccount.com, group:..., user:... or principal:..., never allUsers."
  }
}
