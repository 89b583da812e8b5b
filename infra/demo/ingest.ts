/** The ingestion job: what any data engineer's job does at its end. It uploads files and publishes one message. */
import { parquetWriteBuffer } from "hyparquet-writer";
import type { Flight } from "./flights.js";
import type { DemoWorld } from "./world.js";

/** Changes a column on its way to the file: how act 4 breaks one. */
export type Breakage = (flight: Flight) => Partial<Flight>;

const column = <Value>(flights: readonly Flight[], value: (flight: Flight) => Value): Value[] =>
  flights.map(value);

/** Flights as a Parquet file. */
export const parquetOf = (flights: readonly Flight[], breakage: Breakage = () => ({})): Buffer => {
  const rows = flights.map((flight) => ({ ...flight, ...breakage(flight) }));
  const bytes = parquetWriteBuffer({
    columnData: [
      { name: "date", data: column(rows, ({ dateMs }) => new Date(dateMs)), type: "TIMESTAMP" },
      { name: "hour", data: column(rows, ({ hour }) => hour), type: "INT32", nullable: true },
      {
        name: "weekday",
        data: column(rows, ({ weekday }) => weekday),
        type: "INT32",
        nullable: true,
      },
      {
        name: "distance",
        data: column(rows, ({ distance }) => distance),
        type: "INT32",
        nullable: true,
      },
      {
        name: "origin",
        data: column(rows, ({ origin }) => origin),
        type: "STRING",
        nullable: true,
      },
      {
        name: "destination",
        data: column(rows, ({ destination }) => destination),
        type: "STRING",
        nullable: true,
      },
      {
        name: "originLateRate",
        data: column(rows, (flight) => flight.originLateRate),
        type: "DOUBLE",
        nullable: true,
      },
      { name: "outcome", data: column(rows, ({ outcome }) => outcome), type: "STRING" },
    ],
  });
  return Buffer.from(bytes);
};

/** Uploads one version of the dataset and publishes `dataset.arrived`; returns the event's id. */
export const ingest = async (
  world: DemoWorld,
  version: {
    readonly name: string;
    readonly flights: readonly Flight[];
    readonly breakage?: Breakage;
  },
): Promise<string> => {
  const uri = await world.upload(
    `datasets/flights/${version.name}.parquet`,
    parquetOf(version.flights, version.breakage),
  );
  const id = `flights/${version.name}`;
  await world.publish("dataset", {
    specversion: "1.0",
    type: "dataset.arrived",
    id,
    source: "demo/ingestion",
    time: new Date().toISOString(),
    data: { dataset: "flights", uris: [uri], rows: version.flights.length },
  });
  return id;
};
