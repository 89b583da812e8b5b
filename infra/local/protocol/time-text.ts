/** Timestamps and durations between their protobuf shape and their text. */

interface SecondsAndNanos {
  readonly seconds?: string;
  readonly nanos?: number;
}

const secondsOf = (value: unknown): number => {
  const seconds = Number(value ?? 0);
  if (!Number.isSafeInteger(seconds)) throw new TypeError(`${String(value)} is not whole seconds`);
  return seconds;
};

/** 0, 3, 6 or 9 digits, as protobuf's JSON mapping demands. */
function fraction(nanos: number): string {
  if (nanos === 0) return "";
  const digits = String(nanos).padStart(9, "0");
  if (digits.endsWith("000000")) return `.${digits.slice(0, 3)}`;
  return digits.endsWith("000") ? `.${digits.slice(0, 6)}` : `.${digits}`;
}

/** `{seconds, nanos}` as RFC 3339. */
export function dateText(value: Readonly<Record<string, unknown>>): string {
  const text = new Date(secondsOf(value["seconds"]) * 1000).toISOString();
  return `${text.slice(0, 19)}${fraction(Number(value["nanos"] ?? 0))}Z`;
}

/** `{seconds, nanos}` as decimal seconds with an `s`. */
export function durationText(value: Readonly<Record<string, unknown>>): string {
  const seconds = secondsOf(value["seconds"]);
  const nanos = Number(value["nanos"] ?? 0);
  const sign = seconds < 0 || nanos < 0 ? "-" : "";
  return `${sign}${Math.abs(seconds)}${fraction(Math.abs(nanos))}s`;
}

const shape = (seconds: number, nanos: number): SecondsAndNanos => ({
  ...(seconds === 0 ? {} : { seconds: String(seconds) }),
  ...(nanos === 0 ? {} : { nanos }),
});

/** Reads RFC 3339 with up to nine digits and any offset. */
export function parseDate(value: unknown): SecondsAndNanos | undefined {
  if (typeof value !== "string") return undefined;
  const match = /^(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)$/.exec(
    value,
  );
  if (match === null) return undefined;
  const ms = Date.parse(`${match[1] ?? ""}${match[3] ?? "Z"}`);
  if (Number.isNaN(ms)) return undefined;
  return shape(Math.floor(ms / 1000), Number((match[2] ?? "").padEnd(9, "0")));
}

/** Reads decimal seconds with an `s`. */
export function parseDuration(value: unknown): SecondsAndNanos | undefined {
  if (typeof value !== "string") return undefined;
  const match = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/.exec(value);
  if (match === null) return undefined;
  const sign = match[1] === "-" ? -1 : 1;
  const nanos = sign * Number((match[3] ?? "").padEnd(9, "0"));
  return shape(sign * Number(match[2]) || 0, nanos || 0);
}
