/** Messages that no function could take. */
import type { ApiContext, Handler } from "./context.js";
import { ok } from "./context.js";
import { ApiError, notFound } from "./errors.js";
import { queryLimit } from "./read.js";
import { deadLetterDetail, deadLetterView } from "./views.js";

/** GET /dead-letters?limit= */
export const listDeadLetters: Handler = async ({ ports }, request) => {
  const letters = await ports.state.deadLetters(queryLimit(request, 50));
  return ok({ deadLetters: letters.map(deadLetterView) });
};

const existingLetter = async ({ ports }: ApiContext, id: string) => {
  const letter = await ports.state.deadLetter(id);
  if (letter === null) {
    throw notFound(`there is no dead letter "${id}"; "continuo dead-letters list" shows them`);
  }
  return letter;
};

/** GET /dead-letters/:id */
export const getDeadLetter: Handler = async (context, _request, { id = "" }) =>
  ok(deadLetterDetail(await existingLetter(context, id)));

/** Bodies longer than this were cut when they were kept. */
const keptBytesMax = 64 * 1024;

/** POST /dead-letters/:id/redrive: publishes the message to its topic once more. */
export const redriveDeadLetter: Handler = async (context, _request, { id = "" }) => {
  const letter = await existingLetter(context, id);
  const data = Buffer.from(letter.data, "base64");
  if (data.byteLength >= keptBytesMax) {
    throw new ApiError(
      409,
      "body-cut",
      `the body was cut at ${keptBytesMax / 1024} kB when it was kept; publish the original again from where it came`,
    );
  }
  await context.ports.bus.publish(letter.topic, { data, attributes: letter.attributes });
  await context.ports.state.markRedriven(id, context.ports.clock());
  return ok({ id, topic: letter.topic, isRedriven: true });
};
