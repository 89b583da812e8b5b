/** Who may do what: nobody unknown, nothing by a role for everything, and one identity for each function. */
import { isList } from "../plan/values.js";
import type { Finding } from "../finding.js";
import { about, at, ofType, permissionsFile, textAt, type Rule } from "./facts.js";

const isPublic = (member: string): boolean => /^(allUsers|allAuthenticatedUsers)$/.test(member);

/** Nothing is open to everybody. */
export const noPublicMember: Rule = ({ resources }) =>
  resources.flatMap((resource) => {
    const members = at(resource, "members")?.value ?? [];
    const all = [textAt(resource, "member"), ...(isList(members) ? members.map(String) : [])];
    return all
      .filter(isPublic)
      .map((member) =>
        about(
          resource,
          "no-public-member",
          "member",
          `is open to ${member}`,
          "Name a group, a user or a service account.",
        ),
      );
  });

/** Basic roles hold thousands of permissions. */
export const noBasicRole: Rule = ({ resources }) =>
  resources.flatMap((resource) =>
    /^roles\/(owner|editor|viewer)$/.test(textAt(resource, "role"))
      ? [
          about(
            resource,
            "no-basic-role",
            "role",
            `grants ${textAt(resource, "role")}`,
            "Grant a custom role with the permissions that are used, or a predefined role of one service.",
          ),
        ]
      : [],
  );

/** Each service runs as a service account of its own that is made here. */
export const dedicatedIdentity: Rule = (scenario) => {
  const services = ofType(scenario, "google_cloud_run_v2_service");
  const accounts = new Set(
    ofType(scenario, "google_service_account").map(
      (account) =>
        `${textAt(account, "account_id")}@${textAt(account, "project")}.iam.gserviceaccount.com`,
    ),
  );
  const path = "template.service_account";
  return services.flatMap((service) => {
    const identity = textAt(service, path);
    const sharers = services.filter((other) => textAt(other, path) === identity);
    if (accounts.has(identity) && sharers.length === 1) return [];
    const problem = accounts.has(identity)
      ? `shares its identity with ${String(sharers.length - 1)} others`
      : `runs as ${identity === "" ? "the project's default identity" : identity}, which is not made here`;
    return [
      about(
        service,
        "dedicated-identity",
        path,
        problem,
        "Set template.service_account to the function's own account of module identities.",
      ),
    ];
  });
};

/** Event functions are reached from inside, with a token of the push identity, and by nobody else. */
export const noPublicEdge: Rule = (scenario, { manifest }) => {
  const services = ofType(scenario, "google_cloud_run_v2_service");
  const pushIdentity = ofType(scenario, "google_service_account").find(
    ({ name }) => name === "push",
  );
  const pushMember =
    pushIdentity === undefined
      ? ""
      : `serviceAccount:${textAt(pushIdentity, "account_id")}@${textAt(pushIdentity, "project")}.iam.gserviceaccount.com`;
  const isEvent = (service: string): boolean =>
    Object.entries(manifest.functions).some(
      ([name, { topic }]) => service === `continuo-${name}` && topic !== null,
    );
  const edges = services.flatMap((service) => {
    const findings = [];
    if (
      isEvent(textAt(service, "name")) &&
      textAt(service, "ingress") !== "INGRESS_TRAFFIC_INTERNAL_ONLY"
    ) {
      findings.push(
        about(
          service,
          "no-public-edge",
          "ingress",
          "answers from outside",
          'Set ingress = "INGRESS_TRAFFIC_INTERNAL_ONLY": only Pub/Sub calls it.',
        ),
      );
    }
    if (textAt(service, "invoker_iam_disabled") === "true") {
      findings.push(
        about(
          service,
          "no-public-edge",
          "invoker_iam_disabled",
          "lets everybody call it",
          "Leave invoker_iam_disabled out.",
        ),
      );
    }
    return findings;
  });
  const grants = ofType(scenario, "google_cloud_run_v2_service_iam_member");
  const strangers = grants.flatMap((grant) =>
    isEvent(textAt(grant, "name")) && textAt(grant, "member") !== pushMember
      ? [
          about(
            grant,
            "no-public-edge",
            "member",
            `lets ${textAt(grant, "member")} call an event function`,
            "Only the push identity may.",
          ),
        ]
      : [],
  );
  const uncallable = services.flatMap((service) =>
    isEvent(textAt(service, "name")) &&
    !grants.some((grant) => textAt(grant, "name") === textAt(service, "name"))
      ? [
          about(
            service,
            "no-public-edge",
            null,
            "cannot be called by Pub/Sub",
            "Grant roles/run.invoker on it to the push identity.",
          ),
        ]
      : [],
  );
  return [...edges, ...strangers, ...uncallable];
};

const sameStart = (left: string, right: string): number => {
  let length = 0;
  while (length < left.length && left[length] === right[length]) length += 1;
  return length;
};

/** The permissions that begin most like a name. */
const closest = (name: string, permissions: ReadonlySet<string>): readonly string[] =>
  [...permissions].toSorted((a, b) => sameStart(name, b) - sameStart(name, a)).slice(0, 3);

/** A permission that does not exist fails only when it is applied, or grants nothing. */
export const knownPermission: Rule = (scenario, { permissions, permissionLineOf }) =>
  ofType(scenario, "google_project_iam_custom_role").flatMap((role) => {
    const granted = at(role, "permissions")?.value ?? [];
    const names = isList(granted) ? granted.map(String) : [];
    return names.flatMap((name): readonly Finding[] => {
      if (permissions.has(name)) return [];
      const rule = "known-permission";
      const line = permissionLineOf(`"${name}"`);
      const fix = `Write one that Google has, such as ${closest(name, permissions).join(", ")}`;
      return line === 0
        ? [about(role, rule, "permissions", `grants ${name}, which no role of Google's has`, fix)]
        : [
            {
              rule,
              file: permissionsFile,
              line,
              message: `no role of Google's has ${name}`,
              fix: `${fix}, and run npm run generate.`,
            },
          ];
    });
  });

/** A pull request decides itself what its build does: it must not run as whoever may release. */
export const pullRequestIdentity: Rule = (scenario) => {
  const triggers = ofType(scenario, "google_cloudbuild_trigger");
  const isPull = (trigger: (typeof triggers)[number]): boolean =>
    trigger.blocks["repository_event_config"]?.[0]?.blocks["pull_request"] !== undefined;
  const identityOf = (trigger: (typeof triggers)[number]): string =>
    textAt(trigger, "service_account");
  const releasing = new Set(
    triggers.filter((trigger) => !isPull(trigger)).map((trigger) => identityOf(trigger)),
  );
  return triggers.flatMap((trigger) =>
    isPull(trigger) && (releasing.has(identityOf(trigger)) || identityOf(trigger) === "")
      ? [
          about(
            trigger,
            "pull-request-identity",
            "service_account",
            "runs what a pull request brings as an identity that releases",
            "Give it the account `tests`, which may read layers and write its log.",
          ),
        ]
      : [],
  );
};
