/** A push by somebody who is not Pub/Sub, through the edge that checks tokens. */
import { cloudEvent } from "../../events/sources/cloud-event.js";
import type { ContinuoEvent } from "../../events/index.js";
import type { Ports } from "../../shared/ports/ports.js";
import { answerPush, handlingEvents } from "../../shared/runtime/edge.js";
import { config } from "../../shared/runtime/wiring.js";

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

const claims = { iss: "https://accounts.google.com", email: "eve@example.com", exp: 4_000_000_000 };

/** No token, half a token, and tokens whose signatures nobody should even look at. */
const headers: readonly (string | undefined)[] = [
  undefined,
  "Bearer nonsense",
  `Bearer ${part({ alg: "none" })}.${part(claims)}.${part("x")}`,
  `Bearer ${part({ alg: "HS256" })}.${part(claims)}.${part("x")}`,
];

const name = "on-training-run-requested";

/** Pushes an event and notes the status that answers it. */
export const forgedPush = async (
  event: ContinuoEvent,
  which: number,
  ports: Ports,
  answer: { status: number | null },
): Promise<void> => {
  const message = {
    messageId: event.id,
    publishTime: event.time,
    data: Buffer.from(JSON.stringify(event)).toString("base64"),
  };
  const request = { body: { message, subscription: name }, header: () => headers[which] };
  const response = {
    status: (status: number) => {
      answer.status = status;
      return { end: () => undefined };
    },
  };
  const handler = handlingEvents(name, cloudEvent("training-run.requested"));
  await answerPush({ name, handler }, request, response, () => ({
    config: config(),
    ports,
  }));
};
