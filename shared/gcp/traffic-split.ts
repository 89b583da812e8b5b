/** Traffic splits as maps from deployed model id to percent. */

/** A split without the entries that get nothing. */
export const presentSplit = (
  split: Readonly<Record<string, number | undefined>>,
): Record<string, number> =>
  Object.fromEntries(
    Object.entries(split).flatMap(([id, percent]) =>
      percent === undefined || percent === 0 ? [] : [[id, percent]],
    ),
  );

/** Whether two splits send every deployed model the same share. */
export const equalSplits = (
  left: Readonly<Record<string, number | undefined>>,
  right: Readonly<Record<string, number | undefined>>,
): boolean => {
  const a = presentSplit(left);
  const b = presentSplit(right);
  const ids = Object.keys(a);
  return ids.length === Object.keys(b).length && ids.every((id) => a[id] === b[id]);
};
