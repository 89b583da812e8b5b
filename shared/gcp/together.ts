/** Calls that share a request: what is asked for while requests are under way goes together into the next one. */

/** How much goes together, and how many requests may be under way. */
export interface Together<Item> {
  readonly itemsMax: number;
  readonly requestsMax: number;
  /** What one item adds to its request, where that is limited too. */
  readonly weigh?: (item: Item) => number;
  readonly weightMax?: number;
  /** What an item touches: items that touch the same never share a request. */
  readonly touches?: (item: Item) => readonly string[];
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Gathers items into requests. `send` answers with where to find each item's result. An item that comes while nothing is
 * under way is sent in the same turn of the event loop. When a request of several fails, each of them is sent again
 * alone, so that none fails, or waits, because of another: `send` must be repeatable.
 */
export const together = <Item, Result>(
  send: (items: readonly Item[]) => Promise<(item: Item) => Result>,
  { itemsMax, requestsMax, weigh = () => 0, weightMax = 0, touches = () => [] }: Together<Item>,
): ((item: Item) => Promise<Result>) => {
  let waiting: Waiting<Item, Result>[] = [];
  let underWay = 0;
  let isDue = false;

  const take = (): readonly Waiting<Item, Result>[] => {
    let weight = 0;
    const touched = new Set<string>();
    const tooMany = waiting.findIndex(({ item }, index) => {
      weight += weigh(item);
      const its = touches(item);
      const isTooMany =
        index === itemsMax ||
        (index > 0 && weight > weightMax) ||
        its.some((one) => touched.has(one));
      for (const one of its) touched.add(one);
      return isTooMany;
    });
    const taken = tooMany === -1 ? waiting : waiting.slice(0, tooMany);
    waiting = tooMany === -1 ? [] : waiting.slice(tooMany);
    return taken;
  };
  const sendAlone = async ({ item, resolve, reject }: Waiting<Item, Result>): Promise<void> => {
    try {
      resolve((await send([item]))(item));
    } catch (error) {
      reject(error);
    }
  };
  const sendNext = async (): Promise<void> => {
    const [first, ...others] = take();
    if (first === undefined) return;
    underWay += 1;
    try {
      if (others.length === 0) await sendAlone(first);
      else {
        const all = [first, ...others];
        try {
          const find = await send(all.map(({ item }) => item));
          for (const { item, resolve } of all) resolve(find(item));
        } catch {
          await Promise.all(all.map(sendAlone));
        }
      }
    } finally {
      underWay -= 1;
      sendSoon();
    }
  };
  /** At the end of the turn, so that what comes in one turn goes together. */
  const sendSoon = (): void => {
    if (isDue || waiting.length === 0 || underWay >= requestsMax) return;
    isDue = true;
    setImmediate(() => {
      isDue = false;
      void sendNext();
      sendSoon();
    });
  };

  return (item) =>
    new Promise<Result>((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      sendSoon();
    });
};
