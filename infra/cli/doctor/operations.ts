/** What waits for a person, and whether the functions' doors are shut. */
import { functions } from "../../../functions/manifest.js";
import { call, type Connection } from "../client.js";
import { statusReply } from "../replies.js";
import { failed, ok, skipped, warning, type Check, type Finding } from "./finding.js";

/** What the api knows; skipped without one. */
export const operationsCheck = (connection: Connection | null): Check => ({
  name: "operations",
  examine: async () => {
    if (connection === null) {
      return [skipped("name the api with --address and --token to hear what it knows")];
    }
    const status = await call(connection, statusReply, { path: "/status" });
    const findings: readonly Finding[] = [
      ...(status.deadLetters === 0
        ? []
        : [
            warning(
              `${status.deadLetters} dead letters`,
              "continuo dead-letters list; see infra/docs/runbook.md#dead-letters",
            ),
          ]),
      ...status.waitingForPeople.map(({ model, what }) =>
        warning(`${model} waits for a person: ${what}`, `continuo get ${model}`),
      ),
    ];
    return [
      ok(
        `${status.models} models, ${status.liveRuns} live runs, ${status.liveRollouts} live rollouts`,
      ),
      ...findings,
    ];
  },
});

const requestTimeoutMs = 10_000;

/** Whether functions that Pub/Sub calls refuse a message that carries no token. */
export const doorsCheck = (functionsAddress: string): Check => ({
  name: "doors",
  examine: async () => {
    const names = functions.flatMap(({ name, trigger }) => ("topic" in trigger ? [name] : []));
    const findings = await Promise.all(
      names.map(async (name): Promise<readonly Finding[]> => {
        const { status } = await fetch(`${functionsAddress}/${name}`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ message: { data: "", messageId: "1" }, subscription: "doctor" }),
          signal: AbortSignal.timeout(requestTimeoutMs),
        });
        if (status === 401 || status === 403) return [];
        return [
          failed(
            `${name} answers ${status} to a message without a token`,
            status === 404
              ? "it is not served: see functions.log in the state folder"
              : "stop it: anybody on this machine could publish events",
          ),
        ];
      }),
    );
    return findings.flat().length === 0
      ? [ok(`all ${names.length} event functions refuse a message without a token`)]
      : findings.flat();
  },
});
