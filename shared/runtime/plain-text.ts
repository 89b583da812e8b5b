/** Text of unknown origin, made fit for the events that we publish. */

/** At most `lengthMax` characters, control characters and broken ones as spaces; `otherwise` when nothing is left. */
export const plainText = (text: string, lengthMax: number, otherwise: string): string => {
  const plain = text
    .slice(0, lengthMax)
    .replaceAll(/[\p{Cc}\p{Cs}]+/gu, " ")
    .trim();
  return plain === "" ? otherwise : plain;
};
