/** What happened, in order: the same seed gives the same text. */

/** Collects lines when somebody wants them; counts faults always. */
export interface Trace {
  readonly isOn: boolean;
  readonly line: (text: () => string) => void;
  readonly lines: readonly string[];
  readonly count: (kind: string) => void;
  readonly counts: ReadonlyMap<string, number>;
}

const stamp = (ms: number): string => {
  const whole = Math.floor(ms);
  const two = (value: number): string => String(value).padStart(2, "0");
  const seconds = Math.floor(whole / 1000);
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}.${String(whole % 1000).padStart(3, "0")}`;
};

/** Makes a trace that stamps lines with the time since the start. */
export const traceOf = (options: {
  readonly isOn: boolean;
  readonly sinceStartMs: () => number;
}): Trace => {
  const lines: string[] = [];
  const counts = new Map<string, number>();
  return {
    isOn: options.isOn,
    lines,
    counts,
    line: (text) => {
      if (options.isOn) lines.push(`${stamp(options.sinceStartMs())} ${text()}`);
    },
    count: (kind) => {
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    },
  };
};
