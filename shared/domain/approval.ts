/** Answers of people: how many are needed, whose count, and until when. */

/** What people are asked. */
export interface Question {
  readonly quorum: number;
  readonly expiresAtMs: number;
  readonly approvedBy: readonly string[];
  /** Who asked for what is to be approved; null when anybody may approve it. */
  readonly askedBy: string | null;
}

/** What one answer makes of the question. */
export type Answered =
  | { readonly is: "ignored" | "refused" | "expired"; readonly reason: string }
  | {
      readonly is: "counted" | "approved";
      readonly approvedBy: readonly string[];
      readonly reason: string;
    };

/** Why a question that nobody answered in time ends. */
export const expired = "nobody approved in time";

/** Counts one answer. */
export const countAnswer = (
  { quorum, expiresAtMs, approvedBy, askedBy }: Question,
  answer: { readonly decision: "approve" | "refuse"; readonly by: string },
  nowMs: number,
): Answered => {
  const { decision, by } = answer;
  if (decision === "refuse") return { is: "refused", reason: `${by} refused` };
  if (nowMs >= expiresAtMs) return { is: "expired", reason: expired };
  if (approvedBy.includes(by)) return { is: "ignored", reason: `${by} has already approved` };
  if (by === askedBy) {
    return { is: "ignored", reason: `${by} asked for it, so somebody else must approve it` };
  }
  const all = [...approvedBy, by];
  return all.length < quorum
    ? { is: "counted", approvedBy: all, reason: `approved by ${by}: ${all.length} of ${quorum}` }
    : { is: "approved", approvedBy: all, reason: `approved by ${all.join(", ")}` };
};
