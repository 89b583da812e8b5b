/** The two checksums Cloud Storage keeps of every object. */
import { createHash } from "node:crypto";

const castagnoli = 0x82f63b78;
const tableCount = 8;

const buildTables = (): readonly Uint32Array[] => {
  const first = Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ castagnoli : crc >>> 1;
    return crc >>> 0;
  });
  const tables = [first];
  for (let index = 1; index < tableCount; index += 1) {
    const previous = tables[index - 1] ?? first;
    tables.push(previous.map((crc) => (first[crc & 0xff] ?? 0) ^ (crc >>> 8)));
  }
  return tables;
};

// One flat array keeps the inner loop free of bounds checks on an array of arrays.
const flat = (() => {
  const all = new Uint32Array(256 * tableCount);
  for (const [index, table] of buildTables().entries()) all.set(table, index * 256);
  return all;
})();

const at = (index: number): number => flat[index] ?? 0;

/** Continues a CRC32C (Castagnoli) over more bytes, eight at a time; start with 0. */
export const crc32c = (bytes: Buffer, previous = 0): number => {
  let crc = ~previous >>> 0;
  let index = 0;
  for (; index + 8 <= bytes.length; index += 8) {
    const low = (bytes.readUInt32LE(index) ^ crc) >>> 0;
    const high = bytes.readUInt32LE(index + 4);
    crc =
      at(1792 + (low & 0xff)) ^
      at(1536 + ((low >>> 8) & 0xff)) ^
      at(1280 + ((low >>> 16) & 0xff)) ^
      at(1024 + (low >>> 24)) ^
      at(768 + (high & 0xff)) ^
      at(512 + ((high >>> 8) & 0xff)) ^
      at(256 + ((high >>> 16) & 0xff)) ^
      at(high >>> 24);
  }
  for (; index < bytes.length; index += 1) {
    crc = at((crc ^ bytes.readUInt8(index)) & 0xff) ^ (crc >>> 8);
  }
  return ~crc >>> 0;
};

/** Checksums in the API's form: base64, the CRC in network byte order. */
export interface Checksums {
  readonly size: number;
  readonly crc32c: string;
  readonly md5Hash: string;
}

/** Computes both checksums while bytes stream by. */
export const checksumming = (): {
  readonly update: (bytes: Buffer) => void;
  readonly finish: () => Checksums;
} => {
  const md5 = createHash("md5");
  let crc = 0;
  let size = 0;
  return {
    update: (bytes) => {
      md5.update(bytes);
      crc = crc32c(bytes, crc);
      size += bytes.length;
    },
    finish: () => {
      const crcBytes = Buffer.alloc(4);
      crcBytes.writeUInt32BE(crc);
      return { size, crc32c: crcBytes.toString("base64"), md5Hash: md5.digest("base64") };
    },
  };
};
