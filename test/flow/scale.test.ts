/** The rules that keep the cost flat, counted: exact numbers on the virtual clock, over the real runtime. */
import { describe, expect, it } from "vitest";
import { eventCosts } from "../simulation/scale/costs.js";
import { idleDay } from "../simulation/scale/idle-day.js";
import { inconclusiveTick } from "../simulation/scale/rollouts.js";
import { alertStorm } from "../simulation/scale/storm.js";
import { submissionsAtOnce } from "../simulation/scale/submissions.js";

describe("at scale", { timeout: 900_000 }, () => {
  it("100,000 alerts on one model in a minute are one run, and its neighbours hardly wait", async () => {
    const { absorbedMs, neighbourP99Ms, ...counts } = await alertStorm({
      alerts: 100_000,
      isCoalesced: true,
    });
    expect(counts).toEqual({
      alerts: 100_000,
      runs: 1,
      admitted: 1,
      counted: 99_999,
      modelWrites: 2,
      writesPerSecondMax: 1,
      deadLetters: 0,
      neighbours: 100,
    });
    // Both on the virtual clock.
    expect(absorbedMs).toBeLessThan(5000);
    expect(neighbourP99Ms).toBeLessThan(5000);
  });

  it("without the gate a few hundred alerts keep the model's document busy for longer", async () => {
    const { runs, counted, modelWrites, absorbedMs } = await alertStorm({
      alerts: 300,
      isCoalesced: false,
    });
    expect({ runs, counted }).toEqual({ runs: 1, counted: 0 });
    expect(modelWrites).toBeGreaterThan(50);
    expect(absorbedMs).toBeGreaterThan(30_000);
  });

  it("10,000 runs at once are submitted 54 a minute, without one refusal", async () => {
    const { submitted, refused, perMinuteMax, minutes, pending } = await submissionsAtOnce(10_000);
    expect({ submitted, refused, perMinuteMax, minutes, pending }).toEqual({
      submitted: 10_000,
      refused: 0,
      perMinuteMax: 54,
      minutes: 186,
      pending: 0,
    });
  });

  it("an event that changes something costs a read and three writes, an ignored one 1/1, a duplicate no write", async () => {
    const { changing, ignored, duplicate, duplicateOfIgnored } = await eventCosts();
    expect(changing).toEqual({ reads: 1, writes: 3 });
    expect(ignored).toEqual({ reads: 1, writes: 1 });
    expect([duplicate.writes, duplicateOfIgnored.writes]).toEqual([0, 0]);
  });

  it("a tick over 10,000 rollouts on 16 partitions writes nothing while nothing is conclusive", async () => {
    const seen = await inconclusiveTick(10_000, 16);
    const { looked, listCalls, longestMs, vertexReads, writes, messages, effects } = seen;
    expect({ looked, vertexReads, writes, messages, effects }).toEqual({
      looked: 10_000,
      vertexReads: 0,
      writes: 0,
      messages: 0,
      effects: 0,
    });
    // Five metrics of a hundred endpoints each, and a part of a hundred left over in each partition.
    expect(listCalls).toBeGreaterThanOrEqual(500);
    expect(listCalls).toBeLessThanOrEqual(700);
    // On the virtual clock.
    expect(longestMs).toBeLessThan(20_000);
  });

  it.each([10, 100_000])("a day of %d idle models writes nothing", async (models) => {
    const { writes, messages, ticks, tickReadsPerQuery, schedulerJobs } = await idleDay(models);
    // Pending effects, due timers, open models and the queue: one read each, however many models there are.
    expect({ writes, messages, ticks, tickReadsPerQuery, schedulerJobs }).toEqual({
      writes: 0,
      messages: 0,
      ticks: 1440,
      tickReadsPerQuery: 1440,
      schedulerJobs: 3,
    });
  });
});
