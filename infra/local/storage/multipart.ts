/** multipart/related as uploads use it: a JSON part, then the media, which is streamed and never held. */
import { invalid } from "./errors.js";

const headBytesMax = 2_000_000;

/** The two parts; `media` must be read to its end. */
export interface RelatedParts {
  readonly metadata: string;
  readonly mediaType: string | undefined;
  readonly media: AsyncIterable<Buffer>;
}

/** The boundary named by a multipart/related content type. */
export const boundaryOf = (contentType: string): string => {
  const match = /boundary=(?:"([^"]+)"|'([^']+)'|([^;\s]+))/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2] ?? match?.[3];
  if (boundary === undefined) throw invalid("Multipart content has no boundary.");
  return boundary;
};

const contentOf = (part: Buffer, headerEnd: Buffer): Buffer => {
  const end = part.indexOf(headerEnd);
  if (end < 0) throw invalid("A part of the multipart body has no blank line after its headers.");
  return part.subarray(end + headerEnd.length);
};

/** Splits the body; the first part is small and read at once. */
export const readRelated = async (
  source: AsyncIterable<Buffer>,
  boundary: string,
): Promise<RelatedParts> => {
  const chunks = source[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);

  const more = async (): Promise<boolean> => {
    const next = await chunks.next();
    if (next.done === true) return false;
    held = Buffer.concat([held, next.value]);
    return true;
  };
  const find = async (needle: Buffer, from: number): Promise<number> => {
    for (;;) {
      const index = held.indexOf(needle, from);
      if (index >= 0) return index;
      if (held.length > headBytesMax) throw invalid("Metadata part is too large.");
      if (!(await more())) throw invalid("Malformed multipart body: a part is missing or cut off.");
    }
  };

  const opening = Buffer.from(`--${boundary}`);
  const first = await find(opening, 0);
  const firstLineEnd = await find(Buffer.from("\n"), first + opening.length);
  // The standard asks for CRLF; gcloud writes a line feed alone. The first line says which it is.
  const lineBreak = held[firstLineEnd - 1] === 13 ? "\r\n" : "\n";
  const delimiter = Buffer.from(`${lineBreak}--${boundary}`);
  const headerEnd = Buffer.from(lineBreak + lineBreak);
  const firstEnd = await find(delimiter, first + opening.length);
  const part = held.subarray(first + opening.length, firstEnd);
  const metadata = contentOf(part, headerEnd).toString("utf8");
  const mediaStart = await find(headerEnd, firstEnd);
  const head = held.subarray(firstEnd + delimiter.length, mediaStart).toString("latin1");
  const mediaType = /^content-type:\s*(.+)$/im.exec(head)?.[1]?.trim();
  held = held.subarray(mediaStart + headerEnd.length);

  // The media is the last part, so only the closing boundary ends it; its bytes may look like an opening one.
  const closing = Buffer.concat([delimiter, Buffer.from("--")]);
  const media = async function* media(): AsyncIterable<Buffer> {
    for (;;) {
      const end = held.indexOf(closing);
      if (end >= 0) {
        if (end > 0) yield held.subarray(0, end);
        held = Buffer.alloc(0);
        while (await more()) held = Buffer.alloc(0);
        return;
      }
      const safe = held.length - closing.length;
      if (safe > 0) {
        yield held.subarray(0, safe);
        held = held.subarray(safe);
      }
      if (!(await more())) {
        throw invalid("Malformed multipart body: the closing boundary is missing.");
      }
    }
  };
  return { metadata, mediaType, media: media() };
};
