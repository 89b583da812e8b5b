/** Messages that nobody may act on, and what their dead letters must say. */

/** One poisonous message. */
export interface Poison {
  readonly what: string;
  readonly topic: string;
  readonly data: Buffer;
  readonly attributes?: Readonly<Record<string, string>>;
  /** Part of the reason that a person reads. */
  readonly reason: RegExp;
}

const mebibyte = 1024 * 1024;

/** All kinds of them; each names the id, so that a check can find out whether somebody acted on it. */
export const poisonFor = (model: string, id: string): readonly Poison[] => {
  const base = {
    specversion: "1.0",
    type: "dataset.arrived",
    id,
    source: "storm/poison",
    time: new Date().toISOString(),
    data: { dataset: model, uris: ["gs://poison/rows.csv"] },
  };
  const dataset = (what: string, reason: RegExp, changes: object): Poison => ({
    what,
    topic: "dataset",
    data: Buffer.from(JSON.stringify({ ...base, id: `${id}/${what}`, ...changes })),
    reason,
  });
  const raw = (what: string, reason: RegExp, text: string): Poison => ({
    what,
    topic: "dataset",
    data: Buffer.from(text),
    reason,
  });
  const text = JSON.stringify({ ...base, id: `${id}/raw` });
  return [
    dataset("wrong type", /data\.uris/, { data: { dataset: model, uris: "gs://poison/rows.csv" } }),
    dataset("no addresses", /data\.uris/, { data: { dataset: model, uris: [] } }),
    dataset("unknown type", /type|known shapes/, { type: "dataset.vanished" }),
    dataset("unknown version", /specversion/, { specversion: "2.0" }),
    dataset("unknown field", /shape|unrecognized|unknown/i, {
      data: { ...base.data, rm: "-rf /" },
    }),
    dataset("huge number", /rows/, { data: { ...base.data, rows: 1e300 } }),
    dataset("far past", /time.*2000 and 2100/, { time: "1970-01-01T00:00:00Z" }),
    dataset("last year's", /more than 30 days ago/, {
      time: new Date(Date.now() - 365 * 86_400_000).toISOString(),
    }),
    dataset("next year's", /has not come yet/, {
      time: new Date(Date.now() + 365 * 86_400_000).toISOString(),
    }),
    dataset("far future", /time.*2000 and 2100/, { time: "9999-01-01T00:00:00Z" }),
    dataset("control characters in the id", /id/, { id: `${id}/\u0000\u001b[31m` }),
    raw("NaN", /not JSON/, text.replace(/"uris":\[.*?\]/, '"uris":NaN')),
    raw("cut off", /not JSON/, text.slice(0, -7)),
    raw("no JSON at all", /not JSON/, "\u0000\u0001\u0002 hello"),
    raw("deep nesting", /nested deeper than \d+ levels/, "[".repeat(50_000) + "]".repeat(50_000)),
    raw("a prototype", /known shapes|type/, `{"__proto__":${text}}`),
    raw("10 MB", /bytes of data; at most \d+ are read/, text + " ".repeat(9 * mebibyte)),
    {
      what: "attributes only",
      topic: "dataset",
      data: Buffer.alloc(0),
      attributes: { type: "dataset.arrived", poison: id },
      reason: /no data/,
    },
    {
      what: "an alert without anomalies",
      topic: "alert",
      data: Buffer.from(
        JSON.stringify({ ...base, id: `${id}/alert`, type: "drift.detected", data: { model } }),
      ),
      reason: /data\./,
    },
  ];
};
