/** The edge of every event function: verify, parse, handle; the one place that acknowledges or refuses a message. */
import type { HttpFunction } from "@google-cloud/functions-framework";
import type { ContinuoEvent } from "../../events/index.js";
import type { Message, Source } from "../../events/sources/message.js";
import { InvalidEventError, UnavailableError } from "../domain/errors.js";
import type { Ports } from "../ports/ports.js";
import { sendToDeadLetters } from "./dead-letter.js";
import { handleEvent, type HandleOptions } from "./handle.js";
import { log } from "./log.js";
import { messageOf, unwrap, type Delivery } from "./push.js";
import { checkTime } from "./timely.js";
import type { Config } from "./config.js";
import { refusalOf } from "./verify.js";
import { config, ports } from "./wiring.js";

/** What a function does with a message it could read. */
type MessageHandler = (message: Message, delivery: Delivery, ports: Ports) => Promise<void>;

/** What a function does with a delivery, whatever its data. */
export type DeliveryHandler = (delivery: Delivery, ports: Ports) => Promise<void>;

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

/** One event function: its name, which is also its route and subscription, and what it does. */
interface Edge {
  readonly name: string;
  readonly handler: DeliveryHandler;
}

/** What answering a push asks of a request, the framework's or another. */
export interface PushRequest {
  readonly body?: unknown;
  readonly header: (name: "authorization") => string | undefined;
}

/** What answering a push asks of a response. */
export interface PushResponse {
  readonly status: (code: number) => { readonly end: () => unknown };
}

/** Answers one push: 204 acknowledges it, 401 refuses its sender, 500 asks for it again. Never throws. */
export type PushFunction = (request: PushRequest, response: PushResponse) => Promise<void>;

/** What an edge is wired to. */
export interface Wiring {
  readonly config: Config;
  readonly ports: Ports;
}

const serve = async (
  { name, handler }: Edge,
  request: PushRequest,
  response: PushResponse,
  { config: settings, ports: wired }: Wiring,
): Promise<void> => {
  const refusal = await refusalOf(request.header("authorization"), {
    jwksUrl: settings.jwksUrl,
    audience: `${settings.pushAudience}/${name}`,
    email: settings.pushIdentity,
  });
  if (refusal !== null) {
    log("WARNING", "push refused", { function: name, refusal });
    response.status(401).end();
    return;
  }
  const delivery = unwrap(request.body);
  try {
    await handler(delivery, wired);
  } catch (error) {
    if (!(error instanceof InvalidEventError)) throw error;
    await sendToDeadLetters(name, error.message, delivery, wired);
  }
  response.status(204).end();
};

/** Answers one push with a function's handler. */
export const answerPush = async (
  edge: Edge,
  request: PushRequest,
  response: PushResponse,
  wiring: () => Wiring,
): Promise<void> => {
  try {
    await serve(edge, request, response, wiring());
  } catch (error) {
    // Unknown errors count as "may work later": Pub/Sub's back-off and its delivery limit bound them.
    const known = error instanceof Error ? error : new UnavailableError(String(error));
    log("ERROR", `${known.name}: ${known.message}`, {
      function: edge.name,
      stack: known.stack?.slice(0, 900) ?? null,
    });
    response.status(error instanceof InvalidEventError ? 400 : 500).end();
  }
};

/** Reads a delivery's data as JSON for a handler. */
const readingMessage =
  (handler: MessageHandler): DeliveryHandler =>
  (delivery, wired) =>
    handler(messageOf(delivery), delivery, wired);

/** What becomes of one event: `handleEvent`, or what stands before it. */
export type EventHandler = (event: ContinuoEvent, options: HandleOptions) => Promise<unknown>;

/** Turns each message into events and hands them over one after another. */
export const handlingThrough = (
  handle: EventHandler,
  name: string,
  ...sources: readonly Source[]
): DeliveryHandler =>
  readingMessage(async (message, _delivery, wired) => {
    for (const event of readWith(sources, message)) {
      checkTime(event, wired.clock());
      await handle(event, { function: name, ports: wired });
    }
  });

/** Turns each message into events and handles them one after another. */
export const handlingEvents = (name: string, ...sources: readonly Source[]): DeliveryHandler =>
  handlingThrough(handleEvent, name, ...sources);

const pushFunctions = new WeakMap<object, PushFunction>();

/** The function behind a push subscription that an http function is; undefined for any other. */
export const pushFunctionOf = (registered: object | undefined): PushFunction | undefined =>
  registered && pushFunctions.get(registered);

/** An http function behind a push subscription. */
export const onDelivery = (name: string, handler: DeliveryHandler): HttpFunction => {
  const answer: PushFunction = (request, response) =>
    answerPush({ name, handler }, request, response, () => ({ config: config(), ports: ports() }));
  const registered: HttpFunction = (request, response) => answer(request, response);
  pushFunctions.set(registered, answer);
  return registered;
};

/** An http function that sees each message's data as JSON. */
export const onMessage = (name: string, handler: MessageHandler): HttpFunction =>
  onDelivery(name, readingMessage(handler));

/** An http function that turns each message into events and handles them one after another. */
export const onEvents = (name: string, ...sources: readonly Source[]): HttpFunction =>
  onDelivery(name, handlingEvents(name, ...sources));

/** An http function whose events pass through something else on their way to being handled. */
export const onEventsThrough = (
  handle: EventHandler,
  name: string,
  ...sources: readonly Source[]
): HttpFunction => onDelivery(name, handlingThrough(handle, name, ...sources));
