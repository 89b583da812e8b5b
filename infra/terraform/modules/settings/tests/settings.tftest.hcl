# `terraform test` here needs no provider: names, addresses and refusals are worked out from the inputs alone.

variables {
  project_id     = "example-ml-dev"
  project_number = "123456789012"
  region         = "europe-west4"
  environment    = "dev"
  owner          = "ml-platform"
}

run "names_and_addresses" {
  command = plan

  assert {
    condition     = output.services["tick"].url == "https://continuo-tick-123456789012.europe-west4.run.app"
    error_message = "A service's address is known before the service exists."
  }

  assert {
    condition     = output.bucket == "example-ml-dev-continuo" && output.audit_bucket == "example-ml-dev-continuo-audit"
    error_message = "The functions expect these names of the buckets."
  }

  assert {
    condition     = output.labels["env"] == "dev" && output.labels["owner"] == "ml-platform" && output.labels["managed-by"] == "continuo"
    error_message = "Everything that costs money carries these labels."
  }

  assert {
    condition     = !output.is_deployed
    error_message = "Without images nothing pushes, schedules or alerts."
  }

  assert {
    condition     = length(output.event_functions) + length(output.people_functions) == length(output.functions)
    error_message = "A function is called by a topic or by people."
  }
}

run "a_number_for_an_id" {
  command = plan
  variables {
    project_id = "123456789012"
  }
  expect_failures = [var.project_id]
}

run "an_id_for_a_number" {
  command = plan
  variables {
    project_number = "example-ml-dev"
  }
  expect_failures = [var.project_number]
}

run "a_region_without_vertex" {
  command = plan
  variables {
    region = "europe-west5"
  }
  expect_failures = [var.region]
}

run "an_unknown_environment" {
  command = plan
  variables {
    environment = "staging"
  }
  expect_failures = [var.environment]
}

run "a_tag_for_a_digest" {
  command = plan
  variables {
    image_digests = { tick = "latest" }
  }
  expect_failures = [var.image_digests]
}
