/** How soon a rollout's analysis finds a challenger that fails twice as often, in a sentence: before it starts, and while it runs. */
import { minutesUntilDetection } from "../statistics/detection-time.js";
import { evidenceShares } from "../statistics/evidence-shares.js";
import type { Manifest } from "../manifest/schema.js";
import type { RolloutState } from "./state.js";

type RolloutPolicy = Manifest["rollout"];

/** The rise that is planned for, and where nothing has been measured, the traffic and errors that are assumed. */
const rise = 2;
const assumedErrorRate = 0.01;
const assumedRequestsPerMinute = [100, 1000, 10_000] as const;

const percent = (share: number): string => `${Number((100 * share).toPrecision(2))} %`;

const spanText = (minutes: number): string => {
  if (!Number.isFinite(minutes)) return "no reasonable time";
  if (minutes < 90) return `${Math.round(minutes)} min`;
  return minutes < 48 * 60
    ? `${Number((minutes / 60).toPrecision(2))} h`
    : `${Math.round(minutes / 1440)} days`;
};

/** Evidence of errors beside the other kinds that this policy asks for. */
const errorShare = ({ predictions, business, quality }: RolloutPolicy["analysis"]): number => {
  const { errors, latency, memory, processor, signal } = evidenceShares;
  const signals = [predictions, business, quality].filter((asked) => asked !== undefined).length;
  return errors / (errors + latency + memory + processor + signal * signals);
};

const minutes = (
  { analysis }: RolloutPolicy,
  weight: number,
  traffic: { readonly requestsPerMinute: number; readonly championErrorRate: number },
): number =>
  minutesUntilDetection(
    {
      share: weight / 100,
      ratio: rise,
      rho0: analysis.errorRatioMax,
      alpha: analysis.alpha,
      evidenceShare: errorShare(analysis),
    },
    traffic,
  );

const late = ({ analysis }: RolloutPolicy): string =>
  `counting from the first request; metrics arrive ${analysis.ingestDelaySeconds} s late`;

/** What to expect at the first step, for several amounts of traffic; null when it sends everything at once. */
export const plannedDetection = (policy: RolloutPolicy): string | null => {
  const [weight = 100] = policy.steps;
  if (weight >= 100) return null;
  const found = assumedRequestsPerMinute.map((requestsPerMinute) => {
    const traffic = { requestsPerMinute, championErrorRate: assumedErrorRate };
    return `${spanText(minutes(policy, weight, traffic))} at ${requestsPerMinute.toLocaleString("en-US")} requests/min`;
  });
  return `at ${weight} %, a rise of errors from ${percent(assumedErrorRate)} to ${percent(rise * assumedErrorRate)} is found on average in ${found.join(", ")} (${late(policy)})`;
};

/** What to expect at the weight and traffic that the last look measured; the plan before there is one. */
export const expectedDetection = (policy: RolloutPolicy, rollout: RolloutState): string | null => {
  if (!("segments" in rollout))
    return rollout.phase === "cleaning" ? null : plannedDetection(policy);
  const { weight, lastVerdict } = rollout;
  if (weight >= 100) return null;
  const {
    requests = 0,
    championRequests = 0,
    championErrors = 0,
    windowSeconds = 0,
  } = lastVerdict?.numbers ?? {};
  if (championRequests === 0 || windowSeconds === 0) return plannedDetection(policy);
  const requestsPerMinute = (60 * (requests + championRequests)) / windowSeconds;
  // Without an error yet, one more request would at most have been the first.
  const championErrorRate = Math.min(0.5, Math.max(1, championErrors) / championRequests);
  const found = spanText(minutes(policy, weight, { requestsPerMinute, championErrorRate }));
  return `at ${Math.round(requestsPerMinute).toLocaleString("en-US")} requests/min and ${weight} %, a rise of errors from ${percent(championErrorRate)} to ${percent(rise * championErrorRate)} is found in ${found} on average (${late(policy)})`;
};
