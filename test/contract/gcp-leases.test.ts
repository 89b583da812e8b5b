/** Leases in Firestore, against the local cloud: one holder at a time, by the store's own clock. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { GcpConfig } from "../../shared/gcp/config.js";
import { firestoreLeases } from "../../shared/gcp/firestore-leases.js";
import type { Leases } from "../../shared/ports/leases.js";
import { eventually, withLocalCloud, type LocalCloud } from "./local-cloud.js";
import { startLossyProxy, type LossyProxy } from "./lossy-proxy.js";

let cloud: LocalCloud;
let one: Leases;
let other: Leases;
/** Reaches the cloud through a proxy that loses replies. */
let shaky: Leases;
let proxy: LossyProxy;

/** Longer than any test takes, and short enough to wait for. */
const long = 600_000;
const short = 200;

beforeAll(async () => {
  cloud = await withLocalCloud(["firestore"]);
  const config: GcpConfig = {
    projectId: cloud.projectId,
    region: "us-central1",
    bucket: "demo-bucket",
    identity: "continuo@demo-project.iam.gserviceaccount.com",
    localCloud: cloud.address,
  };
  proxy = await startLossyProxy(cloud.address);
  one = firestoreLeases(config);
  other = firestoreLeases(config);
  shaky = firestoreLeases({ ...config, localCloud: proxy.address });
});

afterAll(async () => {
  await proxy.stop();
  await cloud.stop();
});

describe("a lease", () => {
  it("has one holder, however many ask at once", async () => {
    const asked = await Promise.allSettled(
      Array.from({ length: 8 }, (_, index) =>
        (index % 2 === 0 ? one : other).acquire("aliases--churn", long),
      ),
    );
    const taken = asked.flatMap((answer) =>
      answer.status === "fulfilled" && answer.value !== null ? [answer.value] : [],
    );
    expect(taken).toHaveLength(1);
    expect(taken[0]).toMatchObject({ name: "aliases--churn", epoch: 1, written: null });
    expect(taken[0]?.isCurrent()).toBe(true);
  });

  it("is free again when it was given back, and tells what was written", async () => {
    const first = await one.acquire("version--churn", long);
    if (first === null) throw new Error("it is not free");
    expect(await other.acquire("version--churn", long)).toBeNull();
    await one.release(first, "entry/0");
    const second = await other.acquire("version--churn", long);
    expect(second).toMatchObject({ epoch: first.epoch + 1, written: "entry/0" });
    expect(await one.acquire("version--churn", long)).toBeNull();
  });

  it("outlives its holder for as long as it lasts, and nobody knows what was written then", async () => {
    const first = await one.acquire("endpoint--churn", long);
    if (first === null) throw new Error("it is not free");
    await one.release(first, "entry/0");
    const dead = await one.acquire("endpoint--churn", short);
    expect(dead?.written).toBe("entry/0");
    const next = await eventually("the end of the lease", async () => {
      const lease = await other.acquire("endpoint--churn", short);
      return lease ?? false;
    });
    expect(next).toMatchObject({ epoch: 3, written: null });
    // The dead one comes back to life: it must not write, and cannot give back what is another's.
    await eventually("an old lease", () => dead?.isCurrent() === false);
    if (dead !== null) await one.release(dead, "entry/1");
    expect(await one.acquire("endpoint--churn", long)).toBeNull();
  });

  it("is the holder's although the reply to its taking was lost, and nobody else's", async () => {
    proxy.loseReplyOf("Commit");
    const lease = await shaky.acquire("schedules--churn", long);
    expect(proxy.lost()).toBe(1);
    expect(lease).toMatchObject({ epoch: 1, written: null });
    expect(lease?.isCurrent()).toBe(true);
    expect(await other.acquire("schedules--churn", long)).toBeNull();
    expect(await shaky.acquire("schedules--churn", long)).toBeNull();
  });

  it("is given back once, although the reply to that was lost", async () => {
    const lease = await shaky.acquire("evaluations--churn", long);
    if (lease === null) throw new Error("it is not free");
    const before = proxy.lost();
    proxy.loseReplyOf("Commit");
    await shaky.release(lease, "entry/0");
    expect(proxy.lost()).toBe(before + 1);
    const next = await other.acquire("evaluations--churn", long);
    expect(next).toMatchObject({ epoch: 2, written: "entry/0" });
  });
});
