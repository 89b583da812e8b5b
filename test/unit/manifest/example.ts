/** A manifest with little more than what is required, for tests to vary. */
export const exampleManifest = `apiVersion: continuo/v1
kind: Model
name: flight-delay
owner: flights@example.com
dataset:
  name: flights
  matches: [gs://flights/monthly/]
  label: is_late
  positiveClass: late
  features:
    - { name: distance, type: numeric }
    - { name: origin, type: categorical }
triggers:
  schedules:
    - { name: weekly, cron: "0 6 * * 1", timeZone: Europe/Rome }
promotion:
  environments:
    - { name: qa, endpoint: flight-delay-qa }
    - { name: production, endpoint: flight-delay }
rollout:
  steps: [1, 10, 100]
  bakeSeconds: 60
`;
