/** Effects on targets that cannot keep two writers apart: one writes, and nobody who is late. */
import { describe, expect, it } from "vitest";
import { UnavailableError } from "../../shared/domain/errors.js";
import type { Ports } from "../../shared/ports/ports.js";
import type { JournalEntry } from "../../shared/ports/state.js";
import { finish } from "../../shared/runtime/handle.js";
import { uploadLeaseMs } from "../../shared/runtime/register-version.js";
import { manifestOf } from "../fixtures/manifest.js";
import { churn, storyOf, type Story } from "./story.js";

class Died extends Error {
  override readonly name = "Died";
}

/** A story whose version is decided to be registered, by a process that died before it did so. */
const undone = async (
  dieAt: (ports: Ports) => Ports = (ports) => ({
    ...ports,
    leases: { ...ports.leases, acquire: async () => Promise.reject(new Died("before the lease")) },
  }),
): Promise<{ readonly story: Story; readonly entry: JournalEntry }> => {
  let isArmed = false;
  let deaths = 0;
  let hasUploaded = false;
  const story = await storyOf(manifestOf(), {
    through: (ports) => {
      const dying = dieAt(ports);
      // Only what registers the version dies.
      return {
        ...ports,
        leases: {
          acquire: (name, lastsMs) =>
            (isArmed && name.startsWith("version--") ? dying : ports).leases.acquire(name, lastsMs),
          release: (lease, written) =>
            (isArmed && lease.name.startsWith("version--") ? dying : ports).leases.release(
              lease,
              written,
            ),
        },
        registry: {
          ...ports.registry,
          upload: (...given) => {
            hasUploaded = isArmed;
            return (isArmed ? dying : ports).registry.upload(...given);
          },
        },
        state: {
          ...ports.state,
          markDone: (key) => (hasUploaded && deaths === 0 ? dying : ports).state.markDone(key),
        },
      };
    },
    onFailure: async (error) => {
      if (!(error instanceof Died)) throw error;
      deaths += 1;
    },
  });
  isArmed = true;
  await story.train("january");
  isArmed = false;
  expect(deaths).toBe(1);
  const pending = [...story.world.journal.values()].filter(({ isPending }) => isPending);
  const [entry] = pending;
  if (entry === undefined || pending.length > 1) throw new Error("one entry should be pending");
  expect(entry.decisions.map(({ decision }) => decision.do)).toContain("register-model-version");
  return { story, entry };
};

const uploads = ({ world }: Story): number =>
  world.effects.filter((effect) => effect.startsWith("upload")).length;

const finishWith = (ports: Ports, entry: JournalEntry): Promise<void> =>
  finish(entry, { function: "test", ports });

