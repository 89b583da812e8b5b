/** What the functions call while everything goes wrong is what the list of functions says that they may call. */
import { describe, expect, it } from "vitest";
import { functions } from "../../functions/manifest.js";
import type { Ports } from "../../shared/ports/ports.js";
import { quietly } from "./quietly.js";
import { runSeed } from "./run-seed.js";

const seeds = 40;

/** Calls by function, as `port.method`, and the topics that each published to as `bus.publish:topic`. */
const recorder = () => {
  const seen = new Map<string, Set<string>>();
  const watched = <Port extends object>(label: string, name: string, port: Port): Port =>
    new Proxy(port, {
      get: (target, method, receiver) => {
        const member: unknown = Reflect.get(target, method, receiver);
        if (typeof member !== "function") return member;
        return (...args: readonly unknown[]): unknown => {
          const [function_ = label] = label.split("/");
          const calls = seen.get(function_) ?? new Set();
          calls.add(`${name}.${String(method)}`);
          if (name === "bus") calls.add(`bus.publish:${String(args[0])}`);
          seen.set(function_, calls);
          return Reflect.apply(member, target, args);
        };
      },
    });
  const wrap = (ports: Ports, { label }: { readonly label: string }): Ports => ({
    ...ports,
    state: watched(label, "state", ports.state),
    admission: watched(label, "admission", ports.admission),
    anchors: watched(label, "anchors", ports.anchors),
    leases: watched(label, "leases", ports.leases),
    bus: watched(label, "bus", ports.bus),
    pipelines: watched(label, "pipelines", ports.pipelines),
    registry: watched(label, "registry", ports.registry),
    endpoints: watched(label, "endpoints", ports.endpoints),
    metrics: watched(label, "metrics", ports.metrics),
    objects: watched(label, "objects", ports.objects),
    schedules: watched(label, "schedules", ports.schedules),
  });
  return { seen, wrap };
};

describe("permissions", { timeout: 900_000 }, () => {
  it(`cover whatever the functions do in ${seeds} seeds`, async () => {
    const { seen, wrap } = recorder();
    await quietly(async () => {
      for (let seed = 1; seed <= seeds; seed += 1) await runSeed({ seed, plant: { wrap } });
    });
    const missing = functions.flatMap(({ name, uses, publishes }) => {
      const allowed = new Set<string>([
        ...uses,
        ...publishes.map((topic) => `bus.publish:${topic}`),
      ]);
      return [...(seen.get(name) ?? [])]
        .filter((call) => !allowed.has(call))
        .map((call) => `${name} calls ${call}`);
    });
    expect(missing).toEqual([]);
    // A recorder that saw nothing would prove nothing.
    expect([...(seen.get("tick") ?? [])]).toEqual(
      expect.arrayContaining(["pipelines.get", "endpoints.deploy", "bus.publish:notification"]),
    );
  });
});
