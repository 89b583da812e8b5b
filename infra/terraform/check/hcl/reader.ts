/** A place in a text, and what can be read from there. */
import { HclSyntaxError } from "./syntax.js";

/** Reads forward; newlines are blanks only between brackets. */
export interface Reader {
  readonly line: () => number;
  readonly isAtEnd: () => boolean;
  /** Whether the text goes on with this. */
  readonly sees: (text: string) => boolean;
  readonly matches: (pattern: RegExp) => string | null;
  /** Takes this text when it comes next, and says whether it did. */
  readonly takes: (text: string) => boolean;
  readonly expect: (text: string) => void;
  /** The next characters, taken. */
  readonly take: (count: number) => string;
  /** Skips blanks and comments, newlines too where they mean nothing. */
  readonly skip: () => void;
  readonly skipLines: () => void;
  /** Reads something in which newlines mean nothing, or mean something again. */
  readonly across: <Result>(isAcrossLines: boolean, read: () => Result) => Result;
  readonly fail: (message: string) => never;
}

const depthMax = 100;
const blank = /[ \t\r]+|#[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?\*\//y;
const blankOrLine = /[ \t\r\n]+|#[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?\*\//y;

/** A reader at the beginning of a text. */
export const readerOf = (text: string): Reader => {
  let at = 0;
  let isAcross = false;
  let depth = 0;
  let counted = { at: 0, line: 1 };
  const line = (): number => {
    let { line: count } = counted;
    let index = text.indexOf("\n", counted.at);
    while (index >= 0 && index < at) {
      count += 1;
      index = text.indexOf("\n", index + 1);
    }
    counted = { at, line: count };
    return count;
  };
  const fail = (message: string): never => {
    throw new HclSyntaxError(message, line());
  };
  const skipWith = (pattern: RegExp): void => {
    for (;;) {
      pattern.lastIndex = at;
      const found = pattern.exec(text)?.[0];
      if (found === undefined) return;
      at += found.length;
    }
  };
  const sees = (wanted: string): boolean => text.startsWith(wanted, at);
  const reader: Reader = {
    line,
    isAtEnd: () => at >= text.length,
    sees,
    matches: (pattern) => {
      const sticky = new RegExp(pattern, "y");
      sticky.lastIndex = at;
      return sticky.exec(text)?.[0] ?? null;
    },
    takes: (wanted) => {
      if (!sees(wanted)) return false;
      at += wanted.length;
      return true;
    },
    expect: (wanted) => {
      if (!sees(wanted)) {
        fail(
          `expected ${JSON.stringify(wanted)} before ${JSON.stringify(text.slice(at, at + 20))}`,
        );
      }
      at += wanted.length;
    },
    take: (count) => {
      const taken = text.slice(at, at + count);
      at += count;
      return taken;
    },
    skip: () => skipWith(isAcross ? blankOrLine : blank),
    skipLines: () => skipWith(blankOrLine),
    across: (isAcrossLines, read) => {
      const before = isAcross;
      isAcross = isAcrossLines;
      depth += 1;
      if (depth > depthMax) fail(`nested deeper than ${String(depthMax)} levels`);
      try {
        return read();
      } finally {
        isAcross = before;
        depth -= 1;
      }
    },
    fail,
  };
  return reader;
};
