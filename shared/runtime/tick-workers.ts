/** The workers of a tick: one message of Cloud Scheduler becomes one for each partition. */
import { z } from "zod";
import type { Message } from "../../events/sources/message.js";
import type { Ports } from "../ports/ports.js";
import type { Partition } from "../ports/state.js";
import { oneAtATime } from "./one-at-a-time.js";
import type { AdmissionLimits } from "./quota.js";
import { tick } from "./tick.js";

const share = z.object({
  partition: z.object({ index: z.int().nonnegative(), count: z.int().min(1).max(64) }),
});

/** Makes the tick of one instance, in which a partition's tick that still runs is not begun again. */
export const tickWorker = () => {
  const running = new Map<number, ReturnType<typeof oneAtATime<Parameters<typeof tick>>>>();
  const tickOnce = async (
    visit: string,
    ports: Ports,
    settings: AdmissionLimits & { readonly partition: Partition },
  ): Promise<void> => {
    const { index } = settings.partition;
    const once = running.get(index) ?? oneAtATime(tick);
    running.set(index, once);
    await once(visit, ports, settings);
  };
  return async (
    message: Message,
    ports: Ports,
    { tickPartitions, ...limits }: AdmissionLimits & { readonly tickPartitions: number },
  ): Promise<void> => {
    const asked = share.safeParse(message.body).data?.partition;
    if (asked !== undefined) return tickOnce(message.id, ports, { ...limits, partition: asked });
    if (tickPartitions === 1) {
      return tickOnce(message.id, ports, { ...limits, partition: { index: 0, count: 1 } });
    }
    for (let index = 0; index < tickPartitions; index += 1) {
      const partition: Partition = { index, count: tickPartitions };
      const data = Buffer.from(JSON.stringify({ kind: "tick", partition }));
      await ports.bus.publish("tick", { data, attributes: {} });
    }
    return undefined;
  };
};
