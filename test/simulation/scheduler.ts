/** The one scheduler: everything that happens is a task at a virtual time, and nothing else moves the clock. */

/** Virtual time and what is to happen in it. */
export interface Scheduler {
  readonly nowMs: () => number;
  /** Puts a task after a delay; tasks of the same instant run in the order in which they were put. */
  readonly after: (delayMs: number, task: () => void) => void;
  /** Runs tasks until a time, or until a claim holds; it is looked at after every task. */
  readonly run: (untilMs: number, isOver?: () => boolean) => Promise<void>;
  readonly steps: () => number;
}

interface Item {
  readonly atMs: number;
  readonly order: number;
  readonly task: () => void;
}

const isBefore = (a: Item, b: Item): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

/** A binary heap, earliest first. */
const heap = () => {
  const items: Item[] = [];
  const at = (index: number): Item => {
    const item = items[index];
    if (item === undefined) throw new RangeError("the heap has no such item");
    return item;
  };
  const swap = (a: number, b: number): void => {
    [items[a], items[b]] = [at(b), at(a)];
  };
  return {
    first: (): Item | undefined => items[0],
    push: (item: Item): void => {
      let index = items.push(item) - 1;
      while (index > 0) {
        const parent = (index - 1) >> 1;
        if (!isBefore(at(index), at(parent))) break;
        swap(index, parent);
        index = parent;
      }
    },
    pop: (): void => {
      const last = items.pop();
      if (last === undefined || items.length === 0) return;
      items[0] = last;
      let index = 0;
      for (;;) {
        const left = 2 * index + 1;
        if (left >= items.length) return;
        const right = left + 1;
        const child = right < items.length && isBefore(at(right), at(left)) ? right : left;
        if (!isBefore(at(child), at(index))) return;
        swap(index, child);
        index = child;
      }
    },
  };
};

/** Tasks between two looks at the event loop of the host. */
const stepsPerBreath = 5000;

/** Lets every continuation run that can: Node empties its microtasks before the next tick's callback. */
const settled = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));
const breath = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Makes a scheduler whose clock starts at a time. */
export const schedulerAt = (startMs: number): Scheduler => {
  const queue = heap();
  let nowMs = startMs;
  let order = 0;
  let steps = 0;
  return {
    nowMs: () => nowMs,
    steps: () => steps,
    after: (delayMs, task) => {
      order += 1;
      queue.push({ atMs: nowMs + Math.max(0, delayMs), order, task });
    },
    run: async (untilMs, isOver = () => false) => {
      for (let item = queue.first(); item !== undefined; item = queue.first()) {
        if (item.atMs > untilMs) break;
        queue.pop();
        nowMs = item.atMs;
        steps += 1;
        item.task();
        await settled();
        if (isOver()) return;
        if (steps % stepsPerBreath === 0) await breath();
      }
      nowMs = Math.max(nowMs, untilMs);
    },
  };
};