describe("a version is uploaded once", () => {
  it("by two performers at once: one uploads, the other is asked to come again", async () => {
    const { story, entry } = await undone();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 4 }, () => finishWith(story.world.ports, entry)),
    );
    const refusals = outcomes.flatMap((one): readonly unknown[] =>
      one.status === "rejected" ? [one.reason] : [],
    );
    expect(refusals).toHaveLength(3);
    expect(refusals.every((reason) => reason instanceof UnavailableError)).toBe(true);
    await finishWith(story.world.ports, entry);
    expect(uploads(story)).toBe(1);
    expect(story.world.pending.size).toBe(0);
  });

  it("by a holder whose lease has ended while it looked: it sends nothing", async () => {
    const { story, entry } = await undone();
    const { world } = story;
    let resume = (): void => undefined;
    const frozen = new Promise<void>((resolve) => {
      resume = resolve;
    });
    let isLooking = false;
    const slow: Ports = {
      ...world.ports,
      registry: {
        ...world.ports.registry,
        version: async (...asked) => {
          const found = await world.ports.registry.version(...asked);
          isLooking = true;
          await frozen;
          return found;
        },
      },
    };
    const late = finishWith(slow, entry);
    late.catch(() => undefined);
    await expect.poll(() => isLooking, { timeout: 30_000 }).toBe(true);
    await expect(finishWith(world.ports, entry)).rejects.toThrow(/somebody else writes/);
    world.nowMs += uploadLeaseMs;
    await finishWith(world.ports, entry);
    expect(uploads(story)).toBe(1);
    resume();
    await expect(late).rejects.toThrow(/too old/);
    expect(uploads(story)).toBe(1);
  });

  it.each([
    [
      "the upload and its record",
      (ports: Ports): Ports => ({
        ...ports,
        registry: {
          ...ports.registry,
          upload: async (...given) => {
            await ports.registry.upload(...given);
            throw new Died("after the upload");
          },
        },
      }),
    ],
    [
      "giving the lease back and the record",
      (ports: Ports): Ports => ({
        ...ports,
        state: { ...ports.state, markDone: async () => Promise.reject(new Died("at the record")) },
      }),
    ],
  ] as const)("by a process that died between %s", async (_moment, dieAt) => {
    const { story, entry } = await undone(dieAt);
    expect(uploads(story)).toBe(1);
    story.world.nowMs += uploadLeaseMs;
    await finishWith(story.world.ports, entry);
    expect(uploads(story)).toBe(1);
    expect(story.world.versions).toHaveLength(1);
    expect(story.world.pending.size).toBe(0);
  });

  it("by a process that never heard that the lease was its own: it is waited out", async () => {
    const { story, entry } = await undone((ports) => ({
      ...ports,
      leases: {
        ...ports.leases,
        acquire: async (...given) => {
          await ports.leases.acquire(...given);
          throw new Died("before the reply");
        },
      },
    }));
    const { world } = story;
    expect(uploads(story)).toBe(0);
    await expect(finishWith(world.ports, entry)).rejects.toThrow(/somebody else writes/);
    world.nowMs += uploadLeaseMs;
    await finishWith(world.ports, entry);
    await finishWith(world.ports, entry);
    expect(uploads(story)).toBe(1);
    expect(world.pending.size).toBe(0);
  });

  it("also when the registry does not show it yet: the lease tells what was written", async () => {
    const { story, entry } = await undone((ports) => ({
      ...ports,
      state: { ...ports.state, markDone: async () => Promise.reject(new Died("at the record")) },
    }));
    const { ports } = story.world;
    const blind = { ...ports, registry: { ...ports.registry, version: async () => null } };
    await finishWith(blind, entry);
    expect(uploads(story)).toBe(1);
  });

  it("its labels tell the run and the epoch that made it", async () => {
    const { story, entry } = await undone();
    const seen: unknown[] = [];
    const { ports } = story.world;
    const watched: Ports = {
      ...ports,
      registry: {
        ...ports.registry,
        upload: (version, ...rest) => {
          seen.push(version.labels);
          return ports.registry.upload(version, ...rest);
        },
      },
    };
    await finishWith(watched, entry);
    expect(seen).toEqual([
      expect.objectContaining({ "continuo-run": story.model().run?.run, "continuo-epoch": "1" }),
    ]);
  });
});

describe("what is absolute is not set back", () => {
  it("aliases that another event has moved since are left as they are", async () => {
    const story = await storyOf(manifestOf());
    await story.firstChampion();
    const { world } = story;
    const entry = [...world.journal.values()].find(({ decisions }) =>
      decisions.some(
        ({ decision }) => decision.do === "set-aliases" && decision.aliases.includes("challenger"),
      ),
    );
    if (entry === undefined) throw new Error("no challenger was named");
    const before = JSON.stringify(world.versions.map(({ aliases }) => aliases));
    await finishWith(world.ports, entry);
    expect(JSON.stringify(world.versions.map(({ aliases }) => aliases))).toBe(before);
    expect(world.models.get(churn)?.champion?.versionId).toBe("1");
  });
});
