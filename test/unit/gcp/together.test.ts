import { describe, expect, it } from "vitest";
import { together } from "../../../shared/gcp/together.js";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A service whose requests end when the test says so. */
const service = (fails: (items: readonly string[]) => boolean = () => false) => {
  const requests: (readonly string[])[] = [];
  const ends: (() => void)[] = [];
  const send = (items: readonly string[]): Promise<(item: string) => string> =>
    new Promise((resolve, reject) => {
      requests.push(items);
      ends.push(() => {
        if (fails(items)) reject(new Error(`refused ${items.join()}`));
        else resolve((item) => `${item}!`);
      });
    });
  /** Ends requests until nothing more is sent. */
  const endAll = async (): Promise<void> => {
    do {
      for (const end of ends.splice(0)) end();
      // The next request leaves at the end of the turn in which the last one's answer is read.
      await turn();
      await turn();
    } while (ends.length > 0);
  };
  return { send, requests, endAll };
};

describe("calls that share a request", () => {
  it("sends what comes in one turn together, and gives each its own answer", async () => {
    const { send, requests, endAll } = service();
    const ask = together(send, { itemsMax: 10, requestsMax: 1 });
    const answers = Promise.all(["a", "b", "c"].map(ask));
    await turn();
    await endAll();
    expect(await answers).toEqual(["a!", "b!", "c!"]);
    expect(requests).toEqual([["a", "b", "c"]]);
  });

  it("gathers what comes while requests are under way, never more than fits", async () => {
    const { send, requests, endAll } = service();
    const ask = together(send, {
      itemsMax: 3,
      requestsMax: 1,
      weigh: (item) => item.length,
      weightMax: 8,
    });
    const first = ask("a");
    await turn();
    const later = Promise.all(["b", "c", "d", "e", "heavy-one", "f", "sixth", "seven"].map(ask));
    await turn();
    expect(requests).toEqual([["a"]]);
    await endAll();
    expect([await first, ...(await later)]).toHaveLength(9);
    expect(requests).toEqual([
      ["a"],
      ["b", "c", "d"],
      ["e"],
      ["heavy-one"],
      ["f", "sixth"],
      ["seven"],
    ]);
  });

  it("keeps apart what touches the same, in the order in which it came", async () => {
    const { send, requests, endAll } = service();
    const ask = together(send, {
      itemsMax: 10,
      requestsMax: 1,
      touches: (item) => [item.slice(0, 1)],
    });
    const answers = Promise.all(["a1", "b1", "a2", "b2", "c1", "a3"].map(ask));
    await turn();
    await endAll();
    await answers;
    expect(requests).toEqual([["a1", "b1"], ["a2", "b2", "c1"], ["a3"]]);
  });

  it("sends each alone when they fail together, so that only what is wrong fails", async () => {
    const { send, requests, endAll } = service((items) => items.includes("wrong"));
    const ask = together(send, { itemsMax: 10, requestsMax: 1 });
    const answers = Promise.allSettled(["a", "wrong", "b"].map(ask));
    await turn();
    await endAll();
    expect(await answers).toMatchObject([
      { status: "fulfilled", value: "a!" },
      { status: "rejected", reason: { message: "refused wrong" } },
      { status: "fulfilled", value: "b!" },
    ]);
    expect(requests).toEqual([["a", "wrong", "b"], ["a"], ["wrong"], ["b"]]);
  });

  it("goes on after a failure", async () => {
    const { send, endAll } = service((items) => items.includes("wrong"));
    const ask = together(send, { itemsMax: 1, requestsMax: 1 });
    const wrong = ask("wrong").catch((error: unknown) => String(error));
    const right = ask("right");
    await turn();
    await endAll();
    expect([await wrong, await right]).toEqual(["Error: refused wrong", "right!"]);
  });
});
