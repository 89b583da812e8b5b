# Every option at once: the checker works the environments out with these too, so that nothing hides behind a default.
console_domain    = "continuo.example.com"
data_buckets      = ["example-landing"]
bigquery_datasets = ["features", "labels"]
repository        = "projects/example-ml-dev/locations/europe-west4/connections/github/repositories/continuo"

secrets = {
  "notification-webhook" = ["notify"]
}

outside_publishers = [
  { topic = "dataset", member = "serviceAccount:ingestion@example-ml-dev.iam.gserviceaccount.com" },
  { topic = "alert", member = "group:ml-quality@example.com" },
]
scale = {
  slots                  = 64
  tick_partitions        = 16
  submissions_per_minute = 120
  accelerator_jobs       = { NVIDIA_L4 = 4 }
}
