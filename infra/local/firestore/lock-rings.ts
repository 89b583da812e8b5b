/** Rings of those who wait for each other. Pure. */

/** The members of a ring that leads from a member back to it; empty when there is none. */
export const ringOf = <Member>(
  start: Member,
  blockersOf: (member: Member) => readonly Member[],
): readonly Member[] => {
  const cameFrom = new Map<Member, Member>();
  const open: Member[] = [start];
  for (let member = open.pop(); member !== undefined; member = open.pop()) {
    for (const blocker of blockersOf(member)) {
      if (blocker === start) return pathTo(member, start, cameFrom);
      if (cameFrom.has(blocker)) continue;
      cameFrom.set(blocker, member);
      open.push(blocker);
    }
  }
  return [];
};

const pathTo = <Member>(
  last: Member,
  start: Member,
  cameFrom: ReadonlyMap<Member, Member>,
): readonly Member[] => {
  const path = [last];
  for (let member: Member | undefined = last; member !== undefined && member !== start;) {
    member = cameFrom.get(member);
    if (member !== undefined) path.push(member);
  }
  return path;
};
