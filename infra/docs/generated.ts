/** Every generated file of the event catalogue, by its path in the repository. */
import { catalogue, type EventType } from "../../events/index.js";
import { readComments } from "./comments.js";
import { eventPage } from "./event-page.js";
import { eventJsonSchema } from "./event-schemas.js";

/** The names of all event types, in the catalogue's order. */
const eventTypes = Object.keys(catalogue).filter((name): name is EventType => name in catalogue);

/** Paths and contents; the formatter has the last word on line breaks. */
export const generatedFiles = (): ReadonlyMap<string, string> => {
  const comments = readComments();
  return new Map([
    ["events/README.md", eventPage(eventTypes, comments)],
    ...eventTypes.map((type): [string, string] => [
      `events/schemas/${type}.json`,
      JSON.stringify(eventJsonSchema(type, comments), null, 2),
    ]),
  ]);
};
