/** The edge of every event function: verify, parse, handle; the one place that acknowledges or refuses a message. */
import type { HttpFunction, Request, Response } from "@google-cloud/functions-framework";
import type { ContinuoEvent } from "../../events/index.js";
import type { Message, Source } from "../../events/sources/message.js";
import { InvalidEventError, UnavailableError } from "../domain/errors.js";
import type { Ports } from "../ports/ports.js";
import { sendToDeadLetters } from "./dead-letter.js";
import { handleEvent } from "./handle.js";
import { log } from "./log.js";
import { messageOf, unwrap, type Delivery } from "./push.js";
import { refusalOf } from "./verify.js";
import { config, ports } from "./wiring.js";

/** What a function does with a message it could read. */
type MessageHandler = (message: Message, delivery: Delivery, ports: Ports) => Promise<void>;

/** What a function does with a delivery, whatever its data. */
type DeliveryHandler = (delivery: Delivery, ports: Ports) => Promise<void>;

/** The events that the first source which knows the message makes of it; throws InvalidEventError without one. */
export const readWith = (
  sources: readonly Source[],
  message: Message,
): readonly ContinuoEvent[] => {
  for (const source of sources) {
    const reading = source(message);
    if (reading === null) continue;
    if ("problem" in reading) throw new InvalidEventError(reading.problem);
    return reading.events;
  }
  const hint =
    message.body === undefined ? "it has no data" : "its data has none of the known shapes";
  throw new InvalidEventError(`nothing here reads this message: ${hint}`);
};

const serve = async (
  name: string,
  handler: DeliveryHandler,
  request: Request,
  response: Response,
): Promise<void> => {
  const { jwksUrl, pushAudience, pushIdentity } = config();
  const refusal = await refusalOf(request.header("authorization"), {
    jwksUrl,
    audience: `${pushAudience}/${name}`,
    email: pushIdentity,
  });
  if (refusal !== null) {
    log("WARNING", "push refused", { function: name, refusal });
    response.status(401).end();
    return;
  }
  const delivery = unwrap(request.body);
  try {
    await handler(delivery, ports());
  } catch (error) {
    if (!(error instanceof InvalidEventError)) throw error;
    await sendToDeadLetters(name, error.message, delivery, ports());
  }
  response.status(204).end();
};

/** An http function behind a push subscription. It acknowledges with 204 and asks for redelivery with 500. */
export const onDelivery =
  (name: string, handler: DeliveryHandler): HttpFunction =>
  async (request, response) => {
    try {
      await serve(name, handler, request, response);
    } catch (error) {
      // Unknown errors count as "may work later": Pub/Sub's back-off and its delivery limit bound them.
      const known = error instanceof Error ? error : new UnavailableError(String(error));
      log("ERROR", `${known.name}: ${known.message}`, {
        function: name,
        stack: known.stack?.slice(0, 900) ?? null,
      });
      response.status(error instanceof InvalidEventError ? 400 : 500).end();
    }
  };

/** An http function that sees each message's data as JSON. */
export const onMessage = (name: string, handler: MessageHandler): HttpFunction =>
  onDelivery(name, (delivery, wired) => handler(messageOf(delivery), delivery, wired));

/** An http function that turns each message into events and handles them one after another. */
export const onEvents = (name: string, ...sources: readonly Source[]): HttpFunction =>
  onMessage(name, async (message, _delivery, wired) => {
    for (const event of readWith(sources, message)) {
      await handleEvent(event, { function: name, ports: wired });
    }
  });
