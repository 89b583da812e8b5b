/** Messages that nobody may act on; each holds the id by which a check would find that somebody did. */

const envelope = (id: string, time = "2026-01-05T12:00:00Z") => ({
  specversion: "1.0",
  id,
  source: "poison",
  time,
});

const data = { dataset: "shared-rows", uris: ["gs://poison/x"] };

/** The body of one poisonous message. */
export const poisonBody = (which: number, id: string): Buffer => {
  const bodies: readonly unknown[] = [
    { ...envelope(id), type: "dataset.arrived", data: { ...data, uris: [] } },
    { ...envelope(id), type: "dataset.unknown", data },
    { ...envelope(id), specversion: "2.0", type: "dataset.arrived", data },
    { ...envelope(id), type: "dataset.arrived", data: { ...data, rows: "1e999" } },
    { ...envelope(id, "1999-12-31T23:59:59Z"), type: "dataset.arrived", data },
    { ...envelope(`${id}\u0007`), type: "dataset.arrived", data },
  ];
  const body = bodies[which];
  if (body !== undefined) return Buffer.from(JSON.stringify(body));
  return which === 6
    ? Buffer.from(`{"id":"${id}","type":`)
    : Buffer.from(`${"[".repeat(200)}"${id}"${"]".repeat(200)}`);
};
