import { Cron } from "croner";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nextDueMs, parseCron, timerProblem } from "../../../shared/domain/cron.js";

/** The next times of a cron expression, in UTC. */
const times = (text: string, timeZone: string, from: string, count: number): readonly string[] => {
  const cron = parseCron(text);
  if (typeof cron === "string") return [cron];
  const found: string[] = [];
  for (let afterMs = Date.parse(from); found.length < count;) {
    const dueAtMs = nextDueMs(cron, timeZone, afterMs);
    if (dueAtMs === null) break;
    found.push(new Date(dueAtMs).toISOString().replace(":00.000Z", "Z"));
    afterMs = dueAtMs;
  }
  return found;
};

describe("a cron expression comes due", () => {
  it.each([
    [
      "at its wall time in winter and summer",
      "0 6 * * 1",
      "Europe/Rome",
      "2026-03-22T00:00:00Z",
      ["2026-03-23T05:00Z", "2026-03-30T04:00Z"],
    ],
    [
      "an hour later where spring leaves its time out",
      "30 2 * * *",
      "Europe/Berlin",
      "2026-03-28T12:00:00Z",
      ["2026-03-29T01:30Z", "2026-03-30T00:30Z"],
    ],
    [
      "once where autumn repeats its time, the first time",
      "30 2 * * *",
      "Europe/Berlin",
      "2026-10-24T12:00:00Z",
      ["2026-10-25T00:30Z", "2026-10-26T01:30Z"],
    ],
    [
      "every hour of a day of 25 hours",
      "0 * * * *",
      "Europe/Berlin",
      "2026-10-24T23:30:00Z",
      ["2026-10-25T00:00Z", "2026-10-25T01:00Z", "2026-10-25T02:00Z"],
    ],
    [
      "every hour of a day of 23 hours",
      "0 * * * *",
      "Europe/Berlin",
      "2026-03-29T00:30:00Z",
      ["2026-03-29T01:00Z", "2026-03-29T02:00Z"],
    ],
    [
      "where half an hour is skipped",
      "15 2 * * *",
      "Australia/Lord_Howe",
      "2026-10-03T00:00:00Z",
      ["2026-10-03T15:45Z", "2026-10-04T15:15Z"],
    ],
    [
      "where midnight is left out",
      "0 0 * * *",
      "America/Sao_Paulo",
      "2018-11-03T12:00:00Z",
      ["2018-11-04T03:00Z", "2018-11-05T02:00Z"],
    ],
    [
      "ahead of UTC by more than half a day",
      "0 0 1 * *",
      "Pacific/Kiritimati",
      "2026-01-31T09:59:00Z",
      ["2026-01-31T10:00Z", "2026-02-28T10:00Z"],
    ],
    [
      "on either day, where both are restricted",
      "0 6 13 * fri",
      "UTC",
      "2026-04-10T12:00:00Z",
      ["2026-04-13T06:00Z", "2026-04-17T06:00Z"],
    ],
    ["on February 29", "0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", ["2104-02-29T00:00Z"]],
    [
      "on Sundays, be it 0 or 7",
      "5 5 * jan-feb 7",
      "UTC",
      "2026-02-22T05:05:00Z",
      ["2027-01-03T05:05Z"],
    ],
    [
      "by lists, ranges and steps",
      "5,10-20/5 8-10/2 * * *",
      "UTC",
      "2026-01-01T08:15:00Z",
      ["2026-01-01T08:20Z", "2026-01-01T10:05Z"],
    ],
  ] as const)("%s", (_name, text, zone, from, expected) => {
    expect(times(text, zone, from, expected.length)).toEqual(expected);
  });

  it("never before or at the instant asked about", () => {
    const cron = parseCron("* * * * *");
    if (typeof cron === "string") throw new Error(cron);
    for (const afterMs of [0, 59_999, 60_000, 60_001]) {
      expect(nextDueMs(cron, "UTC", afterMs)).toBe(Math.floor(afterMs / 60_000) * 60_000 + 60_000);
    }
  });

  it("as another implementation says, where no clock changes", () => {
    expect.hasAssertions();
    const value = (min: number, max: number) =>
      fc.oneof(
        fc.constant("*"),
        fc.integer({ min, max }).map(String),
        fc
          .tuple(fc.integer({ min, max }), fc.integer({ min, max }))
          .map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
        fc.uniqueArray(fc.integer({ min, max }), { minLength: 2, maxLength: 4 }).map(String),
      );
    // Whether a day with a step is restricted, implementations disagree about; here, as in Vixie's cron, it is not.
    const stepped = (min: number, max: number) =>
      fc.oneof(
        value(min, max),
        fc.integer({ min: 1, max: Math.ceil((max - min) / 2) }).map((step) => `*/${step}`),
      );
    fc.assert(
      fc.property(
        fc.tuple(stepped(0, 59), stepped(0, 23), value(1, 31), stepped(1, 12), value(0, 6)),
        fc.constantFrom("UTC", "Asia/Kolkata", "Asia/Tokyo", "America/Bogota"),
        fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2027, 0, 1) }),
        (fields, timeZone, afterMs) => {
          const text = fields.join(" ");
          const cron = parseCron(text);
          const other = new Cron(text, { timezone: timeZone, mode: "5-part", paused: true });
          expect(typeof cron === "string" ? cron : nextDueMs(cron, timeZone, afterMs)).toBe(
            other.nextRun(new Date(afterMs))?.getTime() ?? null,
          );
        },
      ),
      { numRuns: 300, seed: 20_260_105 },
    );
  });
});

describe("what is no cron expression", () => {
  it.each([
    ["0 6 * *", /five fields/],
    ["60 * * * *", /minute "60"/],
    ["0 24 * * *", /hour "24"/],
    ["0 0 0 * *", /day "0"/],
    ["0 0 * 13 *", /month "13"/],
    ["0 0 * * 8", /weekday "8"/],
    ["5-1 * * * *", /minute "5-1"/],
    ["*/0 * * * *", /minute/],
    ["1/2/3 * * * *", /minute/],
    ["1-2-3 * * * *", /minute/],
    ["0 0 L * *", /day "L"/],
    [", * * * *", /minute ","/],
    ["0 0 31 2 *", /never comes due/],
  ] as const)("%s", (text, problem) => {
    expect(timerProblem(text, "UTC")).toMatch(problem);
  });
});
