/** Messages that no function could take. */
import { redrive } from "../dead-letter.js";
import type { ApiContext, Handler } from "./context.js";
import { ok } from "./context.js";
import { notFound } from "./errors.js";
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

/** POST /dead-letters/:id/redrive: publishes the message to its topic once more, as it first came. */
export const redriveDeadLetter: Handler = async (context, _request, { id = "" }) => {
  const letter = await existingLetter(context, id);
  await redrive(letter, context.ports);
  return ok({ id, topic: letter.topic, isRedriven: true });
};
