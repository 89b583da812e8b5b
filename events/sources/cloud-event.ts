/** Our own events: CloudEvents in structured JSON. */
import { z } from "zod";
import { catalogue, type EventType } from "../index.js";
import { problemText, type Message, type Reading, type Source } from "./message.js";

const looksOurs = z.looseObject({ specversion: z.string(), type: z.string() });

/** Reads our events of the given types; an unknown type, version or field is a problem. */
export const cloudEvent =
  (...types: readonly EventType[]): Source =>
  ({ body }: Message): Reading => {
    const head = looksOurs.safeParse(body);
    if (!head.success) return null;
    const type = types.find((known) => known === head.data.type);
    if (type === undefined) {
      return {
        problem: `type ${head.data.type.slice(0, 100)} is not accepted here; expected ${types.join(" or ")}`,
      };
    }
    const parsed = catalogue[type].schema.safeParse(body);
    return parsed.success ? { events: [parsed.data] } : { problem: problemText(parsed.error) };
  };
