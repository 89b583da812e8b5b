/** Events of another time: a replayed archive, or a publisher whose clock is wrong. */
import type { ContinuoEvent } from "../../events/index.js";
import { InvalidEventError } from "../domain/errors.js";

const dayMs = 86_400_000;
/** As long as journal entries live: nobody would know a duplicate of an older event again. */
const ageDaysMax = 30;
/** Clocks differ by minutes; beyond that the time means something else. */
const aheadDaysMax = 1;

/** Throws InvalidEventError for an event that is too old to be told from its duplicates, or that has not happened yet. */
export const checkTime = ({ id, time }: ContinuoEvent, nowMs: number): void => {
  const ageMs = nowMs - Date.parse(time);
  if (ageMs > ageDaysMax * dayMs) {
    throw new InvalidEventError(
      `event ${id} happened at ${time}, more than ${ageDaysMax} days ago: it may have been handled before and its journal is gone; if it is to be handled now, publish it with a new id and today's time`,
    );
  }
  if (ageMs < -aheadDaysMax * dayMs) {
    throw new InvalidEventError(
      `event ${id} says that it happens at ${time}, which has not come yet: set the publisher's clock and publish it again`,
    );
  }
};
